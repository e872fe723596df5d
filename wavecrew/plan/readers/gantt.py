"""What does a Mermaid gantt chart say? A file of its own or fences in Markdown.

The grammar is Mermaid's documented one: `Title : tags, id, start, end`. Dates
are kept only as far as they give hours; a day's length is not ours to say, so
days are reported and left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from wavecrew.plan.readers.markdown import Fence, Line, parse_markdown
from wavecrew.plan.readers.model import Edge, Gate, ImportedPlan, ImportedTask
from wavecrew.plan.readers.notes import Notes
from wavecrew.plan.readers.source import Source, SourceFile

_START = re.compile(r"^\s*gantt\s*(?:%%.*)?$", re.MULTILINE)
_SETTING = re.compile(
    r"(?:title|dateFormat|axisFormat|tickInterval|excludes|includes|todayMarker|weekday|weekend"
    r"|inclusiveEndDates|topAxis|displayMode|accTitle|accDescr|click|section)\b"
)
_TAGS = frozenset({"done", "active", "crit", "milestone", "vert"})
_AFTER = re.compile(r"after\s+(?P<ids>\S.*)")
_UNTIL = re.compile(r"until\s+(?P<ids>\S.*)")
_LENGTH = re.compile(r"(?P<number>\d{1,7}(?:\.\d{1,3})?)\s*(?P<unit>ms|[smhdwMy])")
_DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}(?:[T ][\d:.]+)?|\d{1,4}[-/.:]\d{1,2}(?:[-/.:]\d{1,4})?")
_HOURS = {"ms": 1 / 3_600_000, "s": 1 / 3600, "m": 1 / 60, "h": 1.0}


class GanttReader:
    name = "mermaid-gantt"

    def claims(self, source: Source) -> float:
        only = source.only
        if only is None or not _START.search(only.text):
            return 0.0
        if only.suffix == ".mmd" or only.text.lstrip().startswith(("gantt", "%%", "---\n")):
            return 0.95
        return 0.5 if "```mermaid" in only.text or "~~~mermaid" in only.text else 0.0

    def read(self, source: Source) -> ImportedPlan:
        notes = Notes()
        charts = _charts(source.files[0])
        if len(charts) > 1:
            lines = ", ".join(str(chart[0].number) for chart in charts)
            message = f"{len(charts)} charts, on lines {lines}, are read as one plan"
            notes.add("several_charts", charts[0][0].number, message)
        read = [_Chart(notes).read(lines) for lines in charts]
        tasks = tuple(task for chart in read for task in chart.made())
        return ImportedPlan(
            format=self.name,
            tasks=tasks,
            edges=tuple(edge for chart in read for edge in chart.edges),
            gates=tuple(gate for chart in read for gate in chart.gates()),
            diagnostics=notes.done(),
            groups=tuple(dict.fromkeys(name for chart in read for name in chart.sections)),
        )


def _charts(file: SourceFile) -> list[list[Line]]:
    if file.suffix not in (".md", ".markdown", ".mdx"):
        return [[Line(at, text) for at, text in enumerate(file.lines, 1)]]
    charts = []
    for visit in parse_markdown(file.text).walk():
        block = visit.block
        if isinstance(block, Fence) and block.info.casefold().startswith("mermaid"):
            text = "\n".join(line.text for line in block.lines)
            if _START.search(text):
                charts.append(list(block.lines))
    return charts


@dataclass
class _Bar:
    id: str
    title: str
    line: int
    tags: frozenset[str]
    named: bool
    section: str | None
    after: tuple[str, ...] = ()
    until: tuple[str, ...] = ()
    hours: float | None = None
    starts_freely: bool = False
    """It has a start of its own, a date; else it follows the bar before it."""
    deps: dict[str, int] = field(default_factory=dict)


class _Chart:
    def __init__(self, notes: Notes) -> None:
        self.notes = notes
        self.bars: list[_Bar] = []
        self.edges: list[Edge] = []
        self.sections: list[str] = []
        self.days: dict[str, int] = {}

    def read(self, lines: Sequence[Line]) -> _Chart:
        started = False
        for line in lines:
            text = line.text.split("%%", 1)[0].strip()
            if not started:
                started = text == "gantt"
            elif text.startswith("section ") or text == "section":
                self.sections.append(text[7:].strip())
            elif text and not _SETTING.match(text):
                self._bar(text, line.number)
        self._link()
        if self.days:
            first = min(self.days.values())
            message = (
                "lengths in days or longer are left out: the chart does not say how long a day is"
            )
            self.notes.add("estimate_unit", first, message, *self.days)
        return self

    def _bar(self, text: str, line: int) -> None:
        title, colon, rest = text.partition(":")
        if not colon or not title.strip():
            self.notes.add("unread_line", line, f"{text[:60]!r} is no task of a chart")
            return
        items = [one.strip() for one in rest.split(",")]
        tags = set()
        while items and items[0] in _TAGS:
            tags.add(items.pop(0))
        id_, start, end = self._items(items)
        section = self.sections[-1] if self.sections else None
        number = len(self.bars) + 1
        bar = _Bar(id_ or f"bar-{number}", title.strip(), line, frozenset(tags), bool(id_), section)
        if start and (found := _AFTER.fullmatch(start)):
            bar.after = tuple(found["ids"].split())
        elif start:
            bar.starts_freely = True
        if found := _UNTIL.fullmatch(end):
            bar.until = tuple(found["ids"].split())
        elif found := _LENGTH.fullmatch(end):
            self._length(bar, found)
        if not id_:
            message = f"{bar.title!r} has no id, called {bar.id} here"
            self.notes.add("missing_id", line, message, bar.id)
        self.bars.append(bar)

    @staticmethod
    def _items(items: list[str]) -> tuple[str, str, str]:
        """(id, start, end) of one to three items, as Mermaid counts them."""
        if len(items) >= 3:
            return items[0], items[1], items[2]
        if len(items) == 2:
            if _AFTER.fullmatch(items[0]) or _DATE.fullmatch(items[0]):
                return "", items[0], items[1]
            return items[0], "", items[1]
        return "", "", items[0] if items else ""

    def _length(self, bar: _Bar, found: re.Match[str]) -> None:
        factor = _HOURS.get(found["unit"])
        if factor is not None:
            bar.hours = round(float(found["number"]) * factor, 4)
        elif float(found["number"]):
            self.days[bar.id] = bar.line

    def _link(self) -> None:
        known = {bar.id: bar for bar in self.bars}
        for at, bar in enumerate(self.bars):
            for one in bar.after:
                if one not in known:
                    message = f"{bar.id} starts after {one}, which is no task here"
                    self.notes.add("unknown_dependency", bar.line, message, bar.id, one)
                bar.deps.setdefault(one, bar.line)
                self.edges.append(Edge("explicit", one, bar.id, bar.line))
            for one in bar.until:
                message = f"{bar.id} lasts until {one} starts"
                self.notes.add("until", bar.line, message, bar.id, one)
                if one in known and one != bar.id:
                    known[one].deps.setdefault(bar.id, bar.line)
                    self.edges.append(Edge("explicit", bar.id, one, bar.line))
            if not bar.after and not bar.starts_freely and at:
                self.edges.append(Edge("order", self.bars[at - 1].id, bar.id, bar.line))

    def made(self) -> list[ImportedTask]:
        return [
            ImportedTask(
                id=bar.id,
                title=bar.title,
                line=bar.line,
                deps=tuple(bar.deps),
                hours=bar.hours,
                hours_min=bar.hours,
                hours_max=bar.hours,
                group=bar.section,
                done="done" in bar.tags,
            )
            for bar in self.bars
        ]

    def gates(self) -> list[Gate]:
        """A milestone is a place to stop and look, and stays a task of no length."""
        return [
            Gate("checkpoint", bar.title, bar.line, tuple(bar.deps) or (bar.id,))
            for bar in self.bars
            if "milestone" in bar.tags
        ]
