"""Applying a unified diff to the tree: all of it or nothing.

Context and removed lines must stand in the file exactly; only line numbers
and counts, which models get wrong, are not believed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from unidiff import (  # type: ignore[import-untyped]  # it ships no types
    Hunk,
    PatchedFile,
    PatchSet,
    UnidiffParseError,
)

from tools.confine import clean
from tools.edit import nearby
from tools.text import is_crlf, to_crlf, to_lf
from wavecrew.errors import ToolError

_NULL = "/dev/null"
_HEADER = re.compile(r"@@(?: -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)?)?")
_UNKNOWN = 999_999_999
"""Line number of a header that gives none; the context alone says where."""
_BETWEEN = "(between files)"
"""A line of no meaning: it keeps unidiff from taking the next file for the same one."""
_SIGNATURE = re.compile(r"\d+\.\d+")


@dataclass
class FilePatch:
    """What a patch does to one file."""

    source: str
    """Clean path; "" when the file is created."""
    target: str
    """Clean path; "" when the file is deleted."""
    executable: bool | None = None
    hunks: list[PatchHunk] = field(default_factory=list)

    @property
    def changes(self) -> bool:
        return self.source != self.target or self.executable is not None or bool(self.hunks)

    @property
    def may_create(self) -> bool:
        """Whether it can be meant for a file that is not there."""
        return len(self.hunks) == 1 and not self.hunks[0].old


@dataclass
class PatchHunk:
    start: int
    """1-based line of the old file; `_UNKNOWN` when the header does not say."""
    old: list[str]
    """Lines without their ends."""
    new: list[str]
    old_open: bool
    """The last old line has no newline after it."""
    new_open: bool


def parse_patch(patch: str) -> list[FilePatch]:
    """The files of a unified diff, git's or plain. ToolError says what cannot be read."""
    recounted = _recounted(to_lf(patch) if is_crlf(patch) else patch)
    try:
        files = PatchSet.from_string(recounted)
    except (UnidiffParseError, AttributeError, TypeError, ValueError) as error:
        raise ToolError(f"the patch cannot be read: {error}") from error
    found = [made for made in map(_file, files) if made.changes]
    if not found:
        raise ToolError(
            "the patch changes no file; it needs '--- a/PATH', '+++ b/PATH' and '@@' hunks"
        )
    return found


def paths_of(patch: str) -> list[str]:
    """Every path that a patch reads or writes, for the policy."""
    return [path for file in parse_patch(patch) for path in (file.source, file.target) if path]


def patched(path: str, text: str, hunks: list[PatchHunk]) -> str:
    """The file's text after its hunks. ToolError names the hunk that does not fit."""
    if is_crlf(text):
        return to_crlf(patched(path, to_lf(text), [_without_cr(hunk) for hunk in hunks]))
    lines = text.split("\n")
    is_open = lines[-1] != ""
    """No newline after the last line."""
    if not is_open:
        lines.pop()
    result: list[str] = []
    done, drift = 0, 0
    for number, hunk in enumerate(hunks, 1):
        try:
            at = _place(lines, hunk, done, drift)
        except ToolError as error:
            raise ToolError(f"{path!r}, hunk {number}: {error}") from None
        if hunk.start != _UNKNOWN:
            drift = at - _expected(hunk)
        result += lines[done:at] + hunk.new
        done = at + len(hunk.old)
        if hunk.old_open or hunk.new_open:
            is_open = hunk.new_open
    result += lines[done:]
    return "\n".join(result) + ("" if is_open or not result else "\n")


def _without_cr(hunk: PatchHunk) -> PatchHunk:
    return replace(
        hunk,
        old=[line.removesuffix("\r") for line in hunk.old],
        new=[line.removesuffix("\r") for line in hunk.new],
    )


def _expected(hunk: PatchHunk) -> int:
    """0-based index that the header gives; a hunk without old lines stands after its line."""
    return hunk.start - 1 if hunk.old else hunk.start


def _place(lines: list[str], hunk: PatchHunk, done: int, drift: int) -> int:
    """Where the hunk fits, nearest to where its header says; never before `done`."""
    wanted = _expected(hunk) + drift
    fits = [at for at in range(done, len(lines) + 1) if _fits(lines, hunk, at)]
    if hunk.old:
        if not fits:
            raise ToolError(
                "its context and removed lines do not stand in the file"
                f"{_mismatch(lines, hunk.old)}"
            )
        if hunk.start != _UNKNOWN:
            return min(fits, key=lambda at: (abs(at - wanted), at))
    elif wanted in fits:
        return wanted
    if len(fits) == 1:
        return fits[0]
    places = ", ".join(str(at + 1) for at in fits[:10])
    raise ToolError(f"it fits at several lines ({places}); add context lines to name one")


