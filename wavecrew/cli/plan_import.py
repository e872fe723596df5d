"""`wavecrew plan import`: what does a plan written by people say, and what does it leave open?"""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

from wavecrew.plan.readers.detect import import_plan
from wavecrew.plan.readers.registry import READERS
from wavecrew.plan.readers.source import read_source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wavecrew.plan.readers.model import ImportedPlan, ImportedTask
    from wavecrew.plan.readers.source import Source


class ModelChoice(NamedTuple):
    """The model as the command line names it; empty texts leave it to settings."""

    name: str
    base_url: str


def show_import(
    path: Path,
    beside: Sequence[Path],
    format_name: str | None,
    model: ModelChoice | None = None,
    *,
    as_json: bool,
) -> None:
    """Import and print. PlanRejected when it is no plan or cannot be read.

    `model`: asked in place of the readers; what it raises, `extract_here` says.
    """
    _, plan = read_document(path, beside, format_name, model)
    if as_json:
        sys.stdout.write(json.dumps(plan.as_data(), indent=2, ensure_ascii=False) + "\n")
        return
    for line in _lines(plan):
        typer.echo(line)


def read_document(
    path: Path,
    beside: Sequence[Path],
    format_name: str | None,
    model: ModelChoice | None = None,
) -> tuple[Source, ImportedPlan]:
    """A document and what it says. PlanRejected when it is no plan or cannot be read."""
    gc.disable()  # among a million small nodes collecting takes longer than reading
    try:
        source = read_source(path, *beside)
        return source, _read(source, format_name, model)
    finally:
        gc.enable()


def _read(source: Source, format_name: str | None, model: ModelChoice | None) -> ImportedPlan:
    if model is None:
        return import_plan(source, READERS, format_name)
    from wavecrew.cli.extract import extract_here

    return extract_here(source, model.name, model.base_url)


def _lines(plan: ImportedPlan) -> list[str]:
    done = sum(task.done for task in plan.tasks)
    lines = [f"{plan.format}: {len(plan.tasks)} tasks, {done} done, {_hours_of(plan)}", ""]
    wide = min(24, max(len(task.id) for task in plan.tasks))
    group: str | None = None
    for task in plan.tasks:
        if task.group != group:
            group = task.group
            lines.append(group or "(no group)")
        lines.append(_task_line(task, wide))
    if plan.gates:
        lines += ["", "Gates"]
        lines += [f"  {gate.kind}: {gate.text}  (line {gate.line})" for gate in plan.gates]
    if plan.claims:
        lines += ["", "Claims of the document"]
        lines += [f"  {one.kind} {one.value:g}  (line {one.line})" for one in plan.claims]
    if plan.diagnostics:
        lines += ["", f"Left open or contradictory: {len(plan.diagnostics)}"]
    for one in plan.diagnostics:
        where = f"{one.file}:{one.line}" if one.file else f"line {one.line}"
        named = f" [{', '.join(one.ids[:6])}]" if one.ids else ""
        lines.append(f"  {where}: {one.kind}{named}: {one.message}")
    return lines


def _task_line(task: ImportedTask, wide: int) -> str:
    box = "x" if task.done else " "
    hours = "" if task.hours_min is None else f"  {_span(task)} h"
    needs = f"  <- {', '.join(task.deps)}" if task.deps else ""
    agent = f"  ({task.agent})" if task.agent else ""
    return f"  [{box}] {task.id:{wide}}  {task.title[:90]}{hours}{agent}{needs}"


def _span(task: ImportedTask) -> str:
    if task.hours is not None:
        return f"{task.hours:g}"
    return f"{task.hours_min:g}-{task.hours_max:g}"


def _hours_of(plan: ImportedPlan) -> str:
    low = sum(task.hours_min or 0 for task in plan.tasks)
    high = sum(task.hours_max or 0 for task in plan.tasks)
    if not high:
        return "no estimates"
    return f"{low:g} h" if low == high else f"{low:g}-{high:g} h"
