"""Does an attempt come to the same, its recorded calls carried out again one by one?

A fresh workspace from the recorded base, the real tools in the sandbox, and
after each call its text, its effect and the tree it left against the record.
What only the engine could say at that moment (the board, contracts of others,
diffs and verdicts for the manager crew) and what servers outside say is taken
from the record.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from crews.replay.conversation import Conversation
from crews.replay.desk import RetoldDesk, RetoldLine
from crews.replay.divergence import Place, settled
from crews.replay.world import World
from crews.request import Offer
from crews.tool_call import ToolReply, carry_out
from tools.context import ToolContext
from tools.output import Outputs
from tools.registry import ToolRegistry
from wavecrew.errors import PlanError
from wavecrew.journal.trace import Exchange, JournalUnreadable, Trace
from wavecrew.plan.model import Role
from wavecrew.run.given import start_tree
from wavecrew.run.submission import author_of
from wavecrew.run.wire import Assignment
from wavecrew.sandbox.furnished import Furnished
from wavecrew.sandbox.model import Sandbox
from wavecrew.workspace.workspace import Workspace

ENGINES_WORD = frozenset({"read_board", "read_contract", "branch_diff", "run_integration"})
"""Tools that only hand on what the engine says at the moment they are called."""
START = {"tool": "start"}
_KEPT = re.compile(r"read_output\(name='([^']+)'")


@dataclass
class Tally:
    """What a replay went through."""

    attempts: int = 0
    model_calls: int = 0
    tool_calls: int = 0
    """Carried out again."""
    taken: int = 0
    """Calls whose result was taken from the record."""
    snapshots: int = 0
    landings: int = 0
    tokens: int = 0
    """What the recorded model calls cost; a replay costs none."""
    notes: list[str] = field(default_factory=list)


@cache
def registry() -> ToolRegistry:
    """The tools of this version, found once."""
    return ToolRegistry.default()


def known_here(role: Role) -> Role:
    """The role without entries that name no tool here, such as servers that are not started."""
    kept = []
    for entry in role.tools:
        try:
            registry().allowed(role.model_copy(update={"tools": (entry,)}))
        except PlanError:
            continue
        kept.append(entry)
    return role.model_copy(update={"tools": tuple(kept)})


def offer_for(role: Role) -> Offer:
    """The tools that a model would be told of now."""
    return Offer.of(registry().schema(spec.name for spec in registry().allowed(role)))


def ending_of(role: Role) -> str:
    return next((spec.name for spec in registry().allowed(role) if spec.ends), "submit")


def recorded_opening(trace: Trace) -> Exchange | None:
    """The first request to the model; None when it was never asked."""
    first = next((x for x in trace.exchanges if x.kind == "model"), None)
    if first is not None and "opening" not in first.request:
        raise JournalUnreadable("the first request has no opening", where=str(trace.path))
    return first


def recorded_offer(first: Exchange, role: Role) -> Offer:
    """The tools that were offered; older journals hold only their digest."""
    schemas = first.beside.get("schemas")
    offer = Offer.of(schemas) if schemas is not None else offer_for(role)
    return Offer(offer.schemas, first.request["tools"], offer.chars)


class Listener:
    """Follows a recorded conversation: every request must be the one the journal proves."""

    def __init__(self, place: Place, assignment: Assignment, trace: Trace, tally: Tally) -> None:
        self.place = place
        self.tally = tally
        role = known_here(assignment.role)
        first = recorded_opening(trace)
        self._conversation: Conversation | None = None
        if first is not None:
            self._conversation = Conversation(
                first.request["opening"],
                recorded_offer(first, role),
                assignment.model.context_window,
                ending_of(role),
            )

    def asked(self, exchange: Exchange) -> None:
        """A model's exchange: the rest of the journal must lead to just this request."""
        assert self._conversation is not None
        here = self.place.at(exchange.number)
        due = self._conversation.next_call()
        if due is not None:
            raise here.diverged("a call has no result", f"a result of {due.name}", "a model call")
        here.same(
            "the request to the model, built again from the journal",
            exchange.request["digest"],
            self._conversation.next_request()["digest"],
        )
        self._conversation.hear(exchange.reply)
        self.tally.model_calls += 1
        self.tally.tokens += exchange.reply["usage"]["total"]

    def called(self, exchange: Exchange) -> tuple[str, str]:
        """Name and arguments of a tool's exchange, which must be what the model asked for."""
        here = self.place.at(exchange.number)
        name, arguments = exchange.request["tool"], exchange.request["arguments"]
        due = self._conversation.next_call() if self._conversation else None
        wanted = f"{due.name} {due.arguments}" if due else "no call"
        here.same("the call that the model asked for", f"{name} {arguments}", wanted)
        return name, arguments

    def told(self, exchange: Exchange) -> None:
        assert self._conversation is not None
        self._conversation.tell(exchange.reply["text"])


