"""The facts of a run: every kind of event, and its one shape on disk and on stdout.

State, board, messages and reports are folds over these. An event's id is
derived from what it says, so that a repeated step writes no second one.
Standard library only: `wavecrew status` reads a run without loading an engine.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Fact:
    """What happened. Subclasses add fields; all are JSON values."""

    key: ClassVar[tuple[str, ...]] = ()
    """Fields that make this fact distinct from others of its kind."""


@dataclass(frozen=True, slots=True)
class RunStarted(Fact):
    plan: str
    base: str
    """Commit the run was cut from."""
    integration: str
    """Full name of the integration ref."""
    model: str
    rehearsal: bool
    sandbox: str
    tasks: list[dict[str, Any]]
    """id, title, role, wave, phase, group, estimate_h, depends_on of each task in the run."""
    sync_points: list[dict[str, Any]]
    """id, title, after (task ids), holds (task ids)."""
    roles: list[str]


@dataclass(frozen=True, slots=True)
class RunPaused(Fact):
    key: ClassVar[tuple[str, ...]] = ("pause",)
    pause: int
    reason: str


@dataclass(frozen=True, slots=True)
class RunResumed(Fact):
    key: ClassVar[tuple[str, ...]] = ("pause",)
    pause: int


@dataclass(frozen=True, slots=True)
class RolledBack(Fact):
    """Something that was on disk was lost (a machine that lost its power), and what was done."""

    key: ClassVar[tuple[str, ...]] = ("number",)
    number: int
    what: str
    """What was lost or damaged, and how far the run went back because of it."""


@dataclass(frozen=True, slots=True)
class RunFinished(Fact):
    outcome: str
    """done, task_failed, integration_red, conflict, limit_reached."""
    exit_code: int
    merged: int
    tasks: int
    tip: str


@dataclass(frozen=True, slots=True)
class TaskStarted(Fact):
    """The plan's task start message."""

    key: ClassVar[tuple[str, ...]] = ("task", "attempt")
    task: str
    attempt: int
    role: str
    base: str
    dependencies_verified: list[str]
    estimate_h: float | None
    reason: str = ""
    """Why it is tried again; empty on the first attempt."""


@dataclass(frozen=True, slots=True)
class AgentStep(Fact):
    """A model call or a tool call came back."""

    key: ClassVar[tuple[str, ...]] = ("task", "attempt", "step")
    task: str
    attempt: int
    step: int
    what: str
    """`model` or the tool's name."""
    brief: str
    tokens: int = 0
    cost_usd: float = 0.0
    """By the prices of that day; 0 in a rehearsal, and where no price is known."""
    tries: int = 0
    """HTTP requests that a model call took: 1, and one more for each 429, failure or time-out."""


@dataclass(frozen=True, slots=True)
class CrewStep(Fact):
    """The same of the manager crew, which works on no task."""

    key: ClassVar[tuple[str, ...]] = ("matter", "subject", "number", "step")
    matter: str
    """triage or sync."""
    subject: str
    """Task id or sync point id."""
    number: int
    """Attempt or round."""
    step: int
    what: str
    brief: str
    tokens: int = 0
    cost_usd: float = 0.0
    tries: int = 0


@dataclass(frozen=True, slots=True)
class ProviderChanged(Fact):
    """How many calls go to the provider at once, after that has changed."""

    key: ClassVar[tuple[str, ...]] = ("change",)
    change: int
    """1, 2, 3 ... over the whole run."""
    limit: int
    agents: int
    """How many there would be without trouble."""
    is_down: bool
    """True while one call at a time only probes whether it is there again."""
    why: str
    """The newest trouble; empty when it was an answer that raised the limit."""
    next_at: str
    """No call goes out before; UTC, ISO 8601; empty: at once."""
    tries: int
    """HTTP requests since the engine started, and how many of them were answered 429 ..."""
    refused: int
    failed: int
    """... or failed: 5xx, time-out, connection lost."""


@dataclass(frozen=True, slots=True)
class GateFinished(Fact):
    key: ClassVar[tuple[str, ...]] = ("task", "attempt", "submission")
    task: str
    attempt: int
    submission: int
    verdict: str
    rules: list[str]
    tree: str
    commit: str
    """The branch's commit; empty unless the gate passed."""
    passed: int
    failed: int
    summary: str
    """What the agent says it did."""
    report: str
    """The gate report, relative to the run's folder."""


@dataclass(frozen=True, slots=True)
class AttemptEnded(Fact):
    key: ClassVar[tuple[str, ...]] = ("task", "attempt")
    task: str
    attempt: int
    outcome: str
    """passed, out_of_steps, out_of_time, out_of_budget, incomplete_answer, gave_up, crashed,
    stalled, model_failed."""
    detail: str
    model_calls: int = 0
    tokens: int = 0
    branch: str = ""
    """Where the work stands: its branch, or its place in the attic."""


@dataclass(frozen=True, slots=True)
class LandingQueued(Fact):
    """A branch that passed its gate waits for the lane of the merge queue."""

    key: ClassVar[tuple[str, ...]] = ("task", "attempt", "lap")
    task: str
    attempt: int
    commit: str
    lap: int = 0
    """How often this branch was put back in the queue."""


