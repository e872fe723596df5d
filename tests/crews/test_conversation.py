from __future__ import annotations


def test_a_task_ends_when_its_submission_is_accepted(desk, say):
    desk.line.gated = [say.gated(True)]
    desk.model.answers = [
        say.turn(say.call("append", {"text": "hello"}), say="I write."),
        say.turn(say.call("submit", {"summary": "wrote it"})),
    ]
    outcome = desk.run()
    assert outcome.outcome == "passed", outcome
    assert (outcome.model_calls, outcome.tokens) == (2, 220)
    assert outcome.last_snapshot == "tree-5"
    assert desk.line.steps == ["model", "append", "model", "submit"]


def test_prose_is_answered_with_a_nudge_and_given_up_after_three(desk, say):
    desk.model.answers = [say.turn(say="I think it is fine.")]
    outcome = desk.run()
    assert outcome.outcome == "gave_up"
    assert len(desk.model.requests) == 4
    nudge = desk.model.requests[-1]["messages"][-1]
    assert nudge["role"] == "user"
    assert "`submit`" in nudge["content"]


def test_a_tool_call_in_between_forgives_the_prose(desk, say):
    desk.line.gated = [say.gated(True)]
    prose, look = say.turn(say="hm"), say.turn(say.call("look"))
    done = say.turn(say.call("submit", {"summary": "s"}))
    desk.model.answers = [prose, prose, look, prose, prose, done]
    assert desk.run().outcome == "passed"


def test_an_unknown_tool_is_answered_with_the_nearest_name(desk, say):
    desk.line.gated = [say.gated(True)]
    done = say.turn(say.call("submit", {"summary": "s"}))
    desk.model.answers = [say.turn(say.call("apend", {"text": "x"})), done]
    assert desk.run().outcome == "passed"
    text = desk.model.requests[1]["messages"][-1]["content"]
    assert "'apend' does not exist" in text
    assert "'append'" in text


def test_a_tool_the_role_may_not_use_is_refused(desk, say):
    desk.role = desk.role.model_copy(update={"tools": ("look", "submit")})
    desk.line.gated = [say.gated(True)]
    done = say.turn(say.call("submit", {"summary": "s"}))
    desk.model.answers = [say.turn(say.call("append", {"text": "x"})), done]
    assert desk.run().outcome == "passed"
    assert desk.workspace.text == ""


def test_a_tool_that_leaves_the_interpreter_does_not_end_the_attempt(desk, say):
    desk.line.gated = [say.gated(True)]
    done = say.turn(say.call("submit", {"summary": "s"}))
    desk.model.answers = [say.turn(say.call("explode")), done]
    assert desk.run().outcome == "passed"


def test_calls_after_the_one_that_ends_are_not_made(desk, say):
    desk.line.gated = [say.gated(True)]
    both = say.turn(say.call("submit", {"summary": "s"}), say.call("append", {"text": "late"}))
    desk.model.answers = [both]
    assert desk.run().outcome == "passed"
    assert desk.workspace.text == ""


def test_a_refused_submission_goes_on_in_the_same_conversation(desk, say):
    desk.line.gated = [say.gated(False), say.gated(True)]
    desk.model.answers = [say.turn(say.call("submit", {"summary": "s"}))]
    assert desk.run().outcome == "passed"
    assert len(desk.model.requests[1]["messages"]) == 4


def test_the_last_refused_submission_ends_the_attempt(desk, say):
    desk.line.gated = [say.gated(False, left=0)]
    desk.model.answers = [say.turn(say.call("submit", {"summary": "s"}))]
    outcome = desk.run()
    assert outcome.outcome == "gave_up"
    assert "last submission was refused" in outcome.detail


def test_calls_without_an_id_get_one_that_their_answer_names(desk, say):
    desk.line.gated = [say.gated(True)]
    nameless = say.turn(say.call("look") | {"id": None}, say.call("look") | {"id": ""})
    desk.model.answers = [nameless, say.turn(say.call("submit", {"summary": "s"}))]
    assert desk.run().outcome == "passed"
    messages = desk.model.requests[1]["messages"]
    given = [call["id"] for call in messages[2]["tool_calls"]]
    assert given == [message["tool_call_id"] for message in messages[3:]]
    assert len(set(given)) == 2


def test_an_engine_that_is_gone_is_a_crash_and_no_success(desk, say, monkeypatch):
    def gone(_: object) -> None:
        raise ConnectionError("the engine closed the line")

    desk.model.answers = [say.turn(say.call("look"))]
    assignment, attempt, context, registry = desk.open()
    monkeypatch.setattr(desk.line, "ask", gone)
    from crews.conversation import hold

    outcome = hold(assignment, attempt, context, registry)
    attempt.journal.close()
    assert (outcome.outcome, outcome.detail) == ("crashed", "the engine closed the line")


def test_an_engine_that_hangs_up_after_asking_to_stop_is_a_parked_attempt(desk, monkeypatch):
    assignment, attempt, context, registry = desk.open()

    def gone(_: object) -> None:
        attempt.stop.asked.set()
        raise ConnectionError("the engine closed the line")

    monkeypatch.setattr(desk.line, "ask", gone)
    from crews.conversation import hold

    assert hold(assignment, attempt, context, registry).outcome == "parked"
    attempt.journal.close()
