"""How long must it take at least, whoever plans it?

Three reasons, each a proof in itself: the longest path, the work shared by all
agents, the work shared by the agents of one role. The last two are taken from
every moment on before which the work concerned cannot begin, and at every
barrier, so that waves add up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from wavecrew.plan.graph import Node
from wavecrew.plan.model import TaskId
from wavecrew.schedule.problem import Job, Problem


@dataclass(frozen=True)
class Bounds:
    """Minutes below which no schedule can be."""

    path: int
    """The longest chain of tasks and barriers."""
    path_tasks: tuple[str, ...]
    """That chain, barriers by their name in brackets."""
    work: int
    """All work over all agents."""
    role: int
    """The work of the busiest role over its agents."""
    busiest: str
    """That role."""
    joint: int
    """The best of all that was tried, these three and their combinations."""


def bounds(problem: Problem) -> Bounds:
    path, chain = _longest(problem)
    loads = {
        role: _shared(sum(job.minutes for job in jobs), problem.parallel[role])
        for role, jobs in problem.roles.items()
    }
    busiest = max(loads, key=loads.__getitem__, default="")
    work = _shared(problem.work, problem.agents)
    joint = max(path, work, _joint(problem), *loads.values(), 0)
    return Bounds(path, chain, work, loads.get(busiest, 0), busiest, joint)


def _shared(minutes: int, agents: int) -> int:
    return -(-minutes // agents)


def _longest(problem: Problem) -> tuple[int, tuple[str, ...]]:
    ends: dict[Node, int] = {}
    came: dict[Node, Node | None] = {}
    for node in problem.order:
        last = max(problem.before[node], key=ends.__getitem__, default=None)
        came[node] = last
        ends[node] = (ends[last] if last else 0) + _minutes(problem, node)
    here = max(ends, key=ends.__getitem__, default=None)
    longest = ends[here] if here else 0
    chain: list[str] = []
    while here:
        is_task = here.kind == "task"
        chain.append(here.id if is_task else f"[{problem.gates[int(here.id)].name}]")
        here = came[here]
    return longest, tuple(reversed(chain))


def _minutes(problem: Problem, node: Node) -> int:
    return problem.jobs[TaskId(node.id)].minutes if node.kind == "task" else 0


def _joint(problem: Problem) -> int:
    heads: dict[Node, int] = {}
    for node in problem.order:
        head = max((heads[one] + _minutes(problem, one) for one in problem.before[node]), default=0)
        if node.kind == "gate":
            gate = problem.gates[int(node.id)]
            jobs = [problem.jobs[one] for one in gate.before]
            head = max(head, _filled(problem, jobs, heads))
        heads[node] = head
    return _filled(problem, problem.jobs.values(), heads)


def _filled(problem: Problem, jobs: Iterable[Job], heads: Mapping[Node, int]) -> int:
    """When `jobs` can all be done: the later part of any group shares that group's agents."""
    latest_first = sorted(jobs, key=lambda job: -heads[Node("task", job.id)])
    total, best = 0, 0
    by_role = dict.fromkeys(problem.parallel, 0)
    for job in latest_first:
        head = heads[Node("task", job.id)]
        total += job.minutes
        by_role[job.role] += job.minutes
        together = _shared(total, problem.agents)
        alone = _shared(by_role[job.role], problem.parallel[job.role])
        best = max(best, head + together, head + alone)
    return best
