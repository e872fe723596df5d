from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from wavecrew.errors import GitFailed
from wavecrew.workspace import trailers
from wavecrew.workspace.merge_queue import MOST_TRIES, Branch, land, landed
from wavecrew.workspace.mirror import Mirror
from wavecrew.workspace.model import ENGINE, Landing
from wavecrew.workspace.refs import integration_ref
from wavecrew.workspace.user_repo import UserRepository

REF = integration_ref("r")


@dataclass
class Report:
    verdict: str


@dataclass
class Queue:
    shop: Any
    mirror: Mirror
    base: str

    def branch(self, task: str, files: dict[str, bytes | None]) -> Branch:
        commit = self.shop.branch(self.mirror, self.base, files)
        return Branch("r", task, "Title", "What I did.", commit, 1, "role", 1_700_000_000)

    def land(self, branch: Branch, verdict: str = "pass", verify: Any = None) -> Landing[Report]:
        return land(
            self.mirror,
            branch,
            integration_ref=REF,
            verify=verify or (lambda tree: Report(verdict)),
            evidence=lambda report: f"reports/{branch.task}.json {report.verdict}",
            since=self.base,
        )

    @property
    def tip(self) -> str:
        tip = self.mirror.tip(REF)
        assert tip is not None
        return tip

    def history(self) -> list[str]:
        limit = f"^{self.base}"
        log = self.shop.git("log", "--first-parent", "--format=%s", REF, limit)
        return log.splitlines()


@pytest.fixture
def queue(shop: Any) -> Queue:
    base = shop.start({"a": "1\n", "b": "1\n"})
    mirror = shop.mirror()
    assert mirror.publish(REF, base, None)
    return Queue(shop, mirror, base)


def test_what_lands_is_exactly_what_was_verified(queue: Queue) -> None:
    queue.land(queue.branch("1.1", {"a": b"2\n"}))
    seen: list[str] = []
    branch = queue.branch("1.2", {"b": b"2\n"})

    def verify(tree: str) -> Report:
        seen.append(tree)
        return Report("pass")

    done = queue.land(branch, verify=verify)
    assert (done.outcome, done.report) == ("merged", Report("pass"))
    assert seen == [done.tree] == [queue.mirror.tree_of(done.commit)]
    assert queue.tip == done.commit
    assert queue.mirror.read_all(done.commit, ["a", "b"]) == {"a": b"2\n", "b": b"2\n"}
    assert queue.shop.git("fsck", "--strict") == ""


def test_the_commit_says_what_landed_and_why_it_may(queue: Queue) -> None:
    branch = queue.branch("1.1", {"a": b"2\n"})
    done = queue.land(branch)
    message = queue.shop.git("log", "-1", "--format=%B", REF)
    assert message.startswith("1.1: Title\n\nWhat I did.\n\n")
    assert trailers.parse(message) == {
        "Task-Id": "r/1.1",
        "Attempt": "1",
        "Role": "role",
        "Evidence": "reports/1.1.json pass",
    }
    parents = queue.shop.git("log", "-1", "--format=%P", REF)
    assert parents == f"{queue.base} {branch.commit}"
    assert queue.shop.git("log", "-1", "--format=%an %ae %cn %at %ct", REF) == (
        "Wavecrew wavecrew@localhost Wavecrew 1700000000 1700000000"
    )
    assert done.commit == queue.tip


def test_replaying_a_landing_makes_the_same_commit(queue: Queue) -> None:
    branch = queue.branch("1.1", {"a": b"2\n"})
    first = queue.land(branch)
    assert queue.mirror.repository.update_ref(REF, queue.base, first.commit)
    assert queue.land(branch) == first


def test_an_attempt_lands_once(queue: Queue) -> None:
    branch = queue.branch("1.1", {"a": b"2\n"})
    first = queue.land(branch)
    again = queue.land(replace(branch, when=branch.when + 60))
    assert (again.outcome, again.commit) == ("already_merged", first.commit)
    assert queue.history() == ["1.1: Title"]


