"""Who answers a replayed tool's requests? The engine's own desk, with the recorded verdicts.

A submission is imported, committed and written down by the engine's code. Its
verdict is the recorded one, or with gates a new one that must be the same.
"""

from __future__ import annotations

import shutil

from crews.replay.divergence import Place
from crews.replay.landing import same_verdict
from crews.replay.world import World, recorded_report
from crews.tool_call import ToolReply
from wavecrew.errors import ToolError
from wavecrew.journal import events as e
from wavecrew.plan.model import TaskId
from wavecrew.run import wire
from wavecrew.run.submission import AttemptDesk


class RetoldDesk:
    """Takes the submissions of one attempt."""

    def __init__(self, world: World, assignment: wire.Assignment) -> None:
        task = world.spec.plan.tasks_by_id[TaskId(assignment.subject)]
        self._world = world
        self._base = assignment.workspace.base
        self._task, self._attempt = assignment.subject, assignment.attempt
        self._desk = AttemptDesk(world.parts, task, assignment.role, assignment.attempt, self._base)

    def submit(self, request: wire.Submit, here: Place) -> wire.Gated:
        """The verdict on a submission, its tree and commit compared with the log's."""
        world = self._world
        recorded = world.gate_of(self._task, self._attempt, request.submission)
        if recorded is None:
            raise here.diverged("a submission", "none in the run's log", request.submission)
        here.same("the submitted tree", recorded.tree, request.tree)
        if recorded.commit:
            world.at_time_of(recorded.commit)
        if not world.gates:
            self._lay_out_report(recorded, request)
        world.log.said.clear()
        reply = self._desk.answer(request)
        if not isinstance(reply, wire.Gated):
            raise here.diverged("the answer to a submission", "a verdict", reply)
        if world.gates:
            same_verdict(here, recorded_report(world, recorded.report), reply.report)
        said = [fact for fact in world.log.said if isinstance(fact, e.GateFinished)]
        here.same("the branch's commit", recorded.commit, said[-1].commit)
        return reply

    def _lay_out_report(self, recorded: e.GateFinished, request: wire.Submit) -> None:
        """Where the engine looks for a verdict that an earlier one reached at this very tree."""
        world = self._world
        recorded_report(world, recorded.report)
        target = world.parts.folder.root / recorded.report
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(world.recorded.root / recorded.report, target)
        if recorded.verdict == "pass":
            world.parts.mirror.import_pack(request.pack, request.tree, self._base)


class RetoldLine:
    """The line to the engine as tools see it; one recorded call at a time."""

    def __init__(self, desk: RetoldDesk) -> None:
        self._desk = desk
        self._here = Place("task", "", 0)
        self._recorded: ToolReply | None = None

    def begin(self, here: Place, recorded: ToolReply) -> None:
        """The call that is carried out next, as it is recorded."""
        self._here, self._recorded = here, recorded

    def ask(self, request: wire.Request) -> wire.Reply:
        """ToolError for a request that no tool carried out again makes."""
        assert self._recorded is not None
        if isinstance(request, wire.Submit):
            gated = self._desk.submit(request, self._here)
            # How many are left is the engine's count, which a resume may have started anew.
            left = 0 if gated.accepted or self._recorded.last else max(1, gated.attempts_left)
            return gated.model_copy(update={"attempts_left": left})
        if isinstance(request, wire.BoardNote | wire.CrewReport):
            return wire.Noted()
        raise ToolError(f"a replay does not answer {request.ask!r}")
