"""What a run was asked to do, frozen when it starts, and where it keeps its things.

A resumed run reads its own `run.json`: plan, roles, checks and sandbox cannot
change under a run that is under way. Model, limits and budget may, when it is
resumed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from wavecrew import __version__
from wavecrew.errors import EnvironmentBroken, UsageError
from wavecrew.plan.model import Plan, Record, Role, RoleName, SyncPoint, Task, TaskId
from wavecrew.plan.settings import Settings
from wavecrew.run.hold import hold
from wavecrew.workspace.refs import integration_ref

FORMAT = 1
"""Of a run's folder. Raised with every change that an older Wavecrew would misread."""
OLDEST_FORMAT = 1
"""The oldest that this Wavecrew goes on with."""


class Chosen(Record):
    """What the command line said; it stands above wavecrew.toml. Empty or 0: nothing."""

    model: str = ""
    base_url: str = ""
    agents: int = 0

    def above(self, earlier: Chosen) -> Chosen:
        """This, and what `earlier` said where this says nothing."""
        return Chosen(
            model=self.model or earlier.model,
            base_url=self.base_url or earlier.base_url,
            agents=self.agents or earlier.agents,
        )

    def over(self, settings: Settings) -> Settings:
        """`settings` with what the command line said instead."""
        said = {"name": self.model, "base_url": self.base_url}
        model = settings.model.model_copy(update={k: v for k, v in said.items() if v})
        agents = self.agents or settings.limits.agents
        limits = settings.limits.model_copy(update={"agents": agents})
        return settings.model_copy(update={"model": model, "limits": limits})


class RunSpec(Record):
    run: str
    format: int = 1
    wavecrew: str = ""
    """The version that worked on the run last; empty: one that did not write it down."""
    plan: Plan
    roles: tuple[Role, ...]
    settings: Settings
    base: str
    """Commit the integration branch starts from."""
    only: tuple[TaskId, ...]
    """The tasks of this run, in plan order."""
    barrier: Literal["sync", "wave"] = "sync"
    order: tuple[TaskId, ...] = ()
    """In which ready tasks start, made before the run; empty: by the longest path behind them."""
    rehearsal: str = ""
    """Folder of the rehearsal that plays the model; empty: a real endpoint."""
    held_out_root: str = ""
    """Folder that `held_out` of the checks is relative to."""
    settings_file: str = ""
    """The wavecrew.toml it was started with; empty: there was none."""
    chosen: Chosen = Chosen()
    allow_unsandboxed: bool = False
    digest: str = ""
    """Of plan, roles, settings' checks and selection: the same plan again is recognised by it."""

    @property
    def integration_ref(self) -> str:
        return integration_ref(self.run)

    @property
    def tasks(self) -> tuple[Task, ...]:
        return tuple(self.plan.tasks_by_id[task_id] for task_id in self.only)

    @property
    def syncs(self) -> tuple[SyncPoint, ...]:
        """The sync points that this run can reach: all that stands before them is in it."""
        only = set(self.only)
        return tuple(
            sync
            for sync in self.plan.sync_points
            if (before := self.plan.before(sync)) and all(task.id in only for task in before)
        )

    @property
    def models(self) -> tuple[str, ...]:
        """Every model that may be called: the run's own, and those of its roles."""
        at_work = {task.agent for task in self.tasks}
        roles = [role for role in self.roles if role.manager or role.name in at_work]
        return tuple(dict.fromkeys(role.llm or self.settings.model.name for role in roles))

    def role(self, name: RoleName) -> Role:
        return next(role for role in self.roles if role.name == name)


