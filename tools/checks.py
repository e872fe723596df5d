"""The repository's checks, run by the agent on its own tree before it submits.

For the agent's eyes only: the gate runs them again at the submitted tree, in
a clean checkout, and only that counts.
"""

from __future__ import annotations

import re
import shlex

from tools.context import ToolContext
from tools.nearest import did_you_mean
from tools.shell import ending, shown
from tools.spec import tool
from tools.tree import Tree
from wavecrew.errors import ToolError
from wavecrew.gates.model import Verdict
from wavecrew.plan.settings import Check
from wavecrew.sandbox.model import Finished

_NOTE = "(For your eyes: the gate runs the checks again at the tree you submit, and it decides.)"
_TAIL = 3
"""Lines shown of a check that passed."""
_OPERATORS = re.compile(r"[;&|<>`$()\n]")
_NO_TESTS = 5
_NOT_STARTED = (126, 127)


@tool(mutates=True)
def run_checks(context: ToolContext, name: str = "", target: str = "") -> str:
    """Run the checks that the gate will run, on the tree as it stands.

    Args:
        name: One check; empty runs all of them.
        target: For a pytest check, the test file, folder or PATH::TEST to run instead of all.
    """
    checks = _chosen(context, name)
    if target:
        checks = [_narrowed(context.tree, check, target) for check in _pytest_only(checks)]
    budget = (context.outputs.budget - 300) // len(checks)
    parts = [_run(context, check, budget) for check in checks]
    return "\n\n".join([*parts, _NOTE])


def available(context: ToolContext) -> list[Check]:
    """The assignment's checks, then the task's done_when as checks of their own."""
    task = context.assignment.task
    commands = task.done_when if task else ()
    return [
        *context.assignment.checks,
        *(
            Check(name=f"done_when_{n}", run=command, timeout_s=context.assignment.limits.command_s)
            for n, command in enumerate(commands, 1)
        ),
    ]


def _chosen(context: ToolContext, name: str) -> list[Check]:
    checks = available(context)
    names = [check.name for check in checks]
    if not checks:
        raise ToolError("this task has no checks; run_command runs what you like")
    if not name:
        return checks
    chosen = [check for check in checks if check.name == name]
    if not chosen:
        raise ToolError(
            f"there is no check {name!r}{did_you_mean(name, names)} There are: {', '.join(names)}"
        )
    return chosen


def _pytest_only(checks: list[Check]) -> list[Check]:
    chosen = [check for check in checks if check.kind == "pytest" and not check.held_out]
    if not chosen:
        raise ToolError("a target is for pytest checks, and none of these is one")
    return chosen[:1]


def _narrowed(tree: Tree, check: Check, target: str) -> Check:
    """The check with `target` in place of the paths that its command names."""
    if target.startswith("-") or "\0" in target:
        raise ToolError(f"{target!r} is not a test file, folder or PATH::TEST")
    if _OPERATORS.search(check.run):
        raise ToolError(f"check {check.name!r} is more than one command; run it without a target")
    words = shlex.split(check.run)
    start = next((n for n, word in enumerate(words) if word.endswith(("pytest", "py.test"))), -1)
    kept = [word for n, word in enumerate(words) if n <= start or not _exists(tree, word)]
    return check.model_copy(update={"run": shlex.join([*kept, target])})


def _exists(tree: Tree, word: str) -> bool:
    try:
        return tree.stat(word.partition("::")[0].strip("/")) is not None
    except ToolError:
        return False


def _run(context: ToolContext, check: Check, budget: int) -> str:
    if check.held_out:
        return f"{check.name}: held out; only the gate runs it"
    caps = context.caps(check.timeout_s)
    finished = context.run(context.workspace.command(check.run, caps, {}))
    verdict = verdict_of(check, finished)
    log = shown(finished)
    if verdict == "pass":
        log = "\n".join(log.split("\n")[-_TAIL:])
    head = f"{check.name}: {verdict}, {ending(finished, caps.wall_s)}: {check.run}"
    return f"{head}\n{context.outputs.cut(log, f'run_checks-{check.name}', budget)}"


def verdict_of(check: Check, finished: Finished) -> Verdict:
    """What the ending means, as far as an exit code can tell."""
    if finished.killed_by or finished.exit_code in _NOT_STARTED:
        return "could_not_run"
    if finished.exit_code == 0:
        return "pass"
    if check.kind == "pytest" and finished.exit_code == _NO_TESTS:
        return "no_tests"
    return "fail"
