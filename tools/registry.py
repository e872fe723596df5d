"""Which tools there are, who may use which, and the one door through which they are called."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from tools.arguments import parse
from tools.context import Cancelled, ToolContext
from tools.nearest import did_you_mean
from tools.policy import Call, enforce, require_in_scope
from tools.spec import Ended, Handler, ToolSpec, spec_of, tool
from wavecrew.errors import EnvironmentBroken, GitFailed, PlanError, ToolError, UsageError
from wavecrew.plan.model import Role
from wavecrew.plan.settings import PolicyRule

__all__ = ["Cancelled", "ToolRegistry", "ToolResult", "ToolSpec", "UnknownTool", "tool"]

ALWAYS = ("read_output",)
"""Allowed to every role: it shows only what another tool has shown in part."""
_MCP = "mcp:"


class UnknownTool(ToolError):
    """There is no such tool, or this role may not use it."""


@dataclass(frozen=True)
class ToolResult:
    text: str
    """What the agent reads, cut to the budget."""
    ok: bool
    """False when the call did not work; a command that exits with an error did work."""
    ended: bool = False
    """True only for an accepted submit and for the manager's report."""
    mutated: bool = False
    """The tree may have changed, also when the call failed."""


class ToolRegistry:
    def __init__(self) -> None:
        self._specs: dict[str, ToolSpec] = {}

    @classmethod
    def default(cls) -> ToolRegistry:
        """The built-in tools and those of installed distributions. PlanError for a broken one."""
        from tools import builtin, plugins

        registry = cls()
        for function in builtin.TOOLS:
            registry.register(function)
        for spec in plugins.installed():
            registry.add(spec)
        return registry

    def register(self, function: Handler) -> ToolSpec:
        """Add a function decorated with `@tool`. UsageError when it is none or a name is taken."""
        spec = spec_of(function)
        if spec is None:
            raise UsageError(f"{function!r} is not decorated with @tool")
        return self.add(spec)

    def add(self, spec: ToolSpec) -> ToolSpec:
        """As `register`, for a spec made elsewhere."""
        taken = self._specs.get(spec.name)
        if taken is not None:
            raise UsageError(
                f"there are two tools named {spec.name!r}: {taken.source} and {spec.source}"
            )
        self._specs[spec.name] = spec
        return spec

    def remove(self, source: str) -> None:
        """Forget every tool of a source, such as `mcp:NAME`."""
        self._specs = {k: spec for k, spec in self._specs.items() if spec.source != source}

    def get(self, name: str, usable: Iterable[str] | None = None) -> ToolSpec:
        """The tool. UnknownTool names the nearest and lists what may be used instead."""
        names = self.names() if usable is None else tuple(usable)
        if name not in names or name not in self._specs:
            why = "may not be used by this role" if name in self._specs else "does not exist"
            raise UnknownTool(
                f"the tool {name!r} {why}{did_you_mean(name, names)} "
                f"Tools that can be used: {', '.join(names)}"
            )
        return self._specs[name]

    def names(self) -> tuple[str, ...]:
        """In the order of registration."""
        return tuple(self._specs)

    def known_names(self) -> frozenset[str]:
        """What a role's `tools` may name, for the plan's linter."""
        return frozenset(self._specs)

    def schema(self, names: Iterable[str]) -> list[dict[str, Any]]:
        """The tools as an OpenAI `tools` list, in the order given."""
        return [
            {
                "type": "function",
                "function": {
                    "name": spec.name,
                    "description": spec.description,
                    "parameters": spec.parameters,
                },
            }
            for spec in map(self.get, names)
        ]

    def allowed(self, role: Role) -> tuple[ToolSpec, ...]:
        """The role's tools in the order of its list, without repetition, and `ALWAYS`.

        PlanError for a name that does not exist and a glob that matches nothing.
        """
        found: dict[str, ToolSpec] = {}
        for entry in (*role.tools, *(name for name in ALWAYS if name in self._specs)):
            matches = [spec for spec in self._specs.values() if self._names(entry, spec, role)]
            if not matches:
                raise self._unmatched(entry, role)
            found |= {spec.name: spec for spec in matches}
        return tuple(found.values())

    @staticmethod
    def _names(entry: str, spec: ToolSpec, role: Role) -> bool:
        if spec.manager != role.manager and (spec.manager or spec.ends):
            return False
        if entry.startswith(_MCP):
            return fnmatchcase(spec.source, entry)
        return fnmatchcase(spec.name, entry)

    def _unmatched(self, entry: str, role: Role) -> PlanError:
        where = f"agents.yaml, role {role.name!r}"
        if entry.startswith(_MCP):
            return PlanError(
                f"{entry!r} is not a running server", where=where, mend="Add it to wavecrew.toml."
            )
        if entry in self._specs:
            whose = "the manager crew's" if self._specs[entry].manager else "a specialist's"
            return PlanError(f"the tool {entry!r} is {whose} only", where=where)
        kind = "glob matches no tool" if any(c in entry for c in "*?[") else "tool does not exist"
        return PlanError(
            f"the {kind}: {entry!r}{did_you_mean(entry, self._specs)}",
            where=where,
            mend=f"Known tools: {', '.join(self._specs)}",
        )

    def call(self, name: str, arguments: str | dict[str, Any], context: ToolContext) -> ToolResult:
        """Make one call for the agent of this attempt.

        Whatever is wrong with the call, or goes wrong in the tool, is told in the
        result. Raised are only `Cancelled`, KeyboardInterrupt, and EnvironmentBroken
        when no call can work any more: the engine or the sandbox is gone.
        """
        shown = name if name in self._specs else "call"
        with context.lock:
            try:
                spec, checked = self._checked(name, arguments, context)
            except ToolError as error:
                return ToolResult(context.outputs.show(f"Error: {error}", shown), ok=False)
            text, ok, ended = _perform(spec, checked, context)
            return ToolResult(
                context.outputs.show(text, shown), ok, ended=ended, mutated=spec.mutates
            )

    def _checked(
        self, name: str, arguments: str | dict[str, Any], context: ToolContext
    ) -> tuple[ToolSpec, dict[str, Any]]:
        role = context.assignment.role
        usable = tuple(spec.name for spec in self.allowed(role))
        spec = self.get(name, usable)
        checked = parse(spec, arguments)
        paths = tuple(
            path or "." for argument, mark in spec.paths for path in mark.of(checked[argument])
        )
        command = str(checked.get("command", "")) if spec.name == "run_command" else ""
        rules = (*context.assignment.policy, PolicyRule(decision="allow", tools=usable))
        enforce(rules, Call(role.name, spec.name, paths, command), context.approve)
        if spec.mutates:
            for path in paths:
                require_in_scope(context.assignment.scope, path)
        return spec, checked


def _perform(
    spec: ToolSpec, arguments: dict[str, Any], context: ToolContext
) -> tuple[str, bool, bool]:
    """Text, whether it worked, whether it ended the conversation."""
    try:
        result = spec.handler(context, **arguments)
    except (ToolError, GitFailed) as error:
        return f"Error: {error}", False, False
    except (EnvironmentBroken, KeyboardInterrupt, Cancelled):
        raise
    except BaseException as error:  # noqa: BLE001 - SystemExit must not end the agent's process
        return f"Error: {spec.name} failed: {type(error).__name__}: {error}", False, False
    if isinstance(result, Ended):
        return result.text, True, spec.ends
    return (result if isinstance(result, str) else repr(result)), True, False
