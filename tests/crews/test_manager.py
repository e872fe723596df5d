from __future__ import annotations

import pytest

from crews.manager import decide
from wavecrew.errors import PlanError


@pytest.fixture
def manager(desk):
    desk.role = desk.role.model_copy(update={"manager": True, "tools": ("look", "report")})
    desk.assignment_changes = {"kind": "sync", "subject": "after-wave-1", "task": None}
    return desk


def _decide(desk):
    assignment, attempt, context, registry = desk.open()
    try:
        return decide(assignment, attempt, context, registry)
    finally:
        attempt.journal.close()


def test_a_sync_point_ends_with_the_report_and_snaps_no_workspace(manager, say):
    manager.model.answers = [
        say.turn(say.call("look")),
        say.turn(say.call("report", {"summary": "all green"})),
    ]
    outcome = _decide(manager)
    assert (outcome.outcome, outcome.last_snapshot) == ("passed", "")
    system = manager.model.requests[0]["messages"][0]["content"]
    assert "You change no code" in system
    assert len(manager.model.requests) == 2


def test_prose_is_nudged_towards_the_report(manager, say):
    manager.model.answers = [
        say.turn(say="Everything is fine."),
        say.turn(say.call("report", {"summary": "fine"})),
    ]
    assert _decide(manager).outcome == "passed"
    assert "`report`" in manager.model.requests[1]["messages"][-1]["content"]


def test_a_decision_is_replayed_without_a_call(manager, say):
    manager.model.answers = [say.turn(say.call("report", {"summary": "fine"}))]
    _decide(manager)
    assert _decide(manager).outcome == "passed"
    assert len(manager.model.requests) == 1


def test_a_specialist_cannot_hold_a_sync_point(desk):
    desk.assignment_changes = {"kind": "sync", "subject": "after-wave-1", "task": None}
    with pytest.raises(PlanError, match="is no manager"):
        _decide(desk)
