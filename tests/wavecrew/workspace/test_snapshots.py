"""States of an attempt at the hub: whole, in a line that only grows, removed when they are safe."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from wavecrew.errors import HubUnreachable
from wavecrew.workspace import attic
from wavecrew.workspace.hub import HubRepository
from wavecrew.workspace.mirror import Mirror
from wavecrew.workspace.model import ENGINE
from wavecrew.workspace.refs import ref_for
from wavecrew.workspace.snapshots import Snapshots


def line(hub: Any, name: str = "w1", url: str = "", attempt: int = 1) -> Snapshots:
    mirror = hub.worker(name, url)
    mirror.tip(hub.ref)
    return Snapshots(mirror, "r1", "1.1", attempt, hub.base)


def tree(hub: Any, it: Snapshots, text: bytes) -> str:
    return it.mirror.write_tree(it.mirror.tree_of(hub.base), {"a": text})


def hub_of(it: Snapshots) -> HubRepository:
    assert isinstance(it.mirror.repository, HubRepository)
    return it.mirror.repository


def test_a_state_that_was_kept_is_whole_on_another_machine(hub: Any) -> None:
    one, other = line(hub), line(hub, "w2")
    first, second = tree(hub, one, b"2\n"), tree(hub, one, b"3\n")
    one.keep(first)
    one.keep(second)
    for state, text in ((first, b"2\n"), (second, b"3\n")):
        assert other.fetch(state)
        assert other.mirror.read(state, "a") == text
    assert not other.fetch(tree(hub, line(hub, "w3"), b"never kept\n"))


def test_keeping_costs_one_call_and_nothing_when_nothing_changed(hub: Any) -> None:
    it = line(hub, url=hub.ssh)
    first, second = tree(hub, it, b"2\n"), tree(hub, it, b"3\n")
    hub.calls()
    it.keep(it.mirror.tree_of(hub.base))
    assert hub.calls() == []
    it.keep(first)
    it.keep(first)
    assert hub.calls() == ["receive"]
    it.keep(second)
    assert hub.calls() == ["receive"]


def test_the_same_states_make_the_same_line(hub: Any) -> None:
    one, other = line(hub), line(hub, "w2", attempt=2)
    for it in (one, other):
        it.keep(tree(hub, it, b"2\n"))
    assert one.mirror.tree_of(one.newest() or "") == other.mirror.tree_of(other.newest() or "")
    again = line(hub, "w3")
    again.keep(tree(hub, again, b"2\n"))
    assert again.newest() == one.newest()


def test_a_worker_taken_for_dead_adds_to_the_line_and_takes_nothing_away(hub: Any) -> None:
    slow, taken_over = line(hub), line(hub, "w2")
    states = [tree(hub, slow, text) for text in (b"2\n", b"slow\n", b"new\n")]
    for text in (b"new\n",):
        tree(hub, taken_over, text)
    slow.keep(states[0])
    assert taken_over.fetch(states[0])
    slow.keep(states[1])
    taken_over.keep(states[2])
    third = line(hub, "w3")
    assert all(third.fetch(state) for state in states)


def test_a_state_whose_import_was_cut_short_is_fetched_whole(hub: Any) -> None:
    one, other = line(hub), line(hub, "w2")
    state = tree(hub, one, b"2\n")
    one.keep(state)
    part = other.mirror.path / "objects" / state[:2]
    part.mkdir(exist_ok=True)
    shutil.copy(one.mirror.path / "objects" / state[:2] / state[2:], part)
    assert other.mirror.git.call("cat-file", "-e", state).code == 0
    assert other.fetch(state)
    assert other.mirror.read(state, "a") == b"2\n"


def test_nothing_counts_as_kept_while_the_hub_is_away(hub: Any) -> None:
    it = line(hub, url=hub.ssh)
    state = tree(hub, it, b"2\n")
    hub.harm(*["refuse receive"] * 4)
    with pytest.raises(HubUnreachable):
        it.keep(state)
    it.keep(state)
    assert line(hub, "w2").fetch(state)


@pytest.mark.parametrize("place", ["attic", "branch", "integration"])
def test_states_are_removed_once_the_newest_is_safe_elsewhere(hub: Any, place: str) -> None:
    it = line(hub)
    state = tree(hub, it, b"2\n")
    it.keep(tree(hub, it, b"earlier\n"))
    it.keep(state)
    assert not it.drop(hub_of(it))
    save(it.mirror, hub, state, place)
    gone = it.newest()
    assert gone is not None
    assert it.drop(hub_of(it))
    assert hub.at(it.ref) == ""
    assert it.drop(hub_of(it))


def test_an_older_state_in_the_attic_does_not_let_a_newer_one_go(hub: Any) -> None:
    it = line(hub)
    first, second = tree(hub, it, b"2\n"), tree(hub, it, b"3\n")
    it.keep(first)
    save(it.mirror, hub, first, "attic")
    it.keep(second)
    assert not it.drop(hub_of(it))
    assert hub.at(it.ref) == it.newest()


def test_an_attempt_that_undid_all_it_did_leaves_nothing_to_save(hub: Any) -> None:
    it = line(hub)
    it.keep(tree(hub, it, b"2\n"))
    it.keep(it.mirror.tree_of(hub.base))
    assert it.drop(hub_of(it))


def save(mirror: Mirror, hub: Any, state: str, place: str) -> None:
    if place == "attic":
        note = attic.Note("r1", "1.1", 1, hub.base, "Title", "stalled")
        attic.park(mirror, state, note, author=ENGINE, when=1_700_000_000)
        return
    commit = mirror.commit(state, (hub.base,), "work", ENGINE, 1_700_000_000)
    ref = hub.ref if place == "integration" else ref_for("r1", "1.1")
    assert mirror.publish(ref, commit, mirror.tip(ref))
