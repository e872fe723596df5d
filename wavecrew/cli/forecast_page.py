"""The forecast as one page: it asks nothing of the network and runs no script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from wavecrew.cli.forecast_text import (
    assumed_line,
    band_cell,
    band_lines,
    claim_cells,
    proof_words,
)
from wavecrew.cli.gantt import STYLE, clean, svg
from wavecrew.schedule.forecast import Forecast, Row
from wavecrew.schedule.timeline import MINUTES

MOST_TASKS = 500
"""Larger plans get the drawing and the table of the chosen row only."""
_HEADS = (
    "way of working",
    "agents",
    "dispatched",
    "optimum",
    "lower bound",
    "proof",
    "longest path",
    "work over agents",
    "busiest role",
    "band",
)
_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --line: #c4c4c4; --ink: #1a1a1a; --paper: #ffffff }}
@media (prefers-color-scheme: dark) {{
:root {{ --line: #4c4c4c; --ink: #eeeeee; --paper: #161616 }}
}}
body {{ font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
max-width: 62rem; margin: 0 auto; padding: 1rem }}
table {{ border-collapse: collapse; width: 100% }}
caption {{ text-align: left; padding: .3rem 0 }}
th, td {{ border-bottom: 1px solid var(--line); padding: .3rem .6rem .3rem 0; text-align: left }}
.wide {{ overflow-x: auto }}
{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""


def page(forecast: Forecast, titles: Mapping[str, str], places: Mapping[str, str]) -> str:
    """The whole page; `titles` is task -> title, `places` claim -> where it is written."""
    body = "\n".join(_body(forecast, titles, places))
    title = clean(f"Forecast: {forecast.title}")
    return _PAGE.format(title=title, style=STYLE, body=body)


def _body(
    forecast: Forecast, titles: Mapping[str, str], places: Mapping[str, str]
) -> Iterator[str]:
    yield f"<p>{forecast.tasks} tasks, {forecast.work_h:g} hours of work.</p>"
    yield from _table("Hours from start to end", _HEADS, [_cells(row) for row in forecast.rows])
    for line in (*band_lines(forecast), *assumed_line(forecast)):
        yield f"<p>{clean(line)}</p>"
    if forecast.claims:
        heads = ("claim", "claimed", "computed", "row", "difference", "where")
        cells = [claim_cells(held, forecast, places) for held in forecast.claims]
        yield from _table("What the plan's document claims", heads, cells)
    loads = [(role, f"{hours:g} h") for role, hours in forecast.loads.items()]
    yield from _table("Hours by role", ("role", "work"), loads)
    small = forecast.tasks <= MOST_TASKS
    for row in forecast.rows:
        if row.answer and (small or row.policy.key == forecast.chosen):
            yield from _drawn(row, titles)


def _cells(row: Row) -> tuple[str, ...]:
    policy, answer = row.policy, row.answer
    if answer is None:
        blank = ("",) * (len(_HEADS) - 3)
        return policy.title, str(policy.agents), f"impossible: {row.impossible}", *blank
    known = answer.bounds
    return (
        policy.title,
        str(policy.agents),
        f"{answer.dispatched.hours:g} h",
        f"{answer.optimum.timeline.hours:g} h",
        f"{answer.optimum.bound / MINUTES:g} h",
        proof_words(answer.optimum),
        f"{known.path / MINUTES:g} h",
        f"{round(known.work / MINUTES, 1):g} h",
        f"{round(known.role / MINUTES, 1):g} h {known.busiest}",
        band_cell(answer.band),
    )


def _drawn(row: Row, titles: Mapping[str, str]) -> Iterator[str]:
    assert row.answer
    timeline, name = row.answer.dispatched, row.policy.title
    yield f"<h2>{clean(name)}: {timeline.hours:g} h</h2>"
    drawing = svg(timeline, titles, f"Timeline, {name}", ident=row.policy.key, style=False)
    yield f'<div class="wide">{drawing}</div>'
    yield "<details><summary>The same as a table</summary>"
    heads = ("task", "title", "role", "start", "end")
    cells = [
        (
            span.task,
            titles.get(span.task, ""),
            span.role,
            f"{span.start / MINUTES:g} h",
            f"{span.end / MINUTES:g} h",
        )
        for span in timeline.spans
    ]
    yield from _table(f"Tasks by start, {name}", heads, cells)
    yield "</details>"


def _table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f'<div class="wide"><table><caption>{clean(caption)}</caption>'
    cells = "".join(f'<th scope="col">{clean(head)}</th>' for head in heads)
    yield f"<thead><tr>{cells}</tr></thead><tbody>"
    for first, *rest in rows:
        cells = "".join(f"<td>{clean(cell)}</td>" for cell in rest)
        yield f'<tr><th scope="row">{clean(first)}</th>{cells}</tr>'
    yield "</tbody></table></div>"
