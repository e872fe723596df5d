"""Which unlanded branches would collide, were they to land one after the other?

Every branch is brought up to the tip for trial, then every pair of them. What
the convergence drivers resolve is no collision; a symbol that one takes away
while the other begins to use it is one, though git merges both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from wavecrew.workspace.ancestry import Ancestry
from wavecrew.workspace.breakage import Side, broken
from wavecrew.workspace.git import object_id
from wavecrew.workspace.trial import Trial, Tried

if TYPE_CHECKING:
    from wavecrew.workspace.mirror import Mirror

TIP = ""
"""Stands for the integration branch where a collision names a task."""


@dataclass(frozen=True, slots=True)
class Collision:
    """Two branches of which the second cannot land as it is once the first has."""

    one: str
    """Task id, or `TIP`: `other` collides with what has landed already."""
    other: str
    paths: tuple[str, ...] = ()
    """Where git and the drivers would be left with a conflict, sorted."""
    symbols: tuple[str, ...] = ()
    """Dotted names that one side removes or re-signs while the other begins to use them, sorted."""


def forecast(
    mirror: Mirror,
    tip: str,
    branches: Mapping[str, str],
    *,
    passed_over: set[str] | None = None,
) -> tuple[Collision, ...]:
    """The collisions among unlanded branches, in the order of `branches`.

    `branches`: task id -> commit of its work; its order is the order of landing.
    A tree stands for work cut from `tip`. A branch that conflicts with the tip
    itself gets one collision with `TIP` and none with the others, since it
    cannot land before it is reworked. Paths of modules whose symbols could not
    be looked at are added to `passed_over`. The mirror stays as it is. GitFailed
    when an object is missing.
    """
    mirror.need(tip, *branches.values())
    with Trial.open(mirror, object_id(tip)) as trial:
        commits = _commits(trial, tip, branches)
        ancestry = Ancestry.of(trial.scratch.git, (tip, *commits.values()))
        alone = _alone(trial, ancestry, tip, commits)
        fit = {task: tried for task, tried in alone.items() if not tried.paths}
        parents = {task: tuple(dict.fromkeys((tip, commits[task]))) for task in fit}
        made = trial.commits([(tried, parents[task]) for task, tried in fit.items()])
        landed = dict(zip(fit, made, strict=True))
        pairs = list(combinations(fit, 2))
        merges = [(landed[one], commits[other]) for one, other in pairs]
        bases = [ancestry.base((tip, commits[one]), commits[other]) for one, other in pairs]
        sides = Side.all_of(trial.reader, tip, landed)
        found = [Collision(TIP, task, tried.paths) for task, tried in alone.items() if tried.paths]
        for (one, other), tried in zip(pairs, trial.merges(merges, bases), strict=True):
            symbols = tuple(sorted(broken(sides[one], sides[other])))
            if tried.paths or symbols:
                found.append(Collision(one, other, tried.paths, symbols))
        if passed_over is not None:
            passed_over.update(path for side in sides.values() for path in side.passed_over)
        return tuple(found)


def _alone(
    trial: Trial, ancestry: Ancestry, tip: str, commits: Mapping[str, str]
) -> dict[str, Tried]:
    """Each branch as if it were the next to land."""
    bases = [ancestry.base((tip,), commit) for commit in commits.values()]
    tried = trial.merges([(tip, commit) for commit in commits.values()], bases)
    return dict(zip(commits, tried, strict=True))


def _commits(trial: Trial, tip: str, branches: Mapping[str, str]) -> dict[str, str]:
    """The branches as commits; a tree becomes one on top of `tip`."""
    trees = {task for task, work in branches.items() if trial.reader.kind(work) == "tree"}
    work = [(Tried(branches[task], {}, ()), (tip,)) for task in branches if task in trees]
    made = iter(trial.commits(work) if work else ())
    return {task: next(made) if task in trees else name for task, name in branches.items()}
