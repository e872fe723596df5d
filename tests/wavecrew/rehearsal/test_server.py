"""The rehearsal over real HTTP, as OpenAI's own client and a hostile one meet it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import openai
import pytest

from wavecrew.errors import PlanError
from wavecrew.rehearsal import transport
from wavecrew.rehearsal.server import MISMATCH, RunningRehearsal, Served, serve

SCRIPT = """\
conversation: task/1.1
attempts:
  1:
    - say: I read first. Ünïcode too.
      calls:
        - tool: read_file
          args: {path: a.py}
        - tool: list_files
          args: {path: .}
    - expect: [alpha]
      fault: {status: 429, retry_after_s: 0.01, times: 2}
      say: done
    - say: cut of
      finish_reason: length
  2:
    - {say: back, fault: {reset: true}}
    - {say: at last, fault: {hang_s: 30}}
    - {say: well, fault: {status: 503}}
    - calls: [{tool: edit_file, raw_arguments: '{"path": '}]
"""
OPENING = {"role": "user", "content": "Conversation: task/1.1/1\nGo."}


@pytest.fixture
def running(make_folder):
    with serve(make_folder({"t.yaml": SCRIPT})) as running:
        yield running


@pytest.fixture
def client(running):
    with openai.OpenAI(base_url=running.base_url, api_key="any", max_retries=0) as client:
        yield client


@pytest.fixture
def http(running):
    with httpx.Client(base_url=running.base_url, timeout=10) as http:
        yield http


def history(answers: int, result: str = "alpha", attempt: int = 1) -> list[dict[str, object]]:
    opening = {"role": "user", "content": f"Conversation: task/1.1/{attempt}\nGo."}
    pair = [
        {"role": "assistant", "content": "I ask."},
        {"role": "user", "content": result},
    ]
    return [opening, *(pair * answers)]


def test_openai_s_client_reads_text_calls_and_usage(client, running):
    tools = [{"type": "function", "function": {"name": "read_file", "parameters": {}}}]
    answer = client.chat.completions.create(model=running.model, messages=[OPENING], tools=tools)
    choice = answer.choices[0]
    assert answer.object == "chat.completion"
    assert answer.model == "tiny-rehearsal"
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content == "I read first. Ünïcode too."
    assert [
        (c.id, c.type, c.function.name, c.function.arguments) for c in choice.message.tool_calls
    ] == [
        ("call_task-1.1_1_1_1", "function", "read_file", '{"path": "a.py"}'),
        ("call_task-1.1_1_1_2", "function", "list_files", '{"path": "."}'),
    ]
    assert answer.usage.completion_tokens == 19  # 74 characters of text, names and arguments
    assert answer.usage.prompt_tokens > 25
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 19


def test_a_stream_says_the_same_as_a_plain_answer(client, running):
    plain = client.chat.completions.create(model=running.model, messages=[OPENING])
    stream = client.chat.completions.create(
        model=running.model,
        messages=[OPENING],
        stream=True,
        stream_options={"include_usage": True},
    )
    text, calls, reasons, usages = "", {}, [], []
    for chunk in stream:
        assert chunk.id == plain.id
        usages.append(chunk.usage)
        for choice in chunk.choices:
            text += choice.delta.content or ""
            if choice.finish_reason:
                reasons.append(choice.finish_reason)
            for delta in choice.delta.tool_calls or []:
                call = calls.setdefault(delta.index, {"id": delta.id, "name": "", "arguments": ""})
                call["name"] += delta.function.name or ""
                call["arguments"] += delta.function.arguments or ""
    message = plain.choices[0].message
    assert text == message.content
    assert list(calls.values()) == [
        {"id": c.id, "name": c.function.name, "arguments": c.function.arguments}
        for c in message.tool_calls
    ]
    assert reasons == ["tool_calls"]
    assert usages[-1] == plain.usage
    assert set(usages[:-1]) == {None}


def test_a_stream_without_the_wish_for_usage_has_none(http, running):
    body = {"model": running.model, "messages": [OPENING], "stream": True}
    answer = http.post("/chat/completions", json=body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    lines = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
    assert lines[-1] == "[DONE]"
    assert all("usage" not in json.loads(line) for line in lines[:-1])


def test_a_retried_call_meets_the_scripted_faults_and_then_its_turn(running):
    with openai.OpenAI(base_url=running.base_url, api_key="any", max_retries=3) as client:
        answer = client.chat.completions.create(model=running.model, messages=history(1))
    assert answer.choices[0].message.content == "done"
    assert [entry.outcome for entry in running.log] == ["429", "429", "answered"]
    assert set(running.log) == {
        Served("task/1.1", 1, 2, "429"),
        Served("task/1.1", 1, 2, "answered"),
    }


def test_a_rate_limit_names_the_wait_in_both_headers(http, running):
    answer = http.post("/chat/completions", json={"model": running.model, "messages": history(1)})
    assert answer.status_code == 429
    assert (answer.headers["retry-after"], answer.headers["retry-after-ms"]) == ("1", "10")
    assert answer.json()["error"]["type"] == "rate_limit_error"


def test_a_server_error_is_one_to_the_client(client, running):
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model=running.model, messages=history(2, attempt=2))
    assert caught.value.status_code == 503


def test_a_reset_and_a_hang_break_the_connection_and_are_spent(client, running):
    with pytest.raises(openai.APIConnectionError):
        client.chat.completions.create(model=running.model, messages=history(0, attempt=2))
    answer = client.chat.completions.create(model=running.model, messages=history(0, attempt=2))
    assert answer.choices[0].message.content == "back"
    with pytest.raises(openai.APITimeoutError):
        client.chat.completions.create(
            model=running.model, messages=history(1, attempt=2), timeout=0.2
        )
    answer = client.chat.completions.create(model=running.model, messages=history(1, attempt=2))
    assert answer.choices[0].message.content == "at last"
    assert [entry.outcome for entry in running.log] == ["reset", "answered", "hang", "answered"]


def test_malformed_arguments_and_a_cut_answer_arrive_as_written(client, running):
    cut = client.chat.completions.create(model=running.model, messages=history(2))
    assert cut.choices[0].finish_reason == "length"
    assert cut.choices[0].message.content == "cut of"
    call = client.chat.completions.create(model=running.model, messages=history(3, attempt=2))
    assert call.choices[0].message.content is None
    assert call.choices[0].message.tool_calls[0].function.arguments == '{"path": '


def test_a_mismatch_is_told_once_and_not_asked_again(running):
    with (
        openai.OpenAI(base_url=running.base_url, api_key="any", max_retries=5) as client,
        pytest.raises(openai.APIStatusError) as caught,
    ):
        client.chat.completions.create(model=running.model, messages=history(1, "beta"))
    assert caught.value.status_code == MISMATCH == 422
    assert caught.value.type == "rehearsal_mismatch"
    body = caught.value.body
    assert isinstance(body, dict)
    assert {name: body[name] for name in ("file", "attempt", "turn", "expected", "seen")} == {
        "file": "t.yaml",
        "attempt": 1,
        "turn": 2,
        "expected": ["alpha"],
        "seen": "beta",
    }
    assert running.log == (Served("task/1.1", 1, 2, "mismatch"),)


def test_openai_s_client_asks_again_after_409_which_is_why_a_mismatch_is_none(make_folder):
    script = "conversation: task/1\nattempts: {1: [{say: x, fault: {status: 409}}]}\n"
    with (
        serve(make_folder({"t.yaml": script})) as running,
        openai.OpenAI(base_url=running.base_url, api_key="any", max_retries=1) as client,
    ):
        opening = {"role": "user", "content": "Conversation: task/1/1"}
        client.chat.completions.create(model=running.model, messages=[opening])
        assert [entry.outcome for entry in running.log] == ["409", "answered"]


def test_the_models_are_listed(client):
    assert [model.id for model in client.models.list()] == ["tiny-rehearsal"]


def test_another_model_is_not_found(client):
    with pytest.raises(openai.NotFoundError, match="plays 'tiny-rehearsal'") as caught:
        client.chat.completions.create(model="gpt-9", messages=[OPENING])
    assert caught.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "could not parse"),
        (b"", "could not parse"),
        (b"\xff\xfe", "could not parse"),
        (b"[" * 100_000, "could not parse"),
        (b"[]", "must be a JSON object"),
        (b'{"model": "tiny-rehearsal"}', "'messages' must be"),
        (b'{"model": "tiny-rehearsal", "messages": []}', "'messages' must be"),
        (b'{"model": "tiny-rehearsal", "messages": [1]}', "every message"),
        (b'{"model": "tiny-rehearsal", "messages": [{"role": "user"}], "n": 2}', "'n' must be 1"),
    ],
)
def test_a_body_that_makes_no_sense_is_refused_in_openai_s_shape(http, body, message):
    answer = http.post("/chat/completions", content=body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert message in error["message"]
    assert error["type"] == "invalid_request_error"
    assert {"param", "code"} <= error.keys()


def test_a_message_with_half_a_character_is_survived(http, running):
    body = '{"model": "tiny-rehearsal", "messages": [{"role": "user", "content": "\\ud800"}]}'
    answer = http.post("/chat/completions", content=body.encode())
    assert answer.status_code == MISMATCH
    assert answer.json()["error"]["seen"] == "\ud800"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/chat/completions", 405),
        ("DELETE", "/chat/completions", 405),
        ("POST", "/models", 405),
        ("POST", "/embeddings", 404),
        ("GET", "/../../etc/passwd", 404),
        ("PUT", "/", 404),
        ("BREW", "/models", 501),
    ],
)
def test_a_path_or_method_it_does_not_have_is_refused(http, method, path, status):
    answer = http.request(method, path, content=b"{}")
    assert answer.status_code == status
    assert answer.json()["error"]["message"]


def test_a_refusal_leaves_the_connection_usable(http, running):
    assert http.post("/nowhere", content=b"x" * 1000).status_code == 404
    answer = http.post("/chat/completions", json={"model": running.model, "messages": [OPENING]})
    assert answer.status_code == 200


def test_a_huge_body_is_refused_without_being_kept(http, monkeypatch):
    monkeypatch.setattr(transport, "MAX_BODY_BYTES", 100_000)
    answer = http.post("/chat/completions", content=b" " * 300_000)
    assert answer.status_code == 413
    assert "100000 are allowed" in answer.json()["error"]["message"]


def raw(running: RunningRehearsal, data: bytes) -> bytes:
    """Send bytes, shut the sending side, and read all that comes back."""
    port = httpx.URL(running.base_url).port
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


POST = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (POST + b"\r\n", b"411"),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"411"),
        (POST + b"Content-Length: -1\r\n\r\n", b"400"),
        (POST + b"Content-Length: 1_0\r\n\r\n", b"400"),
        (POST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", b"400"),
        (POST + b"Content-Length: 999999999999\r\n\r\n{}", b"413"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET /v1/models HTTP/1.1\r\n" + b"".join(b"h%d: x\r\n" % n for n in range(300)), b"431"),
    ],
)
def test_malformed_http_is_refused_in_openai_s_shape(running, data, status):
    answer = raw(running, data)
    assert answer.split(b" ")[1] == status
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["type"] == "invalid_request_error"


def test_a_client_that_leaves_in_the_middle_harms_nobody(running, client, capfd):
    assert raw(running, POST + b"Content-Length: 100\r\n\r\n{") == b""
    port = httpx.URL(running.base_url).port
    body = json.dumps({"model": running.model, "messages": [OPENING], "stream": True}).encode()
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(POST + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    answer = client.chat.completions.create(model=running.model, messages=[OPENING])
    assert answer.choices[0].finish_reason == "tool_calls"
    assert capfd.readouterr() == ("", "")


def test_many_clients_at_once_get_each_their_own_answer(make_folder):
    scripts = {
        f"t{n}.yaml": f"conversation: task/{n}\nattempts: {{1: [{{say: 'answer {n}'}}]}}\n"
        for n in range(40)
    }
    folder = make_folder(scripts, "model: m\nlatency_s: 0.3\n")
    with serve(folder) as running, httpx.Client(base_url=running.base_url, timeout=20) as http:

        def ask(n: int) -> str:
            opening = {"role": "user", "content": f"Conversation: task/{n}/1"}
            body = {"model": "m", "messages": [opening]}
            answer = http.post("/chat/completions", json=body).json()
            return str(answer["choices"][0]["message"]["content"])

        started = time.monotonic()
        with ThreadPoolExecutor(40) as pool:
            answers = list(pool.map(ask, range(40)))
        took = time.monotonic() - started
    assert answers == [f"answer {n}" for n in range(40)]
    assert took < 0.3 * 40 / 2, "the answers stood in one line"
    assert len(running.log) == 40


def test_closing_ends_a_hanging_answer_and_every_thread(make_folder):
    script = "conversation: task/1\nattempts: {1: [{say: x, fault: {hang_s: 600}}]}\n"
    before = set(threading.enumerate())
    running = serve(make_folder({"t.yaml": script}))
    body = {
        "model": running.model,
        "messages": [{"role": "user", "content": "Conversation: task/1/1"}],
    }
    with httpx.Client(base_url=running.base_url, timeout=60) as http:
        http.get("/models")  # a second, idle connection
        with ThreadPoolExecutor(1) as pool:
            hanging = pool.submit(httpx.post, f"{running.base_url}/chat/completions", json=body)
            while not running.log:
                time.sleep(0.01)
            running.close()
            with pytest.raises(httpx.RemoteProtocolError):
                hanging.result(timeout=10)
    running.close()
    assert set(threading.enumerate()) <= before
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{running.base_url}/models")


def test_it_listens_on_loopback_only(running):
    assert running.base_url.startswith("http://127.0.0.1:")
    assert running._server.socket.getsockname()[0] == "127.0.0.1"


def test_a_folder_that_is_wrong_is_told_before_anything_is_served(make_folder):
    with pytest.raises(PlanError, match="has no conversation"):
        serve(make_folder({}))


def start(folder: Path, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", "wavecrew.rehearsal", str(folder), *options]
    root = Path(__file__).parents[3]
    env = {"PYTHONPATH": str(root), "PATH": os.environ["PATH"]}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=env)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_as_a_process_it_says_where_it_is_and_ends_when_told(make_folder, number):
    with start(make_folder({"t.yaml": SCRIPT})) as process:
        ready = json.loads(process.stdout.readline())
        assert ready["model"] == "tiny-rehearsal"
        assert httpx.get(f"{ready['base_url']}/models").status_code == 200
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, b"", b"")


def test_as_a_process_it_can_end_with_the_one_that_started_it(make_folder):
    with start(make_folder({"t.yaml": SCRIPT}), "--until-stdin-closes") as process:
        assert process.stdout.readline()
        process.stdin.close()
        assert process.wait(timeout=20) == 0


def test_as_a_process_it_refuses_a_wrong_folder_and_a_taken_port(make_folder, running):
    with start(make_folder({}, name="empty")) as process:
        _, err = process.communicate(timeout=20)
    assert process.returncode == 2
    assert b"has no conversation" in err
    port = str(httpx.URL(running.base_url).port)
    with start(make_folder({"t.yaml": SCRIPT}), "--port", port) as process:
        _, err = process.communicate(timeout=20)
    assert process.returncode == 7
    assert b"cannot be used" in err
