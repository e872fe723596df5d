"""Where an agent's requests are answered: budget, progress, board, contracts.

Each kind of session (a specialist's attempt, the manager crew) has a desk of
its own that adds what only it may ask for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wavecrew.errors import LimitReached
from wavecrew.journal import events as e
from wavecrew.journal.views import board_text
from wavecrew.plan.model import Contract, Task
from wavecrew.run import wire
from wavecrew.run.parts import Parts

SOURCE_SHOWN = 6000
"""Characters of a provided symbol's file that `read_contract` shows."""


class Desk:
    """Answers what every agent may ask. Called on the line's thread, one request at a time."""

    def __init__(self, parts: Parts, task: str, attempt: int) -> None:
        self.parts = parts
        self.task = task
        self.attempt = attempt
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
        granted = self.parts.purse.reserve(request.tokens)
        if not granted.granted:
            mend = "raise [budget] in the run's settings, then `wavecrew run --resume`"
            self.parts.stop.request(LimitReached(granted.reason, where=self.task, mend=mend))
        return granted

    def _settle(self, request: wire.Settle) -> wire.Reply:
        self.parts.purse.settle(request.reserved, request.tokens)
        return wire.Noted()

    def _step(self, request: wire.Step) -> wire.Reply:
        self.parts.log.append(
            e.AgentStep(
                self.task, self.attempt, request.step, request.what, request.brief, request.tokens
            )
        )
        return wire.Noted()

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
