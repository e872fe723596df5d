"""Free documents of parallel work: waves or batches, agents, tasks, in whatever layout.

Several documents of one plan (a plan and its tracker) are joined by task id:
the one with the most tasks leads, the others add dependencies and status.
"""

from __future__ import annotations

import re
from itertools import pairwise

from wavecrew.plan.readers.builder import PlanBuilder
from wavecrew.plan.readers.markdown import Document
from wavecrew.plan.readers.model import Edge, ImportedPlan
from wavecrew.plan.readers.source import Source, SourceFile
from wavecrew.plan.readers.waves_agents import agents_as_tasks
from wavecrew.plan.readers.waves_claims import read_claims, read_sync_points
from wavecrew.plan.readers.waves_document import DocumentReader
from wavecrew.plan.readers.waves_entries import Entries
from wavecrew.plan.readers.waves_links import link
from wavecrew.plan.readers.waves_words import SEQUENTIAL, Group, short_of


class Waves:
    name = "waves"

    def claims(self, source: Source) -> float:
        return max((_sureness(file) for file in source.ending(".md", ".markdown")), default=0.0)

    def read(self, source: Source) -> ImportedPlan:
        builder = PlanBuilder(self.name)
        read = [_read(builder, file, source.is_folder) for file in source.files if _is_text(file)]
        read = [one for one in read if one[1].all]
        if not read:
            return builder.plan()
        read.sort(key=lambda one: -len(one[1].all))
        document, entries = read[0]
        for _, other in read[1:]:
            _join(entries, other)
        for entry in entries.all:
            builder.add(entry.draft)
        link(entries)
        for document, _ in read:
            read_claims(builder, document)
            read_sync_points(builder, document)
        _barriers(builder)
        return builder.plan()


def _is_text(file: SourceFile) -> bool:
    return file.suffix in (".md", ".markdown", ".mdx", ".txt", "")


def _sureness(file: SourceFile) -> float:
    text = file.text
    groups = len(
        re.findall(
            r"^#{1,5}\s+.{0,6}(?:Wave|Batch|Phase|(?:Work\s?)?Stream|Track|Stage|Sprint)\s+\w",
            text,
            re.I | re.M,
        )
    )
    tasks = len(
        re.findall(
            r"^(?:#{2,6}\s+|\W{0,12})\W{0,4}(?:Task\s+[A-Z]?-?|[A-Z]{1,4}[-.]|\d+\.)\d+(?:\.\d+)*\b",
            text,
            re.I | re.M,
        )
    )
    agents = len(
        re.findall(r"^#{2,6}\s+\W{0,4}(?:Agent|Stream|Track)\s+#?\w+\W", text, re.I | re.M)
    )
    tables = bool(re.search(r"^\|[^\n]{0,200}\b(?:tasks?|issues?|agents?)\b", text, re.I | re.M))
    words = bool(
        re.search(
            r"\b(?:parallel|waves?|batch|agents?|work\s?streams?|tracks?)\b", text[:20_000], re.I
        )
    )
    if not words or not (groups or tasks):
        return 0.0
    if groups and (tasks >= 2 or tables):
        return 0.62
    return 0.5 if groups >= 2 or tasks >= 2 or agents >= 2 else 0.2


def _read(builder: PlanBuilder, file: SourceFile, in_folder: bool) -> tuple[Document, Entries]:
    document = builder.open(file.text)
    entries = Entries(builder, file.name if in_folder else None)
    DocumentReader(entries, document).run()
    if not entries.all:
        entries.statements.clear()
        agents_as_tasks(entries, document)
    return document, entries


def _join(entries: Entries, other: Entries) -> None:
    """What a second document says of the same tasks."""
    members = {one for entry in entries.all for one in entry.draft.range_members}
    for entry in other.all:
        draft = entry.draft
        first = entries.by_id.get(draft.id)
        if first is None:
            if draft.id not in members:
                entries.by_id[draft.id] = entry
                entries.all.append(entry)
            continue
        known = first.draft
        known.done = known.done or draft.done
        known.agent = known.agent or draft.agent
        known.files = tuple(dict.fromkeys((*known.files, *draft.files)))
        if known.estimate is None:
            known.estimate = draft.estimate
        elif draft.estimate is not None and draft.estimate != known.estimate:
            message = f"{known.estimate.low:g} hours here, {draft.estimate.low:g} in {draft.file}"
            entries.builder.report("contradicts_companion", known.line, (known.id,), message)
        if known.title.casefold() != draft.title.casefold():
            message = f"{known.title!r} here, {draft.title!r} in {draft.file}"
            entries.builder.report("title_differs", known.line, (known.id,), message)
    entries.statements += other.statements


def _barriers(builder: PlanBuilder) -> None:
    """Waves in a row imply that each waits for the one before, unless more is stated."""
    stated = {edge.after for edge in builder.edges if edge.kind == "group"}
    used = {draft.group for draft in builder.drafts}
    rows: dict[str, list[str]] = {}
    for name in builder.groups:
        group = Group.of(name)
        word = group.short.split()[0] if group else ""
        if name in used and word in SEQUENTIAL:
            rows.setdefault(word, []).append(name)
    for names in rows.values():
        for before, after in pairwise(sorted(names, key=_position)):
            if after not in stated:
                builder.edges.setdefault(Edge("barrier", before, after, builder.groups[after]))


def _position(name: str) -> tuple[float, str]:
    short = short_of(name).split()
    number = re.match(r"#?(\d+(?:\.\d+)?)", short[1]) if len(short) > 1 else None
    return (float(number[1]) if number else 1e9, name)
