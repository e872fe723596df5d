"""What we rely on in DBOS beyond its public names, on a real server: an upgrade that changes it
fails here. Each engine is a process, since DBOS is one per process.
"""

from __future__ import annotations

import inspect
import subprocess
import sys
import time

import psycopg
import pytest
from dbos import DBOS

from wavecrew.run.place import schema_of
from wavecrew.workers.roster import Roster

ENGINE = """
import os, sys, time
from dbos import DBOS, DBOSPortableJSONSerializer, SetWorkflowID
from wavecrew.run.liveness import Liveness, new_name
from wavecrew.run.place import SharedSchema, schema_of
from wavecrew.workers.reaper import Reaper

url, agents, step_s = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
name = new_name()
def say(*words): print(*words, flush=True)

@DBOS.workflow(max_recovery_attempts=None)
def run():
    handles = []
    for number in range(6):
        with SetWorkflowID(f"r1/{number}"):
            handles.append(DBOS.enqueue_workflow("tasks", task, number))
    return [handle.get_result() for handle in handles]

@DBOS.workflow(max_recovery_attempts=None)
def task(number):
    return work(number)

@DBOS.step()
def work(number):
    say("begins", number)
    time.sleep(step_s)
    say("ends", number)
    return name

place = SharedSchema(url, "r1", name, agents)
config = {"name": "wavecrew", "application_version": "1", "log_level": "CRITICAL",
          "serializer": DBOSPortableJSONSerializer(), "max_executor_threads": 16, **place.config()}
live = Liveness(url, name, beat=lambda connection: reaper.look(connection), lost=say)
engine = DBOS(config=config)
DBOS.launch()
place.register_tasks(engine, 3)
reaper = Reaper(schema_of("r1"), "1", name, lambda dead, count: say("took", count, dead))
live.start()
with SetWorkflowID("r1"):
    handle = DBOS.start_workflow(run)
say("result", len(handle.get_result()))
os._exit(0)
"""


@pytest.fixture
def engine(database_url):
    started = []

    def start(agents, step_s):
        command = [sys.executable, "-c", ENGINE, database_url, str(agents), str(step_s)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process

    Roster(database_url).close()
    yield start
    for process in started:
        with process:
            process.kill()


def test_what_a_killed_engine_was_at_is_taken_up_by_the_others_within_seconds(engine, database_url):
    first = engine(agents=2, step_s=60)
    assert {first.stdout.readline() for _ in range(2)} == {"begins 0\n", "begins 1\n"}
    second = engine(agents=2, step_s=0.1)
    assert second.stdout.readline() == "begins 2\n"  # the third of three at once
    with psycopg.connect(database_url, autocommit=True) as looker:
        pending = f"select count(*) from {schema_of('r1')}.workflow_status where status = 'PENDING'"
        first.kill()
        killed_at = time.monotonic()
        said = []
        while not (said and said[-1].startswith("took")):
            said.append(second.stdout.readline())
            assert said[-1]
        assert time.monotonic() - killed_at < 10
        # the run's own workflow and its two tasks
        assert said[-1].startswith("took 3 ")
        rest = second.stdout.read().splitlines()
        assert rest[-1] == "result 6"
        assert looker.execute(pending).fetchone() == (0,)
    begun = [line for line in [*said, *rest] if line.startswith("begins")]
    assert sorted(line.strip() for line in begun)[:2] == ["begins 0", "begins 1"]


def test_the_private_calls_are_still_there():
    assert list(inspect.signature(DBOS._recover_pending_workflows).parameters) == ["executor_ids"]
    from dbos._dbos import DBOSRegistry

    parameters = inspect.signature(DBOSRegistry._register_internal_queue).parameters
    assert list(parameters) == ["self", "name", "limits"]