def digest_of(
    plan: Plan, roles: tuple[Role, ...], only: tuple[TaskId, ...], settings: Settings
) -> str:
    """What makes two runs the same piece of work, whatever model does it."""
    text = "\n".join(
        [
            plan.model_dump_json(),
            *(role.model_dump_json() for role in roles),
            *only,
            *(check.model_dump_json() for check in settings.checks),
        ]
    )
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class RunFolder:
    """`<git dir>/wavecrew/runs/<run>`: everything a run keeps outside of git's own stores."""

    root: Path

    @property
    def run(self) -> str:
        return self.root.name

    @property
    def spec_file(self) -> Path:
        return self.root / "run.json"

    @property
    def events(self) -> Path:
        return self.root / "events.db"

    @property
    def engine(self) -> Path:
        return self.root / "engine.db"

    @property
    def mirror(self) -> Path:
        return self.root / "mirror.git"

    def attempt(self, task: str, number: int) -> Path:
        """Folder of one attempt; the id is made safe for a file name and stays unique."""
        return self.root / "attempts" / file_name(task) / str(number)

    def save(self, spec: RunSpec) -> None:
        """Write the spec whole or not at all."""
        now = spec.model_copy(update={"format": FORMAT, "wavecrew": __version__})
        partial = self.spec_file.with_suffix(".partial")
        with partial.open("w", encoding="utf-8") as file:
            file.write(now.model_dump_json(indent=1))
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, self.spec_file)

    def load(self) -> RunSpec:
        """The spec. EnvironmentBroken when the file is damaged, UsageError when it is another
        Wavecrew's that this one cannot go on with; both say how to go on."""
        try:
            found = json.loads(self.spec_file.read_bytes())
            number = int(found.get("format", 1))
        except (OSError, ValueError, AttributeError, TypeError) as error:
            raise EnvironmentBroken(
                f"what run {self.run!r} was asked to do cannot be read any more",
                where=str(self.spec_file),
                mend="its branches and its attic are as they were; put the file back from a "
                "backup, or start afresh: `wavecrew run --new`",
            ) from error
        if not OLDEST_FORMAT <= number <= FORMAT:
            raise self._others(found, "is newer" if number > FORMAT else "is too old")
        try:
            return RunSpec.model_validate(found)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise self._others(found, f"{place}: {first['msg']}") from error

    def _others(self, found: dict[str, Any], why: str) -> UsageError:
        by = found.get("wavecrew") or "an earlier version"
        return UsageError(
            f"run {self.run!r} belongs to another Wavecrew ({by}; this is {__version__}): {why}",
            where=str(self.spec_file),
            mend=f"go on with Wavecrew {by}, or start afresh with this one: `wavecrew run --new`; "
            "the branches of that run stay as they are",
        )

    def lock(self) -> int:
        """Hold the run for this process; UsageError when another engine has it.

        The lock goes with the process, however it ends.
        """
        return hold(
            self.root / "lock",
            f"run {self.run!r} is at work in another process",
            mend="wait for it or stop it there; `wavecrew status` shows it",
        )


def runs_root(git_dir: Path) -> Path:
    return git_dir / "wavecrew" / "runs"


def all_runs(git_dir: Path) -> tuple[RunFolder, ...]:
    """Every run of a repository that got as far as having a spec, oldest first."""
    root = runs_root(git_dir)
    names = [entry.name for entry in root.iterdir()] if root.is_dir() else []
    numbered = sorted((n for n in names if re.fullmatch(r"r\d+", n)), key=lambda n: int(n[1:]))
    folders = (RunFolder(root / name) for name in numbered)
    return tuple(folder for folder in folders if folder.spec_file.exists())


def new_folder(git_dir: Path, taken: frozenset[str]) -> tuple[RunFolder, int]:
    """The next free `r<number>` with its lock, which is to be closed once the spec is saved.

    `taken` names runs whose branches are still there. A folder that a process
    left which was killed before it saved a spec is free.
    """
    root = runs_root(git_dir)
    root.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        name = f"r{number}"
        folder = RunFolder(root / name)
        if name not in taken and not folder.spec_file.exists():
            folder.root.mkdir(exist_ok=True)
            with suppress(UsageError):
                lock = folder.lock()
                if not folder.spec_file.exists():
                    return folder, lock
                os.close(lock)
        number += 1


def file_name(identifier: str) -> str:
    """A file name for any id: itself when harmless, else a readable stem and a digest."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}", identifier):
        return identifier
    stem = re.sub(r"[^A-Za-z0-9]+", "-", identifier)[:40].strip("-")
    return f"{stem}~{hashlib.sha256(identifier.encode('utf-8', 'surrogatepass')).hexdigest()[:10]}"
