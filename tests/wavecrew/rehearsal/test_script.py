"""A rehearsal folder is read whole and strictly, and every error names its line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from wavecrew.errors import PlanError
from wavecrew.rehearsal.script import Call, Fault, load

DOCS = Path(__file__).parents[3] / "docs" / "rehearsal.md"

FULL = """\
conversation: task/1.10
attempts:
  1:
    - say: I look.
      calls:
        - tool: read_file
          args: {path: a.py, start: 1, deep: {x: [1, 2.5, null, true]}}
        - tool: write_file
          args: {path: b.py}
          content: files/b.py
    - fault: {status: 429, retry_after_s: 0.2, times: 3}
      expect: [alpha, "1.10"]
      latency_s: 2
      calls:
        - tool: edit_file
          raw_arguments: '{"path": '
  2:
    - say: cut
      finish_reason: length
"""


def test_a_folder_is_read_with_files_faults_and_malformed_arguments(make_folder):
    folder = make_folder(
        {"t.yaml": FULL, "files/b.py": "print('ü')\n"}, "model: m\nlatency_s: 0.5\n"
    )
    rehearsal = load(folder)
    assert (rehearsal.model, rehearsal.latency_s) == ("m", 0.5)
    conversation = rehearsal.conversations["task/1.10"]
    first, second = conversation.attempts[1]
    assert first.say == "I look."
    assert first.line == 4
    assert json.loads(first.calls[0].arguments) == {
        "path": "a.py",
        "start": 1,
        "deep": {"x": [1, 2.5, None, True]},
    }
    assert json.loads(first.calls[1].arguments) == {"path": "b.py", "content": "print('ü')\n"}
    assert first.finish_reason == "tool_calls"
    assert second.fault == Fault(times=3, status=429, retry_after_s=0.2)
    assert second.expect == ("alpha", "1.10")
    assert second.latency_s == 2
    assert second.calls == (Call("edit_file", '{"path": '),)
    assert conversation.attempts[2][0].finish_reason == "length"


def test_line_ends_of_a_content_file_are_kept(make_folder):
    folder = make_folder({"t.yaml": FULL})
    (folder / "files").mkdir()
    (folder / "files/b.py").write_bytes(b"a\r\nb\n")
    call = load(folder).conversations["task/1.10"].attempts[1][0].calls[1]
    assert json.loads(call.arguments)["content"] == "a\r\nb\n"


def turn(text: str) -> str:
    return f"conversation: task/1\nattempts:\n  1:\n    - {text}\n"


WRONG = [
    ("conversation: task/1\nattempt: {}\n", 2, "unknown key 'attempt'", "'attempts'"),
    ("conversation: task/1\n", 1, "'attempts' is missing", ""),
    (
        "conversation: chore/1\nattempts: {1: [{say: x}]}\n",
        1,
        "'chore/1' names no conversation",
        "",
    ),
    ("conversation: task/1/2\nattempts: {1: [{say: x}]}\n", 1, "'task/1/2' names no", ""),
    ("conversation: task/1\nattempts: {one: [{say: x}]}\n", 2, "a number from 1", ""),
    ("conversation: task/1\nattempts: {0: [{say: x}]}\n", 2, "a number from 1", ""),
    ("conversation: task/1\nattempts: {1.5: [{say: x}]}\n", 2, "a whole number", ""),
    ("conversation: task/1\nattempts: {}\n", 2, "needs an attempt", ""),
    ("conversation: task/1\nattempts:\n  1: []\n", 3, "needs a turn", ""),
    ("conversation: task/1\nattempts:\n  1: [{say: x}]\n  1: [{say: y}]\n", 4, "twice", ""),
    (turn("{says: x}"), 4, "unknown key 'says'", "perhaps you meant 'say'"),
    (turn("expect: [x]"), 4, "a turn needs 'say' or 'calls'", "say: ''"),
    (turn("{say: x, calls: []}"), 4, "'calls' is empty", ""),
    (turn("{say: x, finish_reason: lenght}"), 4, "no such finish_reason 'lenght'", "length"),
    (turn("{say: x, latency_s: -1}"), 4, "a number from 0", ""),
    (turn("{say: x, latency_s: .nan}"), 4, "is no JSON value", ""),
    (turn("{say: [x]}"), 4, "a text is wanted here, not a list", ""),
    (turn("calls: [{args: {}}]"), 4, "'tool' is missing", ""),
    (turn("calls: [{tool: t, args: [1]}]"), 4, "a mapping is wanted here, not a list", ""),
    (turn("calls: [{tool: t, args: {day: 2026-01-01}}]"), 4, "'2026-01-01' is no JSON", "quotes"),
    (turn("calls: [{tool: t, args: {}, raw_arguments: x}]"), 4, "stands alone", ""),
    (turn("calls: [{tool: t, content: no.py}]"), 4, "no such file 'no.py'", ""),
    (turn("calls: [{tool: t, content: ../x}]"), 4, "outside the rehearsal folder", ""),
    (turn("calls: [{tool: t, content: /etc/passwd}]"), 4, "outside the rehearsal folder", ""),
    (turn("calls: [{tool: t, content: link}]"), 4, "outside the rehearsal folder", ""),
    (turn("calls: [{tool: t, args: {content: a}, content: f}]"), 4, "also stands in 'args'", ""),
    (turn("calls: [{tool: t, args: {x: &a [*a]}}]"), 4, "nested deeper than 64", ""),
    (turn("{say: x, fault: {times: 2}}"), 4, "a fault is one of", ""),
    (turn("{say: x, fault: {status: 429, reset: true}}"), 4, "a fault is one of", ""),
    (turn("{say: x, fault: {status: 600}}"), 4, "600 is no HTTP error status", ""),
    (turn("{say: x, fault: {status: 200}}"), 4, "a number from 400", ""),
    (turn("{say: x, fault: {reset: false}}"), 4, "can only be true", ""),
    (turn("{say: x, fault: {hang_s: 1, retry_after_s: 1}}"), 4, "goes with 'status'", ""),
    (turn("{say: x, fault: {status: 500, times: 0}}"), 4, "a number from 1", ""),
    ("a: [1\nb: 2\n", 2, "not YAML", ""),
    ("- 1\n", 1, "a mapping is wanted here, not a list", ""),
]


@pytest.mark.parametrize(("text", "line", "what", "mend"), WRONG)
def test_what_is_wrong_is_told_with_file_and_line(make_folder, tmp_path, text, line, what, mend):
    (tmp_path / "outside.py").write_text("x")
    folder = make_folder({"t.yaml": text, "f": "x"})
    (folder / "link").symlink_to(tmp_path / "outside.py")
    with pytest.raises(PlanError) as caught:
        load(folder)
    assert caught.value.where == f"{folder / 't.yaml'}:{line}"
    assert what in caught.value.what
    assert mend in caught.value.mend


def test_a_folder_that_is_no_rehearsal_is_told_so(make_folder, tmp_path):
    with pytest.raises(PlanError, match="no such rehearsal folder"):
        load(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(PlanError, match=r"needs a 'rehearsal.yaml'"):
        load(tmp_path / "empty")
    with pytest.raises(PlanError, match="has no conversation"):
        load(make_folder({}))


def test_the_head_is_read_as_strictly_as_the_rest(make_folder):
    script = {"t.yaml": turn("say: x")}
    for head, what in [
        ("model: m\nlatency: 1\n", "unknown key 'latency'"),
        ("latency_s: 1\n", "'model' is missing"),
        ("model: ''\n", "the model needs a name"),
        ("model: m\nlatency_s: fast\n", "not 'fast'"),
        ("", "the file is empty"),
    ]:
        with pytest.raises(PlanError, match=what):
            load(make_folder(script, head))


def test_two_files_cannot_hold_one_conversation(make_folder):
    folder = make_folder({"a.yaml": turn("say: x"), "b.yaml": turn("say: y")})
    with pytest.raises(PlanError, match=r"'task/1' is also in a\.yaml") as caught:
        load(folder)
    assert caught.value.where.endswith("b.yaml")


def test_a_file_that_would_be_ignored_is_an_error(make_folder):
    with pytest.raises(PlanError, match=r"name it \.yaml"):
        load(make_folder({"a.yaml": turn("say: x"), "b.yml": turn("say: y")}))


def test_a_file_that_is_no_text_is_told_by_name(make_folder):
    folder = make_folder({"a.yaml": turn("calls: [{tool: t, content: blob}]")})
    (folder / "blob").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PlanError, match="'blob' is not UTF-8 text"):
        load(folder)
    (folder / "a.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PlanError, match="is not UTF-8 text"):
        load(folder)


def test_the_example_in_the_documentation_loads(tmp_path):
    blocks = re.findall(
        r"```(?:yaml|python)\n# (\S+)\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL
    )
    for name, text in blocks:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    assert [name for name, _ in blocks] == [
        "rehearsal.yaml",
        "task-1.1.yaml",
        "files/1.1/orders.py",
    ]
    rehearsal = load(tmp_path)
    assert rehearsal.model == "shop-rehearsal"
    attempts = rehearsal.conversations["task/1.1"].attempts
    assert [len(attempts[number]) for number in (1, 2)] == [3, 2]
    assert "def total" in attempts[1][1].calls[0].arguments
    with pytest.raises(json.JSONDecodeError):
        json.loads(attempts[2][0].calls[0].arguments)
