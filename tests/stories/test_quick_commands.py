"""The commands that only look: they load no engine, no agents and no solver."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {
    "crewai",
    "langchain_core",
    "openai",
    "dbos",
    "sqlalchemy",
    "ortools",
    "git",
    "mcp",
    "psycopg",
}
ENGINE = ("wavecrew.run", "wavecrew.gates", "wavecrew.workspace", "wavecrew.plan", "crews", "tools")


@pytest.fixture(scope="module")
def story(stories):
    return stories("quick")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["status"]])
def test_nothing_heavy_is_imported(story, arguments):
    where = [f"--repo={story.repo}"] if arguments == ["status"] else []
    command = [sys.executable, "-X", "importtime", *story.command(*arguments, *where)[1:]]
    done = subprocess.run(command, env=story.environment(), capture_output=True, text=True)
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    imported = {line.rpartition("|")[2].strip() for line in lines}
    assert "wavecrew.cli.main" in imported
    assert {name.partition(".")[0] for name in imported} & HEAVY == set()
    assert [name for name in imported if name.startswith(ENGINE)] == []


def test_status_without_a_run_says_how_to_start_one(story):
    done = story.wavecrew("status", f"--repo={story.repo}")
    assert done.code == 2
    assert "wavecrew run" in done.err


def test_doctor_tells_every_check_as_data(story):
    done = story.wavecrew("doctor", "--json", f"--repo={story.repo}")
    items = json.loads(done.out)
    assert done.code == (0 if all(item["ok"] for item in items) else 7)
    assert {item["name"] for item in items} >= {"Python", "git", "sandbox", "disk", "packages"}
    assert all(item["detail"] for item in items)


def test_doctor_in_a_folder_that_is_not_there_names_it(story):
    done = story.wavecrew("doctor", f"--repo={story.root / 'nowhere'}")
    assert done.code == 7
    assert "Traceback" not in done.err
    assert "nowhere" in done.out
