"""Can this plan be carried out, and what will go wrong if it is tried?

The loaders have made sure that every name exists; the linter judges how the
parts fit: cycles, sync points that can never open, scopes, contracts, writes
that will collide. Each rule is one function from the plan to its problems.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase

from wavecrew.plan.contracts import contracts
from wavecrew.plan.graph import Graph, Node
from wavecrew.plan.load import Loaded
from wavecrew.plan.loads import large_tasks, loads
from wavecrew.plan.problem import Problem, Severity
from wavecrew.plan.tool_names import MANAGER_TOOLS, SPECIALIST_ENDS
from wavecrew.plan.writes import colliding_writes, unwritable

CONVERGING = ("migrations/versions/**", "**/__init__.py")
"""What the merge queue's drivers mend: parallel Alembic heads, lists of imports."""


def check(loaded: Loaded, converging: Sequence[str] = ()) -> tuple[Problem, ...]:
    """Every problem of the plan, errors first, then in the order of the rules.

    `converging` are globs of files that a convergence driver merges by itself;
    writing them at the same time is no problem.
    """
    graph = Graph(loaded.plan)
    found = [problem for rule in _RULES for problem in rule(loaded, graph)]
    found += colliding_writes(loaded, graph, converging)
    return tuple(sorted(found, key=lambda one: one.severity != "error"))


def _problem(
    loaded: Loaded,
    kind: str,
    message: str,
    ids: Sequence[str],
    where: tuple[str, ...],
    mend: str = "",
    severity: Severity = "error",
) -> Problem:
    return Problem(kind, message, loaded.near(*where), mend, tuple(ids), severity)


def _duplicates(loaded: Loaded, _: Graph) -> Iterator[Problem]:
    plan = loaded.plan
    ids = [("task", str(task.id)) for task in plan.tasks]
    ids += [("wave", str(wave.id)) for wave in plan.waves]
    ids += [("sync", str(sync.id)) for sync in plan.sync_points]
    for (kind, one), count in Counter(ids).items():
        if count > 1:
            message = f"{kind} {one!r} is defined {count} times"
            yield _problem(loaded, f"duplicate_{kind}", message, [one], (kind, one))


def _unknown(loaded: Loaded, _: Graph) -> Iterator[Problem]:
    tasks, waves = loaded.plan.tasks_by_id, {wave.id for wave in loaded.plan.waves}
    for task in loaded.plan.tasks:
        here = ("task", str(task.id))
        for one in (*task.depends_on, *task.conflicts_with):
            if one not in tasks:
                message = f"task {task.id} names {one!r}, which is no task"
                yield _problem(loaded, "unknown_task", message, [task.id, one], here)
        if task.wave is not None and task.wave not in waves:
            message = f"task {task.id} is in wave {task.wave!r}, which is not defined"
            yield _problem(loaded, "unknown_wave", message, [task.id, task.wave], here)
        if task.agent not in loaded.roles:
            message = f"task {task.id} is given to {task.agent!r}, which is no role"
            yield _problem(loaded, "unknown_agent", message, [task.id, task.agent], here)


def _cycles(loaded: Loaded, graph: Graph) -> Iterator[Problem]:
    tasks_only = Graph(loaded.plan.model_copy(update={"sync_points": ()}))
    for cycle in tasks_only.cycles():
        yield _cycle(loaded, [node.id for node in cycle], cycle[0])
    told = {sync.id for sync in loaded.plan.sync_points if _not_openable(loaded, graph, sync.id)}
    for cycle in graph.cycles():
        syncs = {node.id for node in cycle if node.kind == "sync"}
        if syncs and not syncs & told:
            names = [f"sync {node.id}" if node.kind == "sync" else node.id for node in cycle]
            yield _cycle(loaded, names, cycle[0])


def _cycle(loaded: Loaded, names: list[str], first: Node) -> Problem:
    chain = " -> ".join([*names, names[0]])
    message = f"these wait for each other: {chain} (each needs the next)"
    mend = "take one of these dependencies out"
    where = (first.kind, first.id, "depends_on")
    return _problem(loaded, "cycle", message, names, where, mend)


def _across_syncs(loaded: Loaded, graph: Graph) -> Iterator[Problem]:
    for sync in loaded.plan.sync_points:
        for kind, one, other in _not_openable(loaded, graph, sync.id):
            if kind == "before_and_held":
                message = f"task {one} stands before sync point {sync.id!r} and is held by it"
                mend = "a task is on one side of a sync point"
            else:
                message = (
                    f"task {one} must be merged before sync point {sync.id!r} opens, "
                    f"but needs {other}, which cannot start before that"
                )
                mend = f"move {one} behind the sync point, or {other} before it"
            where: tuple[str, ...] = ("task", one, "depends_on") if other else ("sync", sync.id)
            ids = [sync.id, one, *([other] if other else [])]
            yield _problem(loaded, kind, message, ids, where, mend)


