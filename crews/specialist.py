"""One role, one task, one workspace: how does an attempt begin, and what does it leave behind?"""

from __future__ import annotations

from contextlib import suppress

from crews.attempt import Attempt
from crews.conversation import hold
from crews.endings import Outcome
from tools.context import ToolContext
from tools.registry import ToolRegistry
from wavecrew.errors import ToolError, WavecrewError
from wavecrew.run.wire import Assignment


def work(
    assignment: Assignment, attempt: Attempt, context: ToolContext, registry: ToolRegistry
) -> Outcome:
    """One attempt at a task, to its end.

    What stood in the workspace of an attempt that was stopped, half done or not,
    is in the outcome's snapshot; its journal goes on from the last whole step.
    """
    outcome = hold(assignment, attempt, context, registry)
    if outcome.outcome in ("parked", "out_of_time"):
        with suppress(ToolError, WavecrewError):  # a tree that cannot be recorded, or no sandbox
            outcome = outcome.model_copy(update={"last_snapshot": attempt.workspace.snapshot()})
    return outcome
