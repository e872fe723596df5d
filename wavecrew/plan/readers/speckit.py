"""Task lists of GitHub's spec-kit (`specs/NNN-name/tasks.md`).

`- [ ] T001 [P] [US1] text` in phases that run in order. What depends on what
is told in prose, which `speckit_prose` reads; the order of phases and of tasks
without `[P]` is kept apart as inferred edges.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import PurePosixPath
from typing import NamedTuple

from wavecrew.plan.readers.builder import Draft, PlanBuilder
from wavecrew.plan.readers.markdown import (
    Document,
    Heading,
    Item,
    Line,
    Paragraph,
    Table,
    Visit,
    checkbox,
)
from wavecrew.plan.readers.model import Edge, Gate, ImportedPlan
from wavecrew.plan.readers.phrases import files_in, folded, plain, slug, without_marks
from wavecrew.plan.readers.references import range_members
from wavecrew.plan.readers.source import Source, SourceFile
from wavecrew.plan.readers.speckit_prose import Sentence, read_sentences

_ID = r"T-?\d{1,6}(?:\.\d{1,3})*[A-Za-z]?"
_TASK = re.compile(
    rf"^[*_~]*(?P<id>{_ID})(?:\s*(?:[-–—]|to)\s*(?P<last>{_ID}))?[*_~]*(?=$|[\s:.,*\[(—–-])"
    r"\s*[:.]?[*_~]*\s*(?:[-–—]\s+)?(?P<rest>.*)$"
)
_LABEL = re.compile(r"^[*_]*\[(?P<label>[^\]]{1,40})\](?!\()[*_]*\s*[:—–-]?\s*")
_TRAILING = re.compile(r"\s*\[(?P<label>P|US\d+|Story\s*\d+)\]\s*$")
_LOOSE = re.compile(r"^(?:[-*+]\s+|\d+[.)]\s+)?(?P<box>\[.?\])\s+(?P<rest>.*)$")
_CHECKPOINT = re.compile(
    r"^[\W_]*(?:checkpoint|チェックポイント|检查点|检查點|kontrollpunkt)\W", re.I
)
_PHASE = re.compile(r"^\W*(?:phase|フェーズ|阶段|fase|этап|단계)\s*(?P<number>\d+(?:\.\d+)*)", re.I)
_NO_TASKS = re.compile(
    r"dependenc|parallel example|format\b|implementation strategy|notes$|progress|summary"
    r"|validation checklist|parallel opportunities|execution order|依存|checklist",
    re.I,
)
_CONDITIONAL = re.compile(r"\b(?:optional)\b", re.I)


class _Found(NamedTuple):
    draft: Draft
    labels: tuple[str, ...]
    """In capitals."""
    phase: str | None

    @property
    def is_parallel(self) -> bool:
        return "P" in self.labels


class SpecKit:
    name = "spec-kit"

    def claims(self, source: Source) -> float:
        return max((_sureness(file) for file in source.ending(".md")), default=0.0)

    def read(self, source: Source) -> ImportedPlan:
        builder = PlanBuilder(self.name)
        files = [file for file in source.ending(".md") if _sureness(file) >= 0.3]
        for file in files or source.files[:1]:
            name = file.name if source.is_folder else None
            _Reading(builder, builder.open(file.text), name).run()
        return builder.plan()


def _sureness(file: SourceFile) -> float:
    text = file.text
    boxed = len(
        re.findall(rf"^[ \t]*(?:[-*+][ \t]+)?\[.?\][ \t]+[*_~]{{0,4}}{_ID}\b", text, re.MULTILINE)
    )
    named = PurePosixPath(file.name).name.lower() == "tasks.md"
    ours = sum(
        bool(re.search(pattern, text, re.MULTILINE))
        for pattern in (
            r"^#\s+Tasks\b",
            r"^##\s+Format: .*\[P\?\]",
            r"^\*\*Input\*\*: .*[Dd]esign documents",
            r"^##\s+Phase [\d.]+: (?:Setup|Foundational|User Story)",
            r"^\*\*Checkpoint\*\*",
            r"\[US\d+\]",
            r"\*\*Prerequisites\*\*: .*plan\.md",
        )
    )
    if boxed >= 1:
        return 0.92 if ours or boxed >= 3 else 0.4
    headed = len(re.findall(rf"^#{{2,5}}\s+(?:\[.?\]\s*)?{_ID}\b", text, re.MULTILINE))
    if headed >= 2:
        return 0.55
    if ours >= 2 and (named or ours >= 3) and re.search(r"^[ \t]*[-*+] \[.\] ", text, re.MULTILINE):
        return 0.8
    return 0.0


class _Reading:
    def __init__(self, builder: PlanBuilder, document: Document, file: str | None) -> None:
        self.builder = builder
        self.document = document
        self.file = file
        self.found: list[_Found] = []
        self.last_phase: str | None = None

    def run(self) -> None:
        visits = list(self.document.walk())
        self._tasks(visits)
        if not self.found:
            self._nameless(visits)
        self._sequence()
        self._checkpoints(visits)
        groups = {one: tuple(f.draft.id for f in found) for one, found in self._groups().items()}
        for sentence in read_sentences(visits, self.builder.known, groups):
            self._take(sentence)
        self._inline(visits)

    # Tasks

    def _tasks(self, visits: list[Visit]) -> None:
        open_tasks: dict[int, str] = {}
        for visit in visits:
            for line, box, text, depth in _candidates(visit):
                hit = _TASK.match(text)
                if hit is None:
                    continue
                if box is None and not isinstance(visit.block, Heading):
                    continue
                draft = self._draft(hit, box, line, visit)
                draft.parent = next(
                    (open_tasks[id(p)] for p in reversed(visit.parents) if id(p) in open_tasks),
                    None,
                )
                if depth:
                    open_tasks[id(visit.block)] = draft.id

    def _draft(self, hit: re.Match[str], box: str | None, line: int, visit: Visit) -> Draft:
        title, labels = _labels(hit["rest"])
        identity = f"{hit['id']}-{hit['last']}" if hit["last"] else hit["id"]
        phase = _phase_of(visit)
        draft = Draft(identity, title, line, group=phase, file=self.file)
        if hit["last"]:
            draft.range_members = range_members(hit["id"], hit["last"])
            message = f"{len(draft.range_members)} tasks share one line and one title"
            self.builder.report("range_task", line, (identity,), message)
        draft.done = (box or " ") in "xX✓✔✅"
        if (box or " ") not in " xX✓✔✅":
            message = f"the box holds {box!r}; taken as not done"
            self.builder.report("unknown_status", line, (identity,), message)
        draft.files = tuple(one for one in files_in(hit["rest"]) if "." in one or "/" in one)
        draft.optional = bool(_CONDITIONAL.search(" ".join(labels))) or bool(
            re.match(r"\(?optional\b", title, re.I)
        )
        odd = [one for one in labels if not re.fullmatch(r"P|US ?\d+(?:\s*[/,&+]\s*US ?\d+)*", one)]
        if odd:
            message = f"labels spec-kit does not know: {', '.join(odd)}"
            self.builder.report("label_variant", line, (identity,), message)
        self.builder.add(draft)
        self.found.append(_Found(draft, labels, phase))
        return draft

    def _nameless(self, visits: list[Visit]) -> None:
        """A list without any ids: top-level boxes, called by their own words."""
        used: set[str] = set()
        for visit in visits:
            block = visit.block
            if not isinstance(block, Item) or block.box is None or visit.parents:
                continue
            if any(_NO_TASKS.search(one.text) for one in visit.headings):
                continue
            title, labels = _labels(block.text)
            name = base = slug(title)
            count = 1
            while name in used:
                count += 1
                name = f"{base}-{count}"
            used.add(name)
            phase = _phase_of(visit)
            draft = Draft(name, title, block.line, group=phase, file=self.file)
            draft.done = block.box in "xX"
            draft.files = files_in(block.text)
            self.builder.add(draft)
            self.found.append(_Found(draft, labels, phase))
            self.builder.report("missing_id", block.line, (name,), f"no id; called {name!r} here")

    # Order and gates

    def _groups(self) -> dict[str, list[_Found]]:
        """Phase heading, `phase 3`, `us2`, `foundational` ... -> the tasks."""
        groups: dict[str, list[_Found]] = {}
        for one in self.found:
            names = {label.replace(" ", "").casefold() for label in one.labels if label != "P"}
            names = {part for name in names for part in re.split(r"[/,&+]", name)}
            if one.phase:
                names |= _phase_names(one.phase)
            for name in names:
                groups.setdefault(name, []).append(one)
        return groups

    def _sequence(self) -> None:
        phases: dict[str, list[_Found]] = {}
        for one in self.found:
            if one.draft.parent is None and one.phase is not None:
                phases.setdefault(one.phase, []).append(one)
        for name, members in phases.items():
            self.builder.groups.setdefault(name, members[0].draft.line)
            previous: _Found | None = None
            for one in members:
                if previous is not None and not one.is_parallel:
                    edge = Edge("order", previous.draft.id, one.draft.id, one.draft.line)
                    self.builder.edges.setdefault(edge)
                previous = one
        names = list(phases)
        for before, after in pairwise(names):
            line = phases[after][0].draft.line
            self.builder.edges.setdefault(Edge("barrier", before, after, line))

    def _checkpoints(self, visits: list[Visit]) -> None:
        filled = {one.phase for one in self.found}
        seen: dict[str, int] = {}
        for visit in visits:
            block = visit.block
            if isinstance(block, Heading) and _PHASE.match(block.text):
                seen.setdefault(plain(block.text), block.line)
            for line in block.lines if isinstance(block, Paragraph) else ():
                phase = _phase_of(visit)
                if _CHECKPOINT.match(line.text) and phase:
                    text = plain(line.text)
                    self.builder.gates.append(Gate("checkpoint", text, line.number, (phase,)))
        for name, at in seen.items():
            if name not in filled:
                self.builder.report("empty_phase", at, (name,), "a phase without any task")

    # Dependencies

    def _take(self, sentence: Sentence) -> None:
        for problem in sentence.problems:
            self.builder.report(problem.kind, problem.line, problem.ids, problem.message)
        for task in sentence.after:
            self.builder.depend(task, [o for o in sentence.before if o != task], sentence.line)
        for before, after in sentence.groups:
            self.builder.edges.setdefault(Edge("group", before, after, sentence.line))

    def _inline(self, visits: list[Visit]) -> None:
        """`(depends on T012, T013)` in a task's own line, `Depends on: T003` below it."""
        by_line = {one.draft.line: one.draft for one in self.found}
        current: Draft | None = None
        for visit in visits:
            if isinstance(visit.block, Heading) and visit.block.line not in by_line:
                current = None
            for line in _texts(visit):
                current = by_line.get(line.number, current)
                if current is None:
                    continue
                own = line.number == current.line
                if not own and not visit.parents and isinstance(visit.block, Item):
                    continue
                for hit in _INLINE.finditer(line.text):
                    refs = self.builder.refer(_ids_only(hit["refs"]), line.number, (current.id,))
                    others = [one for one in refs.ids if one != current.id]
                    self.builder.depend(current.id, others, line.number)


