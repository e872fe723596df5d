from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavecrew.errors import UsageError
from wavecrew.journal.trace import Exchange, Trace
from wavecrew.rehearsal.export import Recording, export

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def recording(*answers, attempt=1):
    """One attempt whose model gave these answers."""
    exchanges = tuple(
        Exchange(number, "model", {}, {"finish": "", "usage": {"total": 1}} | answer, {}, False)
        for number, answer in enumerate(answers, 1)
    )
    return Recording("task/1.1", attempt, "task-1.1", Trace(Path("journal"), exchanges))


def answer(*arguments, say="", tool="write_file", **more):
    calls = [{"id": "c", "name": tool, "arguments": text} for text in arguments]
    return {"say": say, "calls": calls} | more


def turns(rehearsal, attempt=1):
    return rehearsal.conversations["task/1.1"].attempts[attempt]


@given(arguments=st.dictionaries(st.text(), JSON, max_size=4), say=st.text())
def test_any_arguments_and_words_come_back_as_they_were(arguments, say, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    made = export([recording(answer(json.dumps(arguments), say=say))], "m", out)
    (turn,) = turns(made)
    assert json.loads(turn.calls[0].arguments) == arguments
    assert (turn.say or "") == say


@pytest.mark.parametrize(
    "text",
    ["{broken", "", "[1]", "null", '{"a": NaN}', '{"a": 1, "a": 2}', '{"a": "\\ud800"}', "{\x00"],
)
def test_arguments_that_are_no_plain_object_stay_as_text(text, tmp_path):
    (turn,) = turns(export([recording(answer(text))], "m", tmp_path / "out"))
    assert turn.calls[0].arguments == text


def test_contents_are_real_files_and_two_of_one_path_are_both_kept(tmp_path):
    def written(path, content):
        return answer(json.dumps({"path": path, "content": content}))

    out = tmp_path / "out"
    made = export(
        [
            recording(
                written("a/b.py", "one\r\n"),
                written("a/b.py", "two\n"),
                written("a/b.py", "one\r\n"),
                written("a", "a file where a folder is"),
                written("../../../x", "outside"),
            )
        ],
        "m",
        out,
    )
    contents = [json.loads(turn.calls[0].arguments)["content"] for turn in turns(made)]
    assert contents == ["one\r\n", "two\n", "one\r\n", "a file where a folder is", "outside"]
    assert (out / "files/task-1.1/1/a/b.py").read_bytes() == b"one\r\n"
    assert (out / "files/task-1.1/1/a/b.py~2").read_bytes() == b"two\n"
    assert not (tmp_path / "x").exists()


def test_how_an_answer_ended_is_kept_and_a_refusal_is_a_filter(tmp_path):
    made = export(
        [recording(answer(say="half", finish="length"), answer(refusal="no", finish="stop"))],
        "m",
        tmp_path / "out",
    )
    assert [turn.finish_reason for turn in turns(made)] == ["length", "content_filter"]


def test_attempts_of_one_conversation_stand_in_one_file(tmp_path):
    made = export(
        [recording(answer(say="a")), recording(answer(say="b"), attempt=2)], "m", tmp_path / "out"
    )
    assert [turn.say for turn in (*turns(made), *turns(made, 2))] == ["a", "b"]
    assert made.model == "m"


def test_nothing_recorded_is_nothing_to_export(tmp_path):
    with pytest.raises(UsageError, match="nothing to export"):
        export([recording()], "m", tmp_path / "out")
