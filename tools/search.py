"""Finding text in the tree: ripgrep inside the sandbox, else Python's `re`, also inside it.

The tree and the pattern are an agent's, so both engines run where they can be
ended: the sandbox bounds their time, memory and output.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace

from pathspec import GitIgnoreSpec

from tools.context import ToolContext
from tools.files import walk
from tools.output import plain
from tools.spec import TreePath, tool
from wavecrew.errors import ToolError
from wavecrew.sandbox.model import Finished

_WALL_S = 20
_MOST = 500
_DEEPEST = 64
_MOST_FILES = 50_000
_LONGEST = 300
"""Characters shown of a matching line."""
_ABSENT = 127

_PYTHON = r"""
import os, re, sys
try:
    pattern = re.compile(sys.argv[1])
except re.error as error:
    print("not a regular expression: %s" % error, file=sys.stderr)
    sys.exit(2)
left = int(sys.argv[2])
for name in sys.stdin.buffer.read().split(b"\0"):
    try:
        with open(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            data = file.read(8000000)
    except OSError:
        continue
    if b"\0" in data[:8000]:
        continue
    for number, line in enumerate(data.decode("utf-8", "replace").split("\n"), 1):
        if pattern.search(line):
            sys.stdout.buffer.write(b"%s\0%d:%s\n" % (name, number, line.encode()))
            left -= 1
            if not left:
                sys.exit()
"""


@tool()
def search(
    context: ToolContext, pattern: str, path: TreePath = ".", glob: str = "", max_results: int = 50
) -> str:
    """Find lines that match a regular expression, as PATH:LINE:TEXT. Ignored files are left out.

    Args:
        pattern: The regular expression, matched line by line, case-sensitive unless it has (?i).
        path: The file or folder to search.
        glob: Only files whose path matches this, such as *.py or tests/**; empty: all.
        max_results: How many lines to show, at most 500.
    """
    if not pattern or "\0" in pattern + glob or "\n" in pattern:
        raise ToolError("the pattern must be one line and not empty")
    if not 1 <= max_results <= _MOST:
        raise ToolError(f"max_results must be 1 to {_MOST}, not {max_results}")
    if path != "." and context.tree.stat(path) is None:
        context.tree.read(path)
    wanted = Wanted(pattern, path, glob, max_results + 1)
    finished = _ripgrep(context, wanted)
    if finished.exit_code == _ABSENT:
        finished = _python(context, wanted)
    return _told(finished, max_results)


@dataclass(frozen=True)
class Wanted:
    pattern: str
    path: str
    glob: str
    lines: int


def _ripgrep(context: ToolContext, wanted: Wanted) -> Finished:
    words = [
        *("rg", "--no-config", "--no-heading", "--with-filename", "--line-number", "--null"),
        *("--color=never", "--hidden", "--no-require-git", "--no-ignore-global", "--sort=path"),
        "--glob=!.git",
        *([f"--glob={wanted.glob}"] if wanted.glob else []),
        *("-e", wanted.pattern, "--", wanted.path if wanted.path == "." else f"./{wanted.path}"),
    ]
    # The pipe ends ripgrep after enough lines; its own exit code goes last to stderr.
    shell = (
        f"command -v rg >/dev/null || exit {_ABSENT}\n"
        f"{{ {shlex.join(words)}; echo $? >&2; }} | head -n {wanted.lines}"
    )
    return _run(context, shell)


def _python(context: ToolContext, wanted: Wanted) -> Finished:
    names = "\0".join(_candidates(context, wanted))
    shell = shlex.join(["python3", "-I", "-c", _PYTHON, wanted.pattern, str(wanted.lines)])
    return _run(context, f"{shell}; echo $? >&2", stdin=names.encode())


def _candidates(context: ToolContext, wanted: Wanted) -> list[str]:
    seen = context.tree.stat(wanted.path) if wanted.path != "." else None
    if seen is not None and not seen.st_mode & 0o040000:
        return [wanted.path]
    spec = GitIgnoreSpec.from_lines([wanted.glob] if wanted.glob else ["*"])
    names: list[str] = []
    for entry, _ in walk(context, wanted.path, _DEEPEST):
        if entry.kind == "file" and spec.match_file(entry.path):
            names.append(entry.path)
        if len(names) == _MOST_FILES:
            break
    return names


def _run(context: ToolContext, shell: str, stdin: bytes = b"") -> Finished:
    caps = replace(context.caps(_WALL_S), output_bytes=4_000_000)
    command = context.workspace.command(shell, caps, {})
    return context.run(replace(command, stdin=stdin, merge_stderr=False))


def _told(finished: Finished, most: int) -> str:
    if finished.killed_by:
        raise ToolError(
            f"the search was ended ({finished.killed_by} limit); "
            "search a smaller folder or a simpler pattern"
        )
    said, _, code = finished.stderr.decode(errors="replace").strip().rpartition("\n")
    lines = finished.stdout.decode(errors="replace").split("\n")[:-1]
    if not lines and code not in ("0", "1", "141"):
        raise ToolError(f"the search failed: {plain(said or code).strip()}")
    shown = [_line(line) for line in lines[:most]]
    if len(lines) > most:
        shown.append(f"[more than {most} lines match; narrow the pattern, the path or the glob]")
    return "\n".join(shown) or "no line matches"


def _line(line: str) -> str:
    """From ripgrep's PATH NUL LINE:TEXT."""
    path, _, rest = line.partition("\0")
    number, _, text = rest.partition(":")
    cut = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}[...]"
    return f"{path.removeprefix('./')}:{number}:{cut}"
