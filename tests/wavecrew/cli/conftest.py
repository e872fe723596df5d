"""A run in the middle, as its events tell it: what board, lines and closing report are drawn from."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console, RenderableType

from wavecrew.journal import events as e
from wavecrew.journal.state import RunState, fold

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
RUN = "20260302-0900-a1b2"

TASKS = [
    ("1.1", "Create Assets Table", "schema", "Foundation", "Database Schema", 8, ""),
    ("1.2", "Create Data Sources Table", "storage", "Foundation", "Database Schema", 6, ""),
    ("1.3", "Create Raw Data Records Table", "storage", "Foundation", "Database Schema", 6, "1.2"),
    ("1.4", "Create Asset Versions Table", "schema", "Foundation", "Database Schema", 8, "1.1"),
    ("2.1", "Update the Discovery Flow", "flow", "Foundation", "Flow Modification", 8, "1.1 1.4"),
    ("2.2", "Implement Merge Strategies", "merging", "Foundation", "Flow Modification", 10, "2.1"),
    ("3.1", "Create Mapping Patterns Table", "patterns", "Pattern Learning", "Storage", 4, ""),
    ("3.2", "Modify the Mapping Agent", "learning", "Pattern Learning", "Learning", 8, "3.1"),
    ("3.3", "Create Template System", "learning", "Pattern Learning", "Learning", 6, "3.1"),
    ("7.1", "Prüfung und Feinschliff", "testing", "Integration", "Testing", None, "2.2 3.3"),
]


def started() -> e.RunStarted:
    names = ("id", "title", "role", "phase", "group", "estimate_h", "depends_on")
    tasks = [dict(zip(names, [*entry[:-1], entry[-1].split()], strict=True)) for entry in TASKS]
    for task in tasks:
        task["wave"] = f"wave-{'1' if task['id'][0] in '13' else '2'}"
    return e.RunStarted(
        plan="Continuous Discovery",
        base="b" * 40,
        integration=f"refs/heads/wavecrew/{RUN}/integration",
        model="discovery-rehearsal",
        rehearsal=True,
        sandbox="bubblewrap",
        tasks=tasks,
        sync_points=[
            {
                "id": "after-wave-1",
                "title": "All database schemas are complete",
                "after": ["1.1", "1.2", "1.3", "1.4", "3.1"],
                "holds": ["2.1", "2.2"],
            },
            {"id": "integration", "title": "All of it works", "after": ["2.2"], "holds": ["7.1"]},
        ],
        roles=["schema", "storage", "flow", "merging", "patterns", "learning", "testing"],
    )


def begin(task: str, attempt: int = 1, reason: str = "") -> e.TaskStarted:
    _, _, role, _, _, hours, needs = next(entry for entry in TASKS if entry[0] == task)
    return e.TaskStarted(task, attempt, role, "b" * 40, needs.split(), hours, reason)


def step(task: str, number: int, what: str, brief: str, tokens: int = 0) -> e.AgentStep:
    return e.AgentStep(task, 1, number, what, brief, tokens)


def gate(task: str, submission: int, *rules: str, failed: int = 0) -> e.GateFinished:
    verdict, commit = ("fail", "") if rules else ("pass", f"{task:c<40}")
    report = f"reports/{task}-1-{submission}.json"
    did = f"{task} is done."
    return e.GateFinished(
        task, 1, submission, verdict, list(rules), "7" * 40, commit, 42, failed, did, report
    )


def landed(task: str, *unblocks: str, drivers: tuple[str, ...] = ()) -> list[e.Fact]:
    role = next(entry[2] for entry in TASKS if entry[0] == task)
    commit = f"{task.replace('.', 'e'):d<40}"
    branch = f"refs/heads/wavecrew/{RUN}/{task}"
    report = f"reports/landing-{task}.json"
    return [
        gate(task, 1),
        e.AttemptEnded(task, 1, "passed", "", 9, 12_000, branch),
        e.MergeFinished(task, 1, "merged", "8" * 40, commit, list(drivers), "", report),
        e.TaskCompleted(task, role, "42 passed", list(unblocks), "Awaiting Assignment", commit),
    ]


MIDDLE: list[e.Fact] = [
    started(),
    begin("1.1"),
    begin("1.2"),
    begin("3.1"),
    step("1.1", 1, "model", "answers", 5_200),
    step("1.1", 2, "write_file", "write_file discovery/models/asset.py"),
    gate("3.1", 1, "red_tests", "out_of_scope", failed=2),
    *landed("1.1", "1.4"),
    *landed("1.2", "1.3", drivers=("alembic",)),
    begin("1.4"),
    begin("1.3"),
    step("1.4", 1, "model", "answers", 61_000),
    step(
        "1.4", 2, "run_checks", "run_checks: 40 passed, 2 failed\x1b[2J in tests/test_versions.py"
    ),
    e.NotePosted("1.4", 1, 1, "the versions table keeps the asset id as text"),
    step("1.3", 1, "model", "answers", 1_204_000),
    *landed("3.1", "3.2", "3.3")[:2],
    e.AttemptEnded("1.3", 1, "out_of_steps", "60 of 60 steps", 60, 90_000, ""),
    begin("1.3", 2, "out of steps"),
    *landed("3.1", "3.2", "3.3")[2:],
    begin("3.2"),
    e.AttemptEnded("3.2", 1, "gave_up", "no way forward", 4, 9, "refs/wavecrew/attic/3.2-1"),
    e.TaskBlocked(
        "3.2", "learning", "3 attempts without a green gate", "refs/wavecrew/attic/3.2-1"
    ),
    e.SyncClosed(
        "after-wave-1", 1, "fail", "1.3 and 1.4 are not merged", "reports/sync-after-wave-1-1.json"
    ),
    e.RunPaused(1, "Ctrl-C"),
    e.RunResumed(1),
    step(
        "1.4", 2, "run_checks", "run_checks: 40 passed, 2 failed\x1b[2J in tests/test_versions.py"
    ),
    gate("1.3", 1),
]

END: list[e.Fact] = [
    e.MergeFinished("1.3", 2, "conflict", "", "", [], "both add discovery/models/raw.py", ""),
    e.SentBack("1.3", 2, "keeper", "take the column names of 1.2", "reports/conflict-1.3-2.txt"),
    *landed("1.3"),
    *landed("1.4", "2.1"),
    e.SyncApproved("after-wave-1"),
    e.SyncOpened("after-wave-1", "9" * 40, 212, "reports/sync-after-wave-1-2.json"),
    begin("2.1"),
    e.TaskBlocked("2.1", "flow", "the gate finds a test that was deleted", ""),
    e.RunFinished("task_failed", 3, 5, 10, "1e4" + "d" * 37),
]


def events(facts: list[e.Fact]) -> list[e.Event]:
    """The facts as a log, one every 45 seconds."""
    return [
        e.Event(
            seq,
            f"{e.id_of(fact)}#{seq}",
            RUN,
            (START + timedelta(seconds=45 * seq)).isoformat(timespec="milliseconds"),
            e.kind_of(type(fact)),
            fact,
        )
        for seq, fact in enumerate(facts)
    ]


@pytest.fixture
def screen() -> Callable[..., str]:
    """`screen(renderable, width)`: what a terminal shows, without colour and spaces at line ends."""

    def show(renderable: RenderableType, width: int, encoding: str = "utf-8") -> str:
        raw = io.BytesIO()
        file = io.TextIOWrapper(raw, encoding=encoding)
        Console(file=file, width=width, color_system=None).print(renderable)
        file.flush()
        return "".join(f"{line.rstrip()}\n" for line in raw.getvalue().decode().splitlines())

    return show


@pytest.fixture
def middle_log() -> list[e.Event]:
    return events(MIDDLE)


@pytest.fixture
def whole_log() -> list[e.Event]:
    return events(MIDDLE + END)


@pytest.fixture
def middle(middle_log: list[e.Event]) -> RunState:
    """Some merged, some at work, one blocked, some waiting."""
    return fold(middle_log)


@pytest.fixture
def whole(whole_log: list[e.Event]) -> RunState:
    return fold(whole_log)


@pytest.fixture
def fresh() -> RunState:
    """Started, and nothing has happened yet."""
    return fold(events([started()]))


@pytest.fixture
def large() -> RunState:
    """The real thing's size: 35 tasks in 7 phases, 10 of them at work."""
    run = started()
    tasks = [
        {
            "id": f"{phase}.{number}",
            "title": f"Task {number} of phase {phase}",
            "role": f"role-{(phase * 5 + number) % 10}",
            "wave": f"wave-{phase}",
            "phase": f"Phase {phase}",
            "group": f"Group {number // 3}",
            "estimate_h": 8,
            "depends_on": [f"{phase - 1}.{number}"] if phase > 3 else [],
        }
        for phase in range(1, 8)
        for number in range(1, 6)
    ]
    at_work = [e.TaskStarted(t["id"], 1, t["role"], "b" * 40, [], 8) for t in tasks[:10]]
    return fold(
        events(
            [
                replace(run, tasks=tasks, sync_points=[], roles=[f"role-{n}" for n in range(10)]),
                *at_work,
            ]
        )
    )


@pytest.fixture
def make_log() -> Callable[[list[e.Fact]], list[e.Event]]:
    return events
