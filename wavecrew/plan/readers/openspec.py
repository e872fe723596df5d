"""What does the `tasks.md` of an OpenSpec change say? Groups as headings, numbered checkboxes.

OpenSpec states no dependencies. The order of the lines is all there is, and
it is kept as what it is: implied.
"""

from __future__ import annotations

import re
from itertools import pairwise

from wavecrew.plan.readers.checklist import box_state, plain_title, readable
from wavecrew.plan.readers.markdown import Item, parse_markdown
from wavecrew.plan.readers.model import Edge, ImportedPlan, ImportedTask
from wavecrew.plan.readers.notes import Notes
from wavecrew.plan.readers.source import Source, SourceFile

_GROUP = re.compile(r"^##\s+\d+\.?\s+\S", re.MULTILINE)
_BOX = re.compile(r"^\s*[-*]\s+\[.\]\s+\d+\.\d+", re.MULTILINE)
_TASK = re.compile(r"(?P<bold>\*\*)?(?P<id>\d{1,6}(?:\.\d{1,6})*[a-z]?)[.):]?\s+(?P<title>\S.*)")


class OpenSpecReader:
    name = "openspec"

    def claims(self, source: Source) -> float:
        file = _file(source)
        if file is None or not _BOX.search(file.text):
            return 0.0
        beside = {"proposal.md", "specs"} & file.siblings
        if _GROUP.search(file.text):
            return 0.92 if beside else 0.62
        return 0.65 if beside else 0.0

    def read(self, source: Source) -> ImportedPlan:
        file = _file(source) or source.files[0]
        notes = Notes()
        document = parse_markdown(readable(file, notes))
        if document.cut_at:
            notes.add("too_deep", document.cut_at, "what is nested deeper is left out")
        tasks: list[ImportedTask] = []
        unnumbered: list[int] = []
        groups: dict[str, None] = {}
        for visit in document.walk():
            block = visit.block
            if not isinstance(block, Item) or block.box is None:
                continue
            found = _TASK.fullmatch(block.text)
            if found is None:
                unnumbered.append(block.line)
                continue
            group = visit.headings[-1].text if visit.headings else None
            done = box_state(block.box, found["id"], block.line, notes)
            title = plain_title(found["title"], opened=bool(found["bold"]))
            parent = _parent(found["id"], tasks)
            tasks.append(
                ImportedTask(found["id"], title, block.line, group=group, done=done, parent=parent)
            )
            groups.update({group: None} if group else {})
        if unnumbered:
            message = f"{len(unnumbered)} checkboxes without a number are no tasks"
            notes.add("false_task", unnumbered[0], message)
        parents = {task.parent for task in tasks}
        leaves = [task for task in tasks if task.id not in parents]
        edges = [Edge("order", one.id, two.id, two.line) for one, two in pairwise(leaves)]
        return ImportedPlan(
            self.name, tuple(tasks), tuple(edges), (), notes.done(), groups=tuple(groups)
        )


def _file(source: Source) -> SourceFile | None:
    found = [file for file in source.files if file.name.rsplit("/", 1)[-1] == "tasks.md"]
    only = source.only
    return found[0] if len(found) == 1 else only if only and only.suffix == ".md" else None


def _parent(id_: str, tasks: list[ImportedTask]) -> str | None:
    head = id_.rpartition(".")[0]
    return head if any(task.id == head for task in reversed(tasks[-50:])) else None
