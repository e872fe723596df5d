"""In which order do a Kiro file's tasks run: by waves, by the order of lines, by checkpoints?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from wavecrew.plan.readers.kiro_waves import Wave
from wavecrew.plan.readers.model import Edge, Gate
from wavecrew.plan.readers.notes import Notes

_CHECKPOINT = re.compile(r"(?:\w+\s+)?checkpoint\b", re.IGNORECASE)


@dataclass
class KiroTask:
    id: str
    title: str
    line: int
    done: bool = False
    optional: bool = False
    parallel: bool = False
    group: str | None = None
    parent: str | None = None
    fields: list[tuple[str, str, int]] = field(default_factory=list)
    """(name, value, line) of `_Depends: ..._` and its like."""
    deps: dict[str, int] = field(default_factory=dict)

    @property
    def is_checkpoint(self) -> bool:
        return bool(_CHECKPOINT.match(self.title))


def wave_edges(tasks: Sequence[KiroTask], waves: Sequence[Wave], notes: Notes) -> Iterator[Edge]:
    """Barriers, or what the waves say of each other; every task gets its wave as its group."""
    by_id = {task.id: task for task in tasks}
    placed: dict[str, str] = {}
    for wave in waves:
        for id_ in wave.tasks:
            if id_ not in by_id:
                message = f"{wave.name} names {id_}, which is no task here"
                notes.add("unknown_wave_task", wave.line, message, id_)
            elif id_ in placed:
                message = f"{id_} stands in {placed[id_]} and in {wave.name}"
                notes.add("task_in_two_waves", wave.line, message, id_)
            else:
                placed[id_] = wave.name
                by_id[id_].group = wave.name
    containers = {task.parent for task in tasks}
    left = [one.id for one in tasks if one.id not in placed and one.id not in containers]
    if left:
        message = f"no wave holds {', '.join(left)}; their place is only that in the list"
        notes.add("tasks_without_wave", waves[0].line, message, *left)
    if all(wave.after is None for wave in waves):
        for before, after in pairwise(waves):
            yield Edge("barrier", before.name, after.name, after.line)
    for wave in waves:
        for before_name in wave.after or ():
            yield Edge("group", before_name, wave.name, wave.line)


def order_edges(tasks: Sequence[KiroTask]) -> Iterator[Edge]:
    """What the order of the lines implies between leaves; (P) takes a task out of it."""
    leaves = _leaves(tasks)
    before: list[KiroTask] = []
    for task in leaves:
        if task.parallel:
            before.append(task)
            continue
        for one in before:
            yield Edge("order", one.id, task.id, task.line)
        before = [task]


def checkpoints(tasks: Sequence[KiroTask]) -> Iterator[Gate]:
    """A gate for each checkpoint, between the leaves before it and those up to the next."""
    leaves = _leaves(tasks)
    stops = [at for at, task in enumerate(leaves) if task.is_checkpoint]
    start = 0
    for number, at in enumerate(stops):
        end = stops[number + 1] if number + 1 < len(stops) else len(leaves)
        after = tuple(one.id for one in leaves[start:at])
        before = tuple(one.id for one in leaves[at + 1 : end])
        yield Gate("checkpoint", leaves[at].title, leaves[at].line, after, before)
        start = at + 1


def _leaves(tasks: Sequence[KiroTask]) -> list[KiroTask]:
    """The tasks without parts."""
    containers = {task.parent for task in tasks}
    return [task for task in tasks if task.id not in containers]
