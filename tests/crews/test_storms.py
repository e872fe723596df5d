"""A provider in trouble: nothing fails that would succeed later, and the calls are counted.

Ten agents in threads, each with the real model door over real HTTP to a server
on loopback that misbehaves; the engine's own desk, purse and log answer them.
Time is simulated: it jumps on as soon as everyone sleeps.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from crews.attempt import Attempt, Stop
from crews.chat_model import ChatModel
from crews.endings import Ending
from wavecrew.budget.prices import Prices
from wavecrew.budget.purse import Purse
from wavecrew.budget.traffic import Pace
from wavecrew.errors import ModelUnreachable
from wavecrew.journal import events as e
from wavecrew.journal.attempt import AttemptJournal
from wavecrew.journal.log import SqliteEventLog
from wavecrew.journal.state import RunState, apply
from wavecrew.plan.settings import Budget, ModelSettings
from wavecrew.run.desk import Desk
from wavecrew.run.stop import Stop as RunStop
from wavecrew.run.wire import Reply, Request

AGENTS, CALLS = 10, 3
TEN_MINUTES = 600.0
START = 1_000_000.0


class SimulatedTime:
    """Sleeping threads wake in order of their time, once nobody is left awake."""

    def __init__(self) -> None:
        self.now = START
        self.awake = 0
        self.on_time: Callable[[float], None] = lambda now: None
        self._until: list[float] = []
        self._turn = threading.Condition()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self._turn:
            until = self.now + seconds
            self._until.append(until)
            self._rest()
            self._turn.wait_for(lambda: self.now >= until)
            self._until.remove(until)
            self.awake += 1

    def leave(self) -> None:
        with self._turn:
            self._rest()

    def _rest(self) -> None:
        self.awake -= 1
        if self.awake == 0 and self._until:
            self.now = max(self.now, min(self._until))
            self.on_time(self.now)
            self._turn.notify_all()


@dataclass
class Provider:
    """What the server does with a request, by the simulated time since the start."""

    mood: Callable[[float], str] = lambda now: "ok"
    headers: dict[str, str] = field(default_factory=dict)
    requests: int = 0
    at_once: int = 0
    most_at_once: int = 0
    port: int = 0
    listen: Callable[[], None] = lambda: None


@pytest.fixture
def clock() -> SimulatedTime:
    return SimulatedTime()


@pytest.fixture
def provider(clock: SimulatedTime) -> Iterator[Provider]:
    with serving(clock) as one:
        one.listen()
        yield one


@pytest.fixture
def absent(clock: SimulatedTime) -> Iterator[Provider]:
    """Its port is taken, and nobody listens there until `listen` is called."""
    with serving(clock) as one:
        yield one


@contextmanager
def serving(clock: SimulatedTime) -> Iterator[Provider]:
    one = Provider()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            with lock:
                one.requests += 1
                one.at_once += 1
                one.most_at_once = max(one.most_at_once, one.at_once)
            try:
                self._answer(one.mood(clock.now - START))
            finally:
                with lock:
                    one.at_once -= 1

        def _answer(self, mood: str) -> None:
            if mood == "reset":
                return
            if mood == "hang":
                threading.Event().wait(0.5)
                return
            status = 200 if mood == "ok" else int(mood)
            body = ANSWER if mood == "ok" else {"error": {"message": mood}}
            data = json.dumps(body).encode()
            self.send_response(status)
            for name, value in (one.headers if status != 200 else {}).items():
                self.send_header(name, value)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
    server.request_queue_size = 10 * AGENTS  # none is turned away before it is heard
    server.server_bind()
    one.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))

    def listen() -> None:
        if not thread.is_alive():
            server.server_activate()
            thread.start()

    one.listen = listen
    yield one
    if thread.is_alive():
        server.shutdown()
        thread.join()
    server.server_close()


CALL = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
ANSWER = {
    "id": "x",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": None, "tool_calls": [CALL]},
            "finish_reason": "tool_calls",
        }
    ],
    "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
}


class Storm:
    """Ten agents on one endpoint, and the engine's side of them."""

    def __init__(self, folder: Path, clock: SimulatedTime, port: int, **model: Any) -> None:
        self.folder, self.clock = folder, clock
        given = {"name": "m", "base_url": f"http://127.0.0.1:{port}/v1", "timeout_s": 10} | model
        self.settings = ModelSettings(**given)
        self.state = RunState()
        self.log = SqliteEventLog(folder / "events.db", "r1")
        self.log.on_append = lambda event: apply(self.state, event)
        self.stop = RunStop()
        self.purse = Purse(
            Budget(),
            pace=Pace.of(self.settings, AGENTS),
            prices=Prices(self.settings),
            clock=clock,
            dice=random.Random(4).random,
        )
        self.paused_s = -1.0
        """When the engine asked for a stop; -1: never."""
        self.answers = 0
        self.endings: list[str] = []

    def blow(self) -> None:
        """Every agent makes its calls, however long it takes in simulated time."""
        threads = [threading.Thread(target=self._agent, args=(n,)) for n in range(AGENTS)]
        self.clock.awake = len(threads)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(50)
        assert not any(thread.is_alive() for thread in threads)
        self.log.close()

    @property
    def took_s(self) -> float:
        return self.clock.now - START

    @property
    def changes(self) -> list[e.ProviderChanged]:
        log = SqliteEventLog(self.folder / "events.db", "r1", read_only=True)
        try:
            facts = [event.fact for event in log.read()]
        finally:
            log.close()
        return [fact for fact in facts if isinstance(fact, e.ProviderChanged)]

    @property
    def tries(self) -> int:
        return self.purse._ledger.change(["provider"], lambda rows: rows["provider"]["tries"])

    def _agent(self, number: int) -> None:
        parts: Any = SimpleNamespace(purse=self.purse, log=self.log, stop=self.stop)
        task = f"t{number}"
        desk = Desk(parts, task, 1, session=f"{task}/1", nodes=("run", f"task/{task}"), model="m")
        line: Any = SimpleNamespace()
        journal = AttemptJournal.open(self.folder / f"{number}.jsonl")
        attempt = Attempt(
            line=line, journal=journal, workspace=SimpleNamespace(), stop=Stop(self.clock.sleep)
        )
        line.ask = lambda request: self._answer(desk, attempt, request)
        model = ChatModel.open(self.settings, attempt)
        try:
            messages = [{"role": "user", "content": "go"}]
            for _ in range(CALLS):
                messages.append(model.answer(messages, []).as_message())
                self.answers += 1
        except Ending as ending:
            self.endings.append(str(ending))
        finally:
            model.close()
            journal.close()
            self.clock.leave()

    def _answer(self, desk: Desk, attempt: Attempt, request: Request) -> Reply:
        """The desk's answer; an engine that stops tells its agents so by a signal."""
        reply = desk.answer(request)
        if self.stop.requested.is_set():
            self.paused_s = self.took_s if self.paused_s < 0 else self.paused_s
            attempt.stop.asked.set()
        return reply


