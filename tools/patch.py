"""Applying a unified diff to the tree: all of it or nothing.

Context and removed lines must stand in the file exactly; only line numbers
and counts, which models get wrong, are not believed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from unidiff import Hunk, PatchedFile, PatchSet
from unidiff.errors import UnidiffParseError

from tools.confine import clean
from tools.edit import nearby
from tools.text import is_crlf, to_crlf, to_lf
from wavecrew.errors import ToolError

_NULL = "/dev/null"
_HEADER = re.compile(r"@@(?: -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)?)?(?: .*?)?(?: ?@@(.*))?")
_UNKNOWN = 0
"""Line number of a header that gives none; the context alone says where."""
_NO_NEWLINE = "\\ No newline at end of file"


@dataclass
class FilePatch:
    """What a patch does to one file."""

    source: str
    """Clean path; "" when the file is created."""
    target: str
    """Clean path; "" when the file is deleted."""
    executable: bool | None = None
    hunks: list[PatchHunk] = field(default_factory=list)


@dataclass
class PatchHunk:
    start: int
    """1-based line of the old file; 0 when the header does not say."""
    old: list[str]
    """Lines without their ends."""
    new: list[str]
    old_open: bool
    """The last old line has no newline after it."""
    new_open: bool


def parse_patch(patch: str) -> list[FilePatch]:
    """The files of a unified diff, git's or plain. ToolError says what cannot be read."""
    recounted = _recounted(to_lf(patch))
    try:
        files = PatchSet.from_string(recounted)
    except (UnidiffParseError, AttributeError, TypeError, ValueError) as error:
        raise ToolError(f"the patch cannot be read: {error}") from error
    if not files:
        raise ToolError("the patch names no file; it needs '--- a/PATH', '+++ b/PATH' and hunks")
    return [_file(file) for file in files]


def paths_of(patch: str) -> list[str]:
    """Every path that a patch reads or writes, for the policy."""
    return [path for file in parse_patch(patch) for path in (file.source, file.target) if path]


def patched(path: str, text: str, file: FilePatch) -> str:
    """The file's text after its hunks. ToolError names the hunk that does not fit."""
    if is_crlf(text):
        return to_crlf(patched(path, to_lf(text), file))
    lines = text.split("\n")
    is_open = lines[-1] != ""
    if not is_open:
        lines.pop()
    result: list[str] = []
    done, drift = 0, 0
    for number, hunk in enumerate(file.hunks, 1):
        at = _find(path, lines, hunk, number, done, drift)
        if hunk.start != _UNKNOWN:
            drift = at - _expected(hunk)
        result += lines[done:at] + hunk.new
        done = at + len(hunk.old)
        if done == len(lines):
            is_open = hunk.new_open if hunk.new else bool(result) and is_open and not hunk.old
    result += lines[done:]
    return "\n".join(result) + ("" if is_open or not result else "\n")


def _expected(hunk: PatchHunk) -> int:
    """0-based index that the header gives; a hunk without old lines stands after its line."""
    return hunk.start - 1 if hunk.old else hunk.start


def _find(
    path: str, lines: list[str], hunk: PatchHunk, number: int, done: int, drift: int
) -> int:
    size = len(hunk.old)
    fits = [
        at
        for at in range(done, len(lines) - size + 1)
        if lines[at : at + size] == hunk.old
        and (not hunk.old_open or at + size == len(lines))
    ] if hunk.old else []
    if not hunk.old:
        if hunk.start == _UNKNOWN and lines:
            raise ToolError(f"{path!r}, hunk {number}: it has no context, so its place is unknown")
        return max(done, min(_expected(hunk) + drift, len(lines)))
    if not fits:
        raise ToolError(
            f"{path!r}, hunk {number}: its context and removed lines do not stand in the file"
            f"{_mismatch(lines[done:], hunk.old, done)}"
        )
    if hunk.start == _UNKNOWN:
        if len(fits) > 1:
            places = ", ".join(str(at + 1) for at in fits[:10])
            raise ToolError(f"{path!r}, hunk {number}: it fits at lines {places}; add context")
        return fits[0]
    wanted = _expected(hunk) + drift
    return min(fits, key=lambda at: (abs(at - wanted), at))


def _mismatch(lines: list[str], old: list[str], skipped: int) -> str:
    padded = [""] * skipped + lines
    missing = next((line for line in old if line.strip() and line not in lines), None)
    if missing is None:
        return ": each line does, but not together in this order"
    return f". Missing is {missing!r}{nearby(padded, [missing])}"


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
    index = 0
    while index < len(lines):
        header = _HEADER.fullmatch(lines[index])
        if header is None:
            result.append(lines[index])
            index += 1
            continue
        body = _body(lines, index + 1)
        old = sum(line[0] in " -" for line in body)
        new = sum(line[0] in " +" for line in body)
        start, target = header[1] or _UNKNOWN, header[2] or _UNKNOWN
        result += [f"@@ -{start},{old} +{target},{new} @@", *body]
        index += 1 + len(body)
    return "\n".join(result) + "\n"


def _body(lines: list[str], start: int) -> list[str]:
    """The hunk's lines from `start`; an empty line inside is context whose space got lost."""
    body: list[str] = []
    for index in range(start, len(lines)):
        line = lines[index]
        if line[:1] not in (" ", "+", "-", "\\", "") or _starts_file(lines, index):
            break
        body.append(line or " ")
    while body and body[-1] == " " and not lines[start + len(body) - 1]:
        body.pop()
    return body


def _starts_file(lines: list[str], index: int) -> bool:
    following = [*lines[index + 1 : index + 3], "", ""]
    return (
        lines[index].startswith("--- ")
        and following[0].startswith("+++ ")
        and (_HEADER.fullmatch(following[1]) is not None)
    )
