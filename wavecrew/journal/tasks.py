"""What is known of a task of a run: its attempts, what became of its branch, what it collides with.

How each fact about a task changes it stands here; what such a fact means for
the run as a whole is `state.py`'s to know. Pure; standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from wavecrew.journal import events as e


@dataclass(slots=True)
class AttemptState:
    """What came of one attempt so far."""

    base: str = ""
    """Commit its workspace was cut from."""
    tree: str = ""
    """Its newest submission that was judged."""
    commit: str = ""
    """Of its branch; empty unless its gate passed."""
    summary: str = ""
    """The agent's words for that branch."""
    refused: int = 0
    """Submissions that did not pass."""
    is_landed: bool = False


@dataclass(slots=True)
class Collision:
    """Two tasks whose branches would not go together as they are."""

    one: str
    """A task; empty: what has landed already."""
    other: str
    paths: list[str]
    symbols: list[str]

    def has(self, task: str) -> bool:
        return task in (self.one, self.other)

    def partner(self, task: str) -> str:
        return self.other if task == self.one else self.one

    @property
    def where(self) -> str:
        return ", ".join([*self.paths, *self.symbols])


@dataclass(slots=True)
class TaskState:
    id: str
    title: str
    role: str
    wave: str = ""
    phase: str = ""
    group: str = ""
    estimate_h: float | None = None
    depends_on: list[str] = field(default_factory=list)
    status: str = "waiting"
    """waiting, running, gating (submitted and passed, not landed yet), merged, blocked."""
    attempt: int = 0
    steps: int = 0
    tokens: int = 0
    submissions: int = 0
    last: str = ""
    """What it did last, in a few words."""
    rules: list[str] = field(default_factory=list)
    """What the newest gate found."""
    commit: str = ""
    """The merge commit once merged, else the branch's commit once its gate passed."""
    branch: str = ""
    summary: str = ""
    """What the agent says it did, from its accepted submission."""
    evidence: str = ""
    """The newest report, relative to the run's folder."""
    changed_reason: str = ""
    """Why it was sent back or blocked."""
    held: str = ""
    """Why it waits although it may start: its wave's budget."""
    held_for: tuple[int, float] = (1, 0.0)
    """Tokens and USD of the call that there was no room for."""
    holds: int = 0
    """How often it was held."""
    started_at: str = ""
    ended_at: str = ""
    attempts: dict[int, AttemptState] = field(default_factory=dict)
    """Attempt number -> what came of it."""
    queued: int = 0
    """The event with which its branch joined the merge queue; 0: it waits for no landing."""
    is_sent_back: bool = False
    """It landed, and is to be mended; until the next attempt starts."""

    def start(self, fact: e.TaskStarted, at: str) -> None:
        self.status, self.attempt, self.last = "running", fact.attempt, "started"
        self.started_at = self.started_at or at
        self.attempts[fact.attempt] = AttemptState(base=fact.base)
        self.queued, self.is_sent_back = 0, False

    def step(self, fact: e.AgentStep) -> None:
        self.steps += 1
        self.tokens += fact.tokens
        self.last = fact.brief

    def hold(self, fact: e.TaskHeld) -> None:
        self.status, self.held, self.holds = "waiting", fact.reason, fact.hold
        self.held_for, self.last = (fact.tokens, fact.cost_usd), "held"

    def free(self) -> None:
        self.status, self.held, self.last = "running", "", "goes on"

    def judge(self, fact: e.GateFinished) -> None:
        self.submissions += 1
        self.rules, self.evidence = list(fact.rules), fact.report
        self.last = f"gate {fact.verdict}" + (f": {', '.join(fact.rules)}" if fact.rules else "")
        attempt = self.attempts.setdefault(fact.attempt, AttemptState())
        attempt.tree = fact.tree
        attempt.refused += fact.verdict != "pass"
        if fact.verdict == "pass":
            attempt.commit, attempt.summary = fact.commit, fact.summary
            self.status, self.commit, self.summary = "gating", fact.commit, fact.summary

    def end(self, fact: e.AttemptEnded) -> None:
        self.branch = fact.branch or self.branch
        if fact.outcome != "passed":
            self.last = f"{fact.outcome}: {fact.detail}" if fact.detail else fact.outcome

    def queue(self, fact: e.LandingQueued, seq: int) -> None:
        self.status, self.commit, self.queued = "gating", fact.commit, seq
        self.last = "waits to land"

    def test(self, fact: e.TreeTested) -> None:
        others = ", ".join(other for other in fact.tasks if other != self.id)
        together = f" together with {others}" if others else ""
        self.last = f"merged tree tested{together}: {fact.verdict}"

    def land(self, fact: e.MergeFinished, at: str) -> None:
        """It went through the merge queue, and landed or did not."""
        self.last, self.evidence = f"landing: {fact.outcome}", fact.evidence
        self.queued = 0
        if fact.outcome == "merged":
            self.attempts.setdefault(fact.attempt, AttemptState()).is_landed = True
            self.status, self.commit, self.ended_at = "merged", fact.commit, at
        else:
            self.status, self.changed_reason = "waiting", fact.detail

    def block(self, fact: e.TaskBlocked, at: str) -> None:
        self.status, self.changed_reason, self.ended_at = "blocked", fact.reason, at
        self.branch = fact.branch or self.branch
        self.queued = 0

    def send_back(self, fact: e.SentBack) -> None:
        self.changed_reason, self.is_sent_back = fact.reason, self.status == "merged"
