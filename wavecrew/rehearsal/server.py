"""The scripted model as an OpenAI-compatible server on loopback: HTTP in, scripted turns out.

It answers `POST /v1/chat/completions`, plain and streamed, and
`GET /v1/models`. A request the script does not foresee is refused with 422,
because OpenAI's client asks again after 408, 409, 429 and 5xx, and no second
asking makes a script fit.
"""

from __future__ import annotations

import json
import math
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from wavecrew.rehearsal.answer import Json, chunks, completion, error, mismatch_error
from wavecrew.rehearsal.match import Matched, Mismatch, match
from wavecrew.rehearsal.script import Fault, Rehearsal, load
from wavecrew.rehearsal.transport import JsonHandler, LoopbackServer, Refusal

MISMATCH = 422


@dataclass(frozen=True, slots=True)
class Served:
    """One answer, or one refusal, of the server."""

    conversation: str
    attempt: int
    turn: int
    outcome: str
    """`answered`, `mismatch`, an HTTP status of a fault, `hang` or `reset`."""


class RunningRehearsal:
    """A rehearsal that is being served. A context manager; `close` may be called twice."""

    def __init__(self, rehearsal: Rehearsal, port: int = 0) -> None:
        self.rehearsal = rehearsal
        self._lock = threading.Lock()
        self._log: list[Served] = []
        self._failed: dict[tuple[str, int, int], int] = {}
        self.closing = threading.Event()
        handler = type("_Bound", (_Handler,), {"running": self})
        self._server = LoopbackServer(port, handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="rehearsal", daemon=True
        )
        self._thread.start()

    @property
    def base_url(self) -> str:
        """What a client is given as its base URL, `/v1` included."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    @property
    def model(self) -> str:
        return self.rehearsal.model

    @property
    def log(self) -> tuple[Served, ...]:
        """What was served so far, in order."""
        with self._lock:
            return tuple(self._log)

    def close(self) -> None:
        """Stop answering and end every connection, hanging ones too."""
        if self.closing.is_set():
            return
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.close()

    def note(self, matched: Matched | Mismatch, outcome: str) -> None:
        """Add a line to the log."""
        turn = matched.number if isinstance(matched, Matched) else matched.turn
        with self._lock:
            self._log.append(Served(matched.conversation, matched.attempt, turn, outcome))

    def next_fault(self, matched: Matched) -> Fault | None:
        """The fault this request meets, which is then spent; None when the turn is given."""
        fault, key = matched.turn.fault, (matched.conversation, matched.attempt, matched.number)
        with self._lock:
            if fault is None or self._failed.get(key, 0) >= fault.times:
                return None
            self._failed[key] = self._failed.get(key, 0) + 1
            return fault

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def serve(folder: Path, port: int = 0) -> RunningRehearsal:
    """Serve the rehearsal in `folder` on 127.0.0.1; port 0 lets the system choose.

    PlanError when the folder is wrong, OSError when the port is taken.
    """
    return RunningRehearsal(load(folder), port)


class _Handler(JsonHandler):
    routes: ClassVar = {"/v1/chat/completions": "POST", "/v1/models": "GET"}
    running: ClassVar[RunningRehearsal]

    def handle_route(self, path: str, body: bytes) -> None:
        if path == "/v1/models":
            model = {"id": self.running.model, "object": "model", "created": 0}
            entry = model | {"owned_by": "wavecrew-rehearsal"}
            self.send(200, {"object": "list", "data": [entry]})
        else:
            self._chat(_request(body, self.running.model))

    def _chat(self, request: Json) -> None:
        running = self.running
        found = match(running.rehearsal, request["messages"])
        if isinstance(found, Mismatch):
            running.note(found, "mismatch")
            raise Refusal(MISMATCH, mismatch_error(found))
        if fault := running.next_fault(found):
            self._fail(found, fault)
            return
        own = found.turn.latency_s
        running.closing.wait(running.rehearsal.latency_s if own is None else own)
        running.note(found, "answered")
        now = int(time.time())
        if request.get("stream"):
            self.send_stream(chunks(found, request, now))
        else:
            self.send(200, completion(found, request, now))

    def _fail(self, found: Matched, fault: Fault) -> None:
        if fault.status:
            self.running.note(found, str(fault.status))
            raise Refusal(fault.status, _status_error(fault.status), _retry_after(fault))
        self.running.note(found, "reset" if fault.reset else "hang")
        self.running.closing.wait(fault.hang_s)
        self.hang_up(reset=fault.reset)


def _request(body: bytes, model: str) -> Json:
    """The request as far as this server reads it. Refusal for what OpenAI would refuse too."""
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as wrong:
        raise Refusal(400, error("We could not parse the JSON body of your request.")) from wrong
    if not isinstance(request, dict):
        raise Refusal(400, error("the body must be a JSON object"))
    if request.get("model") != model:
        what = f"The model {request.get('model')!r} does not exist; this rehearsal plays {model!r}"
        raise Refusal(404, error(what, code="model_not_found"))
    messages = request.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Refusal(400, error("'messages' must be a list that is not empty"))
    if not all(isinstance(m, dict) and isinstance(m.get("role"), str) for m in messages):
        raise Refusal(400, error("every message must be an object with a role"))
    if request.get("n") not in (None, 1):
        raise Refusal(400, error("'n' must be 1: a script has one answer"))
    return request


def _status_error(status: int) -> Json:
    if status == 429:
        return error("Rate limit reached (scripted).", "rate_limit_error", "rate_limit_exceeded")
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return error(f"Status {status} (scripted).", kind)


def _retry_after(fault: Fault) -> dict[str, str]:
    """Both headers that OpenAI's client reads; the standard one knows whole seconds only."""
    if fault.retry_after_s is None:
        return {}
    whole = str(math.ceil(fault.retry_after_s))
    return {"Retry-After": whole, "retry-after-ms": f"{fault.retry_after_s * 1000:g}"}
