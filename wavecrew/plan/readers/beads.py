"""What does a Beads export say? `.beads/issues.jsonl`, one issue a line.

Only the dependency types that block in Beads become dependencies; a parent is
kept as such. Any other type may be written there, and then it is reported,
because its name may promise an order that Beads does not keep.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from wavecrew.plan.json_positions import Array, Number, Object, parse_json
from wavecrew.plan.problem import Place, PlanRejected, Problem
from wavecrew.plan.readers.model import Edge, Gate, GateKind, ImportedPlan, ImportedTask
from wavecrew.plan.readers.notes import Notes
from wavecrew.plan.readers.source import Source, SourceFile

BLOCKING = frozenset({"blocks", "conditional-blocks", "waits-for"})
PARENT = "parent-child"
LOOSE = frozenset(
    {
        *("related", "relates-to", "discovered-from", "tracks", "caused-by", "validates"),
        *("supersedes", "superseded-by", "duplicates", "duplicate-of", "replies-to"),
        *("approved-by", "authored-by", "assigned-to", "until", "delegated-from", "attests"),
    }
)
DONE = frozenset({"closed", "done", "completed"})
OPEN = frozenset(["open", "in_progress", "blocked", "deferred", "pinned", "hooked"])
GONE = frozenset({"tombstone", "deleted"})
HUMAN = frozenset({"human"})

_FIRST_LINES = 20
_ISSUE = re.compile(r'"(?:issue_type|depends_on_id|_type|priority|closed_at|status)"\s*:')


class BeadsReader:
    name = "beads"

    def claims(self, source: Source) -> float:
        file = _file(source)
        if file is None or file.suffix != ".jsonl":
            return 0.0
        looked_at = [line for line in file.lines[:_FIRST_LINES] if line.strip()]
        issues = [
            line
            for line in looked_at
            if line.lstrip().startswith("{") and '"id"' in line and _ISSUE.search(line)
        ]
        if file.name.endswith("issues.jsonl") and looked_at:
            return 0.95 if issues else 0.3
        return 0.9 if issues and '"title"' in file.text else 0.0

    def read(self, source: Source) -> ImportedPlan:
        file = _file(source)
        if file is None:
            message = "there is no issues.jsonl here"
            raise PlanRejected([Problem("not_a_plan", message, Place(source.path))])
        return _Export(file).read()


def _file(source: Source) -> SourceFile | None:
    found = source.ending(".jsonl")
    named = [file for file in found if file.name.endswith(("issues.jsonl", "beads.jsonl"))]
    if len(named) == 1:
        return named[0]
    return found[0] if len(found) == 1 else source.only


@dataclass
class _Issue:
    id: str
    entry: Object
    line: int
    deps: dict[str, int] = field(default_factory=dict)
    parent: str | None = None


class _Export:
    def __init__(self, file: SourceFile) -> None:
        self.file = file
        self.notes = Notes()
        self.issues: list[_Issue] = []
        self.by_id: dict[str, _Issue] = {}
        self.gone: set[str] = set()
        self.odd_types: dict[str, tuple[int, list[str]]] = {}
        self.odd_statuses: dict[str, tuple[int, list[str]]] = {}

    def read(self) -> ImportedPlan:
        for entry, line in self._objects():
            self._issue(entry, line)
        if not self.issues:
            message = "no line of this file is an issue with a title"
            raise PlanRejected([Problem("not_a_plan", message, Place(self.file.name))])
        for issue in self.issues:
            self._dependencies(issue)
        tasks = tuple(self._task(issue) for issue in self.issues)
        self._summaries()
        gates = tuple(self._gates())
        edges = [
            Edge("explicit", dep, issue.id, line)
            for issue in self.issues
            for dep, line in issue.deps.items()
        ]
        return ImportedPlan("beads", tasks, tuple(edges), gates, self.notes.done())

    def _objects(self) -> Iterator[tuple[Object, int]]:
        for number, text in enumerate(self.file.lines, 1):
            if not text.strip():
                continue
            try:
                value = parse_json(text, self.file.name, number)
            except PlanRejected as rejected:
                message = f"the line is left out: {rejected.problems[0].message}"
                self.notes.add("bad_line", number, message)
                continue
            if isinstance(value, Object):
                yield value, number
            else:
                self.notes.add("bad_line", number, "the line is left out: it is no issue")

    def _issue(self, entry: Object, line: int) -> None:
        if _text(entry, "_type") not in ("", "issue"):
            return
        id_, title = _text(entry, "id"), _text(entry, "title")
        if _text(entry, "status") in GONE or entry.get("deleted_at"):
            self.gone.add(id_)
            return
        if not title:
            message = f"the line is left out: {id_ or 'an issue'} has no title"
            self.notes.add("bad_line", line, message, *([id_] if id_ else []))
            return
        if not id_:
            id_ = f"line-{line}"
            self.notes.add("missing_id", line, f"{title!r} has no id, called {id_} here", id_)
        issue = _Issue(id_, entry, line)
        self.issues.append(issue)
        self.by_id.setdefault(id_, issue)

    def _dependencies(self, issue: _Issue) -> None:
        listed = issue.entry.get("dependencies")
        if listed is not None and not isinstance(listed, Array):
            message = f"the dependencies of {issue.id} are no list and are left out"
            self.notes.add("bad_value", issue.line, message, issue.id)
            return
        for one in listed or ():
            if isinstance(one, Object):
                self._dependency(issue, one)
            elif isinstance(one, str) and one:
                issue.deps.setdefault(one, issue.line)
            else:
                message = f"a dependency of {issue.id} is no id"
                self.notes.add("bad_value", issue.line, message, issue.id)

    def _dependency(self, issue: _Issue, entry: Object) -> None:
        needed, kind = _text(entry, "depends_on_id"), _text(entry, "type") or "blocks"
        owner = _text(entry, "issue_id") or issue.id
        if not needed:
            message = f"a dependency of {issue.id} names nothing"
            self.notes.add("bad_value", issue.line, message, issue.id)
            return
        if owner != issue.id:
            message = f"{issue.id} carries a dependency of {owner} on {needed}"
            self.notes.add("foreign_dependency", issue.line, message, issue.id, owner, needed)
            if owner not in self.by_id:
                return
        holder = issue if owner == issue.id else self.by_id[owner]
        if kind in BLOCKING:
            holder.deps.setdefault(needed, issue.line)
            self._remark(holder, needed, kind)
        elif kind == PARENT:
            self._parent(holder, needed)
        elif kind not in LOOSE:
            self.odd_types.setdefault(kind, (issue.line, []))[1].extend([holder.id, needed])

    def _parent(self, issue: _Issue, parent: str) -> None:
        if issue.parent not in (None, parent):
            message = f"{issue.id} has two parents, {issue.parent} and {parent}; the first counts"
            self.notes.add("two_parents", issue.line, message, issue.id, parent)
        issue.parent = issue.parent or parent

    def _remark(self, issue: _Issue, needed: str, kind: str) -> None:
        if kind == "conditional-blocks":
            message = f"{issue.id} is to run only if {needed} failed"
            self.notes.add("conditional_dependency", issue.line, message, issue.id, needed)
        if kind == "waits-for":
            message = f"{issue.id} waits for all children of {needed}"
            self.notes.add("waits_for_children", issue.line, message, issue.id, needed)
        if needed.startswith("external:"):
            message = f"{issue.id} waits for {needed}, which is no task of this plan"
            self.notes.add("external_dependency", issue.line, message, issue.id, needed)
        elif needed in self.gone:
            message = f"{issue.id} needs {needed}, which was deleted"
            self.notes.add("deleted_dependency", issue.line, message, issue.id, needed)

    def _task(self, issue: _Issue) -> ImportedTask:
        entry, id_ = issue.entry, issue.id
        status = _text(entry, "status").lower()
        if status not in OPEN | {"closed", ""}:
            self.odd_statuses.setdefault(status, (issue.line, []))[1].append(id_)
        if (status == "closed") != bool(entry.get("closed_at")) and status in OPEN | {"closed"}:
            has = "has" if entry.get("closed_at") else "lacks"
            message = f"{id_} is {status}, but {has} a time of closing"
            self.notes.add("status_conflict", issue.line, message, id_)
        head, _, tail = id_.rpartition(".")
        if issue.parent is None and tail.isdigit() and head in self.by_id:
            issue.parent = head
        if issue.parent in self.gone:
            message = f"the parent {issue.parent} of {id_} was deleted"
            self.notes.add("deleted_parent", issue.line, message, id_, str(issue.parent))
        for key, _ in entry.twice:
            self.notes.add("duplicate_key", issue.line, f"{key!r} of {id_} is written twice", id_)
        return ImportedTask(
            id=id_,
            title=_text(entry, "title"),
            line=issue.line,
            deps=tuple(issue.deps),
            hours=self._hours(issue),
            group=issue.parent,
            agent=_text(entry, "assignee") or None,
            done=status in DONE,
            parent=issue.parent,
        )

    def _hours(self, issue: _Issue) -> float | None:
        written = issue.entry.get("estimated_minutes")
        if isinstance(written, Number) and len(written) < 10:
            return float(written) / 60 if float(written) > 0 else None
        if written is not None:
            message = f"the estimate of {issue.id} is no number of minutes"
            self.notes.add("bad_value", issue.line, message, issue.id)
        return None

    def _summaries(self) -> None:
        for kind, (line, ids) in self.odd_types.items():
            message = f"dependencies of type {kind!r} do not block in Beads, and are left out"
            self.notes.add("dependency_type", line, message, *dict.fromkeys(ids))
        for status, (line, ids) in self.odd_statuses.items():
            taken = "done" if status in DONE else "not done"
            message = f"status {status!r} is none of Beads' own; taken as {taken}"
            self.notes.add("unknown_status", line, message, *ids)

    def _gates(self) -> Iterator[Gate]:
        """Issues that wait for something outside: a person, a timer, a pull request."""
        waiting: dict[str, list[str]] = {}
        for issue in self.issues:
            for dep in issue.deps:
                waiting.setdefault(dep, []).append(issue.id)
        for issue in self.issues:
            awaited = _text(issue.entry, "await_type")
            if awaited or _text(issue.entry, "issue_type") == "gate":
                kind: GateKind = "human" if awaited in HUMAN else "checkpoint"
                text = f"{_text(issue.entry, 'title')} ({awaited or 'gate'})"
                before = tuple(waiting.get(issue.id, ()))
                yield Gate(kind, text, issue.line, (issue.id,), before)


def _text(entry: Object, key: str) -> str:
    value: Any = entry.get(key)
    return str(value).strip() if isinstance(value, str | Number) else ""
