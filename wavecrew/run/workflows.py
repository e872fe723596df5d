"""The durable workflows of a run: the run, its tasks, the landing lane, the sync points.

Thin on purpose. DBOS remembers the order of things; what they mean lives in
the modules that the steps call. Steps are at-least-once, so each of those
checks first what an earlier try has done. What must not be remembered (a stop,
a broken environment, a spent budget) halts instead of returning.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from dbos import DBOS, DBOSConfiguredInstance, SetWorkflowID

from wavecrew.errors import EnvironmentBroken, LimitReached
from wavecrew.gates.model import GateReport
from wavecrew.journal import events as e
from wavecrew.plan.model import Role, Task, TaskId
from wavecrew.run import wire
from wavecrew.run.attempt import room_for, try_task
from wavecrew.run.landing import land_branch
from wavecrew.run.manager import record_triage, triage
from wavecrew.run.parts import Parts
from wavecrew.run.progress import Progress, Result, StartLanding, StartSync, Step
from wavecrew.run.stop import fault
from wavecrew.run.sync import look_at
from wavecrew.schedule.order import order_for_run
from wavecrew.schedule.ready import Schedule

T = TypeVar("T")
POLL_S = 0.05
TRY_AGAIN = frozenset({"crashed", "incomplete_answer", "out_of_time", "stalled"})
"""Endings after which a fresh attempt has a chance; the others need a person."""


@DBOS.dbos_class()
class Workflows(DBOSConfiguredInstance):
    """All workflows of one run. One instance per process, named after the run."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        roles: dict[str, Role] = {role.name: role for role in parts.spec.roles}
        spec = parts.spec
        order = {task: at for at, task in enumerate(spec.order)}
        self.schedule = Schedule(spec.plan, roles, barrier=spec.barrier, order=order)
        super().__init__(config_name=parts.spec.run)

    @DBOS.workflow(max_recovery_attempts=None)
    def run(self) -> Result:
        """Start what may start, take results as they come, until nothing is left to do."""
        progress = Progress(self.parts.spec, self.schedule)
        handles: list[Any] = []
        while True:
            progress.agents = self.limit()
            if progress.short:
                progress.free(self.room(sorted(progress.short), must=False))
            handles += [self._enqueue(step) for step in progress.next()]
            if not handles:
                if not progress.short:
                    break
                progress.free(self.room(sorted(progress.short), must=True))
                continue
            first = DBOS.wait_first(handles, polling_interval_sec=POLL_S)
            handles = [h for h in handles if h.workflow_id != first.workflow_id]
            progress.take(first.get_result())
            for task, culprit in progress.blocked_along:
                self.block(task, f"it waits for {culprit}, which could not be mended")
            progress.blocked_along.clear()
            if progress.is_off_course:
                progress.follow(self.think_over(sorted(progress.left), progress.measured))
                self.schedule = progress.schedule
        outcome, exit_code = progress.outcome()
        self.finish(outcome, exit_code, len(progress.merged))
        return {"outcome": outcome, "exit_code": exit_code}

    @DBOS.workflow(max_recovery_attempts=None)
    def task(self, task_id: str, attempt: int, rework: Result | None, lap: int) -> Result:
        """One task until a branch of it passes its gate, in as many attempts as its role allows.

        Or until its wave's budget is used up; freed, it goes on in another of these.
        """
        role = self.parts.spec.role(self._task(task_id).agent)
        told = {"kind": "task", "id": task_id}
        why = "conflict" if rework and rework["kind"] == "conflict" else "failed"
        spent_s = 0.0
        while attempt <= role.attempts:
            tried = self.attempt(task_id, attempt, rework)
            spent_s += tried["spent_s"]
            if tried["outcome"] == "passed":
                passed = {"status": "passed", "branch": tried["commit"], "attempt": attempt}
                return told | passed | {"spent_s": spent_s}
            if tried["outcome"] == "held":
                held = {"status": "held", "rework": rework, "attempt": attempt, "lap": lap}
                return told | held | {"spent_s": spent_s}
            why = "failed"
            rework = {"kind": "ended", "reason": f"{tried['outcome']}: {tried['detail']}"}
            if tried["outcome"] not in TRY_AGAIN:
                break
            attempt += 1
        reason = (rework or {}).get("reason", "")
        self.block(task_id, reason or f"no attempt of {role.attempts} passed its gate")
        blocked = {"status": "blocked", "why": why, "attempt": attempt}
        return told | blocked | {"spent_s": spent_s}

    @DBOS.workflow(max_recovery_attempts=None)
    def land(self, task_id: str, attempt: int, branch: str, lap: int) -> Result:
        """Through the one lane of the merge queue; a red tree is triaged before it goes back."""
        told = {"kind": "task", "id": task_id, "attempt": attempt, "lap": lap}
        landed = self.merge(task_id, attempt, branch)
        if landed["outcome"] == "merged":
            return told | {"status": "merged"}
        back = landed
        if landed["outcome"] == "red":
            back = self.send_back(task_id, attempt, branch, landed)
        if back.get("needs"):
            return told | {"status": "needs"} | back
        rework, collides = back["rework"], landed["collides"]
        return told | {"status": "rework", "rework": rework, "collides": collides}

    @DBOS.workflow(max_recovery_attempts=None)
    def sync(self, sync_id: str, round_number: int) -> Result:
        return self.look(sync_id, round_number)

    @DBOS.step()
    def limit(self) -> int:
        """Agents at once, written down with each decision: a resume may come with another limit."""
        return self.parts.spec.settings.limits.agents

    @DBOS.step()
    def room(self, held: list[str], must: bool) -> list[str]:
        """Which of the tasks that wait for their wave's budget may go on.

        With `must` there is nothing else to do: when none may, the run pauses.
        """

        def work() -> list[str]:
            free = [task for task in held if room_for(self.parts, self._task(task))]
            if must and not free:
                with self.parts.reading:
                    reason = self.parts.state.tasks[held[0]].held
                raise LimitReached(
                    f"{reason}; {', '.join(held)} cannot go on, and nothing else is left to do",
                    mend="raise [budget.wave] in the run's settings, then `wavecrew run --resume`",
                )
            return free

        return self._guarded(work)

    @DBOS.step()
    def attempt(self, task_id: str, number: int, rework: Result | None) -> Result:
        def work() -> Result:
            sent_back = wire.Rework.model_validate(rework) if rework else None
            began = time.monotonic()
            tried = try_task(self.parts, self._task(task_id), number, sent_back)
            return {
                "outcome": tried.outcome,
                "commit": tried.commit,
                "detail": tried.detail,
                "spent_s": time.monotonic() - began,
            }

        return self._guarded(work)

    @DBOS.step()
    def queue_again(self, task_id: str, attempt: int, branch: str, lap: int) -> None:
        """A branch that had to wait for another task's mending may land now."""
        self._guarded(lambda: self.parts.log.append(e.LandingQueued(task_id, attempt, branch, lap)))

    @DBOS.step()
    def merge(self, task_id: str, attempt: int, branch: str) -> Result:
        def work() -> Result:
            task = self._task(task_id)
            landed = land_branch(self.parts, self.schedule, task, attempt, branch)
            rework = landed.rework.model_dump(mode="json") if landed.rework else None
            report = landed.report.model_dump_json() if landed.report else ""
            return {
                "outcome": landed.outcome,
                "tree": landed.tree,
                "evidence": landed.evidence,
                "rework": rework,
                "report": report,
                "collides": list(landed.collides),
            }

        return self._guarded(work)

    @DBOS.step()
    def send_back(self, task_id: str, attempt: int, branch: str, landed: Result) -> Result:
        def work() -> Result:
            report = GateReport.model_validate_json(landed["report"])
            task = self._task(task_id)
            word = triage(self.parts, task, attempt, landed["tree"], report)
            rework = record_triage(self.parts, task, attempt, word, landed)
            if word.send_back in ("", task_id):
                return {"rework": rework}
            return {"needs": word.send_back, "branch": branch, "rework": rework}

        return self._guarded(work)

    @DBOS.step()
    def look(self, sync_id: str, round_number: int) -> Result:
        def work() -> Result:
            sync = next(s for s in self.parts.spec.plan.sync_points if s.id == sync_id)
            looked = look_at(self.parts, sync, round_number)
            return {
                "kind": "sync",
                "id": sync_id,
                "status": "open" if looked.is_open else "closed",
                "send_back": looked.send_back,
                "rework": looked.rework.model_dump(mode="json") if looked.rework else None,
            }

        return self._guarded(work)

    @DBOS.step()
    def think_over(self, left: list[str], spent: dict[TaskId, float]) -> list[str]:
        """A better order for what is left, by what finished tasks took; empty: there is none."""

        def work() -> list[str]:
            spec = self.parts.spec
            roles: dict[str, Role] = {role.name: role for role in spec.roles}
            order = order_for_run(
                spec.plan,
                roles,
                agents=spec.settings.limits.agents,
                barrier=spec.barrier,
                only=left,
                spent=spent,
                usual=self.schedule.order,
            )
            return [str(task) for task in order]

        return self._guarded(work)

    @DBOS.step()
    def block(self, task_id: str, reason: str) -> None:
        def work() -> None:
            with self.parts.reading:
                state = self.parts.state.tasks[task_id]
            self.parts.log.append(e.TaskBlocked(task_id, state.role, reason, state.branch))

        self._guarded(work)

    @DBOS.step()
    def finish(self, outcome: str, exit_code: int, merged: int) -> None:
        def work() -> None:
            tasks = len(self.parts.spec.only)
            fact = e.RunFinished(outcome, exit_code, merged, tasks, self.parts.tip())
            self.parts.log.append(fact)

        self._guarded(work)

    def _guarded(self, work: Callable[[], T]) -> T:
        """What `work` returns; whatever must be tried again later never returns."""
        if self.parts.stop.requested.is_set():
            self.parts.stop.halt()
        try:
            self.parts.log.refresh()
            return work()
        except (EnvironmentBroken, LimitReached) as error:
            self.parts.stop.halt(error)
        except Exception as error:  # noqa: BLE001 the border of the engine: nothing half-recorded
            self.parts.stop.halt(fault(error))

    def _enqueue(self, step: Step) -> Any:
        run = self.parts.spec.run
        if isinstance(step, StartSync):
            with SetWorkflowID(f"{run}/sync/{step.sync}/{step.round}"):
                return DBOS.enqueue_workflow("merge", self.sync, step.sync, step.round)
        if isinstance(step, StartLanding):
            if step.lap:
                self.queue_again(step.task, step.attempt, step.branch, step.lap)
            with SetWorkflowID(f"{run}/land/{step.task}/{step.attempt}/{step.lap}"):
                return DBOS.enqueue_workflow(
                    "merge", self.land, step.task, step.attempt, step.branch, step.lap
                )
        with SetWorkflowID(f"{run}/task/{step.task}/{step.attempt}/{step.lap}"):
            return DBOS.enqueue_workflow(
                "tasks", self.task, step.task, step.attempt, step.rework, step.lap
            )

    def _task(self, task_id: str) -> Task:
        return self.parts.spec.plan.tasks_by_id[TaskId(task_id)]
