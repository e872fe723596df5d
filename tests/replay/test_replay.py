"""`wavecrew replay` on real recordings: the same bit for bit, or the first difference named."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import sqlite3
import time

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_a_run_is_the_same_bit_for_bit_and_nothing_is_written(house):
    before = house.bytes_of_repository()
    done = house.replay("--json")
    assert done.code == 0, (done.out, done.err)
    told = json.loads(done.out)["replayed"]
    assert told["attempts"] == 5  # 1.1, 1.2 twice, 1.3, the manager crew
    assert told["landings"] == 4  # one of them a conflict
    assert told["tool_calls"] == 15
    assert told["taken"] == 4  # board, contract, integration, report
    assert told["tokens"] > 1000
    assert house.bytes_of_repository() == before
    assert list(house.tmp.iterdir()) == []


def test_gates_run_again_and_come_to_the_same_verdicts(recorded):
    done = recorded.replay("--gates")
    assert done.code == 0, (done.out, done.err)
    assert "checks of sync point end" in done.err


def test_one_task_is_replayed_alone(recorded):
    done = recorded.replay("--task", "1.3", "--json")
    assert done.code == 0, (done.out, done.err)
    told = json.loads(done.out)["replayed"]
    assert (told["attempts"], told["landings"]) == (1, 1)


def test_a_task_that_was_never_at_work_is_an_error(recorded):
    done = recorded.replay("--task", "7.7")
    assert done.code == 2
    assert "'7.7'" in done.err


def test_a_torn_last_line_is_a_crash_and_no_difference(house):
    journal = house.journal("1.3")
    journal.write_bytes(journal.read_bytes()[:-20])
    done = house.replay("--task", "1.3")
    assert done.code == 0, (done.out, done.err)
    assert "torn line" in done.out


def test_an_edited_result_is_named_with_both_texts(house):
    records = house.records("1.3")
    reply = next(r for r in records if "three.py" in r.get("reply", {}).get("text", ""))
    edited = records.index(reply)
    reply["reply"]["text"] = reply["reply"]["text"].replace("three", "thirty")
    house.write_records(records, "1.3")
    found = house.diverged("--task", "1.3")
    number = sum(r["record"] == "reply" for r in records[: edited + 1])
    assert (found["kind"], found["subject"], found["attempt"]) == ("task", "1.3", 1)
    assert found["exchange"] == number
    assert "thirty" in found["expected"]
    assert "three" in found["came"]


def test_an_edited_answer_of_the_model_does_not_fit_what_was_called(house):
    records = house.records("1.1")
    reply = next(r for r in records if r["record"] == "reply" and r["kind"] == "model")
    reply["reply"]["calls"][0]["arguments"] = json.dumps({"path": "calculator/evil.py"})
    house.write_records(records, "1.1")
    found = house.diverged("--task", "1.1")
    assert found["exchange"] == 3
    assert "evil" in found["came"]


def test_an_edited_word_of_the_model_breaks_the_proof_of_the_next_request(house):
    records = house.records("1.3")
    said = next(r for r in records if r.get("reply", {}).get("say") == "First I think.")
    said["reply"]["say"] = "First I drink."
    house.write_records(records, "1.3")
    found = house.diverged("--task", "1.3")
    assert "request to the model" in found["what"]


def test_another_tree_than_the_recorded_one_is_named(house):
    records = house.records("1.1")
    reply = next(r for r in records if r.get("reply", {}).get("mutated"))
    reply["reply"]["snapshot"] = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    house.write_records(records, "1.1")
    found = house.diverged("--task", "1.1")
    assert found["what"] == "the tree after write_file"
    assert found["expected"].startswith("4b825dc")


def test_a_tool_of_another_version_is_named(house):
    records = house.records("1.1")
    asked = [r for r in records if r["record"] == "reply" and r["kind"] == "model"][-1]
    asked["reply"]["calls"][0]["name"] = "hand_in"
    called = [r for r in records if r["record"] == "intent" and r["kind"] == "tool"][-1]
    called["request"]["tool"] = "hand_in"
    house.write_records(records, "1.1")
    found = house.diverged("--task", "1.1")
    assert found["what"] == "the tool does not exist in this version"
    assert found["expected"] == "hand_in"


def test_another_landing_than_the_recorded_one_is_named(house):
    with sqlite3.connect(house.run_folder / "events.db") as log:
        row = log.execute(
            "select fact from events where id like 'merge_finished/1.1/1%'"
        ).fetchone()
        fact = json.loads(row[0]) | {"tree": "4b825dc642cb6eb9a060e54bf8d69288fbee4904"}
        log.execute(
            "update events set fact = ? where id like 'merge_finished/1.1/1%'", (json.dumps(fact),)
        )
    log.close()
    found = house.diverged("--task", "1.1")
    assert (found["kind"], found["what"]) == ("landing", "the merged tree")


def test_snapshots_that_are_gone_are_made_again(house):
    shutil.rmtree(house.run_folder / "mirror.git")
    for workspace in house.run_folder.glob("attempts/*/*/ws"):
        shutil.rmtree(workspace)
    done = house.replay()
    assert done.code == 0, (done.out, done.err)


def test_a_commit_that_is_gone_is_named(house):
    tip = house.git("rev-parse", "wavecrew/r1/integration")
    for ref in house.git("for-each-ref", "--format=%(refname)", "refs/heads/wavecrew").split():
        house.git("update-ref", "-d", ref)
    shutil.rmtree(house.run_folder / "mirror.git")
    house.git("prune", "--expire=now")
    done = house.replay("--task", "1.3")
    assert done.code == 2
    assert "in no object store any more" in done.err
    assert tip not in house.git("rev-list", "--all")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"record": "thought", "text": "hm"}', "'thought', which this version does not know"),
        ('{"record": "reply", "kind": "tool", "digest": "x", "reply": {}}', "without its request"),
        ("not json", "no record of a journal"),
        ("[]", "no record of a journal"),
        (
            '{"record": "intent", "kind": "tool", "digest": "x", "request": {}}',
            "the journal was edited",
        ),
    ],
)
def test_a_journal_that_is_not_as_it_was_written_is_an_error_with_its_line(house, line, words):
    journal = house.journal("1.1")
    count = len(journal.read_bytes().splitlines())
    with journal.open("a") as file:
        file.write(f"{line}\n")
    done = house.replay("--task", "1.1")
    assert done.code == 2
    assert words in done.err
    assert f"journal.jsonl:{count + 1}" in done.err


def test_a_run_that_is_not_there_is_an_error(recorded):
    done = recorded.wavecrew("replay", "r9", f"--repo={recorded.repo}")
    assert done.code == 2
    assert "known: r1" in done.err


def test_a_run_at_work_is_left_alone(house):
    descriptor = os.open(house.run_folder / "lock", os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        done = house.replay()
    finally:
        os.close(descriptor)
    assert done.code == 2
    assert "is at work" in done.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_replay_that_is_stopped_leaves_nothing_behind(house, number):
    before = house.bytes_of_repository()
    process = house.begin("replay", "r1", f"--repo={house.repo}")
    try:
        assert process.stderr is not None
        assert "task 1." in process.stderr.readline()
        assert list(house.tmp.iterdir())
        process.send_signal(number)
    finally:
        process.communicate(timeout=60)
    assert process.returncode in (130, -number)
    deadline = time.monotonic() + 40
    while list(house.tmp.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list(house.tmp.iterdir()) == []
    assert house.bytes_of_repository() == before


def test_a_killed_run_is_replayed_as_far_as_it_went_and_whole_when_it_was_resumed(new_house, words):
    slow = words.call("run_command", command="touch calculator/made.py; sleep 3")
    talk = [
        words.write("notes.tmp", "ignored by git"),
        *words.module("one", 1)[:1],
        slow,
        words.call("run_command", command="ls"),
        words.SUBMIT,
    ]
    house = new_house({"task/1.1": [talk]})
    process = house.begin(*house.run_arguments("--json"))
    try:
        journal = house.journal("1.1")
        deadline = time.monotonic() + 90
        while not (journal.exists() and b"sleep 3" in journal.read_bytes().splitlines()[-1]):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        process.kill()
        process.communicate()
    crashed = house.replay("--json")
    assert crashed.code == 0, (crashed.out, crashed.err)
    assert json.loads(crashed.out)["replayed"]["landings"] == 0

    resumed = house.wavecrew("run", f"--repo={house.repo}", "--resume", "--json")
    assert resumed.code == 0, (resumed.out[-2000:], resumed.err[-2000:])
    assert "restored" in [record["record"] for record in house.records("1.1")]
    whole = house.replay("--json")
    assert whole.code == 0, (whole.out, whole.err)
    assert json.loads(whole.out)["replayed"]["landings"] == 1
