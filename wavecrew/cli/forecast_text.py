"""The forecast in words: lines for a terminal, data for a script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from wavecrew.cli.gantt import terminal_lines
from wavecrew.plan.outline import Line
from wavecrew.schedule.forecast import Forecast, Held, Row
from wavecrew.schedule.optimal import Optimum
from wavecrew.schedule.ready import ASSUMED_H
from wavecrew.schedule.timeline import MINUTES, Timeline
from wavecrew.schedule.uncertainty import Band, Doubt


def lines(
    forecast: Forecast,
    places: Mapping[str, str],
    drawn: Row,
    spent_s: float,
    width: int,
    *,
    ascii_only: bool = False,
) -> list[Line]:
    """All of it; `places` is claim -> where it is written, `drawn` the row whose Gantt is shown,
    `spent_s` what finding the optima took.
    """
    told = [Line(forecast.title, "title")]
    told.append(Line(f"{forecast.tasks} tasks, {forecast.work_h:g} h of work", "note"))
    told += [Line("", "note"), *_table(forecast), Line(_best(forecast, spent_s), "head")]
    told += [Line(text, "note") for text in (*band_lines(forecast), *assumed_line(forecast))]
    told += [Line("", "note"), *_chains(forecast, drawn)]
    if forecast.claims:
        told += [Line("", "note"), Line("What the plan's document claims", "head")]
        rows = [claim_cells(held, forecast, places) for held in forecast.claims]
        told += [Line("  " + text, "task") for text in _aligned(rows)]
    if drawn.answer:
        timeline = drawn.answer.dispatched
        told += [Line("", "note"), Line(f"{drawn.policy.title}: {timeline.hours:g} h", "head")]
        bars = terminal_lines(timeline, width, ascii_only=ascii_only)
        told += [Line(bar, "task") for bar in bars]
    return told


def _best(forecast: Forecast, spent_s: float) -> str:
    """The shortest way for all agents, and what is known of it."""
    row = forecast.row("asked_parallel" if forecast.chosen == "asked" else "parallel")
    told = f"Optimum, {row.policy.title}, {row.policy.agents} agents"
    if row.answer is None:
        return f"{told}: none"
    optimum = row.answer.optimum
    if optimum.proof == "optimal":
        known = f"{optimum.timeline.hours:g} h, proven: no schedule is shorter"
    else:
        known = f"between {optimum.bound / MINUTES:g} h and {optimum.timeline.hours:g} h"
    return f"{told}: {known}. All optima found in {spent_s:.3f} s"


def proof_words(optimum: Optimum) -> str:
    if optimum.proof == "optimal":
        return "optimal"
    return f"{optimum.proof}, gap {optimum.gap:.2%}"


def band_cell(band: Band | None) -> str:
    if band is None:
        return "-"
    p10, p50, p90 = (f"{one / MINUTES:.0f}" for one in (band.p10, band.p50, band.p90))
    return f"{p50} h ({p10}-{p90})"


def band_lines(forecast: Forecast) -> Iterator[str]:
    """What the band rests on, once for all rows."""
    bands = [row.answer.band for row in forecast.rows if row.answer and row.answer.band]
    if bands:
        doubt = Doubt()
        yield (
            f"Band: half of {bands[0].plays} plays end sooner, eight in ten within the brackets. "
            f"A task takes {doubt.low:g} to {doubt.high:g} times its estimate, "
            f"{doubt.failing:.0%} of attempts are sent back at {doubt.rework:.0%} of it each; "
            f"in {bands[0].stuck:.0%} of the plays a task runs out of attempts."
        )


def assumed_line(forecast: Forecast) -> Iterator[str]:
    if forecast.assumed:
        shown = ", ".join(forecast.assumed[:10])
        more = f" and {len(forecast.assumed) - 10} more" if len(forecast.assumed) > 10 else ""
        yield f"No estimate, {ASSUMED_H:g} h assumed: {shown}{more}"


def claim_cells(held: Held, forecast: Forecast, places: Mapping[str, str]) -> tuple[str, ...]:
    where, row = places.get(held.what, ""), forecast.row(held.row).policy.title
    claimed = f"claims {held.claimed_h:g} h"
    if held.computed_h is None:
        return held.what, claimed, "impossible", row, "", where
    off = held.computed_h - held.claimed_h
    word = "as claimed" if not off else f"{abs(off):g} h {'more' if off > 0 else 'less'}"
    return held.what, claimed, f"computed {held.computed_h:g} h", row, word, where


def data(forecast: Forecast, places: Mapping[str, str], drawn: Row) -> dict[str, Any]:
    """The same for a script; hours everywhere. The timelines are those of `drawn`."""
    shown: dict[str, Any] = {"row": drawn.policy.key}
    if drawn.answer:
        shown["dispatched"] = _spans(drawn.answer.dispatched)
        shown["optimum"] = _spans(drawn.answer.optimum.timeline)
    return {
        "plan": forecast.title,
        "tasks": forecast.tasks,
        "work_h": forecast.work_h,
        "chosen": forecast.chosen,
        "rows": [_row_data(row) for row in forecast.rows],
        "role_h": dict(forecast.loads),
        "assumed": list(forecast.assumed),
        "claims": [
            {
                "what": held.what,
                "claimed_h": held.claimed_h,
                "row": held.row,
                "computed_h": held.computed_h,
                "where": places.get(held.what),
            }
            for held in forecast.claims
        ],
        "timeline": shown,
    }


def _row_data(row: Row) -> dict[str, Any]:
    policy, answer = row.policy, row.answer
    told: dict[str, Any] = {
        "key": policy.key,
        "title": policy.title,
        "agents": policy.agents,
        "barrier": policy.barrier,
        "parallel": dict(policy.parallel),
        "impossible": row.impossible or None,
    }
    if answer is None:
        return told
    known, band = answer.bounds, answer.band
    return told | {
        "dispatched_h": answer.dispatched.hours,
        "most_at_once": answer.dispatched.most_at_once,
        "optimum_h": answer.optimum.timeline.hours,
        "bound_h": answer.optimum.bound / MINUTES,
        "proof": answer.optimum.proof,
        "gap": answer.optimum.gap,
        "path_h": known.path / MINUTES,
        "path": list(known.path_tasks),
        "work_over_agents_h": known.work / MINUTES,
        "busiest_role": known.busiest,
        "busiest_role_h": known.role / MINUTES,
        "band": band
        and {
            "p10_h": band.p10 / MINUTES,
            "p50_h": band.p50 / MINUTES,
            "p90_h": band.p90 / MINUTES,
            "plays": band.plays,
            "stuck": band.stuck,
        },
    }


def _spans(timeline: Timeline) -> list[dict[str, Any]]:
    return [
        {"task": s.task, "role": s.role, "start_h": s.start / MINUTES, "end_h": s.end / MINUTES}
        for s in timeline.spans
    ]


def _table(forecast: Forecast) -> Iterator[Line]:
    first = ("", "agents", "dispatched", "optimum", "bound", "proof", "path")
    heads = (*first, "work/agents", "busiest role", "band")
    cells = [heads, *(_cells(row) for row in forecast.rows if row.answer)]
    head, *rest = _aligned(cells)
    yield Line(head, "head")
    for text in rest:
        yield Line(text, "task")
    for row in forecast.rows:
        if row.answer is None:
            yield Line(f"{row.policy.title}: impossible: {row.impossible}", "error")


def _cells(row: Row) -> tuple[str, ...]:
    assert row.answer
    known = row.answer.bounds
    at_work = f"{row.answer.dispatched.most_at_once} of {row.policy.agents}"
    return (
        row.policy.title,
        at_work,
        f"{row.answer.dispatched.hours:g} h",
        f"{row.answer.optimum.timeline.hours:g} h",
        f"{row.answer.optimum.bound / MINUTES:g} h",
        proof_words(row.answer.optimum),
        f"{known.path / MINUTES:g} h",
        f"{round(known.work / MINUTES, 1):g} h",
        f"{round(known.role / MINUTES, 1):g} h",
        band_cell(row.answer.band),
    )


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _chains(forecast: Forecast, drawn: Row) -> Iterator[Line]:
    if drawn.answer:
        known = drawn.answer.bounds
        chain = known.path_tasks
        shown = [*chain[:12], f"... {len(chain) - 12} more"] if len(chain) > 12 else chain
        text = f"Longest path {known.path / MINUTES:g} h: {' -> '.join(shown)}"
        yield Line(text, "note")
    heavy = list(forecast.loads.items())
    shown = [f"{role} {hours:g} h" for role, hours in heavy[:12]]
    more = f" and {len(heavy) - 12} more" if len(heavy) > 12 else ""
    yield Line(f"Work by role: {', '.join(shown)}{more}", "note")
