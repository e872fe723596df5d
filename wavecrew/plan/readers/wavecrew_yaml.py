"""What does a `tasks.yaml` of Wavecrew itself say, in the words of every other format?

Read by the strict loader: a file that Wavecrew could not load is an error here
too. Names that do not exist are reported like those of any other format.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from wavecrew.plan.book import Book
from wavecrew.plan.cross_check import cross_check
from wavecrew.plan.model import Plan
from wavecrew.plan.readers.model import Diagnostic, Edge, Gate, ImportedPlan, ImportedTask
from wavecrew.plan.readers.source import Source, SourceFile
from wavecrew.plan.tasks_file import read_plan
from wavecrew.plan.yaml_positions import parse_yaml

_PLAN = re.compile(r"^[\"']?plan[\"']?\s*:", re.MULTILINE)
_TASKS = re.compile(r"^[\"']?tasks[\"']?\s*:", re.MULTILINE)

_KINDS = {"unknown_task": "unknown_dependency"}


class WavecrewReader:
    name = "wavecrew"

    def claims(self, source: Source) -> float:
        file = _file(source)
        if file is None:
            return 0.0
        has_tasks, has_plan = _TASKS.search(file.text), _PLAN.search(file.text)
        return 0.95 if has_tasks and has_plan else 0.4 if has_tasks else 0.0

    def read(self, source: Source) -> ImportedPlan:
        file = _file(source) or source.files[0]
        book = Book()
        plan = book.finish(read_plan(book, parse_yaml(file.text, file.name)))
        cross_check(book, plan, None, None)
        found = tuple(
            Diagnostic(_KINDS.get(one.kind, one.kind), one.place.line, one.ids, one.message)
            for one in book.problems
        )

        def line(*what: str) -> int:
            while what and what not in book.places:
                what = what[:-1]
            return book.places[what].line if what else 0

        tasks = tuple(
            ImportedTask(
                id=task.id,
                title=task.title,
                line=line("task", task.id, "title"),
                deps=tuple(task.depends_on),
                hours=task.estimate_h,
                hours_min=task.estimate_h,
                hours_max=task.estimate_h,
                group=task.wave,
                agent=task.agent,
                files=task.may_write,
            )
            for task in plan.tasks
        )
        edges = [
            Edge("explicit", dep, task.id, line("task", task.id, "depends_on", str(at)))
            for task in plan.tasks
            for at, dep in enumerate(task.depends_on)
        ]
        edges += [
            Edge("mutex", one, other, line("task", other, "conflicts_with"))
            for one, other in _pairs(plan)
        ]
        gates = tuple(
            Gate(
                "human" if sync.approval else "sync",
                sync.title,
                line("sync", sync.id),
                (*sync.after_waves, *sync.after_tasks),
                (*sync.holds_waves, *sync.holds_tasks),
            )
            for sync in plan.sync_points
        )
        groups = tuple(wave.id for wave in plan.waves)
        return ImportedPlan(self.name, tasks, tuple(edges), gates, found, groups=groups)


def _file(source: Source) -> SourceFile | None:
    found = source.ending(".yaml", ".yml")
    named = [file for file in found if PurePosixPath(file.name).stem == "tasks"]
    return named[0] if len(named) == 1 else found[0] if source.only and found else None


def _pairs(plan: Plan) -> Iterator[tuple[str, str]]:
    """Every pair that must not run together, once, in the order of the plan."""
    place = {task.id: at for at, task in enumerate(plan.tasks)}
    told: set[tuple[str, str]] = set()
    for task in plan.tasks:
        for other in task.conflicts_with:
            first, second = sorted((task.id, other), key=place.__getitem__)
            if first != second and (first, second) not in told:
                told.add((first, second))
                yield first, second
