"""Which tests ran on the base and do not run any more, though nobody deleted them?

Seen from the two reports, so it holds whatever the trick was: an ignored
file, a class that is no longer collected, a condition that now skips.
"""

from __future__ import annotations

from collections.abc import Mapping

from wavecrew.gates.junit import functions
from wavecrew.gates.model import Finding
from wavecrew.gates.tamper import Place, Tampering
from wavecrew.gates.verdict import Result

MOST_TOLD = 20


def vanished(check: str, base: Result, result: Result, tampering: Tampering) -> list[Finding]:
    """Findings for tests that passed on the base, in the order of their ids.

    A test counts by its function, whatever its parameters. What the syntax
    comparison has told already is not told again.
    """
    told = {finding.path for finding in tampering.findings}
    ran, skipped = functions((*result.passed, *result.failed)), functions(result.skipped)
    found = []
    for place in sorted(functions(base.passed)):
        path, name = now = whither(place, tampering.moved)
        if now in ran or place in tampering.gone or path in told or place[0] in told:
            continue
        what = "is skipped" if now in skipped else f"is not run any more by the check {check!r}"
        found.append(
            Finding(
                rule="test_skipped",
                path=path,
                message=f"{path}::{name} passes on the base and now {what}; make it run and pass.",
            )
        )
    return found[:MOST_TOLD]


def whither(place: Place, moved: Mapping[Place, Place]) -> Place:
    """Where a test is now; one that a class inherits goes where its class went."""
    if place in moved:
        return moved[place]
    path, name = place
    owner, _, test = name.rpartition("::")
    for (old_path, old_name), (new_path, new_name) in moved.items():
        if owner and old_path == path and old_name.startswith(f"{owner}("):
            return new_path, f"{new_name.split('(', 1)[0]}::{test}"
    return place
