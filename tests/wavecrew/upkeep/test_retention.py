"""A finished run leaves the shared database: on a real server, with a real hub and repository."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from wavecrew.errors import DatabaseLost, UsageError
from wavecrew.journal import events as e
from wavecrew.journal.log import SqliteEventLog
from wavecrew.journal.postgres import PostgresEventLog
from wavecrew.journal.records import PostgresRecords
from wavecrew.journal.schema import OF_RUNS
from wavecrew.journal.shelf import PostgresShelf
from wavecrew.run.liveness import Liveness
from wavecrew.run.moving import keep_state
from wavecrew.run.parts import Parts
from wavecrew.run.wire import WorkspacePlace
from wavecrew.sandbox.model import Caps
from wavecrew.upkeep.cleaning import Item, Wish
from wavecrew.upkeep.retention import Retention
from wavecrew.workers.roster import Roster, sign_of_life
from wavecrew.workspace import attic
from wavecrew.workspace.git import Git
from wavecrew.workspace.user_repo import UserRepository
from wavecrew.workspace.workspace import Workspace

WHEN = 1_700_000_000
JUST = Wish()


class Shared:
    """Run r1 as workers left it: rows in every table, a schema of the engine's, a hub."""

    def __init__(self, url: str, machine: Parts, user_repo: Path) -> None:
        self.url = url
        self.machine = machine
        self.user = UserRepository.open(user_repo, clean=False)
        self.hub = machine.repository.remote.url  # type: ignore[attr-defined]
        self.roster = Roster(url)
        self.run = self.roster.allot(self.hub, machine.spec, ()).run
        assert self.run == machine.spec.run
        with closing(PostgresShelf(url, self.run)) as shelf:
            shelf.save("reports/none.json", b"{}")
        with closing(PostgresRecords(url, self.run)) as records:
            records.append("task/1/1", 1, b"{}\n")
        self.sql(f'create schema "wavecrew_{self.run}"')
        self.sql(f'create table "wavecrew_{self.run}".workflow_status (id text)')
        self.sql(f'create schema "wavecrew_{self.run}_aside_1"')
        self.sql(f'create schema "wavecrew_{self.run}0"')  # another run's
        self.sql("insert into wavecrew.ledger values (%s, 'run', '{}')", self.run)
        self.say(e.RunStarted("p", machine.spec.base, "i", "m", True, "none", [], [], []))

    def say(self, *facts: e.Fact) -> None:
        with closing(PostgresEventLog(self.url, self.run)) as log:
            for fact in facts:
                log.append(fact)

    def finish(self) -> None:
        self.say(e.RunFinished("done", 0, 0, 0, ""))
        self.roster.finish(self.run, "done", 0)

    def state(self, task: str, text: str) -> str:
        """A state of an attempt that the hub has and that is nowhere else; its tree."""
        parts = self.machine
        parts.mirror.need(parts.spec.base)
        root = parts.folder.attempt(task, 1) / "ws"
        root.parent.mkdir(parents=True)
        workspace = Workspace.create(root, parts.mirror.objects, parts.spec.base, parts.sandbox)
        shell = f"echo '{text}' >a.py"
        assert parts.sandbox.run(workspace.command(shell, Caps(wall_s=30))).exit_code == 0
        tree = workspace.snapshot()
        place = WorkspacePlace(root=root, objects=parts.mirror.objects, base=parts.spec.base)
        assert keep_state(parts, task, 1, place, tree)
        return tree

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            found = connection.execute(statement.encode(), values)
            return found.fetchall() if found.description else []

    def rows(self) -> int:
        return sum(
            self.sql(f"select count(*) from wavecrew.{table} where run = %s", self.run)[0][0]
            for table in OF_RUNS
        )

    def schemas(self) -> int:
        """Of the run; the other run's is there always."""
        found = self.sql("select nspname from pg_namespace where nspname ~ '^wavecrew_r'")
        names = {name for (name,) in found}
        assert f"wavecrew_{self.run}0" in names
        return len(names) - 1

    def at_hub(self) -> set[str]:
        listed = Git(Path(self.hub)).run("for-each-ref", "--format=%(refname)")
        return set(listed.decode().split())

    def clean(self, wish: Wish = JUST) -> dict[str, Item]:
        retention = Retention(self.url, self.roster, self.user)
        items = retention.remove(self.roster.run(self.run), wish, when=WHEN)
        return {item.kind: item for item in items}


@pytest.fixture
def shared(database_url: str, machines: list[Parts], user_repo: Path) -> Iterator[Shared]:
    made = Shared(database_url, machines[0], user_repo)
    yield made
    made.roster.close()


def eventually(true: Callable[[], object], within_s: float = 20) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_finished_run_leaves_the_database_and_its_history_comes_home(shared: Shared) -> None:
    shared.finish()
    dry = shared.clean(Wish(dry_run=True))
    assert (shared.rows(), shared.schemas()) == (6, 2)
    items = shared.clean()
    assert set(items) == set(dry) == {"workflows", "history"}
    assert all(item.freed for item in items.values())
    assert (shared.rows(), shared.schemas()) == (0, 0)
    assert shared.at_hub() == {"refs/heads/wavecrew/r1/integration"}
    home = shared.user.git_dir / "wavecrew" / "runs" / "r1"
    with closing(SqliteEventLog(home / "events.db", "r1", read_only=True)) as log:
        assert [event.kind for event in log.read()] == ["run_started", "run_finished"]
    assert shared.user.read_ref("refs/heads/wavecrew/r1/integration") == shared.machine.spec.base
    with pytest.raises(UsageError, match="no run 'r1'"):
        shared.roster.run("r1")


