"""An attempt goes on from another machine, at the very state its journal names."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from wavecrew.journal.attempt import AttemptJournal
from wavecrew.journal.events import Event, GateFinished
from wavecrew.plan.model import Task
from wavecrew.plan.settings import LeaseSettings
from wavecrew.run.given import workspace_of
from wavecrew.run.moving import drop_states, keep_state, park_states, state_in
from wavecrew.run.parts import Parts
from wavecrew.run.session import Copying
from wavecrew.run.submission import AttemptDesk
from wavecrew.run.wire import Assignment, Gated, Noted, Recorded, Submit, WorkspacePlace
from wavecrew.sandbox.model import Caps
from wavecrew.workspace import attic
from wavecrew.workspace.model import ENGINE
from wavecrew.workspace.refs import attic_ref, ref_for, snapshots_ref
from wavecrew.workspace.snapshots import Snapshots
from wavecrew.workspace.workspace import Workspace


@pytest.fixture
def task(machines: list[Parts]) -> Task:
    return machines[0].spec.tasks[0]


def begin(parts: Parts, task: Task, tree: str | None = None) -> tuple[Workspace, WorkspacePlace]:
    folder = parts.folder.attempt(task.id, 1)
    parts.repository.read_ref(parts.spec.integration_ref)
    base = parts.spec.base
    args = (folder / "ws", parts.mirror.objects, base, parts.sandbox)
    made = Workspace.create(*args, tree=tree)
    return made, WorkspacePlace(root=folder / "ws", objects=parts.mirror.objects, base=base)


def run(workspace: Workspace, shell: str) -> str:
    done = workspace.sandbox.run(workspace.command(shell, Caps(wall_s=30)))
    assert done.exit_code == 0, done.stdout
    return done.stdout.decode()


class Rows:
    """Records of one attempt, whose journal names one state."""

    def __init__(self, tree: str) -> None:
        records = [
            {"record": "intent", "number": 1, "kind": "tool", "request": {"tool": "write"}},
            {"record": "reply", "number": 1, "reply": {"snapshot": tree}},
        ]
        self._lines = tuple(json.dumps(record).encode() + b"\n" for record in records)

    def append(self, conversation: str, number: int, line: bytes) -> None:
        raise AssertionError

    def lines(self, conversation: str) -> tuple[bytes, ...]:
        return self._lines


def place_elsewhere(parts: Parts, task: Task, tree: str) -> WorkspacePlace | None:
    parts.records = Rows(tree)
    folder = parts.folder.attempt(task.id, 1)
    return workspace_of(parts, task, 1, parts.spec.base, folder)


def moved(parts: Parts, task: Task, tree: str) -> Workspace:
    place = place_elsewhere(parts, task, tree)
    assert place is not None
    return Workspace.open(place.root, place.objects, place.base, parts.sandbox)


def test_the_state_a_journal_line_names_is_read_from_it(tmp_path: Path) -> None:
    journal = AttemptJournal.open(tmp_path / "journal.jsonl")
    journal.exchange("tool", {"tool": "x"}, lambda: {"snapshot": "a" * 40})
    journal.exchange("model", {"x": 1}, lambda: {"text": "hello"})
    journal.mark_restored()
    journal.close()
    lines = (tmp_path / "journal.jsonl").read_bytes().splitlines(keepends=True)
    assert [state_in(line) for line in lines] == ["", "a" * 40, "", "", ""]


def test_an_attempt_goes_on_elsewhere_when_its_first_machine_is_gone(
    machines: list[Parts], task: Task
) -> None:
    one, other = machines
    workspace, place = begin(one, task)
    run(workspace, "echo 'a = 2' >a.py; mkdir deep; echo x >deep/f; chmod +x deep/f")
    tree = workspace.snapshot()
    assert keep_state(one, task.id, 1, place, tree)
    assert list(place.root.glob("*.pack")) == []
    shutil.rmtree(one.repository.git_dir.parent)
    again = moved(other, task, tree)
    assert again.snapshot() == tree
    again.restore(tree)
    assert run(again, "cat a.py; ./deep/f 2>/dev/null; git log --format=%H -1").split() == [
        *["a", "=", "2"],
        other.spec.base,
    ]
    run(again, "echo 'a = 3' >a.py")
    further = again.snapshot()
    root = other.folder.attempt(task.id, 1) / "ws"
    there = WorkspacePlace(root=root, objects=other.mirror.objects, base=other.spec.base)
    assert keep_state(other, task.id, 1, there, further)
    assert other.mirror.read(further, "a.py") == b"a = 3\n"


def test_a_state_goes_to_the_hub_once(machines: list[Parts], task: Task) -> None:
    one, _ = machines
    workspace, place = begin(one, task)
    assert keep_state(one, task.id, 1, place, workspace.snapshot())
    ref = snapshots_ref("r1", task.id, 1)
    assert one.repository.read_ref(ref) is None
    run(workspace, "echo 'a = 2' >a.py")
    for _ in range(2):
        assert keep_state(one, task.id, 1, place, workspace.snapshot())
    assert one.mirror.git.run("rev-list", "--count", f"{one.mirror.tip(ref)}").strip() == b"2"


def test_a_state_that_may_not_be_imported_stays_and_the_attempt_cannot_move(
    machines: list[Parts], task: Task
) -> None:
    one, other = machines
    workspace, place = begin(one, task)
    run(workspace, "echo 'a = 2' >a.py")
    kept = workspace.snapshot()
    assert keep_state(one, task.id, 1, place, kept)
    run(workspace, "ln -s /etc/passwd out")
    refused = workspace.snapshot()
    assert not keep_state(one, task.id, 1, place, refused)
    assert place_elsewhere(other, task, refused) is None
    ref = park_states(other, task, 1, other.spec.base, outcome="lost", detail="its machine is gone")
    assert ref == attic_ref("r1", task.id, 1)
    parked = other.repository.read_ref(ref)
    assert parked is not None
    assert other.mirror.tree_of(parked) == kept
    (found,) = attic.parked(other.repository.git)
    assert (found.outcome, found.detail) == ("lost", "its machine is gone")


def test_states_go_when_the_work_is_parked_and_not_before(
    machines: list[Parts], task: Task
) -> None:
    one, other = machines
    workspace, place = begin(one, task)
    assert drop_states(one, task.id, 1, one.spec.base)
    run(workspace, "echo 'a = 2' >a.py")
    keep_state(one, task.id, 1, place, workspace.snapshot())
    assert not drop_states(one, task.id, 1, one.spec.base)
    park_states(one, task, 1, one.spec.base, outcome="stalled", detail="")
    assert drop_states(other, task.id, 1, other.spec.base)
    assert other.repository.read_ref(snapshots_ref("r1", task.id, 1)) is None


def test_without_a_hub_nothing_is_kept_or_dropped(parts: Parts) -> None:
    place = WorkspacePlace(root=Path("/nowhere"), objects=(), base=parts.spec.base)
    assert keep_state(parts, "sum", 1, place, "1" * 40)
    assert drop_states(parts, "sum", 1, parts.spec.base)


def test_database_names_of_two_machines_differ(machines: list[Parts]) -> None:
    settings = LeaseSettings(databases=("app",))
    names = set()
    for parts in machines:
        changed = parts.spec.settings.model_copy(update={"leases": settings})
        parts.spec = parts.spec.model_copy(update={"settings": changed})
        parts.__post_init__()
        env = parts.lessor.lease("1.1/1").env
        assert parts.repository.machine in env["WAVECREW_DATABASE"]
        names.add(env["WAVECREW_DATABASE"])
    assert len(names) == 2


def test_what_one_machine_committed_another_builds_on(machines: list[Parts], task: Task) -> None:
    one, other = machines
    one.repository.read_ref(one.spec.integration_ref)
    tree = one.mirror.write_tree(one.mirror.tree_of(one.spec.base), {"a.py": b"a = 2\n"})
    commit = one.mirror.commit(tree, (one.spec.base,), "work", ENGINE, 1_700_000_000)
    assert one.mirror.publish(f"refs/heads/wavecrew/r1/{task.id}", commit, None)
    assert other.mirror.merge(other.tip(), commit).tree == tree


def test_a_passed_commit_is_at_the_hub_before_the_log_names_it(
    machines: list[Parts], task: Task
) -> None:
    one, other = machines
    task = task.model_copy(update={"provides": (), "done_when": ()})
    workspace, _ = begin(one, task)
    run(workspace, "mkdir tests; echo 'def test_it(): assert 1 + 1 == 2' >tests/test_centre.py")
    tree = workspace.snapshot()
    seen: list[str | None] = []

    def look(event: Event) -> None:
        if isinstance(event.fact, GateFinished):
            assert event.fact.verdict == "pass"
            seen.append(other.repository.read_ref(ref_for("r1", task.id)))
            assert seen == [event.fact.commit]

    one.log.on_append = look
    desk = AttemptDesk(one, task, one.spec.role(task.agent), 1, one.spec.base)
    reply = desk.answer(Submit(tree=tree, pack=workspace.pack(tree), summary="Done.", submission=1))
    assert isinstance(reply, Gated)
    assert reply.accepted
    assert len(seen) == 1


def test_a_state_is_at_the_hub_before_the_record_that_names_it(
    machines: list[Parts], task: Task, tmp_path: Path
) -> None:
    one, other = machines
    workspace, place = begin(one, task)
    run(workspace, "echo 'a = 2' >a.py")
    tree = workspace.snapshot()
    there: list[bool] = []

    class Looking(Rows):
        def append(self, conversation: str, number: int, line: bytes) -> None:
            assert (conversation, number, state_in(line)) == (f"task/{task.id}/1", 1, tree)
            states = Snapshots(other.mirror, "r1", task.id, 1, other.spec.base)
            there.append(states.fetch(tree))

    one.records = Looking(tree)
    given = Assignment(
        run="r1",
        kind="task",
        subject=task.id,
        task=task,
        attempt=1,
        role=one.spec.role(task.agent),
        model=one.spec.settings.model,
        limits=one.spec.settings.limits,
        sandbox=one.spec.settings.sandbox,
        workspace=place,
        journal=tmp_path / "journal.jsonl",
        home=tmp_path / "home",
        socket=tmp_path / "socket",
        deadline_s=60,
    )
    desk = Copying(one, given, lambda request: Noted())
    line = json.dumps({"record": "reply", "reply": {"snapshot": tree}}).encode() + b"\n"
    assert desk(Recorded.of(1, line)) == Noted()
    assert there == [True]
