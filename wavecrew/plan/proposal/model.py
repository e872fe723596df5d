"""What is proposed for agents.yaml and tasks.yaml, and which questions does it leave?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from wavecrew.plan.model import Plan, Role
from wavecrew.plan.problem import Place
from wavecrew.plan.readers.model import ImportedTask

At = tuple[str, ...]
"""("task", id, key), ("role", name, key), ("sync", id, key), or ("tasks",), ("roles",), ("waves",),
("sync_points",), ("plan",) for a section as a whole."""


@dataclass(frozen=True)
class Question:
    """Something the document does not say; a value was chosen, or a statement left out."""

    kind: str
    """A stable word for scripts."""
    text: str
    ids: tuple[str, ...] = ()
    """Tasks, roles, waves or sync points concerned, as in the written files."""
    at: tuple[At, ...] = ()
    """Beside which values it is written."""


class Questions:
    """Collects questions; those of the same kind and text are one, asked at several places."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], tuple[dict[str, None], dict[At, None]]] = {}

    def ask(self, kind: str, text: str, ids: Iterable[str] = (), *at: At) -> None:
        known, places = self._found.setdefault((kind, text), ({}, {}))
        known.update(dict.fromkeys(ids))
        places.update(dict.fromkeys(at))

    def all(self) -> tuple[Question, ...]:
        """In the order in which they were first asked."""
        return tuple(
            Question(kind, text, tuple(ids), tuple(at))
            for (kind, text), (ids, at) in self._found.items()
        )


@dataclass(frozen=True)
class Proposal:
    plan: Plan
    roles: Mapping[str, Role]
    """Role name -> role: specialists in the order of their first task, then the manager crew."""
    questions: tuple[Question, ...] = ()
    origins: Mapping[str, ImportedTask] = field(default_factory=dict)
    """Task id as written -> the entry of the document it came from; a range is not expanded."""
    agents: Mapping[str, str] = field(default_factory=dict)
    """Agent as the document calls it -> role name."""
    places: Mapping[At, Place] = field(default_factory=dict)
    """Where the document says it, for the linter."""
