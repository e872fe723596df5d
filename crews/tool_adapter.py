"""How do our tools become CrewAI's, and what happens when a model calls one?

CrewAI needs `BaseTool` objects to see that an agent has tools at all. The
schemas a model reads and the calls it makes go to the registry directly:
arguments as the text the model wrote, unknown names included, so that every
mistake is answered by the registry and by nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

from crewai.tools import BaseTool
from crewai.tools.structured_tool import CrewStructuredTool
from pydantic import Field

from crews.attempt import Attempt
from crews.endings import GaveUp
from crews.tool_call import ToolReply, carry_out
from tools.context import ToolContext
from tools.registry import ToolRegistry
from tools.spec import ToolSpec

SAME_CALLS = 12
"""How often in a row one call may have one result before it counts as going in circles."""


@cache
def default_registry() -> ToolRegistry:
    """The built-in tools and those of installed distributions, found once per process."""
    return ToolRegistry.default()


class ToolBelt:
    """The tools of one attempt, behind its journal."""

    def __init__(
        self,
        registry: ToolRegistry,
        specs: Sequence[ToolSpec],
        context: ToolContext,
        attempt: Attempt,
    ) -> None:
        self.role = context.assignment.role
        self.specs = tuple(specs)
        self.schemas = registry.schema(spec.name for spec in self.specs)
        """What a model is told, in OpenAI's form; one list for the whole conversation."""
        self.ending = next((spec.name for spec in self.specs if spec.ends), "submit")
        """Name of the tool that ends the conversation."""
        self._registry = registry
        self._context = context
        self._attempt = attempt
        self._last = ("", "", "")
        self._repeats = 0

    def use(self, name: str, arguments: str) -> ToolReply:
        """Call a tool with the arguments as written; what went wrong is in the reply's text.

        Runs in the calling thread: the sandbox ties its processes to it.
        Raises GaveUp when the agent goes in circles or no submission is left.
        """
        recorded = self._attempt.exchange(
            "tool", {"tool": name, "arguments": arguments}, lambda: self._call(name, arguments)
        )
        reply = ToolReply.model_validate(recorded)
        self._context.submissions = reply.submissions
        self._attempt.step(name, _first_line(reply.text))
        if reply.last:
            raise GaveUp(f"the last submission was refused: {reply.text[:400]}")
        self._watch(name, arguments, reply.text)
        return reply

    def _call(self, name: str, arguments: str) -> dict[str, Any]:
        reply = carry_out(self._registry, self._context, name, arguments)
        return reply.model_copy(update={"last": not self._attempt.submissions_left}).model_dump()

    def _watch(self, *seen: str) -> None:
        self._repeats = self._repeats + 1 if seen == self._last else 1
        self._last = (seen[0], seen[1], seen[2])
        if self._repeats >= SAME_CALLS:
            raise GaveUp(
                f"called {seen[0]!r} {self._repeats} times in a row with the same arguments "
                "and the same result"
            )


class _Listed(CrewStructuredTool):
    """What CrewAI keeps of a tool beside it; its text form would be rendered and never shown."""

    @property
    def formatted_description(self) -> str:
        return self.description


class RegistryTool(BaseTool):
    """A tool of ours as CrewAI lists it."""

    belt: Any = Field(exclude=True)

    def to_structured_tool(self) -> CrewStructuredTool:
        """As CrewAI asks for; 3 ms a tool cheaper than its own."""
        listed = _Listed(name=self.name, description=self.description)
        listed._original_tool = self
        return listed

    def _run(self, **arguments: Any) -> str:
        reply: ToolReply = self.belt.use(self.name, json.dumps(arguments))
        return reply.text


def crew_tools(belt: ToolBelt) -> list[BaseTool]:
    """Fresh CrewAI tools for one attempt, in the order of the belt."""
    return [
        RegistryTool(
            name=spec.name,
            description=spec.description,
            args_schema=spec.args_model,
            belt=belt,
        )
        for spec in belt.specs
    ]


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]
