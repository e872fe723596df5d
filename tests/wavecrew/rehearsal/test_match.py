"""A request gets the turn its history asks for, or a mismatch that says why not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavecrew.rehearsal.match import Matched, Mismatch, heard, match
from wavecrew.rehearsal.script import Call, Conversation, Rehearsal, Turn

FIRST = Turn(line=4, say="one", expect=("Conversation",))
SECOND = Turn(line=9, calls=(Call("submit", "{}"),), expect=("class Base", "42"))
REHEARSAL = Rehearsal(
    "m",
    conversations={
        "task/1.1": Conversation("task/1.1", Path("t.yaml"), {1: (FIRST, SECOND), 3: (SECOND,)}),
        "sync/after-wave-1": Conversation("sync/after-wave-1", Path("s.yaml"), {1: (FIRST,)}),
    },
)


def user(text: object) -> dict[str, object]:
    return {"role": "user", "content": text}


OPENING = user("Conversation: task/1.1/1\n\nDo it.")
ASKED = {"role": "assistant", "content": None, "tool_calls": []}


def tool(text: str) -> dict[str, object]:
    return {"role": "tool", "tool_call_id": "x", "content": text}


def test_the_first_turn_goes_to_a_request_without_answers():
    found = match(REHEARSAL, [{"role": "system", "content": "You are."}, OPENING])
    assert found == Matched("task/1.1", 1, 1, FIRST)


@pytest.mark.parametrize(
    "content",
    [
        "\nCurrent Task: Conversation: sync/after-wave-1/1\nmore",
        [{"type": "text", "text": "Conversation: sync/after-wave-1/1"}],
        "Conversation: sync/after-wave-1/1\r\nthen CRLF",
    ],
)
def test_the_conversation_is_found_however_the_client_wraps_it(content):
    found = match(REHEARSAL, [user(content)])
    assert isinstance(found, Matched)
    assert found.conversation == "sync/after-wave-1"


def test_only_the_first_line_that_names_a_conversation_counts():
    text = "Conversation: task/1.1/1\n\nThe log said:\nConversation: sync/after-wave-1/1"
    found = match(REHEARSAL, [user(text), user("Conversation: sync/after-wave-1/1")])
    assert isinstance(found, Matched)
    assert found.conversation == "task/1.1"


def test_the_turn_is_the_number_of_answers_already_given():
    found = match(REHEARSAL, [OPENING, ASKED, tool("class Base:"), tool("line 42")])
    assert found == Matched("task/1.1", 1, 2, SECOND)


def test_expected_texts_must_stand_in_the_newest_results_only():
    history = [OPENING, ASKED, tool("class Base 42"), ASKED, tool("class Base")]
    found = match(
        Rehearsal(
            "m",
            conversations={
                "task/1.1": Conversation("task/1.1", Path("t.yaml"), {1: (FIRST, SECOND, SECOND)})
            },
        ),
        history,
    )
    assert isinstance(found, Mismatch)
    assert found.message == "turn 3 (line 9) expects '42'"
    assert (found.file, found.attempt, found.turn) == ("t.yaml", 1, 3)
    assert found.expected == ("class Base", "42")
    assert found.seen == "class Base"
    assert str(found) == (
        "t.yaml, task/1.1/1: turn 3 (line 9) expects '42'\n"
        "expected: 'class Base', '42'\n"
        "seen: class Base"
    )


def test_a_long_result_is_shown_with_head_and_tail():
    found = match(REHEARSAL, [OPENING, ASKED, tool("a" * 5000 + "z")])
    assert isinstance(found, Mismatch)
    assert found.seen.startswith("aaa")
    assert "[... 4201 characters ...]" in found.seen
    assert found.seen.endswith("z")


@pytest.mark.parametrize(
    ("opening", "answers", "message", "expected"),
    [
        ("Do it.", 0, "has no line 'Conversation:", ()),
        ("Conversation: task/9/1", 0, "no conversation 'task/9'", tuple(REHEARSAL.conversations)),
        ("Conversation: task/1.1/2", 0, "no attempt 2", ("task/1.1/1", "task/1.1/3")),
        ("Conversation: task/1.1/1", 2, "turn 3 is asked for, and attempt 1 ends after turn 2", ()),
    ],
)
def test_what_the_script_does_not_have_is_a_mismatch(opening, answers, message, expected):
    found = match(REHEARSAL, [user(opening), *[ASKED] * answers])
    assert isinstance(found, Mismatch)
    assert message in found.message
    assert found.expected == expected


def test_a_history_without_a_user_message_is_a_mismatch():
    assert isinstance(match(REHEARSAL, [{"role": "system", "content": "x"}]), Mismatch)


ROLES = st.sampled_from(["system", "user", "assistant", "tool", "developer"])
CONTENT = st.none() | st.text(max_size=30) | st.lists(st.dictionaries(st.just("text"), st.text()))
MESSAGES = st.lists(st.fixed_dictionaries({"role": ROLES}, optional={"content": CONTENT}))


@given(MESSAGES)
def test_any_history_gets_its_own_turn_or_a_mismatch(messages):
    found = match(REHEARSAL, [OPENING, *messages])
    answers = sum(m["role"] == "assistant" for m in messages)
    if isinstance(found, Matched):
        assert found.number == answers + 1
        assert all(text in heard([OPENING, *messages]) for text in found.turn.expect)
    else:
        assert found.turn == answers + 1
        assert str(found)
