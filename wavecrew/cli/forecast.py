"""`wavecrew plan forecast`: how long will it take, and what would change that?

Everything but Typer is imported inside the command. Files are rendered before
any is written, and each is written whole or not at all.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from wavecrew.cli.plan import JsonOption, SettingsOption, TasksOption, load_files
from wavecrew.cli.printing import print_json
from wavecrew.cli.printing import print_lines as show_lines

if TYPE_CHECKING:
    from wavecrew.plan.load import Loaded
    from wavecrew.schedule.forecast import Asked, Forecast, Row
    from wavecrew.schedule.optimal import Optimum
    from wavecrew.schedule.problem import Problem
    from wavecrew.schedule.ready import Barrier
    from wavecrew.schedule.timeline import Timeline

EPILOG = (
    "Examples:  wavecrew plan forecast  |  wavecrew plan forecast --agents 4 "
    "--parallel dependency_analysis=2  |  wavecrew plan forecast --html forecast.html.  "
    "Exit codes: 0 told; 2 the plan can never be carried out, or an option is wrong."
)


def forecast(
    tasks: TasksOption = None,
    agents_file: Annotated[
        Path | None, typer.Option("--agents-file", help="agents.yaml: the roles.")
    ] = None,
    settings: SettingsOption = None,
    agents: Annotated[
        int | None, typer.Option("--agents", min=1, max=1000, help="What if so many may work?")
    ] = None,
    parallel: Annotated[
        list[str] | None,
        typer.Option(metavar="ROLE=N", help="What if N of a role may work? Repeatable."),
    ] = None,
    policy: Annotated[
        str | None, typer.Option(metavar="sync|wave", help="What if waves are barriers, or not?")
    ] = None,
    row: Annotated[
        str | None,
        typer.Option(help="Whose timeline is drawn: single, written, sync, parallel, asked."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the random generator behind the band.")] = 1,
    plays: Annotated[
        int, typer.Option(min=0, max=100_000, help="Plays behind the band; 0: no band.")
    ] = 500,
    html: Annotated[Path | None, typer.Option(help="Write a page that stands alone.")] = None,
    svg: Annotated[Path | None, typer.Option(help="Write the timeline as a drawing.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Say how long the plan takes: as written, with less held back, at best; and how sure it is."""
    from wavecrew.plan.locate import locate
    from wavecrew.schedule.forecast import forecast as compute

    files = locate(Path(), agents=agents_file, tasks=tasks, settings=settings)
    loaded = load_files(files)
    _refuse_circles(loaded)
    stopwatch = _Stopwatch()
    made = compute(
        loaded.plan,
        loaded.roles,
        agents=loaded.settings.limits.agents,
        asked=_asked(loaded, agents, parallel or [], policy),
        seed=seed,
        plays=plays,
        solve=stopwatch.solve,
    )
    drawn = _drawn(made, row)
    places = {held.what: str(loaded.near("claim", held.what)) for held in made.claims}
    _write(made, loaded, drawn, places, html, svg)
    if as_json:
        from wavecrew.cli.forecast_text import data

        print_json({**data(made, places, drawn), "solve_s": round(stopwatch.spent_s, 4)})
    else:
        _show(made, places, drawn, stopwatch.spent_s)


class _Stopwatch:
    """Optimal schedules, and how long they took to find, the solver's import included."""

    def __init__(self) -> None:
        self.spent_s = 0.0

    def solve(self, problem: Problem, start: Timeline) -> Optimum:
        from wavecrew.schedule.optimal import optimal

        began = time.perf_counter()
        found = optimal(problem, start)
        self.spent_s += time.perf_counter() - began
        return found


def _refuse_circles(loaded: Loaded) -> None:
    """PlanRejected when no schedule at all can exist; anything milder does not stop a forecast."""
    from wavecrew.plan.lint import check
    from wavecrew.plan.problem import PlanRejected

    never = ("cycle", "across_sync", "before_and_held")
    problems = [problem for problem in check(loaded) if problem.kind in never]
    if problems:
        raise PlanRejected(problems)


def _asked(loaded: Loaded, agents: int | None, parallel: list[str], policy: str | None) -> Asked:
    from wavecrew.errors import UsageError
    from wavecrew.plan.problem import nearest
    from wavecrew.schedule.forecast import Asked

    raised: dict[str, int] = {}
    for one in parallel:
        name, _, number = one.partition("=")
        if name not in loaded.roles:
            raise UsageError(
                f"--parallel names {name!r}, which is no role", mend=nearest(name, loaded.roles)
            )
        if not number.isascii() or not number.isdigit() or not 1 <= int(number[:5]) <= 1000:
            raise UsageError(f"--parallel {one!r} is not ROLE=N", mend="N is from 1 to 1000")
        raised[name] = int(number)
    if policy not in (None, "sync", "wave"):
        raise UsageError(f"--policy {policy!r} is neither 'sync' nor 'wave'")
    return Asked(agents, raised, cast("Barrier | None", policy))


def _drawn(made: Forecast, key: str | None) -> Row:
    from wavecrew.errors import UsageError
    from wavecrew.plan.problem import nearest

    keys = [row.policy.key for row in made.rows]
    if key is not None and key not in keys:
        raise UsageError(f"--row {key!r} is no row", mend=nearest(key, keys))
    return made.row(key or made.chosen)


def _show(made: Forecast, places: Mapping[str, str], drawn: Row, spent_s: float) -> None:
    from wavecrew.cli.forecast_text import lines

    width = shutil.get_terminal_size((110, 24)).columns
    encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
    ascii_only = not encoding.startswith("utf")
    show_lines(lines(made, places, drawn, spent_s, width, ascii_only=ascii_only))


def _write(
    made: Forecast,
    loaded: Loaded,
    drawn: Row,
    places: Mapping[str, str],
    html: Path | None,
    svg: Path | None,
) -> None:
    from wavecrew.cli.forecast_page import page
    from wavecrew.cli.gantt import svg as draw
    from wavecrew.errors import UsageError

    titles = {str(task.id): task.title for task in loaded.plan.tasks}
    wanted: list[tuple[Path, str]] = []
    if html:
        wanted.append((html, page(made, titles, places)))
    if svg:
        if drawn.answer is None:
            raise UsageError(
                f"row {drawn.policy.key!r} is impossible, so it has no timeline",
                mend="draw another with --row",
            )
        heading = f"{made.title}, {drawn.policy.title}"
        wanted.append((svg, draw(drawn.answer.dispatched, titles, heading) + "\n"))
    for path, text in wanted:
        write_whole(path, text)


def write_whole(path: Path, text: str) -> None:
    """Write the file whole or not at all. UsageError when it cannot be written."""
    from wavecrew.errors import UsageError

    partial = ""
    try:
        if path.is_dir():
            raise IsADirectoryError(21, "it is a folder")
        handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:80]}.")
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as stream:
            stream.write(text)
        os.chmod(partial, 0o644)
        os.replace(partial, path)
    except OSError as error:
        if partial:
            Path(partial).unlink(missing_ok=True)
        raise UsageError(
            f"cannot write: {error.strerror}",
            where=str(path),
            mend="name a file in a folder that exists and may be written",
        ) from None