def test_the_history_goes_for_good_only_when_that_is_said(shared: Shared) -> None:
    shared.finish()
    assert shared.clean(Wish(history=True))["history"].freed
    assert not (shared.user.git_dir / "wavecrew" / "runs" / "r1").exists()


def test_the_name_of_a_run_that_is_gone_is_never_given_again(shared: Shared) -> None:
    shared.finish()
    shared.clean()
    assert shared.roster.allot(shared.hub, shared.machine.spec, ()).run == "r2"


def test_only_what_is_over_goes(shared: Shared) -> None:
    assert "it is paused" in shared.clean()["run"].refused
    shared.roster.work(shared.run)
    assert "it is not over" in shared.clean()["run"].refused
    assert not shared.roster.remove(shared.run)
    assert (shared.rows(), shared.schemas()) == (5, 2)


def test_a_run_that_a_living_worker_is_at_stays(shared: Shared) -> None:
    shared.finish()
    shared.roster.enlist("w", "somewhere", 4711, shared.hub, 1)

    def beat(connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        sign_of_life(connection, "w", "ends", shared.run)

    live = Liveness(shared.url, "w", beat=beat, lost=lambda why: None)
    live.start()
    try:
        eventually(lambda: shared.roster.at_work(shared.run))
        assert shared.clean()["run"].refused == "leased: the worker somewhere 4711 is at it"
    finally:
        live.leave()
    eventually(lambda: not shared.roster.at_work(shared.run))
    assert shared.clean()["history"].freed


def test_a_run_of_another_repository_stays(shared: Shared) -> None:
    shared.finish()
    other = shared.machine.spec.model_copy(update={"base": "1" * 40})
    shared.roster.change(other)
    assert "no commit of this repository" in shared.clean()["run"].refused


def test_a_run_that_another_version_wrote_down_stays(shared: Shared) -> None:
    shared.finish()
    base = shared.machine.spec.base
    shared.sql("update wavecrew.runs set spec = %s", f'{{"base": "{base}", "oracle": 1}}')
    assert Retention(shared.url, shared.roster, shared.user).is_ours(shared.run)
    assert "another version of Wavecrew" in shared.clean()["run"].refused
    assert shared.rows() == 6


def test_a_passed_commit_that_no_ref_reaches_keeps_the_run(shared: Shared) -> None:
    shared.say(e.GateFinished("1", 1, 1, "pass", [], "3" * 40, "2" * 40, 1, 0, "done", ""))
    shared.finish()
    assert "222222222222 of task '1' is on no branch" in shared.clean()["run"].refused
    assert shared.rows() == 7


def test_a_state_that_is_nowhere_else_keeps_the_run_until_it_is_parked(shared: Shared) -> None:
    tree = shared.state("1", "a = 2")
    shared.finish()
    found = shared.clean(Wish(history=True))["run"].refused
    assert found == "unmerged: the newest state of r1/1/1 is on no branch nor in the attic"
    assert "refs/wavecrew/snapshots/r1/1/1" in shared.at_hub()
    items = shared.clean(Wish(park=True, history=True))
    assert items["states"].freed
    assert shared.at_hub() == {"refs/heads/wavecrew/r1/integration"}
    (parked,) = attic.parked(shared.user.git)
    assert (parked.run, parked.task, parked.attempt) == ("r1", "1", 1)
    assert shared.user.git.run("rev-parse", f"{parked.commit}^{{tree}}").decode().strip() == tree


@pytest.mark.parametrize("at", ["drop_schema", "remove"])
def test_what_a_removal_that_was_cut_off_left_the_next_one_finishes(
    shared: Shared, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared.finish()

    def lost(*_: object) -> None:
        raise DatabaseLost("the connection is gone")

    with monkeypatch.context() as cut:
        cut.setattr(Roster, at, lost)
        with pytest.raises(DatabaseLost):
            shared.clean()
    assert shared.rows() == 6
    assert shared.clean()["history"].freed
    assert (shared.rows(), shared.schemas()) == (0, 0)


def test_the_run_of_the_same_name_that_was_started_here_alone_is_not_mixed_in(
    shared: Shared,
) -> None:
    shared.finish()
    home = shared.user.git_dir / "wavecrew" / "runs" / "r1"
    home.mkdir(parents=True)
    with closing(SqliteEventLog(home / "events.db", "r1", clock=lambda: "2020")) as log:
        log.append(e.RunStarted("mine", "0" * 40, "i", "m", True, "none", [], [], []))
    assert "another run" in shared.clean()["run"].refused
    assert shared.rows() == 6
    assert shared.clean(Wish(history=True))["history"].freed


def test_every_table_with_rows_of_runs_is_known(shared: Shared) -> None:
    """Else a run would leave rows behind. Workers and names of the removed outlive a run."""
    found = shared.sql(
        "select table_name from information_schema.columns "
        "where table_schema = 'wavecrew' and column_name = 'run'"
    )
    assert {name for (name,) in found} == {*OF_RUNS, "workers", "removed"}
