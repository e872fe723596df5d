"""In which order do waiting branches go through the merge queue, and which go together?

Pure. The lane is one; whoever has it takes along what waits behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Waiting:
    """A passed branch that waits to land."""

    task: str
    attempt: int
    commit: str


@dataclass(frozen=True)
class Pairs:
    """Which tasks' branches are foreseen to collide."""

    pairs: frozenset[frozenset[str]] = frozenset()

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> Pairs:
        return cls(frozenset(frozenset(pair) for pair in pairs))

    def collide(self, one: str, other: str) -> bool:
        return frozenset((one, other)) in self.pairs

    def partners(self, task: str) -> frozenset[str]:
        return frozenset(other for pair in self.pairs if task in pair for other in pair - {task})


def next_batch(
    waiting: Sequence[Waiting], own: str, pairs: Pairs, size: int
) -> tuple[Waiting, ...]:
    """The branches to land together next, at most `size`, of which no two collide.

    What collides with most of the others that wait comes last, so that as few
    as possible must be reworked; `own`, whose turn in the lane it is, goes
    before its equals, and they as they came.
    """
    tasks = {one.task for one in waiting}
    ordered = sorted(
        waiting, key=lambda one: (len(pairs.partners(one.task) & tasks), one.task != own)
    )
    batch: list[Waiting] = []
    for one in ordered:
        if len(batch) < size and not any(pairs.collide(one.task, it.task) for it in batch):
            batch.append(one)
    return tuple(batch)


def batch_in_order(
    waiting: Sequence[Waiting],
    own: str,
    pairs: Pairs,
    size: int,
    *,
    order: Sequence[str],
    past: Set[str],
) -> tuple[Waiting, ...]:
    """`own` and what follows it directly in `order`, passing over what is `past` landing.

    It ends at the first that does not wait here, or that collides: nothing may
    land before what stands in front of it.
    """
    by_task = {one.task: one for one in waiting}
    batch = [by_task[own]]
    for task in order[order.index(own) + 1 :]:
        if task in past:
            continue
        one = by_task.get(task)
        if one is None or len(batch) == size:
            break
        if any(pairs.collide(task, it.task) for it in batch):
            break
        batch.append(one)
    return tuple(batch)
