"""What does a Kiro `tasks.md` say, in Kiro's own form and in that of cc-sdd?

Tasks are the numbered checkboxes; a task with numbered parts is a container.
Order comes from a wave block when there is one, from `_Depends:` where it is
written, and else only from the order of the lines, which is kept apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from wavecrew.plan.readers.checklist import BOX_HEADING, box_state, plain_title, readable
from wavecrew.plan.readers.kiro_order import KiroTask, checkpoints, order_edges, wave_edges
from wavecrew.plan.readers.kiro_waves import read_waves
from wavecrew.plan.readers.markdown import (
    Document,
    Heading,
    Item,
    Line,
    Paragraph,
    checkbox,
    parse_markdown,
)
from wavecrew.plan.readers.model import Edge, ImportedPlan, ImportedTask
from wavecrew.plan.readers.notes import Notes
from wavecrew.plan.readers.references import Known, references
from wavecrew.plan.readers.source import Source, SourceFile

ID = re.compile(r"\d{1,6}(?:\.\d{1,6})*")

_MARK = r"(?:\((?P<{}>P)\)\s*)?"
_TASK = re.compile(
    rf"(?P<bold>\*\*)?\s*(?P<loose_star>\\?\*\s+)?{_MARK.format('before')}(?:Task\s+)?"
    rf"(?P<id>{ID.pattern})(?P<closed>\*\*(?=[.):\s]))?(?P<star>\\?\*(?!\*))?[.):]?"
    r"(?P<closed2>\*\*(?=\s))?(?P<star2>\\?\*(?!\*))?\s+(?:[-–—]\s+)?"
    rf"{_MARK.format('after')}(?P<title>\S.*)"
)
_MAJOR = re.compile(rf"(?:Task\s+)?(?P<id>{ID.pattern})[.:)]?\s+\S")
_FIELD = re.compile(r"_(?P<name>Requirements|Depends|Boundary|Blocked)\s*:\s*(?P<value>[^_]*)_?")
_ESCAPED = re.compile(r"\[(?P<char>.)\]\\\*\s+")
_TRAILING_FIELDS = re.compile(r"(?<!\s)\s+_(?:Requirements|Depends|Boundary|Blocked)\s*:.*$")
_OPTIONAL = re.compile(r"\(optional\)", re.IGNORECASE)
_SIGNS = re.compile(
    r"_Requirements?:|\*\*Validates:|\(P\)\s|\[.\]\\?\*|\d\*\s|_Depends:|"
    r"^#\s+Implementation Plan|^#+\s+Task Dependency Graph|^#\s+実装",
    re.MULTILINE,
)
_NUMBERED_BOX = re.compile(
    r"^\s*(?:[-*+]|#+\s+-?)\s+\[.\]\\?\*?\s+(?:\*\*)?(?:\(P\)\s*)?\d+(?:\.\d+)*\\?\*?[.):]?\s",
    re.MULTILINE,
)


class KiroReader:
    name = "kiro"

    def claims(self, source: Source) -> float:
        file = _file(source)
        if file is None or not _NUMBERED_BOX.search(file.text):
            return 0.0
        named = file.name.rsplit("/", 1)[-1].endswith("tasks.md")
        spec = {"requirements.md", "design.md", "spec.json"} & file.siblings
        if "proposal.md" in file.siblings and not _SIGNS.search(file.text):
            return 0.0
        if spec and named:
            return 0.95
        if _SIGNS.search(file.text):
            return 0.9 if named else 0.85
        return 0.6 if named else 0.4

    def read(self, source: Source) -> ImportedPlan:
        file = _file(source) or source.files[0]
        return _TaskFile(file).read()


def _file(source: Source) -> SourceFile | None:
    found = [file for file in source.ending(".md") if file.name.rsplit("/", 1)[-1] == "tasks.md"]
    if len(found) == 1:
        return found[0]
    only = source.only
    return only if only is not None and only.suffix not in (".json", ".jsonl", ".yaml") else None


class _TaskFile:
    def __init__(self, file: SourceFile) -> None:
        self.file = file
        self.notes = Notes()
        self.tasks: list[KiroTask] = []
        self.majors: dict[str, str] = {}
        """Number -> heading, where majors are headings."""
        self.unnumbered: list[int] = []
        self.variants: dict[str, tuple[int, list[str]]] = {}

    def read(self) -> ImportedPlan:
        document = parse_markdown(readable(self.file, self.notes))
        if document.cut_at:
            message = "what is nested deeper is left out"
            self.notes.add("too_deep", document.cut_at, message)
        self._collect(document)
        ids = [task.id for task in self.tasks]
        self._parents(set(ids))
        edges = list(self._depends(Known(ids)))
        waves, stated = read_waves(self.file.text, document, self.notes)
        edges += self._stated(stated, set(ids))
        edges += wave_edges(self.tasks, waves, self.notes) if waves else order_edges(self.tasks)
        self._note_variants()
        tasks = tuple(self._made(task) for task in self.tasks)
        groups = [wave.name for wave in waves] if waves else list(self.majors.values())
        return ImportedPlan(
            format="kiro",
            tasks=tasks,
            edges=tuple(edges),
            gates=tuple(checkpoints(self.tasks)),
            diagnostics=self.notes.done(),
            groups=tuple(groups),
        )

    def _collect(self, document: Document) -> None:
        owners: dict[int, KiroTask] = {}
        last: KiroTask | None = None
        for visit in document.walk():
            block = visit.block
            if isinstance(block, Heading):
                last = self._heading(block, visit.headings)
                continue
            if isinstance(block, Item):
                owner = next(
                    (owners[id(one)] for one in reversed(visit.parents) if id(one) in owners), None
                )
                task = self._item(block, visit.headings, owner)
                if task is not None:
                    owners[id(block)] = last = task
                    continue
                if block.box is not None and owner is None:
                    self.unnumbered.append(block.line)
                self._fields(Line(block.line, block.text), owner or last)
            if isinstance(block, Paragraph):
                around = (owners[id(one)] for one in reversed(visit.parents) if id(one) in owners)
                owner = next(around, last)
                for line in block.lines:
                    self._fields(line, owner)

    def _heading(self, heading: Heading, above: tuple[Heading, ...]) -> KiroTask | None:
        """A heading may be a task itself, `### - [ ] 3. Title`, or a major, `## 3. Title`."""
        if found := BOX_HEADING.match(heading.text):
            box, starred, text = checkbox(found["rest"])
            item = Item(text=text, line=heading.line, box=box, starred=starred)
            return self._item(item, above, None)
        if major := _MAJOR.match(heading.text):
            self.majors.setdefault(major["id"], heading.text)
        return None

    def _item(
        self, item: Item, headings: tuple[Heading, ...], owner: KiroTask | None
    ) -> KiroTask | None:
        box, starred, text = item.box, item.starred, item.text
        if box is None and (escaped := _ESCAPED.match(text)):
            box, starred, text = escaped["char"], True, text[escaped.end() :]
        if box is None:
            return None
        if item.marker[:1].isdigit() and not _TASK.match(text):
            text = f"{item.marker} {text}"
        found = _TASK.match(text)
        if found is None:
            return None
        group = next((one.text for one in reversed(headings) if _MAJOR.match(one.text)), None)
        task = KiroTask(found["id"], self._title(found), item.line, group=group)
        task.done = box_state(box, task.id, item.line, self.notes)
        task.parallel = bool(found["before"] or found["after"])
        task.optional = starred or any(found[key] for key in ("star", "star2", "loose_star"))
        task.optional = task.optional or bool(_OPTIONAL.search(task.title))
        task.parent = owner.id if owner else None
        if found["before"]:
            self._variant("parallel_marker_variant", task)
        if task.optional and not starred:
            self._variant("optional_marker_variant", task)
        if found["title"].rstrip("* ").endswith(" (P)"):
            task.parallel = True
            self._variant("parallel_marker_variant", task)
        self._fields(Line(item.line, text), task)
        self.tasks.append(task)
        return task

    @staticmethod
    def _title(found: re.Match[str]) -> str:
        title = _TRAILING_FIELDS.sub("", found["title"])
        closed = found["closed"] or found["closed2"]
        title = plain_title(title, opened=bool(found["bold"]) and not closed)
        return title.removesuffix("(P)").rstrip() or found["title"]

    def _fields(self, line: Line, owner: KiroTask | None) -> None:
        if owner is not None and "_" in line.text:
            for found in _FIELD.finditer(line.text):
                owner.fields.append((found["name"], found["value"].strip(), line.number))

    def _parents(self, ids: set[str]) -> None:
        for task in self.tasks:
            head = task.id.rpartition(".")[0]
            if head in ids:
                if task.parent not in (None, head):
                    message = f"{task.id} stands under {task.parent}, its number says {head}"
                    self.notes.add("nesting_mismatch", task.line, message, task.id, head)
                task.parent = head

    def _depends(self, known: Known) -> Iterator[Edge]:
        for task in self.tasks:
            for name, value, line in task.fields:
                if name == "Blocked":
                    message = f"{task.id} is said to be blocked: {value}"
                    self.notes.add("blocked_task", line, message, task.id)
                if name == "Depends":
                    yield from self._dependency(task, value, line, known)

    def _dependency(self, task: KiroTask, value: str, line: int, known: Known) -> Iterator[Edge]:
        named = references(value, known)
        for one in named.ids:
            if one != task.id:
                task.deps.setdefault(one, line)
                yield Edge("explicit", one, task.id, line)
            else:
                self.notes.add("cycle", line, f"{one} depends on itself", one)
        for one in named.unknown:
            if one in self.majors:
                yield Edge("group", self.majors[one], task.id, line)
                continue
            message = f"{task.id} needs {one}, which is no task here"
            self.notes.add("unknown_dependency", line, message, task.id, one)
        for one in named.ranges:
            message = f"{task.id} needs the range {one}, read as all of its members"
            self.notes.add("range_in_dependency", line, message, task.id)
        if vague := (*named.groups, *named.keywords, *filter(None, [named.vague])):
            message = f"{task.id} needs {', '.join(map(repr, vague))}, which names no task"
            self.notes.add("vague_dependency", line, message, task.id)
        if named.is_none and (mentioned := ID.findall(value)):
            message = f"{task.id} needs nothing; {', '.join(mentioned)} stands in a remark"
            self.notes.add("remark_in_none", line, message, task.id, *mentioned)

    def _stated(self, stated: list[Edge], ids: set[str]) -> Iterator[Edge]:
        """Edges drawn with arrows under the heading of the graph."""
        by_id = {task.id: task for task in self.tasks}
        for edge in stated:
            for end in (edge.before, edge.after):
                if end not in ids:
                    message = f"the graph names {end}, which is no task here"
                    self.notes.add("unknown_dependency", edge.line, message, end)
            if edge.before in ids and edge.after in ids:
                by_id[edge.after].deps.setdefault(edge.before, edge.line)
                yield edge

    def _variant(self, kind: str, task: KiroTask) -> None:
        self.variants.setdefault(kind, (task.line, []))[1].append(task.id)

    def _note_variants(self) -> None:
        texts = {
            "parallel_marker_variant": "the mark (P) does not stand right after the number here",
            "optional_marker_variant": "the star for optional does not stand at the box here",
        }
        for kind, (line, ids) in self.variants.items():
            self.notes.add(kind, line, texts[kind], *ids)
        if self.unnumbered:
            message = f"{len(self.unnumbered)} checkboxes without a number are no tasks"
            self.notes.add("false_task", self.unnumbered[0], message)

    @staticmethod
    def _made(task: KiroTask) -> ImportedTask:
        return ImportedTask(
            id=task.id,
            title=task.title,
            line=task.line,
            deps=tuple(task.deps),
            group=task.group,
            done=task.done,
            optional=task.optional,
            parent=task.parent,
        )
