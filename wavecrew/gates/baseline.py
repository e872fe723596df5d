"""Was it red before? What the base does under the same check, computed once and kept in a file.

Only failures that the base did not have count. A check that could not run is
never excused, here or there; a run in which no test passed proves nothing and
is not excused either; a task's own `done_when` is never held against the base.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from wavecrew.gates.verdict import Result
from wavecrew.plan.settings import Check, Settings

FORMAT = 1


@dataclass(frozen=True)
class Baseline:
    """Results by (tree, check), shared by all gates of a run."""

    folder: Path

    def result(
        self, tree: str, check: Check, settings: Settings, run: Callable[[], Result]
    ) -> Result:
        """The kept result, or the one `run` gives, kept. Simultaneous callers wait for one run."""
        path = self.folder / f"{tree}-{digest(check, settings)}.json"
        with self._locked(path):
            kept = _load(path)
            if kept is None:
                kept = run()
                self._write(path, kept)
            return kept

    def keep(self, tree: str, check: Check, settings: Settings, result: Result) -> None:
        """Remember a result: the tree may be the next one's base."""
        path = self.folder / f"{tree}-{digest(check, settings)}.json"
        with self._locked(path):
            if not path.exists():
                self._write(path, result)

    def _write(self, path: Path, result: Result) -> None:
        if result.verdict == "could_not_run":
            return  # may be chance: the next one tries again
        with tempfile.NamedTemporaryFile("w", dir=self.folder, delete=False) as file:
            file.write(result.model_dump_json())
        os.replace(file.name, path)

    @contextmanager
    def _locked(self, path: Path) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(path.with_suffix(".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def digest(check: Check, settings: Settings) -> str:
    """Everything that can change what a check says of a tree."""
    parts = [
        FORMAT,
        check.run,
        check.kind,
        check.held_out,
        settings.workspace.setup,
        settings.sandbox.model_dump(mode="json"),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _load(path: Path) -> Result | None:
    try:
        return Result.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def new_failures(result: Result, base: Result) -> tuple[str, ...]:
    """Ids of the failing tests that the base does not have failing; all when nothing is proven."""
    if not result.passed:
        return tuple(result.failed)
    return tuple(name for name in result.failed if name not in base.failed)


def says_nothing_new(result: Result, base: Result) -> bool:
    """Whether a red command prints only complaints that the base's run printed as well.

    Lines are compared without their numbers, each as often as it occurs, so a
    complaint that moved is the same one and a second one of its kind is new.
    A command that prints nothing cannot be compared, so its red counts.
    """
    if base.verdict != "fail" or base.exit_code != result.exit_code:
        return False
    return bool(_lines(base.output)) and not (_lines(result.output) - _lines(base.output))


def _lines(output: str) -> Counter[str]:
    said = (line for line in output.splitlines() if not line.startswith(("$ ", "[exit ")))
    return Counter(re.sub(r"\d+", "#", line.strip()) for line in said if line.strip())
