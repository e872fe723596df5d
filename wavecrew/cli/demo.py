"""`wavecrew demo`: wave 1 of the Discovery plan on a fresh repository, start to finish.

Everything is real but the model, which is a rehearsal: CrewAI agents, HTTP,
git, sandboxed tests, merges. The closing screen says where the work lies and
what to do next.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from wavecrew.cli.request import RunRequest
from wavecrew.cli.start import start_or_resume
from wavecrew.errors import GitFailed, UsageError
from wavecrew.plan.locate import shipped

WAVE = "1"


def run_demo(keep: Path | None, *, as_json: bool) -> int:
    """Make the repository, run wave 1, close with the next three commands."""
    example = shipped("examples/discovery")
    target = _fresh(keep)
    say = _quiet if as_json else print
    say("Wavecrew demo: wave 1 of the Discovery plan, six tasks, ten roles, one sync point.")
    say("The model is a rehearsal: scripted answers over real HTTP. All else is real.")
    say(
        "With a model of your own: wavecrew run --model NAME --base-url URL (key in OPENAI_API_KEY)"
    )
    make_repository(example / "target", target)
    say(f"Repository: {target}\n")
    code = start_or_resume(
        RunRequest(
            repo=target,
            agents=shipped("agents.yaml"),
            tasks=shipped("tasks.yaml"),
            rehearsal=example / "rehearsal",
            held_out_root=example,
            waves=(WAVE,),
            as_json=as_json,
        )
    )
    if code == 0:
        say(_closing(target))
    return code


def make_repository(source: Path, target: Path) -> None:
    """A copy of `source` as a git repository with one commit on `main`."""
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc", ".pytest_cache")
    shutil.copytree(source, target, ignore=ignore)
    for arguments in (
        ("init", "-q", "-b", "main"),
        ("add", "-A"),
        ("commit", "-q", "-m", "The Discovery platform before its remediation"),
    ):
        _git(target, *arguments)


def _fresh(keep: Path | None) -> Path:
    if keep is None:
        return Path(tempfile.mkdtemp(prefix="wavecrew-demo-")) / "discovery"
    if keep.exists():
        raise UsageError(f"{str(keep)!r} exists already", mend="give --keep a new folder")
    keep.parent.mkdir(parents=True, exist_ok=True)
    return keep.resolve()


def _git(folder: Path, *arguments: str) -> None:
    identity = {
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "Wavecrew demo"), ("EMAIL", "demo@wavecrew.localhost"))
    }
    try:
        subprocess.run(
            ["git", "-C", str(folder), "-c", "commit.gpgsign=false", *arguments],
            env=os.environ | identity,
            check=True,
            capture_output=True,
        )
    except FileNotFoundError as error:
        raise GitFailed("git is not installed", mend="install git 2.38 or newer") from error
    except subprocess.CalledProcessError as error:
        raise GitFailed(
            f"git {arguments[0]} failed: {error.stderr.decode(errors='replace').strip()}",
            where=str(folder),
        ) from error


def _closing(target: Path) -> str:
    return (
        f"\nBuilt in {target}: six branches wavecrew/r1/<task>, merged into "
        "wavecrew/r1/integration. Your checkout is as it was. Next:\n"
        f"  git -C {target} log --first-parent --stat wavecrew/r1/integration\n"
        f"  git -C {target} diff main wavecrew/r1/integration\n"
        f"  {_command()} status --repo {target}"
    )


def _command() -> str:
    """How this very command was called, so that the next one works as shown."""
    return "wavecrew" if shutil.which("wavecrew") else shlex.quote(sys.argv[0])


def _quiet(text: str) -> None:
    print(text, file=sys.stderr)
