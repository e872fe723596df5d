"""A resumed run keeps its plan and takes model, limits and budget as they are by then."""

from __future__ import annotations

from pathlib import Path

import pytest

from wavecrew.cli.paused import as_of_now
from wavecrew.plan.model import Plan, Wave
from wavecrew.plan.problem import PlanRejected
from wavecrew.plan.settings import Budget, Check, Limits, ModelSettings, Settings
from wavecrew.run.spec import Chosen, RunSpec

FROZEN = Settings(
    checks=(Check(name="unit", run="true"),),
    model=ModelSettings(name="old", base_url="http://old/v1"),
    limits=Limits(agents=3),
    budget=Budget(model_calls=5),
)


def spec(file: Path | None = None, chosen: Chosen | None = None) -> RunSpec:
    return RunSpec(
        run="r1",
        plan=Plan(title="p", waves=(Wave(id="w"),), tasks=()),
        roles=(),
        settings=FROZEN,
        base="0" * 40,
        only=(),
        settings_file=str(file or ""),
        chosen=chosen or Chosen(),
    )


def settings(folder: Path, text: str, name: str = "wavecrew.toml") -> Path:
    file = folder / name
    file.write_text(text)
    return file


def test_without_a_file_all_stays_as_it_was(tmp_path: Path) -> None:
    assert as_of_now(spec(), None, Chosen(), tmp_path).settings == FROZEN


def test_budget_and_limits_are_the_files_and_checks_are_not(tmp_path: Path) -> None:
    text = '[budget]\ntokens = 9\n[limits]\nagents = 7\n[[checks]]\nname = "new"\nrun = "false"\n'
    now = as_of_now(spec(settings(tmp_path, text)), None, Chosen(), tmp_path).settings
    assert (now.budget, now.limits) == (Budget(tokens=9), Limits(agents=7))
    assert now.checks == FROZEN.checks


def test_a_model_the_file_does_not_name_stays(tmp_path: Path) -> None:
    file = settings(tmp_path, "[model]\ntimeout_s = 5\n")
    model = as_of_now(spec(file), None, Chosen(), tmp_path).settings.model
    assert (model.name, model.base_url, model.timeout_s) == ("old", "http://old/v1", 5)


def test_the_command_line_stands_above_the_file_then_and_now(tmp_path: Path) -> None:
    file = settings(tmp_path, '[model]\nname = "file"\n[limits]\nagents = 7\n')
    then = spec(file, Chosen(model="then", agents=2))
    kept = as_of_now(then, None, Chosen(), tmp_path)
    assert (kept.settings.model.name, kept.settings.limits.agents) == ("then", 2)
    anew = as_of_now(then, None, Chosen(model="now"), tmp_path)
    assert (anew.settings.model.name, anew.settings.limits.agents) == ("now", 2)
    assert anew.chosen == Chosen(model="now", agents=2)


def test_a_file_that_is_named_now_wins_over_the_earlier_one(tmp_path: Path) -> None:
    earlier = settings(tmp_path, "[budget]\ntokens = 1\n")
    named = settings(tmp_path, "[budget]\ntokens = 2\n", "other.toml")
    now = as_of_now(spec(earlier), named, Chosen(), tmp_path)
    assert now.settings.budget.tokens == 2
    assert now.settings_file == str(named)


def test_a_wrong_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanRejected):
        as_of_now(spec(settings(tmp_path, "[budgt]\n")), None, Chosen(), tmp_path)
