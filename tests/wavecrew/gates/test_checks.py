from __future__ import annotations

import threading

import pytest

from wavecrew.gates.baseline import Baseline, digest, new_failures, says_nothing_new
from wavecrew.gates.checks import invokes_pytest, slug
from wavecrew.gates.junit import Report
from wavecrew.gates.verdict import Result, of_command, of_pytest
from wavecrew.plan.settings import Check, Settings, WorkspaceSettings
from wavecrew.sandbox.model import Finished

UNIT = Check(name="unit", run="pytest", kind="pytest")


@pytest.mark.parametrize(
    ("command", "is_pytest"),
    [
        ("pytest", True),
        ("python -m pytest -q tests", True),
        (".venv/bin/pytest -q", True),
        ("cd backend && pytest", True),
        ("uv run pytest -q", True),
        ("py.test", True),
        ("ruff check .", False),
        ("cat pytest.ini", False),
        ("pip install pytest-cov", False),
        ("pip install pytest", False),
        ("ls my-pytest", False),
        ("cat tests/pytest/x", False),
    ],
)
def test_pytest_is_recognised_as_a_word(command, is_pytest):
    assert invokes_pytest(command) is is_pytest


@pytest.mark.parametrize("name", ["done_when 1", "../../etc/passwd", "...", "a/b", ""])
def test_a_slug_is_one_plain_file_name(name):
    assert "/" not in slug(name)
    assert slug(name).strip(".")


GREEN = Report(passed={"a"})
RED = Report(passed={"a"}, failed={"b": "no"})


@pytest.mark.parametrize(
    ("finished", "report", "output", "expected"),
    [
        (Finished(0, b""), GREEN, "", ("pass", None)),
        (Finished(1, b""), RED, "", ("fail", "red_tests")),
        (Finished(2, b""), RED, "", ("fail", "red_tests")),
        (Finished(0, b""), RED, "", ("could_not_run", "could_not_run")),
        (Finished(0, b""), "none", "", ("could_not_run", "could_not_run")),
        (Finished(1, b""), "none", "", ("could_not_run", "could_not_run")),
        (Finished(0, b""), Report(), "", ("no_tests", "no_tests")),
        (Finished(0, b""), Report(skipped={"a"}), "", ("no_tests", "no_tests")),
        (Finished(1, b""), GREEN, "", ("fail", "red_check")),
        (Finished(2, b""), GREEN, "", ("could_not_run", "could_not_run")),
        (Finished(3, b""), GREEN, "", ("could_not_run", "could_not_run")),
        (Finished(4, b""), "none", "", ("could_not_run", "could_not_run")),
        (
            Finished(4, b""),
            "none",
            "ERROR: file or directory not found: t.py\n",
            ("no_tests", "no_tests"),
        ),
        (
            Finished(4, b""),
            "none",
            "ImportError while loading conftest '/w/conftest.py'.",
            ("fail", "red_tests"),
        ),
        (Finished(5, b""), Report(), "", ("no_tests", "no_tests")),
        (Finished(126, b""), GREEN, "", ("could_not_run", "could_not_run")),
        (Finished(127, b""), GREEN, "", ("could_not_run", "could_not_run")),
        (Finished(137, b""), RED, "", ("could_not_run", "could_not_run")),
        (Finished(0, b"", killed_by="time"), GREEN, "", ("could_not_run", "could_not_run")),
        (Finished(1, b"", killed_by="processes"), RED, "", ("could_not_run", "could_not_run")),
        (Finished(1, b"", killed_by="memory"), RED, "", ("could_not_run", "could_not_run")),
    ],
)
def test_exit_code_and_report_must_agree(finished, report, output, expected):
    verdict, rule, why = of_pytest(finished, report, output)
    assert (verdict, rule) == expected
    assert bool(why) is (verdict != "pass")


@pytest.mark.parametrize(
    ("finished", "expected"),
    [
        (Finished(0, b""), "pass"),
        (Finished(1, b""), "fail"),
        (Finished(2, b""), "fail"),
        (Finished(127, b""), "could_not_run"),
        (Finished(139, b""), "could_not_run"),
        (Finished(0, b"", killed_by="output"), "could_not_run"),
        (Finished(0, b"", killed_by="cancel"), "could_not_run"),
    ],
)
def test_only_a_command_that_ran_to_its_end_passes_or_fails(finished, expected):
    assert of_command(finished)[0] == expected


def test_only_new_failures_count_and_only_when_something_passed():
    base = Result(verdict="fail", failed={"old": ""})
    assert new_failures(
        Result(verdict="fail", passed=("a",), failed={"old": "", "new": ""}), base
    ) == ("new",)
    assert new_failures(Result(verdict="fail", failed={"old": ""}), base) == ("old",)


def test_a_command_red_in_the_same_words_says_nothing_new():
    def red(output, code=1):
        return Result(verdict="fail", exit_code=code, output=f"$ lint\n{output}[exit 1, 0.3 s]\n")

    base = red("a.py:3: bad\nFound 1 error\n")
    assert says_nothing_new(red("a.py:14: bad\nFound 1 error\n"), base)
    assert not says_nothing_new(red("a.py:3: bad\na.py:9: bad\nFound 2 errors\n"), base)
    assert not says_nothing_new(red("b.py:3: bad\nFound 1 error\n"), base)
    assert not says_nothing_new(red("a.py:3: bad\nFound 1 error\n", code=2), base)
    assert not says_nothing_new(red(""), red(""))
    assert not says_nothing_new(
        base, Result(verdict="could_not_run", exit_code=1, output=base.output)
    )


def test_what_could_not_run_is_tried_again_and_anything_else_is_kept(tmp_path):
    calls = []

    def run(verdict):
        def once():
            calls.append(verdict)
            return Result(verdict=verdict)

        return once

    baseline = Baseline(tmp_path)
    for verdict in ("could_not_run", "fail", "pass"):
        baseline.result("t", UNIT, Settings(), run(verdict))
    assert calls == ["could_not_run", "fail"]
    (kept,) = tmp_path.glob("*.json")
    kept.write_text("{torn")
    assert baseline.result("t", UNIT, Settings(), run("pass")).verdict == "pass"


def test_gates_at_the_same_base_wait_for_one_run(tmp_path):
    calls, entered, go = [], threading.Event(), threading.Event()

    def run():
        calls.append(1)
        entered.set()
        assert go.wait(10)
        return Result(verdict="pass")

    def ask():
        Baseline(tmp_path).result("t", UNIT, Settings(), run)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    threads[0].start()
    assert entered.wait(10)
    for thread in threads[1:]:
        thread.start()
    go.set()
    for thread in threads:
        thread.join(10)
    assert len(calls) == 1


def test_a_digest_changes_with_all_that_can_change_a_result():
    setup = Settings(workspace=WorkspaceSettings(setup=("make",)))
    digests = {
        digest(UNIT, Settings()),
        digest(UNIT, setup),
        digest(UNIT.model_copy(update={"run": "pytest -x"}), Settings()),
        digest(UNIT.model_copy(update={"held_out": "x"}), Settings()),
    }
    assert len(digests) == 4
    assert digest(UNIT.model_copy(update={"name": "other"}), Settings()) == digest(UNIT, Settings())
