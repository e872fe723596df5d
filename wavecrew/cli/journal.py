"""`wavecrew journal`: read what an attempt said and did, or make a rehearsal of a run.

Reads journals alone; works beside a running engine and long after it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from wavecrew.journal.trace import Trace, Turn
    from wavecrew.rehearsal.export import Recording
    from wavecrew.run.spec import RunFolder

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

RepoOption = Annotated[Path, typer.Option("--repo", help="The git repository.")]

SHOWN_LINES = 12
SHOWN_CHARS = 1200
"""What is shown of a result; `--full` shows all of it."""


@app.command(
    epilog="Examples:  wavecrew journal show r1 1.1  |  wavecrew journal show r1 1.1 --attempt 1 "
    "--full  |  wavecrew journal show r1 sync/after-wave-1 --json"
)
def show(
    run_name: Annotated[str, typer.Argument(metavar="RUN", help="Such as r1.")],
    task: Annotated[
        str, typer.Argument(metavar="TASK", help="A task's id; triage/ID or sync/ID for managers.")
    ],
    attempt: Annotated[
        int | None, typer.Option(min=1, help="Attempt or round; default: the newest.")
    ] = None,
    repo: RepoOption = Path(),
    full: Annotated[bool, typer.Option("--full", help="Cut no result.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout, for scripts.")] = False,
) -> None:
    """Show one attempt: what was said, what was called, what came back, what it cost."""
    from wavecrew.cli.recorded import attempt_folder, recorded_run
    from wavecrew.journal.trace import read_trace

    folder = attempt_folder(recorded_run(repo, run_name), task, attempt)
    trace = read_trace(folder / "journal.jsonl")
    if as_json:
        typer.echo(json.dumps(trace_data(trace), ensure_ascii=False, indent=1))
    else:
        for line in trace_lines(trace, full=full):
            typer.echo(line)


@app.command(
    epilog="Examples:  wavecrew journal export r1 --out rehearsal  |  "
    "wavecrew journal export r1 --task 1.1 --out one"
)
def export(
    run_name: Annotated[str, typer.Argument(metavar="RUN", help="Such as r1.")],
    out: Annotated[Path, typer.Option(help="The rehearsal's folder; made, or empty.")],
    task: Annotated[str, typer.Option(help="Only this task's conversations.")] = "",
    repo: RepoOption = Path(),
) -> None:
    """Write a rehearsal (docs/rehearsal.md) that says what was said in a run."""
    from wavecrew.cli.recorded import recorded_run
    from wavecrew.rehearsal.export import export as write

    folder = recorded_run(repo, run_name)
    made = write(_recordings(folder, task), folder.load().settings.model.name or "recorded", out)
    attempts = sum(len(one.attempts) for one in made.conversations.values())
    print(
        f"wavecrew: {len(made.conversations)} conversations with {attempts} attempts in {out}; "
        f"play it with: wavecrew run --rehearsal {out}",
        file=sys.stderr,
    )


def trace_data(trace: Trace) -> dict[str, Any]:
    """The trace for scripts: every turn with its calls and whole results."""
    return {
        "journal": str(trace.path),
        "tokens": trace.tokens,
        "torn": trace.torn,
        "unanswered": trace.unanswered,
        "turns": [
            {
                "turn": turn.number,
                "exchange": turn.asked.number,
                "say": turn.say,
                "finish": turn.asked.reply["finish"],
                "refusal": turn.asked.reply.get("refusal", ""),
                "usage": turn.asked.reply["usage"],
                "opening": turn.asked.request.get("opening"),
                "calls": [dict(call) for call in turn.calls],
                "results": [
                    {"exchange": result.number, "tool": result.request["tool"]} | result.reply
                    for result in turn.results
                ],
            }
            for turn in trace.turns()
        ],
    }


def trace_lines(trace: Trace, *, full: bool = False) -> Iterator[str]:
    """The trace for a person; results are cut unless `full`."""
    for turn in trace.turns():
        for message in turn.asked.request.get("opening", ()):
            yield f"== {message['role']}"
            yield from _cut(message["content"], full)
        usage = turn.asked.reply["usage"]
        yield f"== {turn.number}. model ({usage['total']} tokens)"
        if turn.say:
            yield from _cut(turn.say, full)
        yield from _ending(turn)
        for call in turn.calls:
            yield f"-> {call['name']} {_shortened(call['arguments'], full)}"
        for result in turn.results:
            reply = result.reply
            state = "" if reply["ok"] else ", did not work"
            tree = f", tree {reply['snapshot'][:12]}" if reply.get("snapshot") else ""
            yield f"<- {result.request['tool']} (exchange {result.number}{state}{tree})"
            yield from (f"   {line}" for line in _cut(reply["text"], full))
    if trace.unanswered is not None:
        asked = json.dumps(trace.unanswered, ensure_ascii=False)
        yield f"== cut off before an answer to: {_shortened(asked, full)}"
    yield f"== {trace.tokens} tokens in all"


def _ending(turn: Turn) -> Iterator[str]:
    reply = turn.asked.reply
    if reply.get("refusal"):
        yield f"refuses: {reply['refusal']}"
    if reply["finish"] not in ("stop", "tool_calls", ""):
        yield f"ended by: {reply['finish']}"


def _cut(text: str, full: bool) -> list[str]:
    lines = (text if full else text[:SHOWN_CHARS]).splitlines()
    if full or (len(lines) <= SHOWN_LINES and len(text) <= SHOWN_CHARS):
        return lines
    shown = lines[:SHOWN_LINES]
    left = len(text) - sum(len(line) + 1 for line in shown)
    return [*shown, f"[{max(left, 0)} more characters; --full shows them]"]


def _shortened(text: str, full: bool) -> str:
    return text if full or len(text) <= 200 else f"{text[:200]} [{len(text) - 200} more characters]"


def _recordings(folder: RunFolder, task: str) -> Iterator[Recording]:
    """Every attempt of the run whose journal is there, each conversation in order."""
    from pydantic import ValidationError

    from wavecrew.journal.trace import JournalUnreadable, read_trace
    from wavecrew.rehearsal.export import Recording
    from wavecrew.run.spec import file_name
    from wavecrew.run.wire import Assignment

    journals = folder.root.glob("attempts/*/[0-9]*/journal.jsonl")
    for journal in sorted(journals, key=lambda file: int(file.parent.name)):
        file = journal.parent / "assignment.json"
        try:
            assignment = Assignment.model_validate_json(file.read_bytes())
        except (OSError, ValidationError) as error:
            raise JournalUnreadable(f"cannot be read: {error}", where=str(file)) from error
        if task and (assignment.task is None or assignment.task.id != task):
            continue
        yield Recording(
            conversation=f"{assignment.kind}/{assignment.subject}",
            attempt=assignment.attempt,
            file_stem=f"{assignment.kind}-{file_name(assignment.subject)}",
            trace=read_trace(journal),
        )
