"""What belongs to a repository rather than to a plan: `wavecrew.toml`, as data.

The file is optional; every field has the default a fresh Python repository
wants. Reading the file, with line numbers in its errors, is `load.py`'s work.
"""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from wavecrew.plan.model import Record

Stage = Literal["gate", "integration", "sync"]


class Check(Record):
    """A command of the repository whose result becomes a verdict."""

    name: str
    run: str
    """A shell command; it runs in the sandbox at the root of a clean checkout."""
    kind: Literal["pytest", "command"] = "command"
    """`pytest` counts tests: none collected is `no_tests`, and failures are told one by one."""
    stages: tuple[Stage, ...] = ("gate", "integration", "sync")
    """gate: a submitted branch. integration: a tree about to land. sync: a sync point."""
    timeout_s: float = Field(default=600, gt=0)
    held_out: str = ""
    """Folder of tests the agents never see, relative to wavecrew.toml; mounted read-only at
    /held-out for this check alone."""


class ModelSettings(Record):
    name: str = ""
    base_url: str = ""
    api_key_env: str = "OPENAI_API_KEY"
    """Name of the environment variable that holds the key; keys never stand in files."""
    timeout_s: float = Field(default=120, gt=0)
    """Of one try of a call."""
    retries: int = Field(default=6, ge=0)
    """After so many troubled rounds in a row, over all agents, one call at a time probes the
    provider until one is served."""
    patience_minutes: float = Field(default=30, ge=0)
    """How long one call is tried again while the provider is busy or down; then the run pauses."""
    temperature: float | None = None
    context_window: int = Field(default=128_000, gt=1000)
    answer_tokens: int = Field(default=4000, ge=1)
    """What is reserved for an answer before a call; the model is not told."""
    requests_per_minute: float = Field(default=0, ge=0)
    """Shared by all agents of a run; 0: no limit of ours."""
    tokens_per_minute: float = Field(default=0, ge=0)
    """By what is reserved; shared by all agents of a run; 0: no limit of ours."""
    input_price: float | None = Field(default=None, ge=0)
    """USD per million prompt tokens; given with `output_price`, it goes before the known prices."""
    output_price: float | None = Field(default=None, ge=0)
    """USD per million tokens of answers."""
    cached_price: float | None = Field(default=None, ge=0)
    """USD per million prompt tokens that the provider had cached; `input_price` when not given."""

    @model_validator(mode="after")
    def _prices_go_together(self) -> ModelSettings:
        if (self.input_price is None) != (self.output_price is None):
            raise ValueError("input_price and output_price are given together")
        return self


class Limits(Record):
    agents: int = Field(default=10, ge=1, le=1000)
    """Agents at work at once, over all roles."""
    attempt_minutes: float = Field(default=60, gt=0)
    stall_minutes: float = Field(default=10, ge=0)
    """Without progress for so long an attempt is ended and its work parked; model calls and
    commands within their own deadlines do not count. 0: never."""
    command_s: float = Field(default=300, gt=0)
    memory_mb: int = Field(default=4096, ge=64)
    processes: int = Field(default=256, ge=8)
    output_kb: int = Field(default=8, ge=1)
    """What a tool shows of an output at once; the rest stays readable by range."""


class Allowance(Record):
    """What may be spent somewhere in the tree run, wave, task. Zero means unlimited."""

    money: float = Field(default=0, ge=0)
    """USD, the currency of the prices."""
    tokens: int = Field(default=0, ge=0)
    model_calls: int = Field(default=0, ge=0)
    wall_minutes: float = Field(default=0, ge=0)
    """Minutes at work; pauses of the run do not count."""


class Budget(Allowance):
    """The run's own allowance, and those of what is in it."""

    wave: Allowance = Allowance()
    """For each wave."""
    task: Allowance = Allowance()
    """For each task, all its attempts together."""
    waves: dict[str, Allowance] = {}
    """Wave id -> what is otherwise for that wave; what it leaves out stands in `wave`."""
    tasks: dict[str, Allowance] = {}
    """Task id -> what is otherwise for that task; what it leaves out stands in `task`."""

    def of_wave(self, wave: str) -> Allowance:
        return _over(self.wave, self.waves.get(wave))

    def of_task(self, task: str) -> Allowance:
        return _over(self.task, self.tasks.get(task))

    @property
    def counts_money(self) -> bool:
        """True when money is limited anywhere."""
        return any(one.money for one in (self, self.wave, self.task, *self._named()))

    def _named(self) -> tuple[Allowance, ...]:
        return (*self.waves.values(), *self.tasks.values())


def _over(usual: Allowance, own: Allowance | None) -> Allowance:
    """`usual` with what `own` says expressly; a 0 that is written down lifts a limit."""
    return (
        usual.model_copy(update={k: getattr(own, k) for k in own.model_fields_set})
        if own
        else usual
    )


