"""Where does the document want work to come together, and what waits there?

Its own gates and its statements between groups become sync points. A review
that is a task of the plan stays a task. A gate that names nothing becomes a
question, because an empty sync point would never open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from wavecrew.plan.model import SyncId, SyncPoint, Task, TaskId, WaveId
from wavecrew.plan.problem import Place
from wavecrew.plan.proposal.model import At, Questions
from wavecrew.plan.proposal.names import line_of, plain, slug
from wavecrew.plan.proposal.waves import Row
from wavecrew.plan.readers.model import Gate, ImportedPlan

Ends = tuple[str, ...]


@dataclass
class _Point:
    title: str
    after: Ends
    """Tasks and groups as the document writes them."""
    line: int = 0
    holds: dict[str, None] = field(default_factory=dict)
    approval: bool = False
    asks: dict[tuple[str, str], None] = field(default_factory=dict)
    """(kind, text) of what is asked about it."""


class SyncPoints:
    """Collects the sync points of one plan; `ids_of` gives the task ids of a written id."""

    def __init__(
        self,
        plan: ImportedPlan,
        row: Row,
        ids_of: Mapping[str, tuple[TaskId, ...]],
        questions: Questions,
    ) -> None:
        self.plan, self.row, self.ids_of, self.questions = plan, row, ids_of, questions
        self.points: dict[Ends, _Point] = {}

    def build(
        self, tasks: Iterable[Task], place: Callable[[int], Place]
    ) -> tuple[tuple[SyncPoint, ...], dict[At, Place]]:
        """The sync points, and where the document has each. `tasks` are those written."""
        dependents: dict[str, list[str]] = {}
        for task in tasks:
            for one in task.depends_on:
                dependents.setdefault(one, []).append(task.id)
        for gate in self.plan.gates:
            if gate.kind != "review":
                self._gate(gate, dependents)
        for edge in self.plan.edges:
            if edge.kind in ("group", "barrier"):
                self._edge(edge.before, edge.after, edge.line, implied=edge.kind == "barrier")
        made: list[SyncPoint] = []
        places: dict[At, Place] = {}
        for point in self.points.values():
            sync = self._finish(point, {str(one.id) for one in made})
            made.append(sync)
            places["sync", sync.id] = place(point.line)
        return tuple(made), places

    def _gate(self, gate: Gate, dependents: Mapping[str, list[str]]) -> None:
        after, before = self._known(gate.after), self._known(gate.before)
        asks: dict[tuple[str, str], None] = {}
        if not after and before:
            after = self._all_before(before)
            asks["sync_after", "the document says only what waits; is all before it named?"] = None
        if not after:
            text = f"{line_of(gate.text)[:200]!r} names no task or wave; which come before it?"
            self.questions.ask("vague_sync_point", text, (), ("sync_points",))
            return
        point = self.points.setdefault(after, _Point(line_of(gate.text), after, gate.line))
        point.approval |= gate.kind == "human"
        if before:
            point.holds.update(dict.fromkeys(before))
        else:
            self._guess_held(point, dependents, asks)
        point.asks.update(asks)

    def _guess_held(
        self,
        point: _Point,
        dependents: Mapping[str, list[str]],
        asks: dict[tuple[str, str], None],
    ) -> None:
        held: dict[str, None] = {}
        for end in point.after:
            if end in self.row.members:
                held.update(dict.fromkeys(self.row.later.get(end, ())))
            else:
                for one in self.ids_of.get(end, ()):
                    held.update(dict.fromkeys(dependents.get(one, ())))
                text = "the document does not say what waits here; are these all?"
                asks["sync_holds", text] = None
        point.holds.update((one, None) for one in held if one not in point.after)

    def _edge(self, before: str, after: str, line: int, *, implied: bool) -> None:
        for end in (before, after):
            if not self._known((end,)):
                text = f"{line_of(end)[:120]!r} is no task or wave; what waits for what?"
                self.questions.ask("unknown_end", text, (), ("sync_points",))
                return
        point = self.points.setdefault(
            (before,), _Point(f"{line_of(before)} is merged", (before,), line)
        )
        if after in point.holds:
            return
        point.holds[after] = None
        if implied:
            text = (
                "the document only implies that a wave waits for all of the one before; "
                "take it away where dependencies say enough"
            )
            point.asks["implied_barrier", text] = None

    def _known(self, ends: Iterable[str]) -> Ends:
        known = (one for one in ends if one in self.row.members or one in self.ids_of)
        return tuple(dict.fromkeys(known))

    def _all_before(self, ends: Ends) -> Ends:
        groups = (name for name, later in self.row.later.items() if set(ends) & set(later))
        first = {one for end in ends for one in self.ids_of.get(end, ())}
        needed = [
            dep
            for task in self.plan.tasks
            if set(self.ids_of[task.id]) & first
            for dep in task.deps
        ]
        return self._known((*groups, *needed))

    def _finish(self, point: _Point, taken: set[str]) -> SyncPoint:
        after_waves, after_tasks = self._sides(point.after)
        holds_waves, holds_tasks = self._sides(point.holds)
        wanted = slug(point.title, "-")[:40].rstrip("-")
        if len(point.after) == 1:
            wave = self.row.wave_of.get(point.after[0])
            short = wave if wave is None or not wave.isdigit() else f"wave-{wave}"
            wanted = f"after-{short or plain(point.after[0], wanted)[:60]}"
        one = SyncId(plain(wanted, f"sync-{len(taken) + 1}", taken))
        key = "holds_waves" if holds_waves else "holds_tasks" if holds_tasks else "title"
        for kind, text in point.asks:
            self.questions.ask(kind, text, [one], ("sync", one, key))
        return SyncPoint(
            id=one,
            title=point.title[:300] or one,
            after_waves=after_waves,
            after_tasks=after_tasks,
            holds_waves=holds_waves,
            holds_tasks=holds_tasks,
            approval=point.approval,
        )

    def _sides(self, ends: Iterable[str]) -> tuple[tuple[WaveId, ...], tuple[TaskId, ...]]:
        waves: dict[WaveId, None] = {}
        tasks: dict[TaskId, None] = {}
        for end in ends:
            if end in self.row.wave_of:
                waves[self.row.wave_of[end]] = None
                continue
            for written in self.row.members.get(end, (end,)):
                tasks.update(dict.fromkeys(self.ids_of.get(written, ())))
        return tuple(waves), tuple(tasks)
