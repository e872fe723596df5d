from __future__ import annotations

import pytest

from wavecrew.gates.pytest_config import config_findings, effective, patterns
from wavecrew.gates.source import Texts


def told(trees, before, after):
    source = trees(old=before, new=after)
    changed = [change.path for change in source.changes("old", "new")]
    return [f.rule for f in config_findings(Texts(source, "old"), Texts(source, "new"), changed)]


def toml(body):
    return {"pyproject.toml": f"[tool.pytest.ini_options]\n{body}\n"}


@pytest.mark.parametrize(
    "option",
    [
        "-k fast",
        "-m 'not slow'",
        "--ignore=tests/a",
        "--deselect tests/a.py::t",
        "--collect-only",
        "-p shop.plugin",
        "-o testpaths=x",
        "tests/unit",
        "--maxfail=1",
        "--runxfail",
    ],
)
def test_options_that_leave_tests_out_are_found_in_every_file(trees, option):
    assert told(trees, toml('addopts = "-q"'), toml(f'addopts = "-q {option}"')) == ["test_skipped"]
    for name, section in (
        ("pytest.ini", "pytest"),
        ("tox.ini", "pytest"),
        ("setup.cfg", "tool:pytest"),
    ):
        text = f"[{section}]\naddopts = -q {option}\n"
        assert told(trees, {name: f"[{section}]\naddopts = -q\n"}, {name: text}) == ["test_skipped"]


@pytest.mark.parametrize(
    ("before", "after", "rules"),
    [
        ('testpaths = ["tests"]', 'testpaths = ["tests/unit"]', ["test_skipped"]),
        ("", 'testpaths = ["tests"]', ["test_skipped"]),
        ('testpaths = ["a", "b"]', 'testpaths = ["a"]', ["test_skipped"]),
        (
            'python_files = ["test_*.py", "check_*.py"]',
            'python_files = ["test_*.py"]',
            ["test_skipped"],
        ),
        ("", 'python_functions = ["check"]', ["test_skipped"]),
        ("", 'norecursedirs = ["tests"]', ["test_skipped"]),
        ("xfail_strict = true", "", ["test_weakened"]),
        ('filterwarnings = ["error"]', "", ["test_weakened"]),
        ('testpaths = ["a"]', 'testpaths = ["a", "b"]', []),
        ('testpaths = ["a"]', "", []),
        ("", 'addopts = "-q --strict-markers -p no:cacheprovider --cov=shop"', []),
        ("", 'markers = ["slow: slow ones"]', []),
        ('addopts = "-k fast"', 'addopts = "-k fast -q"', []),
    ],
)
def test_what_narrows_is_found_and_what_does_not_is_not(trees, before, after, rules):
    assert told(trees, toml(before), toml(after)) == rules


def test_a_new_file_that_takes_precedence_is_what_counts(trees):
    before = toml('testpaths = ["tests"]')
    assert told(trees, before, before | {"pytest.ini": "[pytest]\naddopts = -k x\n"}) == [
        "test_skipped"
    ]
    assert told(trees, before, before | {"setup.cfg": "[tool:pytest]\naddopts = -k x\n"}) == []


def test_a_folders_own_configuration_is_judged_too(trees):
    assert told(trees, {}, {"backend/pytest.ini": "[pytest]\naddopts = -m x\n"}) == ["test_skipped"]


def test_a_file_without_a_word_to_pytest_is_passed_over(trees):
    source = trees(
        t={
            "pyproject.toml": "[project]\nname = 'x'\n",
            "tox.ini": "[pytest]\npython_files = check_*.py test_*.py\n",
        }
    )
    assert effective(Texts(source, "t"), "")[0] == "tox.ini"
    assert patterns(Texts(source, "t")) == ("check_*.py", "test_*.py")


def test_a_broken_file_is_passed_over(trees):
    source = trees(t={"pyproject.toml": "[tool.pytest", "setup.cfg": "no section"})
    assert effective(Texts(source, "t"), "") == ("", {})