def retell_conversation(place: Place, assignment: Assignment, trace: Trace, tally: Tally) -> None:
    """A conversation without a tree, the manager crew's: only what was said is checked."""
    listener = Listener(place, assignment, trace, tally)
    for exchange in trace.exchanges:
        if exchange.kind == "model":
            listener.asked(exchange)
        else:
            listener.called(exchange)
            listener.told(exchange)
            tally.taken += 1
    tally.attempts += 1


def retell_attempt(world: World, assignment: Assignment, trace: Trace, tally: Tally) -> None:
    """Carry a task's attempt out again in a workspace of its own. Diverged when it differs."""
    place = Place("task", assignment.subject, assignment.attempt)
    folder = world.scratch / "attempt"
    sandbox = _furnished(world, assignment, folder / "cache")
    workspace = _cut(world, assignment, folder / "ws", sandbox)
    try:
        again = _Again(world, assignment, trace, workspace, place, tally)
        for exchange in trace.exchanges:
            again.take(exchange)
        tally.attempts += 1
    finally:
        workspace.remove()
        shutil.rmtree(folder, ignore_errors=True)


def _furnished(world: World, assignment: Assignment, cache: Path) -> Sandbox:
    """The sandbox with the environment that the attempt had leased, and an empty cache."""
    lease = assignment.lease
    if lease.cache is not None:
        cache.mkdir(parents=True)
    held = cache if lease.cache is not None else None
    return Furnished(world.parts.sandbox, lease.env, cache=held)


def _cut(world: World, assignment: Assignment, root: Path, sandbox: Sandbox) -> Workspace:
    parts, task = world.parts, assignment.task
    if task is None:
        raise JournalUnreadable("the assignment names no task", where=str(assignment.journal))
    base = world.known(assignment.workspace.base)
    return Workspace.create(
        root,
        parts.mirror.objects,
        base,
        sandbox,
        setup=world.spec.settings.workspace.setup,
        tree=start_tree(parts, task, assignment.attempt, base),
        branch=task.id,
        author=author_of(assignment.role),
    )


class _Again:
    """One attempt at work again."""

    def __init__(
        self,
        world: World,
        assignment: Assignment,
        trace: Trace,
        workspace: Workspace,
        place: Place,
        tally: Tally,
    ) -> None:
        self._place = place
        self._tally = tally
        self._workspace = workspace
        self._recorded_root = str(assignment.workspace.root)
        self._recorded_outputs = trace.path.parent / "outputs"
        self._listener = Listener(place, assignment, trace, tally)
        self._last_snapshot = ""
        role = known_here(assignment.role)
        self._outside = any(entry.startswith("mcp:") for entry in assignment.role.tools)
        desk = RetoldDesk(world, assignment)
        self._line = RetoldLine(desk)
        self._context = ToolContext(
            assignment=assignment.model_copy(update={"role": role}),
            workspace=workspace,
            sandbox=workspace.sandbox,
            line=self._line,
            outputs=Outputs(workspace.root.parent / "outputs", assignment.limits.output_kb),
        )

    def take(self, exchange: Exchange) -> None:
        """The next exchange of the journal."""
        if exchange.restored and self._last_snapshot:
            self._workspace.restore(self._last_snapshot)
        if exchange.kind == "model":
            self._listener.asked(exchange)
        elif exchange.request == START:
            self._same_tree(exchange, self._workspace.snapshot())
        else:
            name, arguments = self._listener.called(exchange)
            recorded = ToolReply.model_validate(exchange.reply)
            if name in ENGINES_WORD or self._is_outside(name):
                self._keep_output(recorded.text)
                self._tally.taken += 1
            else:
                self._call(exchange, recorded, name, arguments)
            self._listener.told(exchange)

    def _call(self, exchange: Exchange, recorded: ToolReply, name: str, arguments: str) -> None:
        here = self._place.at(exchange.number)
        if recorded.ok and name not in registry().names():
            raise here.diverged("the tool does not exist in this version", name, "nothing")
        self._line.begin(here, recorded)
        reply = carry_out(registry(), self._context, name, arguments)
        self._tally.tool_calls += 1
        if recorded.snapshot or reply.snapshot:
            self._same_tree(exchange, reply.snapshot)
        for flag in ("ok", "ended", "mutated", "submissions"):
            here.same(f"{name}: {flag}", getattr(recorded, flag), getattr(reply, flag))
        came = reply.text.replace(str(self._workspace.root), self._recorded_root)
        if settled(came) != settled(recorded.text):
            raise here.diverged(f"what {name} said", recorded.text, came)

    def _same_tree(self, exchange: Exchange, tree: str) -> None:
        here = self._place.at(exchange.number)
        what = f"the tree after {exchange.request['tool']}"
        here.same(what, exchange.reply["snapshot"], tree)
        self._last_snapshot = tree
        self._tally.snapshots += 1

    def _is_outside(self, name: str) -> bool:
        """A tool of a server that the role may use; servers are not started again."""
        return self._outside and name not in registry().names()

    def _keep_output(self, text: str) -> None:
        """A cut text's whole, so that `read_output` finds it as it did."""
        for name in _KEPT.findall(text):
            source = self._recorded_outputs / f"{name}.txt"
            if source.is_file():
                self._context.outputs.folder.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, self._context.outputs.folder / source.name)
