"""`wavecrew plan`: check the files of a plan, show what they say, import a written one.

Findings are the result, so they go to stdout. Everything but Typer is
imported inside the commands, so that the list of commands stays quick.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wavecrew.cli.printing import count_of, print_json, print_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wavecrew.plan.load import Loaded
    from wavecrew.plan.locate import Files
    from wavecrew.plan.problem import Problem

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

AgentsOption = Annotated[Path | None, typer.Option("--agents", help="agents.yaml: the roles.")]
TasksOption = Annotated[Path | None, typer.Option("--tasks", help="tasks.yaml: the plan.")]
SettingsOption = Annotated[
    Path | None, typer.Option("--settings", help="wavecrew.toml; default: the one here, if any.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on stdout, for scripts.")]
BesideOption = Annotated[
    list[Path] | None,
    typer.Option("--beside", help="A document that says more of the same plan; repeatable."),
]
FormatOption = Annotated[
    str | None, typer.Option("--format", help="Do not detect the format: read it as this.")
]


@app.command(
    epilog="Examples:  wavecrew plan check  |  wavecrew plan check --tasks next.yaml --json  |  "
    "wavecrew plan check PLAN.md --beside TRACKER.md.  "
    "Exit codes: 0 the plan can be run, warnings or not; 2 it cannot."
)
def check(
    document: Annotated[
        Path | None,
        typer.Argument(
            metavar="[PLAN_DOCUMENT]", help="A written plan; default: agents.yaml and tasks.yaml."
        ),
    ] = None,
    beside: BesideOption = None,
    format_name: FormatOption = None,
    agents: AgentsOption = None,
    tasks: TasksOption = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say everything that is wrong with the plan, worst first."""
    from wavecrew.errors import UsageError

    if document is None:
        if beside or format_name:
            raise UsageError("--beside and --format go with a PLAN_DOCUMENT")
        files = _files(agents, tasks, settings)
        names, problems = _names(files), _lint(files)
    else:
        if agents or tasks or settings:
            raise UsageError("name a PLAN_DOCUMENT or the files of a plan, not both")
        from wavecrew.cli.init import examine

        names = {"document": str(document)}
        problems = examine(document, beside or (), format_name)
    _tell(names, problems, as_json=as_json)


def _lint(files: Files) -> tuple[Problem, ...]:
    from wavecrew.plan.lint import CONVERGING
    from wavecrew.plan.lint import check as lint
    from wavecrew.plan.problem import PlanRejected

    try:
        return lint(load_files(files), CONVERGING)
    except PlanRejected as rejected:
        return rejected.problems


def _tell(names: Mapping[str, str | None], problems: Sequence[Problem], *, as_json: bool) -> None:
    from wavecrew.plan.outline import Line

    errors = sum(problem.severity == "error" for problem in problems)
    if as_json:
        print_json({"ok": not errors, "files": dict(names), "problems": _data(problems)})
    else:
        verdict = "the plan can be run" if not errors else "the plan cannot be run"
        warnings = len(problems) - errors
        counted = f"{verdict}: {count_of(errors, 'error')}, {count_of(warnings, 'warning')}"
        lines = [Line(f"{one.severity}: {one}", one.severity) for one in problems]
        print_lines([*lines, Line(counted, "error" if errors else "head")])
    raise typer.Exit(2 if errors else 0)


@app.command(
    epilog="Examples:  wavecrew plan show  |  wavecrew plan show --why  |  "
    "wavecrew plan show --json.  Exit codes: 0 shown; 2 the files cannot be read."
)
def show(
    agents: AgentsOption = None,
    tasks: TasksOption = None,
    settings: SettingsOption = None,
    why: Annotated[
        bool, typer.Option("--why", help="Tell for every value in which file and line it stands.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show waves, groups, tasks with hours and dependencies, sync points and totals."""
    from wavecrew.plan.outline import Line, as_data, outline
    from wavecrew.plan.problem import PlanRejected

    files = _files(agents, tasks, settings)
    try:
        loaded = load_files(files)
    except PlanRejected as rejected:
        if as_json:
            print_json({"ok": False, "problems": _data(rejected.problems)})
        else:
            print_lines([Line(f"{one.severity}: {one}", one.severity) for one in rejected.problems])
        raise typer.Exit(2) from None
    if as_json:
        print_json({"ok": True, "files": _names(files), **as_data(loaded, why=why)})
    else:
        print_lines(outline(loaded, why=why))


@app.command(
    "import",
    epilog="Examples:  wavecrew plan import PLAN.md  |  wavecrew plan import PLAN.md --beside "
    "TRACKER.md  |  wavecrew plan import .planning/phases/01-core --json  |  "
    "wavecrew plan import NOTES.md --with-model --model gpt-5.  "
    "Exit codes: 0 read, whatever it leaves open; 2 no plan, or not readable; "
    "7 no model answers.",
)
def import_(
    path: Annotated[Path, typer.Argument(metavar="FILE_OR_FOLDER", help="The written plan.")],
    beside: BesideOption = None,
    format_name: FormatOption = None,
    with_model: Annotated[
        bool,
        typer.Option(
            "--with-model",
            help="Let a model read the document; what does not stand in the text is dropped.",
        ),
    ] = False,
    model: Annotated[str, typer.Option(help="Model name, as the endpoint knows it.")] = "",
    base_url: Annotated[
        str, typer.Option(help="OpenAI-compatible endpoint; the key comes from the environment.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Read a plan as people write them, and report what it leaves open."""
    from wavecrew.cli.plan_import import ModelChoice, show_import
    from wavecrew.errors import UsageError

    if with_model and format_name:
        raise UsageError("--format names a reader, --with-model a model", mend="give one of them")
    if not with_model and (model or base_url):
        raise UsageError("--model and --base-url need --with-model", mend="add --with-model")
    choice = ModelChoice(model, base_url) if with_model else None
    show_import(path, beside or (), format_name, choice, as_json=as_json)


def _files(agents: Path | None, tasks: Path | None, settings: Path | None) -> Files:
    from wavecrew.plan.locate import locate

    return locate(Path(), agents=agents, tasks=tasks, settings=settings)


def load_files(files: Files) -> Loaded:
    from importlib.metadata import entry_points

    from wavecrew.plan.load import load
    from wavecrew.plan.tool_names import GROUP, known_tools

    tools = known_tools(point.name for point in entry_points(group=GROUP))
    return load(files.agents, files.tasks, files.settings, known_tools=tools)


def _names(files: Files) -> dict[str, str | None]:
    settings = str(files.settings) if files.settings else None
    return {"agents": str(files.agents), "tasks": str(files.tasks), "settings": settings}


def _data(problems: Iterable[Problem]) -> list[dict[str, object]]:
    from wavecrew.plan.outline import problem_data

    return [problem_data(problem) for problem in problems]
