"""The three files, checked against each other, every problem with file and line."""

from __future__ import annotations

import pickle
from pathlib import Path
from textwrap import dedent

import pytest

from wavecrew.plan.load import Loaded, load, load_plan, load_roles, load_settings
from wavecrew.plan.problem import PlanRejected

AGENTS = """\
writer:
  role: Writer
  goal: Write.
  backstory: Careful.
  archetype: database
  tools: [read_file, git_*]
  may_write: [src/]
"""
TASKS = """\
plan:
  title: Small
waves: ["1", {id: "2", title: Two}]
tasks:
  - id: 1.1
    title: First
    agent: writer
    description: Do it.
    expected_output: Done.
    wave: 1
    estimate_h: 1.50
    provides: ["a.b.C", "a.b.C.f(self, x: int) -> str"]
  - id: 1.10
    title: Second
    agent: writer
    description: Do it.
    expected_output: Done.
    depends_on: [1.1]
sync_points:
  - id: done
    title: Done
    after_waves: [1]
    checks: [unit]
"""
TOOLS = ("read_file", "git_status")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "agents.yaml").write_text(AGENTS)
    (tmp_path / "tasks.yaml").write_text(TASKS)
    return tmp_path


def read(folder: Path, settings: str | None = None) -> Loaded:
    toml = None
    if settings is not None:
        toml = folder / "wavecrew.toml"
        toml.write_text(dedent(settings))
    return load(folder / "agents.yaml", folder / "tasks.yaml", toml, known_tools=TOOLS)


def problems(folder: Path, settings: str | None = None) -> list[tuple[str, str, str]]:
    with pytest.raises(PlanRejected) as caught:
        read(folder, settings)
    return [
        (one.kind, f"{Path(one.place.file).name}:{one.place.line}", one.message + "; " + one.mend)
        for one in caught.value.problems
    ]


def change(folder: Path, name: str, old: str, new: str) -> None:
    path = folder / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_ids_stay_as_written(folder: Path) -> None:
    plan = read(folder).plan
    assert [task.id for task in plan.tasks] == ["1.1", "1.10"]
    assert plan.tasks[1].depends_on == ("1.1",)
    assert plan.tasks[0].wave == "1"
    assert plan.tasks[0].estimate_h == 1.5


def test_a_contract_in_one_line_has_symbol_and_signature(folder: Path) -> None:
    whole, method = read(folder).plan.tasks[0].provides
    assert (whole.symbol, whole.signature) == ("a.b.C", "")
    assert (method.symbol, method.signature) == ("a.b.C.f", "(self, x: int) -> str")


def test_one_can_ask_where_every_value_came_from(folder: Path) -> None:
    loaded = read(folder, "[limits]\nagents = 3\n")
    place = loaded.where("task", "1.1", "estimate_h")
    assert place is not None
    assert (Path(place.file).name, place.line) == ("tasks.yaml", 11)
    assert loaded.where("task", "1.1", "phase") is None
    assert loaded.near("task", "1.1", "phase").line == 5
    assert str(loaded.where("role", "writer", "tools")).endswith("agents.yaml:6")
    assert str(loaded.where("settings", "limits", "agents")).endswith("wavecrew.toml:2")


