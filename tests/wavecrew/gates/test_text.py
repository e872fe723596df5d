from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavecrew.gates.model import Evidence, Finding, GateReport
from wavecrew.gates.text import as_text, cut


def report(log="", findings=1):
    evidence = Evidence(
        check="unit",
        tree="t" * 40,
        command="pytest -q",
        verdict="fail",
        exit_code=1,
        duration_s=1.25,
        passed=3,
        failed=2,
        failures=("a.py::x", "a.py::y"),
        log=log,
    )
    told = tuple(Finding(rule="red_tests", message=f"test {n} fails") for n in range(findings))
    return GateReport(
        tree="t" * 40, base="b" * 40, verdict="fail", findings=told, evidence=(evidence,)
    )


def test_a_report_reads_as_verdict_findings_evidence_and_log():
    assert as_text(report("E   assert 0")) == (
        "Failed: what follows must be mended. (tree tttttttttttt)\n"
        "\n"
        "Findings (1):\n"
        "- [red_tests] test 0 fails\n"
        "\n"
        "Checks:\n"
        "- unit: fail, exit 1, 3 passed, 2 failed, 0 skipped, 1.2 s: pytest -q\n"
        "    a.py::x\n"
        "    a.py::y\n"
        "\n"
        "Log of unit:\n"
        "E   assert 0\n"
    )


@given(st.integers(500, 5000), st.integers(0, 100), st.integers(0, 20_000))
def test_a_text_keeps_its_budget_and_its_verdict(budget, findings, size):
    text = as_text(report("x" * size, findings), budget)
    assert len(text) <= budget + 1
    assert text.startswith("Failed:")


@pytest.mark.parametrize("noise", [10, 100_000])
def test_a_cut_log_keeps_the_command_the_first_failure_and_the_summary(noise):
    log = (
        "$ pytest -q\n"
        + "noise\n" * noise
        + "=========== FAILURES ===========\n____ test_a ____\nE   assert first\n"
        + "more\n" * 5000
        + "====== short test summary info ======\nFAILED a.py::test_a - assert first\n1 failed in 1s\n[exit 1, 1.0 s]\n"
    )
    kept = cut(log)
    assert len(kept) <= 6000
    for needed in (
        "$ pytest -q",
        "E   assert first",
        "FAILED a.py::test_a",
        "[exit 1",
        "characters left out",
    ):
        assert needed in kept


@given(st.text(max_size=400), st.integers(100, 300))
def test_a_cut_never_exceeds_its_budget_and_leaves_short_texts_alone(text, budget):
    kept = cut(text, budget)
    assert len(kept) <= budget
    if len(text) <= budget:
        assert kept == text
