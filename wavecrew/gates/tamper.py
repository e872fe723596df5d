"""Did the branch make the tests say less than they did?

Compares the test files of two trees by syntax: tests deleted, newly skipped,
asserting less; hooks and configuration that leave tests out or change what
they report. A test that moved or was renamed with the same body is the same
test. New tests are not judged here. Deliberately strict: a test that is
renamed and rewritten in one change counts as deleted, because nothing proves
that it is not. What only shows at run time is `vanished.py`'s work.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from wavecrew.gates.assertions import weakened
from wavecrew.gates.model import Finding, Rule
from wavecrew.gates.names import key_of, parsed
from wavecrew.gates.pytest_config import FILES, config_findings, patterns
from wavecrew.gates.source import Changed, Source, Texts, shown
from wavecrew.gates.testfile import (
    Case,
    CaseFile,
    Inherited,
    Skip,
    added,
    is_collected,
    is_support,
    read_cases,
)

HOOKS: dict[str, Rule] = {
    "pytest_collection": "test_skipped",
    "pytest_collection_modifyitems": "test_skipped",
    "pytest_collect_directory": "test_skipped",
    "pytest_collect_file": "test_skipped",
    "pytest_deselected": "test_skipped",
    "pytest_generate_tests": "test_skipped",
    "pytest_ignore_collect": "test_skipped",
    "pytest_itemcollected": "test_skipped",
    "pytest_pycollect_makeitem": "test_skipped",
    "pytest_pycollect_makemodule": "test_skipped",
    "pytest_cmdline_main": "test_weakened",
    "pytest_load_initial_conftests": "test_weakened",
    "pytest_pyfunc_call": "test_weakened",
    "pytest_report_teststatus": "test_weakened",
    "pytest_runtest_call": "test_weakened",
    "pytest_runtest_logreport": "test_weakened",
    "pytest_runtest_makereport": "test_weakened",
    "pytest_runtest_protocol": "test_weakened",
    "pytest_runtest_setup": "test_weakened",
    "pytest_runtest_teardown": "test_weakened",
    "pytest_runtestloop": "test_weakened",
    "pytest_sessionfinish": "test_weakened",
    "pytest_unconfigure": "test_weakened",
}
"""Hooks that choose the tests or what is reported of them."""

Place = tuple[str, str]
"""(path, name) of a test."""


@dataclass
class Tampering:
    findings: list[Finding] = field(default_factory=list)
    moved: dict[Place, Place] = field(default_factory=dict)
    """Where tests went that are the same in another place or under another name."""
    gone: set[Place] = field(default_factory=set)

    def tell(self, rule: Rule, path: str, line: int, message: str) -> None:
        self.findings.append(
            Finding(rule=rule, path=shown(path), line=line, message=shown(message))
        )


def tampering(source: Source, base: str, tree: str, changes: Sequence[Changed]) -> Tampering:
    """Everything the changes take away from the tests of `base`."""
    found = Tampering()
    python = [change.path for change in changes if change.path.endswith(".py")]
    before, after = Texts(source, base, [*FILES, *python]), Texts(source, tree, [*FILES, *python])
    before_names, after_names = patterns(before), patterns(after)
    pairs = []
    for path in python:
        if is_collected(path, before_names) or is_collected(path, after_names) or is_support(path):
            old = read_cases(path, before.at(path), collected=is_collected(path, before_names))
            new = read_cases(path, after.at(path), collected=is_collected(path, after_names))
            pairs.append((old, new))
    _deleted(found, pairs)
    _compared(found, pairs)
    for path in python:
        is_new_test = before.at(path) is None and is_collected(path, after_names)
        if not is_new_test:
            _hooks(found, path, before.at(path), after.at(path))
    found.findings += config_findings(before, after, [change.path for change in changes])
    return found


# -- deleted ------------------------------------------------------------------------------------


def _deleted(found: Tampering, pairs: Sequence[tuple[CaseFile, CaseFile]]) -> None:
    gone: list[Case | Inherited] = []
    fresh: list[Case | Inherited] = []
    for old, new in pairs:
        if new.unreadable and (old.cases or old.inherited):
            count = len(old.cases)
            found.tell(
                "test_deleted",
                old.path,
                1,
                f"{old.path} {new.unreadable}, so its {count} tests cannot run; mend the file.",
            )
            continue
        here, there = {c.name for c in old.cases}, {c.name for c in new.cases}
        gone += [case for case in old.cases if case.name not in there]
        fresh += [case for case in new.cases if case.name not in here]
        classes, now = {i.name for i in old.inherited}, {i.name for i in new.inherited}
        gone += [one for one in old.inherited if one.name not in now]
        fresh += [one for one in new.inherited if one.name not in classes]
    for one in _matched(found, gone, fresh):
        found.gone.add((one.path, one.name))
        found.tell(
            "test_deleted",
            one.path,
            one.line,
            f"{one.path}::{one.name} is gone; put it back (a test may move or be renamed with its "
            "body unchanged; a changed behaviour needs its test changed, not removed).",
        )


def _matched(
    found: Tampering, gone: Iterable[Case | Inherited], fresh: list[Case | Inherited]
) -> list[Case | Inherited]:
    """Pair each missing test with one new test of the same body; return those left over.

    One to one: of two equal tests, removing one is still a removal. The same
    name is preferred, so that the pairs are told as a reader sees them.
    """
    rest = list(gone)
    for same_name in (True, False):
        for one in list(rest):
            twin = next(
                (
                    new
                    for new in fresh
                    if type(new) is type(one)
                    and new.key == one.key
                    and (not same_name or _bare(new.name) == _bare(one.name))
                ),
                None,
            )
            if twin is not None:
                fresh.remove(twin)
                rest.remove(one)
                found.moved[(one.path, one.name)] = (twin.path, twin.name)
    return rest


def _bare(name: str) -> str:
    return name.rsplit("::", 1)[-1]


# -- skipped and weakened -----------------------------------------------------------------------


def _compared(found: Tampering, pairs: Sequence[tuple[CaseFile, CaseFile]]) -> None:
    skips_by_path = {old.path: old.skips for old, _ in pairs}
    for old, new in pairs:
        for case in old.cases:
            if (now := new.case(case.name)) is not None and now.key != case.key:
                _compare(found, case, now)
        origins = {a[0] for a, b in found.moved.items() if b[0] == new.path}
        holds_old_tests = bool(old.cases or old.inherited or origins)
        if is_collected(new.path) and not holds_old_tests:
            continue
        before = list(old.skips)
        for origin in sorted(origins - {new.path}):
            before += skips_by_path[origin]
        for skip in added(before, new.skips):
            _tell_skip(found, new.path, skip)


def _tell_skip(found: Tampering, path: str, skip: Skip) -> None:
    marks = "." in skip.name
    what = "skips tests or expects them to fail" if marks else "leaves tests out"
    found.tell(
        "test_skipped",
        path,
        skip.line,
        f"{path}:{skip.line} adds {skip.name}, which {what}; take it out and make the tests pass.",
    )


def _compare(found: Tampering, old: Case, new: Case) -> None:
    where = f"{new.path}::{new.name}"
    for skip in added(old.skips, new.skips)[:1]:
        found.tell(
            "test_skipped",
            new.path,
            skip.line,
            f"{where} is given {skip.name} at line {skip.line}, which the base does not have; "
            "take it out and make the test pass.",
        )
    if (why := weakened(old.asserts, new.asserts)) is not None:
        what, line = why
        found.tell(
            "test_weakened",
            new.path,
            line if line >= new.line else new.line,
            f"{where} {what}; restore the base's assertions and make the code meet them.",
        )
    elif new.is_empty and not old.is_empty:
        found.tell("test_weakened", new.path, new.line, f"{where} has lost its body; restore it.")
    if 0 < new.rows < old.rows:
        found.tell(
            "test_weakened",
            new.path,
            new.line,
            f"{where} runs with {new.rows} parameter sets, not {old.rows}; restore them.",
        )


# -- hooks --------------------------------------------------------------------------------------


def _hooks(found: Tampering, path: str, before: str | None, after: str | None) -> None:
    old, new = _hook_keys(before), _hook_keys(after)
    for name, (key, line) in new.items():
        if name in old and old[name][0] == key:
            continue
        verb = "changes" if name in old else "adds"
        found.tell(
            HOOKS[name],
            path,
            line,
            f"{path}:{line} {verb} the pytest hook {name}, which decides what tests run or report; "
            "leave the hooks as the base has them.",
        )


def _hook_keys(source: str | None) -> dict[str, tuple[str, int]]:
    if source is None or "pytest_" not in source:
        return {}
    tree = parsed(source)
    if isinstance(tree, str):
        return {}
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in HOOKS:
            found[node.name] = (key_of(node), node.lineno)
    return found
