"""Which tasks does a free wave document define, when it names one task in many places?

A task may stand in a tree, under a heading of its own, in a table and in a
list. The strongest place gives title and line, the others add what it lacks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from wavecrew.plan.readers.builder import Draft, PlanBuilder
from wavecrew.plan.readers.phrases import plain
from wavecrew.plan.readers.references import range_members

Place = Literal["list", "tree", "table", "heading"]
_STRENGTH: dict[Place, int] = {"list": 0, "tree": 1, "table": 2, "heading": 3}

KEYWORD = r"(?:tasks?|sub-?task|issue|ticket|story|work\s?package|work\s?item|wp|feature)"
NUMBER = r"(?:[A-Z]{1,6}[A-Za-z]{0,4}[-_.]?)?\d+(?:\.\d+){0,4}[A-Za-z]?"
IDENTITY = rf"{NUMBER}(?:\s*(?:-|–|—|to)\s*{NUMBER})?"
_RANGE = re.compile(rf"^({NUMBER})\s*(?:-|–|—|to)\s*({NUMBER})$")


@dataclass
class Entry:
    draft: Draft
    place: Place
    file: str | None = None
    status: str = ""


@dataclass
class Statement:
    """Something said about dependencies, resolved once all tasks are known."""

    kind: Literal["needs", "blocks", "prose", "chain"]
    text: str
    line: int
    task: str | None = None
    group: str | None = None


@dataclass
class Entries:
    builder: PlanBuilder
    file: str | None = None
    by_id: dict[str, Entry] = field(default_factory=dict)
    all: list[Entry] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)

    def define(
        self,
        place: Place,
        identity: str,
        title: str,
        line: int,
        *,
        group: str | None = None,
        agent: str | None = None,
    ) -> Entry:
        """Add the task, or add to what is known of it."""
        identity, members = identity_of(identity)
        known = self.by_id.get(identity)
        if known is None:
            return self._new(place, identity, members, title, line, group, agent)
        draft = known.draft
        if place == known.place == "heading" and plain(title) != draft.title:
            return self._new(place, identity, members, title, line, group, agent)
        if _STRENGTH[place] > _STRENGTH[known.place]:
            known.place = place
            draft.title, draft.line = plain(title) or draft.title, line
            draft.group = draft.group or group
            draft.agent = agent or draft.agent
        else:
            draft.group = draft.group or group
            draft.agent = draft.agent or agent
        return known

    def _new(
        self,
        place: Place,
        identity: str,
        members: tuple[str, ...],
        title: str,
        line: int,
        group: str | None,
        agent: str | None,
    ) -> Entry:
        draft = Draft(identity, plain(title), line, group, agent, file=self.file)
        draft.range_members = members
        entry = Entry(draft, place, self.file)
        self.by_id.setdefault(identity, entry)
        self.all.append(entry)
        if members:
            message = f"{len(members)} tasks share one title and one estimate"
            self.builder.report("range_task", line, (identity,), message)
        return entry

    def say(
        self,
        kind: Literal["needs", "blocks", "prose", "chain"],
        text: str,
        line: int,
        *,
        task: str | None = None,
        group: str | None = None,
    ) -> None:
        self.statements.append(Statement(kind, text, line, task, group))


def identity_of(written: str) -> tuple[str, tuple[str, ...]]:
    """(id, members): `4.2 – 4.5` is the range `4.2-4.5` of four."""
    bare = plain(written).strip()
    hit = _RANGE.match(bare)
    members = range_members(hit[1], hit[2]) if hit else ()
    return (f"{hit[1]}-{hit[2]}", members) if hit and members else (bare, ())


STATUS_DONE = re.compile(
    r"✅|✔|\b(?:done|completed?|finished|merged|closed|shipped)\b|已完成|完了", re.I
)
STATUS_OPEN = re.compile(
    r"\b(?:not|in)[\s_-]|\bpending|\bready|\bblocked|\btodo|\bto do|%|\bincomplete|\bpartial"
    r"|⏳|🔴|🟡|\bwhen\b|\bif\b",
    re.I,
)


def is_done(status: str) -> bool:
    """Whether a status word says so; `not done`, `in progress` and `50% complete` do not."""
    return bool(STATUS_DONE.search(status)) and not STATUS_OPEN.search(status)
