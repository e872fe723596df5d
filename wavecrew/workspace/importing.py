"""How objects from a workspace enter the mirror: unpacked apart, judged, and only then moved in.

Whatever a sandboxed git wrote is bytes from an agent. Git's strict unpacking
checks every object; `entries.py` judges every entry; a tree that fails leaves
nothing behind.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from wavecrew.errors import GitFailed
from wavecrew.workspace import entries
from wavecrew.workspace.git import Git, object_id
from wavecrew.workspace.model import Change, EntryFinding, TreeRejected

LARGEST_PACK = 512 * 1024 * 1024
MOST_FINDINGS = 50


def import_pack(git: Git, pack: Path, tree: str, base: str | None) -> tuple[EntryFinding, ...]:
    """See `Mirror.import_pack`."""
    own = git.git_dir / "objects"
    with tempfile.TemporaryDirectory(dir=git.git_dir, prefix="incoming-") as scratch:
        copy, store = Path(scratch) / "pack", Path(scratch) / "objects"
        store.mkdir()
        _copy_plain(pack, copy)
        apart = replace(git, objects=store, alternates=(own, *git.alternates))
        limit = f"--max-input-size={LARGEST_PACK}"
        ended = apart.call("unpack-objects", "--strict", "-q", limit, stdin=copy, timeout_s=600)
        if ended.code != 0:
            said = ended.stderr.decode("utf-8", "replace").strip()[-400:]
            raise _rejected(f"git refuses the objects: {said}")
        if apart.run("cat-file", "-t", tree, check=False).strip() != b"tree":
            raise _rejected(f"the pack does not hold the tree {tree}")
        notes = _judge(apart, base, tree)
        _move_in(store, own)
    return notes


def raw_changes(git: Git, base: str | None, tree: str) -> Iterator[tuple[Change, str]]:
    """Each changed entry with the id of its new object; without a base, every entry."""
    if base is None:
        listed = git.run("ls-tree", "-r", "-z", "--full-tree", object_id(tree))
        for entry in listed.split(b"\0")[:-1]:
            head, name = entry.split(b"\t", 1)
            mode, _, blob = head.decode().split(" ")
            yield Change(_text(name), "A", mode, "000000"), blob
        return
    args = ("diff-tree", "-r", "-z", "--no-renames", "--no-abbrev", "--raw")
    listed = git.run(*args, object_id(base), object_id(tree))
    fields = iter(listed.split(b"\0")[:-1])
    for raw in fields:
        old_mode, mode, _, blob, status = raw.decode().lstrip(":").split(" ")
        # mypy: git writes one of four letters here, as renames are off
        yield Change(_text(next(fields)), status, mode, old_mode), blob  # type: ignore[arg-type]


def blobs(git: Git, ids: Iterable[str]) -> list[bytes]:
    """Contents of blobs, in order, from one process. GitFailed when one is missing."""
    wanted = list(ids)
    if not wanted:
        return []
    asked = "".join(f"{object_id(blob)}\n" for blob in wanted)
    answer = git.run("cat-file", "--batch", stdin=asked.encode())
    contents: list[bytes] = []
    at = 0
    for blob in wanted:
        end = answer.index(b"\n", at)
        words = answer[at:end].split(b" ")
        if len(words) != 3 or words[1] != b"blob":
            raise GitFailed(f"the blob {blob} is missing", where=str(git.git_dir))
        size = int(words[2])
        contents.append(answer[end + 1 : end + 1 + size])
        at = end + 2 + size
    return contents


def _judge(git: Git, base: str | None, tree: str) -> tuple[EntryFinding, ...]:
    changed = list(raw_changes(git, base, tree))
    sizes = _sizes(git, (blob for change, blob in changed if change.mode.startswith("1")))
    links = [blob for change, blob in changed if _is_short_link(change, sizes.get(blob, 0))]
    targets = dict(zip(links, blobs(git, links), strict=True))
    findings: list[EntryFinding] = []
    for change, blob in changed:
        findings += entries.judge(change, targets.get(blob), sizes.get(blob, 0))
    if forbidden := tuple(finding for finding in findings if finding.forbidden):
        raise TreeRejected(forbidden[:MOST_FINDINGS])
    return tuple(findings)


def _is_short_link(change: Change, size: int) -> bool:
    """A longer target is judged like an empty one: refused."""
    return change.mode == "120000" and size <= 4096


def _sizes(git: Git, ids: Iterable[str]) -> dict[str, int]:
    asked = "".join(f"{blob}\n" for blob in ids)
    lines = git.run("cat-file", "--batch-check", stdin=asked.encode()).decode().splitlines()
    words = [line.split(" ") for line in lines]
    return {word[0]: int(word[2]) for word in words if len(word) == 3 and word[1] == "blob"}


def _copy_plain(source: Path, target: Path) -> None:
    """Copy a regular file of bounded size; never follow a link an agent left in its place."""
    try:
        handle = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _rejected(f"the pack cannot be read: {error.strerror}") from error
    with os.fdopen(handle, "rb") as file, target.open("wb") as copy:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST_PACK:
            raise _rejected(f"the pack is no plain file of at most {LARGEST_PACK} bytes")
        shutil.copyfileobj(file, copy)


def _move_in(store: Path, own: Path) -> None:
    """Every new object by one rename; one that is there already is the same."""
    for folder in sorted(store.iterdir()):
        (own / folder.name).mkdir(exist_ok=True)
        for file in folder.iterdir():
            os.replace(file, own / folder.name / file.name)


def _rejected(message: str) -> TreeRejected:
    return TreeRejected((EntryFinding("", message),))


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
