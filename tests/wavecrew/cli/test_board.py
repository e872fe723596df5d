"""The board is drawn from the state alone, at any width, in any terminal."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from wavecrew.cli.board import render, waits_for
from wavecrew.cli.phases import bar
from wavecrew.cli.sheet import can_show_board, says_ascii_only
from wavecrew.cli.status import status_text
from wavecrew.journal import events as e
from wavecrew.journal.state import RunState, fold
from wavecrew.journal.tasks import Collision, TaskState
from wavecrew.plan.settings import Budget

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


@pytest.fixture
def now():
    return NOW


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_board_of_a_run_in_the_middle(golden, middle, now, width, screen):
    golden(f"board-{width}.txt", screen(render(middle, width, now), width))


def test_the_board_in_plain_ascii(golden, middle, now, screen):
    text = screen(render(middle, 80, now), 80, encoding="ascii")
    assert text.isascii()
    assert "7.1 Pr?fung und" in text
    golden("board-80-ascii.txt", text)


def test_the_board_of_a_run_that_has_just_started(golden, fresh, now, screen):
    golden("board-fresh-80.txt", screen(render(fresh, 80, now), 80))


@pytest.mark.parametrize("height", [24, 40])
def test_a_large_board_is_fitted_to_the_height_of_the_terminal(golden, large, now, height, screen):
    text = screen(render(large, 80, now, height=height), 80)
    assert len(text.splitlines()) <= height
    assert "Active Agents: 10/10" in text
    assert "35 tasks)" in text
    golden(f"board-large-80x{height}.txt", text)


@pytest.mark.parametrize("width", range(60, 201, 7))
def test_no_line_is_wider_than_the_terminal(middle, whole, large, now, width, screen):
    for state in (middle, whole, large, RunState()):
        for encoding in ("ascii", "utf-8"):
            drawn = screen(render(state, width, now), 1000, encoding)
            assert max(map(cell_len, drawn.splitlines())) <= width


def test_the_counts_are_those_of_the_state(middle, now, screen):
    text = screen(render(middle, 120, now, budget=Budget(tokens=2_000_000)), 120)
    assert "Overall: ███░░░░░░░  30% (3/10 tasks)" in text
    assert "Active Agents: 2/7" in text
    assert "Tasks In Progress: 2" in text
    assert "Tasks Completed: 3" in text
    assert "Tasks Remaining: 5" in text
    assert "Budget: 1.2M of 2M tokens   3 model calls" in text


def test_what_an_agent_writes_cannot_steer_the_terminal(middle, now, screen):
    evil = "\x1b[2J\x1b]0;owned\x07\r\u202e\u200bx[bold red]\n"
    middle.messages.append(evil)
    middle.notes.append(("1.4", evil))
    for task in middle.tasks.values():
        task.last = task.title = task.changed_reason = evil
    middle.plan = middle.syncs["integration"].title = evil
    text = screen(render(middle, 200, now), 200)
    assert all(letter.isprintable() for line in text.splitlines() for letter in line)
    assert "x[bold red]" in text


def test_no_colour_is_sent_where_none_is_wanted(middle, now):
    def sent(**variables: str) -> str:
        file = io.StringIO()
        environ = {"TERM": "xterm-256color", **variables}
        console = Console(file=file, width=80, force_terminal=True, _environ=environ)
        console.print(render(middle, 80, now))
        return file.getvalue()

    colour = re.compile(r"\x1b\[[0-9;]*3[0-7]")
    assert colour.search(sent())
    assert not colour.search(sent(NO_COLOR="1"))
    assert "\x1b" not in sent(TERM="dumb")


def test_a_terminal_says_what_it_can_show():
    latin = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    assert says_ascii_only(Console(file=latin))
    assert not says_ascii_only(Console(file=io.TextIOWrapper(io.BytesIO(), encoding="utf-8")))
    assert not can_show_board(Console(file=io.StringIO()))
    assert can_show_board(Console(force_terminal=True, _environ={"TERM": "xterm"}))
    assert not can_show_board(Console(force_terminal=True, _environ={"TERM": "dumb"}))


def test_the_time_may_come_as_the_text_that_events_carry(middle, now, screen):
    text = now.isoformat().replace("+00:00", "Z")
    assert screen(render(middle, 80, text), 80) == screen(render(middle, 80, now), 80)


@given(st.integers(0, 500), st.integers(0, 500))
def test_a_bar_is_full_only_when_all_is_done(done, total):
    done = min(done, total)
    text = bar(done, total)
    assert ("100%" in text) == (text.count("█") == 10) == (0 < total == done)
    assert text.count("█") + text.count("░") == 10


def test_a_waiting_task_says_what_it_waits_for(middle):
    assert waits_for(middle, middle.tasks["2.1"]) == "1.4, sync point after-wave-1"
    assert waits_for(middle, middle.tasks["2.2"]) == "2.1, sync point after-wave-1"
    assert waits_for(middle, middle.tasks["3.3"]) == "an agent"
    middle.tasks["3.2"].status = "running"
    assert waits_for(middle, middle.tasks["3.3"]) == "learning to be free"
    middle.tasks["3.2"].status = "blocked"
    middle.tasks["3.3"].depends_on.append("3.2")
    assert waits_for(middle, middle.tasks["3.3"]) == "3.2 (blocked)"


def test_a_task_sent_back_waits_for_its_rework(make_log):
    task = {"id": "1", "title": "One", "role": "r"}
    run = e.RunStarted("p", "b", "i", "m", False, "none", [task], [], ["r"])
    red = e.MergeFinished("1", 1, "red", "", "", [], "2 tests fail on the merged tree", "")
    state = fold(make_log([run, e.TaskStarted("1", 1, "r", "b", [], None), red]))
    assert waits_for(state, state.tasks["1"]) == "rework: 2 tests fail on the merged tree"


def test_foreseen_collisions_stand_on_the_board_and_in_the_status(middle, now, screen):
    middle.collisions = [Collision("1.3", "1.4", ["discovery/models/raw.py"], [])]
    told = "1.3 and 1.4 collide: discovery/models/raw.py"
    assert told in screen(render(middle, 80, now), 80)
    assert f"Foreseen: {told}" in status_text(middle)


def test_tasks_without_phase_and_group_stand_under_their_wave_and_role(fresh, now, screen):
    fresh.tasks = {"1": TaskState("1", "One", "writer", wave="first")}
    text = screen(render(fresh, 80, now), 80)
    assert "Wave first\n└── writer:" in text
