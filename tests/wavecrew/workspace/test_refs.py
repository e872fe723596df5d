from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wavecrew.errors import UsageError
from wavecrew.workspace.refs import attic_ref, checked, encode, integration_ref, ref_for

HOSTILE = ["--x", "../y", "a\nb", "x@{1}", "a..b", ".", "..", "x.lock", "a/b", "é", "@", "~^:?*[\\"]


def test_plain_ids_stay_readable() -> None:
    assert ref_for("r1", "1.10") == "refs/heads/wavecrew/r1/1.10"
    assert integration_ref("r1") == "refs/heads/wavecrew/r1/integration"
    assert attic_ref("r1", "2.1", 3) == "refs/wavecrew/attic/r1/2.1/3"


@pytest.mark.parametrize("name", HOSTILE)
def test_git_takes_the_branch_of_a_hostile_id(name: str) -> None:
    ref = ref_for(name, name)
    assert subprocess.run(["git", "check-ref-format", ref]).returncode == 0
    assert checked(ref) == ref


@settings(max_examples=60, deadline=None)
@given(st.text(min_size=1, max_size=12))
def test_git_takes_the_branch_of_any_id(name: str) -> None:
    try:
        ref = ref_for("run", name)
    except UsageError:
        assert name == "integration" or len(name.encode("utf-8", "surrogatepass")) * 3 > 180
        return
    assert subprocess.run(["git", "check-ref-format", ref]).returncode == 0
    assert checked(ref) == ref


@given(st.text(min_size=1, max_size=8), st.text(min_size=1, max_size=8))
def test_two_ids_never_share_a_branch(one: str, other: str) -> None:
    assert (encode(one) == encode(other)) == (one == other)


@pytest.mark.parametrize("name", ["", "integration", "x" * 300])
def test_an_id_that_cannot_name_a_branch_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        ref_for("run", name)


@pytest.mark.parametrize(
    "ref",
    [
        "refs/heads/main",
        "HEAD",
        "refs/heads/wavecrew/../main",
        "refs/heads/wavecrew/a..b",
        "refs/heads/wavecrew/-x",
        "refs/heads/wavecrew/x.lock",
        "refs/heads/wavecrew/x\n",
        "refs/heads/wavecrew//x",
        "--stdin",
    ],
)
def test_only_refs_of_a_run_may_be_written(ref: str) -> None:
    with pytest.raises(UsageError):
        checked(ref)