@pytest.mark.parametrize(
    ("name", "old", "new", "kind", "place", "words"),
    [
        ("tasks.yaml", "depends_on", "depend_on", "unknown_key", "tasks.yaml:18", "depends_on"),
        ("tasks.yaml", "[1.1]", "[1.2]", "unknown_task", "tasks.yaml:18", "meant '1.1'"),
        (
            "tasks.yaml",
            "agent: writer",
            "agent: writr",
            "unknown_agent",
            "tasks.yaml:7",
            "'writer'",
        ),
        ("tasks.yaml", "    wave: 1\n", "    wave: 3\n", "unknown_wave", "tasks.yaml:10", "'3'"),
        ("tasks.yaml", "[unit]", "[unti]", "unknown_check", "tasks.yaml:23", "meant 'unit'"),
        ("tasks.yaml", "id: 1.10", "id: 1.1", "duplicate_task", "tasks.yaml:13", "on line 5"),
        ("tasks.yaml", "id: 1.10", "id: ../x", "bad_id", "tasks.yaml:13", "'../x'"),
        ("tasks.yaml", "1.50", "soon", "bad_value", "tasks.yaml:11", "must be a number"),
        ("tasks.yaml", "1.50", "-1", "bad_value", "tasks.yaml:11", "greater than"),
        ("tasks.yaml", "1.50", ".nan", "bad_value", "tasks.yaml:11", "estimate_h"),
        ("tasks.yaml", "[1.1]", "1.1", "bad_value", "tasks.yaml:18", "must be a list"),
        ("tasks.yaml", "[1.1]", "", "bad_value", "tasks.yaml:18", "is empty"),
        ("tasks.yaml", "    title: First\n", "", "missing_key", "tasks.yaml:5", "lacks 'title'"),
        ("tasks.yaml", "sync_points", "sync_point", "unknown_key", "tasks.yaml:19", "sync_points"),
        ("tasks.yaml", "title: Small", "name: Small", "plan_title", "tasks.yaml:1", "'name'"),
        ("agents.yaml", "read_file", "read_fil", "unknown_tool", "agents.yaml:6", "'read_file'"),
        ("agents.yaml", "git_*", "svn_*", "unknown_tool", "agents.yaml:6", "'svn_*'"),
        ("agents.yaml", "backstory", "back_story", "missing_key", "agents.yaml:1", "backstory"),
        ("agents.yaml", "database", "databas", "bad_value", "agents.yaml:5", "'database'"),
        ("agents.yaml", "role: Writer", "name: Writer", "unknown_key", "agents.yaml:2", "'name'"),
        (
            "agents.yaml",
            "  goal",
            "  manager: yes\n  goal",
            "bad_value",
            "agents.yaml:3",
            "true or",
        ),
        ("agents.yaml", "writer:", "wri ter:", "bad_id", "agents.yaml:1", "'wri ter'"),
    ],
)
def test_a_mistake_is_told_with_file_line_and_the_nearest_name(
    folder: Path, name: str, old: str, new: str, kind: str, place: str, words: str
) -> None:
    change(folder, name, old, new)
    found = problems(folder)
    assert [one[:2] for one in found if one[0] == kind and words in one[2]] == [(kind, place)], (
        found
    )


def test_every_problem_of_every_file_is_told_at_once(folder: Path) -> None:
    change(folder, "tasks.yaml", "agent: writer", "agent: reader")
    change(folder, "tasks.yaml", "[1.1]", "[9.9]")
    change(folder, "agents.yaml", "  goal", "  gaol: x\n  goal")
    found = problems(folder, "[limit]\nagents = 3\n")
    assert [one[:2] for one in found] == [
        ("unknown_key", "agents.yaml:3"),
        ("unknown_key", "wavecrew.toml:1"),
        ("unknown_agent", "tasks.yaml:7"),
        ("unknown_task", "tasks.yaml:18"),
    ]


def test_a_server_that_the_settings_do_not_define_is_told(folder: Path) -> None:
    change(folder, "agents.yaml", "git_*", "mcp:doc")
    server = "[mcp.docs]\ncommand = 'x'\n"
    ((kind, place, words),) = problems(folder, server)
    assert (kind, place) == ("unknown_server", "agents.yaml:6")
    assert "perhaps you meant 'mcp:docs'" in words
    change(folder, "agents.yaml", "mcp:doc", "mcp:docs")
    assert read(folder, server).roles["writer"].tools == ("read_file", "mcp:docs")


def test_a_broken_task_does_not_make_others_that_name_it_wrong(folder: Path) -> None:
    change(folder, "tasks.yaml", "    title: First\n", "")
    assert [one[0] for one in problems(folder)] == ["missing_key"]


@pytest.mark.parametrize("value", ["{}", "[]", ""])
def test_a_plan_without_tasks_is_told_how_to_write_one(folder: Path, value: str) -> None:
    (folder / "tasks.yaml").write_text(f"plan: {{title: T}}\ntasks: {value}\n")
    ((kind, place, words),) = problems(folder)
    assert (kind, place) == ("no_tasks", "tasks.yaml:2")
    assert "'tasks' is empty" in words
    assert "- id:" in words


def test_tasks_written_as_a_mapping_are_told_to_be_a_list(folder: Path) -> None:
    (folder / "tasks.yaml").write_text("plan: {title: T}\ntasks:\n  1.1: {title: x}\n")
    ((kind, place, words),) = problems(folder)
    assert (kind, place, "must be a list" in words) == ("no_tasks", "tasks.yaml:2", True)


def test_missing_files_are_all_named(tmp_path: Path) -> None:
    with pytest.raises(PlanRejected) as caught:
        load(tmp_path / "a", tmp_path / "t", tmp_path / "s")
    assert [Path(one.place.file).name for one in caught.value.problems] == ["a", "s", "t"]