_INLINE = re.compile(
    r"\b(?:depends?\s+(?:up)?on|dependenc(?:y|ies)\s*[:*]+|blocked\s+by|requires|prerequisites?\s*:)"
    rf"[\s:*]*(?:tasks?\s+)?(?P<refs>{_ID}(?:(?:\s*(?:,|&|\band\b|\+|[-–—]|to)\s*)+{_ID})*)",
    re.I,
)


def _ids_only(text: str) -> str:
    return text.replace("+", ",")


def _candidates(visit: Visit) -> Iterator[tuple[int, str | None, str, bool]]:
    """(line, box, text after it, whether others can stand below it) of what may be a task."""
    block = visit.block
    if isinstance(block, Item):
        if block.box is None and (loose := _LOOSE.match(block.text)):
            box, _, text = checkbox(f"{loose['box']} {loose['rest']}")
            yield block.line, box, text, True
        else:
            yield block.line, block.box, block.text, True
    elif isinstance(block, Heading):
        box, _, text = checkbox(block.text)
        yield block.line, box, text, False
    elif isinstance(block, Paragraph):
        for line in block.lines:
            loose = _LOOSE.match(line.text.strip())
            if loose:
                box, _, text = checkbox(f"{loose['box']} {loose['rest']}")
                yield line.number, box, text, False


