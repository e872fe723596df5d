"""What does a document written by people say: tasks, edges, gates, claims, and what is doubtful?

The common record of every reader. It keeps what was written, a range of tasks
as one entry and an estimate as a span, because judging is others' work.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

EdgeKind = Literal["explicit", "group", "order", "barrier", "mutex"]
GateKind = Literal["checkpoint", "sync", "human", "review"]


@dataclass(frozen=True)
class ImportedTask:
    """A task line as written. Hours are None when the document gives none."""

    id: str
    title: str
    line: int = 0
    """1-based; 0 when the task stands for a whole file."""
    deps: tuple[str, ...] = ()
    """Ids this task explicitly needs, ranges expanded; inferred order is an `Edge`, never here."""
    hours: float | None = None
    """The estimate, when it is one number; a span is in `hours_min` and `hours_max`."""
    hours_min: float | None = None
    hours_max: float | None = None
    group: str | None = None
    """Wave, phase or section heading it stands under."""
    agent: str | None = None
    done: bool = False
    optional: bool = False
    parent: str | None = None
    files: tuple[str, ...] = ()
    file: str | None = None
    """Which file of an imported folder; None when one file was imported."""
    range_members: tuple[str, ...] = ()
    """The ids a range such as `4.2-4.5` stands for; empty for an ordinary task."""


@dataclass(frozen=True)
class Edge:
    """`before` must end before `after` starts; for `mutex` the two must not run together.

    explicit: stated between tasks. group: stated between groups, or a group and a task.
    order: only implied by the order of writing. barrier: implied by waves that follow each other.
    Ends are task ids, or group names for `group` and `barrier`.
    """

    kind: EdgeKind
    before: str
    after: str
    line: int = 0


@dataclass(frozen=True)
class Gate:
    """A place where work waits for a check, a meeting of branches, a person or a review."""

    kind: GateKind
    text: str
    line: int = 0
    after: tuple[str, ...] = ()
    """Task ids or group names that come before it."""
    before: tuple[str, ...] = ()
    """Task ids or group names that wait for it; empty when the document does not say."""


@dataclass(frozen=True)
class Diagnostic:
    """Something the document leaves open or gets wrong; the kinds are stable words for scripts."""

    kind: str
    line: int
    ids: tuple[str, ...]
    message: str
    file: str | None = None


@dataclass(frozen=True)
class Claim:
    """A number the document states about itself, to be held against what is computed."""

    kind: str
    """`total_hours`, `parallel_hours`, `task_count`, `agents`, `max_concurrent`, `done_count`."""
    value: float
    line: int
    value_max: float | None = None
    """The upper end when the claim is a span."""
    ids: tuple[str, ...] = ()
    """What it speaks of when not of the whole plan."""


@dataclass(frozen=True)
class ImportedPlan:
    format: str
    tasks: tuple[ImportedTask, ...] = ()
    edges: tuple[Edge, ...] = ()
    gates: tuple[Gate, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    claims: tuple[Claim, ...] = ()
    groups: tuple[str, ...] = field(default=())
    """Waves, phases or sections in the order in which they are to run."""

    @property
    def hours(self) -> float:
        """Sum of the single-number estimates."""
        return round(sum(task.hours or 0.0 for task in self.tasks), 6)

    def with_diagnostics(self, *more: Diagnostic) -> ImportedPlan:
        """The same plan with `more` reported, in the order of lines."""
        once = dict.fromkeys((*self.diagnostics, *more))
        found = sorted(once, key=lambda one: (one.file or "", one.line))
        return replace(self, diagnostics=tuple(found))

    def expand(self) -> ImportedPlan:
        """Every range as tasks of its own: hours split evenly, its edges given to each member."""
        members = {task.id: task.range_members for task in self.tasks if task.range_members}
        tasks: list[ImportedTask] = []
        for task in self.tasks:
            deps = tuple(
                dict.fromkeys(one for dep in task.deps for one in members.get(dep, (dep,)))
            )
            if not task.range_members:
                tasks.append(replace(task, deps=deps))
                continue
            share = _share(task, len(task.range_members))
            tasks += [replace(share, id=one, deps=deps) for one in task.range_members]
        edges = tuple(
            replace(edge, before=before, after=after)
            for edge in self.edges
            for before in members.get(edge.before, (edge.before,))
            for after in members.get(edge.after, (edge.after,))
        )
        gates = tuple(
            replace(
                gate,
                after=tuple(one for end in gate.after for one in members.get(end, (end,))),
                before=tuple(one for end in gate.before for one in members.get(end, (end,))),
            )
            for gate in self.gates
        )
        return replace(self, tasks=tuple(tasks), edges=edges, gates=gates)

    def as_data(self) -> dict[str, Any]:
        """What `--json` prints; absent values are None."""
        return {
            "format": self.format,
            "groups": list(self.groups),
            "tasks": [_task_data(task) for task in self.tasks],
            "edges": [
                {"kind": edge.kind, "from": edge.before, "to": edge.after, "line": edge.line}
                for edge in self.edges
            ],
            "gates": [asdict(gate) for gate in self.gates],
            "diagnostics": [asdict(one) for one in self.diagnostics],
            "claims": [asdict(claim) for claim in self.claims],
        }


def _share(task: ImportedTask, parts: int) -> ImportedTask:
    def part(hours: float | None) -> float | None:
        return None if hours is None else hours / parts

    return replace(
        task,
        hours=part(task.hours),
        hours_min=part(task.hours_min),
        hours_max=part(task.hours_max),
        range_members=(),
    )


def _task_data(task: ImportedTask) -> dict[str, Any]:
    data = asdict(task)
    data["range_members"] = list(task.range_members) or None
    return data
