"""How git talks to a repository somewhere else: whose credentials, how long, how often.

Git on the engine's own folders runs with nothing of the user's (`git.py`). Over
a network that cannot work: keys, credential helpers, proxies and certificates
are the user's. So here, and only here, git reads the user's and the machine's
git configuration and gets a short list of variables; hooks stay off, prompts
fail at once, and every call has an end.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

from wavecrew.errors import GitFailed, HubRefused, HubUnreachable, UsageError
from wavecrew.workspace.git import CONFIG, Ended, Git, executable, refuse_full_disk

T = TypeVar("T")

PROTOCOLS = ("file", "ssh", "https", "http", "git")
"""No helper program can be named by a URL: `ext::` would run whatever it says."""
NETWORK_CONFIG = (
    *CONFIG,
    *(f"protocol.{name}.allow=always" for name in PROTOCOLS),
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=60",
    "push.gpgSign=false",
    "push.followTags=false",
    "push.recurseSubmodules=no",
    "push.negotiate=false",
    "fetch.prune=false",
    "fetch.recurseSubmodules=false",
    "fetch.writeCommitGraph=false",
)
PASSED_ON = (
    *("HOME", "USER", "LOGNAME", "PATH", "TMPDIR", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"),
    *("SSH_AUTH_SOCK", "SSH_ASKPASS", "SSH_ASKPASS_REQUIRE"),
    *("GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "GIT_ASKPASS"),
    *("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"),
    *("GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_SSL_CERT", "GIT_SSL_KEY"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "http_proxy", "https_proxy", "HTTPS_PROXY"),
    *("all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"),
    *("KRB5CCNAME", "GOOGLE_APPLICATION_CREDENTIALS"),
)
"""Variables of ours that a network git sees; all others, above all GIT_DIR, stay out."""
_REFUSED = (
    (
        r"hash algorithm|mismatched algorithms|object format",
        "it keeps its objects in another format (SHA-1 or SHA-256) than this repository",
        "make the hub with `git init --bare --object-format=...` like the repository",
    ),
    (
        r"No space left on device|Disk quota exceeded|unable to write .*: quota",
        "its disk is full",
        "free some space there and resume; nothing is lost",
    ),
    (
        r"hook declined|protected branch|pre-receive",
        "a rule or hook there declines the push",
        "allow pushes, forced ones too, below refs/heads/wavecrew/ and refs/wavecrew/",
    ),
    (
        r"checked out branch|branch is currently checked out",
        "it has a checkout, and that has a run's branch open",
        "use a bare repository: `git init --bare`",
    ),
    (
        r"shallow update not allowed|attempt to fetch/clone from a shallow",
        "a shallow clone cannot be exchanged with it",
        "make the clone complete: `git fetch --unshallow`",
    ),
    (
        r"dubious ownership",
        "git does not trust the owner of its folder",
        "make it this user's, or name it in safe.directory of the git configuration",
    ),
    (
        r"Authentication failed|Permission denied|could not read (Username|Password)"
        r"|Host key verification failed|returned error: 40[13]|insufficient permission"
        r"|service not enabled|access denied",
        "it does not let this user in, or not for this",
        "`git push` to it by hand as this user shows what is missing",
    ),
    (
        r"transport '[^']*' not allowed|unable to find remote helper",
        "its address is of a kind that is not used here",
        "a path, file://, ssh:// or https:// works",
    ),
    (
        r"exists; cannot create",
        "a branch there stands where the runs keep their branches",
        "rename it: no branch may be called 'wavecrew' or 'wavecrew/<run>'",
    ),
)
"""(what git says, what it means, the mend): none of it gets better by trying again."""
_STALE_LOCK_S = 10.0
_KILL_AFTER_S = 2.0
_SCP_LIKE = re.compile(r"[^/:]+:")
_USER_INFO = re.compile(r"(?<=://)[^/@]*@")


class Trouble(Exception):
    """One call did not work; the next may."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long, in seconds, and how often."""

    quick_s: float = 45.0
    """One question or small push."""
    transfer_s: float = 900.0
    """One call that moves objects."""
    tries: int = 6
    pause_s: float = 0.5
    """Before the second try; twice as long before each further one."""
    give_up_s: float = 150.0
    """No new try begins so long after the first one began."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A repository at another place. Thread-safe."""

    url: str
    patience: Patience = Patience()

    @classmethod
    def at(cls, url: str, patience: Patience | None = None) -> Remote:
        """UsageError for an address that git would read as an option or not at all."""
        if not url.strip() or url.startswith("-") or "\n" in url or "\0" in url:
            raise UsageError(f"{url!r} is no address of a repository")
        if "://" not in url and "::" not in url and not _SCP_LIKE.match(url):
            place = Path(url).expanduser().absolute()
            if not place.is_dir():
                raise UsageError("there is no repository at this path", where=str(place))
            url = str(place)
        return cls(url, patience or Patience())

    @property
    def shown(self) -> str:
        """The address without a password."""
        return _USER_INFO.sub("", self.url)

    def insist(self, work: Callable[[bool], T]) -> T:
        """What `work` gives, called again for as long as it raises Trouble and patience lasts.

        It is told whether it was called before: what it did then may have had
        its effect. HubUnreachable in the end.
        """
        began, pause, last = time.monotonic(), self.patience.pause_s, ""
        for number in range(self.patience.tries):
            if number:
                if time.monotonic() - began > self.patience.give_up_s:
                    break
                time.sleep(pause * random.uniform(0.7, 1.3))  # noqa: S311 - no secret
                pause *= 2
            try:
                return work(number > 0)
            except Trouble as trouble:
                last = str(trouble)
        raise HubUnreachable(
            f"the hub cannot be used: {last}",
            where=self.shown,
            mend="`git ls-remote` shows whether it can be reached; then --resume, nothing is lost",
        )

    def call(
        self, git: Git, *args: str, limit_s: float, env: dict[str, str] | None = None
    ) -> Ended:
        """One git command, once. Trouble when it ran out of time.

        The command gets the address where an argument is `{url}`.
        """
        words = [self.url if word == "{url}" else word for word in args]
        settings = (part for pair in NETWORK_CONFIG for part in ("-c", pair))
        argv = [*_tied_to_us(), executable(), *settings, *words]
        with subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(git) | dict(env or {}),
            cwd=git.git_dir,
            start_new_session=True,  # no terminal to ask for a password at, one group to end
        ) as process:
            try:
                stdout, stderr = process.communicate(timeout=limit_s)
            except BaseException as error:
                _end(process)
                if isinstance(error, subprocess.TimeoutExpired):
                    raise Trouble(f"no answer to git {args[0]} within {limit_s:g} s") from None
                raise
        return Ended(process.returncode, stdout, stderr)

    def meaning(self, git: Git, what: str, ended: Ended, *, pushing: bool = False) -> Exception:
        """What a failed command means, to be raised: HubRefused, GitFailed or Trouble.

        DiskFull, for a disk of ours, is raised at once.
        """
        if not pushing and b"remote: " not in ended.stderr:
            refuse_full_disk(ended.stderr, git.git_dir)
        text = _readable(ended.stderr + ended.stdout, self)
        for pattern, means, mend in _REFUSED:
            if re.search(pattern, text):
                what = f"the hub refuses: {means} ({_cut(text)})"
                return HubRefused(what, where=self.shown, mend=mend)
        if "unknown option" in text or "unknown switch" in text:
            return GitFailed(
                f"git {what} is too old: {_cut(text)}", mend="Install git 2.38 or newer."
            )
        return Trouble(f"git {what} ended with {ended.code}: {_cut(text)}")

    def drop_stale_lock(self, name: str) -> None:
        """Remove the lock of a push that was killed, where the hub is a folder of this machine.

        A living one holds it for milliseconds. Elsewhere only the hub's own machine can.
        """
        if not self.url.startswith("/"):
            return
        for git_dir in (Path(self.url), Path(self.url) / ".git"):
            lock = git_dir / f"{name}.lock"
            with suppress(FileNotFoundError, NotADirectoryError):
                if time.time() - lock.stat().st_mtime > _STALE_LOCK_S:
                    lock.unlink()


