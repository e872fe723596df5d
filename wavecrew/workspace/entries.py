"""Which entries may stand in a tree that came out of a workspace.

Judged entry by entry against the base, on object data alone. Git's own strict
check runs before; this adds what git accepts and we must not: gitlinks,
submodule files, links that lead out of the tree, names that another system
reads as `.git`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from wavecrew.workspace.model import Change, EntryFinding

LONGEST_PATH = 1000
LONGEST_NAME = 255
LARGEST_FILE = 50_000_000
"""Bytes of one changed file; more belongs into no source branch."""
_MODES = {"100644", "100755", "120000"}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SHORT_NAME = re.compile(r"\.?git(?:mod)?[a-z0-9]*~\d+\Z")


def judge(change: Change, content: bytes | None, size: int) -> Iterable[EntryFinding]:
    """What is wrong with one changed entry; `content` is needed for links only."""
    reason = _name_reason(change.path) or _git_file_reason(change)
    if reason is None and change.status != "D":
        reason = _mode_reason(change.mode)
        if reason is None and change.mode == "120000":
            reason = _link_reason(change.path, content or b"")
        if reason is None and size > LARGEST_FILE:
            reason = f"the file has {size} bytes; more than {LARGEST_FILE} may not be committed"
    if reason is not None:
        yield EntryFinding(change.path, reason)
    elif change.path.rsplit("/", 1)[-1] == ".gitattributes":
        yield EntryFinding(
            change.path,
            "changes how git treats files; a reviewer should look at it",
            forbidden=False,
        )


def _name_reason(path: str) -> str | None:
    try:
        raw = path.encode("utf-8")
    except UnicodeEncodeError:
        return "the name is not UTF-8; rename the file"
    if len(raw) > LONGEST_PATH:
        return f"the path is longer than {LONGEST_PATH} bytes"
    if _CONTROL.search(path):
        return "the name holds a control character; rename the file"
    for name in path.split("/"):
        if name in ("", ".", ".."):
            return "the path has an empty or a dot component"
        if len(name.encode()) > LONGEST_NAME:
            return f"a name in the path is longer than {LONGEST_NAME} bytes"
        if "\\" in name:
            return "the name holds a backslash, which is a separator on other systems"
        if _folded(name) == ".git" or _SHORT_NAME.match(_folded(name)):
            return "the name is, or on some systems reads as, '.git'"
    return None


def _git_file_reason(change: Change) -> str | None:
    if any(_folded(name) == ".gitmodules" for name in change.path.split("/")):
        return "submodules may not be added, changed or removed by an agent"
    return None


def _mode_reason(mode: str) -> str | None:
    if mode == "160000":
        return "a repository inside the repository (a gitlink) may not be committed"
    if mode not in _MODES:
        return f"the mode {mode} is neither a file nor a link"
    return None


def _link_reason(path: str, content: bytes) -> str | None:
    """Leading `..` are counted from the link's own folder; a later `..` could follow a link."""
    try:
        target = content.decode("utf-8")
    except UnicodeDecodeError:
        return "the link's target is not UTF-8"
    if not target or _CONTROL.search(target) or len(target) > LONGEST_PATH:
        return "the link's target is empty, too long or holds a control character"
    if target.startswith("/") or "\\" in target or re.match(r"[A-Za-z]:", target):
        return f"the link leads to {target!r}, outside of the tree; use a relative target"
    parts = [part for part in target.split("/") if part not in ("", ".")]
    up = 0
    while up < len(parts) and parts[up] == "..":
        up += 1
    if up > path.count("/") or ".." in parts[up:]:
        return f"the link leads to {target!r}, out of the tree; keep it inside"
    if any(_folded(part) == ".git" for part in parts):
        return f"the link leads to {target!r}, into git's own files"
    return None


def _folded(name: str) -> str:
    """As the least careful file system compares names."""
    normal = unicodedata.normalize("NFKC", name.split(":", 1)[0])
    visible = "".join(letter for letter in normal if unicodedata.category(letter) != "Cf")
    return visible.casefold().rstrip(" .")
