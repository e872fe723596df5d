from __future__ import annotations

import json

import pytest

from crews.provider import retry_after_s
from wavecrew.journal.attempt import read_records
from wavecrew.run.wire import Granted, Reserve, Settle, Step


@pytest.fixture
def done(say):
    return say.turn(say.call("submit", {"summary": "s"}))


def _tool_texts(desk) -> list[str]:
    return [m["content"] for m in desk.model.requests[-1]["messages"] if m["role"] == "tool"]


def test_a_server_that_rejects_required_tools_is_asked_with_auto_from_then_on(desk, say, done):
    desk.line.gated = [say.gated(True)]
    rejected = say.failure(400, "Invalid value: 'required'", param="tool_choice")
    desk.model.answers = [rejected, say.turn(say.call("look")), done]
    assert desk.run().outcome == "passed"
    asked = [request["tool_choice"] for request in desk.model.requests]
    assert asked == ["required", "auto", "auto"]


def test_a_server_that_rejects_every_tool_choice_is_not_asked_forever(desk, say):
    desk.model.answers = [say.failure(400, "tool_choice is not supported")]
    outcome = desk.run()
    assert outcome.outcome == "model_failed"
    assert len(desk.model.requests) == 2


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((401, "bad key"), ["does not accept the key", "api_key_env"]),
        ((403, "not yours"), ["does not accept the key"]),
        ((404, "The model `scripted` does not exist"), ["does not know", "name and base_url"]),
        ((400, "tools are not supported"), ["rejected the request", "tools are not supported"]),
        ((409, "task-1.1.yaml has no turn 3"), ["did not serve", "has no turn 3"]),
        ((422, "unprocessable"), ["did not serve"]),
    ],
)
def test_what_a_person_must_mend_is_said_at_once_and_with_the_mend(desk, say, answer, words):
    desk.model.answers = [say.failure(*answer)]
    outcome = desk.run()
    assert outcome.outcome == "model_failed"
    assert all(word in outcome.detail for word in words), outcome.detail
    assert desk.model.base_url in outcome.detail
    assert len(desk.model.requests) == 1


def test_a_used_up_quota_is_no_rate_limit(desk, say):
    desk.model.answers = [
        say.failure(429, "quota", code="insufficient_quota", headers={"retry-after": "0.01"})
    ]
    outcome = desk.run()
    assert outcome.outcome == "model_failed"
    assert "quota is used up" in outcome.detail


def test_dropped_connections_are_tried_again(desk, say, done):
    desk.line.gated = [say.gated(True)]
    desk.model.answers = [{"reset": True}, done]
    assert desk.run().outcome == "passed"


def test_a_server_that_is_not_there_is_named_to_the_engine_which_decides(desk):
    desk.settings = desk.settings.model_copy(update={"base_url": "http://127.0.0.1:9/v1"})
    desk.line.granted = [
        Granted(granted=True),
        Granted(granted=True),
        Granted(granted=False, reason="the provider did not serve a call for 30 minutes"),
    ]
    assert desk.run().outcome == "out_of_budget"
    troubles = [settle for settle in desk.line.all(Settle) if settle.trouble]
    assert [settle.trouble for settle in troubles] == ["failed", "failed"]
    assert "cannot be reached" in troubles[0].why


@pytest.mark.parametrize("status", [429, 408, 500, 502, 503, 529])
def test_trouble_that_passes_is_tried_again_once_the_engine_grants_it(desk, say, done, status):
    desk.line.gated = [say.gated(True)]
    desk.model.answers = [say.failure(status, headers={"retry-after": "7"})] * 3 + [done]
    assert desk.run().outcome == "passed"
    troubles = [settle for settle in desk.line.all(Settle) if settle.trouble]
    kind = "busy" if status == 429 else "failed"
    assert [(s.trouble, s.retry_after_s) for s in troubles] == [(kind, 7)] * 3
    assert len(desk.line.all(Reserve)) == len(desk.model.requests) == 4
    assert desk.line.all(Step)[-2].tries == 4