def _texts(visit: Visit) -> Iterator[Line]:
    block = visit.block
    if isinstance(block, Item | Heading):
        yield Line(block.line, block.text)
    elif isinstance(block, Paragraph):
        yield from block.lines
    elif isinstance(block, Table):
        return


def _labels(text: str) -> tuple[str, tuple[str, ...]]:
    """(title, labels): `[P] [US1]` before it, a `[P]` and check marks behind it."""
    labels: list[str] = []
    text = folded(text)
    rest = text.strip().lstrip("*_ ") if re.match(r"^[*_]+\s*\[", text.strip()) else text.strip()
    while hit := _LABEL.match(rest):
        labels.append(hit["label"].strip().upper())
        rest = rest[hit.end() :].lstrip()
    rest = without_marks(rest)
    while hit := _TRAILING.search(rest):
        labels.append(hit["label"].upper())
        rest = without_marks(rest[: hit.start()])
    return plain(rest), tuple(labels)


def _phase_of(visit: Visit) -> str | None:
    """The phase heading above; else the nearest heading below the title."""
    for heading in visit.headings:
        if _PHASE.match(heading.text):
            return plain(heading.text)
    below = [one for one in visit.headings if one.level > 1]
    return plain(below[0].text) if below else None


def _phase_names(phase: str) -> set[str]:
    low = phase.casefold()
    names = {low}
    hit = _PHASE.match(phase)
    if hit:
        names.add(f"phase{hit['number']}")
    for word in ("setup", "foundational", "foundation", "polish", "tests", "integration", "core"):
        if re.search(rf"\b{word}\b", low):
            names.add(word)
    for story in re.findall(r"(?:user story|us)\s*(\d+)", low):
        names.add(f"us{story}")
    return names
