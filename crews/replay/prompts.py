"""Which recorded requests would another agents.yaml or tasks.yaml have altered?

Each recorded conversation is opened as it would be now and followed through
the recorded replies; no model is called. From the first request that differs
on, what the model answered is no evidence any more.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from crews.assignment import first_message
from crews.character import system_text
from crews.replay.attempt import ending_of, known_here, offer_for, recorded_offer, recorded_opening
from crews.replay.conversation import Conversation
from crews.replay.story import read_assignment, recorded_attempts
from crews.request import Offer, opening
from wavecrew.journal.trace import Trace, read_trace
from wavecrew.plan.model import Plan, Role, RoleName
from wavecrew.run.spec import RunFolder
from wavecrew.run.submission import scope_of
from wavecrew.run.wire import Assignment


@dataclass(frozen=True, slots=True)
class Altered:
    """A conversation that would have gone another way."""

    kind: str
    subject: str
    attempt: int
    exchanges: tuple[int, ...]
    """Numbers of the model exchanges whose request would be another one, in order."""
    of: int
    """How many model exchanges there are."""
    diff: str
    """What differs in system text, first message and tools, as a unified diff."""
    gone: str = ""
    """Why there is no request now: the task or the role is not in the files any more."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def altered(
    folder: RunFolder, *, roles: Mapping[str, Role] | None, plan: Plan | None, task: str = ""
) -> Iterator[tuple[Assignment, Altered | None]]:
    """Each recorded conversation with what would be altered; None where nothing would be.

    `roles` and `plan` stand in for the recorded ones; None keeps those.
    """
    for place in recorded_attempts(folder, task):
        assignment = read_assignment(place)
        trace = read_trace(place / "journal.jsonl")
        yield assignment, _altered(assignment, trace, roles, plan)


def _altered(
    assignment: Assignment, trace: Trace, roles: Mapping[str, Role] | None, plan: Plan | None
) -> Altered | None:
    first = recorded_opening(trace)
    if first is None:
        return None
    here = (assignment.kind, assignment.subject, assignment.attempt)
    asked = tuple(x.number for x in trace.exchanges if x.kind == "model")
    now, gone = _now(assignment, roles, plan)
    if gone:
        return Altered(*here, asked, len(asked), "", gone)
    role = known_here(now.role)
    offer = _offer(assignment, now, recorded_offer(first, known_here(assignment.role)))
    messages = opening(system_text(now.role), first_message(now))
    conversation = Conversation(messages, offer, assignment.model.context_window, ending_of(role))
    numbers = tuple(_differing(conversation, trace))
    if not numbers:
        return None
    before = recorded_offer(first, known_here(assignment.role))
    diff = _diff(_texts(first.request["opening"], before), _texts(messages, offer))
    return Altered(*here, numbers, len(asked), diff)


def _offer(assignment: Assignment, now: Assignment, recorded: Offer) -> Offer:
    """The tools now; those of servers that are not started here count as they were."""
    fresh = offer_for(known_here(now.role))
    same_servers = _servers(assignment.role) == _servers(now.role)
    if not same_servers or not _servers(now.role):
        return fresh
    own = {schema["function"]["name"] for schema in fresh.schemas}
    before = offer_for(known_here(assignment.role)).schemas
    known = {schema["function"]["name"] for schema in before} | own
    outside = [s for s in recorded.schemas if s["function"]["name"] not in known]
    return Offer.of([*fresh.schemas, *outside]) if fresh.schemas != before else recorded


def _servers(role: Role) -> set[str]:
    return {entry for entry in role.tools if entry.startswith("mcp:")}


def _now(
    assignment: Assignment, roles: Mapping[str, Role] | None, plan: Plan | None
) -> tuple[Assignment, str]:
    """The assignment with the role and the task as they are now, or why there is none."""
    task = assignment.task
    if plan is not None and task is not None:
        if task.id not in plan.tasks_by_id:
            return assignment, f"task {task.id!r} is not in the plan any more"
        task = plan.tasks_by_id[task.id]
    name: RoleName = assignment.role.name
    if assignment.kind == "task" and task is not None:
        name = task.agent
    known = {assignment.role.name: assignment.role} if roles is None else roles
    if name not in known:
        return assignment, f"there is no role {name!r} any more"
    role = known[name]
    update: dict[str, Any] = {"role": role, "task": task}
    if assignment.kind == "task" and task is not None:
        update["scope"] = scope_of(role, task)
    return assignment.model_copy(update=update), ""


def _differing(conversation: Conversation, trace: Trace) -> Iterator[int]:
    """Numbers of the model exchanges that would send something else."""
    for exchange in trace.exchanges:
        if exchange.kind == "model":
            sent = conversation.next_request()
            same = all(exchange.request[key] == sent[key] for key in ("digest", "tools"))
            if not same:
                yield exchange.number
            conversation.hear(exchange.reply)
        elif conversation.next_call() is not None:
            conversation.tell(exchange.reply["text"])


def _texts(messages: Any, offer: Offer) -> dict[str, str]:
    tools = json.dumps(list(offer.schemas), indent=1, ensure_ascii=False, sort_keys=True)
    return {"system": messages[0]["content"], "first message": messages[1]["content"]} | {
        "tools": f"{offer.digest}\n{tools}"
    }


def _diff(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    lines: list[str] = []
    for name, text in before.items():
        lines += difflib.unified_diff(
            text.splitlines(),
            now[name].splitlines(),
            f"{name} (recorded)",
            f"{name} (now)",
            "",
            "",
            2,
            "",
        )
    return "\n".join(lines)
