"""Trees and blobs of many commits, read by one git process.

The mirror starts a process for every question, which is right for a question
and wrong for hundreds. Here one `cat-file` answers them all; trees are kept, so
that folders which commits share are read once.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Literal, Self

from wavecrew.errors import GitFailed
from wavecrew.workspace.git import Git, object_id
from wavecrew.workspace.model import Change

PATIENCE_S = 60.0
"""How long a reader may live; a git that hangs is ended then."""
_AT_ONCE = 200
"""Questions written before the first answer is read; so many fit into a pipe."""
_SMALL = 20_000
_MOST_KEPT = 2_000
"""Blobs of up to `_SMALL` bytes, which many merges share."""
_REGULAR = ("100644", "100755")
_NOTHING = ("000000", "")

Entry = tuple[str, str]
"""Six octal digits of a mode, object id."""


class ObjectReader:
    """Reads until it is closed. For one thread. GitFailed when an object is missing."""

    def __init__(self, git: Git) -> None:
        self._git = git
        self._process = git.talk("cat-file", "--batch-command")
        self._timer = threading.Timer(PATIENCE_S, self._process.kill)
        self._timer.daemon = True
        self._timer.start()
        self._trees: dict[str, str] = {}
        self._folders: dict[str, Mapping[str, Entry]] = {}
        self._files: dict[str, Mapping[str, Entry]] = {}
        self._blobs: dict[str, bytes] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._process.kill()
        self._process.communicate()

    def kind(self, name: str) -> str:
        """`commit`, `tree`, `blob` or `tag`."""
        return next(self._asked("info", [name]))[0]

    def tree_of(self, treeish: str) -> str:
        """The tree of a commit; a tree is its own."""
        if treeish not in self._trees:
            self.look_ahead([treeish])
        return self._trees[treeish]

    def look_ahead(self, treeishes: Iterable[str]) -> None:
        """Read commits and trees that will be asked for, all in one go."""
        wanted = [name for name in dict.fromkeys(treeishes) if name not in self._trees]
        for name, (kind, _, content) in zip(wanted, self._asked("contents", wanted), strict=True):
            if kind == "commit":
                self._trees[name] = content[5 : content.index(b"\n")].decode()
            elif kind == "tree":
                self._trees[name] = name
                self._folders[name] = _parsed(content, len(name) // 2)
            else:
                raise GitFailed(f"{name} is a {kind}, not a tree")

    def files(self, treeish: str) -> Mapping[str, Entry]:
        """path -> entry, of all files and links."""
        tree = self.tree_of(treeish)
        if tree not in self._files:
            self._files[tree] = dict(self._walk(tree))
        return self._files[tree]

    def blobs(self, ids: Iterable[str], largest: int | None = None) -> dict[str, bytes]:
        """Contents by id; blobs of more than `largest` bytes are left out, unread."""
        named = dict.fromkeys(ids)
        found = {name: self._blobs[name] for name in named if name in self._blobs}
        wanted = [name for name in named if name not in found]
        if largest is not None:
            sizes = zip(wanted, self._asked("info", wanted), strict=True)
            wanted = [name for name, (_, size, _) in sizes if size <= largest]
        for name, (_, size, content) in zip(wanted, self._asked("contents", wanted), strict=True):
            found[name] = content
            if size <= _SMALL and len(self._blobs) < _MOST_KEPT:
                self._blobs[name] = content
        return found

    # what convergence drivers read with

    def ls(self, treeish: str, prefix: str = "") -> tuple[str, ...]:
        paths = self.files(treeish)
        inside = f"{prefix.rstrip('/')}/"
        return tuple(p for p in paths if not prefix or p == prefix or p.startswith(inside))

    def read(self, treeish: str, path: str) -> bytes | None:
        return self.read_all(treeish, (path,)).get(path)

    def read_all(self, treeish: str, paths: Iterable[str]) -> dict[str, bytes]:
        files = self.files(treeish)
        found = {path: files.get(path, _NOTHING) for path in paths}
        ids = {path: blob for path, (mode, blob) in found.items() if mode in _REGULAR}
        contents = self.blobs(ids.values())
        return {path: contents[blob] for path, blob in ids.items()}

    def changes(self, base: str, tree: str) -> tuple[Change, ...]:
        """As `Mirror.changes`: every path that differs, ordered by path bytes."""
        found: list[Change] = []
        pending = [("", self.tree_of(base), self.tree_of(tree))]
        while pending:
            prefix, old_id, new_id = pending.pop()
            old, new = (self._folder(name) if name else {} for name in (old_id, new_id))
            for name in old.keys() | new.keys():
                before, after = old.get(name, _NOTHING), new.get(name, _NOTHING)
                if before == after:
                    continue
                folders = [blob if mode == "040000" else "" for mode, blob in (before, after)]
                if any(folders):
                    pending.append((f"{prefix}{name}/", folders[0], folders[1]))
                change = _change(prefix + name, before[0], after[0])
                if change:
                    found.append(change)
        return tuple(sorted(found, key=lambda change: os.fsencode(change.path)))

    def _walk(self, tree: str) -> Iterator[tuple[str, Entry]]:
        """Ordered by path bytes, as trees are: git sorts a folder as if its name ended in `/`."""
        pending: list[tuple[str, Entry]] = [("", ("040000", tree))]
        while pending:
            path, entry = pending.pop()
            if entry[0] != "040000":
                yield path, entry
                continue
            prefix = f"{path}/" if path else ""
            inside = tuple(self._folder(entry[1]).items())
            pending += [(prefix + name, inner) for name, inner in reversed(inside)]

    def _folder(self, tree: str) -> Mapping[str, Entry]:
        if tree not in self._folders:
            self.tree_of(tree)
        return self._folders[tree]

    def _asked(self, question: str, names: list[str]) -> Iterator[tuple[str, int, bytes]]:
        """(kind, size, content) for each name, in order; `info` has no content."""
        for start in range(0, len(names), _AT_ONCE):
            chunk = names[start : start + _AT_ONCE]
            asked = "".join(f"{question} {object_id(name)}\n" for name in chunk)
            to, answers = self._pipes()
            try:
                to.write(asked.encode())
                to.flush()
            except OSError as error:
                raise self._lost() from error
            yield from [self._answer(answers, question) for _ in chunk]

    def _answer(self, answers: IO[bytes], question: str) -> tuple[str, int, bytes]:
        words = answers.readline().decode().split()
        if not words:
            raise self._lost()
        if len(words) != 3:
            raise GitFailed(f"the object {words[0]} is missing", where=str(self._git.git_dir))
        kind, size = words[1], int(words[2])
        if question == "info":
            return kind, size, b""
        content = answers.read(size + 1)
        if len(content) != size + 1:
            raise self._lost()
        return kind, size, content[:-1]

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        assert self._process.stdin
        assert self._process.stdout
        return self._process.stdin, self._process.stdout

    def _lost(self) -> GitFailed:
        return GitFailed(
            "git 'cat-file' ended before its last answer", where=str(self._git.git_dir)
        )


def _parsed(content: bytes, id_bytes: int) -> dict[str, Entry]:
    """The entries of a tree object, as git stores it."""
    found: dict[str, Entry] = {}
    at = 0
    while at < len(content):
        space = content.index(b" ", at)
        end = content.index(b"\0", space)
        name = content[space + 1 : end].decode("utf-8", "surrogateescape")
        mode = content[at:space].decode().rjust(6, "0")
        at = end + 1 + id_bytes
        found[name] = (mode, content[end + 1 : at].hex())
    return found


def _change(path: str, old: str, new: str) -> Change | None:
    """None when only folders differ, whose entries are looked at by themselves."""
    old, new = (mode if mode != "040000" else "000000" for mode in (old, new))
    if old == new == "000000":
        return None
    status: Literal["A", "M", "D", "T"]
    if old == "000000":
        status = "A"
    elif new == "000000":
        status = "D"
    else:
        status = "M" if old[:3] == new[:3] else "T"
    return Change(path, status, new, old)
