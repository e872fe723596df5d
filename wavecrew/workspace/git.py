"""How git is run on the host: fixed words, a clean environment, no code of a repository.

Only for object-level plumbing on git directories the engine owns, and on the
user's own. Nothing here ever looks at a working tree: git on a tree that an
agent can write runs in the sandbox (`workspace.py`).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from wavecrew.errors import DiskFull, GitFailed

CONFIG = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.logAllRefUpdates=false",
    "core.fsync=committed",  # git leaves loose objects to chance: a ref could name one that is lost
    "core.fsyncMethod=batch",
    "core.bigFileThreshold=16m",
    "commit.gpgSign=false",
    "protocol.allow=never",
    "submodule.recurse=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "pack.threads=1",
)
_OBJECT_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_DISK_FULL = (b"No space left on device", b"Disk quota exceeded")


@dataclass(frozen=True, slots=True)
class Ended:
    """One finished git command."""

    code: int
    stdout: bytes
    stderr: bytes


@cache
def executable() -> str:
    """Absolute path of git. GitFailed when there is none."""
    found = shutil.which("git")
    if found is None:
        raise GitFailed("git is not on PATH", mend="Install git 2.38 or newer.")
    return str(Path(found).absolute())


def object_id(text: str) -> str:
    """`text` itself when it is a full object id; GitFailed otherwise.

    Everything that reaches a command line as a revision goes through here, so
    that no name can be read as an option or as an expression.
    """
    if not _OBJECT_ID.match(text):
        raise GitFailed(f"{text!r} is not a full object id")
    return text


def object_format(commit: str) -> str:
    """`sha1` or `sha256`, told by the length of any object id of the repository."""
    return "sha256" if len(commit) == 64 else "sha1"


@dataclass(frozen=True, slots=True)
class Git:
    """Git on one git directory. Thread-safe; every call is a process of its own."""

    git_dir: Path
    alternates: tuple[Path, ...] = ()
    """Further object stores to read from."""
    objects: Path | None = None
    """Where new objects go instead of the git directory's own store."""
    is_scratch: bool = False
    """True: nobody misses what it writes, so git waits for no disk."""

    def run(
        self,
        *args: str,
        stdin: bytes | Path = b"",
        check: bool = True,
        timeout_s: float = 120,
        env: Mapping[str, str] | None = None,
    ) -> bytes:
        """Standard output of `git *args`. GitFailed on a non-zero exit unless `check` is False."""
        ended = self.call(*args, stdin=stdin, timeout_s=timeout_s, env=env)
        if check and ended.code != 0:
            raise self.failed(args, ended)
        return ended.stdout

    def call(
        self,
        *args: str,
        stdin: bytes | Path = b"",
        stdout: Path | None = None,
        timeout_s: float = 120,
        env: Mapping[str, str] | None = None,
    ) -> Ended:
        """Run and tell how it ended; `stdin` and `stdout` may be files.

        GitFailed when it could not start or ran out of time, DiskFull when its
        messages say so; any other ending is the caller's to judge.
        """
        argv = self._words(args)
        source = stdin.open("rb") if isinstance(stdin, Path) else None
        given = stdin if isinstance(stdin, bytes) else None
        target = stdout.open("wb") if stdout is not None else None
        try:
            done = subprocess.run(
                argv,
                input=given,
                stdin=source,
                stdout=target if target else subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environment(env or {}),
                cwd=self.git_dir,
                timeout=timeout_s,
                check=False,
                process_group=0,  # Ctrl-C is for the engine to understand; git finishes its work
            )
        except subprocess.TimeoutExpired as error:
            raise GitFailed(
                f"git {args[0]!r} took longer than {timeout_s:g} s", where=str(self.git_dir)
            ) from error
        except OSError as error:
            raise GitFailed(f"git did not start: {error}", where=str(self.git_dir)) from error
        finally:
            for file in (source, target):
                if file:
                    file.close()
        ended = Ended(done.returncode, done.stdout or b"", done.stderr)
        if ended.code != 0:
            refuse_full_disk(ended.stderr, self.git_dir)
        return ended

    def talk(self, *args: str) -> subprocess.Popen[bytes]:
        """A process that answers on standard output what is written to it; the caller ends it."""
        argv = self._words(args)
        try:
            return subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=self._environment({}),
                cwd=self.git_dir,
                process_group=0,
            )
        except OSError as error:
            raise GitFailed(f"git did not start: {error}", where=str(self.git_dir)) from error

    def has_commit(self, name: str) -> bool:
        """True when `name` is the full id of a commit that can be read here."""
        if not _OBJECT_ID.match(name):
            return False
        return self.call("cat-file", "-e", f"{name}^{{commit}}").code == 0

    def failed(self, args: tuple[str, ...], ended: Ended) -> GitFailed:
        """The error that tells of a command which had no business failing."""
        said = ended.stderr.decode("utf-8", "replace").strip()[-600:]
        return GitFailed(
            f"git {args[0]!r} ended with {ended.code}: {said}", where=str(self.git_dir)
        )

    def _words(self, args: tuple[str, ...]) -> list[str]:
        # What a repository's own file says of a setting loses to the command line.
        pairs = (*CONFIG, "core.fsync=none") if self.is_scratch else CONFIG
        return [executable(), *(word for pair in pairs for word in ("-c", pair)), *args]

    def _environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        env = {
            "PATH": os.pathsep.join((str(Path(executable()).parent), "/usr/bin", "/bin")),
            "HOME": "/nonexistent",
            "LC_ALL": "C",
            "GIT_DIR": str(self.git_dir),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_LITERAL_PATHSPECS": "1",
            "GIT_ALLOC_LIMIT": "1g",
        }
        if self.alternates:
            quoted = (_quote(str(path)) for path in self.alternates)
            env["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = os.pathsep.join(quoted)
        if self.objects is not None:
            env["GIT_OBJECT_DIRECTORY"] = str(self.objects)
        return env | dict(extra)


def refuse_full_disk(stderr: bytes, where: Path) -> None:
    """Raise DiskFull when a command's messages say that the disk is full."""
    if any(sign in stderr for sign in _DISK_FULL):
        raise DiskFull(
            "git could not write: the disk is full",
            where=str(where),
            mend="Free some space and start the run again; nothing is lost.",
        )


def _quote(path: str) -> str:
    """C-quoted when it must be, as git reads its lists of object stores."""
    if os.pathsep not in path and not path.startswith('"'):
        return path
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'
