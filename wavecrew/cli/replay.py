"""`wavecrew replay`: run a recorded run again for nothing, and say where it first differs.

The work is done in a process of its own (`crews.replay`), since it drives the
agents' tools. This starts it, shows its steps, and turns its last line into
an exit code; the process ends with this one, whatever happens.
"""

from __future__ import annotations

import difflib
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from wavecrew.cli.lines import many
from wavecrew.cli.recorded import recorded_run
from wavecrew.errors import EnvironmentBroken, WavecrewError

COMMAND = (sys.executable, "-P", "-m", "crews.replay")
EXIT_DIVERGED = 3
SHOWN_LINES = 40
"""Lines of a difference that are shown; `--json` has all of them."""
LEAVE_WITHIN_S = 30.0
"""How long the process may take to remove its scratch folder."""


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """The options of `wavecrew replay`, as given."""

    repo: Path
    run: str | None = None
    task: str = ""
    gates: bool = False
    agents: Path | None = None
    tasks: Path | None = None
    as_json: bool = False


def replay(request: ReplayRequest) -> int:
    """0 when everything is the same, 3 when something differs. WavecrewError for the rest."""
    folder = recorded_run(request.repo, request.run)
    report: dict[str, Any] = {"run": folder.run, "same": True, "altered": []}
    with _process(request, folder.run) as process:
        assert process.stdout is not None
        last: dict[str, Any] = {}
        for line in process.stdout:
            last = json.loads(line)
            if "step" in last:
                print(f"wavecrew: {last['step']}", file=sys.stderr)
            elif "altered" in last:
                report["altered"].append(last["altered"])
        process.wait(LEAVE_WITHIN_S)
    _judge(last, report)
    if request.as_json:
        print(json.dumps(report, ensure_ascii=False, indent=1))
    else:
        print(as_text(report))
    return 0 if report["same"] else EXIT_DIVERGED


def as_text(report: dict[str, Any]) -> str:
    """What a replay came to, for a person."""
    if found := report.get("diverged"):
        return divergence_text(report["run"], found)
    if report["altered"]:
        return "\n\n".join(altered_text(one) for one in report["altered"])
    told = report["replayed"]
    if "tool_calls" not in told:
        looked = f"looked at {many(told['attempts'], 'conversation')}"
        return f"Run {report['run']}: no recorded request would be another one; {looked}."
    notes = "".join(f"\nNote: {note}" for note in told["notes"])
    return (
        f"Run {report['run']} is the same, bit for bit: "
        f"{many(told['attempts'], 'conversation')}, "
        f"{many(told['tool_calls'], 'tool call')} carried out again ({told['taken']} taken from "
        f"the record), {many(told['snapshots'], 'tree')}, {many(told['landings'], 'landing')}.\n"
        f"Replayed for nothing: {many(told['model_calls'], 'model call')} with "
        f"{told['tokens']} tokens.{notes}"
    )


def divergence_text(run: str, found: dict[str, Any]) -> str:
    """Where, what, and the difference."""
    where = f"{found['kind']} {found['subject']}, attempt {found['attempt']}"
    if found["exchange"]:
        where += f", exchange {found['exchange']}"
    head = f"Run {run} differs first at {where}: {found['what']}"
    expected, came = found["expected"], found["came"]
    if "\n" not in expected + came and len(expected + came) < 200:
        return f"{head}\n  recorded: {expected or 'nothing'}\n  now:      {came or 'nothing'}"
    diff = difflib.unified_diff(
        expected.splitlines(), came.splitlines(), "recorded", "now", lineterm="", n=1
    )
    return "\n".join([head, *_cut(list(diff))])


def altered_text(found: dict[str, Any]) -> str:
    """One conversation that another prompt would have altered."""
    numbers = found["exchanges"]
    head = f"{found['kind']} {found['subject']}, attempt {found['attempt']}: "
    if found["gone"]:
        return f"{head}{found['gone']}"
    head += f"{len(numbers)} of {found['of']} requests would be other ones, from exchange "
    return "\n".join([f"{head}{numbers[0]} on", *_cut(found["diff"].splitlines())])


def _cut(lines: list[str]) -> list[str]:
    if len(lines) <= SHOWN_LINES:
        return lines
    return [*lines[:SHOWN_LINES], f"[{len(lines) - SHOWN_LINES} more lines; --json has them]"]


def _judge(last: dict[str, Any], report: dict[str, Any]) -> None:
    """Take the last line in. WavecrewError when it is one, or when there is none."""
    if error := last.get("error"):
        _raise(error)
    if found := last.get("diverged"):
        report |= {"same": False, "diverged": found}
    elif "same" in last:
        report |= {"same": not report["altered"], "replayed": last["same"]}
    else:
        raise EnvironmentBroken(
            "the replay ended without saying why", mend="what it printed stands above"
        )


def _raise(error: dict[str, Any]) -> NoReturn:
    raised = WavecrewError(error["what"], where=error["where"], mend=error["mend"])
    raised.exit_code = error["exit_code"]
    raise raised


@contextmanager
def _process(request: ReplayRequest, run: str) -> Iterator[subprocess.Popen[bytes]]:
    """The replay's process; it is gone, with all it made, when this ends."""
    asked = {
        "repo": str(request.repo.resolve()),
        "run": run,
        "task": request.task,
        "gates": request.gates,
        "agents": str(request.agents.resolve()) if request.agents else "",
        "tasks": str(request.tasks.resolve()) if request.tasks else "",
    }
    process = subprocess.Popen(
        COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(asked).encode() + b"\n")
        process.stdin.flush()
        yield process
    finally:
        process.stdin.close()
        try:
            process.wait(LEAVE_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
