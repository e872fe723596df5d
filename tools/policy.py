"""Whether a role may make a call: ordered rules, and no rule means deny.

Not a security boundary: that is the sandbox, whatever a command says. A policy
keeps an agent at its own work and tells it why, early and in words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Literal

from pathspec import GitIgnoreSpec

from wavecrew.errors import ToolError
from wavecrew.plan.settings import PolicyRule

Scope = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Call:
    """What the policy knows of a call."""

    role: str
    tool: str
    paths: tuple[str, ...] = ()
    command: str = ""

    def __str__(self) -> str:
        about = self.command or ", ".join(self.paths)
        return f"{self.tool}({about})" if about else self.tool


@dataclass(frozen=True)
class Ruling:
    decision: Literal["allow", "ask", "deny"]
    reason: str = ""


def decide(rules: Sequence[PolicyRule], call: Call) -> Ruling:
    """The first rule that matches decides."""
    for rule in rules:
        if _matches(rule, call):
            return Ruling(rule.decision, rule.reason)
    return Ruling("deny", f"no rule lets the role {call.role!r} use {call.tool!r}")


def enforce(rules: Sequence[PolicyRule], call: Call, approve: Callable[[str], bool] | None) -> None:
    """ToolError unless the call is allowed, or a person allows it now."""
    ruling = decide(rules, call)
    if ruling.decision == "allow":
        return
    because = f": {ruling.reason}" if ruling.reason else ""
    if ruling.decision == "deny":
        raise ToolError(f"{call} is denied by the policy{because}")
    if approve is None:
        raise ToolError(
            f"{call} needs a person's approval and there is nobody to ask, so it is denied{because}"
        )
    if not approve(str(call)):
        raise ToolError(f"{call} was denied by a person{because}")


def _matches(rule: PolicyRule, call: Call) -> bool:
    if not _any_glob(rule.roles, call.role) or not _any_glob(rule.tools, call.tool):
        return False
    if rule.command and not re.search(rule.command, call.command):
        return False
    if not rule.paths:
        return True
    hits = [_spec(rule.paths).match_file(path) for path in call.paths]
    return bool(hits) and (all(hits) if rule.decision == "allow" else any(hits))


def _any_glob(globs: Sequence[str], name: str) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)


def require_in_scope(scope: Scope, path: str) -> None:
    """ToolError unless the path matches a glob of every group; no group at all writes nothing."""
    if not scope:
        raise ToolError(f"{path!r} may not be written: this role has no may_write")
    for globs in scope:
        if not _spec(globs).match_file(path):
            raise ToolError(
                f"{path!r} is outside of what this task may write: {', '.join(globs) or 'nothing'}"
            )


@lru_cache(maxsize=64)
def _spec(globs: tuple[str, ...]) -> GitIgnoreSpec:
    return GitIgnoreSpec.from_lines(globs)