def _not_openable(loaded: Loaded, graph: Graph, sync_id: str) -> list[tuple[str, str, str]]:
    """(kind, task before the sync, held task it needs) for all that keeps it closed for ever."""
    here = Node("sync", sync_id)
    held = {node for node in graph.feeds[here] if node.kind == "task"}
    before = [node for node in graph.needs[here] if node.kind == "task"]
    found = [("before_and_held", node.id, "") for node in before if node in held]
    later = {node for node in graph.downstream(*held) if node.kind == "task"}
    behind = held | (later - set(before))
    for node in before:
        if node not in held:
            needed = next((one for one in graph.needs[node] if one in behind), None)
            if needed is not None:
                found.append(("across_sync", node.id, needed.id))
    return found


def _syncs_naming_nothing(loaded: Loaded, graph: Graph) -> Iterator[Problem]:
    for sync in loaded.plan.sync_points:
        if not graph.needs[Node("sync", sync.id)]:
            message = f"no task stands before sync point {sync.id!r}"
            mend = "name tasks in after_tasks or waves with tasks in after_waves"
            yield _problem(loaded, "empty_sync", message, [sync.id], ("sync", sync.id), mend)


def _acceptance(loaded: Loaded, _: Graph) -> Iterator[Problem]:
    for task in loaded.plan.tasks:
        if not task.done_when and not loaded.settings.at("gate"):
            message = f"nothing decides when task {task.id} is done"
            mend = "give it done_when, or wavecrew.toml a check of stage gate"
            yield _problem(loaded, "no_acceptance", message, [task.id], ("task", task.id), mend)


def _estimates(loaded: Loaded, _: Graph) -> Iterator[Problem]:
    missing = [str(task.id) for task in loaded.plan.tasks if task.estimate_h is None]
    if missing:
        shown = ", ".join(missing[:10]) + (f" and {len(missing) - 10} more" * (len(missing) > 10))
        message = f"no estimate: {shown}"
        mend = "add estimate_h; order and forecast rest on it"
        where = ("task", missing[0])
        yield _problem(loaded, "no_estimate", message, missing, where, mend, "warning")


def _roles(loaded: Loaded, _: Graph) -> Iterator[Problem]:
    working = {task.agent for task in loaded.plan.tasks}
    for name, role in loaded.roles.items():
        if role.manager and name in working:
            ids = [str(task.id) for task in loaded.plan.tasks if task.agent == name]
            message = f"role {name!r} is of the manager crew and is given {', '.join(ids)}"
            mend = "give the task to a specialist, or take manager: true away"
            where: tuple[str, ...] = ("task", ids[0], "agent")
            yield _problem(loaded, "manager_with_tasks", message, [name, *ids], where, mend)
        if not role.manager and name not in working:
            message = f"role {name!r} has no task"
            where = ("role", name)
            yield _problem(loaded, "idle_role", message, [name], where, severity="warning")


def _tools(loaded: Loaded, _: Graph) -> Iterator[Problem]:
    for name, role in loaded.roles.items():
        foreign = SPECIALIST_ENDS if role.manager else MANAGER_TOOLS
        for number, tool in enumerate(role.tools):
            if tool in foreign:
                whose = "a specialist's" if role.manager else "the manager crew's"
                where: tuple[str, ...] = ("role", name, "tools", str(number))
                message = f"role {name!r} names {tool!r}, which is {whose}"
                yield _problem(loaded, "foreign_tool", message, [name, tool], where, "take it out")
        end = "report" if role.manager else "submit"
        if not any(fnmatchcase(end, tool) for tool in role.tools):
            message = f"role {name!r} cannot end its work: it lacks {end!r}"
            where = ("role", name, "tools")
            yield _problem(loaded, "no_end", message, [name], where, f"add {end} to its tools")


def _waves(loaded: Loaded, _: Graph) -> Iterator[Problem]:
    rank: dict[str | None, int] = {w.id: at for at, w in enumerate(loaded.plan.waves)}
    tasks = loaded.plan.tasks_by_id
    for task in loaded.plan.tasks:
        for one in task.depends_on:
            other = tasks.get(one)
            if other is None or task.wave not in rank or other.wave not in rank:
                continue
            if rank[other.wave] > rank[task.wave]:
                message = (
                    f"task {task.id} of wave {task.wave!r} needs {one} of the later {other.wave!r}"
                )
                where = ("task", task.id, "depends_on")
                yield _problem(loaded, "wave_order", message, [task.id, one], where)


_RULES: tuple[Callable[[Loaded, Graph], Iterator[Problem]], ...] = (
    _duplicates,
    _unknown,
    _cycles,
    _across_syncs,
    _syncs_naming_nothing,
    _waves,
    _roles,
    _tools,
    unwritable,
    contracts,
    _acceptance,
    _estimates,
    large_tasks,
    loads,
)
