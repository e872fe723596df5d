"""What does a claude-task-master file say? `.taskmaster/tasks/tasks.json`, tagged or legacy.

A tag is a task list of its own: ids count per tag, and a dependency never
leaves its tag. `5.2` is subtask 2 of task 5; a bare number inside a subtask
means its sibling.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from wavecrew.plan.json_positions import Array, Number, Object, parse_json
from wavecrew.plan.problem import Place, PlanRejected, Problem
from wavecrew.plan.readers.estimates import Estimate, estimate
from wavecrew.plan.readers.model import Edge, ImportedPlan, ImportedTask
from wavecrew.plan.readers.notes import Notes
from wavecrew.plan.readers.source import Source, SourceFile

DONE = frozenset({"done", "completed"})
OPEN = frozenset({"pending", "in-progress", "review", "deferred", "cancelled", "blocked"})
PRIORITIES = frozenset({"high", "medium", "low", "critical"})
LEGACY_TAG = "master"

_KEYS = tuple(re.compile(rf'"{key}"\s*:') for key in ("tasks", "id", "title", "dependencies"))


class TaskMasterReader:
    name = "taskmaster"

    def claims(self, source: Source) -> float:
        file = _file(source)
        if file is None or not file.text.lstrip().startswith("{"):
            return 0.0
        return 0.9 if all(key.search(file.text) for key in _KEYS) else 0.0

    def read(self, source: Source) -> ImportedPlan:
        file = _file(source)
        if file is None:
            raise _refused(source.path, 0, "there is no tasks.json here")
        root = parse_json(file.text, file.name)
        if not isinstance(root, Object):
            raise _refused(file.name, 1, "the file holds no tags and no list of tasks")
        notes = Notes()
        lists = list(_lists(root, notes))
        if not lists:
            raise _refused(file.name, 1, "no list here has tasks with id, title and dependencies")
        tags = [_Tag(name, notes).read(tasks) for name, tasks in lists]
        tasks = tuple(task for tag in tags for task in tag.tasks)
        for tag in tags:
            tag.note_cancelled()
        _note_shared_ids(tags, notes)
        for tag in tags:
            tag.note_values()
        return ImportedPlan(
            format=self.name,
            tasks=tasks,
            edges=tuple(edge for tag in tags for edge in tag.edges),
            diagnostics=notes.done(),
            groups=tuple(tag.name for tag in tags),
        )


def _file(source: Source) -> SourceFile | None:
    found = [file for file in source.ending(".json") if file.name.endswith("tasks.json")]
    return found[0] if len(found) == 1 else source.only


def _lists(root: Object, notes: Notes) -> Iterator[tuple[str, Array]]:
    """(tag, its tasks) for every list task-master itself reads; the rest is reported."""
    holders = [(LEGACY_TAG, root)]
    holders += [(tag, value) for tag, value in root.items() if isinstance(value, Object)]
    found: dict[str, Array] = {}
    sure = any(_task_list(holder.get("tasks")) is not None for _, holder in holders)
    for tag, holder in holders:
        tasks = _task_list(holder.get("tasks"), linked=not sure)
        if tasks is not None and tag in found:
            message = f"tag {tag!r} has a second list here; the one at the top of the file is read"
            notes.add("duplicate_list_conflict", holder.line, message, tag)
        elif tasks is not None:
            found[tag] = tasks
    yield from found.items()
    yield from _below_tags(root, found, notes)


def _below_tags(root: Object, found: dict[str, Array], notes: Notes) -> Iterator[tuple[str, Array]]:
    """Lists under a key `tags`, no place of task-master's: taken when there is nothing else."""
    tags = root.get("tags")
    if not isinstance(tags, Object):
        return
    for tag, value in tags.items():
        tasks = _task_list(value.get("tasks") if isinstance(value, Object) else value)
        line = tags.line_of(tag)
        if tasks is None:
            continue
        if not found:
            message = f"the list of tag {tag!r} stands under 'tags', where task-master has none"
            notes.add("nonstandard_shape", line, message, tag)
            yield tag, tasks
            continue
        message = f"{len(tasks)} tasks under 'tags' are left out: task-master does not read them"
        notes.add("nonstandard_shape", line, message, tag)
        if tag in found and (differ := _different(found[tag], tasks)):
            message = f"tag {tag!r} is listed twice, and the two lists differ"
            notes.add("duplicate_list_conflict", line, message, *differ)


