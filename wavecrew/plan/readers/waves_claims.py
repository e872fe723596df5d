"""Which numbers does a wave document claim, and where does it want to come together?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from wavecrew.plan.readers.builder import PlanBuilder
from wavecrew.plan.readers.estimates import estimate
from wavecrew.plan.readers.markdown import Document, Heading, Item, Paragraph, Visit
from wavecrew.plan.readers.model import Claim, Gate
from wavecrew.plan.readers.phrases import plain
from wavecrew.plan.readers.waves_words import Group, group_of, short_of

_SEQUENTIAL = re.compile(
    r"\bsingle agent\b|\bsequential(?:ly)?\b|\btotal (?:\w+ )?(?:hours|effort|agent-hours)\b"
    r"|\bagent-hours\b",
    re.I,
)
_PARALLEL = re.compile(
    r"\bparallel\b|\bwall[- ]?(?:clock)?\b|\bwith \d+ (?:\w+ )?agents\b|\bmakespan\b", re.I
)
_HOURS = re.compile(r"~?\d+(?:\.\d+)?(?:\s*[-–]\s*\d+(?:\.\d+)?)?\s*(?:hours?|hrs?|h)\b", re.I)
_TASKS = re.compile(r"\btotal (?:number of )?tasks\W{1,8}(\d+)", re.I)
_OF = re.compile(r"\btasks\W{1,6}\d+\s*/\s*(\d+)\b|\bready tasks\W{1,6}\d+\s*/\s*(\d+)", re.I)
_PEAK = re.compile(r"\b(?:max(?:imum)?|peak) (?:concurren\w+|parallel\w*)\W{1,8}(\d+)", re.I)
_AGENTS = re.compile(r"\((\d+) (?:\w+ )?agents?\b[^)]*\)", re.I)
_WITH = re.compile(r"\bwith (\d+) (?:\w+ )?agents\b", re.I)
_SYNC = re.compile(
    r"synchron|sync point|coordination point|integration point|checkpoint|gates?\b", re.I
)
_POINT = re.compile(
    r"^\W*(?P<when>after|before|between)\s+(?P<what>[^:*]+?)\W*[:：]\W*(?P<text>.*)$", re.I
)
_GROUP_TASKS = re.compile(r"\(tasks?\s+(?P<ids>[^)]*)\)", re.I)
_VERSUS = re.compile(r"total time\W+(?P<one>[^(]*)\(vs\.?\s+(?P<two>[^)]*)\)", re.I)


def read_claims(builder: PlanBuilder, document: Document) -> None:
    """Numbers the document states about itself; fences are left out."""
    seen: set[tuple[str, float]] = set()
    for visit in document.walk():
        for text, line in _texts(visit):
            for claim in _claims(text, line, visit):
                key = (claim.kind, claim.value)
                if claim.ids or key not in seen:
                    builder.claims.append(claim)
                    seen.add(key)
        if isinstance(visit.block, Item):
            _independent_group(builder, visit.block, visit)


def _claims(text: str, line: int, visit: Visit) -> Iterator[Claim]:
    group = Group.of(text) if isinstance(visit.block, Heading) else group_of(visit)
    ids = (group.name,) if group else ()
    if isinstance(visit.block, Heading) and group and (agents := _AGENTS.search(text)):
        yield Claim("agents", float(agents[1]), line, ids=ids)
    if tasks := _TASKS.search(text):
        yield Claim("task_count", float(tasks[1]), line)
    elif of := _OF.search(text):
        yield Claim("task_count", float(of[1] or of[2]), line)
    if peak := _PEAK.search(text):
        yield Claim("max_concurrent", float(peak[1]), line, ids=ids)
    if _VERSUS.search(text) or re.search(r"\bvs\.?\b|→|dependency", text) or len(text) > 160:
        return
    hours = _HOURS.search(text)
    span = estimate(hours.group()) if hours else None
    if span is None or visit.parents:
        return
    if _SEQUENTIAL.search(text):
        yield Claim("total_hours", span.low, line, _upper(span.low, span.high), ids)
    elif _PARALLEL.search(text):
        if agents := _WITH.search(text):
            yield Claim("agents", float(agents[1]), line, ids=ids)
        yield Claim("parallel_hours", span.low, line, _upper(span.low, span.high), ids)


def _upper(low: float, high: float) -> float | None:
    return high if high != low else None


def _independent_group(builder: PlanBuilder, item: Item, visit: Visit) -> None:
    """`**Storage** (Tasks 1.1, 1.2)` with `Total time: 8 hours (vs 20 hours sequential)`."""
    if visit.parents or not any("independent" in one.text.casefold() for one in visit.headings):
        return
    listed = _GROUP_TASKS.search(item.text)
    name = plain(item.text.split("(")[0])
    if listed is None:
        message = f"{name!r} is work without a task: no id, no hours, nobody"
        builder.report("untracked_work", item.line, (), message)
        return
    ids = builder.refer(listed["ids"], item.line).ids
    for child in item.children:
        text = child.text if isinstance(child, Item | Paragraph) else ""
        line = child.line
        both = _VERSUS.search(text)
        if both:
            for kind, part in (("parallel_hours", both["one"]), ("total_hours", both["two"])):
                span = estimate(part)
                if span:
                    builder.claims.append(Claim(kind, span.low, line, None, ids))


def read_sync_points(builder: PlanBuilder, document: Document) -> None:
    """`**After Wave 1**: text` and its like, in a chapter about synchronisation."""
    groups = {short_of(name): name for name in builder.groups}
    for visit in document.walk():
        block = visit.block
        if not isinstance(block, Item) or visit.parents:
            continue
        if not any(_SYNC.search(one.text) for one in visit.headings):
            continue
        hit = _POINT.match(block.text)
        if hit is None:
            continue
        text = plain(block.text)
        refs = builder.refer(hit["what"], block.line)
        named = [groups[short_of(one)] for one in refs.groups if short_of(one) in groups]
        ends = (*refs.ids, *named)
        is_after = hit["when"].lower() == "after"
        gate = Gate(
            "sync",
            text,
            block.line,
            after=ends if is_after else (),
            before=() if is_after else ends,
        )
        builder.gates.append(gate)
        if not ends:
            message = f"no task or wave is called {plain(hit['what'])!r}"
            builder.report("vague_sync_point", block.line, (), message)
        elif is_after and not named:
            message = "it does not say which tasks wait for it"
            builder.report("vague_sync_point", block.line, ends, message)


def _texts(visit: Visit) -> Iterator[tuple[str, int]]:
    block = visit.block
    if isinstance(block, Heading | Item):
        yield plain(block.text), block.line
    elif isinstance(block, Paragraph):
        for line in block.lines:
            yield plain(line.text), line.number
