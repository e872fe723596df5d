"""What is an agent told to do?

The first message of a conversation, written from an `Assignment` and nothing
else, so that a resumed attempt says the same. Its first line names the
conversation. No template is involved: braces and tool names in a plan's text
stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from wavecrew.errors import PlanError
from wavecrew.plan.model import Contract
from wavecrew.plan.model import Task as PlanTask
from wavecrew.run.wire import Assignment, DependencyResult, Rework

if TYPE_CHECKING:  # a replay writes the same texts without loading CrewAI
    from crewai import Agent, Task

CHANGED_SHOWN = 12
"""Paths of a dependency that are named; the rest is counted."""


def build_task(assignment: Assignment, agent: Agent) -> Task:
    """The CrewAI task of an assignment; its description is the whole first message."""
    from crewai import Task

    return Task(
        name=assignment.conversation,
        description=first_message(assignment),
        expected_output="the ending tool's reply",
        agent=agent,
    )


def first_message(assignment: Assignment) -> str:
    """Everything the agent is told, conversation line first."""
    parts = _for_task if assignment.kind == "task" else _for_manager
    return "\n\n".join([f"Conversation: {assignment.conversation}", *parts(assignment)])


def _task(assignment: Assignment) -> PlanTask:
    if assignment.task is None:
        raise PlanError(
            f"an assignment of kind {assignment.kind!r} names no task",
            where=str(assignment.journal),
            mend="the engine wrote an incomplete assignment; start the run again",
        )
    return assignment.task


def _for_task(assignment: Assignment) -> Iterator[str]:
    task = _task(assignment)
    yield f"Task {task.id}: {task.title}\n{task.description.strip()}"
    yield f"Expected output: {task.expected_output.strip()}"
    if assignment.dependencies:
        yield _listed("Already merged, build on it:", map(_dependency, assignment.dependencies))
    if task.provides:
        yield _listed("You provide, exactly so:", map(_contract, task.provides))
    if task.consumes:
        yield _listed("You use, as it stands:", map(_contract, task.consumes))
    yield _scope(assignment.scope)
    yield _done(assignment, task)
    if assignment.rework:
        yield _rework(assignment.rework, assignment.attempt)


def _for_manager(assignment: Assignment) -> Iterator[str]:
    if assignment.kind == "triage":
        task = _task(assignment)
        yield f"The landing of task {task.id} ({task.title}) went red."
        yield "Find out which task broke it and who mends it."
    else:
        yield f"Sync point {assignment.subject}: decide whether what is merged holds together."
    yield assignment.brief.strip()
    yield (
        "Look at the evidence and the branches, run the integration where it helps, then call "
        "`report`: `send_back` names the task that must mend, with the reason for its agent; "
        "`raise_to_human` when no task can. Red evidence keeps the point closed whatever you say."
    )


def _listed(head: str, lines: Iterator[str] | map[str]) -> str:
    return "\n".join([head, *(f"- {line}" for line in lines)])


def _dependency(result: DependencyResult) -> str:
    shown, hidden = result.changed[:CHANGED_SHOWN], len(result.changed) - CHANGED_SHOWN
    more = f" and {hidden} more" if hidden > 0 else ""
    changed = f" Changed: {', '.join(shown)}{more}." if shown else ""
    return f"{result.id} {result.title}: {result.summary.strip()}{changed}"


def _contract(contract: Contract) -> str:
    return contract.symbol + contract.signature


def _scope(scope: tuple[tuple[str, ...], ...]) -> str:
    groups = [", ".join(group) for group in scope if group]
    if not groups:
        return "You may write nothing."
    return "You may write only: " + "; and of these only: ".join(groups)


def _done(assignment: Assignment, task: PlanTask) -> str:
    checks = [f"{check.name}: `{check.run}`" for check in assignment.checks]
    commands = [f"`{command}`" for command in task.done_when]
    rule = (
        "Done is when `submit` is accepted: something changed, only in scope, no test deleted, "
        "skipped or weakened, what you provide is there, and these pass:"
    )
    return _listed(rule, iter([*checks, *commands])) if checks or commands else rule[:-17] + "."


def _rework(rework: Rework, attempt: int) -> str:
    why = {
        "gate": "the last attempt's tree did not pass its gate",
        "conflict": "the branch conflicts with what landed meanwhile",
        "red_integration": "merged with the others, the integration checks fail",
        "sync": "a sync point sent it back",
        "review": "a reviewer asks for changes",
        "ended": "the last attempt ended early",
    }[rework.kind]
    parts = [f"This is attempt {attempt}: {why} (by {rework.by}).\n{rework.reason.strip()}"]
    if rework.ours:
        parts.append(f"Your earlier branch wanted:\n{rework.ours.strip()}")
    if rework.theirs:
        parts.append(f"The other side wanted:\n{rework.theirs.strip()}")
    if rework.base and rework.tip:
        parts.append(
            f"Both were made on {rework.base[:12]}; the other side stands at {rework.tip[:12]}, "
            "from where your workspace starts, with your earlier work merged in and the conflicts "
            f"marked. `git diff {rework.base[:12]} {rework.tip[:12]}` shows all it changed. Keep "
            "what both wanted."
        )
    if rework.earlier:
        base, earlier = rework.base[:12], rework.earlier[:12]
        parts.append(
            f"Your workspace starts afresh. The earlier work stands at {earlier}, made on {base}: "
            f"`git diff {base} {earlier}` shows it, `git checkout {earlier} -- PATH` takes a file "
            "over. Judge it before you build on it."
        )
    if rework.log:
        parts.append(f"Evidence:\n{rework.log.strip()}")
    return "\n\n".join(parts)