@pytest.mark.parametrize(
    ("text", "kind", "line", "words"),
    [
        ("[limits]\nagents = 0\n", "bad_value", 2, "'limits.agents'"),
        ("a = 1\n\n[model]\nnmae = 'x'\n", "unknown_key", 4, "'name'"),
        (
            "[[checks]]\nname='a'\nrun='x'\n[[checks]]\nname='a'\nrun='y'\n",
            "duplicate_check",
            5,
            "'a'",
        ),
        ("[[checks]]\nname='a'\nrun='x'\n[[checks]]\nrun='y'\n", "missing_key", 4, "'name'"),
        ("[[checks]]\nname='a'\nrun='''\nx = 1\n'''\nkid='x'\n", "unknown_key", 6, "'kind'"),
        ("[limits]\nagents = \n", "syntax", 2, "invalid value"),
        ("x = 'a\n", "syntax", 1, "not TOML"),
        ("[limits]\nagents = 'three'\n", "bad_value", 2, "whole number"),
    ],
)
def test_a_mistake_in_the_settings_is_told_with_its_line(
    folder: Path, text: str, kind: str, line: int, words: str
) -> None:
    path = folder / "wavecrew.toml"
    path.write_text(text)
    with pytest.raises(PlanRejected) as caught:
        load_settings(path)
    found = [(p.kind, p.place.line, p.message + p.mend) for p in caught.value.problems]
    assert [one for one in found if one[:2] == (kind, line) and words in one[2]], found


def test_each_file_can_be_read_alone(folder: Path) -> None:
    assert list(load_roles(folder / "agents.yaml")) == ["writer"]
    assert load_plan(folder / "tasks.yaml").title == "Small"


def test_the_error_survives_pickling_with_all_its_problems(folder: Path) -> None:
    change(folder, "tasks.yaml", "agent: writer", "agent: reader")
    with pytest.raises(PlanRejected) as caught:
        read(folder)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert copy.problems == caught.value.problems
    assert str(copy) == str(caught.value)


def test_what_a_document_claims_is_read_with_its_line(folder: Path) -> None:
    change(folder, "tasks.yaml", "tasks:\n", "claims:\n  - {what: makespan_h, hours: 80}\ntasks:\n")
    loaded = read(folder)
    assert [(claim.what, claim.hours) for claim in loaded.plan.claims] == [("makespan_h", 80)]
    place = loaded.where("claim", "makespan_h")
    assert place is not None
    assert place.line == 5


@pytest.mark.parametrize(
    ("claims", "kind", "words"),
    [
        (
            "[{what: makespan_h, hours: 8}, {what: makespan_h, hours: 9}]",
            "duplicate_claim",
            "twice",
        ),
        ("[{what: total, hours: 8}]", "bad_value", "'what' must be"),
        ("[{what: makespan_h, hours: -1}]", "bad_value", "'hours' must be"),
        ("[{what: makespan_h, hours: nan}]", "bad_value", "'hours' must be"),
        ("[{what: makespan_h}]", "missing_key", "lacks 'hours'"),
        ("[{what: makespan_h, hours: 8, why: x}]", "unknown_key", "'why'"),
        ("[8]", "not_a_mapping", "claims[1]"),
        ("8", "no_claims", "must be a list"),
    ],
)
def test_a_claim_that_makes_no_sense_is_told(
    folder: Path, claims: str, kind: str, words: str
) -> None:
    change(folder, "tasks.yaml", "tasks:\n", f"claims: {claims}\ntasks:\n")
    ((found, place, message),) = problems(folder)
    assert (found, place) == (kind, "tasks.yaml:4")
    assert words in message


def test_a_budget_for_a_wave_or_task_that_is_not_there_is_told(folder: Path) -> None:
    settings = "[budget.waves.11]\nmoney = 2\n[budget.tasks.'1.2']\ntokens = 5\n"
    found = problems(folder, settings)
    assert [(kind, place) for kind, place, _ in found] == [
        ("unknown_wave", "wavecrew.toml:1"),
        ("unknown_task", "wavecrew.toml:1"),
    ]
    assert "'1.1'" in found[1][2]


def test_a_budget_has_levels_and_exceptions_by_id(folder: Path) -> None:
    settings = "[budget]\nmoney = 9\n[budget.task]\ntokens = 7\n[budget.tasks.'1.1']\nmoney = 2\n"
    budget = read(folder, settings).settings.budget
    assert (budget.money, budget.of_task("1.10").tokens) == (9, 7)
    assert (budget.of_task("1.1").money, budget.of_task("1.1").tokens) == (2, 7)