def lines_of(stdout: bytes) -> Iterator[tuple[str, str]]:
    """(object id, ref) of what `git ls-remote` prints."""
    for line in stdout.decode("utf-8", "replace").splitlines():
        commit, _, name = line.partition("\t")
        yield commit, name


def _environment(git: Git) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if name in PASSED_ON}
    return env | {
        "LC_ALL": "C",
        "GIT_DIR": str(git.git_dir),
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GCM_INTERACTIVE": "never",
    }


@cache
def _tied_to_us() -> tuple[str, ...]:
    """Words before the command that let it die with us, where the machine has them."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return ()
    words = (setpriv, "--pdeathsig", "KILL")
    done = subprocess.run((*words, "true"), capture_output=True, check=False)
    return words if done.returncode == 0 else ()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End git and what it started (ssh, a helper): they hold the pipes we would wait for.

    Asked first: then git takes its lock files away, those of a hub on this machine too.
    """
    for number, patience_s in ((signal.SIGTERM, _KILL_AFTER_S), (signal.SIGKILL, None)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)


def _readable(said: bytes, remote: Remote) -> str:
    text = said.decode("utf-8", "replace").replace(remote.url, remote.shown)
    return _USER_INFO.sub("", " ".join(text.split()))


def _cut(text: str) -> str:
    """Beginning and end: git says first what happened, a proxy or a hook may say it last."""
    return text if len(text) <= 600 else f"{text[:400]} ... {text[-200:]}"
