"""Reading, listing, writing, moving and deleting files of the tree."""

from __future__ import annotations

from collections.abc import Iterator

from tools.context import ToolContext
from tools.ignore import Ignored
from tools.output import page
from tools.spec import TreePath, tool
from tools.text import as_text
from tools.tree import Entry
from wavecrew.errors import ToolError

_MOST_ENTRIES = 2000
_LONGEST_LINE = 2000
_NOTE = 300
_DEEPEST = 20


@tool()
def read_file(context: ToolContext, path: TreePath, start: int = 1, end: int = 0) -> str:
    """Read a text file, each line as NUMBER|TEXT.

    What stands after the first '|' is the line exactly as it is in the file.

    Args:
        path: The file, relative to the tree's root.
        start: First line to show, 1-based.
        end: Last line to show; 0 shows as many as fit.
    """
    text = as_text(path, context.tree.read(path).data)
    if not text:
        return f"{path} is empty"
    crlf = "\r\n" in text
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    if not 1 <= start <= len(lines):
        raise ToolError(f"start={start} is outside of {path!r}: it has {len(lines)} lines")
    if end and end < start:
        raise ToolError(f"end={end} comes before start={start}")
    shown = [f"{number}|{_cut(line)}" for number, line in enumerate(lines, 1)]
    last = page(shown, start, end, context.outputs.budget - _NOTE)
    head = f"{path}, {_count(len(lines), 'line')}{', line ends CRLF' if crlf else ''}"
    notes = [] if text.endswith("\n") else ["[no newline at the end]"] if last == len(lines) else []
    if last < len(lines) and last != end:
        rest = f"read_file(path={path!r}, start={last + 1}) goes on"
        notes = [f"[lines {start} to {last} of {len(lines)}; {rest}]"]
    return "\n".join([head, *shown[start - 1 : last], *notes])


def _cut(line: str) -> str:
    if len(line) <= _LONGEST_LINE:
        return line
    return f"{line[:_LONGEST_LINE]}[... {len(line) - _LONGEST_LINE} more characters in this line]"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@tool()
def list_files(context: ToolContext, path: TreePath = ".", depth: int = 2) -> str:
    """List files and folders, one path a line; folders end in '/'. What .gitignore names is hidden.

    Args:
        path: The folder to list.
        depth: How many levels to show; a folder below them is shown with '...'.
    """
    if not 1 <= depth <= _DEEPEST:
        raise ToolError(f"depth must be 1 to {_DEEPEST}, not {depth}")
    lines: list[str] = []
    for entry, level in walk(context, path, depth):
        if len(lines) == _MOST_ENTRIES:
            lines.append(f"[more than {_MOST_ENTRIES} entries; list a folder below]")
            break
        lines.append(_line(entry, level == depth))
    return "\n".join(lines) or f"{path} holds no files"


def _line(entry: Entry, at_limit: bool) -> str:
    if entry.kind == "folder":
        return f"{entry.path}/{' ...' if at_limit else ''}"
    if entry.kind == "link":
        return f"{entry.path} -> {entry.target}"
    return entry.path if entry.kind == "file" else f"{entry.path} (not a regular file)"


def walk(context: ToolContext, path: str, depth: int) -> Iterator[tuple[Entry, int]]:
    """The entries beneath a folder that git does not ignore, with their level, parents first."""
    ignored = Ignored(context.tree).below(path)
    waiting = [(entry, 1, ignored) for entry in reversed(context.tree.entries(path))]
    while waiting:
        entry, level, rules = waiting.pop()
        if rules.hides(entry):
            continue
        yield entry, level
        if entry.kind == "folder" and level < depth:
            inner = rules.entering(entry.path)
            try:
                below = context.tree.entries(entry.path)
            except ToolError:
                continue  # gone or unreadable meanwhile: commands may be changing the tree
            waiting += [(child, level + 1, inner) for child in reversed(below)]


@tool(mutates=True)
def write_file(context: ToolContext, path: TreePath, content: str) -> str:
    """Create a file or replace the whole of it; missing folders are made.

    Args:
        path: The file, relative to the tree's root.
        content: The whole text of the file.
    """
    existed = context.tree.stat(path) is not None
    context.tree.write(path, encoded(content))
    lines = content.count("\n") + (not content.endswith("\n") and bool(content))
    return f"{'replaced' if existed else 'created'} {path} ({_count(lines, 'line')})"


def encoded(text: str) -> bytes:
    """UTF-8; ToolError for unpaired surrogates."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ToolError(f"the text is not valid Unicode at character {error.start}") from None


@tool(mutates=True)
def move_file(context: ToolContext, source: TreePath, target: TreePath) -> str:
    """Move or rename a file; a target that exists is never replaced.

    Args:
        source: The file to move.
        target: Its new path, file name included.
    """
    context.tree.move(source, target)
    return f"moved {source} to {target}"


@tool(mutates=True)
def delete_file(context: ToolContext, path: TreePath) -> str:
    """Delete a file.

    Args:
        path: The file, relative to the tree's root.
    """
    context.tree.delete(path)
    return f"deleted {path}"
