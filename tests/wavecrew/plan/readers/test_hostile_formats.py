"""Hostile files of the structured formats: a diagnostic or a clear error, in little time."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path

import pytest

from wavecrew.plan.problem import PlanRejected
from wavecrew.plan.readers.detect import import_plan
from wavecrew.plan.readers.registry import READERS
from wavecrew.plan.readers.source import folder_of, read_source, source_of

MANY = 20_000
NAMES = [reader.name for reader in READERS]


def _tasks(count: int) -> list[dict[str, object]]:
    return [
        {"id": at, "title": f"t {at}", "dependencies": [(at + 1) % count]} for at in range(count)
    ]


def _issue(at: int, count: int) -> str:
    other = f"p-{(at + 1) % count}"
    link = {"issue_id": f"p-{at}", "depends_on_id": other, "type": "blocks"}
    return json.dumps({"id": f"p-{at}", "title": "t", "status": "open", "dependencies": [link]})


CYCLES = {
    "taskmaster": ("tasks.json", lambda n: json.dumps({"tasks": _tasks(n)}, indent=1)),
    "beads": ("issues.jsonl", lambda n: "\n".join(_issue(at, n) for at in range(n))),
    "mermaid-gantt": (
        "plan.mmd",
        lambda n: "gantt\n" + "\n".join(f"T :t{at}, after t{(at + 1) % n}, 3h" for at in range(n)),
    ),
    "kiro": (
        "tasks.md",
        lambda n: (
            "# Implementation Plan\n"
            + "\n".join(f"- [ ] {at}. T\n  - _Depends: {(at + 1) % n}_" for at in range(n))
        ),
    ),
    "bmad": (
        "epics.md",
        lambda n: (
            "## Epic 1: E\n"
            + "\n".join(
                f"### Story 1.{at}: T\n**Prerequisites:** 1.{(at + 1) % n}" for at in range(n)
            )
        ),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CYCLES)
def test_twenty_thousand_tasks_in_one_cycle_are_read_and_reported(name: str) -> None:
    file, render = CYCLES[name]
    text = render(MANY)
    begun = time.process_time()
    plan = import_plan(source_of(text, file), READERS)
    took = time.process_time() - begun
    assert (plan.format, len(plan.tasks)) == (name, MANY)
    assert "cycle" in {one.kind for one in plan.diagnostics}
    assert took < 20


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("tasks.json", '{"tasks": [{"id": 1, "title": "x", "dependencies": ' + "[" * 100_000),
        (
            "tasks.json",
            '{"tasks": [{"id": 1, "title": "x", "dependencies": []}], "a":' + '{"a":' * 100_000,
        ),
        ("tasks.yaml", "plan: {title: x}\ntasks: " + "[" * 100_000),
        ("tasks.yaml", "plan: {title: x}\ntasks: &a [*a]\n"),
    ],
)
def test_nesting_without_end_is_a_clear_error(file: str, text: str) -> None:
    with pytest.raises(PlanRejected):
        import_plan(source_of(text, file), READERS)


def test_a_line_of_nested_json_costs_only_that_line() -> None:
    good = '{"id": "a-1", "title": "t", "status": "open"}'
    plan = import_plan(source_of(good + "\n" + "[" * 100_000, "issues.jsonl"), READERS)
    assert [one.kind for one in plan.diagnostics] == ["bad_line"]


def test_ten_megabytes_are_read() -> None:
    plan = import_plan(source_of("- [ ] a\n- [ ] b\n" + "x" * 9_900_000, "todo.md"), READERS)
    assert len(plan.tasks) == 2
    tasks = [
        {"id": at, "title": "t", "dependencies": [], "details": "z\n" * 200} for at in range(16_000)
    ]
    text = json.dumps({"tasks": tasks})
    assert len(text) > 9_000_000
    assert len(import_plan(source_of(text, "tasks.json"), READERS).tasks) == 16_000


@pytest.mark.parametrize(
    "file", ["tasks.json", "issues.jsonl", "tasks.yaml", "tasks.md", "plan.mmd"]
)
@pytest.mark.parametrize("data", [b"\xff\xfe{\x00", b'{"tasks": "\xe9"}', b"\x00\x01\x02", b""])
def test_what_is_no_text_is_refused(tmp_path: Path, file: str, data: bytes) -> None:
    path = tmp_path / file
    path.write_bytes(data)
    with pytest.raises(PlanRejected):
        import_plan(read_source(path), READERS)


@pytest.mark.parametrize(
    ("file", "text", "count"),
    [
        ("tasks.json", '{"tasks": [\n{"id": 1, "title": "a", "dependencies": []}\n]}\n', 1),
        ("issues.jsonl", '{"id": "a", "title": "t", "status": "open"}\n', 1),
        ("tasks.md", "# Implementation Plan\n\n- [ ] 1. a\n- [ ] 2. b\n", 2),
        ("plan.mmd", "gantt\nA :a, 2026-01-01, 2h\n", 1),
        ("todo.md", "- [ ] a\n- [ ] b\n", 2),
    ],
)
def test_a_byte_order_mark_and_windows_line_ends_change_nothing(
    tmp_path: Path, file: str, text: str, count: int
) -> None:
    plain, windows = tmp_path / "plain", tmp_path / "windows"
    for folder in (plain, windows):
        folder.mkdir()
    (plain / file).write_bytes(text.encode())
    (windows / file).write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    first = import_plan(read_source(plain / file), READERS)
    assert len(first.tasks) == count
    assert import_plan(read_source(windows / file), READERS) == first


PIECES = [
    "-",
    "( ",
    "[",
    "  ",
    "✅",
    "*",
    "_",
    "`",
    "1-",
    "→ ",
    "a:",
    "#1 ",
    "_Depends: ",
    ":",
    ", ",
]


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("name", ["kiro", "openspec", "bmad", "generic", "mermaid-gantt"])
def test_a_line_of_one_thing_a_hundred_thousand_times_is_read(piece: str, name: str) -> None:
    line = piece * (100_000 // len(piece))
    text = (
        f"gantt\n## 1. G {line}\n- [ ] 1.1 x {line} y\n  - _Depends: {line} y_\n- [ ] {line} z\n"
        f"\n## Epic 1: {line}\n### Story 1.1: x {line} y\n**Prerequisites:** {line} y\n"
        f"T :a, after {line}, {line}\n"
    )
    file = "plan.mmd" if name == "mermaid-gantt" else "tasks.md"
    begun = time.process_time()
    assert import_plan(source_of(text, file), READERS, name).tasks
    assert time.process_time() - begun < 10


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("name", ["ccpm", "backlog"])
def test_front_matter_of_one_thing_without_end_is_read(piece: str, name: str) -> None:
    line = piece * (100_000 // len(piece))
    front = (
        f"---\nid: task-1\ntitle: x\nname: y\nstatus: open\ndepends_on: {line}\nz: {line}\n---\n"
    )
    body = f"Hours: {line}\n{line}\nTotal tasks: {line}\n## Tasks Created\n- [ ] 1 - x {line} y\n"
    files = {"1.md": front + body, "task-2 - t.md": front + body, "epic.md": front + body}
    begun = time.process_time()
    assert import_plan(folder_of(files), READERS, name).tasks
    assert time.process_time() - begun < 10


@pytest.mark.parametrize("name", NAMES)
def test_any_reader_forced_on_any_file_ends_in_a_plan_or_an_error(name: str) -> None:
    for file, text in [
        ("a.md", "# Hello\n"),
        ("a.json", "[1, 2]"),
        ("a.json", "{"),
        ("a.jsonl", "1\n"),
        ("a.yaml", "a: [\n"),
        ("a.yaml", "plan: 3\ntasks: {}\n"),
        ("a.mmd", "gantt\n:\n"),
        ("a", ""),
    ]:
        with contextlib.suppress(PlanRejected):
            assert import_plan(source_of(text, file), READERS, name).tasks
