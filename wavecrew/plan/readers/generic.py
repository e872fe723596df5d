"""What can be told for certain of a plan in no known layout?

Tasks that carry an id, in headings, tables, trees and lists; in a document
without any, its checkboxes. Everything else that looks as if it meant work is
left out and said to be.
"""

from __future__ import annotations

import re

from wavecrew.plan.readers.builder import Draft, PlanBuilder
from wavecrew.plan.readers.checklist import box_state, plain_title, readable
from wavecrew.plan.readers.markdown import (
    Document,
    Fence,
    Heading,
    Item,
    Paragraph,
    Table,
    Visit,
    parse_markdown,
)
from wavecrew.plan.readers.model import ImportedPlan
from wavecrew.plan.readers.notes import Notes
from wavecrew.plan.readers.phrases import slug, without_marks
from wavecrew.plan.readers.source import Source, SourceFile
from wavecrew.plan.readers.waves_document import DocumentReader
from wavecrew.plan.readers.waves_entries import Entries
from wavecrew.plan.readers.waves_links import link

_TEXT = (".md", ".markdown", ".mdx", ".txt", "")
_BOX = re.compile(r"^\s*(?:[-*+]|\d{1,6}[.)])\s+\[.?\]\s+\S", re.MULTILINE)
_NAMED = re.compile(
    r"^(?:#{1,6}\s+|\s*[├└]\W*|\|\s*)\W{0,4}(?:task|story|ticket|issue|work\s?(?:package|item))"
    r"\s*#?\s*[A-Z]{0,4}-?\d",
    re.MULTILINE | re.IGNORECASE,
)
_TABLE = re.compile(
    r"^\|?[^\n|]*\|(?=[^\n]*\b(?:depend|blocked|prerequisite|owner|assignee|agent|estimate"
    r"|effort|hours|status))[^\n]*\n\|?\s*:?-+:?\s*\|",
    re.MULTILINE | re.IGNORECASE,
)
_ASIDE = re.compile(
    r"accept|criteria|definition of done|checklist|success|requirement|example|template|legend"
    r"|risk|note",
    re.IGNORECASE,
)
_ISSUE = re.compile(r"(?P<id>(?:[\w.-]+/[\w.-]+)?#\d{1,9})(?:\s*[:.—–-])?(?:\s+(?P<title>\S.*))?$")
_NEEDS = re.compile(
    r"(?:\(|\b)(?:blocked by|depends on|needs|after)\s?:?\s{0,3}"
    r"(?P<refs>(?:[\w.-]{1,100}/[\w.-]{1,100})?#\d[^()]*)",
    re.IGNORECASE,
)
_REF = re.compile(r"(?:(?<![\w.-])[\w.-]{1,100}/[\w.-]{1,100})?#\d{1,9}")
_GRAPH = re.compile(r"→|-->|=>|[├└┌┐┬┴┼]")


class GenericReader:
    name = "generic"

    def claims(self, source: Source) -> float:
        return max((_sureness(file) for file in source.files), default=0.0)

    def read(self, source: Source) -> ImportedPlan:
        notes = Notes()
        builder = PlanBuilder(self.name)
        for file in source.files:
            if file.suffix in _TEXT:
                _Reader(builder, notes, file, file.name if source.is_folder else None).read()
        return builder.plan().with_diagnostics(*notes.done())


def _sureness(file: SourceFile) -> float:
    if file.suffix not in _TEXT:
        return 0.0
    boxes = sum(1 for _ in zip(_BOX.finditer(file.text), range(2), strict=False))
    return 0.35 if boxes == 2 or _NAMED.search(file.text) or _TABLE.search(file.text) else 0.0


