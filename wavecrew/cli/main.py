"""`wavecrew`: the list of commands, and how every error becomes a message and an exit code.

Importing this loads Typer and nothing heavy; each command imports what it
needs when it is called. Exit codes stand in `wavecrew.errors`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from wavecrew import __version__
from wavecrew.cli import attic, forecast, journal, plan
from wavecrew.errors import EXIT_INTERRUPTED, UsageError, WavecrewError

app = typer.Typer(
    name="wavecrew",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Run a written plan with a crew of agents, each on its own branch, and prove every step.",
    epilog="Exit codes: 0 done; 2 plan, options or repository wrong; 3 a task failed; "
    "4 a sync point stayed closed; 5 conflict; 6 limit reached; 7 environment broken; "
    "130 interrupted (resume with `wavecrew run --resume`).",
)
plan.app.command(epilog=forecast.EPILOG)(forecast.forecast)
app.add_typer(plan.app, name="plan", help="Look at a plan: check it, show it, forecast it.")
app.add_typer(journal.app, name="journal", help="Read recorded attempts; make rehearsals of them.")
app.add_typer(attic.app, name="attic", help="What did not land: list it, restore it, drop it.")

RepoOption = Annotated[Path, typer.Option("--repo", help="The git repository.")]
DatabaseOption = Annotated[
    str,
    typer.Option(
        "--database-url",
        envvar="WAVECREW_DATABASE_URL",
        show_envvar=True,
        help="PostgreSQL shared by workers on many machines.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on stdout, for scripts.")]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"wavecrew {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Options that stand before the command."""


