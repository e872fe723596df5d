"""`wavecrew journal`: the trace a person reads, and the way back to a rehearsal."""

from __future__ import annotations

import json
import shutil

import pytest

from wavecrew.rehearsal.script import load

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_the_trace_shows_what_was_said_called_and_answered(recorded):
    done = recorded.wavecrew("journal", "show", "r1", "1.3", f"--repo={recorded.repo}")
    assert done.code == 0, done.err
    assert "Conversation: task/1.3/1" in done.out
    assert "First I think." in done.out
    assert "-> write_file" in done.out
    assert "did not work" in done.out
    assert "--full shows them" in done.out
    assert "tokens in all" in done.out


def test_an_earlier_attempt_is_shown_when_it_is_named(recorded):
    one, two = (
        recorded.wavecrew("journal", "show", "r1", "1.2", f"--repo={recorded.repo}", *more).out
        for more in (["--attempt", "1"], [])
    )
    assert "I take my time." in one
    assert "I take my time." not in two
    assert "Conversation: task/1.2/2" in two


def test_the_trace_is_there_as_json(recorded):
    done = recorded.wavecrew(
        "journal", "show", "r1", "sync/end", f"--repo={recorded.repo}", "--json"
    )
    data = json.loads(done.out)
    assert [call["name"] for turn in data["turns"] for call in turn["calls"]] == [
        "run_integration",
        "report",
    ]
    assert data["tokens"] == sum(turn["usage"]["total"] for turn in data["turns"])


def test_an_attempt_that_is_not_there_is_an_error_that_says_what_is(recorded):
    missing = recorded.wavecrew("journal", "show", "r1", "8.8", f"--repo={recorded.repo}")
    assert missing.code == 2
    assert "1.1, 1.2, 1.3, sync-end" in missing.err
    late = recorded.wavecrew(
        "journal", "show", "r1", "1.2", f"--repo={recorded.repo}", "--attempt", "3"
    )
    assert late.code == 2
    assert "[1, 2]" in late.err


def test_an_exported_run_plays_to_the_same_tree_in_a_fresh_copy(recorded, new_house, words):
    fresh = new_house({})
    shutil.copy(recorded.root / "agents.yaml", fresh.root)
    shutil.copy(recorded.root / "tasks.yaml", fresh.root)
    out = fresh.root / "exported"
    exported = recorded.wavecrew(
        "journal", "export", "r1", f"--repo={recorded.repo}", f"--out={out}"
    )
    assert exported.code == 0, exported.err
    made = out / "files/task-1.3/1/calculator/three.py"
    assert made.read_text() == "def three():\n    return 4\n"
    script = (out / "task-1.2.yaml").read_text()
    (out / "task-1.2.yaml").write_text(
        script.replace("- say: I take", f"- latency_s: {words.wait_s}\n    say: I take")
    )
    done = fresh.wavecrew(*fresh.run_arguments("--json", rehearsal=out))
    assert done.code == 0, (done.out[-2000:], done.err[-2000:])
    tip = "wavecrew/r1/integration^{tree}"
    assert fresh.git("rev-parse", tip) == recorded.git("rev-parse", tip)


def test_one_task_is_exported_alone_and_never_over_something(recorded, tmp_path):
    out = tmp_path / "out"
    arguments = ("journal", "export", "r1", f"--repo={recorded.repo}", "--task=1.2", f"--out={out}")
    assert recorded.wavecrew(*arguments).code == 0
    rehearsal = load(out)
    assert list(rehearsal.conversations) == ["task/1.2"]
    assert list(rehearsal.conversations["task/1.2"].attempts) == [1, 2]
    again = recorded.wavecrew(*arguments)
    assert again.code == 2
    assert "not an empty folder" in again.err
