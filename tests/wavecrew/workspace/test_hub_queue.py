"""Many workers, one hub: what each lands is in the history once, and the history is one line."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from wavecrew.workspace import trailers
from wavecrew.workspace.merge_queue import TASK_ID, Branch, land
from wavecrew.workspace.mirror import Mirror
from wavecrew.workspace.model import Landing

WORKER = """
import sys
from dataclasses import dataclass
from pathlib import Path
from wavecrew.workspace.hub import HubRepository
from wavecrew.workspace.merge_queue import Branch, land
from wavecrew.workspace.mirror import Mirror

@dataclass
class Report:
    verdict: str

url, folder, ref, base, *branches = sys.argv[1:]
mirror = Mirror.open(Path(folder) / "run" / "mirror.git", HubRepository.open(url, Path(folder)))
for number, branch in enumerate(branches):
    task, commit = branch.split("=")
    wanted = Branch("r1", task, "Title", "What I did.", commit, 1, "role", 1_700_000_000 + number)
    while True:
        done = land(mirror, wanted, integration_ref=ref, verify=lambda tree: Report("pass"),
                    evidence=lambda report: report.verdict, since=base)
        if done.outcome != "moved":
            break
    print(task, done.outcome, done.commit, flush=True)
"""


def branches(hub: Any, names: list[str]) -> list[str]:
    """A branch at the hub for each task, on the base, each with a file of its own."""
    mirror = hub.worker("author")
    mirror.tip(hub.ref)
    made = []
    for name in names:
        commit = hub.shop.branch(mirror, hub.base, {f"f-{name}": name.encode()})
        assert mirror.publish(f"refs/heads/wavecrew/r1/{name}", commit, None)
        made.append(f"{name}={commit}")
    return made


def start(hub: Any, name: str, work: list[str]) -> subprocess.Popen[str]:
    folder = str(hub.shop.folder / name)
    argv = [sys.executable, "-c", WORKER, hub.ssh, folder, hub.ref, hub.base, *work]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


def landings(hub: Any) -> Counter[str]:
    """task -> how often it stands on the first-parent line, which must begin at the base."""
    log = hub.git("log", "--first-parent", "-z", "--format=%P%n%B", hub.ref, f"^{hub.base}")
    entries = [entry.partition("\n") for entry in log.split("\0") if entry.strip()]
    assert all(len(parents.split()) == 2 for parents, _, _ in entries)
    assert entries[-1][0].split()[0] == hub.base
    return Counter(trailers.parse(message)[TASK_ID] for _, _, message in entries)


@pytest.mark.parametrize("is_harmed", [False, True])
def test_workers_that_land_at_the_same_time_lose_and_double_nothing(
    hub: Any, is_harmed: bool
) -> None:
    names = [f"1.{number}" for number in range(1, 7)]
    work = branches(hub, names)
    if is_harmed:
        hub.harm("mute receive", "cut receive 300", "refuse upload", "mute receive", "cut upload 9")
    # The middle branches are given to two workers each, as when the reaper was too early.
    shares = {"w1": work[:3], "w2": work[2:5], "w3": work[4:] + work[:1]}
    started = [start(hub, name, share) for name, share in shares.items()]
    said = [process.communicate(timeout=100)[0].split() for process in started]
    assert [process.returncode for process in started] == [0, 0, 0]
    outcomes = {word for words in said for word in words[1::3]}
    assert outcomes <= {"merged", "already_merged"}
    assert landings(hub) == {f"r1/{name}": 1 for name in names}
    files = hub.git("ls-tree", "--name-only", hub.ref).split()
    assert {f"f-{name}" for name in names} <= set(files)
    hub.git("fsck", "--strict", "--connectivity-only")


def test_landing_costs_a_handful_of_calls(hub: Any) -> None:
    (first, second) = branches(hub, ["1.1", "1.2"])
    mirror = hub.worker(url=hub.ssh)
    assert landed(hub, mirror, first).outcome == "merged"
    hub.calls()
    assert landed(hub, mirror, second).outcome == "merged"
    # where is the tip? give me the branch! here is the merge
    assert hub.calls() == ["upload", "upload", "receive"]
    assert landed(hub, mirror, second).outcome == "already_merged"
    assert hub.calls() == ["upload"]


class Passed:
    verdict = "pass"


def landed(hub: Any, mirror: Mirror, branch: str) -> Landing[Passed]:
    task, commit = branch.split("=")
    wanted = Branch("r1", task, "Title", "What I did.", commit, 1, "role", 1_700_000_000)
    return land(
        mirror,
        wanted,
        integration_ref=hub.ref,
        verify=lambda _tree: Passed(),
        evidence=lambda report: report.verdict,
        since=hub.base,
    )


def test_a_branch_that_only_the_hub_has_is_merged_and_nothing_is_written_elsewhere(
    hub: Any,
) -> None:
    (work,) = branches(hub, ["1.1"])
    before = hub.git("for-each-ref")
    assert landed(hub, hub.worker("w5"), work).outcome == "merged"
    after = hub.git("for-each-ref").splitlines()
    changed = [line for line in after if line not in before.splitlines()]
    assert [Path(line.split()[-1]).name for line in changed] == ["integration"]
