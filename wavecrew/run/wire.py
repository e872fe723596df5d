"""What the engine and an agent process say to each other.

The engine writes an `Assignment` to a file and starts an agent process with
it. The agent asks for what only the engine may do (gate a tree, reserve
budget, read the board, run an integration) by one JSON object a line over a
Unix socket and gets one line back. Names here are the whole contract between
`wavecrew` and `crews`; neither imports the other's insides.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import Base64Bytes, Field

from wavecrew.gates.model import GateReport
from wavecrew.plan.model import Record, Role, Task
from wavecrew.plan.settings import (
    Check,
    Limits,
    McpServer,
    ModelSettings,
    PolicyRule,
    SandboxSettings,
)


class DependencyResult(Record):
    """What a merged task left for the ones that build on it."""

    id: str
    title: str
    summary: str
    commit: str
    changed: tuple[str, ...] = ()


class Rework(Record):
    """Why a task is tried again, and everything that helps to mend it."""

    kind: Literal["gate", "conflict", "red_integration", "sync", "review", "ended"]
    reason: str
    by: str = "engine"
    log: str = ""
    """Evidence: the failing part of a log, or the conflicting hunks."""
    ours: str = ""
    """What the branch that did not land wanted: its task's title and the agent's own summary."""
    theirs: str = ""
    """What the other side of a conflict wanted: its task's title and summary."""
    earlier: str = ""
    """Commit in the attic with the work of an attempt that ended early."""
    base: str = ""
    """Commit on which both sides of a conflict, or the earlier work, were made."""
    tip: str = ""
    """Commit of the integration branch that the branch conflicts with."""


class WorkspacePlace(Record):
    """Where an attempt's private tree lies on this host; `Workspace.open` takes it."""

    root: Path
    """Folder that holds `tree/`, `git/` and `snap/`."""
    objects: tuple[Path, ...]
    """Object stores mounted read-only."""
    base: str
    """Commit the tree was cut from."""


class Lease(Record):
    """What an attempt has for itself alone."""

    env: dict[str, str] = {}
    """For every command it runs."""
    cache: Path | None = None
    """A folder on this host that its commands may write."""


class Assignment(Record):
    """Everything an agent process needs; written as JSON before it starts."""

    run: str
    kind: Literal["task", "sync", "triage"]
    subject: str
    """Task id, or the sync point's id: with kind and attempt it names the conversation."""
    task: Task | None = None
    """The task to do; for the manager crew, the task whose landing went red (triage)."""
    attempt: int = Field(ge=1)
    role: Role
    roles: tuple[Role, ...] = ()
    """For the manager crew: all its roles."""
    model: ModelSettings
    limits: Limits
    sandbox: SandboxSettings
    allow_unsandboxed: bool = False
    lease: Lease = Lease()
    checks: tuple[Check, ...] = ()
    """The repository's checks of stage `gate`, for `run_checks`."""
    scope: tuple[tuple[str, ...], ...] = ()
    """may_write of role and task: a path must match one glob of each group."""
    policy: tuple[PolicyRule, ...] = ()
    """The repository's rules about tool calls, from wavecrew.toml."""
    mcp: dict[str, McpServer] = {}
    """The servers that the role's `mcp:NAME` tools name."""
    dependencies: tuple[DependencyResult, ...] = ()
    rework: Rework | None = None
    workspace: WorkspacePlace
    journal: Path
    """The attempt journal, append-only JSON lines."""
    copied: bool = False
    """True when each line of the journal goes to the engine first, as `Recorded`."""
    home: Path
    """A private empty folder for whatever CrewAI insists on writing."""
    socket: Path
    deadline_s: float
    """Seconds the attempt may take in all."""
    brief: str = ""
    """For the manager crew: what happened, the evidence, the branches concerned."""

    @property
    def conversation(self) -> str:
        """`task/1.1/2`: the kind, the task or sync point, the attempt or round."""
        return f"{self.kind}/{self.subject}/{self.attempt}"


class Submit(Record):
    """The agent says it is done. Reply: `Gated`."""

    ask: Literal["submit"] = "submit"
    tree: str
    pack: Path
    """Pack of the objects the base does not have, as the sandboxed git wrote it."""
    summary: str
    submission: int


class Gated(Record):
    report: GateReport
    accepted: bool
    attempts_left: int


class Reserve(Record):
    """Before each try of a model call. Reply: `Granted`."""

    ask: Literal["reserve"] = "reserve"
    prompt: int
    """Upper estimates, in tokens, of the prompt ..."""
    answer: int
    """... and of the answer."""


class Granted(Record):
    granted: bool
    reason: str = ""
    """Why it will not be granted; empty while it may be."""
    wait_s: float = 0.0
    """Granted: sleep this long, then call. Not granted and no reason: ask again after that."""