def test_a_try_that_hangs_is_over_after_its_time_and_tried_again(desk, say, done):
    desk.settings = desk.settings.model_copy(update={"timeout_s": 0.2})
    desk.line.gated = [say.gated(True)]
    desk.model.answers = [{"hang": True}, done]
    assert desk.run().outcome == "passed"
    (trouble,) = [settle for settle in desk.line.all(Settle) if settle.trouble]
    assert "did not answer in 0.2 s" in trouble.why
    assert trouble.took_s >= 0.2


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "inf"}, 0),
        ({"retry-after": "nan"}, 0),
        ({"retry-after": "soon"}, 0),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        (
            {
                "retry-after": "Wed, 21 Oct 2026 07:28:30 GMT",
                "date": "Wed, 21 Oct 2026 07:28:00 GMT",
            },
            30,
        ),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:30 GMT"}, 0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:30 -0000", "date": "yesterday"}, 0),
    ],
)
def test_retry_after_comes_as_seconds_milliseconds_or_a_date(headers, seconds):
    assert retry_after_s(headers) == seconds


def test_while_the_engine_says_not_yet_the_attempt_asks_again_and_calls_nobody(
    desk, say, done, monkeypatch
):
    waited: list[float] = []
    monkeypatch.setattr("crews.attempt.time.sleep", waited.append)
    desk.line.granted = [Granted(granted=False, wait_s=wait) for wait in (3.0, 60.0, 0.5)]
    desk.line.gated = [say.gated(True)]
    desk.model.answers = [done]
    assert desk.run().outcome == "passed"
    assert waited == [3.0, 60.0, 0.5]
    assert len(desk.model.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 200, "raw": b"<html>sign in</html>", "type": "text/html"},
        {"status": 200, "body": {"object": "chat.completion", "choices": None}},
        {"status": 200, "body": {"error": {"message": "upstream is gone"}}},
        {"status": 200, "body": {"choices": []}},
    ],
)
def test_an_answer_that_is_no_completion_is_named(desk, answer):
    desk.model.answers = [answer]
    outcome = desk.run()
    assert outcome.outcome == "model_failed"
    assert "no chat completion" in outcome.detail


def test_a_key_that_is_missing_is_named_before_any_call(desk, monkeypatch):
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    desk.settings = desk.settings.model_copy(update={"base_url": "", "api_key_env": "NO_SUCH_KEY"})
    outcome = desk.run()
    assert outcome.outcome == "model_failed"
    assert "'NO_SUCH_KEY'" in outcome.detail