class SandboxSettings(Record):
    mode: Literal["auto", "bubblewrap", "landlock", "none"] = "auto"
    """`none` also needs --allow-unsandboxed on the command line."""
    read: tuple[str, ...] = ()
    """Extra host folders, mounted read-only at the same path (a toolchain outside /usr)."""
    path: tuple[str, ...] = ()
    """Folders put first in PATH inside the sandbox; each is also readable."""
    env: dict[str, str] = {}


class WorkspaceSettings(Record):
    setup: tuple[str, ...] = ()
    """Commands run in the sandbox in every fresh checkout, before anything else."""


class LeaseSettings(Record):
    """What every attempt and every gate gets for itself alone, told in its environment."""

    ports: int = Field(default=0, ge=0, le=1000)
    """How many in a row: WAVECREW_PORT_BASE and WAVECREW_PORT_COUNT."""
    first_port: int = Field(default=20_000, ge=1024, le=65_535)
    last_port: int = Field(default=29_999, ge=1024, le=65_535)
    databases: tuple[str, ...] = ()
    """Prefixes: WAVECREW_DATABASE_<PREFIX> is a name nobody else uses, WAVECREW_DATABASE the
    first of them. Making and dropping the databases is up to set-up and tests."""
    cache: bool = False
    """A writable folder, WAVECREW_CACHE_DIR: kept for an attempt, empty for each command of a
    gate."""

    @field_validator("databases")
    @classmethod
    def _are_words(cls, databases: tuple[str, ...]) -> tuple[str, ...]:
        for name in databases:
            if not re.fullmatch(r"[a-z][a-z0-9_]{0,20}", name):
                raise ValueError(f"{name!r} is not a short lower-case word such as 'app'")
        if len(set(databases)) < len(databases):
            raise ValueError("a prefix stands twice")
        return databases

    @model_validator(mode="after")
    def _has_room(self) -> LeaseSettings:
        if self.ports and self.last_port - self.first_port + 1 < self.ports:
            raise ValueError(f"there is no room for {self.ports} ports in the range")
        return self


class MergeSettings(Record):
    """How passed branches go through the one lane of the merge queue."""

    batch: int = Field(default=8, ge=1, le=100)
    """Branches that are merged one behind the other and tested once, as the tree of the last;
    a red batch is halved until each culprit is known. 1: every branch alone."""
    order: Literal["ready", "plan"] = "ready"
    """ready: as they come, what collides with most of the others last. plan: always in the
    plan's own order, so that the same work gives the same tree whatever the timing."""


class PolicyRule(Record):
    """One rule about tool calls; the first that matches a call decides it."""

    decision: Literal["allow", "ask", "deny"]
    """`ask` wants a person at a terminal; where there is none it denies."""
    roles: tuple[str, ...] = ("*",)
    """Globs over role names."""
    tools: tuple[str, ...] = ("*",)
    """Globs over tool names."""
    paths: tuple[str, ...] = ()
    """Globs (gitignore syntax). deny and ask match a call that touches one such path, allow
    only a call all of whose paths are such; a call without paths is not matched."""
    command: str = ""
    """A regular expression searched in the `command` argument; empty: any call."""
    reason: str = ""
    """What the agent is told."""

    @field_validator("command")
    @classmethod
    def _compiles(cls, command: str) -> str:
        try:
            re.compile(command)
        except re.error as error:
            raise ValueError(f"{command!r} is not a regular expression: {error}") from None
        return command


class McpServer(Record):
    """A Model Context Protocol server started once per attempt; a role's tool `mcp:NAME` names it.

    It is trusted code: it runs on the host, outside the sandbox.
    """

    command: str
    args: tuple[str, ...] = ()
    env: dict[str, str] = {}
    timeout_s: float = Field(default=60, gt=0)
    """For the start and for each call."""


class Settings(Record):
    checks: tuple[Check, ...] = (Check(name="unit", run="python -m pytest -q", kind="pytest"),)
    model: ModelSettings = ModelSettings()
    limits: Limits = Limits()
    budget: Budget = Budget()
    sandbox: SandboxSettings = SandboxSettings()
    workspace: WorkspaceSettings = WorkspaceSettings()
    leases: LeaseSettings = LeaseSettings()
    merge: MergeSettings = MergeSettings()
    policy: tuple[PolicyRule, ...] = ()
    """Asked in order, before a role's own list of tools."""
    mcp: dict[str, McpServer] = {}
    """Name -> server."""

    def at(self, stage: Stage) -> tuple[Check, ...]:
        """The checks of a stage, in the order of the file."""
        return tuple(check for check in self.checks if stage in check.stages)
