"""What is the structure of a Markdown document, and on which line does each part stand?

CommonMark by markdown-it-py, block level only: the text inside stays as
written. Two departures, both for how plans are typed: an indent of four is
never code (a list nested too deep stays a list), and dashes under several
lines of text are a rule, not a heading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

MAX_NESTING = 80
"""Levels of lists and quotes, two for a list; the parser leaves out what is deeper."""

_BOX = re.compile(r"\[(?P<char>[^\[\]])?\](?P<star>\*)?(?:\s+|$)")


class Line(NamedTuple):
    number: int
    text: str


@dataclass(frozen=True)
class Heading:
    level: int
    text: str
    line: int


@dataclass(frozen=True)
class Paragraph:
    lines: tuple[Line, ...]

    @property
    def line(self) -> int:
        return self.lines[0].number

    @property
    def text(self) -> str:
        return "\n".join(line.text for line in self.lines)


@dataclass(frozen=True)
class Fence:
    """A fenced block; `lines` is its content, without the fences."""

    info: str
    line: int
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Html:
    line: int
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Row:
    cells: tuple[str, ...]
    line: int


@dataclass(frozen=True)
class Table:
    header: tuple[str, ...]
    rows: tuple[Row, ...]
    line: int


@dataclass
class Item:
    """A list item. Its first line is `text`, without bullet and checkbox."""

    text: str = ""
    line: int = 0
    marker: str = "-"
    """`-`, `*`, `+`, or the number of an ordered item as written."""
    box: str | None = None
    """The character in its checkbox, a blank for an empty one; None without a checkbox."""
    starred: bool = False
    """`[ ]*`, which some tools write for an optional task."""
    children: list[Block] = field(default_factory=list)
    """What is below it; the rest of its first paragraph comes first, as a paragraph."""


Block = Heading | Paragraph | Fence | Html | Table | Item


class Visit(NamedTuple):
    block: Block
    headings: tuple[Heading, ...]
    """The headings it stands under, outermost first; for a heading, those above it."""
    parents: tuple[Item, ...]
    """The list items it stands in, outermost first."""


@dataclass(frozen=True)
class Document:
    blocks: tuple[Block, ...]
    front: tuple[Line, ...] = ()
    """The front matter between its dashes, if there is one."""
    cut_at: int = 0
    """Line from which content nested too deep was left out; 0 when nothing was."""

    def walk(self) -> Iterator[Visit]:
        """Every block in the order of the document, those inside items included."""
        headings: tuple[Heading, ...] = ()
        stack: list[tuple[Iterator[Block], tuple[Item, ...]]] = [(iter(self.blocks), ())]
        while stack:
            rest, parents = stack[-1]
            block = next(rest, None)
            if block is None:
                stack.pop()
            elif isinstance(block, Heading):
                headings = tuple(one for one in headings if one.level < block.level)
                yield Visit(block, headings, parents)
                headings = (*headings, block)
            else:
                yield Visit(block, headings, parents)
                if isinstance(block, Item):
                    stack.append((iter(block.children), (*parents, block)))


def checkbox(text: str) -> tuple[str | None, bool, str]:
    """(character in the box or None, starred, the text after it) of `[x] text`."""
    found = _BOX.match(text)
    if found is None:
        return None, False, text
    return found["char"] or " ", bool(found["star"]), text[found.end() :]


def parse_markdown(text: str) -> Document:
    """The document's tree; `text` has line feeds only (`Source` sees to that)."""
    lines = text.split("\n")
    front = _front_matter(lines)
    skipped = len(front) + 2 if front is not None else 0
    # Blank lines in place of the front matter keep every line number true.
    body = "\n".join([""] * skipped + lines[skipped:])
    tokens: list[Token] = []
    parser = _parser()
    parser.block.parse(body.replace("\0", "�"), parser, {}, tokens)
    blocks, cut_at = _Builder(lines).build(tokens)
    return Document(blocks, tuple(front or ()), cut_at)


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"maxNesting": MAX_NESTING}).enable("table")
    return parser.disable(["code", "reference"])


def _front_matter(lines: list[str]) -> list[Line] | None:
    if not lines or lines[0].rstrip() != "---":
        return None
    for at, line in enumerate(lines[1:], 1):
        if line.rstrip() in ("---", "..."):
            return [Line(number + 1, lines[number]) for number in range(1, at)]
    return None


class _Builder:
    """Turns the token stream into blocks, with a stack in place of recursion."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.root: list[Block] = []
        self.items: list[Item] = []
        self.cells: list[str] = []
        self.rows: list[Row] = []

    def build(self, tokens: list[Token]) -> tuple[tuple[Block, ...], int]:
        cut_at = 0
        opened: list[Token] = []
        for token in tokens:
            if token.nesting == 1:
                opened.append(token)
                if token.level >= MAX_NESTING - 1 and not cut_at:
                    cut_at = _first_line(token)
            self._take(token, opened)
            if token.nesting == -1:
                opened.pop()
        return tuple(self.root), cut_at

    def _take(self, token: Token, opened: list[Token]) -> None:
        line = _first_line(token)
        match token.type:
            case "list_item_open":
                item = Item(line=line, marker=token.info or token.markup)
                self._add(item)
                self.items.append(item)
            case "list_item_close":
                self.items.pop()
            case "inline":
                self._inline(token, opened[-1])
            case "fence":
                self._add(Fence(token.info.strip(), line, self._content(token.content, line + 1)))
            case "html_block":
                self._add(Html(line, self._content(token.content, line)))
            case "tr_close":
                self.rows.append(Row(tuple(self.cells), _first_line(opened[-1])))
                self.cells = []
            case "table_close":
                header, *rows = self.rows
                self._add(Table(header.cells, tuple(rows), header.line))
                self.rows = []

    def _add(self, block: Block) -> None:
        (self.items[-1].children if self.items else self.root).append(block)

    def _inline(self, token: Token, around: Token) -> None:
        if around.type in ("th_open", "td_open"):
            self.cells.append(token.content.strip())
            return
        lines = self._content(token.content, _first_line(token))
        if around.type == "heading_open":
            self._heading(lines, around)
        elif self.items and not self.items[-1].children and not self.items[-1].text:
            self._first_text(self.items[-1], lines)
        else:
            self._add(Paragraph(lines))

    def _heading(self, lines: tuple[Line, ...], around: Token) -> None:
        first = lines[0]
        if around.markup in ("-", "=") and (len(lines) > 1 or first.text.startswith("**")):
            self._add(Paragraph(lines))
        else:
            level = int(around.tag[1:])
            self._add(Heading(level, " ".join(line.text for line in lines), first.number))

    def _first_text(self, item: Item, lines: tuple[Line, ...]) -> None:
        item.box, item.starred, item.text = checkbox(lines[0].text)
        item.line = lines[0].number
        if lines[1:]:
            item.children.append(Paragraph(lines[1:]))

    @staticmethod
    def _content(content: str, first: int) -> tuple[Line, ...]:
        texts = content.split("\n")
        if len(texts) > 1 and not texts[-1]:
            texts.pop()
        return tuple(Line(first + at, text.strip("\n")) for at, text in enumerate(texts))


def _first_line(token: Token) -> int:
    return token.map[0] + 1 if token.map else 0
