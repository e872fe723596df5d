"""How results of the plan's commands are printed: coloured on a terminal, plain anywhere else."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wavecrew.plan.outline import Line

_STYLES = {
    "title": "bold",
    "head": "bold cyan",
    "group": "cyan",
    "sync": "bold yellow",
    "note": "dim",
    "error": "bold red",
    "warning": "yellow",
}


def count_of(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def print_json(data: dict[str, object]) -> None:
    typer.echo(json.dumps(data, indent=2, ensure_ascii=False))


def print_lines(lines: Sequence[Line]) -> None:
    """Colours on a terminal, plain lines anywhere else."""
    if not sys.stdout.isatty():
        for line in lines:
            typer.echo(line.text)
        return
    from rich.console import Console

    console = Console(highlight=False)
    for line in lines:
        console.print(line.text, style=_STYLES.get(line.style, ""), markup=False, soft_wrap=True)
