from __future__ import annotations

from typing import Any

import pytest

from wavecrew.errors import GitFailed, UsageError
from wavecrew.workspace.hub import HubRepository
from wavecrew.workspace.mirror import Mirror
from wavecrew.workspace.refs import integration_ref, ref_for
from wavecrew.workspace.remote import Patience

REF = integration_ref("r1")
HASTY = Patience(quick_s=20, transfer_s=20, tries=3, pause_s=0.05)


@pytest.fixture
def base(shop: Any) -> str:
    """A base commit that stands at the hub `hub.git` as the run's integration branch."""
    base: str = shop.start({"a": "1\n", "b": "1\n"})
    shop.git("init", "-q", "--bare", str(shop.folder / "hub.git"))
    shop.git("push", "-q", str(shop.folder / "hub.git"), f"{base}:{REF}")
    return base


def worker(shop: Any, name: str = "w1", url: str = "", patience: Patience = HASTY) -> Mirror:
    hub = HubRepository.open(url or str(shop.folder / "hub.git"), shop.folder / name, patience)
    return Mirror.open(shop.folder / name / "run" / "mirror.git", hub)


def at_hub(shop: Any, ref: str = REF) -> str:
    return shop.git("for-each-ref", "--format=%(objectname)", ref, cwd=shop.folder / "hub.git")


def test_a_worker_reads_a_branch_and_all_it_stands_on_from_the_hub(shop: Any, base: str) -> None:
    mirror = worker(shop)
    assert mirror.tip(REF) == base
    assert mirror.read(base, "a") == b"1\n"
    assert mirror.tip(ref_for("r1", "1.1")) is None


def test_what_one_worker_publishes_another_reads(shop: Any, base: str) -> None:
    one, other = worker(shop), worker(shop, "w2")
    assert other.tip(REF) == base
    one.tip(REF)
    commit = shop.branch(one, base, {"a": b"2\n"})
    assert one.publish(REF, commit, base)
    assert (at_hub(shop), other.tip(REF)) == (commit, commit)
    assert other.read(commit, "a") == b"2\n"


def test_a_ref_moves_only_from_where_it_was_expected(shop: Any, base: str) -> None:
    mirror = worker(shop)
    mirror.tip(REF)
    first, second = (shop.branch(mirror, base, {"a": text}) for text in (b"2\n", b"3\n"))
    assert mirror.publish(REF, first, base)
    assert not mirror.publish(REF, second, base)
    assert not mirror.publish(REF, second, None)
    assert not mirror.publish(REF, first, base)
    assert at_hub(shop) == first
    assert mirror.publish(REF, second, first)


def test_only_refs_of_runs_are_pushed(shop: Any, base: str) -> None:
    mirror = worker(shop)
    mirror.tip(REF)
    for name in ("refs/heads/main", "refs/heads/wavecrew/../main", "refs/tags/x", "HEAD"):
        with pytest.raises(UsageError):
            mirror.repository.update_ref(name, base, None)
        with pytest.raises(UsageError):
            mirror.repository.read_ref(name)


def test_a_commit_that_is_not_here_cannot_be_pushed(shop: Any, base: str) -> None:
    with pytest.raises(GitFailed, match="is not here"):
        worker(shop).repository.update_ref(REF, "1" * 40, base)
