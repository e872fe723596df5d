from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavecrew.gates.policy import policy_findings
from wavecrew.gates.scope import MOST_TOLD, outside, scope_findings

names = st.text(alphabet="abcxyz_0", min_size=1, max_size=6)
paths = st.lists(names, min_size=1, max_size=4).map("/".join)


@dataclass(frozen=True)
class Change:
    path: str
    status: str = "A"
    mode: str = "100644"


@pytest.mark.parametrize(
    ("path", "globs", "inside"),
    [
        ("shop/a.py", ("shop/**",), True),
        ("shop/deep/a.py", ("shop/**",), True),
        ("shop/deep/a.py", ("/shop/*.py",), False),
        ("other/shop/a.py", ("/shop/**",), False),
        ("shop/a.py", ("**/*.py",), True),
        ("shop/secret/a.py", ("shop/**", "!shop/secret/**"), False),
        ("shop", ("shop/**",), False),
        ("shop/a.py", (), False),
    ],
)
def test_globs_read_as_gitignore_reads_them(path, globs, inside):
    assert (outside([path], (globs,)) == ()) is inside


def test_a_path_must_match_every_group():
    scope = (("shop/**",), ("**/*.py",))
    assert outside(["shop/a.py", "shop/a.txt", "b.py"], scope) == ("shop/a.txt", "b.py")


def test_no_group_means_no_limit():
    assert outside(["a", "b/c"], ()) == ()


@given(st.lists(paths), st.lists(names, min_size=1))
def test_what_is_outside_and_what_is_inside_make_up_the_whole(changed, folders):
    scope = (tuple(f"/{folder}/**" for folder in folders),)
    strays = outside(changed, scope)
    assert [p for p in changed if p in strays] == list(strays)
    for path in changed:
        assert (path in strays) == ("/" not in path or path.split("/")[0] not in folders)


@given(st.lists(paths), st.lists(names), names)
def test_a_further_group_never_lets_more_through(changed, folders, extra):
    scope = (tuple(f"{folder}/**" for folder in folders),)
    assert set(outside(changed, scope)) <= set(outside(changed, (*scope, (f"{extra}/**",))))


def test_many_strays_are_told_in_a_few_findings():
    told = scope_findings([f"f{n}" for n in range(50)], (("shop/**",),))
    assert len(told) == MOST_TOLD + 1
    assert "30 more" in told[-1].message
    assert "'shop/**'" in told[0].message


@pytest.mark.parametrize(
    "path",
    [
        "wavecrew.toml",
        "tasks.yaml",
        "agents.yaml",
        ".gitmodules",
        "sub/.gitmodules",
        ".github/x",
        "conftest.py",
    ],
)
def test_what_decides_over_a_branch_is_not_the_branchs(path):
    assert [f.path for f in policy_findings([Change(path, "M")], (("**",),))] == [path]


def test_a_scope_that_names_them_opens_ci_files_and_the_root_conftest():
    scope = (
        ("conftest.py", ".github/**", "wavecrew.toml"),
        ("/conftest.py", ".github/workflows/*", "**"),
    )
    changes = [Change("conftest.py"), Change(".github/workflows/ci.yml")]
    assert policy_findings(changes, scope) == ()
    assert policy_findings([Change("wavecrew.toml")], scope) != ()
    assert policy_findings(changes, (scope[0], ("shop/**",))) != ()


@pytest.mark.parametrize(
    ("path", "refused"),
    [
        ("pytest.py", True),
        ("_pytest/__init__.py", True),
        ("json.py", True),
        ("wavecrew_receipt.py", True),
        ("sitecustomize.pyc", True),
        ("shop/json.py", False),
        ("test/__init__.py", False),
        ("platform/readme.md", False),
        ("shop.py", False),
    ],
)
def test_a_new_module_may_not_stand_in_for_pythons_or_pytests_own(path, refused):
    assert bool(policy_findings([Change(path)], ())) is refused
    assert not policy_findings([Change(path, "M")], ())


def test_a_nested_repository_is_refused():
    (finding,) = policy_findings([Change("vendor", mode="160000")], (("**",),))
    assert finding.rule == "forbidden_entry"
