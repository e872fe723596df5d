"""What does the manager crew do when a landing is red or a sync point is due?

One conversation of one manager role, with the manager's tools, ended by
`report`; the report goes to the engine over the line, and the engine enforces
the evidence. Why not two roles in a relay: docs/decisions/manager-crew.md.
"""

from __future__ import annotations

from crews.attempt import Attempt
from crews.conversation import hold
from crews.endings import Outcome
from tools.context import ToolContext
from tools.registry import ToolRegistry
from wavecrew.errors import PlanError
from wavecrew.run.wire import Assignment


def decide(
    assignment: Assignment, attempt: Attempt, context: ToolContext, registry: ToolRegistry
) -> Outcome:
    """A triage or a sync point, to its report. PlanError when the role is no manager."""
    if not assignment.role.manager:
        raise PlanError(
            f"role {assignment.role.name!r} is no manager and cannot hold a {assignment.kind}",
            where=f"agents.yaml, role {assignment.role.name!r}",
            mend="give the role `manager: true` and the manager's tools",
        )
    return hold(assignment, attempt, context, registry)
