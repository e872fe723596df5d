from __future__ import annotations

import copy
import json

from hypothesis import given
from hypothesis import strategies as st

from crews.history import KEEP_NEWEST, OPENING, fit, size_of


def _conversation(sizes: list[int]) -> list[dict]:
    messages: list[dict] = [
        {"role": "system", "content": "s" * 900},
        {"role": "user", "content": "t" * 900},
    ]
    for number, size in enumerate(sizes):
        arguments = json.dumps({"path": "a.py", "content": "c" * size})
        function = {"name": "write_file", "arguments": arguments}
        call = {"id": f"c{number}", "type": "function", "function": function}
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": f"c{number}", "content": "o" * size})
    return messages


sizes = st.lists(st.integers(0, 6000), max_size=25)


@given(sizes, st.integers(4_000, 60_000))
def test_the_opening_the_order_and_the_pairs_of_calls_and_answers_stay(sizes, limit):
    before = _conversation(sizes)
    after = copy.deepcopy(before)
    fit(after, comfort_chars=limit, window_chars=limit)
    assert after[:OPENING] == before[:OPENING]
    assert [m["role"] for m in after] == [m["role"] for m in before]
    assert [m.get("tool_call_id") for m in after] == [m.get("tool_call_id") for m in before]
    for message in after:
        for call in message.get("tool_calls") or ():
            assert isinstance(json.loads(call["function"]["arguments"]), dict)


@given(sizes, st.integers(4_000, 60_000))
def test_it_says_whether_the_window_holds_and_never_grows(sizes, limit):
    messages = _conversation(sizes)
    before = size_of(messages)
    fits = fit(messages, comfort_chars=limit, window_chars=limit)
    assert fits == (size_of(messages) <= limit)
    assert size_of(messages) <= before


@given(sizes, st.integers(4_000, 60_000))
def test_the_same_messages_are_elided_the_same(sizes, limit):
    one, other = _conversation(sizes), _conversation(sizes)
    fit(one, comfort_chars=limit, window_chars=10**9)
    fit(other, comfort_chars=limit, window_chars=10**9)
    assert one == other


def test_what_is_comfortable_is_left_alone():
    messages = _conversation([1000] * 3)
    before = copy.deepcopy(messages)
    assert fit(messages, comfort_chars=10**6, window_chars=10**6)
    assert messages == before


def test_the_newest_turns_stay_whole_while_the_window_allows():
    messages = _conversation([3000] * 10)
    newest = copy.deepcopy(messages[-KEEP_NEWEST:])
    assert fit(messages, comfort_chars=20_000, window_chars=10**6)
    assert messages[-KEEP_NEWEST:] == newest
    assert "elided" in messages[OPENING + 1]["content"]


def test_one_batch_makes_room_for_several_calls():
    messages = _conversation([3000] * 10)
    fit(messages, comfort_chars=30_000, window_chars=10**6)
    assert size_of(messages) < 30_000 * 0.8
    before = copy.deepcopy(messages)
    fit(messages, comfort_chars=30_000, window_chars=10**6)
    assert messages == before


def test_arguments_that_are_no_object_are_elided_to_one():
    messages = _conversation([10] * 6)
    messages[OPENING]["tool_calls"][0]["function"]["arguments"] = "{broken " * 400
    fit(messages, comfort_chars=2_000, window_chars=10**6)
    shrunk = messages[OPENING]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(shrunk) == {"elided": "3200 characters"}
