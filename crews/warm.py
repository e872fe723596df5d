"""What should the host have loaded before it forks, so that no child pays for it?

Importing is not enough: CrewAI and the OpenAI client import some hundred
modules and build their validators on first use, 40 MB in each child. So one
whole conversation is held in the host, with a forked server that gives one
answer and an engine that agrees to everything. No thread is started.
"""

from __future__ import annotations

import json
import os
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, NoReturn

from crews import provider
from crews.attempt import Attempt
from crews.conversation import hold
from crews.endings import Outcome
from crews.manager import NoSandbox, NoWorkspace
from crews.tool_adapter import default_registry
from tools.context import ToolContext
from tools.output import Outputs
from wavecrew.errors import EnvironmentBroken
from wavecrew.journal.attempt import AttemptJournal
from wavecrew.plan.settings import Limits, ModelSettings, SandboxSettings
from wavecrew.run.bond import die_with
from wavecrew.run.wire import (
    Assignment,
    Granted,
    Noted,
    Reply,
    Request,
    Reserve,
    Settle,
    WorkspacePlace,
)

MOST_TRIES = 3
_REPORT = {"name": "report", "arguments": json.dumps({"summary": "warm"})}
_MESSAGE = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "c", "type": "function", "function": _REPORT}],
}
_ANSWER = {
    "id": "warm",
    "object": "chat.completion",
    "created": 0,
    "model": "warm",
    "choices": [{"index": 0, "message": _MESSAGE, "finish_reason": "tool_calls"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


def warm_up(home: Path) -> None:
    """Hold one conversation with nobody; what it writes is below `home`.

    EnvironmentBroken when it does not end as it must: then no attempt would.
    """
    provider.certificates()
    outcome, served = _tried(home)
    for _ in range(MOST_TRIES - 1):
        if outcome.outcome == "passed" or served:
            break
        outcome, served = _tried(home)
    if outcome.outcome != "passed":
        raise EnvironmentBroken(
            f"a conversation with nobody ended as {outcome.outcome!r}: {outcome.detail}",
            mend="the installed CrewAI or langchain-openai is not the pinned one; sync the lock",
        )


def _tried(home: Path) -> tuple[Outcome, bool]:
    """How the conversation ended, and whether its server lived to its own end."""
    (home / "journal.jsonl").unlink(missing_ok=True)
    with HTTPServer(("127.0.0.1", 0), _OneAnswer) as server:
        server.timeout = 30
        host = os.getpid()
        pid = os.fork()
        if pid == 0:
            die_with(host)
            _serve_one(server)
        server.socket.close()  # else one that was killed would be waited for, not refused
        outcome = _converse(home, server.server_address[1])
    return outcome, os.waitpid(pid, 0)[1] == 0


def _converse(home: Path, port: int) -> Outcome:
    assignment = _assignment(home, port)
    journal = AttemptJournal.open(assignment.journal)
    attempt = Attempt(line=_Agreeable(), journal=journal, workspace=NoWorkspace(home))
    context = ToolContext(
        assignment=assignment,
        workspace=NoWorkspace(home),
        sandbox=NoSandbox(),
        line=attempt,
        outputs=Outputs(home / "outputs", assignment.limits.output_kb),
    )
    try:
        return hold(assignment, attempt, context, default_registry())
    finally:
        journal.close()


def _assignment(home: Path, port: int) -> Assignment:
    role = {
        "name": "warm",
        "role": "Nobody",
        "goal": "None",
        "backstory": "None.",
        "archetype": "integration",
        "tools": ("read_board", "report"),
        "manager": True,
    }
    return Assignment.model_validate(
        {
            "run": "warm",
            "kind": "sync",
            "subject": "warm",
            "attempt": 1,
            "role": role,
            "model": ModelSettings(name="warm", base_url=f"http://127.0.0.1:{port}", retries=0),
            "limits": Limits(),
            "sandbox": SandboxSettings(),
            "workspace": WorkspacePlace(root=home, objects=(), base=""),
            "journal": home / "journal.jsonl",
            "home": home,
            "socket": home / "socket",
            "deadline_s": 30,
        }
    )


def _serve_one(server: HTTPServer) -> NoReturn:
    try:
        server.handle_request()
    finally:
        os._exit(0)


class _OneAnswer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        data = json.dumps(_ANSWER).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged."""


class _Agreeable:
    """An engine that notes everything and grants everything, but no second try: whether a call
    is tried again is the engine's to say, and a server that was killed does not come back."""

    def __init__(self) -> None:
        self._trouble = ""

    def ask(self, request: Request) -> Reply:
        if isinstance(request, Settle):
            self._trouble = request.why
        if not isinstance(request, Reserve):
            return Noted()
        if self._trouble:
            return Granted(granted=False, reason=f"its server is gone: {self._trouble}")
        return Granted(granted=True)