def until(seconds: float, mood: str) -> Callable[[float], str]:
    return lambda now: mood if now < seconds else "ok"


@pytest.mark.parametrize(
    ("mood", "most"),
    [("429", 100), ("500", 100), ("503", 100), ("reset", 100), ("hang", 100)],
)
def test_ten_minutes_of_trouble_fail_nothing_and_cost_few_calls(
    tmp_path, clock, provider, mood, most
):
    provider.mood = until(TEN_MINUTES, mood)
    timeout_s = 0.15 if mood == "hang" else 10
    storm = Storm(tmp_path, clock, provider.port, timeout_s=timeout_s)
    storm.blow()
    wasted = storm.tries - AGENTS * CALLS
    print(f"{mood}: {storm.tries} HTTP calls for {storm.answers} answers in {storm.took_s:.0f} s")
    assert (storm.answers, storm.endings) == (AGENTS * CALLS, [])
    assert TEN_MINUTES <= storm.took_s < TEN_MINUTES + 120
    for _ in range(1000):  # what was given up before a busy server read it is still in its socket
        if provider.requests >= storm.tries:
            break
        time.sleep(0.01)
    assert provider.requests == storm.tries
    assert wasted <= most
    assert any(change.is_down for change in storm.changes)
    assert not storm.changes[-1].is_down
    assert storm.state.model_calls == AGENTS * CALLS


def test_an_endpoint_that_is_dead_for_ten_minutes_is_probed_by_one_call_at_a_time(
    tmp_path, clock, absent
):
    """Nothing listens on the port for ten minutes."""
    clock.on_time = lambda now: absent.listen() if now - START >= TEN_MINUTES else None
    storm = Storm(tmp_path, clock, absent.port)
    storm.blow()
    print(f"dead: {storm.tries} HTTP calls for {storm.answers} answers in {storm.took_s:.0f} s")
    assert (storm.answers, storm.endings) == (AGENTS * CALLS, [])
    assert absent.requests == AGENTS * CALLS
    assert storm.tries - absent.requests <= 100
    assert "cannot be reached" in storm.changes[0].why
    assert any(change.is_down for change in storm.changes)
    assert not storm.changes[-1].is_down


def test_an_endpoint_that_stays_dead_pauses_the_run_after_our_patience(tmp_path, clock, absent):
    storm = Storm(tmp_path, clock, absent.port, patience_minutes=30)
    storm.blow()
    print(f"dead for good: {storm.tries} HTTP calls in {storm.paused_s:.0f} s")
    assert storm.answers == 0
    assert isinstance(storm.stop.error, ModelUnreachable)
    assert "did not serve a call for 30 minutes" in str(storm.stop.error)
    assert 29 * 60 <= storm.paused_s < 33 * 60
    assert storm.tries <= 160


def test_a_retry_after_is_waited_for_in_full_by_everybody(tmp_path, clock, provider):
    provider.mood = until(45, "429")
    provider.headers = {"retry-after": "45"}
    storm = Storm(tmp_path, clock, provider.port)
    storm.blow()
    assert storm.answers == AGENTS * CALLS
    assert provider.requests <= AGENTS * CALLS + AGENTS
    assert storm.changes[0].next_at


def test_a_provider_that_takes_three_at_once_is_not_sent_ten_for_long(tmp_path, clock, provider):
    """Every third request is refused: the run slows down and comes to its end."""
    provider.mood = lambda now: "429" if provider.requests % 3 == 0 else "ok"
    storm = Storm(tmp_path, clock, provider.port)
    storm.blow()
    assert (storm.answers, storm.endings) == (AGENTS * CALLS, [])
    assert provider.requests <= 2 * AGENTS * CALLS
    numbers = sorted(change.change for change in storm.changes)
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_retry_after_beyond_our_patience_pauses_at_once(tmp_path, clock, provider):
    provider.mood = until(1e9, "429")
    provider.headers = {"retry-after": "86400"}
    storm = Storm(tmp_path, clock, provider.port)
    storm.blow()
    assert 0 <= storm.paused_s < 60
    assert "asks to wait" in str(storm.stop.error)