def test_a_server_of_ones_own_needs_no_key(desk, say, done, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    desk.line.gated = [say.gated(True)]
    desk.model.answers = [done]
    assert desk.run().outcome == "passed"


def test_a_roles_own_model_goes_before_the_runs(desk, say, done):
    desk.role = desk.role.model_copy(update={"llm": "another"})
    desk.line.gated = [say.gated(True)]
    desk.model.answers = [done]
    desk.run()
    assert desk.model.requests[0]["model"] == "another"


@pytest.mark.parametrize(
    "arguments", ["[1, 2]", '"text"', "5", "null", "{broken", "", '{"lines": "x"}']
)
def test_arguments_that_are_no_object_come_back_as_a_mendable_mistake(desk, say, done, arguments):
    desk.line.gated = [say.gated(True)]
    desk.model.answers = [say.turn(say.call("append", arguments)), done]
    assert desk.run().outcome == "passed"
    (text,) = _tool_texts(desk)
    assert text.startswith("Error:")
    sent = desk.model.requests[-1]["messages"][2]["tool_calls"][0]["function"]
    assert sent["arguments"] == (arguments or "{}")


def test_a_context_overflow_elides_and_asks_once_more(desk, say, done):
    desk.line.gated = [say.gated(True)]
    overflow = say.failure(400, "maximum context length is 1 token", code="context_length_exceeded")
    look = say.turn(say.call("look", {"lines": 500}))
    desk.model.answers = [look, look, overflow, look, done]
    assert desk.run().outcome == "passed"
    sizes = [len(json.dumps(request["messages"])) for request in desk.model.requests]
    assert sizes[3] <= sizes[2] / 2
    assert sizes[4] <= sizes[2]
    replayed = desk.run()
    assert (replayed.outcome, replayed.model_calls) == ("passed", 0)


def test_the_window_that_is_exceeded_twice_ends_the_attempt_by_name(desk, say):
    overflow = say.failure(400, "this model's maximum context length is 1 token")
    desk.model.answers = [say.turn(say.call("look", {"lines": 900})), overflow]
    outcome = desk.run()
    assert outcome.outcome == "incomplete_answer"
    assert "window" in outcome.detail


def test_budget_is_reserved_before_and_settled_after_each_call(desk, say, done):
    desk.line.gated = [say.gated(True)]
    desk.model.answers = [say.turn(say.call("look")), done]
    desk.run()
    money = [request for request in desk.line.asked if isinstance(request, Reserve | Settle)]
    assert [type(request) for request in money] == [Reserve, Settle, Reserve, Settle]
    assert all(isinstance(r, Settle) or (r.prompt > 50 and r.answer == 4000) for r in money)
    assert [(s.prompt, s.answer, s.trouble) for s in desk.line.all(Settle)] == [(100, 10, "")] * 2
    assert [s.tokens for s in desk.line.all(Step) if s.what == "model"] == [110, 110]


def test_a_refused_reservation_ends_the_attempt_before_the_call(desk):
    desk.line.granted = [Granted(granted=False, reason="the run's 1000 tokens are used up")]
    outcome = desk.run()
    assert (outcome.outcome, outcome.detail) == (
        "out_of_budget",
        "the run's 1000 tokens are used up",
    )
    assert desk.model.requests == []


def test_the_engines_rate_limit_is_waited_for(desk, say, done, monkeypatch):
    waited: list[float] = []
    monkeypatch.setattr("crews.attempt.time.sleep", waited.append)
    desk.line.granted = [Granted(granted=True, wait_s=7.5)]
    desk.line.gated = [say.gated(True)]
    desk.model.answers = [done]
    assert desk.run().outcome == "passed"
    assert waited == [7.5]


def test_a_failed_call_gives_its_reservation_back(desk, say):
    desk.model.answers = [say.failure(401)]
    desk.run()
    assert desk.line.all(Settle) == [Settle()]


def test_a_server_that_tells_no_usage_is_counted_by_the_estimate(desk, say, done):
    desk.line.gated = [say.gated(True)]
    del done["body"]["usage"]
    desk.model.answers = [done]
    outcome = desk.run()
    reserved = desk.line.all(Reserve)[0]
    assert outcome.tokens == reserved.prompt + reserved.answer


def test_what_the_model_says_beside_its_calls_stays_in_the_conversation(desk, say, done):
    desk.line.gated = [say.gated(True)]
    desk.model.answers = [say.turn(say.call("look"), say="First I look."), done]
    desk.run()
    assert desk.model.requests[1]["messages"][2]["content"] == "First I look."


def test_no_warning_and_no_proxy_stands_between_us_and_a_server_on_this_machine(
    desk, say, done, monkeypatch
):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    desk.line.gated = [say.gated(True)]
    desk.model.answers = [done]
    assert desk.run().outcome == "passed"


def test_the_journal_holds_the_opening_once_and_every_reply(desk, say, done):
    desk.line.gated = [say.gated(True)]
    desk.model.answers = [say.turn(say.call("look")), done]
    desk.run()
    records = read_records(desk.folder / "journal.jsonl")
    models = [r["request"] for r in records if r["record"] == "intent" and r["kind"] == "model"]
    assert [m["role"] for m in models[0]["opening"]] == ["system", "user"]
    assert "opening" not in models[1]
    replies = [r["reply"] for r in records if r["record"] == "reply"]
    assert [sorted(reply)[0] for reply in replies] == [
        "snapshot",
        "calls",
        "ended",
        "calls",
        "ended",
    ]
