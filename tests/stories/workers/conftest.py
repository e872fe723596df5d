"""Stories on many machines: a hub, a PostgreSQL server, and workers with folders of their own."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from wavecrew.journal.events import fact_from_json
from wavecrew.workers.roster import Roster

RUN = "r1"


class Crew:
    """A story's workers, its hub, and what the database says of it."""

    def __init__(self, story: Any, url: str) -> None:
        self.story = story
        self.url = url
        self.hub = story.root / "hub.git"
        subprocess.run(["git", "init", "-q", "--bare", str(self.hub)], check=True)
        self.workers: dict[str, subprocess.Popen[str]] = {}

    # ---- what is started

    def worker(self, name: str, *options: str) -> subprocess.Popen[str]:
        """A worker with a folder of its own, told apart by it."""
        folder = self.story.root / "workers" / name
        process = self.story.begin(
            "worker",
            f"--repo={self.hub}",
            f"--folder={folder}",
            *options,
            WAVECREW_DATABASE_URL=self.url,
        )
        self.workers[name] = process
        return process

    def submit(self, *options: str) -> subprocess.Popen[str]:
        """`wavecrew run` on this story's plan, watching."""
        return self.story.start(f"--hub={self.hub}", *options, WAVECREW_DATABASE_URL=self.url)

    def resume(self, *options: str) -> subprocess.Popen[str]:
        return self.story.begin(
            "run",
            f"--repo={self.story.repo}",
            "--resume",
            *options,
            WAVECREW_DATABASE_URL=self.url,
        )

    def status(self, *options: str) -> Any:
        return self.story.wavecrew(
            "status", f"--repo={self.story.repo}", *options, WAVECREW_DATABASE_URL=self.url
        )

    def kill(self, name: str) -> None:
        """kill -9 of a worker; what it started dies with it."""
        process = self.workers.pop(name)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=30)

    def leave(self, name: str) -> Any:
        process = self.workers.pop(name)
        process.terminate()
        return self.story.finish(process)

    # ---- what is seen

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """What the database answers; nothing while it is away or has no such tables yet."""
        try:
            with psycopg.connect(self.url, autocommit=True, connect_timeout=5) as connection:
                return connection.execute(statement, values).fetchall()  # type: ignore[arg-type]
        except (psycopg.OperationalError, psycopg.errors.UndefinedTable):
            return []

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        import json
        from dataclasses import asdict

        rows = self.rows(
            "select seq, at, kind, fact from wavecrew.events where run = %s order by seq", RUN
        )
        return [
            {"seq": seq, "at": at, "kind": kind} | asdict(fact_from_json(kind, json.loads(fact)))
            for seq, at, kind, fact in rows
            if not kinds or kind in kinds
        ]

    def wait_for_event(self, process: subprocess.Popen[str], kind: str, **fields: Any) -> Any:
        def seen() -> Any:
            return [e for e in self.events(kind) if fields.items() <= e.items()]

        return self.story.wait_for(seen, process)[0]

    def doing(self) -> dict[str, str]:
        """Folder of each living worker -> what it is at."""
        roster = Roster(self.url)
        try:
            by_pid = {row.pid: row.doing for row in roster.workers() if row.is_alive}
        finally:
            roster.close()
        return {name: by_pid.get(p.pid, "") for name, p in self.workers.items()}

    def replies(self, task: str, attempt: int = 1) -> int:
        """Answers of the model that are recorded, and so paid."""
        import json

        rows = self.rows(
            "select line from wavecrew.records where run = %s and conversation = %s",
            RUN,
            f"task/{task}/{attempt}",
        )
        records = [json.loads(bytes(line)) for (line,) in rows]
        return sum(r.get("kind") == "model" and r["record"] == "reply" for r in records)


@pytest.fixture(scope="module")
def crews(stories: Callable[[str], Any], postgres: Any) -> Iterator[Callable[..., Crew]]:
    """Makes a crew by its name, in a database of its own."""
    made: list[str] = []

    def make(name: str, server: Any = None) -> Crew:
        if server is None:
            made.append(name)
        return Crew(stories(name), (server or postgres).create_database(f"story_{name}"))

    yield make
    for name in made:
        postgres.drop_database(f"story_{name}")


def independent(story: Any, say: Any, *tasks: str, slow: Path | None = None) -> None:
    """A plan of tasks without dependencies, two roles, each role two at a time."""
    story.agents("one", "two", parallel=2)
    story.plan(*({"id": t, "agent": ("one", "two")[n % 2]} for n, t in enumerate(tasks)))
    for number, task in enumerate(tasks, 1):
        first, *rest = say.function(task, number)
        wait = [say.call("run_command", command=f"while ! test -e {slow}/go; do sleep 0.1; done")]
        story.talk(f"task/{task}", *([[first, *(wait if slow else []), *rest]] * 2))


@pytest.fixture(scope="session")
def plan_of() -> Any:
    return independent
