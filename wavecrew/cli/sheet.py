"""Lines of a fixed width for a terminal: styled, cut to fit, and plain ASCII where it must be.

Rich does colour, and leaves it out for NO_COLOR and dumb terminals. Width and
encoding are decided here, so that what is drawn can be tested line by line.
"""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from wavecrew.cli.lines import clean

Part = str | tuple[str, str]
"""A text, or a text and its Rich style."""

_ASCII = str.maketrans(
    {"█": "#", "░": "-", "├": "|", "└": "`", "─": "-", "·": "-", "…": "...", "→": "->"}
)


class Sheet:
    """Collects lines of at most `width` cells, top to bottom."""

    def __init__(self, width: int, *, ascii_only: bool = False) -> None:
        self.width = width
        self.ascii_only = ascii_only
        self.items: list[RenderableType] = []

    def add(self, *parts: Part) -> None:
        """One line; what does not fit is cut."""
        self.items.append(self.line(*parts))

    def flow(self, *parts: Part, gap: str = "   ") -> None:
        """The parts side by side, in as many lines as they need."""
        line: list[Part] = []
        for part in parts:
            text = part if isinstance(part, str) else part[0]
            used = sum(cell_len(p if isinstance(p, str) else p[0]) for p in line)
            if line and used + len(gap) + cell_len(text) > self.width:
                self.add(*line)
                line = []
            line += [gap, part] if line else [part]
        if line:
            self.add(*line)

    def heading(self, title: str) -> None:
        """A line of its own after an empty one."""
        self.items.append(Text(""))
        self.add((title, "bold"))

    def paragraph(self, text: str, style: str = "", *, indent: int = 0) -> None:
        """A text that wraps instead of being cut."""
        self.items.append(Padding(Text(self.plain(clean(text)), style=style), (0, 0, 0, indent)))

    def line(self, *parts: Part) -> Text:
        text = Text(no_wrap=True, overflow="crop")
        for part in parts:
            content, style = (part, "") if isinstance(part, str) else part
            text.append(self.plain(content), style=style or None)
        if text.cell_len > self.width:
            mark = self.plain("…")
            text.truncate(self.width - len(mark))
            text.append(mark)
        return text

    def fit(self, text: str, width: int) -> str:
        """`text` in exactly `width` cells, padded or cut."""
        text = self.plain(clean(text))
        if cell_len(text) > width:
            mark = self.plain("…")
            text = set_cell_size(text, max(0, width - len(mark))).rstrip() + mark
        return set_cell_size(text, max(0, width))

    def plain(self, text: str) -> str:
        """The text without what steers a terminal, in what its encoding can say."""
        text = "".join(c if c.isprintable() else " " for c in text)
        if not self.ascii_only:
            return text
        return text.translate(_ASCII).encode("ascii", "replace").decode("ascii")

    def group(self, height: int | None = None) -> Group:
        """Everything collected, cut to `height` lines where one is given."""
        return Group(*self.items[:height])


def says_ascii_only(console: Console) -> bool:
    """True when the terminal's encoding lacks the characters that a board is drawn with."""
    try:
        "█░├└─·…→".encode(console.encoding)
    except (UnicodeEncodeError, LookupError):
        return True
    return False


def can_show_board(console: Console) -> bool:
    """True when a board can be redrawn in place; else lines are the better way."""
    return console.is_terminal and not console.is_dumb_terminal
