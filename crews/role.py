"""How does an entry of agents.yaml become a CrewAI agent?

Fresh for every attempt: CrewAI's agents, models and tools are single-use.
"""

from __future__ import annotations

from crewai import Agent
from crewai.tools import BaseTool

from crews.character import backstory
from crews.chat_model import ChatModel
from crews.executor import LeanExecutor
from wavecrew.plan.model import Role


def build_agent(role: Role, model: ChatModel, tools: list[BaseTool]) -> Agent:
    """One agent for one attempt, with everything of CrewAI's that retries or caches off."""
    return Agent(
        role=role.role,
        goal=role.goal,
        backstory=backstory(role),
        llm=model,
        tools=tools,
        max_iter=role.max_iter,
        executor_class=LeanExecutor,
        max_retry_limit=0,  # a retry would start the task again and repeat its effects
        use_better_compaction=False,
        allow_delegation=False,
        cache=False,
        verbose=False,
    )
