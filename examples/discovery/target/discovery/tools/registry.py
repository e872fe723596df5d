"""Which tools exist? Every module `*_tool.py` in this folder defines one as `TOOL`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    description: str
    category: str
    run: Callable[..., Any]


class UnknownTool(LookupError):
    """There is no tool of that name."""


class ToolRegistry:
    def __init__(self) -> None:
        self._tools: dict[str, Tool] = {}

    def register(self, tool: Tool) -> None:
        """ValueError when the name is taken."""
        if tool.name in self._tools:
            raise ValueError(f"a tool named {tool.name!r} is registered already")
        self._tools[tool.name] = tool

    def get_tool(self, name: str) -> Tool:
        """UnknownTool names the tools that there are."""
        try:
            return self._tools[name]
        except KeyError:
            known = ", ".join(self.names())
            raise UnknownTool(f"no tool named {name!r}; there are {known}") from None

    def names(self, category: str = "") -> tuple[str, ...]:
        """All names, sorted; with a category, those of the category."""
        return tuple(sorted(n for n, t in self._tools.items() if category in ("", t.category)))


@cache
def tool_registry() -> ToolRegistry:
    """The registry with every tool of this folder."""
    registry = ToolRegistry()
    for file in sorted(Path(__file__).parent.glob("*_tool.py")):
        registry.register(importlib.import_module(f"discovery.tools.{file.stem}").TOOL)
    return registry