class Settle(Record):
    """After a try of a model call: what came of it. Reply: `Noted`."""

    ask: Literal["settle"] = "settle"
    prompt: int = 0
    """Tokens of the prompt; all zero: there was no answer, and the reservation is given back."""
    answer: int = 0
    cached: int = 0
    trouble: Literal["", "busy", "failed"] = ""
    """busy: 429. failed: 5xx, a time-out, a lost connection."""
    why: str = ""
    """The trouble in a few words."""
    retry_after_s: float = 0.0
    """What the provider asks to wait; 0: it does not say."""
    took_s: float = 0.0
    """How long the try took; of troubled ones it is given back to the attempt."""


class Step(Record):
    """Progress, one per model call and tool call. Reply: `Noted`."""

    ask: Literal["step"] = "step"
    step: int
    what: str
    brief: str
    tokens: int = 0
    prompt: int = 0
    """Of `tokens`, for the price; `cached` are among them."""
    answer: int = 0
    cached: int = 0
    tries: int = 0
    """HTTP requests that a model call took."""


class Recorded(Record):
    """A line of a journal that is copied, before the file has it.

    Reply: `Noted`, when whoever goes on with the attempt elsewhere will find it. There is
    no reply when that cannot be: the engine stops, and the agent with it.
    """

    ask: Literal["recorded"] = "recorded"
    number: int = Field(ge=1)
    line: Base64Bytes
    """With its newline. A journal may hold what no JSON text can."""

    @classmethod
    def of(cls, number: int, line: bytes) -> Recorded:
        return cls(number=number, line=base64.b64encode(line))


class Noted(Record):
    pass


class BoardRead(Record):
    """Reply: `BoardText`."""

    ask: Literal["board"] = "board"


class BoardText(Record):
    text: str


class BoardNote(Record):
    """A line for the scratchpad. Reply: `Noted`."""

    ask: Literal["note"] = "note"
    note: int
    text: str


class ContractRead(Record):
    """What a merged task provides. Reply: `BoardText`; an unknown or unmerged task is told so."""

    ask: Literal["contract"] = "contract"
    task: str


class Integrate(Record):
    """Manager crew: run the integration checks again at the tree in question. Reply: `Gated`."""

    ask: Literal["integrate"] = "integrate"


class BranchDiff(Record):
    """Manager crew: what a task's branch changes. Reply: `BoardText`."""

    ask: Literal["branch_diff"] = "branch_diff"
    task: str


class CrewReport(Record):
    """Manager crew: its report. `send_back` names the task that must mend what is red;
    `raise_to_human` asks for a person. The engine enforces the evidence. Reply: `Noted`."""

    ask: Literal["report"] = "report"
    summary: str
    send_back: str = ""
    reason: str = ""
    raise_to_human: bool = False


class Refused(Record):
    """The engine's answer to a request it will not serve; the agent reads `why`."""

    why: str


Request = (
    Submit
    | Reserve
    | Settle
    | Step
    | Recorded
    | BoardRead
    | BoardNote
    | ContractRead
    | Integrate
    | BranchDiff
    | CrewReport
)
Reply = Gated | Granted | Noted | BoardText | Refused

REQUESTS: dict[str, type[Request]] = {
    "submit": Submit,
    "reserve": Reserve,
    "settle": Settle,
    "step": Step,
    "recorded": Recorded,
    "board": BoardRead,
    "note": BoardNote,
    "contract": ContractRead,
    "integrate": Integrate,
    "branch_diff": BranchDiff,
    "report": CrewReport,
}
REPLIES: dict[str, type[Reply]] = {
    cls.__name__: cls for cls in (Gated, Granted, Noted, BoardText, Refused)
}


@contextlib.contextmanager
def address(path: Path) -> Iterator[str]:
    """A socket's path as bind and connect take it: those 108 bytes are short, a TMPDIR may be long.

    Holds as long as the block lasts, in this process alone.
    """
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


class EngineLine:
    """The agent's end of the line: one request at a time, blocking."""

    def __init__(self, path: Path, *, timeout_s: float) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout_s)
        with address(path) as named:
            self._socket.connect(named)
        self._file = self._socket.makefile("rwb")

    def ask(self, request: Request) -> Reply:
        """Send one request and wait for its reply. ConnectionError when the engine is gone."""
        self._file.write(request.model_dump_json().encode() + b"\n")
        self._file.flush()
        line = self._file.readline()
        if not line:
            raise ConnectionError("the engine closed the line")
        reply: dict[str, Any] = json.loads(line)
        return REPLIES[reply.pop("reply")].model_validate(reply)

    def close(self) -> None:
        with self._socket, contextlib.suppress(OSError):
            self._file.close()


def encode_reply(reply: Reply) -> bytes:
    """One line, tagged with the reply's name."""
    return (
        json.dumps({"reply": type(reply).__name__} | reply.model_dump(mode="json")).encode() + b"\n"
    )


def decode_request(line: bytes) -> Request:
    """ValueError (pydantic's) or KeyError when it is none of `REQUESTS`."""
    data = json.loads(line)
    return REQUESTS[data["ask"]].model_validate(data)