@app.command(
    epilog="Examples:  wavecrew init PLAN.md  |  wavecrew init PLAN.md --beside TRACKER.md --json  "
    "|  wavecrew init .planning/phases/01-core --out next --force.  "
    "Exit codes: 0 written, whatever it leaves open; 2 no plan, or nothing was written."
)
def init(
    path: Annotated[Path, typer.Argument(metavar="PLAN", help="The written plan.")],
    repo: RepoOption = Path(),
    out: Annotated[
        Path | None, typer.Option(help="Folder for the two files; default: the repository.")
    ] = None,
    beside: plan.BesideOption = None,
    format_name: plan.FormatOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an agents.yaml and a tasks.yaml that exist.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write agents.yaml and tasks.yaml from a written plan, with the questions it leaves open."""
    from wavecrew.cli.init import write_plan

    write_plan(path, beside or (), format_name, repo, out, force=force, as_json=as_json)


@app.command(
    epilog="Examples:  wavecrew run --dry-run  |  wavecrew run --wave 1 --model gpt-5  |  "
    "wavecrew run --base-url http://127.0.0.1:8000/v1 --model local --json  |  "
    "wavecrew run --resume  |  "
    "wavecrew run --database-url postgresql://crew@db/wavecrew --hub ssh://git@host/hub.git"
)
def run(
    repo: RepoOption = Path(),
    agents: Annotated[Path | None, typer.Option(help="agents.yaml: the roles.")] = None,
    tasks: Annotated[Path | None, typer.Option(help="tasks.yaml: the plan.")] = None,
    settings: Annotated[
        Path | None, typer.Option(help="wavecrew.toml; default: the repository's, if any.")
    ] = None,
    model: Annotated[str, typer.Option(help="Model name, as the endpoint knows it.")] = "",
    base_url: Annotated[
        str, typer.Option(help="OpenAI-compatible endpoint; the key comes from the environment.")
    ] = "",
    rehearsal: Annotated[
        Path | None, typer.Option(help="Folder of a rehearsal that plays the model.")
    ] = None,
    wave: Annotated[list[str] | None, typer.Option(help="Only this wave; repeatable.")] = None,
    task: Annotated[list[str] | None, typer.Option(help="Only this task; repeatable.")] = None,
    barrier: Annotated[
        str, typer.Option(help="sync: start what is ready. wave: finish a wave first.")
    ] = "sync",
    agents_limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Agents at work at once.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the paused run.")] = False,
    new: Annotated[
        bool, typer.Option("--new", help="Start afresh beside a paused run of this plan.")
    ] = False,
    approve: Annotated[
        list[str] | None, typer.Option(help="Approve this sync point; repeatable.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would run, start nothing.")
    ] = False,
    allow_unsandboxed: Annotated[
        bool,
        typer.Option(
            "--allow-unsandboxed", help="With sandbox mode none: run agents' commands unprotected."
        ),
    ] = False,
    database_url: DatabaseOption = "",
    hub: Annotated[
        str, typer.Option(help="With a database: the bare repository that workers push to.")
    ] = "",
    detach: Annotated[
        bool, typer.Option("--detach", help="With a database: start the run, do not watch it.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Events as JSON lines on stdout (docs/events.md).")
    ] = False,
) -> None:
    """Start a run of a plan, or go on with a paused one."""
    from wavecrew.cli.request import RunRequest
    from wavecrew.cli.start import start_or_resume

    request = RunRequest(
        repo=repo,
        agents=agents,
        tasks=tasks,
        settings=settings,
        model=model,
        base_url=base_url,
        rehearsal=rehearsal,
        waves=tuple(wave or ()),
        tasks_only=tuple(task or ()),
        barrier=barrier,
        limit=agents_limit,
        resume=resume,
        new=new,
        approve=tuple(approve or ()),
        dry_run=dry_run,
        allow_unsandboxed=allow_unsandboxed,
        as_json=as_json,
        database_url=database_url,
        hub=hub,
        detach=detach,
    )
    raise typer.Exit(start_or_resume(request))


@app.command(
    epilog="Examples:  wavecrew worker --database-url postgresql://crew@db/wavecrew "
    "--repo ssh://git@host/hub.git  |  wavecrew worker --repo /srv/hub.git --agents 4 --once.  "
    "Exit codes: 0 nothing left to do, or told to leave with SIGTERM; 2 options wrong; "
    "7 this machine or the database cannot be used; 130 interrupted. See docs/scale.md."
)
def worker(
    repo: Annotated[
        str, typer.Option("--repo", help="The bare repository, as `wavecrew run --hub` names it.")
    ],
    database_url: DatabaseOption = "",
    agents: Annotated[
        int, typer.Option(min=0, help="Agents at once on this machine; 0: what the run allows.")
    ] = 0,
    folder: Annotated[
        Path | None,
        typer.Option(help="Workspaces and clones; default: below XDG_STATE_HOME."),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Leave when there is nothing left to do.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Work on runs that others started, beside any number of workers on any machines."""
    from wavecrew.journal.database import shown

    if not database_url:
        raise UsageError(
            "a worker finds its runs in a database, and none is named",
            mend="give --database-url postgresql://user@host/name, or set WAVECREW_DATABASE_URL",
        )
    shown(database_url)  # what is wrong with it is told before anything heavy is loaded
    from wavecrew.cli.worker import WorkerRequest, work

    request = WorkerRequest(database_url, repo, folder, agents, once, as_json)
    raise typer.Exit(work(request))


@app.command(epilog="Examples:  wavecrew demo  |  wavecrew demo --keep ./discovery")
def demo(
    keep: Annotated[
        Path | None,
        typer.Option(help="Folder for the repository; must not exist. Default: a temporary one."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run wave 1 of the Discovery plan on a fresh repository, with a rehearsed model."""
    from wavecrew.cli.demo import run_demo

    raise typer.Exit(run_demo(keep, as_json=as_json))


@app.command(
    epilog="Examples:  wavecrew status  |  wavecrew status r2 --json  |  "
    "wavecrew status --database-url postgresql://crew@db/wavecrew"
)
def status(
    run_name: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="Default: the newest run.")
    ] = None,
    repo: RepoOption = Path(),
    database_url: DatabaseOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show how a run stands, at work or ended; with a database all runs and workers, too."""
    if database_url:
        from wavecrew.cli.shared_status import show_shared

        raise typer.Exit(show_shared(database_url, run_name, as_json=as_json))
    from wavecrew.cli.status import show_status

    raise typer.Exit(show_status(repo, run_name, as_json=as_json))


@app.command(
    epilog="Examples:  wavecrew clean --all-finished --dry-run  |  wavecrew clean r1 r2 --yes  |  "
    "wavecrew clean --all-finished --older-than 30 --history --yes --json  |  "
    "wavecrew clean r3 --database-url postgresql://crew@db/wavecrew --yes"
)
def clean(
    runs: Annotated[list[str] | None, typer.Argument(metavar="[RUN]...")] = None,
    all_finished: Annotated[
        bool, typer.Option("--all-finished", help="Every run that came to its end.")
    ] = False,
    older_than: Annotated[
        float, typer.Option("--older-than", min=0, metavar="DAYS", help="Ended so long ago.")
    ] = 0,
    history: Annotated[
        bool, typer.Option("--history", help="Events and journals too; branches and refs stay.")
    ] = False,
    park: Annotated[
        bool, typer.Option("--park", help="Put unsaved work into the attic, then free it.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False,
    repo: RepoOption = Path(),
    database_url: DatabaseOption = "",
    as_json: JsonOption = False,
) -> None:
    """Free workspaces, scratch and mirrors of runs that ended; never a branch, never a ref.

    What is leased, dirty or unmerged stays, with the reason; the exit code is 2 then. With a
    database whole runs leave it; without --history their history comes to the repository first.
    """
    from wavecrew.cli.clean import CleanRequest, clean_runs

    request = CleanRequest(
        repo=repo,
        runs=tuple(runs or ()),
        all_finished=all_finished,
        older_than_days=older_than,
        history=history,
        park=park,
        dry_run=dry_run,
        yes=yes,
        as_json=as_json,
    )
    if database_url:
        from wavecrew.cli.clean_shared import clean_shared

        raise typer.Exit(clean_shared(request, database_url))
    raise typer.Exit(clean_runs(request))


@app.command(epilog="Examples:  wavecrew doctor  |  wavecrew doctor --base-url http://host/v1")
def doctor(
    repo: RepoOption = Path(),
    base_url: Annotated[str, typer.Option(help="Model endpoint to try.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Check git, sandbox, Python, model endpoint and disk; name the mend for each fault."""
    from wavecrew.cli.doctor import examine

    raise typer.Exit(examine(repo, base_url, as_json=as_json))


@app.command(
    epilog="Examples:  wavecrew replay  |  wavecrew replay r2 --task 1.1  |  "
    "wavecrew replay r2 --agents new/agents.yaml.  Exit codes: 0 the same; 3 something differs; "
    "2 no such run, or a journal that cannot be read; 7 environment broken."
)
def replay(
    run_name: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="Default: the newest run.")
    ] = None,
    repo: RepoOption = Path(),
    task: Annotated[str, typer.Option(help="Only this task's attempts and landings.")] = "",
    gates: Annotated[
        bool, typer.Option("--gates", help="Run gates and integration checks again, too.")
    ] = False,
    agents: Annotated[
        Path | None, typer.Option(help="Do not replay: say which requests these roles alter.")
    ] = None,
    tasks: Annotated[
        Path | None, typer.Option(help="Do not replay: say which requests this plan alters.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run a recorded run again without a model, and name the first thing that differs."""
    from wavecrew.cli import replay as command

    request = command.ReplayRequest(
        repo=repo,
        run=run_name,
        task=task,
        gates=gates,
        agents=agents,
        tasks=tasks,
        as_json=as_json,
    )
    raise typer.Exit(command.replay(request))


def main() -> None:
    """The console script: run a command; a WavecrewError becomes its message and exit code."""
    try:
        app()
    except WavecrewError as error:
        print(f"wavecrew: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("wavecrew: interrupted", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)


if __name__ == "__main__":
    main()
