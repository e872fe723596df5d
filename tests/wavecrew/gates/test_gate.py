"""The gate on real repositories, in the real sandbox, with real pytest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wavecrew.gates.gate import gate, verify_tree
from wavecrew.gates.text import as_text
from wavecrew.journal.schema import ensure_schema
from wavecrew.journal.shelf import PostgresShelf
from wavecrew.plan.model import Contract
from wavecrew.plan.settings import Check, SandboxSettings, Settings, WorkspaceSettings
from wavecrew.sandbox.choose import open_sandbox

SHOP = {
    "shop/__init__.py": "",
    "shop/price.py": "def total(items):\n    return sum(items)\n",
    "tests/test_price.py": (
        "from shop.price import total\n\n\n"
        "def test_total_adds():\n    assert total([1, 2]) == 3\n\n\n"
        "def test_nothing_costs_nothing():\n    assert total([]) == 0\n"
    ),
}
FEATURE = {"shop/tax.py": "def tax(x):\n    return x // 5\n"}


@pytest.fixture
def base(commits):
    return commits.commit(SHOP)


def judged(commits, asked, base, files, **given):
    return gate(asked(base, commits.commit(files, base), **given))


def test_a_sound_branch_passes_with_evidence_at_its_tree(commits, asked, base, tmp_path):
    report = judged(
        commits,
        asked,
        base,
        FEATURE,
        done_when=("python -m pytest -q tests", "test -f shop/tax.py"),
    )
    assert report.verdict == "pass"
    assert report.findings == ()
    assert report.changed == ("shop/tax.py",)
    assert [e.verdict for e in report.evidence] == ["pass"] * 3
    unit = report.evidence[0]
    assert (unit.tree, unit.passed, unit.failed, unit.exit_code) == (report.tree, 2, 0, 0)
    log = (tmp_path / "run" / unit.log_file).read_text()
    assert "2 passed" in log
    assert not any((tmp_path / "run" / "scratch").iterdir())


def test_an_empty_diff_never_passes(commits, asked, base):
    report = gate(asked(base, base))
    assert (report.verdict, report.rules) == ("fail", ("empty_diff",))


def test_red_tests_are_told_one_by_one_with_their_failure(commits, asked, base):
    report = judged(commits, asked, base, {"shop/price.py": "def total(items):\n    return 7\n"})
    assert (report.verdict, report.rules) == ("fail", ("red_tests",))
    assert report.evidence[0].failures == (
        "tests/test_price.py::test_nothing_costs_nothing",
        "tests/test_price.py::test_total_adds",
    )
    first = report.findings[0]
    assert first.path == "tests/test_price.py"
    assert "assert 7 == 3" in first.message
    assert "assert 7 == 0" in as_text(report)


def test_a_syntax_error_is_red_and_told_with_its_text(commits, asked, base):
    report = judged(commits, asked, base, {"shop/price.py": "def total(items:\n    return 7\n"})
    assert (report.verdict, report.rules) == ("fail", ("red_tests",))
    assert "SyntaxError" in report.findings[0].message
    assert report.findings[0].path == "tests/test_price.py"


def test_a_conftest_that_cannot_be_imported_is_red(commits, asked, base):
    files = {"tests/conftest.py": "import shop.nowhere\n"}
    report = judged(commits, asked, base, files)
    assert (report.verdict, report.rules) == ("fail", ("red_tests",))
    assert "shop.nowhere" in report.findings[0].message


def test_no_tests_collected_never_passes(commits, asked):
    base = commits.commit({"shop/__init__.py": ""})
    report = judged(commits, asked, base, FEATURE)
    assert (report.verdict, report.rules) == ("no_tests", ("no_tests",))
    assert report.evidence[0].exit_code == 5


def test_tests_that_are_all_skipped_are_no_tests(commits, asked, base):
    files = {
        "tests/test_tax.py": "import pytest\n\n@pytest.mark.skip\ndef test_tax():\n    assert 1\n"
    }
    report = judged(
        commits, asked, base, files, checks=(), done_when=("pytest -q tests/test_tax.py",)
    )
    assert (report.verdict, report.rules) == ("no_tests", ("no_tests",))


def test_a_done_when_that_names_an_unwritten_test_file_says_so(commits, asked, base):
    report = judged(commits, asked, base, FEATURE, done_when=("pytest -q tests/test_tax.py",))
    assert (report.verdict, report.rules) == ("no_tests", ("no_tests",))
    assert "tests/test_tax.py" in report.findings[0].message


def test_a_deleted_test_is_found(commits, asked, base):
    left = SHOP["tests/test_price.py"].split("\n\n\ndef test_nothing")[0] + "\n"
    report = judged(commits, asked, base, FEATURE | {"tests/test_price.py": left})
    assert (report.verdict, report.rules) == ("fail", ("test_deleted",))
    assert "test_nothing_costs_nothing" in report.findings[0].message


def test_a_deleted_test_file_is_found(commits, asked, base):
    report = judged(commits, asked, base, FEATURE | {"tests/test_price.py": None})
    assert report.verdict == "fail"
    assert report.rules == ("test_deleted", "no_tests")
    assert len([f for f in report.findings if f.rule == "test_deleted"]) == 2


def test_a_write_outside_the_scope_is_found(commits, asked, base):
    scope = (("shop/**", "tests/**"), ("shop/tax.py",))
    files = {**FEATURE, "shop/price.py": SHOP["shop/price.py"] + "\n# x\n", "setup.py": ""}
    report = judged(commits, asked, base, files, scope=scope)
    assert (report.verdict, report.rules) == ("fail", ("out_of_scope",))
    assert {f.path for f in report.findings} == {"shop/price.py", "setup.py"}


def test_policy_files_are_never_an_agents(commits, asked, base):
    files = {
        "wavecrew.toml": "",
        ".github/workflows/ci.yml": "",
        "conftest.py": "",
        "pytest.py": "",
    }
    report = judged(commits, asked, base, FEATURE | files)
    told = {f.path for f in report.findings if f.rule == "forbidden_entry"}
    assert told == set(files)
    report = judged(
        commits, asked, base, {".github/workflows/ci.yml": ""}, scope=((".github/**",),)
    )
    assert report.rules == ()


def test_a_nested_repository_is_forbidden(commits, asked, base):
    report = gate(asked(base, commits.link_repository("vendor", base)))
    assert (report.verdict, report.rules) == ("fail", ("forbidden_entry",))


def test_a_skipped_test_is_found(commits, asked, base):
    text = SHOP["tests/test_price.py"].replace(
        "def test_total", "@pytest.mark.skip\ndef test_total"
    )
    report = judged(commits, asked, base, {"tests/test_price.py": "import pytest\n" + text})
    assert (report.verdict, report.rules) == ("fail", ("test_skipped",))


def test_a_weakened_test_is_found(commits, asked, base):
    text = SHOP["tests/test_price.py"].replace(
        "assert total([]) == 0", "assert total([]) is not None"
    )
    report = judged(commits, asked, base, {"tests/test_price.py": text})
    assert (report.verdict, report.rules) == ("fail", ("test_weakened",))


def test_a_person_can_allow_test_changes(commits, asked, base):
    files = FEATURE | {"tests/test_price.py": "def test_one():\n    assert 1 + 1 == 2\n"}
    assert judged(commits, asked, base, files, allow_test_changes=True).verdict == "pass"


def test_a_test_that_stops_running_without_being_touched_is_found(commits, asked):
    conditional = SHOP["tests/test_price.py"].replace(
        "def test_total",
        "import pytest, shop\n\n\n@pytest.mark.skipif(hasattr(shop, 'OFF'), reason='off')\ndef test_total",
    )
    base = commits.commit(SHOP | {"tests/test_price.py": conditional})
    report = judged(commits, asked, base, {"shop/__init__.py": "OFF = True\n"})
    assert (report.verdict, report.rules) == ("fail", ("test_skipped",))
    assert "test_total_adds passes on the base and now is skipped" in report.findings[0].message


def test_a_moved_test_is_no_finding(commits, asked, base):
    files = {"tests/test_price.py": None, "tests/shop/test_total.py": SHOP["tests/test_price.py"]}
    assert judged(commits, asked, base, files).rules == ()


def test_a_command_that_does_not_exist_could_not_run(commits, asked, base):
    check = Check(name="style", run="no-such-linter .")
    report = judged(commits, asked, base, FEATURE, checks=(check,))
    assert (report.verdict, report.rules) == ("could_not_run", ("could_not_run",))
    assert report.evidence[0].exit_code == 127


def test_the_base_never_excuses_what_could_not_run(commits, asked, base):
    check = Check(name="style", run="no-such-linter .")
    for _ in range(2):
        assert judged(commits, asked, base, FEATURE, checks=(check,)).verdict == "could_not_run"


def test_a_check_that_outlives_its_time_could_not_run(commits, asked, base):
    files = {"tests/test_slow.py": "import time\n\ndef test_slow():\n    time.sleep(300)\n"}
    check = Check(name="unit", run="python -m pytest -q", kind="pytest", timeout_s=4)
    report = judged(commits, asked, base, files, checks=(check,))
    assert (report.verdict, report.rules) == ("could_not_run", ("could_not_run",))
    assert "time limit" in report.findings[0].message


def test_a_red_command_is_red_and_the_bases_own_complaints_do_not_count(commits, asked, base):
    check = Check(name="style", run="! grep -rn TODO shop")
    report = judged(commits, asked, base, {"shop/tax.py": "# TODO\n"}, checks=(check,))
    assert (report.verdict, report.rules) == ("fail", ("red_check",))
    assert "shop/tax.py" in report.findings[0].message
    dirty = commits.commit({"shop/old.py": "# TODO old\n"}, base)
    report = judged(commits, asked, dirty, FEATURE, checks=(check,))
    assert report.verdict == "pass"
    assert "does not count" in report.evidence[0].log
    report = judged(commits, asked, dirty, {"shop/tax.py": "# TODO\n"}, checks=(check,))
    assert report.verdict == "fail"


def test_a_failure_the_base_has_does_not_block_and_is_noted(commits, asked, tmp_path):
    red = {"tests/test_old.py": "def test_old():\n    assert 0\n"}
    base = commits.commit(SHOP | red)
    report = judged(commits, asked, base, FEATURE)
    assert (report.verdict, report.findings) == ("pass", ())
    assert report.evidence[0].failures == ("tests/test_old.py::test_old",)
    assert "test_old" in report.evidence[0].log.rsplit("Red on the base too", 1)[1]
    broken = judged(commits, asked, base, {"shop/price.py": "def total(items):\n    return 0\n"})
    assert (broken.verdict, broken.rules) == ("fail", ("red_tests",))
    assert all("test_old.py" not in f.path for f in broken.findings)


def test_the_base_is_run_once_for_each_tree_and_check(commits, asked, base, tmp_path):
    judged(commits, asked, base, FEATURE)
    (kept,) = (tmp_path / "run" / "baseline").glob(f"{commits.tree_of(base)}-*.json")
    data = json.loads(kept.read_text())
    data["passed"].append("tests/test_ghost.py::test_ghost")
    kept.write_text(json.dumps(data))
    report = judged(commits, asked, base, FEATURE)
    assert "test_ghost" in report.findings[0].message  # the kept file was used, not a new run


def test_done_when_is_never_excused_by_the_base(commits, asked, base):
    report = judged(commits, asked, base, FEATURE, done_when=("test -f shop/other.py",))
    assert (report.verdict, report.rules) == ("fail", ("red_check",))


FAKE = """
import os, pathlib
def test_fake():
    report = '<testsuites><testsuite tests="1"><testcase file="tests/test_price.py" \\
