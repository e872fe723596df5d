from __future__ import annotations

from crews.assignment import first_message
from crews.character import system_text
from wavecrew.plan.model import Contract
from wavecrew.plan.settings import Check
from wavecrew.run.wire import DependencyResult, Rework


def _message(desk, **changes) -> str:
    desk.assignment_changes = changes
    return first_message(desk.assignment)


def test_the_first_line_names_the_conversation(desk):
    assert _message(desk).splitlines()[0] == "Conversation: task/1.1/1"
    triage = _message(desk, kind="triage", subject="1.4", attempt=2)
    assert triage.splitlines()[0] == "Conversation: triage/1.4/2"
    sync = _message(desk, kind="sync", subject="after-wave-1", task=None, attempt=3)
    assert sync.splitlines()[0] == "Conversation: sync/after-wave-1/3"
    assert desk.assignment.conversation == "sync/after-wave-1/3"


def test_braces_and_tool_names_reach_the_model_as_they_are_written(desk, say):
    desk.line.gated = [say.gated(True)]
    desk.model.answers = [say.turn(say.call("submit", {"summary": "s"}))]
    desk.run()
    system, user = desk.model.requests[0]["messages"]
    assert desk.task.description in user["content"]
    assert user["content"].startswith("Conversation: task/1.1/1\n")
    assert user["content"] == first_message(desk.assignment)
    assert system["content"] == system_text(desk.role)
    assert "You know {tools}." in system["content"]
    assert "Write {input} well" in system["content"]


def test_a_task_is_told_all_that_it_needs(desk):
    desk.task = desk.task.model_copy(
        update={
            "provides": (
                Contract(symbol="app.store.Store.get", signature="(self, key: str) -> str"),
            ),
            "consumes": (Contract(symbol="app.base.Base"),),
            "done_when": ("python -m app --self-test",),
        }
    )
    text = _message(
        desk,
        dependencies=(
            DependencyResult(
                id="1.0", title="Base", summary="Base stands.", commit="c", changed=("app/base.py",)
            ),
        ),
        scope=(("app/**", "tests/**"), ("app/store.py",)),
        checks=(Check(name="unit", run="python -m pytest -q", kind="pytest"),),
    )
    for part in (
        "Task 1.1: A text",
        "Expected output: The {text}.",
        "- 1.0 Base: Base stands. Changed: app/base.py.",
        "- app.store.Store.get(self, key: str) -> str",
        "- app.base.Base",
        "You may write only: app/**, tests/**; and of these only: app/store.py",
        "- unit: `python -m pytest -q`",
        "- `python -m app --self-test`",
    ):
        assert part in text


def test_a_long_list_of_changes_is_counted(desk):
    changed = tuple(f"f{n}.py" for n in range(40))
    text = _message(
        desk,
        dependencies=(
            DependencyResult(id="1", title="t", summary="s", commit="c", changed=changed),
        ),
    )
    assert "f11.py and 28 more." in text
    assert "f12.py" not in text


def test_rework_comes_with_its_reason_and_its_evidence(desk):
    text = _message(
        desk,
        attempt=2,
        rework=Rework(
            kind="conflict",
            reason="app.py conflicts",
            by="merge queue",
            log="<<<<<<< ours",
            theirs="1.2 renames it",
        ),
    )
    assert (
        "This is attempt 2: the branch conflicts with what landed meanwhile (by merge queue)."
        in text
    )
    assert "Your earlier branch wanted" not in text
    assert text.endswith("The other side wanted:\n1.2 renames it\n\nEvidence:\n<<<<<<< ours")


def test_a_conflict_tells_both_intents_and_where_both_sides_stand(desk):
    text = _message(
        desk,
        attempt=2,
        rework=Rework(
            kind="conflict",
            reason="app.py conflicts",
            ours="1.1 Models: adds a name",
            theirs="1.2 Tables: renames it",
            base="b" * 40,
            tip="c" * 40,
            log="<<<<<<< integration",
        ),
    )
    assert "Your earlier branch wanted:\n1.1 Models: adds a name" in text
    assert "The other side wanted:\n1.2 Tables: renames it" in text
    assert f"`git diff {'b' * 12} {'c' * 12}` shows all it changed" in text
    assert text.endswith("Evidence:\n<<<<<<< integration")


def test_an_attempt_after_one_that_ended_early_is_told_where_its_work_stands(desk):
    rework = Rework(
        kind="ended", reason="stalled: no news", earlier="e" * 40, base="b" * 40, log="M app.py"
    )
    text = _message(desk, attempt=2, rework=rework)
    assert "This is attempt 2: the last attempt ended early (by engine).\nstalled: no news" in text
    assert f"`git diff {'b' * 12} {'e' * 12}` shows it" in text
    assert f"`git checkout {'e' * 12} -- PATH`" in text
    assert text.endswith("Evidence:\nM app.py")


def test_who_may_write_nothing_is_told_so(desk):
    assert "You may write nothing." in _message(desk, scope=())


def test_a_task_without_checks_still_says_what_done_is(desk):
    text = _message(desk, checks=())
    assert "what you provide is there." in text
    assert "pass:" not in text


def test_the_manager_is_told_what_happened_and_that_evidence_decides(desk):
    text = _message(desk, kind="triage", brief="tests/test_a.py::test_x fails.")
    assert "landing of task 1.1 (A text) went red" in text
    assert "tests/test_a.py::test_x fails." in text
    assert "Red evidence keeps" in text


def test_skills_are_part_of_who_an_agent_is(desk):
    role = desk.role.model_copy(update={"skills": ("SQL", "Alembic")})
    assert "Skills: SQL, Alembic." in system_text(role)
