"""What can be wrong with a plan, told so that a person can mend it.

One shape for everything the readers, the cross-checks and the linter find,
and the error that carries all of it at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from wavecrew.errors import PlanError

Severity = Literal["error", "warning"]


@dataclass(frozen=True, order=True)
class Place:
    """Where something is written. Lines and columns count from 1; line 0 is the file as a whole."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True)
class Problem:
    kind: str
    """What sort of problem, a stable word for scripts: `cycle`, `unknown_task`, ..."""
    message: str
    place: Place
    mend: str = ""
    ids: tuple[str, ...] = ()
    """Tasks, roles, waves or sync points concerned."""
    severity: Severity = "error"

    def __str__(self) -> str:
        head = f"{self.place}: {self.message}"
        return f"{head}\n  {self.mend}" if self.mend else head


class PlanRejected(PlanError):
    """The files cannot be used; `problems` has every reason, in the order of the files."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        if len(self.problems) == 1:
            only = self.problems[0]
            super().__init__(only.message, where=str(only.place), mend=only.mend)
        else:
            lines = "\n".join(str(problem) for problem in self.problems)
            super().__init__(f"{len(self.problems)} problems in the plan's files:\n{lines}")

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.problems,)


def nearest(name: str, known: Collection[str]) -> str:
    """`perhaps you meant 'x'`, or the known names when none is near; empty when none is known."""
    names = [str(one) for one in known]
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"perhaps you meant {close[0]!r}"
    shown = ", ".join(repr(one) for one in names[:12])
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return f"known: {shown}{more}" if shown else ""
