"""A run that workers carried out, at home: every command reads it; then it leaves the database."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def brought(crews, say):
    """Two tasks on two workers: one lands, one is blocked and parked."""
    crew = crews("brought")
    story = crew.story
    story.agents("one", "two", attempts=1)
    story.plan({"id": "a", "agent": "one"}, {"id": "b", "agent": "two"})
    story.talk("task/a", say.function("a", 1))
    wrong = "from calculator.basic import add\n\n\ndef test_add():\n    assert add(1, 1) == 3\n"
    story.talk("task/b", [say.write("tests/test_b.py", wrong), say.submit("All tests pass.")])
    run = crew.submit()
    for name in ("first", "second"):
        crew.worker(name, "--agents=1")
    done = story.finish(run)
    ended = {name: crew.leave(name) for name in ("first", "second")}
    return SimpleNamespace(crew=crew, story=story, done=done, ended=ended)


def at_home(brought, *arguments):
    return brought.story.wavecrew(*arguments, f"--repo={brought.story.repo}")


def test_what_passed_landed_and_what_did_not_is_blocked(brought):
    assert brought.done.code == 3, (brought.done, brought.ended)
    assert brought.story.landed() == ["a"]


def test_it_is_replayed_bit_for_bit_without_the_workers(brought):
    done = at_home(brought, "replay", "r1", "--json")
    assert done.code == 0, (done.out, done.err)
    told = json.loads(done.out)
    assert told["same"]
    assert (told["replayed"]["attempts"], told["replayed"]["landings"]) == (2, 1)
    assert told["replayed"]["tool_calls"] >= 5


def test_one_task_is_replayed_with_its_gates(brought):
    done = at_home(brought, "replay", "r1", "--task=a", "--gates")
    assert done.code == 0, (done.out, done.err)


def test_what_another_role_would_have_altered_is_told(brought):
    done = at_home(brought, "replay", "r1", f"--agents={brought.story.root / 'agents.yaml'}")
    assert done.code == 0, (done.out, done.err)


def test_what_did_not_land_is_in_the_attic_here_and_comes_back_as_a_branch(brought):
    (one,) = json.loads(at_home(brought, "attic", "list", "--run=r1", "--json").out)
    assert (one["task"], one["attempt"], one["files"]) == ("b", 1, 1)
    done = at_home(brought, "attic", "restore", "r1", "b")
    assert done.code == 0, done.err
    assert "add(1, 1) == 3" in brought.story.git("show", "attic/r1/b/1:tests/test_b.py")


def test_status_tells_how_it_ended(brought):
    told = at_home(brought, "status", "r1")
    assert "1/2 tasks merged" in told.out
    assert "task_failed" in told.out


def test_its_journals_are_shown_and_make_a_rehearsal(brought):
    shown = at_home(brought, "journal", "show", "r1", "b")
    assert "write_file" in shown.out, shown.err
    out = brought.story.root / "exported"
    done = at_home(brought, "journal", "export", "r1", f"--out={out}")
    assert done.code == 0, done.err
    assert "2 conversations" in done.err
    assert any("tests/test_b.py" in file.read_text() for file in out.glob("*.yaml"))


def test_a_rehearsal_made_of_it_plays_the_same_run(brought):
    """After the export, on this machine alone: the same model's words land the same tree."""
    story = brought.story
    out = story.root / "played"
    assert at_home(brought, "journal", "export", "r1", f"--out={out}").code == 0
    done = story.wavecrew("run", *story.files(), f"--rehearsal={out}", "--new")
    assert done.code == 3, (done.out, done.err)
    trees = {story.git("rev-parse", f"wavecrew/{run}/integration^{{tree}}") for run in ("r1", "r2")}
    assert len(trees) == 1


@pytest.fixture(scope="module")
def cleaned(brought):
    """Its history is removed here first, then the run from the database; both workers start anew."""
    story, crew = brought.story, brought.crew
    refs = story.refs()
    here = at_home(brought, "clean", "r1", "--history", "--yes")
    was_gone = not story.folder.exists()

    def clean(*options):
        asked = ("clean", "r1", f"--repo={story.repo}", *options)
        return story.wavecrew(*asked, WAVECREW_DATABASE_URL=crew.url)

    dry, unsaid = clean("--dry-run"), clean()
    before = len(crew.events())
    done = clean("--yes", "--json")
    (unsaved,) = (story.root / "workers" / "second").glob("*/runs/r1/attempts/*/1/ws/**/calculator")
    (unsaved / "unsaved.py").write_text("U = 1\n")
    again = {}
    for name in ("first", "second"):
        crew.worker(name, "--once")
        again[name] = story.finish(crew.workers.pop(name))
    return SimpleNamespace(
        here=here, was_gone=was_gone, dry=dry, unsaid=unsaid, before=before, done=done,
        again=again, unsaved=unsaved, refs=refs,
    )  # fmt: skip


def test_its_history_is_removed_here_when_that_is_asked(cleaned):
    assert cleaned.here.code == 0, (cleaned.here.out, cleaned.here.err)
    assert cleaned.was_gone


def test_nothing_leaves_the_database_without_a_persons_word(cleaned):
    assert cleaned.dry.code == 0, (cleaned.dry.out, cleaned.dry.err)
    assert "Would free" in cleaned.dry.out
    assert cleaned.unsaid.code == 2
    assert "--yes" in cleaned.unsaid.err
    assert cleaned.before > 0


def test_the_whole_run_leaves_the_database_and_its_branches_and_its_attic_stay(brought, cleaned):
    crew = brought.crew
    assert cleaned.done.code == 0, (cleaned.done.out, cleaned.done.err)
    items = json.loads(cleaned.done.out)["items"]
    assert {item["kind"] for item in items if item["freed"]} == {"workflows", "history"}
    assert crew.events() == []
    assert crew.rows("select run from wavecrew.runs") == []
    assert crew.rows("select nspname from pg_namespace where nspname = 'wavecrew_r1'") == []
    assert cleaned.refs.items() <= brought.story.refs().items()


def test_its_history_came_here_again_before_it_left(brought, cleaned):
    told = at_home(brought, "status", "r1")
    assert "1/2 tasks merged" in told.out, told.err
    assert at_home(brought, "replay", "r1", "--task=a").code == 0


def test_workers_remove_their_folders_of_it_but_for_files_that_are_nowhere_else(brought, cleaned):
    first, second = cleaned.again["first"], cleaned.again["second"]
    assert (first.code, second.code) == (0, 0), (first.err, second.err)
    assert "removed" in first.err
    assert list((brought.story.root / "workers" / "first").glob("*/runs/*")) == []
    assert "dirty" in second.err
    assert (cleaned.unsaved / "unsaved.py").exists()
