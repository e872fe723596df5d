"""Does the branch touch what decides over it, or hold an entry no branch may hold?

Policy files (the plan, the roles, the repository's checks) are never an
agent's to change. CI files and the root conftest may change only when the
scope names them. A new module at the root that shadows Python's or pytest's
own would run in their place in every check, so it is refused as well. Links
that leave the tree are refused earlier, when the mirror imports it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from wavecrew.gates.model import Finding
from wavecrew.gates.scope import Scope
from wavecrew.gates.source import GITLINK, Changed, shown

NEVER = frozenset({"wavecrew.toml", "agents.yaml", "tasks.yaml", ".gitmodules", ".gitattributes"})
NAMED_ONLY = frozenset({".github", "conftest.py"})
"""First component of paths that only a scope naming them opens."""

SHADOWS = (sys.stdlib_module_names - {"test"}) | {
    "pytest",
    "_pytest",
    "pluggy",
    "iniconfig",
    "packaging",
    "pygments",
    "sitecustomize",
    "usercustomize",
    "wavecrew_receipt",
}


def policy_findings(changes: Sequence[Changed], scope: Scope) -> tuple[Finding, ...]:
    """What no gate lets through, whatever the scope allows."""
    told = ((change, _refused(change, scope)) for change in changes)
    return tuple(
        Finding(rule="forbidden_entry", path=shown(change.path), message=why)
        for change, why in told
        if why
    )


def _refused(change: Changed, scope: Scope) -> str:
    path = shown(change.path)
    first = path.split("/", 1)[0]
    if path in NEVER or path.endswith("/.gitmodules"):
        return f"{path!r} decides how work is judged and is never changed by a task; put it back."
    if first in NAMED_ONLY and not _named(first, scope):
        return f"{path!r} runs in every check and this task's scope does not name it; put it back."
    if change.mode == GITLINK:
        return f"{path!r} is a nested repository; delete it, or add its files without their .git."
    if change.status == "A" and _shadows(path):
        return (
            f"{path!r} would be imported in place of the module {_module(path)!r} that Python or "
            "pytest needs; give it another name."
        )
    return ""


def _named(first: str, scope: Scope) -> bool:
    return bool(scope) and all(
        any(glob.lstrip("/").split("/", 1)[0] == first for glob in group) for group in scope
    )


def _module(path: str) -> str:
    return path.split("/", 1)[0].split(".", 1)[0]


def _shadows(path: str) -> bool:
    parts = path.split("/")
    is_module = len(parts) == 1 and parts[0].endswith((".py", ".pyc", ".so"))
    is_package = len(parts) == 2 and parts[1].split(".", 1)[0] == "__init__"
    return (is_module or is_package) and _module(path) in SHADOWS
