"""What does the process of one attempt do, from its assignment file to `outcome.json`?

Runs in a process forked by `crews.host`, with CrewAI imported already. This is
the process border: whatever was not foreseen becomes `crashed` here, with a
traceback in the attempt's log.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NoReturn

from crews import manager, quiet, specialist
from crews.attempt import Attempt, Stop
from crews.endings import Outcome
from crews.tool_adapter import default_registry
from tools.context import ToolContext
from tools.mcp import serving
from tools.output import Outputs
from wavecrew.errors import CommandLost, EnvironmentBroken
from wavecrew.journal.attempt import AttemptJournal
from wavecrew.run.bond import die_with
from wavecrew.run.wire import Assignment, EngineLine, Noted, Recorded
from wavecrew.sandbox import open_sandbox
from wavecrew.sandbox.furnished import Furnished
from wavecrew.sandbox.model import Sandbox
from wavecrew.workspace.workspace import Workspace

MOST_DESCRIPTORS = 65536
GO_ON = 75
"""Exit status of a child that is to be started again and to go on from its journal."""


HEEDED = (signal.SIGTERM, signal.SIGALRM)
"""Signals a child answers to; blocked by the host until the child is ready for them."""


def run(assignment: Assignment, host: int) -> NoReturn:
    """One attempt in this freshly forked process; leaves `outcome.json` beside the journal.

    SIGTERM parks the attempt, SIGALRM at its deadline ends it; both leave an
    outcome. Dies with `host`, the process that forked it. No exit handler of the
    host's is run.
    """
    code = 1
    try:
        folder = assignment.journal.parent
        _detach(folder / "log", host)
        quiet.move_home(assignment.home)
        stop = Stop()
        _heed_signals(stop, assignment.deadline_s)
        outcome = _bordered(assignment, stop)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        outcome.write(folder)
        code = 0
    except CommandLost as error:
        print(error, file=sys.stderr)
        code = GO_ON
    except BaseException:  # noqa: BLE001 - told in the log; the host tells the engine
        traceback.print_exc()
    finally:
        os._exit(code)


def _bordered(assignment: Assignment, stop: Stop) -> Outcome:
    try:
        return _attempt(assignment, stop)
    except CommandLost:
        raise
    except BaseException as error:  # noqa: BLE001 - the process border
        traceback.print_exc()
        sys.stderr.flush()
        return Outcome(outcome="crashed", detail=f"{type(error).__name__}: {error}")


def _detach(log: Path, host: int) -> None:
    """A process group of its own, no stdin, output into the attempt's log."""
    os.setpgid(0, 0)
    die_with(host)
    log.parent.mkdir(parents=True, exist_ok=True)
    nothing = os.open(os.devnull, os.O_RDONLY)
    written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((nothing, 0), (written, 1), (written, 2)):
        os.dup2(source, target)
    os.closerange(3, MOST_DESCRIPTORS)


def _heed_signals(stop: Stop, deadline_s: float) -> None:
    def parked(_signal: int, _frame: FrameType | None) -> None:
        stop.ask("parked")

    def out_of_time(_signal: int, _frame: FrameType | None) -> None:
        stop.ask("out_of_time")

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, parked)
    signal.signal(signal.SIGALRM, out_of_time)
    signal.setitimer(signal.ITIMER_REAL, deadline_s)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HEEDED)


def _attempt(assignment: Assignment, stop: Stop) -> Outcome:
    sandbox, workspace = _place(assignment)
    threading.Thread(target=_cancel_when, args=(stop, sandbox), daemon=True).start()
    line = EngineLine(assignment.socket, timeout_s=assignment.deadline_s)
    copy = _copied_over(line) if assignment.copied else None
    journal = AttemptJournal.open(assignment.journal, copy=copy)
    attempt = Attempt(line=line, journal=journal, workspace=workspace, stop=stop)
    context = ToolContext(
        assignment=assignment,
        workspace=workspace,
        sandbox=sandbox,
        line=attempt,
        outputs=Outputs(assignment.journal.parent / "outputs", assignment.limits.output_kb),
    )
    registry = default_registry()
    hold = specialist.work if assignment.kind == "task" else manager.decide
    try:
        with serving(registry, assignment.role, assignment.mcp):
            return hold(assignment, attempt, context, registry)
    finally:
        line.close()
        journal.close()


def _copied_over(line: EngineLine) -> Callable[[int, bytes], None]:
    """What the journal does with a new line first: the engine has to have it."""

    def copy(number: int, content: bytes) -> None:
        reply = line.ask(Recorded.of(number, content))
        if not isinstance(reply, Noted):
            raise EnvironmentBroken(
                f"the engine did not take line {number} of the journal: {reply!r}",
                mend="engine and agents are of different versions; start the run again",
            )

    return copy


def _place(assignment: Assignment) -> tuple[Sandbox, Workspace | manager.NoWorkspace]:
    """Where the attempt works; the manager crew's conversations may come without a tree."""
    place = assignment.workspace
    if assignment.kind != "task" and not place.root.exists():
        return manager.NoSandbox(), manager.NoWorkspace(place.root)
    sandbox = Furnished(
        open_sandbox(assignment.sandbox, allow_unsandboxed=assignment.allow_unsandboxed),
        assignment.lease.env,
        cache=assignment.lease.cache,
    )
    return sandbox, Workspace.open(place.root, place.objects, place.base, sandbox)


def _cancel_when(stop: Stop, sandbox: Sandbox) -> None:
    """End the command now running once a stop is asked for; a signal handler must not block."""
    stop.asked.wait()
    sandbox.cancel_all()
