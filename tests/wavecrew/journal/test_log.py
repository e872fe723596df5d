"""The event log writes each fact once, in order, and everyone folds the same state from it."""

from __future__ import annotations

import dataclasses
import threading
import typing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavecrew.journal import events as e
from wavecrew.journal.log import SqliteEventLog
from wavecrew.journal.state import RunState, apply, fold


def started() -> e.RunStarted:
    return e.RunStarted(
        plan="p",
        base="b0",
        integration="refs/heads/wavecrew/r/integration",
        model="m",
        rehearsal=False,
        sandbox="bubblewrap",
        tasks=[
            {
                "id": "1.1",
                "title": "One",
                "role": "a",
                "wave": "1",
                "phase": "",
                "group": "",
                "estimate_h": 2.0,
                "depends_on": [],
            }
        ],
        sync_points=[{"id": "s", "title": "S", "after": ["1.1"], "holds": []}],
        roles=["a"],
    )


def task_story() -> list[e.Fact]:
    return [
        started(),
        e.TaskStarted("1.1", 1, "a", "b0", [], 2.0),
        e.AgentStep("1.1", 1, 1, "model", "calls write_file", 120),
        e.GateFinished("1.1", 1, 1, "fail", ["red_tests"], "t1", "", 3, 1, "done", "r1"),
        e.GateFinished("1.1", 1, 2, "pass", [], "t2", "c2", 4, 0, "done", "r2"),
        e.AttemptEnded("1.1", 1, "passed", "", 4, 480, "refs/heads/wavecrew/r/1.1"),
        e.MergeFinished("1.1", 1, "merged", "t3", "c3", [], "", "r3"),
        e.TaskCompleted("1.1", "a", "Pass (4 passed)", [], "Awaiting Assignment", "c3"),
        e.SyncOpened("s", "t3", 4, "r4"),
        e.RunFinished("done", 0, 1, 1, "c3"),
    ]


def test_a_fact_is_written_once_however_often_it_is_appended(tmp_path: Path) -> None:
    log = SqliteEventLog(tmp_path / "events.db", "r")
    first = [log.append(fact) for fact in task_story()]
    again = [log.append(fact) for fact in task_story()]
    assert [event.seq for event in first if event] == list(range(1, 11))
    assert again == [None] * 10
    assert log.has("gate_finished/1.1/1/2")
    log.close()


def test_the_state_is_the_same_from_the_file_and_event_by_event(tmp_path: Path) -> None:
    log = SqliteEventLog(tmp_path / "events.db", "r")
    live = RunState()
    log.on_append = lambda event: apply(live, event)
    for fact in task_story():
        log.append(fact)
    log.close()
    reader = SqliteEventLog(tmp_path / "events.db", "r", read_only=True)
    state = fold(reader.read())
    reader.close()
    assert state == live
    assert state.merged == {"1.1"}
    assert state.open_syncs == {"s"}
    assert (state.outcome, state.exit_code, state.tip) == ("done", 0, "c3")
    assert (state.tokens, state.model_calls) == (120, 1)
    assert state.tasks["1.1"].summary == "done"


@pytest.mark.parametrize("fact_type", e.FACTS.values(), ids=e.FACTS)
def test_every_kind_of_fact_has_a_fold_and_key_fields_of_its_own(fact_type: type[e.Fact]) -> None:
    from wavecrew.journal import state

    names = {field.name for field in dataclasses.fields(fact_type)}
    assert set(fact_type.key) <= names
    assert fact_type in state._FOLDS


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5)


@given(data=st.data(), kind=st.sampled_from(sorted(e.FACTS)))
def test_every_fact_comes_back_from_json_as_it_went(data: st.DataObject, kind: str) -> None:
    cls = e.FACTS[kind]
    hints = typing.get_type_hints(cls)
    values = {
        field.name: data.draw(st.from_type(hints[field.name]))
        if hints[field.name] in (str, int, bool)
        else data.draw(JSON)
        for field in dataclasses.fields(cls)
    }
    fact = cls(**values)
    assert e.fact_from_json(kind, dataclasses.asdict(fact)) == fact
    assert e.id_of(fact).startswith(kind)


def test_a_branch_that_lands_later_is_told_beside_its_red_landing(tmp_path: Path) -> None:
    log = SqliteEventLog(tmp_path / "events.db", "r")
    log.append(e.MergeFinished("1.1", 1, "red", "t1", "", [], "", "r1"))
    assert log.append(e.MergeFinished("1.1", 1, "merged", "t2", "c2", [], "", "r1"))
    assert log.append(e.MergeFinished("1.1", 1, "merged", "t2", "c2", [], "", "r1")) is None


def test_a_task_that_was_sent_back_completes_again(tmp_path: Path) -> None:
    log = SqliteEventLog(tmp_path / "events.db", "r")
    for commit in ("c1", "c2", "c2"):
        log.append(e.TaskCompleted("1.1", "a", "Pass", [], "Awaiting Assignment", commit))
    assert [event.seq for event in log.read()] == [1, 2]


def test_facts_that_come_while_the_disk_is_busy_are_written_together(tmp_path: Path) -> None:
    """The first writer is held in its write until all others wait; then one commit serves all."""
    log = SqliteEventLog(tmp_path / "events.db", "r")
    seen: list[int] = []
    held, free = threading.Event(), threading.Event()

    def listen(event: e.Event) -> None:
        seen.append(event.seq)
        held.set()
        assert free.wait(10)

    log.on_append = listen
    commits: list[str] = []
    log._db.set_trace_callback(lambda said: commits.append(said) if said == "COMMIT" else None)
    steps = [e.AgentStep("1.1", 1, number, "model", "thinks") for number in range(8)]
    events: list[e.Event | None] = []

    def append(step: e.AgentStep) -> None:
        events.append(log.append(step))

    twice = [*steps, steps[3]]
    threads = [threading.Thread(target=append, args=(step,)) for step in twice]
    threads[0].start()
    assert held.wait(10)
    for thread in threads[1:]:
        thread.start()
    while len(log._waiting) < 8:
        threading.Event().wait(0.001)
    free.set()
    for thread in threads:
        thread.join()
    assert len(commits) == 2
    assert seen == list(range(1, 9))
    assert [event.seq for event in log.read()] == seen
    assert sorted(event.seq for event in events if event) == seen
    assert events.count(None) == 1
    log.close()


def test_a_listener_that_fails_is_told_to_whoever_appended(tmp_path: Path) -> None:
    log = SqliteEventLog(tmp_path / "events.db", "r")

    def listen(event: e.Event) -> None:
        raise LookupError(event.id)

    log.on_append = listen
    with pytest.raises(LookupError):
        log.append(e.AgentStep("1.1", 1, 1, "model", "thinks"))
    log.on_append = lambda event: None
    assert log.append(e.AgentStep("1.1", 1, 2, "model", "thinks")) is not None
    assert [event.seq for event in log.read()] == [1, 2]
    log.close()


def test_what_an_agent_wrote_may_be_no_text(tmp_path: Path) -> None:
    log = SqliteEventLog(tmp_path / "events.db", "r")
    fact = e.AgentStep("1.1", 1, 1, "model", "\udce4")
    log.append(fact)
    assert [event.fact for event in log.read()] == [fact]
    log.close()
