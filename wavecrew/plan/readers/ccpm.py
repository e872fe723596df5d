"""What does a ccpm epic say? `.claude/epics/<epic>/`: `epic.md` and one numbered file a task.

Ids are compared as they are written. When files were renamed to issue numbers
and the dependencies were not, an old `002` must never be taken for the file
`2.md`: such a dependency stays open, and the likely mapping is reported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from wavecrew.plan.readers.ccpm_epic import Epic, read_epic
from wavecrew.plan.readers.checklist import FRONT_LINES, LONGEST_LINE, readable
from wavecrew.plan.readers.estimates import Estimate, estimate
from wavecrew.plan.readers.front import Front, as_list, read_front
from wavecrew.plan.readers.markdown import Document, Fence, Heading, Line, parse_markdown
from wavecrew.plan.readers.model import Edge, ImportedPlan, ImportedTask
from wavecrew.plan.readers.notes import Notes
from wavecrew.plan.readers.phrases import plain
from wavecrew.plan.readers.source import Source, SourceFile

DONE = frozenset({"closed", "completed", "complete", "done"})
OPEN = frozenset({"open", "in-progress", "in_progress", "pending", "backlog", "blocked", ""})

_NUMBERED = re.compile(r"\d{1,8}")
_KEYS = re.compile(r"^(?:depends_on|parallel|conflicts_with)\s*:", re.MULTILINE)
_EPIC_LIST = re.compile(r"^#+\s+(?:Tasks Created|Task Breakdown)\b", re.MULTILINE | re.IGNORECASE)
_HOURS = re.compile(r"^[-*\s]*(?:Estimated\s+)?Hours\**\s*:\**\s*(?P<text>.+)$", re.IGNORECASE)
_SIZE = re.compile(r"^[-*\s]*Size\**\s*:\**\s*(?P<text>\S+)", re.IGNORECASE)
_HEAD = re.compile(r"(?:(?:Task|Issue)\s*#?\d*\s*[:.-]\s*|#?\d+\s*[:.-]\s*)?(?P<title>.+)", re.I)
_ID = re.compile(r"#?(?P<id>\d{1,8})(?:\.md)?", re.IGNORECASE)
_NOTHING = frozenset({"", "none", "n/a", "-", "[]", "null"})


class CcpmReader:
    name = "ccpm"

    def claims(self, source: Source) -> float:
        names = {PurePosixPath(file.name).name for file in source.files}
        tasks = [file for file in source.files if _is_task(file)]
        if "epic.md" in names and (tasks or any(_is_fronted(file) for file in source.files)):
            return 0.95
        if len(tasks) > 1 or (tasks and source.only is not None):
            return 0.9
        only = source.only
        alone = only is not None and PurePosixPath(only.name).name == "epic.md"
        return 0.9 if alone and only is not None and _EPIC_LIST.search(only.text) else 0.0

    def read(self, source: Source) -> ImportedPlan:
        notes = Notes()
        folders: dict[str, list[SourceFile]] = {}
        for file in source.files:
            if file.suffix == ".md":
                folders.setdefault(str(PurePosixPath(file.name).parent), []).append(file)
        plans = [_Folder(source, name, files, notes) for name, files in folders.items()]
        for plan in plans:
            plan.read()
        tasks = tuple(task for plan in plans for task in plan.tasks)
        return ImportedPlan(
            format=self.name,
            tasks=tasks,
            edges=tuple(edge for plan in plans for edge in plan.edges),
            diagnostics=notes.done(),
            claims=tuple(claim for plan in plans for claim in plan.epic.claims),
            groups=tuple(plan.group for plan in plans if plan.tasks),
        )


def _is_task(file: SourceFile) -> bool:
    return bool(_NUMBERED.fullmatch(file.stem)) and bool(_KEYS.search(file.text[:20_000]))


def _is_fronted(file: SourceFile) -> bool:
    return bool(_NUMBERED.fullmatch(file.stem)) and file.text.startswith("---")


@dataclass
class _TaskFile:
    """One numbered file, with its front matter and the metadata block some write in its place."""

    file: SourceFile
    front: Front
    document: Document

    @property
    def id(self) -> str:
        return self.file.stem

    def line(self, key: str) -> int:
        return self.front.lines.get(key, 1)

    def text(self, *keys: str) -> str:
        found = (self.front.data.get(key) for key in keys)
        return next((one.strip() for one in found if isinstance(one, str) and one.strip()), "")

    def ids(self, *keys: str) -> Iterator[tuple[str, int]]:
        """(id as written, line); a remark or a word that means none is no id."""
        for key in keys:
            for value in as_list(self.front.data.get(key)):
                for part in re.split(r"[,;\s]+", value.strip("[]")):
                    word = part.strip("\"'")
                    if word.casefold() not in _NOTHING:
                        yield word, self.line(key)


class _Folder:
    def __init__(self, source: Source, name: str, files: list[SourceFile], notes: Notes) -> None:
        self.source = source
        self.notes = notes
        self.tasks: list[ImportedTask] = []
        self.edges: list[Edge] = []
        self.unresolved: dict[str, None] = {}
        self.exclusive: set[tuple[str, str]] = set()
        numbered = [file for file in files if _NUMBERED.fullmatch(file.stem)]
        others = {PurePosixPath(file.name).name: file for file in files}
        self.files = sorted(numbered, key=lambda file: (int(file.stem), file.stem))
        self.epic: Epic = read_epic(
            others.get("epic.md"), others.get("github-mapping.md"), notes, self._shown
        )
        self.streams = [file for file in files if file.stem.endswith("-analysis")]
        folder = name if name != "." else source.folder
        self.group = self.epic.name or PurePosixPath(folder).name

    def read(self) -> None:
        read = [self._open(file) for file in self.files]
        siblings = {
            PurePosixPath(one).stem
            for file in self.files
            for one in file.siblings
            if one.endswith(".md")
        }
        known = {one.id for one in read}
        elsewhere = {one for one in siblings - known if _NUMBERED.fullmatch(one)}
        for one in read:
            self._task(one, known, elsewhere)
        if self.unresolved:
            self._suggest(known)
        if not read:
            self.tasks += self.epic.as_tasks(self.group)
            self.edges += [
                Edge("explicit", dep, task.id, task.line)
                for task in self.tasks
                for dep in task.deps
            ]
        else:
            self.epic.compare(self.tasks, self.notes)
        for file in self.streams:
            message = "the streams inside a task are left out: a task is the unit of work"
            self.notes.add("streams_left_out", 1, message, file=self._shown(file))

    def _shown(self, file: SourceFile) -> str | None:
        return file.name if self.source.is_folder else None

    def _open(self, file: SourceFile) -> _TaskFile:
        document = parse_markdown(readable(file, self.notes, self._shown(file)))
        front = read_front(document.front[:FRONT_LINES], self._shown(file))
        for one in front.diagnostics:
            self.notes.add(one.kind, one.line, one.message, *one.ids, file=one.file)
        if not document.front:
            front = self._metadata(file, document) or front
        return _TaskFile(file, front, document)

    def _metadata(self, file: SourceFile, document: Document) -> Front | None:
        """A YAML block at the head of the text, which older files have in place of front matter."""
        for block in document.blocks:
            if isinstance(block, Fence) and block.info.casefold() in ("yaml", "yml"):
                message = "the task's data stands in a code block, not in front matter"
                self.notes.add("metadata_block", block.line, message, file=self._shown(file))
                return read_front(block.lines, self._shown(file))
        return None

    def _task(self, one: _TaskFile, known: set[str], elsewhere: set[str]) -> None:
        shown = self._shown(one.file)
        title, line = _title(one)
        status = one.text("status").casefold()
        if status not in DONE | OPEN:
            message = f"status {status!r} of {one.id} is none of ccpm's; taken as not done"
            self.notes.add("unknown_status", one.line("status"), message, one.id, file=shown)
        deps = [
            (dep, at)
            for word, at in one.ids("depends_on", "dependencies")
            if (dep := self._resolve(one, word, at, known, elsewhere)) is not None
        ]
        for word, at in one.ids("conflicts_with"):
            other = self._resolve(one, word, at, known, elsewhere)
            if other is not None and other != one.id:
                first, second = sorted((other, one.id), key=lambda id_: (int(id_), id_))
                if (first, second) not in self.exclusive:
                    self.exclusive.add((first, second))
                    self.edges.append(Edge("mutex", first, second, at))
        self.edges += [Edge("explicit", dep, one.id, at) for dep, at in deps]
        span = self._hours(one)
        self.tasks.append(
            ImportedTask(
                id=one.id,
                title=title,
                line=line,
                deps=tuple(dict.fromkeys(dep for dep, _ in deps)),
                hours=span.hours if span else None,
                hours_min=span.low if span else None,
                hours_max=span.high if span else None,
                group=self.group,
                agent=one.text("assigned_agent", "assignee", "agent") or None,
                done=status in DONE,
                file=shown,
            )
        )

    def _resolve(
        self, one: _TaskFile, word: str, line: int, known: set[str], elsewhere: set[str]
    ) -> str | None:
        """The id of the file that `word` names for certain."""
        shown = self._shown(one.file)
        found = _ID.fullmatch(word)
        id_ = found["id"] if found else word
        if id_ == one.id:
            self.notes.add("cycle", line, f"{id_} depends on itself", id_, file=shown)
            return None
        if id_ in known or id_ in elsewhere:
            return id_
        padded = [other for other in known if found and other.lstrip("0") == id_]
        if len(padded) == 1:
            message = f"{word} is written for {padded[0]}"
            self.notes.add("id_alias", line, message, one.id, padded[0], file=shown)
            return padded[0]
        message = f"{one.id} needs {word}, and no file here is called so"
        self.notes.add("unknown_dependency", line, message, one.id, id_, file=shown)
        self.unresolved[id_] = None
        return None

    def _suggest(self, known: set[str]) -> None:
        """Old ids and the files they most likely became; a person has to say yes."""
        mapping = self.epic.mapping({task.title: task.id for task in self.tasks}, known)
        shown = [f"{old} -> {mapping[old]}" for old in self.unresolved if old in mapping]
        if not shown:
            return
        message = (
            "the files seem to have been renamed after the dependencies were written; "
            f"by title: {', '.join(shown)}"
        )
        file = next((self._shown(one) for one in self.files), None)
        self.notes.add("presync_ids", 1, message, *self.unresolved, file=file)

    def _hours(self, one: _TaskFile) -> Estimate | None:
        sizes: list[tuple[str, int]] = []
        for line in _body(one):
            if found := _HOURS.match(line.text):
                text = found["text"].strip()
                span = estimate(text if re.search("[A-Za-z]", text) else f"{text} h")
                if span is not None and not span.assumes_day:
                    return span
                sizes.append((text, line.number))
            elif found := _SIZE.match(line.text):
                sizes.append((found["text"], line.number))
        if sizes:
            message = f"{one.id} is estimated as {sizes[0][0]}, which is no hours"
            shown = self._shown(one.file)
            self.notes.add("estimate_unit", sizes[0][1], message, one.id, file=shown)
        return None


def _body(one: _TaskFile) -> Iterator[Line]:
    """The lines after the front matter, fences included: a template may fence its data."""
    start = one.document.front[-1].number + 1 if one.document.front else 0
    for at, text in enumerate(one.file.lines[start:], start + 1):
        yield Line(at, text[:LONGEST_LINE])


def _title(one: _TaskFile) -> tuple[str, int]:
    """(title, its line): the name in the front matter, else the first heading."""
    if name := one.text("name", "title"):
        return name, one.front.lines.get("name", one.front.lines.get("title", 1))
    for block in one.document.blocks:
        if isinstance(block, Heading):
            found = _HEAD.fullmatch(plain(block.text))
            return (found["title"] if found else plain(block.text)), block.line
    return one.id, 1
