"""`wavecrew demo`: wave 1 of the Discovery plan, from an empty folder to six proven merges."""

from __future__ import annotations

import filecmp
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from wavecrew.cli.demo import make_repository
from wavecrew.plan.locate import shipped

EXAMPLE = shipped("examples/discovery")
TASKS = ["1.1", "1.2", "1.3", "1.4", "1.5", "3.1"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def demo(stories, tmp_path_factory):
    story = stories("demo")
    story.repo = story.root / "discovery"
    done = story.finish(story.begin("demo", f"--keep={story.repo}"), within_s=580)
    tree = tmp_path_factory.mktemp("tip")
    archive = subprocess.run(
        ["git", "-C", story.repo, "archive", "wavecrew/r1/integration"],
        check=True,
        capture_output=True,
    )
    subprocess.run(["tar", "-x", "-C", tree], input=archive.stdout, check=True)
    return SimpleNamespace(story=story, done=done, tree=tree, left_over=story.left_over())


def test_all_is_merged_and_the_sync_point_is_open(demo):
    assert demo.done.code == 0, demo.done.err
    assert "6 of 6 tasks merged" in demo.done.out
    assert "Overall: ██████████ 100% (6/6 tasks)" in demo.done.out
    assert [e["sync"] for e in demo.story.events("sync_opened")] == ["after-wave-1"]


def test_six_merges_say_whose_they_are_and_on_what_evidence(demo):
    shown = demo.story.git(
        "log", "--first-parent", "--format=%P|%(trailers:separator=%x3B)", "main..wavecrew/r1/integration"
    ).splitlines()  # fmt: skip
    facts = [
        dict(part.split(": ", 1) for part in line.partition("|")[2].split(";")) for line in shown
    ]
    assert sorted(fact["Task-Id"] for fact in facts) == [f"r1/{task}" for task in TASKS]
    assert all(len(line.partition("|")[0].split()) == 2 for line in shown)
    for fact in facts:
        assert fact.keys() == {"Task-Id", "Attempt", "Role", "Evidence"}
        assert fact["Attempt"].isdecimal()
        assert fact["Evidence"].startswith("pass at tree ")


def test_what_landed_is_exactly_what_was_tested(demo):
    merges = [e for e in demo.story.events("merge_finished") if e["outcome"] == "merged"]
    assert len(merges) == 6
    for merge in merges:
        assert demo.story.git("rev-parse", f"{merge['commit']}^{{tree}}") == merge["tree"]
        evidence = demo.story.git(
            "log", "-1", "--format=%(trailers:key=Evidence,valueonly)", merge["commit"]
        )
        assert evidence == f"pass at tree {merge['tree']}"
        report = (demo.story.folder / merge["evidence"]).read_text()
        assert f'"tree": "{merge["tree"]}"' in report
    (opened,) = demo.story.events("sync_opened")
    assert opened["tree"] == demo.story.tip_tree()


def run_in(tree, *arguments):
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(tree),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=tree,
        env=environment | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
    )


def test_the_acceptance_tests_of_the_plan_pass_on_the_tip(demo):
    done = run_in(
        demo.tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(EXAMPLE / "acceptance")
    )
    assert done.returncode == 0, done.stdout


def test_there_is_one_head_of_the_migrations(demo):
    done = run_in(demo.tree, "-m", "alembic", "heads")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1


def test_the_users_checkout_is_as_it_was(demo, tmp_path):
    fresh = tmp_path / "discovery"
    make_repository(EXAMPLE / "target", fresh)
    assert differing(filecmp.dircmp(fresh, demo.story.repo, ignore=[".git"])) == []
    for name in ("HEAD", "config"):
        assert (fresh / ".git" / name).read_bytes() == (
            demo.story.repo / ".git" / name
        ).read_bytes()
    listed = ["ls-files", "--stage"]  # the index without the times of the files
    theirs = subprocess.run(["git", "-C", fresh, *listed], capture_output=True, text=True).stdout
    assert demo.story.git(*listed) == theirs.strip()
    assert demo.story.git("status", "--porcelain") == ""
    assert len(demo.story.git("rev-list", "main").split()) == 1


def differing(compared):
    found = [*compared.left_only, *compared.right_only, *compared.diff_files, *compared.funny_files]
    return found + [name for folder in compared.subdirs.values() for name in differing(folder)]


def test_what_goes_wrong_on_purpose_went_wrong(demo):
    story = demo.story
    gates = story.events("gate_finished")
    assert any("red_tests" in gate["rules"] for gate in gates)
    sent_back = {event["task"] for event in story.events("sent_back")}
    assert sent_back
    assert any(e["attempt"] == 2 for e in story.events("task_started") if e["task"] in sent_back)
    scripted = "".join(file.read_text() for file in (EXAMPLE / "rehearsal").glob("*.yaml"))
    assert "status: 429" in scripted
    assert "raw_arguments" in scripted


def test_a_malformed_call_was_answered_and_mended(demo):
    replies = [
        str(record["reply"])
        for journal in demo.story.folder.glob("attempts/*/*/journal.jsonl")
        for record in demo.story.journal(journal.parts[-3], int(journal.parts[-2]))
        if record["record"] == "reply" and record.get("kind") == "tool"
    ]
    assert any("JSON" in reply for reply in replies)


def test_the_work_that_was_sent_back_is_kept(demo):
    again = {e["task"] for e in demo.story.events("task_started") if e["attempt"] == 2}
    assert {f"refs/wavecrew/attic/r1/{task}/1" for task in again} <= set(demo.story.refs())


def test_no_process_and_no_socket_is_left_over(demo):
    assert demo.left_over == []
    assert not Path(demo.story.home / ".local").exists()
