"""`wavecrew status`: how a run stands, read from its event log alone.

Works beside a running engine and long after it; starts fast, since it loads
neither the engine nor a schema library.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from wavecrew.cli.lines import cost, money, paid, provider
from wavecrew.cli.runs import named, newest, runs_root, state_of
from wavecrew.journal.account import CREW
from wavecrew.journal.instant import utc_now
from wavecrew.journal.state import RunState
from wavecrew.journal.views import collision_text

SIGNS = {"merged": "x", "blocked": "!", "running": ">", "gating": ">", "waiting": " "}


def show_status(repo: Path, run: str | None, *, as_json: bool) -> int:
    """Print one run's state, the newest by default."""
    root = runs_root(repo)
    state = state_of(named(root, run or newest(root)))
    if as_json:
        print(json.dumps(asdict(state), ensure_ascii=False, indent=1))
    else:
        print(status_text(state))
    return 0


def status_text(state: RunState) -> str:
    """The whole state in plain lines, for any terminal."""
    done = len(state.merged)
    how = state.outcome or "at work"
    lines = [
        f"Run {state.run}: {state.plan} - {how}",
        f"{done}/{len(state.tasks)} tasks merged; {state.model_calls} model calls, "
        f"{state.tokens} tokens, {cost(state)}; model {state.model}; sandbox {state.sandbox}",
        f"Integration branch {state.integration.removeprefix('refs/heads/')} at {state.tip[:12]}",
    ]
    for node, spent in state.account.spent.items():
        if node.startswith("wave/") or node == CREW:
            name = "manager crew" if node == CREW else f"wave {node.removeprefix('wave/')}"
            used = f"{spent.model_calls} model calls, {spent.tokens} tokens"
            lines.append(f"{name}: {used}, {money(spent.cost_usd)}")
    if busy := provider(state, utc_now()):
        lines.append(busy)
    for task in state.tasks.values():
        why = f" - {task.changed_reason}" if task.status == "blocked" else ""
        last = f" ({task.last})" if task.last and task.status not in ("merged", "waiting") else ""
        held = f" - {task.held}" if task.held else ""
        used = f"; {task.tokens} tokens{paid(state, task.id)}" if task.tokens else ""
        line = f"{task.id} {task.title}: {task.status}{last}{why}{held}{used}"
        lines.append(f"[{SIGNS[task.status]}] {line}")
    lines += [f"Foreseen: {collision_text(one)}" for one in state.collisions]
    for sync in state.syncs.values():
        detail = f" - {sync.detail}" if sync.detail else ""
        lines.append(
            f"[{'x' if sync.status == 'open' else ' '}] {sync.title}: {sync.status}{detail}"
        )
    if state.outcome == "paused":
        lines.append("Go on with: wavecrew run --resume")
    return "\n".join(lines)
