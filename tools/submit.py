"""How an agent says that it is done: the engine judges the tree, not the words."""

from __future__ import annotations

from tools.context import ToolContext
from tools.spec import Ended, tool
from tools.verdicts import told
from wavecrew.errors import ToolError
from wavecrew.run.wire import Gated, Submit


@tool(ends=True)
def submit(context: ToolContext, summary: str) -> Ended:
    """Submit the work: the whole tree as it stands is checked by the gate.

    Passing ends the task. Otherwise the answer says what is wrong; mend it and submit again.

    Args:
        summary: What you did and what the next tasks should know, in a few sentences.
    """
    if not summary.strip():
        raise ToolError("the summary is empty; say in a few sentences what you did")
    tree = context.workspace.snapshot()
    pack = context.workspace.pack(tree)
    context.submissions += 1
    gated = context.ask(
        Submit(tree=tree, pack=pack, summary=summary, submission=context.submissions), Gated
    )
    if gated.accepted:
        return Ended("The gate passed. The task is done; nothing more is to be said or called.")
    left = gated.attempts_left
    onward = "Mend it and submit again." if left else "No submission is left."
    raise ToolError(f"the gate did not pass. {onward}\n{told(gated.report)}")
