"""What would collide is foreseen with every commit, and told before it is too late to heed it.

Made for each submission, refused ones too: the tree is there, and it is the
work the others will have to go together with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from wavecrew.journal import events as e
from wavecrew.journal.state import RunState
from wavecrew.journal.tasks import TaskState
from wavecrew.run import wire
from wavecrew.run.parts import Parts
from wavecrew.run.submission import AttemptDesk
from wavecrew.workspace.collisions import forecast
from wavecrew.workspace.model import ENGINE


class ForesightedDesk(AttemptDesk):
    """Looks ahead after every submission that was judged."""

    def _submit(self, request: wire.Submit) -> wire.Reply:
        reply = super()._submit(request)
        foresee(self.parts, self.task, self.attempt, request.submission)
        return reply


def foresee(parts: Parts, task: str, attempt: int, submission: int) -> None:
    """Hold all branches that have not landed against each other; write down what is new."""
    with parts.foreseeing:
        with parts.reading:
            before = [asdict(one) for one in parts.state.collisions]
            work = {one.id: one for one in _unlanded(parts.state)}
            branches = {name: _newest(one) for name, one in work.items()}
        here = _present(parts, [commit or tree for _, tree, commit in branches.values()])
        commits = {
            name: commit or _stand_in(parts, base, tree)
            for name, (base, tree, commit) in branches.items()
            if (commit or tree) in here
        }
        found = forecast(parts.mirror, parts.tip(), commits)
        now: list[dict[str, Any]] = [
            {"one": c.one, "other": c.other, "paths": list(c.paths), "symbols": list(c.symbols)}
            for c in found
        ]
        if _sorted(now) != _sorted(before):
            parts.log.append(e.ConflictForecast(task, attempt, submission, now))


def _unlanded(state: RunState) -> Sequence[TaskState]:
    """Tasks with a judged tree that is still on its way into the integration branch."""
    return [
        task
        for task in state.tasks.values()
        if task.status in ("running", "gating", "waiting") and _newest(task)[1]
    ]


def _newest(task: TaskState) -> tuple[str, str, str]:
    """(base, tree, commit) of the newest judged submission; the tree is empty before the first."""
    attempt = task.attempts.get(task.attempt)
    return (attempt.base, attempt.tree, attempt.commit) if attempt else ("", "", "")


def _stand_in(parts: Parts, base: str, tree: str) -> str:
    """A commit for a submission that was refused and has none."""
    return parts.mirror.commit(tree, (base,), "", ENGINE, 0)


def _present(parts: Parts, ids: Sequence[str]) -> frozenset[str]:
    """Those of `ids` that the mirror has: a tree with a forbidden entry was never let in."""
    asked = "".join(f"{one}\n" for one in ids).encode()
    told = parts.mirror.git.run("cat-file", "--batch-check", stdin=asked).decode().splitlines()
    return frozenset(line.split()[0] for line in told if not line.endswith(" missing"))


def _sorted(collisions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(collisions, key=lambda one: (one["one"], one["other"]))
