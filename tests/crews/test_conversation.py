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
