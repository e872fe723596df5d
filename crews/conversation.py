"""How does one role hold one conversation, from its assignment to an outcome?

A one-task sequential CrewAI crew, built fresh: the machinery that specialists
and the manager crew share. Here errors become outcomes; no error ever becomes
a success, since `passed` is only what the ending tool leaves behind.
"""

from __future__ import annotations

from contextlib import closing

from crewai import Crew, Process

from crews import quiet
from crews.assignment import build_task
from crews.attempt import Attempt
from crews.chat_model import ChatModel
from crews.endings import Ending, Outcome, OutcomeName
from crews.role import build_agent
from crews.tool_adapter import ToolBelt, crew_tools
from tools.context import Cancelled, ToolContext
from tools.registry import ToolRegistry
from wavecrew.errors import CommandLost, EnvironmentBroken, ModelUnreachable, WavecrewError
from wavecrew.run.wire import Assignment


def hold(
    assignment: Assignment, attempt: Attempt, context: ToolContext, registry: ToolRegistry
) -> Outcome:
    """The conversation to its end; every way it can end is an outcome.

    A bug of ours, or of CrewAI's, is raised as it is: the process border names it `crashed`.
    CommandLost is raised too: what the command did to the tree is not known, so the
    attempt has to go on from its journal.
    """
    try:
        if assignment.kind == "task":
            attempt.begin()
        _kick_off(assignment, attempt, context, registry)
    except Ending as ending:
        return _ended(attempt, ending)
    except Cancelled:
        return _ended(attempt, attempt.stop.ending())
    except CommandLost:
        raise
    except ModelUnreachable as error:
        return _outcome(attempt, "model_failed", str(error))
    except (WavecrewError, ConnectionError, TimeoutError) as error:
        if attempt.stop.asked.is_set():  # the engine hung up because it is stopping
            return _ended(attempt, attempt.stop.ending())
        broken = isinstance(error, EnvironmentBroken)
        return _outcome(attempt, "environment" if broken else "crashed", str(error))
    return _outcome(attempt, "passed", "")


def _kick_off(
    assignment: Assignment, attempt: Attempt, context: ToolContext, registry: ToolRegistry
) -> None:
    """Everything fresh: CrewAI's agents, tasks and crews are for one use."""
    if not quiet.is_prepared():
        raise RuntimeError("crews.quiet.prepare must run before a crew is built")
    role = assignment.role
    settings = assignment.model.model_copy(update={"name": role.llm or assignment.model.name})
    belt = ToolBelt(registry, registry.allowed(role), context, attempt)
    with quiet.hushed(), closing(ChatModel.open(settings, attempt)) as model:
        agent = build_agent(role, model, crew_tools(belt))
        Crew(
            agents=[agent],
            tasks=[build_task(assignment, agent)],
            process=Process.sequential,
            cache=False,
            memory=False,
            planning=False,
            tracing=False,
            verbose=False,
        ).kickoff()


def _ended(attempt: Attempt, ending: Ending) -> Outcome:
    return _outcome(attempt, ending.outcome, str(ending))


def _outcome(attempt: Attempt, name: OutcomeName, detail: str) -> Outcome:
    return Outcome(
        outcome=name,
        detail=detail,
        model_calls=attempt.model_calls,
        tokens=attempt.tokens,
        last_snapshot=attempt.journal.last_snapshot,
    )
