"""A resumed attempt pays for nothing twice and stands where it stood."""

from __future__ import annotations

import pytest

from wavecrew.journal.attempt import JournalDiverged, read_records


def test_a_finished_attempt_replays_without_a_single_call(desk, say):
    desk.line.gated = [say.gated(False), say.gated(True)]
    desk.model.answers = [
        say.turn(say.call("append", {"text": "one"}), say.call("look")),
        say.turn(say="hm"),
        say.turn(say.call("submit", {"summary": "s"})),
        say.turn(say.call("submit", {"summary": "s"})),
    ]
    first = desk.run()
    assert first.outcome == "passed"
    requests, steps = len(desk.model.requests), desk.line.steps
    desk.line.asked.clear()
    second = desk.run()
    assert (second.outcome, second.model_calls, second.tokens) == ("passed", 0, 0)
    assert second.last_snapshot == first.last_snapshot
    assert len(desk.model.requests) == requests
    assert desk.line.steps == steps
    assert desk.workspace.text == "one"


def test_the_workspace_goes_back_to_the_last_snapshot_before_the_first_new_exchange(desk, say):
    desk.line.gated = [say.gated(True)]
    desk.model.answers = [say.turn(say.call("append", {"text": "kept"})), say.failure(401)]
    assert desk.run().outcome == "model_failed"
    desk.workspace.append(" and half of something")  # a tool that was cut in the middle
    desk.model.answers.append(say.turn(say.call("submit", {"summary": "s"})))
    assert desk.run().outcome == "passed"
    assert desk.workspace.restored == ["tree-4"]
    assert desk.workspace.text == "kept"


def test_an_attempt_that_changed_nothing_goes_back_to_where_it_started(desk, say):
    desk.workspace.append("base")
    desk.model.answers = [say.failure(401)]
    desk.run()
    desk.workspace.append("stray")
    desk.model.answers = [say.failure(401)]
    desk.run()
    assert desk.workspace.text == "base"


def test_submissions_go_on_counting_after_a_resume(desk, say):
    desk.line.gated = [say.gated(False), say.gated(True)]
    submit = say.turn(say.call("submit", {"summary": "s"}))
    desk.model.answers = [submit, say.failure(401)]
    assert desk.run().outcome == "model_failed"
    desk.model.answers = [*[submit] * 4]
    assert desk.run().outcome == "passed"
    numbers = [request.submission for request in desk.line.asked if hasattr(request, "submission")]
    assert numbers == [1, 2]


def test_a_role_that_was_changed_between_is_told_and_not_followed(desk, say):
    desk.model.answers = [say.turn(say.call("append", {"text": "x"})), say.failure(401)]
    desk.run()
    desk.role = desk.role.model_copy(update={"goal": "Something else"})
    outcome = desk.run()
    assert outcome.outcome == "crashed"
    assert "start the task afresh" in outcome.detail


def test_another_model_may_take_an_attempt_up(desk, say):
    desk.line.gated = [say.gated(True)]
    desk.model.answers = [say.turn(say.call("append", {"text": "x"})), say.failure(404)]
    assert desk.run().outcome == "model_failed"
    desk.settings = desk.settings.model_copy(update={"name": "the-right-name"})
    desk.model.answers = [*desk.model.answers, say.turn(say.call("submit", {"summary": "s"}))]
    assert desk.run().outcome == "passed"


def test_an_incomplete_answer_stays_on_record(desk, say):
    desk.model.answers = [say.turn(say="half", finish="length")]
    desk.run()
    assert desk.run().outcome == "incomplete_answer"
    assert len(desk.model.requests) == 1


def test_a_stop_before_the_first_call_parks_and_leaves_a_journal_to_resume(desk, say):
    from crews.specialist import work

    desk.line.gated = [say.gated(True)]
    desk.model.answers = [say.turn(say.call("submit", {"summary": "s"}))]
    assignment, attempt, context, registry = desk.open()
    attempt.stop.ask("parked")
    from crews.conversation import hold

    assert hold(assignment, attempt, context, registry).outcome == "parked"
    attempt.journal.close()
    assert desk.model.requests == []
    assert read_records(desk.folder / "journal.jsonl") == ()
    assignment, attempt, context, registry = desk.open()
    assert work(assignment, attempt, context, registry).outcome == "passed"
    attempt.journal.close()


def test_two_conversations_never_share_a_journal(desk, say):
    desk.model.answers = [say.turn(say.call("look")), say.failure(401)]
    desk.run()
    _, attempt, *_ = desk.open()
    with pytest.raises(JournalDiverged):
        attempt.exchange("model", {"something": "else"}, dict)
    attempt.journal.close()
