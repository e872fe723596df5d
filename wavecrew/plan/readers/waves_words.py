"""The words of wave documents: what a heading, a field or a column is called."""

from __future__ import annotations

import re
from typing import NamedTuple

from wavecrew.plan.readers.markdown import Visit
from wavecrew.plan.readers.phrases import plain

NEEDS = frozenset(
    (
        "dependencies",
        "dependency",
        "depends on",
        "depends",
        "deps",
        "blocked by",
        "prerequisites",
        "prerequisite",
        "requires",
        "needs",
        "dependent on",
    )
)
BLOCKS = frozenset(("blocks", "blocking", "unblocks", "enables", "blocker for"))
AGENT = frozenset(
    (
        "agent",
        "assigned agent",
        "agent type",
        "assigned to",
        "assignee",
        "owner",
        "specialist",
        "executor",
        "agents",
        "responsible",
        "assigned",
        "subagent",
        "role",
    )
)
HOURS = frozenset(
    (
        "hours",
        "estimated hours",
        "estimated time",
        "estimate",
        "effort",
        "duration",
        "time",
        "estimated effort",
        "estimated duration",
        "time estimate",
        "est. time",
        "est",
        "est.",
        "size",
        "est. hours",
        "est. duration",
        "est. effort",
        "effort estimate",
        "hours (est)",
        "estimation",
    )
)
STATUS = frozenset(("status", "state"))
FILES = frozenset(
    (
        "files",
        "file",
        "location",
        "files to modify",
        "files to create",
        "files modified",
        "files owned",
        "owned files",
        "scope",
        "target files",
        "modifies",
    )
)
COLUMNS: dict[str, frozenset[str]] = {
    "id": frozenset(
        ("id", "task id", "agent id", "task no", "task number", "no", "nr", "issue", "ticket", "#")
    ),
    "title": frozenset(
        [
            "task",
            "title",
            "name",
            "description",
            "task name",
            "work item",
            "feature",
            "deliverable",
            "mission",
            "focus",
            "task description",
            "story",
            "scope",
            "work",
        ]
    ),
    "hours": HOURS,
    "agent": AGENT,
    "needs": NEEDS,
    "blocks": BLOCKS,
    "status": STATUS,
    "group": frozenset(("wave", "phase", "batch", "stage", "track", "stream", "sprint")),
    "files": FILES,
}

_ASIDE = re.compile(
    r"risk|mitigation|benefit|protocol|message|dashboard|template|example|success criteria"
    r"|acceptance|checklist|metrics|legend|guideline|validation|rollback|commit strategy|references"
    r"|lessons|changelog|glossary|appendix|monitoring|troubleshoot",
    re.I,
)
_GROUP = re.compile(
    r"^\W*(?P<word>wave|batch|phase|stage|round|track|stream|work\s?stream|group|sprint|milestone"
    r"|lane|parallel group|epic|iteration|tier)"
    r"(?:\s*(?P<name>#?\d+(?:\.\d+)*[a-z]?\b)|\s+(?P<word_name>[A-Z]\b|final\b|zero\b))",
    re.I,
)
_COUNT = re.compile(r"\s*\(\s*\d+\s+(?:\w+\s+)?agents?\b[^)]*\)\s*$", re.I)
SEQUENTIAL = ("wave", "batch", "phase", "stage", "round", "sprint", "iteration")


class Group(NamedTuple):
    name: str
    """The heading, without a count of agents."""
    short: str
    """`wave 1`, casefolded."""
    line: int = 0

    @classmethod
    def of(cls, text: str, line: int = 0) -> Group | None:
        """The group a heading opens, or None."""
        bare = plain(text).strip(" []:")
        hit = _GROUP.match(bare)
        if hit is None:
            return None
        word = " ".join(hit["word"].casefold().split())
        name = re.sub(r"^\W+", "", _COUNT.sub("", bare))
        return cls(name, f"{word} {(hit['name'] or hit['word_name']).casefold()}", line)


def short_of(text: str) -> str:
    """`Batch 0` as in `Group.short`; empty when it names no group."""
    group = Group.of(text)
    return group.short if group else ""


def group_of(visit: Visit) -> Group | None:
    """The outermost group heading above."""
    for heading in visit.headings:
        group = Group.of(heading.text, heading.line)
        if group is not None:
            return group
    return None


def is_aside(visit: Visit) -> bool:
    """Whether it stands in a chapter that only talks about tasks."""
    return any(_ASIDE.search(one.text) and Group.of(one.text) is None for one in visit.headings)
