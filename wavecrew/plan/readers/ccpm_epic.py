"""What does `epic.md` of ccpm say about its tasks: their list, their totals, its own state?"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from wavecrew.plan.readers.checklist import FRONT_LINES, LONGEST_LINE, readable
from wavecrew.plan.readers.estimates import estimate
from wavecrew.plan.readers.front import read_front
from wavecrew.plan.readers.markdown import Item, parse_markdown
from wavecrew.plan.readers.model import Claim, ImportedTask
from wavecrew.plan.readers.notes import Notes
from wavecrew.plan.readers.source import SourceFile

DONE = frozenset({"closed", "completed", "complete", "done"})

_ENTRY = re.compile(r"(?:Task\s+)?#?(?P<id>\d{1,8})(?:\.md)?\s*(?:-|–|—|:)\s*(?P<title>\S.*)")
_DEPENDS = re.compile(r"depends(?:[ _]on)?\s*:\s*(?P<ids>.*)$")
_MAPPED = re.compile(r"^\s*[-*]\s+#(?P<id>\d{1,8})\s*:\s*\"?(?P<title>.*?)\"?\s+-\s+http")
_TOTAL_TASKS = re.compile(r"^\W*total tasks\W{0,6}:\W{0,6}(?P<count>\d{1,6})", re.IGNORECASE)
_TOTAL_HOURS = re.compile(
    r"^\W*(?:estimated )?total (?:estimated )?effort\W{0,6}:\W{0,6}(?P<text>.*)", re.I
)


@dataclass(frozen=True)
class Entry:
    id: str
    title: str
    line: int
    done: bool
    deps: tuple[str, ...] | None
    """Ids as written; None when the entry does not speak of them."""


@dataclass
class Epic:
    name: str = ""
    status: str = ""
    status_line: int = 0
    file: str | None = None
    entries: list[Entry] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    mapped: dict[str, str] = field(default_factory=dict)
    """Title -> issue number, from github-mapping.md."""

    def mapping(self, titles: dict[str, str], known: set[str]) -> dict[str, str]:
        """Id in the list of the epic -> id of the file with the same title, where sure."""
        found = {}
        for entry in self.entries:
            now = titles.get(entry.title) or self.mapped.get(entry.title)
            if now in known and now is not None:
                found[entry.id] = now
        return found

    def as_tasks(self, group: str) -> list[ImportedTask]:
        """The list itself, when the files of the tasks are not there."""
        return [
            ImportedTask(
                id=one.id,
                title=one.title,
                line=one.line,
                deps=one.deps or (),
                group=group,
                done=one.done,
                file=self.file,
            )
            for one in self.entries
        ]

    def compare(self, tasks: Sequence[ImportedTask], notes: Notes) -> None:
        """Report where the epic and the files of its tasks disagree."""
        by_id = {task.id: task for task in tasks}
        if self.status in DONE and (left := [task.id for task in tasks if not task.done]):
            message = f"the epic is {self.status}, but {len(left)} of its tasks are open"
            notes.add("epic_done_tasks_open", self.status_line, message, *left, file=self.file)
        now = self.mapping({task.title: task.id for task in tasks}, set(by_id))
        for entry in self.entries:
            task = by_id.get(now.get(entry.id, entry.id))
            if task is None:
                message = f"the epic lists {entry.id}, which has no file"
                notes.add("missing_file", entry.line, message, entry.id, file=self.file)
                continue
            if entry.done != task.done:
                words = ("open", "done")
                message = (
                    f"{task.id} is {words[entry.done]} in the epic and "
                    f"{words[task.done]} in its own file, which counts"
                )
                notes.add("conflicting_status", entry.line, message, task.id, file=self.file)
            here = {now.get(one, one) for one in entry.deps or ()}
            if entry.deps is not None and task.deps and here != set(task.deps):
                differ = sorted(here ^ set(task.deps))
                message = f"the epic and the file of {task.id} disagree about {', '.join(differ)}"
                notes.add(
                    "conflicting_dependency", entry.line, message, task.id, *differ, file=self.file
                )


def read_epic(
    file: SourceFile | None,
    mapping: SourceFile | None,
    notes: Notes,
    shown: Callable[[SourceFile], str | None],
) -> Epic:
    epic = Epic()
    for line in mapping.lines if mapping is not None else ():
        if found := _MAPPED.match(line[:LONGEST_LINE]):
            epic.mapped.setdefault(found["title"], found["id"])
    if file is None:
        return epic
    epic.file = shown(file)
    document = parse_markdown(readable(file, notes, epic.file))
    front = read_front(document.front[:FRONT_LINES], epic.file)
    for one in front.diagnostics:
        notes.add(one.kind, one.line, one.message, *one.ids, file=one.file)
    epic.name = str(front.data.get("name") or "")
    epic.status = str(front.data.get("status") or "").casefold()
    epic.status_line = front.lines.get("status", 0)
    for visit in document.walk():
        block = visit.block
        listed = any("task" in one.text.casefold() for one in visit.headings)
        if isinstance(block, Item) and block.box is not None and listed and not visit.parents:
            entry = _entry(block)
            if entry is not None:
                epic.entries.append(entry)
    _totals(epic, file)
    return epic


def _entry(item: Item) -> Entry | None:
    found = _ENTRY.fullmatch(item.text)
    if found is None:
        return None
    deps = None
    title, bracket, remark = found["title"].rstrip(" \t✅✔☑\ufe0f").rpartition("(")
    if not bracket or not re.search("parallel|depends", remark):
        title = title + bracket + remark
    else:
        stated = _DEPENDS.search(remark)
        deps = tuple(re.findall(r"\d{1,8}", stated["ids"])) if stated else ()
    done = (item.box or " ") in "xX"
    return Entry(found["id"], title.strip("*` "), item.line, done, deps)


def _totals(epic: Epic, file: SourceFile) -> None:
    for number, whole in enumerate(file.lines, 1):
        text = whole[:LONGEST_LINE]
        if found := _TOTAL_TASKS.match(text):
            epic.claims.append(Claim("task_count", float(found["count"]), number))
        found = _TOTAL_HOURS.match(text)
        span = estimate(found["text"]) if found else None
        if span is not None and not span.assumes_day:
            high = span.high if span.hours is None else None
            epic.claims.append(Claim("total_hours", span.low, number, high))