def _task_list(value: Any, *, linked: bool = True) -> Array | None:
    """`value` when it is a list whose members have id, title and, once at least, dependencies.

    `linked` false: the file is task-master's beyond doubt, so id and title are enough.
    """
    if not isinstance(value, Array):
        return None
    members = [one for one in value if isinstance(one, Object)]
    named = [one for one in members if "title" in one and "id" in one]
    is_linked = any("dependencies" in one or "subtasks" in one for one in named)
    return value if is_linked or (named and not linked) else None


def _different(first: Array, second: Array) -> list[str]:
    def told(tasks: Array) -> dict[str, tuple[str, str]]:
        members = [one for one in tasks if isinstance(one, Object)]
        return {
            str(one.get("id")): (str(one.get("title")), str(one.get("status"))) for one in members
        }

    one, other = told(first), told(second)
    return [id_ for id_ in {**one, **other} if one.get(id_) != other.get(id_)]


@dataclass
class _Tag:
    name: str
    notes: Notes
    tasks: list[ImportedTask] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    cancelled: set[str] = field(default_factory=set)
    lines: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    priorities: dict[str, tuple[int, list[str]]] = field(default_factory=dict)
    statuses: dict[str, tuple[int, list[str]]] = field(default_factory=dict)

    def read(self, listed: Array) -> _Tag:
        top = {_text(one.get("id")) for one in listed if isinstance(one, Object)}
        for number, (entry, line) in enumerate(listed.with_lines(), 1):
            if not isinstance(entry, Object):
                self.notes.add("not_a_task", line, f"member {number} of the list is no task")
                continue
            id_ = self._id(entry, str(number))
            self._task(entry, id_, None, self._ids(entry, "dependencies", id_))
            self._subtasks(entry, id_, top)
        return self

    def _subtasks(self, entry: Object, parent: str, top: set[str]) -> None:
        listed = entry.get("subtasks")
        if listed is None:
            return
        if not isinstance(listed, Array):
            self.notes.add("bad_value", entry.line_of("subtasks"), "subtasks are no list", parent)
            return
        members = [one for one in listed if isinstance(one, Object)]
        if len(members) < len(listed):
            message = f"{len(listed) - len(members)} subtasks of {parent} are no tasks"
            self.notes.add("not_a_task", listed.line, message, parent)
        ids = [
            _full(parent, self._id(one, str(number), parent))
            for number, one in enumerate(members, 1)
        ]
        siblings = set(ids)
        for one, id_ in zip(members, ids, strict=True):
            deps = []
            for dep, line in self._ids(one, "dependencies", id_):
                deps.append((self._meant(dep, id_, parent, siblings, top, line), line))
            self._task(one, id_, parent, deps)
            if one.get("subtasks"):
                message = f"subtasks of the subtask {id_} are left out: there is one level of them"
                self.notes.add("nested_subtasks", one.line_of("subtasks"), message, id_)

    def _meant(
        self, dep: str, id_: str, parent: str, siblings: set[str], top: set[str], line: int
    ) -> str:
        """The full id that a subtask's dependency stands for."""
        if "." in dep or f"{parent}.{dep}" in siblings:
            return dep if "." in dep else f"{parent}.{dep}"
        if dep in siblings or dep in top:
            if dep in top:
                message = f"{id_} needs {dep}: no sibling has that id, so task {dep} is meant"
                self.notes.add("subtask_dependency_scope", line, message, id_, dep)
            return dep
        return f"{parent}.{dep}" if dep.isdigit() else dep

    def _id(self, entry: Object, number: str, parent: str = "") -> str:
        id_ = _text(entry.get("id"))
        if id_:
            return id_
        made = number if parent else f"task-{number}"
        message = f"{_full(parent, made) if parent else made}: a task without id, called so here"
        self.notes.add("missing_id", entry.line, message, made)
        return made

    def _ids(self, entry: Object, key: str, id_: str) -> list[tuple[str, int]]:
        """The ids in a list, each with its line."""
        value = entry.get(key)
        if value is None:
            return []
        if not isinstance(value, Array):
            message = f"{key} of {id_} are no list and are left out"
            self.notes.add("bad_value", entry.line_of(key), message, id_)
            return []
        found = []
        for one, line in value.with_lines():
            if text := _text(one):
                found.append((text, line))
            else:
                self.notes.add("bad_value", line, f"a dependency of {id_} is no id", id_)
        return found

    def _task(
        self, entry: Object, id_: str, parent: str | None, deps: list[tuple[str, int]]
    ) -> None:
        for key, line in entry.twice:
            self.notes.add("duplicate_key", line, f"{key!r} of {id_} is written twice", id_)
        title = _text(entry.get("title"))
        line = entry.line_of("title")
        if not title:
            self.notes.add("missing_title", line, f"{id_} has no title", id_)
        status = _text(entry.get("status")).lower()
        if status == "cancelled":
            self.cancelled.add(id_)
        self._odd_values(entry, id_, status)
        span = self._estimate(entry, id_)
        task = ImportedTask(
            id=id_,
            title=title,
            line=line,
            deps=tuple(dict.fromkeys(dep for dep, _ in deps)),
            group=self.name,
            agent=_text(entry.get("assignee")) or None,
            done=status in DONE,
            parent=parent,
            hours=span.hours if span else None,
            hours_min=span.low if span else None,
            hours_max=span.high if span else None,
        )
        self.tasks.append(task)
        self.lines.setdefault(id_, line)
        self.edges += [Edge("explicit", dep, id_, at) for dep, at in deps]

    def _estimate(self, entry: Object, id_: str) -> Estimate | None:
        for key, unit in (("estimate", ""), ("estimatedHours", " h"), ("estimated_hours", " h")):
            written = _text(entry.get(key))
            span = estimate(written + (unit if written[-1:].isdigit() else ""))
            if span is not None and not span.assumes_day:
                return span
            if written:
                self.sizes[id_] = entry.line_of(key)
        return None

    def _odd_values(self, entry: Object, id_: str, status: str) -> None:
        if status and status not in DONE | OPEN:
            line = entry.line_of("status")
            self.statuses.setdefault(status, (line, []))[1].append(id_)
        priority = _text(entry.get("priority"))
        if priority and priority.lower() not in PRIORITIES:
            line = entry.line_of("priority")
            self.priorities.setdefault(priority, (line, []))[1].append(id_)

    def note_cancelled(self) -> None:
        """What was cancelled is never done, so whatever needs it waits for ever."""
        for task in self.tasks:
            for dep in task.deps:
                if dep in self.cancelled and task.id not in self.cancelled:
                    message = f"{task.id} needs {dep}, which is cancelled and will never be done"
                    self.notes.add("cancelled_dependency", task.line, message, task.id, dep)

    def note_values(self) -> None:
        """One diagnostic for each value that task-master does not know."""
        for status, (line, ids) in self.statuses.items():
            message = f"status {status!r} is none of task-master's; taken as not done"
            self.notes.add("unknown_status", line, message, *ids)
        for priority, (line, ids) in self.priorities.items():
            message = f"priority {priority!r} is none of task-master's"
            self.notes.add("unknown_priority", line, message, *ids)
        if self.sizes:
            message = "estimates that are no hours are left out"
            self.notes.add("estimate_unit", min(self.sizes.values()), message, *self.sizes)


def _note_shared_ids(tags: list[_Tag], notes: Notes) -> None:
    owners: dict[str, list[_Tag]] = {}
    for tag in tags:
        for id_ in tag.lines:
            owners.setdefault(id_, []).append(tag)
    for id_, several in owners.items():
        if len(several) > 1:
            names = " and ".join(repr(tag.name) for tag in several)
            message = f"{id_} stands in the tags {names}, a task of its own in each"
            notes.add("duplicate_id", several[1].lines[id_], message, id_)


def _text(value: Any) -> str:
    """Text or number as written; empty for anything else."""
    return str(value).strip() if isinstance(value, str | Number) else ""


def _full(parent: str, id_: str) -> str:
    return id_ if id_.startswith(f"{parent}.") or not id_.isdigit() else f"{parent}.{id_}"


def _refused(file: str, line: int, message: str) -> PlanRejected:
    return PlanRejected([Problem("not_a_plan", message, Place(file, line))])
