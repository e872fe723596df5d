"""How do many agent processes share one import of CrewAI?

`python -P -m crews.host` imports once, then forks a child per attempt on
request: seconds of import and most of the memory are paid once. One thread, so
that a fork is always safe. Requests and reports are JSON lines:

    stdin   {"start": "<assignment.json>", "id": "..."}   {"stop": id}   {"kill": id}
    stdout  {"ready": true, ...}   {"started": id, "pid": n}
            {"ended": id, "status": <Outcome, with "signal" when it was killed>}
            {"error": "...", "id": id}

stop: SIGTERM, the child parks itself. kill: SIGKILL, the journal can still be
taken up again. A child that outlives its deadline by `GRACE_S`, or a stop by
that much, is killed. When stdin ends, or the engine is gone, all children are killed
and the host ends.
"""

from __future__ import annotations

import gc
import json
import os
import select
import selectors
import signal
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from crews import quiet
from crews.endings import Outcome, OutcomeName
from wavecrew.run.wire import Assignment

GRACE_S = 30.0
"""How long a child may take to park: it ends a command and takes a snapshot."""
WATCH_S = 1.0
"""How often the engine is looked for, should stdin stay open behind its back."""


@dataclass
class Child:
    id: str
    pid: int
    pidfd: int
    folder: Path
    kill_at: float
    """Monotonic time after which it is killed."""
    stopped: bool = False
    killed: bool = False
    """By the host, and why: on request, or because it was overdue."""
    overdue: bool = False


class Host:
    """Forks children, waits for them, and tells what became of them. Single-threaded."""

    def __init__(self, grace_s: float = GRACE_S) -> None:
        self._grace_s = grace_s
        self._children: dict[str, Child] = {}
        self._selector = selectors.DefaultSelector()
        self._engine = os.getppid()
        self._input = b""

    def serve(self) -> None:
        """Until stdin ends; then every child is killed."""
        self._selector.register(0, selectors.EVENT_READ)
        try:
            while self._hears():
                self._kill_overdue()
        finally:
            for child in self._children.values():
                _signal_group(child, signal.SIGKILL)

    def _hears(self) -> bool:
        for key, _ in self._selector.select(WATCH_S):
            if key.fd == 0:
                data = os.read(0, 65536)
                if not data:
                    return False
                self._take(data)
            else:
                self._bury(key.data)
        return os.getppid() == self._engine

    def _take(self, data: bytes) -> None:
        *lines, self._input = (self._input + data).split(b"\n")
        for line in lines:
            request: Any = None
            try:
                request = json.loads(line)
                self._obey(request)
            except (ValueError, KeyError, TypeError, OSError) as error:
                name = request.get("id") if isinstance(request, dict) else None
                _say({"error": f"{type(error).__name__}: {error}", "id": name})

    def _obey(self, request: dict[str, Any]) -> None:
        if "start" in request:
            self._start(str(request["id"]), Path(request["start"]))
        elif "stop" in request:
            child = self._children[request["stop"]]
            child.stopped = True
            child.kill_at = min(child.kill_at, time.monotonic() + self._grace_s)
            _signal_group(child, signal.SIGTERM)
        else:
            child = self._children[request["kill"]]
            child.killed = True
            _signal_group(child, signal.SIGKILL)

    def _start(self, id: str, path: Path) -> None:
        from crews import child as process

        if id in self._children:
            raise ValueError(f"{id!r} is running already")
        assignment = Assignment.model_validate_json(path.read_bytes())
        folder = assignment.journal.parent
        (folder / "outcome.json").unlink(missing_ok=True)
        host = os.getpid()
        # A stop that comes before the child's own handlers must wait for them.
        signal.pthread_sigmask(signal.SIG_BLOCK, process.HEEDED)
        pid = os.fork()
        if pid == 0:
            process.run(assignment, host)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, process.HEEDED)
        with suppress(PermissionError, ProcessLookupError):
            os.setpgid(pid, pid)  # the child does it too; whoever comes first
        pidfd = os.pidfd_open(pid)
        kill_at = time.monotonic() + assignment.deadline_s + self._grace_s
        child = Child(id, pid, pidfd, folder, kill_at)
        self._children[id] = child
        self._selector.register(pidfd, selectors.EVENT_READ, child)
        _say({"started": id, "pid": pid})

    def _kill_overdue(self) -> None:
        now = time.monotonic()
        for child in self._children.values():
            if now > child.kill_at and not child.killed:
                child.killed = child.overdue = True
                _signal_group(child, signal.SIGKILL)

    def _bury(self, child: Child) -> None:
        self._selector.unregister(child.pidfd)
        os.close(child.pidfd)
        _signal_group(child, signal.SIGKILL)  # whatever it left behind in its group
        _, status = os.waitpid(child.pid, 0)
        del self._children[child.id]
        _say({"ended": child.id, "status": _status(child, status)})


def _status(child: Child, status: int) -> dict[str, Any]:
    """The child's own outcome, or one written for it: `outcome.json` exists either way."""
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    file = child.folder / "outcome.json"
    try:
        outcome = Outcome.model_validate_json(file.read_bytes())
    except (OSError, ValueError):
        outcome = _outcome_of(child, status, number)
        with suppress(OSError):  # a full disk: the engine knows it by the missing file
            outcome.write(child.folder)
    return outcome.model_dump() | {"signal": number}


def _outcome_of(child: Child, status: int, number: int) -> Outcome:
    """For a child that left none. An overdue one can be taken up again from its journal."""
    if child.overdue:
        name: OutcomeName = "parked" if child.stopped else "out_of_time"
        return Outcome(outcome=name, detail="did not stop by itself and was killed")
    if child.killed:
        return Outcome(outcome="crashed", detail="killed on request")
    from crews.child import GO_ON

    code = os.waitstatus_to_exitcode(status)
    again = number != 0 or code == GO_ON
    how = f"by signal {number}" if number else f"with status {code}"
    detail = f"the process ended {how}; see {child.folder / 'log'}"
    return Outcome(outcome="lost" if again else "crashed", detail=detail)


def _signal_group(child: Child, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


def _say(report: dict[str, Any]) -> None:
    os.write(1, json.dumps(report).encode() + b"\n")


def _leave(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def _leave_when_hung_up(_signal: int, _frame: FrameType | None) -> None:
    """The engine went away while CrewAI was still being imported."""
    stdin = select.poll()
    stdin.register(0, select.POLLHUP)
    if any(found & select.POLLHUP for _, found in stdin.poll(0)):
        os._exit(1)


def main() -> None:
    """The host's process. HOME is its own from the start: CrewAI writes there at import."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the engine's to understand
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGALRM, _leave_when_hung_up)
    signal.setitimer(signal.ITIMER_REAL, WATCH_S, WATCH_S)  # importing takes long; nobody may wait
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="wavecrew-host-") as home:
        quiet.prepare(Path(home))
        import crews.child
        import crews.warm

        crews.warm.warm_up(Path(home))
        gc.collect()
        gc.freeze()  # what is shared with the children is never walked, so never copied
        threads = len(os.listdir("/proc/self/task")) if sys.platform == "linux" else 1
        signal.setitimer(signal.ITIMER_REAL, 0)  # from here on `serve` looks
        _say({"ready": True, "import_s": round(time.monotonic() - began, 2), "threads": threads})
        Host().serve()


if __name__ == "__main__":
    main()
