"""What depends on what, told in prose under a heading about dependencies?

`T008 blocks T009`, `Tests (T004-T007) before implementation (T008-T014)`,
`US3 depends on US1 (T002)`, chains of arrows and drawn trees. A statement
between phases without any task id stays a statement between groups.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from wavecrew.plan.readers.drawing import has_joins, read_drawing
from wavecrew.plan.readers.markdown import Fence, Item, Line, Paragraph, Visit
from wavecrew.plan.readers.model import Diagnostic
from wavecrew.plan.readers.phrases import folded, plain
from wavecrew.plan.readers.references import Known, range_members

_ID = r"T-?\d{1,6}(?:\.\d{1,3})*[A-Za-z]?"
_IDS = re.compile(rf"(?<![\w.]){_ID}\b(?:\s*(?:[-–—]|to|through|\.\.\.?)\s*{_ID}\b)?")
_ENDS = re.compile(rf"({_ID})\b(?:\s*(?:[-–—]|to|through|\.\.\.?)\s*({_ID})\b)?")
_SECTION = re.compile(r"dependenc|execution order|task graph|依存|依赖|dépendance|abhängig", re.I)
_NOT_HERE = re.compile(r"parallel example|implementation strategy|format", re.I)
_GROUPS = re.compile(
    r"\b(?:US\s?\d+|user stor(?:y|ies)\s*\d+|phase\s*\d+(?:\.\d+)*|foundational|foundation|setup"
    r"|polish)\b",
    re.I,
)
_ALL_STORIES = re.compile(r"\ball\s+(?:\w+\s+)?(?:user\s+)?stories\b|\ball\s+US\b", re.I)
_ALL_TASKS = re.compile(r"\ball\s+(?:other\s+|previous\s+|prior\s+)?(?:tasks|phases)\b", re.I)
_FORWARD = re.compile(
    r"\bdepends?\s+(?:up)?on\b|\brequires?\b|\bneeds?\b|\bmust\s+wait\s+(?:for|on)\b|\bwaits?\s+for\b"
    r"|\bblocked\s+by\b|\b(?:can\s+|may\s+|must\s+)?(?:be\s+)?(?:only\s+)?(?:starts?|begins?|runs?"
    r"|comes?|follows?)\s+(?:only\s+)?(?:after|once)\b|\bafter\b|←",
    re.I,
)
_BACKWARD = re.compile(
    r"\bblocks?\b|\b(?:must\s+)?(?:be\s+)?(?:completed?|finish(?:ed)?|done|come|pass)?\s*\bbefore\b"
    r"|\bis\s+required\s+(?:by|for)\b|\bprecedes?\b|\bunblocks?\b|\benables?\b",
    re.I,
)
_DENIAL = re.compile(r"\bno\s+dependenc|\bdo(?:es)?\s+not\s+(?:depend|block)|\bno\s+blockers", re.I)
_ONCE = re.compile(r"^\W*(?:after|once|when)\s+(?P<before>[^,:]+?)\s*[,:]\s*(?P<after>.+)$", re.I)
_CLAUSES = re.compile(
    r"\s+[—–]\s+|;\s+|\.\s+(?=[A-Z])|\s+-\s+(?=[A-Za-z])|,\s+(?:but|and\s+then)\s"
)
_ARROW = re.compile(r"\s*(?:─{1,60}[►▶>→]|-{1,60}>|={1,60}>|→|⇒|➜|⟶|►)\s*")
_CHAIN = re.compile(r"\s*(?:─{2,}[►▶>→]?|-{2,}>?|→|⇒|->)\s*")


@dataclass(frozen=True)
class Sentence:
    line: int
    after: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    groups: tuple[tuple[str, str], ...] = ()
    """(before, after) between phases or stories."""
    problems: tuple[Diagnostic, ...] = ()


def read_sentences(
    visits: list[Visit], known: Known, groups: Mapping[str, tuple[str, ...]]
) -> Iterator[Sentence]:
    """Every statement, in the order of the document. `groups`: casefolded name -> task ids."""
    inner = [visit for visit in visits if _is_inside(visit)]
    reader = _Prose(known, groups, any(_tells_ids(visit) for visit in inner))
    for visit in visits:
        block = visit.block
        inside = _is_inside(visit)
        if isinstance(block, Fence):
            if inside:
                yield from reader.fence(block)
        elif isinstance(block, Item):
            if inside and block.box is None:
                yield from reader.line(Line(block.line, block.text))
        elif isinstance(block, Paragraph):
            for line in block.lines:
                if inside:
                    yield from reader.line(line)
                else:
                    yield from reader.phase_field(line, [one.text for one in visit.headings])


def _is_inside(visit: Visit) -> bool:
    path = [one.text for one in visit.headings]
    return any(_SECTION.search(one) for one in path) and not _NOT_HERE.search(path[-1])


def _tells_ids(visit: Visit) -> bool:
    """Whether it is a list item that says of task ids what they depend on."""
    block = visit.block
    return (
        isinstance(block, Item)
        and block.box is None
        and bool(_IDS.search(block.text))
        and bool(_FORWARD.search(block.text) or _BACKWARD.search(block.text))
    )


class _Prose:
    def __init__(
        self, known: Known, groups: Mapping[str, tuple[str, ...]], speaks_of_tasks: bool
    ) -> None:
        self.known = known
        self.groups = groups
        self.speaks_of_tasks = speaks_of_tasks
        """Its list names task ids; then `all stories` means their tasks as well."""

    def ids(self, text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """(known ids, unknown ids) in `text`, ranges expanded."""
        known: dict[str, None] = {}
        unknown: dict[str, None] = {}
        for hit in _ENDS.finditer(text):
            members = range_members(hit[1], hit[2]) if hit[2] else (hit[1],)
            for one in members or (hit[1], hit[2]):
                found = self.known.find(one)
                if found:
                    known[found] = None
                else:
                    unknown[one] = None
        return tuple(known), tuple(unknown)

    def line(self, line: Line) -> Iterator[Sentence]:
        text = folded(plain(line.text))
        chain = _ARROW.split(text)
        if len(chain) > 1 and all(_IDS.search(part) for part in chain):
            yield from self._chain(chain, line.number)
            return
        head, colon, tail = _head(text)
        for clause in _CLAUSES.split(tail):
            yield from self._clause(head if colon else "", clause, line.number)

    def _clause(self, head: str, clause: str, line: int) -> Iterator[Sentence]:
        once = _ONCE.match(clause)
        if once and _IDS.search(once["before"]) and _IDS.search(once["after"]):
            yield from self._statement(once["after"], once["before"], line)
            return
        forward, backward = _FORWARD.search(clause), _BACKWARD.search(clause)
        if forward is None and backward is None:
            return
        first = min((hit for hit in (forward, backward) if hit), key=lambda hit: hit.start())
        if _DENIAL.search(clause[: first.end() + 12]):
            return
        left, right = clause[: first.start()], clause[first.end() :]
        right = re.split(r"\b(?:since|because|so that|as it|to avoid)\b", right, maxsplit=1)[0]
        subject = left if _IDS.search(left) or _GROUPS.search(left) else head
        if first is backward:
            subject, right = right, subject
            if not (_IDS.search(right) or _GROUPS.search(right)):
                return
        yield from self._statement(subject, right, line)

    def _statement(self, after: str, before: str, line: int) -> Iterator[Sentence]:
        after_ids, after_unknown = self.ids(after)
        before_ids, before_unknown = self.ids(before)
        unknown = (*after_unknown, *before_unknown)
        problems: list[Diagnostic] = []
        if unknown:
            message = f"no task {', '.join(unknown[:8])}"
            problems.append(Diagnostic("unknown_dependency", line, unknown[:8], message))
        if before_ids or (_IDS.search(after) and _ALL_TASKS.search(before)):
            targets = after_ids or self._members(after)
            sources = before_ids or tuple(one for one in self.known.ids if one not in targets)
            if not after_ids and targets:
                message = f"{after.strip()[:40]!r} taken as {', '.join(targets[:12])}"
                problems.append(Diagnostic("group_dependency", line, targets[:12], message))
            yield Sentence(line, targets, sources, (), tuple(problems))
            return
        stories = self._stories() if _ALL_STORIES.search(before) else ()
        targets = after_ids or self._members(after)
        if stories and targets:
            sources = tuple(one for one in stories if one not in targets)
            message = f"all stories taken as {', '.join(sources[:12])}"
            problems.append(Diagnostic("keyword_dependency", line, targets[:12], message))
            if self.speaks_of_tasks or after_ids:
                yield Sentence(line, targets, sources, (), tuple(problems))
                return
        named = [hit.group() for hit in _GROUPS.finditer(after)][:1]
        ends = after_ids or tuple(named)
        pairs = tuple((hit.group(), end) for hit in _GROUPS.finditer(before) for end in ends)
        if pairs or problems:
            yield Sentence(line, groups=pairs, problems=tuple(problems))

    def _members(self, text: str) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for hit in _GROUPS.finditer(text):
            name = re.sub(r"user stor(?:y|ies)", "us", hit.group().casefold())
            found.update(dict.fromkeys(self.groups.get(name.replace(" ", ""), ())))
            if found:
                break
        return tuple(found)

    def _stories(self) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for name, tasks in self.groups.items():
            if re.fullmatch(r"us\d+", name):
                found.update(dict.fromkeys(tasks))
        return tuple(found)

    def phase_field(self, line: Line, path: list[str]) -> Iterator[Sentence]:
        """`**Depends on**: US1 (T002)` in the body of a phase speaks of its tasks."""
        head, colon, tail = _head(folded(plain(line.text)))
        if not colon or not path or not re.match(r"depends? on|dependenc|blocked by", head, re.I):
            return
        for name in (one.casefold() for one in reversed(path)):
            tasks = self.groups.get(plain(name), ())
            before, unknown = self.ids(tail)
            if tasks and (before or unknown) and not _DENIAL.search(tail):
                problems: tuple[Diagnostic, ...] = ()
                if unknown:
                    message = f"no task {', '.join(unknown)}"
                    problems = (Diagnostic("unknown_dependency", line.number, unknown, message),)
                yield Sentence(line.number, tasks, before, (), problems)
                return

    def fence(self, fence: Fence) -> Iterator[Sentence]:
        if not any(_IDS.search(line.text) for line in fence.lines):
            return
        if has_joins(fence.lines):
            ids, _ = self.ids("\n".join(line.text for line in fence.lines))
            message = "a drawing with joining lines; its edges are not taken"
            problem = Diagnostic("unread_drawing", fence.line, ids[:20], message)
            yield Sentence(fence.line, problems=(problem,))
            return
        above: list[tuple[int, str]] = []
        for drawn in read_drawing(fence.lines):
            text = re.split(r"\s#|//", folded(drawn.text))[0]
            parts = [part for part in _CHAIN.split(text) if part.strip()]
            if not parts or not _IDS.search(parts[0]):
                continue
            first, _ = self.ids(parts[0])
            while above and above[-1][0] >= drawn.depth:
                above.pop()
            if drawn.is_branch and above and first:
                yield Sentence(drawn.line, first, (above[-1][1],))
            if first:
                above.append((drawn.depth, first[-1]))
            if len(parts) > 1:
                yield from self._chain(parts, drawn.line)

    def _chain(self, parts: list[str], line: int) -> Iterator[Sentence]:
        previous: tuple[str, ...] = ()
        for part in parts:
            ids, unknown = self.ids(part)
            problems: tuple[Diagnostic, ...] = ()
            if unknown:
                message = f"no task {', '.join(unknown)}"
                problems = (Diagnostic("unknown_dependency", line, unknown, message),)
            if (previous and ids) or problems:
                yield Sentence(line, ids if previous else (), previous, (), problems)
            previous = ids


def _head(text: str) -> tuple[str, str, str]:
    """`US1 (Phase 2): Depends on ...` -> (subject, colon, rest); no colon, no subject."""
    hit = re.match(r"^(?P<head>[^:：]{1,90}?)[:：]\s*(?P<tail>.*)$", text)
    told = hit is not None and _FORWARD.search(hit["head"])
    if hit is None or (told and not hit["head"].lower().startswith("depend")):
        return "", "", text
    return hit["head"], ":", hit["tail"]
