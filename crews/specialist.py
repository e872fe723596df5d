"""One role, one task, one workspace: how does an attempt begin, and what does it leave behind?"""

from __future__ import annotations

from crews.attempt import Attempt
from crews.conversation import hold
from crews.endings import Outcome
from tools.context import ToolContext
from tools.registry import ToolRegistry
from wavecrew.run.wire import Assignment


def work(
    assignment: Assignment, attempt: Attempt, context: ToolContext, registry: ToolRegistry
) -> Outcome:
    """One attempt at a task, to its end.

    The tree it starts from is journalled first, so that a resumed attempt can
    go back to it. A parked attempt's outcome has a snapshot of what stood in the
    workspace, half done or not.
    """
    attempt.begin()
    outcome = hold(assignment, attempt, context, registry)
    if outcome.outcome in ("parked", "out_of_time"):
        outcome = outcome.model_copy(update={"last_snapshot": attempt.workspace.snapshot()})
    return outcome
