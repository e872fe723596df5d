"""Any OpenAI-compatible server will do: one that knows nothing of Wavecrew carries a run to its end."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

SERVER = Path(__file__).parents[1] / "servers" / "plain_openai.py"
EVENTS_PAGE = Path(__file__).parents[2] / "docs" / "events.md"
KEY = {"OPENAI_API_KEY": "the-right-key"}


@pytest.fixture(scope="module")
def base_url():
    command = [
        sys.executable,
        SERVER,
        "--port=0",
        f"--key={KEY['OPENAI_API_KEY']}",
        "--model=plain",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"
        server.terminate()


@pytest.fixture(scope="module")
def told(stories, base_url):
    """A run with a model the server does not know, then the same run with the right one."""
    story = stories("foreign")
    before = story.checkout_state()
    given = ["--json", f"--base-url={base_url}"]
    wrong = story.wavecrew("run", *story.files(), *given, "--model=nobody", **KEY)
    parked = story.parked()
    right = story.resume("--json", "--model=plain", **KEY)
    return SimpleNamespace(story=story, before=before, wrong=wrong, right=right, parked=parked)


def lines_of(done):
    return [json.loads(line) for line in done.out.splitlines()]


def test_an_unknown_model_pauses_the_run_and_says_so(told):
    assert told.wrong.code == 7
    assert "'nobody'" in told.wrong.err
    assert "wavecrew run --resume" in told.wrong.err
    assert "Traceback" not in told.wrong.err
    assert lines_of(told.wrong)[-1]["kind"] == "run_paused"


def test_resumed_with_the_right_model_it_comes_to_its_end(told):
    assert told.right.code == 0, told.right.err
    assert lines_of(told.right)[-1] | {"outcome": "done", "merged": 3} == lines_of(told.right)[-1]
    assert sorted(told.story.landed()) == ["1.1", "1.2", "2.1"]


def test_stdout_is_the_event_log_and_nothing_else(told):
    assert lines_of(told.wrong) + lines_of(told.right) == told.story.events()


def test_every_line_has_the_envelope_and_a_documented_kind(told):
    documented = set(re.findall(r"^\| `(\w+)` \| .* \| .* \|$", EVENTS_PAGE.read_text(), re.M))
    lines = lines_of(told.wrong) + lines_of(told.right)
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert len({line["id"] for line in lines}) == len(lines)
    for line in lines:
        assert line["run"] == "r1"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["at"])
        assert line["kind"] in documented


def test_the_checkout_is_untouched_and_nothing_is_left_over(told):
    assert told.story.checkout_state() == told.before
    assert told.story.left_over() == []


def test_the_model_that_was_right_is_remembered(told):
    assert (
        json.loads((told.story.folder / "run.json").read_bytes())["settings"]["model"]["name"]
        == "plain"
    )


@pytest.fixture(scope="module")
def untouched(stories):
    return stories("untouched")


def refused_at_once(story, base_url, **environment):
    done = story.wavecrew(
        "run", *story.files(), "--model=plain", f"--base-url={base_url}", **environment
    )
    assert done.code == 7
    assert "Traceback" not in done.err
    assert not (story.repo / ".git" / "wavecrew").exists()
    assert list(story.refs()) == ["refs/heads/main"]
    assert story.left_over() == []
    return done.err


def test_a_wrong_key_is_told_before_anything_is_made(untouched, base_url):
    assert "rejects the key" in refused_at_once(untouched, base_url, OPENAI_API_KEY="a-wrong-key")


def test_a_closed_port_is_told_before_anything_is_made(untouched):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert "no model endpoint answers" in refused_at_once(
        untouched, f"http://127.0.0.1:{port}/v1", **KEY
    )


def test_the_key_is_in_no_file_of_the_run(told):
    key = KEY["OPENAI_API_KEY"].encode()
    files = [Path(top) / name for top, _, names in os.walk(told.story.folder) for name in names]
    assert [file for file in files if file.is_file() and key in file.read_bytes()] == []
