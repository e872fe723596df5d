"""How does an entry of agents.yaml become a CrewAI agent?

Fresh for every attempt: CrewAI's agents, models and tools are single-use. What
an agent is told about itself is written here, since CrewAI's own templates
substitute braces in it and ask for answers in prose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wavecrew.plan.model import Role

if TYPE_CHECKING:  # a replay writes the same texts without loading CrewAI
    from crewai import Agent
    from crewai.tools import BaseTool

    from crews.chat_model import ChatModel

SPECIALIST_RULES = """\
You work in a private copy of the repository and act only through tools; prose has no effect. \
Several calls in one answer run in order. Read before you change, keep to the write scope, \
run the checks before you end. Paths are relative to the repository's root."""
MANAGER_RULES = """\
You act only through tools; prose has no effect. Judge by evidence, not by what agents say of \
their work. You change no code: you find out what is wrong, who mends it, and report."""


def build_agent(role: Role, model: ChatModel, tools: list[BaseTool]) -> Agent:
    """One agent for one attempt, with everything of CrewAI's that retries or caches off."""
    from crewai import Agent

    from crews.executor import LeanExecutor

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


def backstory(role: Role) -> str:
    """The role's backstory, then its skills."""
    skills = f" Skills: {', '.join(role.skills)}." if role.skills else ""
    return role.backstory.strip() + skills


def system_text(role: Role) -> str:
    """The system message: who the agent is, then the rules of the house."""
    rules = MANAGER_RULES if role.manager else SPECIALIST_RULES
    return f"You are {role.role}. {backstory(role)}\nYour goal: {role.goal}\n\n{rules}"
