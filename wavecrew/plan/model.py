"""What a plan is: tasks, waves, sync points, roles, and how a repository is checked.

Pure data, immutable, validated on the way in. Reading files is the loaders'
work, judging a plan the linter's, deciding what may start the scheduler's.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal, NewType

from pydantic import BaseModel, ConfigDict, Field

TaskId = NewType("TaskId", str)
RoleName = NewType("RoleName", str)
SyncId = NewType("SyncId", str)
WaveId = NewType("WaveId", str)

Archetype = Literal["database", "flow", "pattern", "integration"]
Hours = Annotated[float, Field(ge=0, le=10_000)]


class Record(BaseModel):
    """Immutable, and an unknown key is an error: a typo must never be a silent default."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Role(Record):
    """An entry of agents.yaml: who may work, with what, and where."""

    name: RoleName
    role: str
    goal: str
    backstory: str
    archetype: Archetype
    skills: tuple[str, ...] = ()
    tools: tuple[str, ...]
    """Names or globs of the ToolRegistry; nothing else may be called."""
    may_write: tuple[str, ...] = ()
    """Path globs (gitignore syntax) inside the repository; a role without any writes nothing."""
    parallel: int = Field(default=1, ge=1, le=1000)
    """How many tasks of this role may be worked on at once."""
    llm: str | None = None
    """A model name that overrides the run's own."""
    max_iter: int = Field(default=60, ge=1, le=10_000)
    """Model steps in one attempt; reaching it is an outcome of its own, never a success."""
    attempts: int = Field(default=3, ge=1, le=20)
    """How often a task may be tried, rework included, before a person decides."""
    manager: bool = False
    """True for the manager crew's roles: they hold sync points and are given no tasks."""


class Contract(Record):
    """A symbol one task promises and others rely on."""

    symbol: str
    """Dotted Python path: `discovery.models.asset.Asset` or `package.module.Class.method`."""
    signature: str = ""
    """Parameter list as written in Python, `(self, asset_id: str) -> Asset`; empty: any."""


class Task(Record):
    id: TaskId
    title: str
    agent: RoleName
    description: str
    expected_output: str
    wave: WaveId | None = None
    phase: str = ""
    group: str = ""
    estimate_h: Hours | None = None
    depends_on: tuple[TaskId, ...] = ()
    may_write: tuple[str, ...] = ()
    """Path globs; empty means the role's. A write must be inside both when both are given."""
    done_when: tuple[str, ...] = ()
    """Shell commands that must pass at the submitted tree, beside the repository's checks."""
    provides: tuple[Contract, ...] = ()
    consumes: tuple[Contract, ...] = ()
    conflicts_with: tuple[TaskId, ...] = ()
    """Tasks that must never run at the same time as this one."""


class Wave(Record):
    id: WaveId
    title: str = ""


class SyncPoint(Record):
    """A node of the graph: it opens when all before it is merged and the evidence is green."""

    id: SyncId
    title: str
    after_waves: tuple[WaveId, ...] = ()
    after_tasks: tuple[TaskId, ...] = ()
    holds_waves: tuple[WaveId, ...] = ()
    holds_tasks: tuple[TaskId, ...] = ()
    """What may not start before it opens."""
    checks: tuple[str, ...] = ()
    """Names of checks to run on the merged tree; empty: every check of stage `sync`."""
    approval: bool = False
    """True when a person must approve before it opens."""


class Claim(Record):
    """Hours that the plan's document states; the forecast holds them against its own."""

    what: Literal["single_agent_h", "makespan_h"]
    """All of it done by one agent, or from start to end as the plan is written."""
    hours: Annotated[float, Field(ge=0, le=10_000_000)]


class Plan(Record):
    title: str
    waves: tuple[Wave, ...]
    tasks: tuple[Task, ...]
    sync_points: tuple[SyncPoint, ...] = ()
    claims: tuple[Claim, ...] = ()

    @cached_property
    def tasks_by_id(self) -> dict[str, Task]:
        """Task id -> task, in plan order."""
        return {task.id: task for task in self.tasks}

    def before(self, sync: SyncPoint) -> tuple[Task, ...]:
        """The tasks that must be merged before `sync` can open, in plan order."""
        return tuple(
            t for t in self.tasks if t.id in sync.after_tasks or t.wave in sync.after_waves
        )

    def held_by(self, sync: SyncPoint) -> tuple[Task, ...]:
        """The tasks that may not start before `sync` opens, in plan order."""
        return tuple(
            t for t in self.tasks if t.id in sync.holds_tasks or t.wave in sync.holds_waves
        )