@dataclass(frozen=True, slots=True)
class TreeTested(Fact):
    """A merged tree was judged: of one branch, or of a batch that lands or is halved together."""

    key: ClassVar[tuple[str, ...]] = ("base", "tree", "tasks")
    tasks: list[str]
    """Merged one behind the other, in this order; the tree is that of the last."""
    base: str
    """Commit of the integration branch they were merged with."""
    tree: str
    verdict: str
    drivers: dict[str, list[str]]
    """Task -> convergence drivers that took part in its merge."""
    evidence: str
    """The integration report, relative to the run's folder."""


@dataclass(frozen=True, slots=True)
class ConflictForecast(Fact):
    """Which branches that have not landed would collide; written when that has changed."""

    key: ClassVar[tuple[str, ...]] = ("task", "attempt", "submission")
    task: str
    """Whose new commit it was made for."""
    attempt: int
    submission: int
    collisions: list[dict[str, Any]]
    """All that is foreseen now: one, other (tasks), paths, symbols."""


@dataclass(frozen=True, slots=True)
class MergeFinished(Fact):
    key: ClassVar[tuple[str, ...]] = ("task", "attempt", "outcome", "tree")
    task: str
    attempt: int
    outcome: str
    """merged, conflict, red."""
    tree: str
    """The tree that was tested: of this merge, or of the last one of its batch."""
    commit: str
    drivers: list[str]
    """Convergence drivers that took part."""
    detail: str
    evidence: str
    """The integration report, relative to the run's folder."""
    batch: list[str] = field(default_factory=list)
    """The tasks that were tested together with it, itself included; empty: alone."""


@dataclass(frozen=True, slots=True)
class TaskCompleted(Fact):
    """The plan's task completion message."""

    key: ClassVar[tuple[str, ...]] = ("task", "commit")
    task: str
    role: str
    tests: str
    unblocks: list[str]
    next_task: str
    """The role's next task, or `Awaiting Assignment`."""
    commit: str


@dataclass(frozen=True, slots=True)
class TaskBlocked(Fact):
    key: ClassVar[tuple[str, ...]] = ("task",)
    task: str
    role: str
    reason: str
    branch: str


@dataclass(frozen=True, slots=True)
class TaskHeld(Fact):
    """Its wave's budget is used up; its work is parked, and goes on once that is raised."""

    key: ClassVar[tuple[str, ...]] = ("task", "hold")
    task: str
    hold: int
    attempt: int
    reason: str
    tokens: int = 1
    cost_usd: float = 0.0
    """What the refused call might have taken; it goes on when there is room for so much."""


@dataclass(frozen=True, slots=True)
class TaskFreed(Fact):
    """A held task goes on with the same attempt."""

    key: ClassVar[tuple[str, ...]] = ("task", "hold")
    task: str
    hold: int


@dataclass(frozen=True, slots=True)
class SentBack(Fact):
    """The manager crew's triage: who mends what, and why."""

    key: ClassVar[tuple[str, ...]] = ("task", "attempt")
    task: str
    attempt: int
    by: str
    reason: str
    evidence: str


@dataclass(frozen=True, slots=True)
class SyncOpened(Fact):
    key: ClassVar[tuple[str, ...]] = ("sync",)
    sync: str
    tree: str
    passed: int
    report: str


@dataclass(frozen=True, slots=True)
class SyncClosed(Fact):
    """It was looked at and stays closed."""

    key: ClassVar[tuple[str, ...]] = ("sync", "round")
    sync: str
    round: int
    verdict: str
    detail: str
    report: str


@dataclass(frozen=True, slots=True)
class SyncApproved(Fact):
    """A person's approval of a sync point."""

    key: ClassVar[tuple[str, ...]] = ("sync",)
    sync: str


@dataclass(frozen=True, slots=True)
class NotePosted(Fact):
    """A line on the scratchpad that agents share."""

    key: ClassVar[tuple[str, ...]] = ("task", "attempt", "note")
    task: str
    attempt: int
    note: int
    text: str


@dataclass(frozen=True, slots=True)
class Event:
    """A fact with its place in the run's order."""

    seq: int
    """1, 2, 3 ... in the order of the log."""
    id: str
    run: str
    at: str
    """UTC, ISO 8601 with milliseconds."""
    kind: str
    fact: Fact = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """The shape of a line of `--json` and of the log: envelope first, then the fact."""
        head = {"seq": self.seq, "id": self.id, "run": self.run, "at": self.at, "kind": self.kind}
        return head | asdict(self.fact)


def kind_of(fact_type: type[Fact]) -> str:
    """`TaskStarted` -> `task_started`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", fact_type.__name__).lower()


def id_of(fact: Fact) -> str:
    """Deterministic: the kind and the key fields, `task_started/1.1/2`."""
    return id_with(type(fact), *(getattr(fact, name) for name in fact.key))


def id_with(fact_type: type[Fact], *key: object) -> str:
    """The id of the fact of this kind that has these values in its key fields."""
    words = ("+".join(one) if isinstance(one, list) else str(one) for one in key)
    return "/".join([kind_of(fact_type), *words])


FACTS: dict[str, type[Fact]] = {kind_of(cls): cls for cls in Fact.__subclasses__()}
"""Kind -> its class. The whole vocabulary of a run."""


def fact_from_json(kind: str, data: dict[str, Any]) -> Fact:
    """The inverse of `asdict`; KeyError for a kind this version does not know.

    A field that a newer version added is left out; one that is missing has its default.
    """
    known = {one.name for one in fields(FACTS[kind])}
    return FACTS[kind](**{name: value for name, value in data.items() if name in known})
