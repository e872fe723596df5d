"""How is a timeline drawn: as text for a terminal, as SVG for a page or a file?

Everything that comes from a plan is escaped. The drawing says nothing by
colour alone: a lane is an agent and carries its role's name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape

from wavecrew.schedule.timeline import MINUTES, Span, Timeline

LEFT, WIDTH, LANE, TOP = 190, 960, 22, 26
"""Of the SVG, in its own units: names, whole width, height of a lane, axis."""
STYLE = """\
.gantt { color-scheme: light dark; font: 12px system-ui, sans-serif; max-width: 100%; height: auto }
.gantt text { fill: #1a1a1a }
.gantt line { stroke: #c4c4c4 }
.gantt .paper { fill: #ffffff; stroke: none }
.gantt rect { fill: hsl(var(--hue) 60% 82%); stroke: hsl(var(--hue) 45% 38%) }
@media (prefers-color-scheme: dark) {
.gantt text { fill: #eeeeee }
.gantt line { stroke: #4c4c4c }
.gantt .paper { fill: #161616 }
.gantt rect { fill: hsl(var(--hue) 40% 27%); stroke: hsl(var(--hue) 50% 62%) }
}
"""
SHOWN_LINES = 60
_STEPS = (1, 2, 4, 8, 16, 24, 40, 80, 160, 240, 400, 800)


def clean(text: object) -> str:
    """Escaped for HTML and XML; what neither may hold is replaced."""
    told = "".join(one if _may_stand(ord(one)) else "\ufffd" for one in str(text))
    return escape(told, quote=True)


def _may_stand(code: int) -> bool:
    if code < 0x20:
        return code in (0x09, 0x0A, 0x0D)
    return not (0x7F <= code <= 0x9F or 0xD800 <= code <= 0xDFFF or code in (0xFFFE, 0xFFFF))


def terminal_lines(timeline: Timeline, width: int, *, ascii_only: bool = False) -> Iterator[str]:
    """One line a task, by start: id, role, bar, hours. No more than SHOWN_LINES of them."""
    full, empty = ("#", ".") if ascii_only else ("█", "·")
    spans = timeline.spans[:SHOWN_LINES]
    ids = min(14, max((len(span.task) for span in spans), default=0))
    roles = min(22, max((len(span.role) for span in spans), default=0))
    room = max(10, width - ids - roles - 18)
    scale = room / max(1, timeline.minutes)
    for span in spans:
        start = min(room - 1, int(span.start * scale))
        length = min(room - start, max(1, round((span.end - span.start) * scale)))
        bar = empty * start + full * length + empty * (room - start - length)
        hours = f"{span.start / MINUTES:g}-{span.end / MINUTES:g} h"
        yield f"{span.task[:ids]:<{ids}}  {span.role[:roles]:<{roles}}  {bar}  {hours}"
    if len(timeline.spans) > len(spans):
        yield f"and {len(timeline.spans) - len(spans)} more; --json, --html and --svg have them all"


def svg(
    timeline: Timeline,
    titles: Mapping[str, str],
    heading: str,
    *,
    ident: str = "gantt",
    style: bool = True,
) -> str:
    """The timeline as one SVG element, a lane for each agent; `titles` is task -> title.

    `ident` tells several drawings of one page apart; a page has STYLE once.
    """
    lanes = [
        (role, number, spans)
        for role, agents in timeline.lanes().items()
        for number, spans in enumerate(agents, 1)
    ]
    height = TOP + LANE * len(lanes) + 6
    hues = {role: at * 137 % 360 for at, role in enumerate(timeline.lanes())}
    scale = (WIDTH - LEFT - 10) / max(1, timeline.minutes)
    told = f"{len(timeline.spans)} tasks, {timeline.hours:g} hours, {timeline.most_at_once} at once"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="gantt" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img" '
        f'aria-labelledby="{ident}-title {ident}-desc">',
        f'<title id="{ident}-title">{clean(heading)}</title>',
        f'<desc id="{ident}-desc">{clean(told)}</desc>',
        f"<style>{STYLE}</style>" if style else "",
        '<rect class="paper" width="100%" height="100%"/>',
        *_axis(timeline, scale, height),
    ]
    for at, (role, number, spans) in enumerate(lanes):
        y = TOP + LANE * at
        name = role if len(role) <= 22 else role[:21] + "…"
        label = name if number == 1 else f"{name} {number}"
        parts.append(
            f'<g style="--hue: {hues[role]}"><text x="4" y="{y + 15}">{clean(label)}</text>'
        )
        parts += [_bar(span, titles.get(span.task, ""), scale, y) for span in spans]
        parts.append("</g>")
    return "\n".join([*(part for part in parts if part), "</svg>"])


def _axis(timeline: Timeline, scale: float, height: int) -> Iterator[str]:
    wanted = timeline.hours / 12
    step = next((one for one in _STEPS if one >= wanted), max(1, round(wanted)))
    for hour in range(0, int(timeline.hours) + 1, step):
        x = LEFT + hour * MINUTES * scale
        yield f'<line x1="{x:.1f}" y1="{TOP - 6}" x2="{x:.1f}" y2="{height}"/>'
        yield f'<text x="{x:.1f}" y="{TOP - 10}" text-anchor="middle">{hour} h</text>'


def _bar(span: Span, title: str, scale: float, y: int) -> str:
    x, width = LEFT + span.start * scale, max(1.5, (span.end - span.start) * scale - 1)
    told = f"{span.task} {title}, {span.role}, {span.start / MINUTES:g} to {span.end / MINUTES:g} h"
    label = ""
    if width > 7 * len(span.task) + 4:
        label = f'<text x="{x + 4:.1f}" y="{y + 15}">{clean(span.task)}</text>'
    return (
        f'<g><title>{clean(told)}</title><rect x="{x:.1f}" y="{y + 2}" width="{width:.1f}" '
        f'height="{LANE - 4}" rx="2"/>{label}</g>'
    )
