"""What an agent sees of a long output, and how it reads the rest.

A result longer than the budget is kept whole in a file of the attempt; the
agent gets its head and tail and the exact call that shows what lies between.
"""

from __future__ import annotations

import re
from pathlib import Path

from tools.nearest import did_you_mean
from wavecrew.errors import ToolError

_LINE = 2000
"""Characters after which a line of an output is folded, so that ranges of lines stay small."""
_NOTE = 300
"""Characters of the budget left for the lines that say what was cut."""
_KEEP = 4_000_000
"""Characters of one output that are kept at all."""
_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|\Z)"  # OSC, DCS, SOS, PM, APC with their text
    r"|\x1b[ -/]*[0-~]?",
    re.DOTALL,
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def plain(text: str) -> str:
    """Without escape sequences and control characters; a line rewritten by CR ends as it ended."""
    text = _ESCAPES.sub("", text).replace("\r\n", "\n")
    if "\r" in text:
        text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return _CONTROLS.sub("", text)


def page(lines: list[str], start: int, end: int, budget: int) -> int:
    """The last line (1-based) of a page that starts at `start` and fits `budget` characters.

    `end` 0 means as far as it goes; at least one line is always shown.
    """
    last = min(end or len(lines), len(lines))
    used = 0
    for number in range(start, last + 1):
        used += len(lines[number - 1]) + 1
        if used > budget and number > start:
            return number - 1
    return last


class Outputs:
    """The long outputs of one attempt, as files in `folder`, so that they outlive a resume."""

    def __init__(self, folder: Path, limit_kb: int) -> None:
        self.folder = folder
        self.budget = limit_kb * 1024
        """Characters a result may have."""

    def show(self, text: str, name: str) -> str:
        """The text itself when it fits, else head and tail and how to read the rest."""
        return self.cut(plain(text), name, self.budget)

    def cut(self, text: str, name: str, budget: int) -> str:
        """As `show`, for a part of a result that has `budget` characters; `text` is plain."""
        if len(text) <= budget:
            return text
        lines = _folded(text[:_KEEP])
        kept = self._keep(lines, name)
        room = max(budget - _NOTE, budget // 2)
        head = page(lines, 1, 0, room * 2 // 5)
        tail, used = len(lines), 0
        while tail > head + 1 and used + len(lines[tail - 1]) < room * 3 // 5:
            used += len(lines[tail - 1]) + 1
            tail -= 1
        note = (
            f"[... lines {head + 1} to {tail} of {len(lines)} left out; "
            f"read_output(name={kept!r}, start={head + 1}) shows them ...]"
        )
        return "\n".join([*lines[:head], note, *lines[tail:]])

    def read(self, name: str, start: int, end: int) -> str:
        """Lines `start` to `end`, cut to a page."""
        if name not in self.names():
            known = ", ".join(self.names()) or "none so far"
            raise ToolError(
                f"there is no output {name!r}{did_you_mean(name, self.names())} Kept are: {known}"
            )
        lines = (self.folder / f"{name}.txt").read_text(encoding="utf-8").split("\n")
        if not 1 <= start <= len(lines):
            raise ToolError(f"start={start} is outside of the output: it has {len(lines)} lines")
        if end and end < start:
            raise ToolError(f"end={end} comes before start={start}")
        last = page(lines, start, end, self.budget - _NOTE)
        rest = (
            f"; read_output(name={name!r}, start={last + 1}) goes on" if last < len(lines) else ""
        )
        return "\n".join(
            [*lines[start - 1 : last], f"[lines {start} to {last} of {len(lines)}{rest}]"]
        )

    def names(self) -> list[str]:
        """Of the outputs kept so far, oldest first."""
        if not self.folder.is_dir():
            return []
        found = [file.stem for file in self.folder.glob("*.txt")]
        return sorted(found, key=lambda name: int(name.rpartition("-")[2]))

    def _keep(self, lines: list[str], name: str) -> str:
        self.folder.mkdir(parents=True, exist_ok=True)
        kept = f"{name}-{len(self.names()) + 1}"
        (self.folder / f"{kept}.txt").write_text("\n".join(lines), encoding="utf-8")
        return kept


def _folded(text: str) -> list[str]:
    folded: list[str] = []
    for line in text.split("\n"):
        folded += [line[at : at + _LINE] for at in range(0, len(line), _LINE)] or [""]
    return folded
