"""A run in lines: one for each event a person wants, the plan's messages among them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavecrew.cli import lines
from wavecrew.cli.lines import clean, clock, cost, count, elapsed, money, plain_line, provider
from wavecrew.journal import events as e
from wavecrew.journal.state import fold


def test_a_whole_run_in_lines(golden, whole_log, whole):
    titles = {task.id: task.title for task in whole.tasks.values()}
    told = [plain_line(event, titles) for event in whole_log]
    golden("lines.txt", "".join(f"{line}\n" for line in told if line is not None))


def test_the_start_message_is_the_plan_s_own(make_log):
    fact = e.TaskStarted("2.1", 1, "flow", "b", ["1.1", "1.4"], 8, "")
    assert plain_line(make_log([fact])[0], {"2.1": "Update"}) == (
        "09:00:00 Task Start Message: Agent ID: flow | Starting Task: 2.1 - Update | "
        "Dependencies Verified: 1.1, 1.4 | Estimated Completion: 8 h"
    )


def test_the_completion_message_is_the_plan_s_own(make_log):
    fact = e.TaskCompleted("2.1", "flow", "42 passed", ["2.2"], "2.5", "c")
    assert plain_line(make_log([fact])[0]) == (
        "09:00:00 Task Completion Message: Agent ID: flow | Completed Task: 2.1 | "
        "Test Results: 42 passed | Unblocks Tasks: 2.2 | Next Task: 2.5"
    )


def test_every_kind_of_event_has_a_line_or_is_left_out_on_purpose():
    assert set(lines._LINES) == set(e.FACTS.values())


def test_steps_and_passed_attempts_make_no_line(make_log):
    quiet = [e.AgentStep("1", 1, 1, "model", "x"), e.AttemptEnded("1", 1, "passed", "")]
    assert [plain_line(event) for event in make_log(quiet)] == [None, None]


@given(st.text())
def test_a_line_is_one_printable_line_whatever_an_agent_says(text):
    event = e.Event(
        1, "i", "r", "2026-03-02T09:00:00.000+00:00", "k", e.NotePosted("1", 1, 1, text)
    )
    line = plain_line(event)
    assert line is not None
    assert line.isprintable()
    assert clean(clean(text)) == clean(text)


@pytest.mark.parametrize(
    ("number", "told"), [(0, "0"), (999, "999"), (1000, "1k"), (12_390, "12.3k"), (2_000_000, "2M")]
)
def test_counts_are_short(number, told):
    assert count(number) == told


def test_clocks_count_hours_when_there_are_some():
    assert [clock(s) for s in (-1, 59, 61, 3723)] == ["0:00", "0:59", "1:01", "1:02:03"]
    assert elapsed("2026-03-02T09:00:00.000Z", "2026-03-02T09:01:00.500+00:00") == "1:00"
    assert elapsed("", "2026-03-02T09:01:00Z") == ""


def test_lines_need_neither_rich_nor_pydantic():
    code = (
        "import sys, wavecrew.cli.lines, wavecrew.journal.state;"
        "print({'rich', 'pydantic', 'ruamel'} & {name.partition('.')[0] for name in sys.modules})"
    )
    root = str(Path(__file__).parents[3])
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env={"PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.stdout.strip() == "set()", done.stderr


def test_the_merge_queue_is_told_in_lines(make_log):
    halved = e.TreeTested(["1", "2", "3"], "b" * 40, "7" * 40, "fail", {}, "reports/x.json")
    alone = e.TreeTested(["1"], "b" * 40, "7" * 40, "pass", {}, "reports/x.json")
    landed = e.MergeFinished("2", 1, "merged", "7" * 40, "c" * 40, [], "", "r", ["1", "2"])
    queued = [e.LandingQueued("1", 1, "c" * 40), e.LandingQueued("1", 1, "c" * 40, 1)]
    told = [plain_line(event) for event in make_log([halved, alone, landed, *queued])]
    assert [line and line[9:] for line in told] == [
        "1, 2 and 3 tested as one tree 7777777777: fail; it is halved to find the culprit",
        None,
        "2 landed as cccccccccc, tested together with 1",
        None,
        "1 is back in the merge queue",
    ]


def test_foreseen_collisions_are_told_in_a_line(make_log):
    pairs = [
        {"one": "1", "other": "2", "paths": ["a.py"], "symbols": ["b.run"]},
        {"one": "", "other": "3", "paths": ["c.py"], "symbols": []},
    ]
    facts = [e.ConflictForecast("1", 1, 1, pairs), e.ConflictForecast("1", 1, 2, [])]
    some, none = (plain_line(event) for event in make_log(facts))
    assert some is not None
    assert some.endswith(
        "Foreseen: 1 and 2 collide: a.py, b.run; 3 collides with what has landed: c.py"
    )
    assert none is not None
    assert none.endswith("No branch is foreseen to collide any more")


def busy(limit: int, next_at: str, why: str, is_down: bool = False) -> e.ProviderChanged:
    return e.ProviderChanged(1, limit, 10, is_down, why, next_at, 30, 4, 1)


def test_a_busy_provider_is_told_with_what_still_goes_and_when(make_log):
    log = make_log([busy(3, "2026-03-02T09:00:20Z", "HTTP 429")])
    assert provider(fold(log), "2026-03-02T09:00:08Z") == (
        "provider busy: 3 of 10 calls at once, next try in 12 s (HTTP 429)"
    )
    assert plain_line(log[0]) == (
        "09:00:00 Provider 3 of 10 calls at once: HTTP 429 "
        "(30 requests so far, 4 were answered 429, 1 failed)"
    )


def test_a_provider_that_is_down_is_said_to_be_probed(make_log):
    state = fold(make_log([busy(1, "", "connection refused", is_down=True)]))
    told = provider(state, "2026-03-02T09:00:08Z")
    assert told == "provider down, probed by one call at a time (connection refused)"


def test_a_change_that_was_overtaken_by_a_newer_one_says_nothing(make_log):
    newer = e.ProviderChanged(2, 10, 10, False, "", "", 30, 4, 1)
    assert provider(fold(make_log([newer, busy(3, "", "HTTP 429")])), "2026-03-02T09:00:08Z") == ""


def test_a_provider_without_trouble_is_not_told(make_log):
    assert provider(fold(make_log([busy(10, "", "")])), "2026-03-02T09:00:08Z") == ""
    assert provider(fold(()), "2026-03-02T09:00:08Z") == ""


@pytest.mark.parametrize(
    ("usd", "told"),
    [(0, "0 USD"), (0.00421, "0.0042 USD"), (1.254, "1.25 USD"), (130.4, "130 USD")],
)
def test_money_is_as_exact_as_it_is_small(usd, told):
    assert money(usd) == told


def test_a_rehearsal_says_that_it_costs_nothing(whole):
    assert cost(whole) == "0 USD (rehearsal)"
