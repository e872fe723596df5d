"""One of our agents in this process, for what is measured inside of it.

`ours.py steps BASE_URL` and `ours.py prompt BASE_URL LINES` print one JSON line.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from crews import quiet

HOME = tempfile.TemporaryDirectory(prefix="ours-")
quiet.prepare(Path(HOME.name) / "home")

import trajectory  # noqa: E402

from crews import provider  # noqa: E402
from crews.attempt import Attempt  # noqa: E402
from crews.conversation import hold  # noqa: E402
from wavecrew.journal.attempt import AttemptJournal  # noqa: E402


def steps(base_url: str) -> dict[str, Any]:
    """CPU seconds of the process at each model call of one agent, journal on disk included."""
    marks: list[float] = []
    complete = provider.complete

    def marked(*args: Any) -> dict[str, Any]:
        marks.append(time.process_time())
        return complete(*args)

    provider.complete = marked
    _run(base_url, tools=["look", "submit"])
    return {"marks": marks}


def prompt(base_url: str, lines: int) -> dict[str, Any]:
    """Do the trajectory; the server counts."""
    _run(base_url, lines)
    return {}


def _run(base_url: str, lines: int = 1, **role: Any) -> None:
    with tempfile.TemporaryDirectory() as name:
        assignment, context, registry = trajectory.parts(Path(name), base_url, lines, **role)
        journal = AttemptJournal.open(assignment.journal)
        attempt = Attempt(line=context.line, journal=journal, workspace=context.workspace)
        outcome = hold(assignment, attempt, context, registry)
        journal.close()
        assert outcome.outcome == "passed", outcome


if __name__ == "__main__":
    what, base_url, *rest = sys.argv[1:]
    result = {"steps": steps, "prompt": prompt}[what](base_url, *map(int, rest))
    print(json.dumps(result))
