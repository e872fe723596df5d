"""What do the task files of Backlog.md say? `backlog/tasks/<id> - <Title>.md`.

Ids are compared as the tool does: without case, segment by segment, leading
zeros ignored. Finished tasks move to `completed/`, dropped ones to `archive/`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from wavecrew.plan.readers.checklist import FRONT_LINES, readable
from wavecrew.plan.readers.front import Front, as_list, read_front
from wavecrew.plan.readers.markdown import parse_markdown
from wavecrew.plan.readers.model import Edge, ImportedPlan, ImportedTask
from wavecrew.plan.readers.notes import Notes
from wavecrew.plan.readers.source import Source, SourceFile

_NAME = re.compile(r"(?P<id>[A-Za-z]+-\d+(?:\.\d+)*)\s+-\s+(?P<title>.+)")
_FRONT = re.compile(r"\A---\s*\n(?:[^\n]*\n){0,60}?id\s*:\s*['\"]?[A-Za-z]+-\d", re.MULTILINE)
_ID = re.compile(r"(?:(?P<prefix>[A-Za-z]+)-)?(?P<numbers>\d+(?:\.\d+)*)")
_STATUSES = re.compile(r"^statuses\s*:\s*\[(?P<list>[^\]]*)\]", re.MULTILINE)
_USUAL = ("to do", "in progress", "done")


class BacklogReader:
    name = "backlog"

    def claims(self, source: Source) -> float:
        files = [file for file in source.ending(".md") if _FRONT.match(file.text[:6000])]
        if not files or not any("status:" in file.text[:6000] for file in files):
            return 0.0
        named = [file for file in files if _NAME.fullmatch(PurePosixPath(file.name).stem)]
        if named:
            return 0.93
        return 0.6 if all("title:" in file.text[:6000] for file in files) else 0.0

    def read(self, source: Source) -> ImportedPlan:
        notes = Notes()
        statuses = _statuses(source)
        read = [_open(file, source, notes) for file in source.ending(".md")]
        files = [one for one in read if one is not None]
        files.sort(key=lambda one: (one.place, _sort_key(one.id)))
        known: dict[str, str] = {}
        gone: dict[str, str] = {}
        for one in files:
            (gone if one.place in ("archive", "drafts") else known).setdefault(
                _fold(one.id), one.id
            )
        tasks = []
        edges: list[Edge] = []
        for one in files:
            if one.place in ("archive", "drafts"):
                message = f"{one.id} lies in {one.place}/ and is left out"
                notes.add("archived_task", 1, message, one.id, file=one.shown)
                continue
            deps = one.dependencies(known, gone, notes)
            tasks.append(one.task(tuple(dep for dep, _ in deps), statuses, known, notes))
            edges += [Edge("explicit", dep, one.id, line) for dep, line in deps]
        groups = tuple(dict.fromkeys(task.group for task in tasks if task.group))
        return ImportedPlan(self.name, tuple(tasks), tuple(edges), (), notes.done(), groups=groups)


@dataclass
class _TaskFile:
    id: str
    front: Front
    place: str
    """`tasks`, `completed`, `archive`, `drafts`; empty where no such folder is above it."""
    shown: str | None
    name: str

    def text(self, key: str) -> str:
        value = self.front.data.get(key)
        return value.strip() if isinstance(value, str) else ""

    def line(self, key: str) -> int:
        return self.front.lines.get(key, 1)

    def dependencies(
        self, known: dict[str, str], gone: dict[str, str], notes: Notes
    ) -> list[tuple[str, int]]:
        line = self.line("dependencies")
        found: dict[str, int] = {}
        for written in as_list(self.front.data.get("dependencies")):
            one = written.strip()
            if not one or one.casefold() == "none":
                continue
            id_ = known.get(_fold(one))
            if id_ is None and (alias := _renamed(one, known)):
                message = f"{self.id} needs {one}, read as {alias}: the prefix was renamed"
                notes.add("id_alias", line, message, self.id, one, alias, file=self.shown)
                id_ = alias
            if id_ is None:
                where = "lies in an archive" if _fold(one) in gone else "is no task here"
                kind = "archived_dependency" if _fold(one) in gone else "unknown_dependency"
                message = f"{self.id} needs {one}, which {where}"
                notes.add(kind, line, message, self.id, one, file=self.shown)
                continue
            if id_ == self.id:
                message = f"{id_} depends on itself"
                notes.add("cycle", line, message, id_, file=self.shown)
                continue
            found.setdefault(id_, line)
        return list(found.items())

    def task(
        self,
        deps: tuple[str, ...],
        statuses: tuple[str, ...],
        known: dict[str, str],
        notes: Notes,
    ) -> ImportedTask:
        status = self.text("status").casefold()
        if status and status not in statuses:
            message = f"status {status!r} of {self.id} is not one of {', '.join(statuses)}"
            notes.add("unknown_status", self.line("status"), message, self.id, file=self.shown)
        people = as_list(self.front.data.get("assignee"))
        if len(people) > 1:
            message = f"{self.id} is given to {', '.join(people)}; the first is kept"
            notes.add("two_agents", self.line("assignee"), message, self.id, file=self.shown)
        named = _NAME.fullmatch(PurePosixPath(self.name).stem)
        title = self.text("title")
        parent = self.text("parent_task_id")
        return ImportedTask(
            id=self.id,
            title=title or (named["title"] if named else self.id),
            line=self.line("title") if title else 0,
            deps=deps,
            group=self.text("milestone") or None,
            agent=people[0].lstrip("@") if people else None,
            done=status == statuses[-1] or self.place == "completed",
            parent=known.get(_fold(parent), parent) if parent else _dotted_parent(self.id, known),
            files=as_list(self.front.data.get("modified_files")),
            file=self.shown,
        )


def _open(file: SourceFile, source: Source, notes: Notes) -> _TaskFile | None:
    path = PurePosixPath(file.name)
    named = _NAME.fullmatch(path.stem)
    if named is None and not _FRONT.match(file.text[:6000]):
        return None
    shown = file.name if source.is_folder else None
    document = parse_markdown(readable(file, notes, shown))
    front = read_front(document.front[:FRONT_LINES], shown)
    for one in front.diagnostics:
        notes.add(one.kind, one.line, one.message, *one.ids, file=shown)
    written = front.data.get("id")
    id_ = written.strip() if isinstance(written, str) and written.strip() else ""
    if not id_ and named is None:
        return None
    if id_ and named and _fold(id_) != _fold(named["id"]):
        message = f"the file is called {named['id']}, but says {id_}, which counts"
        notes.add("id_alias", front.lines.get("id", 1), message, id_, named["id"], file=shown)
    folders = [part.casefold() for part in (source.folder, *path.parts[:-1])]
    places = [part for part in folders if part in ("archive", "completed", "drafts", "tasks")]
    place = "archive" if "archive" in places else places[-1] if places else ""
    return _TaskFile(id_ or (named["id"] if named else ""), front, place, shown, file.name)


def _statuses(source: Source) -> tuple[str, ...]:
    """The project's own statuses, the last of which means done."""
    for file in source.ending(".yml", ".yaml"):
        if found := _STATUSES.search(file.text[:20_000]):
            words = (one.strip(" \"'").casefold() for one in found["list"].split(","))
            listed = tuple(one for one in words if one)
            if listed:
                return listed
    return _USUAL


def _fold(id_: str) -> str:
    prefix, _, numbers = id_.strip().casefold().rpartition("-")
    return f"{prefix}-{'.'.join(one.lstrip('0') or '0' for one in numbers.split('.'))}"


def _renamed(written: str, known: dict[str, str]) -> str | None:
    """The one task with the same numbers under another prefix."""
    found = _ID.fullmatch(written.strip())
    if found is None:
        return None
    tail = _fold("x-" + found["numbers"])[1:]
    same = [id_ for folded, id_ in known.items() if folded.endswith(tail)]
    return same[0] if len(same) == 1 else None


def _dotted_parent(id_: str, known: dict[str, str]) -> str | None:
    head, _, tail = id_.rpartition(".")
    return known.get(_fold(head)) if head and tail.isdigit() else None


def _sort_key(id_: str) -> tuple[str, tuple[int, ...]]:
    prefix, _, numbers = id_.casefold().rpartition("-")
    parts = tuple(int(one) for one in numbers.split(".") if one.isdigit() and len(one) < 10)
    return prefix, parts
