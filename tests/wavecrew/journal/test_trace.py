from __future__ import annotations

import json

import pytest

from wavecrew.journal.attempt import AttemptJournal
from wavecrew.journal.trace import JournalUnreadable, read_trace

ANSWER = {
    "say": "I look.",
    "calls": [{"id": "c1", "name": "look", "arguments": "{}"}],
    "finish": "tool_calls",
    "usage": {"total": 7},
}
SEEN = {"text": "nothing", "ok": True, "mutated": False}


@pytest.fixture
def path(tmp_path):
    """A journal of one turn, cut off while the second was asked for."""
    journal = AttemptJournal.open(tmp_path / "journal.jsonl")
    journal.exchange("tool", {"tool": "start"}, lambda: {"snapshot": "a" * 40})
    journal.exchange("model", {"n": 1, "opening": []}, lambda: ANSWER, {"schemas": [{"x": 1}]})
    journal.exchange("tool", {"tool": "look", "arguments": "{}"}, lambda: SEEN)
    with pytest.raises(OSError, match="gone"):
        journal.exchange("model", {"n": 2}, _gone)
    journal.close()
    return journal.path


def _gone():
    raise OSError("gone")


def test_exchanges_are_numbered_and_what_stands_beside_is_there(path):
    trace = read_trace(path)
    assert [(x.number, x.kind) for x in trace.exchanges] == [(1, "tool"), (2, "model"), (3, "tool")]
    assert trace.exchanges[1].beside == {"schemas": [{"x": 1}]}
    assert trace.unanswered == {"n": 2}
    assert not trace.torn


def test_what_stands_beside_a_request_is_no_part_of_it(path):
    journal = AttemptJournal.open(path)
    journal.exchange("tool", {"tool": "start"}, _gone)
    assert journal.exchange("model", {"n": 1, "opening": []}, _gone) == ANSWER
    journal.close()


def test_a_turn_has_its_results_and_the_start_belongs_to_none(path):
    (turn,) = read_trace(path).turns()
    assert (turn.number, turn.say, turn.tokens) == (1, "I look.", 7)
    assert [result.request["tool"] for result in turn.results] == ["look"]


def test_a_resume_shows_at_the_exchange_that_follows_it(path):
    journal = AttemptJournal.open(path)
    journal.mark_restored()
    journal.close()
    again = AttemptJournal.open(path)
    for request in ({"tool": "start"}, {"tool": "look", "arguments": "{}"}):
        kind = "tool"
        again.exchange(kind, request, _gone)
        if request == {"tool": "start"}:
            again.exchange("model", {"n": 1, "opening": []}, _gone)
    again.exchange("model", {"n": 2}, lambda: ANSWER | {"calls": []})
    again.close()
    assert [x.restored for x in read_trace(path).exchanges] == [False, False, False, True]


def test_a_torn_last_line_is_left_out(path):
    with path.open("ab") as file:
        file.write(b'{"record": "rep')
    trace = read_trace(path)
    assert trace.torn
    assert len(trace.exchanges) == 3


@pytest.mark.parametrize(
    "spoil",
    [
        lambda r: r.pop("digest"),
        lambda r: r.update(reply=None),
        lambda r: r["reply"].update(say=5),
        lambda r: r["reply"].update(calls=[{"id": "x"}]),
        lambda r: r["reply"].pop("usage"),
        lambda r: r.update(record="guess"),
        lambda r: r.update(digest="0" * 64),
    ],
)
def test_a_record_with_other_parts_is_an_error_with_its_line(path, spoil):
    records = [json.loads(line) for line in path.read_text().splitlines()]
    spoil(records[3])
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    with pytest.raises(JournalUnreadable) as error:
        read_trace(path)
    assert error.value.where == f"{path}:4"
    assert error.value.exit_code == 2


def test_a_missing_journal_is_an_error(tmp_path):
    with pytest.raises(JournalUnreadable, match="cannot be read"):
        read_trace(tmp_path / "journal.jsonl")
