"""What is written is read back as it was: files for people, and no value lost on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from wavecrew.plan.load import load
from wavecrew.plan.model import Plan, Role
from wavecrew.plan.proposal.model import Question
from wavecrew.plan.proposal.yaml_text import agents_yaml, tasks_yaml
from wavecrew.plan.tool_names import SPECIALIST_TOOLS

ODD = ["~", "null", "true", "0x10", "1.10", "# no comment", "- item", "a: b", "'", '"', "&x", "*x"]
ODD += [
    "{a",
    "[b",
    "a\nb",
    "a\n\n  b\nc",
    " # x",
    "é",
    "日本語",
    "🎯 goal",
    "a\tb",
    "%",
    "@",
    "`x`",
]
ODD += ["\x1b[31mred", "a\x85b", "a\u2028b", "\ufeffx", "!tag", "|", ">", "? x", "word " * 60]
TEXT = st.one_of(
    st.sampled_from(ODD),
    st.text(
        st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=20
    ),
    st.lists(st.sampled_from(["tests", "a:", "#b", "schema,", "-"]), min_size=1, max_size=50).map(
        " ".join
    ),
).filter(lambda text: text.strip() != "")
IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,6}(\.[0-9]{1,2})?", fullmatch=True).filter(
    lambda one: not one.endswith(".lock")
)
HOURS = st.one_of(st.none(), st.integers(0, 10_000), st.floats(0, 10_000))


def some(ids: list[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(ids), unique=True, max_size=4) if ids else st.just([])


@st.composite
def plans(draw: st.DrawFn) -> tuple[Plan, dict[str, Role]]:
    roles = draw(st.lists(IDS, min_size=1, max_size=3, unique=True))
    waves = draw(st.lists(IDS, max_size=3, unique=True))
    ids = draw(st.lists(IDS, min_size=1, max_size=4, unique=True))
    contract = st.fixed_dictionaries({"symbol": TEXT, "signature": st.one_of(st.just(""), TEXT)})
    tasks = [
        {
            "id": one,
            "title": draw(TEXT),
            "agent": draw(st.sampled_from(roles)),
            "description": draw(TEXT),
            "expected_output": draw(TEXT),
            "wave": draw(st.sampled_from([None, *waves])),
            "phase": draw(st.one_of(st.just(""), TEXT)),
            "group": draw(st.one_of(st.just(""), TEXT)),
            "estimate_h": draw(HOURS),
            "depends_on": draw(some([other for other in ids if other != one])),
            "may_write": draw(st.lists(TEXT, max_size=3)),
            "done_when": draw(st.lists(TEXT, max_size=2)),
            "provides": draw(st.lists(contract, max_size=2)),
            "conflicts_with": draw(some([other for other in ids if other != one])),
        }
        for one in ids
    ]
    syncs = [
        {
            "id": one,
            "title": draw(TEXT),
            "after_waves": draw(some(waves)),
            "after_tasks": draw(some(ids)),
            "holds_waves": draw(some(waves)),
            "holds_tasks": draw(some(ids)),
            "approval": draw(st.booleans()),
        }
        for one in draw(st.lists(IDS, max_size=2, unique=True))
    ]
    claims = draw(st.lists(st.sampled_from(["single_agent_h", "makespan_h"]), unique=True))
    plan: dict[str, Any] = {
        "title": draw(TEXT),
        "waves": [{"id": one, "title": draw(st.one_of(st.just(""), TEXT))} for one in waves],
        "tasks": tasks,
        "sync_points": syncs,
        "claims": [{"what": one, "hours": draw(st.integers(0, 500))} for one in claims],
    }
    made = {
        name: Role.model_validate(
            {
                "name": name,
                "role": draw(TEXT),
                "goal": draw(TEXT),
                "backstory": draw(TEXT),
                "archetype": draw(st.sampled_from(["database", "flow", "pattern", "integration"])),
                "skills": draw(st.lists(TEXT, max_size=2)),
                "tools": draw(st.sampled_from([SPECIALIST_TOOLS, ("submit",)])),
                "may_write": draw(st.lists(TEXT, max_size=2)),
                "parallel": draw(st.integers(1, 9)),
                "manager": draw(st.booleans()),
            }
        )
        for name in roles
    }
    return Plan.model_validate(plan), made


@settings(
    max_examples=25,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(made=plans(), asked=TEXT)
def test_reading_what_was_written_gives_the_same_plan(
    tmp_path: Path, made: tuple[Plan, dict[str, Role]], asked: str
) -> None:
    plan, roles = made
    places = [("task", str(plan.tasks[0].id), key) for key in ("id", "estimate_h", "depends_on")]
    places += [("role", next(iter(roles)), key) for key in ("name", "may_write", "manager")]
    places += [("tasks",), ("waves",), ("sync_points",), ("roles",)]
    questions = [Question("any", asked, (), tuple(places))]
    agents, tasks = tmp_path / "agents.yaml", tmp_path / "tasks.yaml"
    agents.write_text(agents_yaml(roles, questions, "Roles"), encoding="utf-8")
    tasks.write_text(tasks_yaml(plan, questions, "Plan"), encoding="utf-8")
    loaded = load(agents, tasks)
    assert loaded.plan == plan
    assert dict(loaded.roles) == roles


PLAN = Plan.model_validate(
    {
        "title": "Small",
        "waves": [{"id": "1", "title": "Only"}],
        "tasks": [
            {
                "id": "1.10",
                "title": "First",
                "agent": "writer",
                "wave": "1",
                "estimate_h": 2.0,
                "depends_on": [],
                "description": "One line. " * 20,
                "expected_output": "Two\nlines",
            },
            {"id": "2", "title": "Second", "agent": "writer", "depends_on": ["1.10"]}
            | {"description": "d", "expected_output": "e"},
        ],
    }
)


def test_a_written_plan_is_pleasant_to_read() -> None:
    asked = Question("hours", "is that all?", ("1.10",), (("task", "1.10", "estimate_h"),))
    lost = Question("x", "which hours?", ("2",), (("task", "2", "estimate_h"),))
    general = Question("y", "what else?", ("1.10", "2"), (("tasks",),))
    text = tasks_yaml(PLAN, [asked, lost, general], "Plan of small.md.")
    assert (
        text
        == """\
# Plan of small.md.
plan:
  title: Small

waves:
  - {id: "1", title: Only}

# QUESTION: what else? (1.10, 2)
tasks:
  - id: "1.10"
    title: First
    agent: writer
    wave: "1"
    # QUESTION: is that all?
    estimate_h: 2
    description: >-
      One line. One line. One line. One line. One line. One line. One line. One line. One line.
      One line. One line. One line. One line. One line. One line. One line. One line. One line.
      One line. One line.
    expected_output: |-
      Two
      lines

  - id: "2"
    title: Second
    agent: writer
    # QUESTION: which hours?
    depends_on: ["1.10"]
    description: d
    expected_output: e
"""
    )


def test_a_question_about_a_section_that_is_missing_stands_at_the_end() -> None:
    text = tasks_yaml(PLAN, [Question("z", "where do branches meet?", (), (("sync_points",),))])
    assert text.endswith("\n# QUESTION: where do branches meet?\n")


def test_roles_share_one_list_of_tools() -> None:
    entry = {"goal": "g", "backstory": "b", "archetype": "flow", "tools": SPECIALIST_TOOLS}
    roles = {n: Role.model_validate({"name": n, "role": n, **entry}) for n in ("one", "two")}
    text = agents_yaml(roles)
    assert text.count("- run_command") == 1
    assert "  tools: *specialist_tools\n" in text