def test_a_task_that_was_sent_back_lands_again_and_only_once(queue: Queue) -> None:
    queue.land(queue.branch("1.1", {"a": b"2\n"}))
    mended = replace(queue.branch("1.1", {"b": b"3\n"}), attempt=2)
    second = queue.land(mended)
    assert second.outcome == "merged"
    assert queue.land(mended).outcome == "already_merged"
    assert queue.land(replace(mended, attempt=1)).commit == second.commit
    assert queue.history() == ["1.1: Title", "1.1: Title"]


def test_1_1_is_not_1_10(queue: Queue) -> None:
    queue.land(queue.branch("1.10", {"a": b"2\n"}))
    assert queue.land(queue.branch("1.1", {"b": b"2\n"})).outcome == "merged"
    assert set(landed(queue.mirror, queue.tip)) == {"r/1.10", "r/1.1"}


def test_another_runs_task_is_another_task(queue: Queue) -> None:
    queue.land(replace(queue.branch("1.1", {"a": b"2\n"}), run="old"))
    assert queue.land(queue.branch("1.1", {"b": b"2\n"})).outcome == "merged"


def test_a_summary_cannot_claim_that_another_task_landed(queue: Queue) -> None:
    lie = "Done.\n\nTask-Id: r/1.2\n\nTask-Id: r/1.2"
    queue.land(replace(queue.branch("1.1", {"a": b"2\n"}), summary=lie))
    assert queue.land(queue.branch("1.2", {"b": b"2\n"})).outcome == "merged"


def test_an_agents_own_commit_cannot_claim_it_either(queue: Queue) -> None:
    tree = queue.mirror.write_tree(queue.mirror.tree_of(queue.base), {"a": b"2\n"})
    lying = queue.mirror.commit(tree, (queue.base,), "x\n\nTask-Id: r/1.2\n", ENGINE, 1)
    queue.land(replace(queue.branch("1.1", {}), commit=lying))
    assert queue.land(queue.branch("1.2", {"b": b"2\n"})).outcome == "merged"


def test_a_red_tree_does_not_land(queue: Queue) -> None:
    for verdict in ("fail", "could_not_run", "no_tests"):
        done = queue.land(queue.branch("1.1", {"a": b"2\n"}), verdict)
        assert (done.outcome, done.report) == ("red", Report(verdict))
        assert done.tree
    assert queue.tip == queue.base


def test_a_conflict_is_never_verified(queue: Queue) -> None:
    queue.land(queue.branch("1.1", {"a": b"2\n"}))

    def verify(tree: str) -> Report:
        raise AssertionError("a tree with markers was verified")

    done = queue.land(queue.branch("1.2", {"a": b"3\n"}), verify=verify)
    assert done.outcome == "conflict"
    assert done.conflict is not None
    assert done.conflict.paths == ("a",)


def test_a_tip_that_moved_is_merged_with_and_verified_again(queue: Queue) -> None:
    other = queue.branch("1.1", {"a": b"2\n"})
    trees: list[str] = []

    def verify(tree: str) -> Report:
        if not trees:
            queue.land(other)
        trees.append(tree)
        return Report("pass")

    done = queue.land(queue.branch("1.2", {"b": b"2\n"}), verify=verify)
    assert done.outcome == "merged"
    assert len(set(trees)) == 2
    assert done.tree == trees[-1]
    assert queue.history() == ["1.2: Title", "1.1: Title"]


def test_a_tip_that_never_rests_ends_the_tries(queue: Queue) -> None:
    count = 0

    def verify(tree: str) -> Report:
        nonlocal count
        count += 1
        queue.land(queue.branch(f"9.{count}", {f"f{count}": b"x"}))
        return Report("pass")

    assert queue.land(queue.branch("1.2", {"b": b"2\n"}), verify=verify).outcome == "moved"
    assert count == MOST_TRIES
    assert "1.2: Title" not in queue.history()


def test_a_missing_integration_branch_is_an_error(queue: Queue) -> None:
    with pytest.raises(GitFailed, match="does not exist"):
        land(
            queue.mirror,
            queue.branch("1.1", {}),
            integration_ref=integration_ref("none"),
            verify=lambda tree: Report("pass"),
            evidence=str,
        )


