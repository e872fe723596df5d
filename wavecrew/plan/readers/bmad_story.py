"""What are the tasks of a single BMAD story? `## Tasks / Subtasks` of its file."""

from __future__ import annotations

import re
from itertools import pairwise

from wavecrew.plan.readers.checklist import box_state, plain_title, readable
from wavecrew.plan.readers.markdown import Item, parse_markdown
from wavecrew.plan.readers.model import Edge, ImportedPlan, ImportedTask
from wavecrew.plan.readers.notes import Notes
from wavecrew.plan.readers.source import SourceFile

_HEAD = re.compile(r"^#\s+Story\s+\d", re.MULTILINE | re.IGNORECASE)
_TASKS = re.compile(r"^##\s+Tasks\s*/\s*Subtasks", re.MULTILINE | re.IGNORECASE)
_TASK = re.compile(
    r"(?:\*\*)?(?:(?:Task|Subtask)\s+)?(?P<id>\d{1,5}(?:\.\d{1,5})*)\s*[:.—–-]?\s+(?P<title>\S.*)",
    re.IGNORECASE,
)
_CRITERIA = re.compile(r"(?<!\s)\s*\(ACs?\s*:?[^()]*\)\s*$", re.IGNORECASE)


def is_story(file: SourceFile) -> bool:
    return bool(_TASKS.search(file.text)) and bool(_HEAD.search(file.text))


def read_story(file: SourceFile, notes: Notes) -> ImportedPlan:
    """The checkboxes as tasks; those without a number are numbered by their place."""
    tasks: list[ImportedTask] = []
    owners: dict[int, str] = {}
    counts: dict[str, int] = {}
    for visit in parse_markdown(readable(file, notes)).walk():
        block = visit.block
        under = any("subtasks" in one.text.casefold() for one in visit.headings)
        if not isinstance(block, Item) or block.box is None or not under:
            continue
        parent = next(
            (owners[id(one)] for one in reversed(visit.parents) if id(one) in owners), None
        )
        counts[parent or ""] = counts.get(parent or "", 0) + 1
        found = _TASK.fullmatch(block.text)
        if found is not None:
            id_, title = found["id"], found["title"]
        else:
            id_ = f"{parent}.{counts[parent]}" if parent else str(counts[""])
            title = block.text
            message = f"{title[:60]!r} has no number, called {id_} here"
            notes.add("missing_id", block.line, message, id_)
        owners[id(block)] = id_
        title = plain_title(_CRITERIA.sub("", title), opened=block.text.startswith("**"))
        done = box_state(block.box, id_, block.line, notes)
        tasks.append(ImportedTask(id_, title, block.line, done=done, parent=parent))
    parents = {task.parent for task in tasks}
    leaves = [task for task in tasks if task.id not in parents]
    edges = tuple(Edge("order", one.id, two.id, two.line) for one, two in pairwise(leaves))
    return ImportedPlan("bmad", tuple(tasks), edges, (), notes.done())
