"""Batches with real git: what is green lands, once, as tested; what is red or at odds does not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wavecrew.workspace import trailers
from wavecrew.workspace.merge_queue import Branch, Chain, divide, land_batch
from wavecrew.workspace.mirror import Mirror
from wavecrew.workspace.model import Landing
from wavecrew.workspace.refs import integration_ref

REF = integration_ref("r")
MIGRATION = '''"""{name}

Revises: {down}
"""

revision = "{name}"
down_revision = "{down}"
'''


@dataclass
class Report:
    verdict: str
    tree: str


class Killed(BaseException):
    """The engine is gone."""


@dataclass
class Lane:
    """A queue whose checks are red at trees that hold a forbidden set of files together."""

    shop: Any
    mirror: Mirror
    base: str
    forbidden: list[set[str]] = field(default_factory=list)
    tested: list[list[str]] = field(default_factory=list)
    trees: list[str] = field(default_factory=list)

    def branch(self, task: str, files: dict[str, bytes | None] | None = None) -> Branch:
        changed = {f"{task}.txt": task.encode()} if files is None else files
        commit = self.shop.branch(self.mirror, self.base, changed)
        return Branch("r", task, f"Title {task}", "Did it.", commit, 1, "role", 1_700_000_000)

    def verify(self, chain: Chain) -> Report:
        self.tested.append(chain.tasks)
        self.trees.append(chain.tree)
        here = {path.removesuffix(".txt") for path in self.mirror.ls(chain.tree)}
        red = any(bad <= here for bad in self.forbidden)
        return Report("fail" if red else "pass", chain.tree)

    def land(self, *branches: Branch, in_order: bool = False) -> dict[str, str]:
        done = self.landings(*branches, in_order=in_order)
        return {task: landing.outcome for task, landing in done.items()}

    def landings(self, *branches: Branch, in_order: bool = False) -> dict[str, Landing[Report]]:
        return land_batch(
            self.mirror,
            branches,
            integration_ref=REF,
            verify=self.verify,
            evidence=lambda report: f"{report.verdict} at tree {report.tree}",
            since=self.base,
            in_order=in_order,
        )

    @property
    def tip(self) -> str:
        tip = self.mirror.tip(REF)
        assert tip is not None
        return tip

    def history(self) -> list[str]:
        """Task of each merge, oldest first."""
        shown = self.shop.git(
            "log", "--first-parent", "--reverse", "--format=%s", f"{self.base}..{REF}"
        )
        return [line.partition(":")[0] for line in shown.splitlines()]


def lane_in(shop: Any, files: dict[str, str]) -> Lane:
    base = shop.start(files)
    mirror = shop.mirror()
    assert mirror.publish(REF, base, None)
    return Lane(shop, mirror, base)


@pytest.fixture
def lane(shop: Any) -> Lane:
    return lane_in(shop, {"shared": "1\n2\n3\n"})


def test_a_green_batch_is_tested_once_and_lands_in_one_go(lane: Lane) -> None:
    branches = [lane.branch(task) for task in "abc"]
    assert lane.land(*branches) == dict.fromkeys("abc", "merged")
    assert lane.tested == [["a", "b", "c"]]
    assert lane.history() == ["a", "b", "c"]
    assert lane.trees == [lane.mirror.tree_of(lane.tip)]
    assert lane.shop.git("fsck", "--strict") == ""


def test_each_merge_of_a_batch_is_a_commit_with_its_own_facts(lane: Lane) -> None:
    done = lane.landings(*(lane.branch(task) for task in "ab"))
    for task, landing in done.items():
        message = lane.shop.git("log", "-1", "--format=%B", landing.commit)
        facts = trailers.parse(message)
        assert (facts["Task-Id"], facts["Attempt"]) == (f"r/{task}", "1")
        assert facts["Evidence"] == f"pass at tree {lane.mirror.tree_of(lane.tip)}"
    parents = lane.shop.git("log", "-1", "--format=%P", done["b"].commit).split()
    assert parents[0] == done["a"].commit


def test_the_culprit_of_a_red_batch_is_found_and_the_others_land(lane: Lane) -> None:
    lane.forbidden = [{"c"}]
    outcomes = lane.land(*(lane.branch(task) for task in "abcd"))
    assert outcomes == {"a": "merged", "b": "merged", "c": "red", "d": "merged"}
    assert lane.tested == [list("abcd"), list("ab"), list("cd"), ["c"], ["d"]]
    assert lane.history() == ["a", "b", "d"]


def test_of_two_that_are_red_only_together_the_second_is_the_culprit(lane: Lane) -> None:
    lane.forbidden = [{"b", "c"}]
    outcomes = lane.land(*(lane.branch(task) for task in "abc"))
    assert outcomes == {"a": "merged", "b": "merged", "c": "red"}
    assert lane.history() == ["a", "b"]


def test_a_branch_at_odds_with_another_of_its_batch_waits_for_its_own_turn(lane: Lane) -> None:
    one = lane.branch("a", {"shared": b"one\n2\n3\n"})
    other = lane.branch("b", {"shared": b"other\n2\n3\n"})
    assert lane.land(one, other, lane.branch("c")) == {"a": "merged", "c": "merged"}
    assert lane.land(other) == {"b": "conflict"}
    assert lane.history() == ["a", "c"]


def test_a_branch_at_odds_with_the_tip_does_not_keep_its_batch_back(lane: Lane) -> None:
    lane.land(lane.branch("a", {"shared": b"one\n2\n3\n"}))
    late = lane.branch("b", {"shared": b"other\n2\n3\n"})
    assert lane.land(late, lane.branch("c")) == {"b": "conflict", "c": "merged"}


def test_in_order_nothing_lands_behind_a_culprit(lane: Lane) -> None:
    lane.forbidden = [{"b"}]
    assert lane.land(*map(lane.branch, "abcd"), in_order=True) == {"a": "merged", "b": "red"}
    assert lane.history() == ["a"]


def test_in_order_nothing_lands_behind_a_conflict(lane: Lane) -> None:
    one = lane.branch("a", {"shared": b"one\n2\n3\n"})
    other = lane.branch("b", {"shared": b"other\n2\n3\n"})
    assert lane.land(one, other, lane.branch("c"), in_order=True) == {"a": "merged"}
    assert lane.land(other, lane.branch("c"), in_order=True) == {"b": "conflict"}
    assert lane.history() == ["a"]


def test_in_order_a_red_part_with_a_conflict_behind_lands_what_is_green(lane: Lane) -> None:
    lane.forbidden = [{"b"}]
    clash = [lane.branch(task, {"shared": f"{task}\n2\n3\n".encode()}) for task in "xy"]
    batch = [lane.branch("a"), clash[0], lane.branch("b"), clash[1], lane.branch("c")]
    assert lane.land(*batch, in_order=True) == {"a": "merged", "x": "merged", "b": "red"}


def test_what_landed_before_is_passed_over(lane: Lane) -> None:
    branches = [lane.branch(task) for task in "abc"]
    lane.land(branches[1])
    assert lane.land(*branches) == {"a": "merged", "b": "already_merged", "c": "merged"}
    assert lane.history() == ["b", "a", "c"]


def test_two_migrations_of_one_batch_end_up_one_behind_the_other(shop: Any) -> None:
    versions = "app/migrations/versions"
    lane = lane_in(
        shop,
        {
            "alembic.ini": "[alembic]\nscript_location = app/migrations\n",
            "app/migrations/env.py": "",
            f"{versions}/one.py": MIGRATION.format(name="one", down="zero").replace(
                '"zero"', "None"
            ),
        },
    )
    names = ("users", "orders", "bills")
    branches = [
        lane.branch(
            name, {f"{versions}/{name}.py": MIGRATION.format(name=name, down="one").encode()}
        )
        for name in names
    ]
    done = lane.landings(*branches)
    assert [done[name].drivers for name in names] == [(), ("alembic",), ("alembic",)]
    downs = {name: lane.mirror.read(lane.tip, f"{versions}/{name}.py") or b"" for name in names}
    assert b'down_revision = "one"' in downs["users"]
    assert b'down_revision = "users"' in downs["orders"]
    assert b'down_revision = "orders"' in downs["bills"]


@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_killed_anywhere_every_branch_lands_at_most_once(
    shop_in: Callable[[Path], Any], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    lane = lane_in(shop_in(tmp_path_factory.mktemp("killed")), {"shared": "1\n"})
    tasks = "abcd"
    lane.forbidden = [set(data.draw(st.sampled_from(["b", "bd", "x"])))]
    branches = [lane.branch(task) for task in tasks]
    for _ in range(data.draw(st.integers(1, 4))):
        steps = iter(range(data.draw(st.integers(0, 9))))
        order = data.draw(st.permutations(branches))
        try:
            _dying(lane, steps).land(*order)
        except Killed:
            continue
    lane.land(*branches)
    history = lane.history()
    assert len(history) == len(set(history))
    assert not any(bad <= set(history) for bad in lane.forbidden)
    assert all(
        any(bad <= {*history, task} for bad in lane.forbidden) for task in {*tasks} - {*history}
    )


def _dying(lane: Lane, steps: Iterable[int]) -> Lane:
    """The same lane, whose engine is killed at one of the points that matter."""
    left = iter(steps)

    def point() -> None:
        if next(left, None) is None:
            raise Killed

    class Mortal(Mirror):
        def publish(self, ref: str, commit: str, expected_old: str | None) -> bool:
            point()
            done = super().publish(ref, commit, expected_old)
            point()
            return done

    class MortalLane(Lane):
        def verify(self, chain: Chain) -> Report:
            point()
            report = super().verify(chain)
            point()
            return report

    mirror = Mortal(lane.mirror.path, lane.mirror.repository, lane.mirror.git)
    return MortalLane(lane.shop, mirror, lane.base, lane.forbidden)


@given(
    count=st.integers(0, 12),
    forbidden=st.lists(st.sets(st.integers(0, 11), min_size=1, max_size=3), max_size=4),
    in_order=st.booleans(),
)
def test_halving_refuses_exactly_what_one_by_one_would(
    count: int, forbidden: list[set[int]], in_order: bool
) -> None:
    def landing(take_many: bool) -> tuple[list[int], tuple[int, ...], int]:
        landed: list[int] = []
        asked = 0

        def take(part: tuple[int, ...]) -> bool:
            nonlocal asked
            asked += 1
            red = any(bad <= {*landed, *part} for bad in forbidden)
            if not red:
                landed.extend(part)
            return not red

        if take_many:
            return landed, divide(range(count), take, in_order=in_order), asked
        refused: list[int] = []
        for one in range(count):
            if not take((one,)):
                refused.append(one)
                if in_order:
                    break
        return landed, tuple(refused), asked

    assert landing(take_many=True)[:2] == landing(take_many=False)[:2]


@given(count=st.integers(1, 64), culprit=st.integers(0, 63))
def test_one_culprit_costs_a_logarithm_of_tests(count: int, culprit: int) -> None:
    asked = 0

    def take(part: tuple[int, ...]) -> bool:
        nonlocal asked
        asked += 1
        return culprit not in part

    assert divide(range(count), take) == ((culprit,) if culprit < count else ())
    assert asked <= 1 + 2 * count.bit_length()


def test_nothing_to_land_asks_nothing(lane: Lane) -> None:
    assert (lane.land(), lane.tested) == ({}, [])