class _Reader:
    def __init__(
        self, builder: PlanBuilder, notes: Notes, file: SourceFile, shown: str | None
    ) -> None:
        self.builder = builder
        self.notes = notes
        self.file = file
        self.shown = shown

    def read(self) -> None:
        document = parse_markdown(readable(self.file, self.notes, self.shown))
        if document.cut_at:
            self._note("too_deep", document.cut_at, "what is nested deeper is left out")
        entries = Entries(self.builder, self.shown)
        DocumentReader(entries, document).run()
        for entry in entries.all:
            self.builder.add(entry.draft)
        link(entries)
        visits = list(document.walk())
        lines = {entry.draft.line for entry in entries.all}
        if entries.all:
            self._false_boxes(visits, lines)
        else:
            lines = self._boxes(visits)
        self._left_out(document, visits, lines)

    def _note(self, kind: str, line: int, message: str, *ids: str) -> None:
        self.notes.add(kind, line, message, *ids, file=self.shown)

    def _false_boxes(self, visits: list[Visit], lines: set[int]) -> None:
        false = [
            visit.block.line
            for visit in visits
            if isinstance(visit.block, Item) and visit.block.box is not None
            if visit.block.line not in lines
        ]
        if false:
            message = f"{len(false)} checkboxes without an id are steps or criteria, no tasks"
            self._note("false_task", false[0], message)

    def _boxes(self, visits: list[Visit]) -> set[int]:
        """Checkboxes as tasks, in a document that has nothing better."""
        owners: dict[int, str] = {}
        taken: dict[str, int] = {}
        stated: list[tuple[str, str, int]] = []
        lines: set[int] = set()
        unnamed: list[str] = []
        aside: list[int] = []
        for visit in visits:
            block = visit.block
            if not isinstance(block, Item) or block.box is None or not block.text.strip():
                continue
            if any(_ASIDE.search(heading.text) for heading in visit.headings[-1:]):
                aside.append(block.line)
                continue
            id_, title = _identity(block.text, taken)
            if not _ISSUE.fullmatch(block.text):
                unnamed.append(id_)
            owner = next(
                (owners[id(one)] for one in reversed(visit.parents) if id(one) in owners), None
            )
            owners[id(block)] = id_
            lines.add(block.line)
            group = visit.headings[-1].text if visit.headings else None
            draft = Draft(id_, title, block.line, group, parent=owner, file=self.shown)
            draft.done = box_state(block.box, id_, block.line, self.notes)
            self.builder.add(draft)
            for line in (block.text, *_below(block)):
                stated += [(id_, found["refs"], block.line) for found in _NEEDS.finditer(line)]
        if unnamed:
            first = self.builder.by_id[unnamed[0]].line
            message = f"{len(unnamed)} checkboxes without an id are called after their text"
            self._note("missing_id", first, message, *unnamed[:50])
        if aside:
            message = f"{len(aside)} checkboxes under criteria and the like are no tasks"
            self._note("false_task", aside[0], message)
        self._depend(stated)
        return lines

    def _depend(self, stated: list[tuple[str, str, int]]) -> None:
        for id_, refs, line in stated:
            for one in _REF.findall(refs):
                if one not in self.builder.by_id:
                    message = f"{id_} needs {one}, which is no task here"
                    self._note("unknown_dependency", line, message, id_, one)
                else:
                    self.builder.depend(id_, (one,), line)

    def _left_out(self, document: Document, visits: list[Visit], lines: set[int]) -> None:
        numbered: list[int] = []
        for visit in visits:
            block = visit.block
            if isinstance(block, Table) and not any(row.line in lines for row in block.rows):
                shown = " | ".join(block.header)[:80]
                self._note("table_left_out", block.line, f"no task is sure in table {shown!r}")
            elif isinstance(block, Fence):
                text = "\n".join(line.text for line in block.lines)
                inside = any(line.number in lines for line in block.lines)
                if not inside and (block.info.startswith("mermaid") or _GRAPH.search(text)):
                    message = "a drawing is left out: its lines name no task for certain"
                    self._note("drawing_left_out", block.line, message)
            elif isinstance(block, Item) and not visit.parents and block.line not in lines:
                numbered += [block.line] if block.box is None and block.marker.isdigit() else []
        if numbered:
            message = f"{len(numbered)} numbered items are left out: they may be steps or remarks"
            self._note("list_left_out", numbered[0], message)
        chapters = [one for one in document.blocks if isinstance(one, Heading)]
        if lines and not any(isinstance(v.block, Item | Table) for v in visits) and chapters:
            message = "only headings with an id are tasks; other headings are left out"
            self._note("headings_left_out", chapters[0].line, message)


def _identity(text: str, taken: dict[str, int]) -> tuple[str, str]:
    """(id, title) of a checkbox: the issue it names, else a name made of its words.

    `taken` counts the ids that are in use; it is added to.
    """
    found = _ISSUE.fullmatch(text)
    title = plain_title(without_marks(text)) or text.strip()
    id_ = found["id"] if found else slug(title)
    if found and found["title"]:
        title = plain_title(found["title"])
    if not found:
        base = id_
        while id_ in taken:
            taken[base] += 1
            id_ = f"{base}-{taken[base]}"
    taken.setdefault(id_, 1)
    return id_, title


def _below(item: Item) -> list[str]:
    """The lines of the item's own paragraphs, not those of items below it."""
    return [line.text for one in item.children if isinstance(one, Paragraph) for line in one.lines]
