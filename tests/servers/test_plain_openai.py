"""The server the product is tested against behaves like the original, and plays the tiny plan."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from ruamel.yaml import YAML

from wavecrew.plan.load import load

SERVER = Path(__file__).with_name("plain_openai.py")
TINY = Path(__file__).parents[1] / "data" / "tiny"
KEY, MODEL = "sk-plain", "plain-1"


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    command = [sys.executable, str(SERVER), "--port", "0", "--key", KEY, "--model", MODEL]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        process.terminate()
        assert process.wait(timeout=10) == 0


@pytest.fixture
def client(base_url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=base_url, api_key=KEY, max_retries=0) as client:
        yield client


def schema(name: str, /, **properties: str) -> dict[str, object]:
    parameters = {
        "type": "object",
        "properties": {key: {"type": kind} for key, kind in properties.items()},
        "required": list(properties),
        "additionalProperties": False,
    }
    function = {"name": name, "description": name, "parameters": parameters, "strict": True}
    return {"type": "function", "function": function}


WRITER = [
    schema("read_file", path="string"),
    schema("write_file", path="string", content="string"),
    schema("run_checks", name="string", target="string"),
    schema("submit", summary="string"),
]
MANAGER = [
    schema("run_integration"),
    schema(
        "report", summary="string", send_back="string", reason="string", raise_to_human="boolean"
    ),
]


def play(client: openai.OpenAI, prompt: str, tools, run, steps: int = 12) -> list[tuple[str, dict]]:
    """Go on until `run` returns None or the model calls nothing; what was called, in order."""
    messages: list[dict] = [{"role": "system", "content": "You are."}]
    messages.append({"role": "user", "content": prompt})
    called = []
    for _ in range(steps):
        answer = client.chat.completions.create(model=MODEL, messages=messages, tools=tools)
        message = answer.choices[0].message
        if not message.tool_calls:
            called.append(("say", {"text": message.content}))
            return called
        messages.append(message.model_dump(exclude_none=True))
        for call in message.tool_calls:
            arguments = json.loads(call.function.arguments)
            called.append((call.function.name, arguments))
            result = run(call.function.name, arguments)
            if result is None:
                return called
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
    raise AssertionError(f"no end after {steps} steps: {called}")


def green(folder: Path) -> str:
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(folder),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stdout
    return done.stdout.strip().splitlines()[-1]


def test_it_plays_the_tiny_plan_from_the_prompts_alone(client, tmp_path):
    tree = shutil.copytree(TINY / "repository", tmp_path / "tree")
    assert green(tree).startswith("2 passed")

    def run(name: str, arguments: dict) -> str | None:
        if name == "write_file":
            (tree / arguments["path"]).write_text(arguments["content"])
            return "written"
        return None if name == "submit" else "passed"

    tasks = YAML(typ="safe").load(TINY / "tasks.yaml")["tasks"]
    for task in tasks:
        prompt = f"Conversation: task/{task['id']}/1\n\n{task['title']}\n\n{task['description']}"
        called = play(client, prompt, WRITER, run)
        names = ["write_file", "write_file", "run_checks", "submit"]
        assert [name for name, _ in called] == names
        written = [arguments["path"] for _, arguments in called[:2]]
        assert written == task["may_write"]
        assert written[0] in called[-1][1]["summary"]
    assert green(tree).startswith("9 passed")


def test_the_tiny_plan_is_one_the_loader_takes():
    loaded = load(TINY / "agents.yaml", TINY / "tasks.yaml", TINY / "wavecrew.toml")
    assert [(task.id, task.agent) for task in loaded.plan.tasks] == [
        ("1.1", "statistician"),
        ("1.2", "reporter"),
        ("2.1", "reporter"),
    ]
    (sync,) = loaded.plan.sync_points
    assert [task.id for task in loaded.plan.before(sync)] == ["1.1", "1.2"]
    assert [task.id for task in loaded.plan.held_by(sync)] == ["2.1"]
    assert [name for name, role in loaded.roles.items() if role.manager] == ["keeper"]


def test_as_a_manager_it_runs_the_integration_and_reports_what_it_said(client):
    prompt = "Conversation: sync/after-wave-1/1\n\nAll of wave 1 is merged."

    def run(name: str, arguments: dict) -> str | None:
        return "9 passed" if name == "run_integration" else None

    called = play(client, prompt, MANAGER, run)
    assert called[0] == ("run_integration", {})
    assert called[1][0] == "report"
    assert "9 passed" in called[1][1].pop("summary")
    assert called[1][1] == {"send_back": "", "reason": "", "raise_to_human": False}


def test_a_rejected_hand_in_is_tried_again_and_then_given_up(client):
    prompt = "Do it.\n\n```path: a.py\nx = 1\n```\n"
    called = play(
        client, prompt, WRITER, lambda name, _: "REJECTED: red" if name == "submit" else "ok"
    )
    assert [name for name, _ in called] == ["write_file", "run_checks", *["submit"] * 3, "say"]
    assert "REJECTED: red" in called[-1][1]["text"]


@pytest.mark.parametrize(
    "block",
    [
        "```path: a.py\nx = '``'\n\ny = 2\n```",
        "```python path: a.py\nx = '``'\n\ny = 2\n```",
        "````path: a.py\nx = '``'\n\ny = 2\n````",
        "    ```path: a.py\n    x = '``'\n\n    y = 2\n    ```",
    ],
)
def test_a_fenced_file_is_read_however_it_is_fenced(client, block):
    prompt = f"Do it.\n\n{block}\n\nAnd then stop."
    called = play(client, prompt, WRITER, lambda *_: None)
    assert called == [("write_file", {"path": "a.py", "content": "x = '``'\n\ny = 2\n"})]


def test_a_prompt_without_files_gets_words(client):
    assert play(client, "Hello.", WRITER, lambda *_: None)[0][0] == "say"


def test_a_stream_says_the_same(client):
    messages = [{"role": "user", "content": "```path: a.py\nx = 1\n```"}]
    chunks = list(
        client.chat.completions.create(model=MODEL, messages=messages, tools=WRITER, stream=True)
    )
    call = chunks[0].choices[0].delta.tool_calls[0]
    assert (call.index, call.function.name) == (0, "write_file")
    assert chunks[1].choices[0].finish_reason == "tool_calls"
    assert chunks[2].usage.total_tokens > 0


def test_a_wrong_key_is_401_and_another_model_404(base_url, client):
    messages = [{"role": "user", "content": "Hello."}]
    with (
        openai.OpenAI(base_url=base_url, api_key="sk-wrong", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        stranger.chat.completions.create(model=MODEL, messages=messages)
    assert caught.value.code == "invalid_api_key"
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="plain-2", messages=messages)
    assert missing.value.code == "model_not_found"
    assert [model.id for model in client.models.list()] == [MODEL]


USER = {"role": "user", "content": "Hello."}
CALL = {"id": "c1", "type": "function", "function": {"name": "read_file", "arguments": "{}"}}
ASKED = {"role": "assistant", "content": None, "tool_calls": [CALL]}
LOOSE = schema("loose", path="string")
LOOSE["function"]["parameters"]["required"] = []


@pytest.mark.parametrize(
    ("messages", "tools"),
    [
        ([], WRITER),
        ([USER, {"role": "tool", "tool_call_id": "c1", "content": "x"}], WRITER),
        ([USER, ASKED], WRITER),
        ([USER, ASKED, USER], WRITER),
        ([USER, ASKED, {"role": "tool", "tool_call_id": "c2", "content": "x"}], WRITER),
        ([USER, {"role": "assistant", "content": None}], WRITER),
        ([{"role": "robot", "content": "x"}], WRITER),
        ([USER], [schema("no spaces please")]),
        ([USER], [LOOSE]),
    ],
)
def test_a_history_or_tool_the_original_refuses_is_refused(client, messages, tools):
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model=MODEL, messages=messages, tools=tools)


def test_it_has_nothing_of_the_product_inside():
    tree = ast.parse(SERVER.read_text("utf-8"))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or ".").partition(".")[0])
    assert names <= sys.stdlib_module_names
