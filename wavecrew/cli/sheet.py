"""Lines of a fixed width for a terminal: styled, cut to fit, and plain ASCII where it must be.

Rich does colour, and leaves it out for NO_COLOR and dumb terminals. Width and
encoding are decided here, so that what is drawn can be tested line by line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.text import Text

from wavecrew.cli.lines import clean

Part = str | tuple[str, str]
"""A text, or a text and its Rich style."""

MARK = "…"
"""Stands at the end of what was cut."""

_DRAWN = "█░├└─·…"
_ASCII = str.maketrans(_DRAWN, "#-|`--~")


@dataclass(frozen=True)
class Screen:
    """What was drawn. Says itself in ASCII on a terminal whose encoding knows no more."""

    items: tuple[Text | Padding, ...]

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        yield from map(_in_ascii, self.items) if says_ascii_only(console) else self.items


class Sheet:
    """Collects lines of at most `width` cells, top to bottom."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.items: list[Text | Padding] = []

    def add(self, *parts: Part) -> None:
        """One line; what does not fit is cut."""
        self.items.append(self.line(*parts))

    def flow(self, *parts: str, gap: str = "   ") -> None:
        """The parts that are not empty side by side, in as many lines as they need."""
        line = ""
        for part in filter(None, parts):
            if line and cell_len(line) + len(gap) + cell_len(part) > self.width:
                self.add(line)
                line = ""
            line += gap + part if line else part
        if line:
            self.add(line)

    def heading(self, title: str) -> None:
        """A line of its own after an empty one."""
        self.gap()
        self.add((title, "bold"))

    def gap(self) -> None:
        """An empty line."""
        self.items.append(Text(""))

    def extend(self, lines: Iterable[Text]) -> None:
        """Lines that were made elsewhere."""
        self.items += lines

    def paragraph(self, text: str, style: str = "", *, indent: int = 0) -> None:
        """A text that wraps instead of being cut."""
        self.items.append(Padding(Text(clean(text), style=style), (0, 0, 0, indent)))

    def line(self, *parts: Part) -> Text:
        """The parts one after the other, at most `width` cells in all."""
        text = Text(no_wrap=True, overflow="crop")
        for part in parts:
            content, style = (part, "") if isinstance(part, str) else part
            text.append(_printable(content), style=style or None)
        if text.cell_len > self.width:
            text.truncate(self.width - 1)
            text.append(MARK)
        return text

    def fit(self, text: str, width: int) -> str:
        """`text` in exactly `width` cells, padded or cut."""
        text = clean(text)
        if cell_len(text) > width:
            text = set_cell_size(text, max(0, width - 1)).rstrip() + MARK
        return set_cell_size(text, max(0, width))

    def screen(self, height: int | None = None) -> Screen:
        """Everything collected, cut to `height` lines where one is given."""
        return Screen(tuple(self.items[:height]))


def says_ascii_only(console: Console) -> bool:
    """True when the terminal's encoding lacks the characters that a board is drawn with."""
    try:
        _DRAWN.encode(console.encoding)
    except (UnicodeEncodeError, LookupError):
        return True
    return False


def can_show_board(console: Console) -> bool:
    """True when a board can be redrawn in place; else lines are the better way."""
    return console.is_terminal and not console.is_dumb_terminal


def _printable(text: str) -> str:
    """Without what steers a terminal: some of what is shown was written by agents."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _in_ascii(item: Text | Padding) -> Text | Padding:
    """The same with one ASCII letter for each that is none, so that styles stay in place."""
    if isinstance(item, Padding):
        assert isinstance(item.renderable, Text)
        return Padding(_in_ascii(item.renderable), (0, 0, 0, item.left))
    text = item.copy()
    text.plain = item.plain.translate(_ASCII).encode("ascii", "replace").decode("ascii")
    return text
