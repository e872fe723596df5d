"""What does an agent do, step after step?

Ask the model, do what it asks for, until the ending tool is accepted. CrewAI's
own executor is a flow with twelve thread hops a step and a forced "final
answer" at the iteration limit. This one is a plain loop in the calling thread:
calls of one turn run one after another, and every way out but the ending tool
raises an ending.
"""

from __future__ import annotations

from typing import Any

from crewai.agents.agent_executor import AgentExecutor, AgentExecutorState
from crewai.agents.parser import AgentFinish

from crews.character import system_text
from crews.chat_model import ChatModel
from crews.endings import GaveUp, OutOfSteps
from crews.history import Message
from crews.request import Answer, nudge, opening, result_message
from crews.tool_adapter import RegistryTool, ToolBelt
from crews.tool_call import ToolReply

NUDGES = 3
"""Answers in a row without a tool call before the attempt is given up."""


class LeanExecutor(AgentExecutor):
    """CrewAI's executor with its loop and its prompt replaced; `executor_class` of every agent."""

    def _create_initial_state(self) -> Any:
        """CrewAI builds a pydantic class for it each time, 13 ms, and then drops what it made."""
        return AgentExecutorState()

    def _setup_messages(self, inputs: dict[str, Any]) -> None:
        """System and task exactly as written.

        CrewAI's templates would substitute `{tools}` and `{input}` wherever a
        description has them, and demand a final answer in prose.
        """
        _, belt = self._parts()
        assert self.task is not None
        self.state.messages.extend(opening(system_text(belt.role), self.task.description))

    def kickoff(self, *_: Any, **__: Any) -> None:
        """The loop. Raises the endings of `crews.endings`; never returns without an answer."""
        model, belt = self._parts()
        messages: list[Message] = self.state.messages
        prose = 0
        while self.state.iterations < self.max_iter:
            self.state.iterations += 1
            answer = model.answer(messages, belt.schemas)
            messages.append(answer.as_message())
            prose = 0 if answer.calls else prose + 1
            if prose:
                messages.append(_nudge(prose, belt.ending))
            ended = _use_tools(belt, answer, messages)
            if ended:
                self._finish(ended)
                return
        raise OutOfSteps(f"{self.max_iter} steps are used up without {belt.ending!r}")

    def _parts(self) -> tuple[ChatModel, ToolBelt]:
        tool = self.original_tools[0]
        assert isinstance(self.llm, ChatModel)
        assert isinstance(tool, RegistryTool)
        belt: ToolBelt = tool.belt
        return self.llm, belt

    def _finish(self, reply: ToolReply) -> None:
        self.state.current_answer = AgentFinish(thought="", output=reply.text, text=reply.text)
        self.state.is_finished = True


def _use_tools(belt: ToolBelt, answer: Answer, messages: list[Message]) -> ToolReply | None:
    """The reply that ends the conversation, if one does; later calls of the turn are not made."""
    for call in answer.calls:
        reply = belt.use(call.name, call.arguments)
        messages.append(result_message(call, reply.text))
        if reply.ended:
            return reply
    return None


def _nudge(prose: int, ending: str) -> Message:
    if prose > NUDGES:
        raise GaveUp(f"{prose} answers in a row without a tool call")
    return nudge(ending)
