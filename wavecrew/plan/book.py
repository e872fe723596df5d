"""What was found while the files are read: every problem, and the place of every value."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from wavecrew.plan.entries import at, build
from wavecrew.plan.model import Record
from wavecrew.plan.problem import Place, PlanRejected, Problem, nearest
from wavecrew.plan.yaml_positions import Document, Keys

R = TypeVar("R", bound=Record)
V = TypeVar("V")
Where = tuple[str, ...]
"""("task", "1.1", "title"), ("role", name, key), ("sync", id, key), ("settings", table, key)."""

MANY = 100
"""After so many problems the nearest name is no longer looked for: it takes a while each time."""


class Book:
    """What was found so far: problems in order, and the place of every value."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.places: dict[Where, Place] = {}
        self.names: dict[str, list[str]] = {}
        """Kind -> every name written, also of entries that are wrong in another way."""

    def attempt(self, read: Callable[[], V | None]) -> V | None:
        """What `read` returns, or None when it was rejected; its problems are kept."""
        try:
            return read()
        except PlanRejected as rejected:
            self.problems.extend(rejected.problems)
            return None

    def finish(self, value: V | None) -> V:
        """`value`, when nothing at all was wrong; else PlanRejected with everything."""
        if self.problems or value is None:
            raise PlanRejected(self.problems)
        return value

    def add(
        self, document: Document, path: Keys, record: type[R], kind: str, **given: Any
    ) -> R | None:
        """Build the entry at `path`; its problems and the places of its keys are noted."""
        made = build(document, path, record, **given)
        if isinstance(made, list):
            self.problems.extend(made)
            return None
        self.note(document, path, kind, str(getattr(made, "id", getattr(made, "name", ""))))
        return made

    def note(self, document: Document, path: Keys, *what: str) -> None:
        """Remember where `what`, its keys and the members of its lists are written."""
        self.places.setdefault(what, document.key_place(path))
        entry = at(document, path)
        for key in entry if isinstance(entry, Mapping) else ():
            self.places.setdefault((*what, key), document.place((*path, key)))
            if isinstance(entry[key], list):
                for number in range(len(entry[key])):
                    place = document.place((*path, key, number))
                    self.places.setdefault((*what, key, str(number)), place)

    def unknown(self, kind: str, name: str, known: Collection[str], *where: str) -> None:
        """`name`, written at `where`, names no `kind`."""
        message = f"{kind} {name!r} is not known"
        few = len(self.problems) < MANY
        near = nearest(name, [one for one in known if one != where[1]]) if few else ""
        place = next(p for n in (4, 3, 2) if (p := self.places.get(where[:n])))
        self.problems.append(Problem(f"unknown_{kind}", message, place, near, (where[1], name)))
