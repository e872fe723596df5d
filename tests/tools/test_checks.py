from __future__ import annotations

import pytest

from tools.checks import verdict_of
from wavecrew.plan.settings import Check
from wavecrew.sandbox.model import Finished

UNIT = Check(name="unit", run="python -m pytest -q -p no:cacheprovider tests", kind="pytest")
STYLE = Check(name="style", run="test -f styled")
HIDDEN = Check(name="acceptance", run="false", held_out="hidden")


@pytest.fixture
def checked(make_agent):
    agent = make_agent(checks=(UNIT, STYLE, HIDDEN), task={"done_when": ("test -f done",)})
    agent.put("tests/test_a.py", "def test_good():\n    pass\n")
    agent.put("tests/test_b.py", "def test_bad():\n    assert 1 == 2, 'sums'\n")
    return agent


def test_all_checks_of_the_gate_run_with_a_verdict_each(checked) -> None:
    text = checked.ok("run_checks")
    assert "unit: fail, exit code 1" in text
    assert "sums" in text
    assert "style: fail" in text
    assert "acceptance: held out; only the gate runs it" in text
    assert "done_when_1: fail" in text
    assert text.endswith("it decides.)")
    checked.put("styled", "")
    checked.put("done", "")
    text = checked.ok("run_checks")
    assert "style: pass" in text
    assert "done_when_1: pass" in text


def test_one_check_runs_by_name(checked) -> None:
    text = checked.ok("run_checks", name="style")
    assert "style: fail" in text
    assert "unit" not in text
    assert "did you mean 'unit'? There are: unit, style" in checked.fails("run_checks", name="unti")


def test_a_target_stands_in_place_of_the_checks_own_paths(checked) -> None:
    text = checked.ok("run_checks", target="tests/test_a.py::test_good")
    assert "unit: pass" in text
    assert "1 passed" in text
    assert "pytest for" not in text
    assert "a target is for pytest checks" in checked.fails("run_checks", name="style", target="x")
    assert "is not a test file" in checked.fails("run_checks", target="--pdb")


def test_a_target_is_never_a_command(checked) -> None:
    checked.call("run_checks", target="tests; touch evil")
    assert not (checked.tree / "evil").exists()


def test_no_tests_is_no_pass(checked) -> None:
    checked.put("tests/test_c.py", "")
    assert "unit: no_tests" in checked.ok("run_checks", target="tests/test_c.py")


def test_a_task_without_checks_is_told_so(make_agent) -> None:
    assert "no checks" in make_agent().fails("run_checks")


@pytest.mark.parametrize(
    ("finished", "kind", "verdict"),
    [
        (Finished(0, b""), "pytest", "pass"),
        (Finished(1, b""), "pytest", "fail"),
        (Finished(5, b""), "pytest", "no_tests"),
        (Finished(5, b""), "command", "fail"),
        (Finished(127, b""), "command", "could_not_run"),
        (Finished(0, b"", killed_by="time"), "command", "could_not_run"),
    ],
)
def test_an_ending_has_one_of_four_verdicts(finished: Finished, kind: str, verdict: str) -> None:
    check = Check.model_validate({"name": "x", "run": "x", "kind": kind})
    assert verdict_of(check, finished) == verdict
