"""The closing report says what landed, what did not and why, and where the work stands."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from wavecrew.cli.closing import summary
from wavecrew.journal.state import RunState


@pytest.mark.parametrize("width", [80, 120])
def test_the_report_of_a_run_that_did_not_make_it(golden, whole, width, screen):
    golden(f"closing-{width}.txt", screen(summary(whole), width))


def test_the_report_in_plain_ascii(golden, whole, screen):
    text = screen(summary(whole), 80, encoding="ascii")
    assert text.isascii()
    golden("closing-80-ascii.txt", text)


def test_a_long_reason_is_told_in_full(whole, screen):
    reason = " ".join(f"word{number}" for number in range(60))
    whole.tasks["2.1"].changed_reason = reason
    text = screen(summary(whole), 60)
    assert reason in " ".join(text.split())
    assert max(map(cell_len, text.splitlines())) <= 60


def test_what_never_started_is_told_as_not_merged(whole, screen):
    text = screen(summary(whole), 100)
    assert "Not merged\n  2.2  Implement Merge Strategies" in text
    assert "waits for 2.2" in text


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ("done", "everything is merged"),
        ("paused", "goes on where it stopped"),
        ("task_failed", "did not pass its gate"),
        ("integration_red", "stays closed"),
        ("conflict", "could not be reconciled"),
        ("limit_reached", "the work so far is kept"),
        ("something_new", "something_new"),
        ("", "still running"),
    ],
)
def test_every_outcome_has_a_sentence(whole, outcome, words, screen):
    whole.outcome = outcome
    assert words in screen(summary(whole), 100)


def test_a_run_without_events_has_a_report_too(screen):
    assert "0 of 0 tasks merged" in screen(summary(RunState()), 100)
