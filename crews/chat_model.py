"""The model as CrewAI sees it: langchain-openai behind a BaseLLM, through the attempt's journal.

Every call is checked for a stop, fitted to the window, journalled, budgeted,
and judged: a cut-off, filtered, refused or empty answer is an ending with a
name. Tool choice is `required`, so that prose cannot end a task; servers that
do not know it are asked with `auto` from then on.
"""

from __future__ import annotations

import json
import time
from typing import Any

from crewai import BaseLLM
from pydantic import Field, PrivateAttr

from crews import history, provider, request
from crews.attempt import Attempt
from crews.endings import IncompleteAnswer
from crews.history import Message
from crews.request import CHARS_PER_TOKEN, Answer, Offer, as_openai
from wavecrew.plan.settings import ModelSettings
from wavecrew.run.wire import Settle


class ChatModel(BaseLLM):
    """One conversation's model. Not shared: counters and fallbacks belong to the attempt."""

    chat: Any = Field(exclude=True)
    attempt: Any = Field(exclude=True)
    context_window: int
    answer_tokens: int
    """Allowance for the answer in what is reserved before a call."""

    _tool_choice: str = PrivateAttr(default="required")
    _tools: list[dict[str, Any]] = PrivateAttr(default_factory=list)
    _offer: Offer = PrivateAttr(default=Offer((), "", 0))
    _told_window_chars: int = PrivateAttr(default=0)
    _tries: int = PrivateAttr(default=0)

    @classmethod
    def open(cls, settings: ModelSettings, attempt: Attempt) -> ChatModel:
        """ModelUnreachable when the model's name or key is missing."""
        return cls(
            model=settings.name,
            provider="openai",
            chat=provider.open_chat(settings),
            attempt=attempt,
            context_window=settings.context_window,
            answer_tokens=settings.answer_tokens,
        )

    def close(self) -> None:
        """Close the connection to the server."""
        self.chat.http_client.close()

    def supports_function_calling(self) -> bool:
        """Without it CrewAI falls back to parsing prose."""
        return True

    def supports_stop_words(self) -> bool:
        """CrewAI's stop words belong to its prose mode."""
        return False

    def get_context_window_size(self) -> int:
        """Tokens a request may take; CrewAI's default is 4096."""
        return request.window_tokens(self.context_window)

    def get_input_tokens_count(
        self, messages: Any, tools: Any = None, response_model: Any = None
    ) -> int:
        """An estimate, four characters a token; CrewAI's own logs a warning on each call."""
        chars = len(messages) if isinstance(messages, str) else history.size_of(messages)
        return (chars + len(json.dumps(tools or []))) // CHARS_PER_TOKEN

    def summarize_messages(self, messages: Any, callbacks: Any, verbose: bool = True) -> None:
        """Elide instead: CrewAI's summary would fold the task itself into prose."""
        self._fit(messages, window_chars=history.size_of(messages) // 2)

    def call(
        self,
        messages: Any,
        tools: Any = None,
        callbacks: Any = None,
        available_functions: Any = None,
        from_task: Any = None,
        from_agent: Any = None,
        response_model: Any = None,
    ) -> Any:
        """CrewAI's door: tool calls as OpenAI writes them, or the text."""
        if isinstance(messages, str):
            messages = [{"role": "user", "content": messages}]
        answer = self.answer(messages, tools or [])
        return [as_openai(call) for call in answer.calls] or answer.say

    def answer(self, messages: list[Message], tools: list[dict[str, Any]]) -> Answer:
        """The next answer; `messages` may be elided in place.

        Raises the endings of `crews.endings`, ModelUnreachable, and
        JournalDiverged when a resumed conversation is another one.
        """
        self._know(tools)
        self._fit(messages)
        asked = request.proof(messages, self._offer.digest)
        beside = {"schemas": tools} if "opening" in asked else None
        reply = self.attempt.exchange("model", asked, lambda: self._ask(messages), beside)
        self._told_window_chars = reply["window_chars"] or self._told_window_chars
        self._account(reply["usage"])
        calls = ", ".join(call["name"] for call in reply["calls"])
        told, tries = calls or reply["say"][:80], reply.get("tries", 1)
        self.attempt.step("model", told, reply["usage"], tries)
        return _judged(reply)

    def _know(self, tools: list[dict[str, Any]]) -> None:
        if tools is not self._tools:
            self._tools, self._offer = tools, Offer.of(tools)

    def _fit(self, messages: list[Message], *, window_chars: int = 0) -> None:
        narrower = (self._told_window_chars, window_chars)
        if not request.fit(messages, self.context_window, self._offer.chars, narrower):
            raise IncompleteAnswer(
                f"the conversation is longer than the model's window of {self.context_window} "
                "tokens, even without old outputs"
            )

    def _ask(self, messages: list[Message]) -> dict[str, Any]:
        """One paid call, however many tries it takes.

        The only place where a call is tried again: when, and for how long, is
        the engine's to say, by its answer to the next reservation.
        """
        prompt = (history.size_of(messages) + self._offer.chars) // CHARS_PER_TOKEN
        self._tries = 0
        while True:
            self.attempt.reserve(prompt, self.answer_tokens)
            began, settled = time.monotonic(), Settle()
            try:
                reply = self._complete(messages)
                usage = _told_usage(reply["usage"], prompt, self.answer_tokens)
                settled = _settled(usage)
                self.attempt.paid(usage["total"])
                return reply | {"usage": usage, "tries": self._tries}
            except provider.Trouble as trouble:
                settled = Settle(
                    trouble=trouble.kind,
                    why=str(trouble),
                    retry_after_s=trouble.retry_after_s,
                    took_s=time.monotonic() - began,
                )
            finally:
                self.attempt.settle(settled)

    def _complete(self, messages: list[Message], *, narrowed: int = 0) -> dict[str, Any]:
        body: dict[str, Any] = {"messages": messages}
        if self._tools:
            body |= {"tools": self._tools, "tool_choice": self._tool_choice}
        self._tries += 1
        try:
            with self.attempt.stop.interruptible():
                reply = provider.complete(self.chat, body)
        except provider.ToolChoiceRejected as error:
            if self._tool_choice == "auto":
                raise provider.refused(self.chat, error) from error
            self._tool_choice = "auto"
            return self._complete(messages, narrowed=narrowed)
        except provider.ContextOverflow as error:
            if narrowed:
                raise IncompleteAnswer(f"the model's window is exceeded: {error}") from error
            narrowed = history.size_of(messages) // 2
            # A copy: what was journalled as the request must stay what a replay builds.
            messages = json.loads(json.dumps(messages))
            self._fit(messages, window_chars=narrowed)
            return self._complete(messages, narrowed=narrowed)
        return reply | {"window_chars": narrowed}

    def _account(self, usage: dict[str, int]) -> None:
        self._track_token_usage_internal(
            {
                "prompt_tokens": usage["prompt"],
                "completion_tokens": usage["completion"],
                "total_tokens": usage["total"],
                "cached_prompt_tokens": usage["cached"],
            }
        )


def _told_usage(usage: dict[str, int], prompt: int, answer: int) -> dict[str, int]:
    """The server's count, or what was reserved when it does not tell."""
    if usage["total"]:
        return usage
    return {"prompt": prompt, "completion": answer, "total": prompt + answer, "cached": 0}


def _settled(usage: dict[str, int]) -> Settle:
    """Tokens that belong to neither side, as some servers count them, are the answer's."""
    answer = usage["total"] - usage["prompt"]
    return Settle(prompt=usage["prompt"], answer=max(0, answer), cached=usage["cached"])


def _judged(reply: dict[str, Any]) -> Answer:
    """The answer, or IncompleteAnswer: half an answer is never taken for a whole one."""
    if reply["refusal"]:
        raise IncompleteAnswer(f"the model refuses: {reply['refusal'][:300]}")
    if reply["finish"] == "length":
        raise IncompleteAnswer("the answer was cut off at the model's output limit")
    if reply["finish"] == "content_filter":
        raise IncompleteAnswer("the provider's content filter stopped the answer")
    if not reply["calls"] and not reply["say"].strip():
        raise IncompleteAnswer("the answer is empty")
    return Answer.model_validate(reply)