def test_many_threads_land_each_task_once(queue: Queue) -> None:
    branches = [queue.branch(f"1.{n}", {f"f{n}": b"x"}) for n in range(3)] * 2
    gate = threading.Barrier(len(branches))
    done: list[str] = []

    def work(branch: Branch) -> None:
        gate.wait(20)
        landing = queue.land(branch)
        while landing.outcome == "moved":
            landing = queue.land(branch)
        done.append(landing.outcome)

    threads = [threading.Thread(target=work, args=(branch,)) for branch in branches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(50)
    assert sorted(done) == ["already_merged"] * 3 + ["merged"] * 3
    assert sorted(queue.history()) == [f"1.{n}: Title" for n in range(3)]


LANDER = """
import sys, time
from pathlib import Path
from wavecrew.workspace.merge_queue import Branch, land
from wavecrew.workspace.mirror import Mirror
from wavecrew.workspace.user_repo import UserRepository

user, path, commit, base, pause, ready = sys.argv[1:]

class Report:
    verdict = "pass"

class Slow(Mirror):
    def publish(self, ref, commit, expected_old):
        if pause == "pause":
            Path(ready).touch()
            time.sleep(60)
        return super().publish(ref, commit, expected_old)

opened = Mirror.open(Path(path), UserRepository.open(Path(user), clean=False))
mirror = Slow(opened.path, opened.repository, opened.git)
branch = Branch("r", "1.1", "Title", "What I did.", commit, 1, "role", 1_700_000_000)
done = land(mirror, branch, integration_ref="refs/heads/wavecrew/r/integration",
            verify=lambda tree: Report(), evidence=lambda report: "report", since=base)
print(done.outcome)
"""


def lander(queue: Queue, branch: Branch, pause: str, ready: Path) -> subprocess.Popen[str]:
    words = (queue.shop.user, queue.mirror.path, branch.commit, queue.base, pause, ready)
    return subprocess.Popen(
        [sys.executable, "-P", "-c", LANDER, *map(str, words)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def test_a_landing_killed_before_the_swap_lands_once_when_tried_again(
    queue: Queue, tmp_path: Path
) -> None:
    branch = queue.branch("1.1", {"a": b"2\n"})
    ready = tmp_path / "ready"
    with lander(queue, branch, "pause", ready) as killed:
        for _ in range(2000):
            if ready.exists():
                break
            threading.Event().wait(0.01)
        assert ready.exists()
        killed.send_signal(signal.SIGKILL)
    assert queue.tip == queue.base
    for outcome in ("merged", "already_merged"):
        with lander(queue, branch, "go", ready) as process:
            assert process.communicate(timeout=40)[0].strip() == outcome
    assert queue.history() == ["1.1: Title"]


def test_two_processes_land_a_task_once(queue: Queue, tmp_path: Path) -> None:
    branch = queue.branch("1.1", {"a": b"2\n"})
    processes = [lander(queue, branch, "go", tmp_path / "x") for _ in range(2)]
    outcomes = {process.communicate(timeout=40)[0] for process in processes}
    assert outcomes == {"merged\n", "already_merged\n"}
    assert queue.history() == ["1.1: Title"]
    repository = UserRepository.open(queue.shop.user)
    assert repository.read_ref(REF) == queue.tip


def test_what_a_driver_made_is_verified_before_it_lands(queue: Queue) -> None:
    first = queue.branch("1.1", {"CHANGES.md": b"# Log\n\n- one\n"})
    second = queue.branch("1.2", {"CHANGES.md": b"# Log\n\n- two\n"})
    seen: list[bytes | None] = []

    def verify(tree: str) -> Report:
        seen.append(queue.mirror.read(tree, "CHANGES.md"))
        return Report("fail" if len(seen) == 2 else "pass")

    queue.land(first, verify=verify)
    tip = queue.tip
    red = queue.land(second, verify=verify)
    assert (red.outcome, red.drivers, queue.tip) == ("red", ("changelog",), tip)
    landed_at_last = queue.land(second, verify=verify)
    assert (landed_at_last.outcome, landed_at_last.drivers) == ("merged", ("changelog",))
    assert seen[1:] == [b"# Log\n\n- one\n- two\n"] * 2
    assert queue.mirror.read(queue.tip, "CHANGES.md") == seen[-1]