def _fits(lines: list[str], hunk: PatchHunk, at: int) -> bool:
    end = at + len(hunk.old)
    if (hunk.old_open or hunk.new_open) and end != len(lines):
        return False
    return lines[at:end] == hunk.old


def _mismatch(lines: list[str], old: list[str]) -> str:
    missing = next((line for line in old if line.strip() and line not in lines), None)
    if missing is None:
        return ": each line does, but not together in this order"
    return f". Missing is {missing!r}{nearby(lines, [missing])}"


def _file(file: PatchedFile) -> FilePatch:
    info = "".join(file.patch_info or ())
    if file.is_binary_file:
        raise ToolError(f"{file.path!r}: binary patches cannot be applied")
    modes = re.findall(r"^(?:new file mode|new mode) (\d+)$", info, re.MULTILINE)
    if any(mode not in ("100644", "100755") for mode in modes):
        raise ToolError(f"{file.path!r}: only regular files can be made, not mode {modes[0]}")
    source, target = _path(file.source_file, "a/"), _path(file.target_file, "b/")
    if "copy from " in info:
        raise ToolError(f"{target!r}: copies cannot be applied; create the file")
    if not source and not target:
        raise ToolError("a file of the patch has no name")
    executable = modes[-1] == "100755" if modes else None
    return FilePatch(source, target, executable, [_hunk(hunk) for hunk in file])


def _path(name: str, prefix: str) -> str:
    name = name.strip()
    if name == _NULL:
        return ""
    if name.startswith('"'):
        raise ToolError(f"{name}: quoted names cannot be read; use edit_file or write_file")
    return clean(name.removeprefix(prefix))


def _hunk(hunk: Hunk) -> PatchHunk:
    old, new = [], []
    old_open = new_open = False
    latest = ""
    for line in hunk:
        text = line.value.removesuffix("\n")
        if line.line_type == "\\":
            old_open |= latest in (" ", "-")
            new_open |= latest in (" ", "+")
            continue
        latest = line.line_type or " "
        if latest in (" ", "-"):
            old.append(text)
        if latest in (" ", "+"):
            new.append(text)
    return PatchHunk(hunk.source_start, old, new, old_open, new_open)


def _recounted(patch: str) -> str:
    """The patch with counts in hunk headers that agree with the hunks' lines."""
    lines = patch.removesuffix("\n").split("\n")
    result: list[str] = []
    index, after_hunk = 0, False
    while index < len(lines):
        header = _HEADER.match(lines[index])
        if header is None:
            if after_hunk and lines[index].startswith("--- "):
                result.append(_BETWEEN)
            if lines[index]:
                result.append(lines[index])
                after_hunk = False
            index += 1
            continue
        body = _body(lines, index + 1)
        old = sum(line[0] in " -" for line in body)
        new = sum(line[0] in " +" for line in body)
        start, target = header[1] or _UNKNOWN, header[2] or _UNKNOWN
        result += [f"@@ -{start},{old} +{target},{new} @@", *body]
        after_hunk = True
        index += 1 + len(body)
    return "\n".join(result) + "\n"


def _body(lines: list[str], start: int) -> list[str]:
    """The hunk's lines from `start`; an empty line inside is context whose space got lost."""
    end = start
    while end < len(lines) and lines[end][:1] in (" ", "+", "-", "\\", ""):
        if _starts_file(lines, end) or _is_signature(lines, end):
            break
        end += 1
    while end > start and not lines[end - 1]:
        end -= 1
    return [line or " " for line in lines[start:end]]


def _starts_file(lines: list[str], index: int) -> bool:
    following = [*lines[index + 1 : index + 3], "", ""]
    return (
        lines[index].startswith("--- ")
        and following[0].startswith("+++ ")
        and following[1].startswith("@@")
    )


def _is_signature(lines: list[str], index: int) -> bool:
    """The `-- ` and version that git format-patch puts last."""
    rest = [line for line in lines[index + 1 :] if line]
    return lines[index] == "-- " and len(rest) == 1 and bool(_SIGNATURE.match(rest[0]))
