"""The manager crew's tools: look at the evidence, send back, or raise to a person."""

from __future__ import annotations

from tools.context import ToolContext
from tools.spec import Ended, tool
from tools.verdicts import told
from wavecrew.errors import ToolError
from wavecrew.run.wire import BoardText, BranchDiff, CrewReport, Gated, Integrate, Noted


@tool(manager=True)
def run_integration(context: ToolContext) -> str:
    """Run the integration checks again at the tree in question and read the verdict."""
    gated = context.ask(Integrate(), Gated)
    return told(gated.report)


@tool(manager=True)
def branch_diff(context: ToolContext, task: str) -> str:
    """Read what a task's branch changes.

    Args:
        task: The task's id, such as 1.2.
    """
    return context.ask(BranchDiff(task=task), BoardText).text or "the branch changes nothing"


@tool(manager=True, ends=True)
def report(
    context: ToolContext,
    summary: str,
    send_back: str = "",
    reason: str = "",
    raise_to_human: bool = False,
) -> Ended:
    """Give the report and end. What the checks say stands, whatever the report says.

    Args:
        summary: What you looked at and what you found.
        send_back: Id of the task that must mend what is red; empty when none must.
        reason: What that task must mend; needed with send_back.
        raise_to_human: True when a person must decide.
    """
    if not summary.strip():
        raise ToolError("the summary is empty")
    if send_back and not reason.strip():
        raise ToolError("send_back needs a reason: what must the task mend?")
    context.ask(
        CrewReport(
            summary=summary, send_back=send_back, reason=reason, raise_to_human=raise_to_human
        ),
        Noted,
    )
    return Ended("The report is given.")
