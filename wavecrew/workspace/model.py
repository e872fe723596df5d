"""The private tree of an attempt, and what integration makes of it, as data and protocols."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Author:
    """Who a commit is by. The engine commits; the role is named as the author."""

    name: str
    email: str


ENGINE = Author("Wavecrew", "wavecrew@localhost")


@dataclass(frozen=True, slots=True)
class Conflict:
    path: str
    kind: str
    """As git names it: `content`, `modify/delete`, `add/add` ..."""
    hunks: str
    """The conflicting text with markers, cut to a budget."""


@dataclass(frozen=True, slots=True)
class Merged:
    """A tree that merges a branch with the tip; nothing has landed yet."""

    tree: str
    drivers: tuple[str, ...] = ()
    """Convergence drivers that changed it beyond git's own merge."""


@dataclass(frozen=True, slots=True)
class Landed:
    outcome: Literal["merged", "already_merged", "moved"]
    """moved: the tip was not the expected one any more; nothing was changed."""
    commit: str