classname="tests.test_price" name="test_total_adds"/></testsuite></testsuites>'
    folder = pathlib.Path('/report')
    for started in list(folder.glob('*.started')):
        started.with_suffix('.xml').write_text(report)
        started.with_suffix('.seal').write_text('0' * 64)
    os._exit(0)
"""


def test_a_faked_report_could_not_run(commits, asked, base):
    report = judged(commits, asked, base, {"tests/test_fake.py": FAKE})
    assert (report.verdict, report.rules) == ("could_not_run", ("could_not_run",))
    assert "written or changed by something but pytest" in report.findings[0].message


@pytest.mark.parametrize(
    "source",
    [
        "import os\nos._exit(0)\n",
        "import atexit, glob\n"
        "def lie():\n"
        "    for name in glob.glob('/report/*.xml'):\n"
        "        text = open(name).read()\n"
        "        open(name, 'w').write(text.replace('failure', 'system-out'))\n"
        "atexit.register(lie)\n",
    ],
    ids=["exits early", "rewrites the report at exit"],
)
def test_hostile_code_under_test_cannot_turn_red_into_green(commits, asked, base, source):
    files = {"shop/__init__.py": source, "shop/price.py": "def total(items):\n    return 7\n"}
    assert judged(commits, asked, base, files).verdict == "could_not_run"


def test_a_pytest_wrapped_in_a_command_is_still_counted(commits, asked, base):
    report = judged(
        commits, asked, base, FEATURE, checks=(), done_when=("PYTHONPATH=. pytest -q && true",)
    )
    assert (report.verdict, report.evidence[0].passed) == ("pass", 2)


def test_an_exit_code_that_hides_failures_could_not_run(commits, asked, base):
    files = {"shop/price.py": "def total(items):\n    return 7\n"}
    report = judged(commits, asked, base, files, checks=(), done_when=("pytest -q || true",))
    assert (report.verdict, report.rules) == ("could_not_run", ("could_not_run",))


def test_nested_pytest_runs_of_tests_do_not_disturb_the_report(commits, asked, base):
    nested = (
        "import subprocess, sys\n\n"
        "def test_nested(tmp_path):\n"
        "    (tmp_path / 'test_in.py').write_text('def test_in(): assert 0')\n"
        "    done = subprocess.run([sys.executable, '-m', 'pytest', '-q', str(tmp_path)])\n"
        "    assert done.returncode == 1\n"
    )
    report = judged(commits, asked, base, {"tests/test_nested.py": nested})
    assert (report.verdict, report.evidence[0].passed) == ("pass", 3)


def test_held_out_tests_are_there_for_their_check_alone(commits, asked, base, tmp_path):
    held = tmp_path / "project" / "acceptance"
    held.mkdir(parents=True)
    (held / "test_tax.py").write_text(
        "from shop.tax import tax\n\ndef test_tax():\n    assert tax(10) == 2\n"
    )
    checks = (
        Check(
            name="acceptance",
            run="python -m pytest -q /held-out",
            kind="pytest",
            held_out="acceptance",
        ),
        Check(name="hidden", run="! test -e /held-out"),
    )
    report = judged(
        commits, asked, base, FEATURE, checks=checks, held_out_root=tmp_path / "project"
    )
    assert [e.verdict for e in report.evidence] == ["pass", "pass"]
    report = judged(commits, asked, base, FEATURE, checks=checks[:1])
    assert report.verdict == "could_not_run"


@pytest.mark.parametrize("mode", ["landlock", "none"])
def test_a_gate_says_the_same_where_nothing_can_be_mounted(commits, asked, base, tmp_path, mode):
    env = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    weaker = open_sandbox(SandboxSettings(mode=mode, env=env), allow_unsandboxed=True)
    held = tmp_path / "project" / "held"
    held.mkdir(parents=True)
    (held / "test_tax.py").write_text("def test_tax():\n    assert 1 + 1 == 2\n")
    checks = (
        Check(name="unit", run="python -m pytest -q", kind="pytest"),
        Check(name="held", run="python -m pytest -q /held-out", kind="pytest", held_out="held"),
    )
    given = {"sandbox": weaker, "checks": checks, "held_out_root": tmp_path / "project"}
    report = judged(commits, asked, base, FEATURE, **given)
    assert [(e.verdict, e.passed) for e in report.evidence] == [("pass", 2), ("pass", 1)]
    red = {"shop/price.py": "def total(items):\n    return 7\n"}
    assert judged(commits, asked, base, red, **given).rules == ("red_tests",)


def test_set_up_runs_first_and_its_failure_could_not_run(commits, asked, base):
    ready = Settings(workspace=WorkspaceSettings(setup=("echo yes > made.txt",)))
    check = Check(name="made", run="grep yes made.txt")
    assert judged(commits, asked, base, FEATURE, checks=(check,), settings=ready).verdict == "pass"
    broken = Settings(workspace=WorkspaceSettings(setup=("false",)))
    report = judged(commits, asked, base, FEATURE, checks=(check,), settings=broken)
    assert (report.verdict, report.rules) == ("could_not_run", ("could_not_run",))


def test_what_one_check_leaves_behind_does_not_reach_the_next(commits, asked, base):
    checks = (
        Check(name="one", run="touch left.txt"),
        Check(name="two", run="! test -e left.txt"),
    )
    assert judged(commits, asked, base, FEATURE, checks=checks).verdict == "pass"


def test_a_tree_that_resists_deletion_is_gone_afterwards(commits, asked, base, tmp_path):
    nest = "import os\nfor _ in range(3000):\n    os.mkdir('d')\n    os.chdir('d')\n"
    branch = {"nest.py": nest}
    check = Check(name="nest", run="python nest.py && mkdir shut && touch shut/x && chmod 0 shut")
    report = judged(commits, asked, base, branch, checks=(check,))
    assert report.verdict == "pass"
    assert not any((tmp_path / "run" / "scratch").iterdir())


def test_a_report_folder_made_unreadable_could_not_run(commits, asked, base):
    hide = "import os\n\ndef test_hide():\n    os.chmod('/report', 0)\n    os._exit(0)\n"
    report = judged(commits, asked, base, {"tests/test_hide.py": hide})
    assert report.verdict == "could_not_run"


def test_a_command_that_hides_the_engines_plugin_is_told_how_to_mend(commits, asked, base):
    files = {"Makefile.sh": "PYTHONPATH=. python -m pytest -q\n"}
    check = Check(name="unit", run="sh Makefile.sh", kind="pytest")
    report = judged(commits, asked, base, files, checks=(check,))
    assert report.verdict == "could_not_run"
    assert "keep $PYTHONPATH" in report.findings[0].message


def test_a_broken_contract_is_found(commits, asked, base):
    promise = Contract(symbol="shop.tax.tax", signature="(amount: int) -> int")
    report = judged(commits, asked, base, FEATURE, provides=(promise,))
    assert (report.verdict, report.rules) == ("fail", ("contract_broken",))
    assert "shop/tax.py:1" in report.findings[0].message
    kept = {"shop/tax.py": "def tax(amount: int) -> int:\n    return amount\n"}
    assert judged(commits, asked, base, kept, provides=(promise,)).verdict == "pass"


def test_a_gate_without_checks_proves_nothing(commits, asked, base):
    assert judged(commits, asked, base, FEATURE, checks=()).verdict == "no_tests"


def test_the_worst_verdict_wins(commits, asked, base):
    checks = (
        Check(name="none", run="python -m pytest -q -k zebra"),
        Check(name="missing", run="no-such-command"),
        Check(name="red", run="false"),
    )
    order = [judged(commits, asked, base, FEATURE, checks=checks[:n]).verdict for n in (1, 2, 3)]
    assert order == ["no_tests", "could_not_run", "fail"]


def test_a_path_that_is_no_utf8_is_judged_like_any_other(commits, asked, base):
    branch = commits.commit({"shop/\udcff.py": "x = 1\n"}, base)
    report = gate(asked(base, branch, scope=(("tests/**",),)))
    assert report.rules == ("out_of_scope",)
    assert report.changed == ("shop/\\xff.py",)


def test_a_merged_tree_is_held_against_the_tip_it_follows(commits, merged):
    red = {"tests/test_old.py": "def test_old():\n    assert 0\n"}
    tip = commits.commit(SHOP | red)
    assert verify_tree(merged(tip, commits.commit(FEATURE, tip))).verdict == "pass"
    broken = commits.commit({"shop/price.py": "def total(items):\n    return 7\n"}, tip)
    report = verify_tree(merged(tip, broken))
    assert (report.verdict, report.rules) == ("fail", ("red_tests",))
    promise = Contract(symbol="shop.tax.tax")
    assert verify_tree(merged(tip, broken, provides=(promise,))).rules == (
        "red_tests",
        "contract_broken",
    )


def test_a_red_tree_is_no_excuse_for_itself(commits, merged):
    red = commits.commit(SHOP | {"tests/test_old.py": "def test_old():\n    assert 0\n"})
    assert verify_tree(merged(red, red)).verdict == "fail"


def test_logs_lie_in_the_runs_folder_under_plain_names(commits, asked, base, tmp_path):
    check = Check(name="a/b c", run="echo hello")
    report = judged(commits, asked, base, FEATURE, checks=(check,), name="1.1/2")
    file = Path(report.evidence[0].log_file)
    assert file == Path("reports/1.1-2-a-b-c.log")
    assert "hello" in (tmp_path / "run" / file).read_text()


def test_a_log_on_the_shelf_of_many_machines_is_found_from_any(
    commits, asked, base, tmp_path, database_url
):
    ensure_schema(database_url)
    here, there = (PostgresShelf(database_url, "r1") for _ in range(2))
    check = Check(name="unit", run="echo hello")
    report = judged(commits, asked, base, FEATURE, checks=(check,), shelf=here)
    log = there.load(report.evidence[0].log_file)
    here.close()
    there.close()
    assert log is not None
    assert b"hello" in log
    assert not (tmp_path / "run" / "reports").exists()
