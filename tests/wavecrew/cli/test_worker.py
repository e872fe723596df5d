"""What is refused before a worker, or a run for workers, begins; and a worker with nothing to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from wavecrew.cli.joined import Joining, folder_of, place_of, sweep_place
from wavecrew.run.leases import Leases, Thing
from wavecrew.run.owner import Owner

WITHOUT_PSYCOPG = """
import sys
sys.modules["psycopg"] = None
from wavecrew.cli.main import main
main()
"""


@pytest.fixture
def hub(tmp_path):
    subprocess.run(["git", "init", "-q", "--bare", tmp_path / "hub.git"], check=True)
    return tmp_path / "hub.git"


@pytest.fixture
def wavecrew(tmp_path):
    """Run a command to its end; `code` is run instead of the program when given."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}

    def run(*arguments, code="", **environment):
        what = ["-c", code] if code else ["-m", "wavecrew"]
        return subprocess.run(
            [sys.executable, "-P", *what, *map(str, arguments)],
            env=kept | {"HOME": str(tmp_path)} | environment,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )

    return run


def test_no_url_is_refused(wavecrew, hub):
    done = wavecrew("worker", f"--repo={hub}")
    assert done.returncode == 2
    assert "WAVECREW_DATABASE_URL" in done.stderr


@pytest.mark.parametrize("url", ["mysql://h/x", "postgresql://u:sec/ret@h/x", "db"])
def test_what_is_no_postgresql_url_is_refused_without_repeating_it(wavecrew, hub, url):
    done = wavecrew("worker", f"--repo={hub}", WAVECREW_DATABASE_URL=url)
    assert done.returncode == 2
    assert "postgresql://user:password@host" in done.stderr
    assert "sec" not in done.stderr


def test_a_wrong_password_is_refused_and_not_told(wavecrew, hub, database_url):
    user, rest = database_url.split("@")
    url = f"{user.rsplit(':', 1)[0]}:wrong-word@{rest}"
    for command in (["worker", f"--repo={hub}", "--once"], ["status"]):
        done = wavecrew(*command, WAVECREW_DATABASE_URL=url)
        assert done.returncode == 7, done
        assert "wrong-word" not in done.stderr + done.stdout


def test_without_psycopg_the_mend_is_named(wavecrew, hub):
    url = "postgresql://u@h/x"
    for command in (["worker", f"--repo={hub}"], ["status"]):
        done = wavecrew(*command, code=WITHOUT_PSYCOPG, WAVECREW_DATABASE_URL=url)
        assert done.returncode == 7
        assert "wavecrew[postgres]" in done.stderr


def test_a_worker_with_nothing_to_do_leaves_when_told_to_work_once(wavecrew, hub, database_url):
    folder = hub.parent / "state"
    done = wavecrew(
        "worker", f"--repo={hub}", f"--folder={folder}", "--once", "--json",
        WAVECREW_DATABASE_URL=database_url,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["what"] for line in done.stdout.splitlines()] == ["ready"]
    told = wavecrew("status", WAVECREW_DATABASE_URL=database_url).stdout
    assert "No run in this database" in told
    assert "gone" in told


def test_two_workers_do_not_share_a_folder(wavecrew, hub, database_url):
    import fcntl

    folder = hub.parent / "state"
    folder.mkdir()
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = wavecrew(
            "worker", f"--repo={hub}", f"--folder={folder}", "--once",
            WAVECREW_DATABASE_URL=database_url,
        )  # fmt: skip
    assert done.returncode == 2
    assert "--folder" in done.stderr


def test_what_killed_engines_of_a_worker_left_goes(tmp_path):
    given = Joining(
        worker="w",
        url="postgresql://crew@db/wavecrew",
        run="r1",
        hub="/hub.git",
        folder=tmp_path,
        agents=1,
        parent=1,
    )
    owner = replace(Owner.this(), started="1")
    place = place_of(given.folder, given.url, given.hub)
    table = place / "hub" / "repo.git" / "wavecrew" / "leases.db"
    Leases(table, owner=owner).claim("r1/a/1", (Thing("database", "app_a"),))
    half = folder_of(given).mirror / "incoming-1" / "pack"
    half.parent.mkdir(parents=True)
    half.write_text("half")
    sweep_place(given)
    assert list(Leases(table).held()) == []
    assert not half.parent.exists()
