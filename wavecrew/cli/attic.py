"""`wavecrew attic`: look at what did not land, bring it back as a branch, or throw it away.

Only `drop` deletes, and only with a person's word: `--yes`, or an answer at a
terminal. Importing this loads Typer alone; each command imports what it needs.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from wavecrew.workspace.attic import Parked
    from wavecrew.workspace.git import Git

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

RepoOption = Annotated[Path, typer.Option("--repo", help="The git repository.")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on stdout, for scripts.")]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Such as r1.")]


@app.command(
    "list", epilog="Examples:  wavecrew attic list  |  wavecrew attic list --run r1 --json"
)
def list_parked(
    run: Annotated[str | None, typer.Option("--run", help="Only what this run parked.")] = None,
    repo: RepoOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """List every parked tree: run, task, attempt, commit, when, why, size against its base."""
    from wavecrew.workspace.attic import parked

    there = parked(_git(repo), run)
    if as_json:
        _say_json([_as_json(one) for one in there])
        return
    if not there:
        print(
            f"The attic has nothing of run {run!r}." if run is not None else "The attic is empty."
        )
    for one in there:
        print(_line(one))


@app.command(
    epilog="Examples:  wavecrew attic restore r1 1.1  |  "
    "wavecrew attic restore r1 1.1 2 --branch mend-1.1"
)
def restore(
    run: RunArgument,
    task: Annotated[str, typer.Argument(metavar="TASK")],
    attempt: Annotated[
        int | None, typer.Argument(metavar="[ATTEMPT]", min=1, help="Default: the newest.")
    ] = None,
    branch: Annotated[
        str, typer.Option(help="Default: attic/RUN/TASK/ATTEMPT. An existing one is never moved.")
    ] = "",
    repo: RepoOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Make an ordinary branch of a parked tree; your checkout stays as it is."""
    from wavecrew.workspace import attic

    git = _git(repo)
    one = attic.find(git, run, task, attempt)
    name = attic.restore(git, one, branch).removeprefix("refs/heads/")
    if as_json:
        _say_json({"branch": name, "commit": one.commit, "parked": _as_json(one)})
        return
    print(f"Branch {name} is at {one.commit[:12]}; look with: git diff {one.base[:12]} {name}")


@app.command(
    epilog="Examples:  wavecrew attic drop r1 1.1 2 --yes  |  wavecrew attic drop r1 --yes"
)
def drop(
    run: RunArgument,
    task: Annotated[
        str | None, typer.Argument(metavar="[TASK]", help="Default: all that the run parked.")
    ] = None,
    attempt: Annotated[
        int | None, typer.Argument(metavar="[ATTEMPT]", min=1, help="Default: all of the task's.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False,
    repo: RepoOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Throw parked trees away, after saying what is lost."""
    from wavecrew.errors import UsageError
    from wavecrew.workspace import attic

    git = _git(repo)
    if task is not None:
        attic.find(git, run, task, attempt)
    there = [
        one
        for one in attic.parked(git, run)
        if task in (None, one.task) and attempt in (None, one.attempt)
    ]
    if not there:
        raise UsageError(f"the attic has nothing of run {run!r}", mend="see `wavecrew attic list`")
    for one in there:
        print(_loss(one, attic.held_elsewhere(git, one)), file=sys.stderr)
    if not yes and not _asked(len(there), as_json):
        raise typer.Exit(0)
    for one in there:
        attic.drop(git, one)
        print(f"dropped; until git collects it: git branch NAME {one.commit}", file=sys.stderr)
    if as_json:
        _say_json([_as_json(one) for one in there])


def _asked(count: int, as_json: bool) -> bool:
    from wavecrew.errors import UsageError

    if as_json or not sys.stdin.isatty():
        raise UsageError("nothing is dropped without a person's word", mend="add --yes")
    return typer.confirm(f"Throw {count} parked tree(s) away?", default=False)


def _git(repo: Path) -> Git:
    from wavecrew.cli.runs import git_dir_of
    from wavecrew.workspace.git import Git

    return Git(git_dir_of(repo))


def _line(one: Parked) -> str:
    size = f"{one.files} file(s) +{one.added} -{one.removed}"
    why = f"{one.outcome}: {one.detail[:100]}" if one.detail else one.outcome
    return (
        f"{_plain(one.run)}  {_plain(one.task)}  attempt {one.attempt}  {one.commit[:12]}  "
        f"{_at(one.when)}  {size}  {why}"
    )


def _loss(one: Parked, held: tuple[str, ...]) -> str:
    also = f"still on {', '.join(held[:3])}" if held else "nothing else holds it"
    return f"{_line(one)}\n  {also}"


def _as_json(one: Parked) -> dict[str, Any]:
    return asdict(one) | {"when": _at(one.when)}


def _at(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _plain(text: str) -> str:
    return text if text.isprintable() else repr(text)


def _say_json(data: object) -> None:
    print(json.dumps(data, ensure_ascii=True, indent=1))
