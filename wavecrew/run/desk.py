"""Where an agent's requests are answered: budget, progress, board, contracts.

Each kind of session (a specialist's attempt, the manager crew) has a desk of
its own that adds what only it may ask for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wavecrew.errors import LimitReached, ModelUnreachable
from wavecrew.journal import events as e
from wavecrew.journal.views import board_text
from wavecrew.plan.model import Contract, Task
from wavecrew.run import wire
from wavecrew.run.budget import Verdict
from wavecrew.run.parts import Parts
from wavecrew.run.prices import Usage

SOURCE_SHOWN = 6000
"""Characters of a provided symbol's file that `read_contract` shows."""


class Desk:
    """Answers what every agent may ask. Called on the line's thread, one request at a time."""

    def __init__(
        self,
        parts: Parts,
        task: str,
        attempt: int,
        *,
        session: str,
        nodes: tuple[str, ...],
        model: str,
    ) -> None:
        """`nodes`: the place in the budget's tree, from the run down; `model`: whose prices."""
        self.parts = parts
        self.task = task
        self.attempt = attempt
        self.refused: Verdict | None = None
        """What was used up, once a reservation was refused for it."""
        self._session = session
        self._nodes = nodes
        self._model = model
        self._answers: dict[type[wire.Request], Callable[[Any], wire.Reply]] = {
            wire.Reserve: self._reserve,
            wire.Settle: self._settle,
            wire.Step: self._step,
            wire.BoardRead: self._board,
            wire.BoardNote: self._note,
            wire.ContractRead: self._contract,
        }

    def answer(self, request: wire.Request) -> wire.Reply:
        """The reply to one request; what this desk does not serve is refused by name."""
        handler = self._answers.get(type(request))
        if handler is None:
            return wire.Refused(why=f"{request.ask!r} is not for this agent")
        return handler(request)

    def _reserve(self, request: wire.Reserve) -> wire.Reply:
        usage = Usage(request.prompt, request.answer)
        verdict = self.parts.purse.reserve(self._session, self._nodes, usage, self._model)
        if verdict.reason:
            self.refused = verdict
            self._stop_for(verdict)
        return wire.Granted(granted=verdict.granted, reason=verdict.reason, wait_s=verdict.wait_s)

    def _stop_for(self, verdict: Verdict) -> None:
        """What concerns the whole run stops it; a wave's or a task's limit ends the attempt."""
        if verdict.level == "run":
            mend = "raise [budget] in the run's settings, then `wavecrew run --resume`"
            self.parts.stop.request(LimitReached(verdict.reason, where=self.task, mend=mend))
        elif verdict.level == "provider":
            mend = "`wavecrew run --resume` goes on when it serves again; see [model]"
            self.parts.stop.request(ModelUnreachable(verdict.reason, where=self.task, mend=mend))

    def _settle(self, request: wire.Settle) -> wire.Reply:
        purse, session = self.parts.purse, self._session
        if request.trouble:
            told = purse.troubled(session, request.trouble, request.why, request.retry_after_s)
        elif request.prompt or request.answer:
            usage = Usage(request.prompt, request.answer, request.cached)
            told = purse.answered(session, usage, self._model)
        else:
            told = None
            purse.given_back(session)
        if told:
            self.parts.log.append(told)
        return wire.Noted()

    def _step(self, request: wire.Step) -> wire.Reply:
        usage = Usage(request.prompt, request.answer, request.cached)
        cost_usd = self.parts.purse.prices.cost_usd(self._model, usage)
        self.parts.log.append(self._fact_of(request, cost_usd))
        if request.what == "model":
            self.parts.purse.counted(self._session)
        return wire.Noted()

    def _fact_of(self, step: wire.Step, cost_usd: float) -> e.Fact:
        return e.AgentStep(
            self.task,
            self.attempt,
            step.step,
            step.what,
            step.brief,
            step.tokens,
            cost_usd,
            step.tries,
        )

    def _board(self, request: wire.BoardRead) -> wire.Reply:
        with self.parts.reading:
            return wire.BoardText(text=board_text(self.parts.state))

    def _note(self, request: wire.BoardNote) -> wire.Reply:
        self.parts.log.append(e.NotePosted(self.task, self.attempt, request.note, request.text))
        return wire.Noted()

    def _contract(self, request: wire.ContractRead) -> wire.Reply:
        tasks = self.parts.spec.plan.tasks_by_id
        if request.task not in tasks:
            return wire.Refused(why=f"there is no task {request.task!r} in the plan")
        with self.parts.reading:
            state = self.parts.state.tasks.get(request.task)
        if state is None or state.status != "merged":
            return wire.Refused(why=f"task {request.task!r} is not merged; it provides nothing yet")
        return wire.BoardText(text=self._contract_text(tasks[request.task], state.commit))

    def _contract_text(self, task: Task, commit: str) -> str:
        """What a merged task promises, with the source that keeps the promise."""
        lines = [f"Task {task.id}: {task.title}, merged as {commit[:12]}", "Provides:"]
        lines += [f"- {c.symbol}{c.signature}" for c in task.provides] or ["- no named contract"]
        for path in dict.fromkeys(self._source_of(c, commit) for c in task.provides):
            if path:
                source = (self.parts.mirror.read(commit, path) or b"").decode(errors="replace")
                lines += [f"--- {path}", source[:SOURCE_SHOWN]]
        return "\n".join(lines)

    def _source_of(self, contract: Contract, commit: str) -> str:
        """Path of the module that holds a symbol, empty when no such file is in the tree."""
        parts = contract.symbol.split(".")
        for length in range(len(parts), 0, -1):
            stem = "/".join(parts[:length])
            for path in (f"{stem}.py", f"{stem}/__init__.py"):
                if self.parts.mirror.read(commit, path) is not None:
                    return path
        return ""
