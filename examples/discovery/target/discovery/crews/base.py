"""What a crew is: roles, tasks in order, and the tools each role asks for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from discovery.agents.base import AgentResult, BaseAgent
from discovery.core.context import RequestContext
from discovery.tools.registry import Tool, ToolRegistry


@dataclass(frozen=True, slots=True)
class CrewTask:
    name: str
    agent: BaseAgent
    inputs: Mapping[str, Any]
    context: tuple[str, ...] = ()
    """Earlier tasks whose result data is added to the inputs."""


class BaseDiscoveryCrew(ABC):
    name: ClassVar[str]
    tools: ClassVar[tuple[str, ...]] = ()

    def __init__(self, context: RequestContext, registry: ToolRegistry) -> None:
        self.context = context
        self.registry = registry

    @abstractmethod
    def create_tasks(self, inputs: Mapping[str, Any]) -> tuple[CrewTask, ...]:
        """The tasks in the order in which they run."""

    def resolve_tools(self) -> tuple[Tool, ...]:
        return tuple(self.registry.get_tool(name) for name in self.tools)

    def kickoff(self, inputs: Mapping[str, Any]) -> dict[str, AgentResult]:
        """Task name -> result. Stops after the first task that fails."""
        self.resolve_tools()
        results: dict[str, AgentResult] = {}
        for task in self.create_tasks(inputs):
            given = {k: v for earlier in task.context for k, v in results[earlier].data.items()}
            results[task.name] = task.agent.execute({**task.inputs, **given})
            if not results[task.name].success:
                break
        return results
