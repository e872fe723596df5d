"""How far each phase and group of a plan is: the bars of the board."""

from __future__ import annotations

from rich.cells import cell_len
from rich.text import Text

from wavecrew.cli.sheet import Part, Sheet
from wavecrew.journal.state import RunState
from wavecrew.journal.tasks import TaskState

BAR = 10
TWO_COLUMNS = 110
"""From this width on the phases stand in two columns."""


def draw_phases(sheet: Sheet, state: RunState, *, folded: bool) -> None:
    """Each phase with its groups, side by side where there is room; `folded` is one line each.

    A task without phase stands under its wave, one without group under its role.
    """
    phases: dict[str, dict[str, list[TaskState]]] = {}
    for task in state.tasks.values():
        phase = task.phase or (f"Wave {task.wave}" if task.wave else "Tasks")
        phases.setdefault(phase, {}).setdefault(task.group or task.role, []).append(task)
    columns = 2 if sheet.width >= TWO_COLUMNS and len(phases) > 1 else 1
    part = Sheet((sheet.width - 3 * (columns - 1)) // columns)
    names = [name for groups in phases.values() for name in groups]
    if folded:
        names = [f"{phase}:" for phase in phases]
    label = min(max(map(cell_len, [*names, "Overall"]), default=0) + 1, part.width - 35)
    blocks = [_phase(part, name, groups, label, folded) for name, groups in phases.items()]
    sheet.gap()
    sheet.extend(_in_columns(part, blocks, columns))


def _phase(
    part: Sheet, name: str, groups: dict[str, list[TaskState]], label: int, folded: bool
) -> list[Text]:
    everything = [task for tasks in groups.values() for task in tasks]
    if folded:
        wide = label + 5
        return [part.line(part.fit(f"{name}:", wide), *_progress(everything))]
    rows = list(groups.items())
    if len(groups) > 1:
        rows.append(("Overall", everything))
    lines = [part.line((part.fit(name, part.width).rstrip(), "bold"))]
    for number, (group, tasks) in enumerate(rows, start=1):
        branch = "├── " if number < len(rows) else "└── "
        lines.append(part.line(branch, part.fit(f"{group}:", label), " ", *_progress(tasks)))
    return lines


def _progress(tasks: list[TaskState]) -> list[Part]:
    states = {task.status for task in tasks}
    style = "red" if "blocked" in states else "green" if states == {"merged"} else ""
    merged = sum(task.status == "merged" for task in tasks)
    return [(bar(merged, len(tasks)), style)]


def _in_columns(part: Sheet, blocks: list[list[Text]], columns: int) -> list[Text]:
    """The blocks one below the other; with two columns the first half of them left."""
    lines = [line for block in blocks for line in block]
    if columns == 1:
        return lines
    left: list[Text] = []
    for block in blocks:
        if left and len(left) + len(block) / 2 > len(lines) / 2:
            break
        left += block
    right = lines[len(left) :]
    rows: list[Text] = []
    for at in range(max(len(left), len(right))):
        row = left[at].copy() if at < len(left) else Text(no_wrap=True)
        row.pad_right(part.width + 3 - row.cell_len)
        rows.append(row.append_text(right[at]) if at < len(right) else row)
    return rows


def bar(done: int, total: int) -> str:
    """`████████░░  80% (4/5 tasks)`; rounded down, so that only all of it looks like all."""
    filled = BAR * done // total if total else 0
    percent = 100 * done // total if total else 0
    cells = "█" * filled + "░" * (BAR - filled)
    return f"{cells} {percent:3}% ({done}/{total} tasks)"
