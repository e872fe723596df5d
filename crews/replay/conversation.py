"""Which request does a conversation come to next, told by its journal alone?

Builds message after message as the agent's own loop does, so that the digest
of each recorded request can be checked, or told anew for another prompt.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from crews import request
from crews.history import Message
from crews.request import Answer, Offer, ToolCall


class Conversation:
    """One attempt's messages as they grow."""

    def __init__(
        self, opening: Sequence[Message], offer: Offer, context_window: int, ending: str
    ) -> None:
        """`ending` is the name of the tool that ends it."""
        self.messages: list[Message] = copy.deepcopy(list(opening))
        self.offer = offer
        self._context_window = context_window
        self._ending = ending
        self._narrower = 0
        self._calls: list[ToolCall] = []

    def next_request(self) -> dict[str, Any]:
        """What the journal holds of the request that would be sent now."""
        request.fit(self.messages, self._context_window, self.offer.chars, (self._narrower,))
        return request.proof(self.messages, self.offer.digest)

    def hear(self, reply: dict[str, Any]) -> None:
        """Take a model's recorded reply in."""
        self._narrower = reply.get("window_chars") or self._narrower
        answer = Answer.model_validate(reply)
        self.messages.append(answer.as_message())
        self._calls = list(answer.calls)
        if not answer.calls:
            self.messages.append(request.nudge(self._ending))

    def next_call(self) -> ToolCall | None:
        """The call whose result is due; None when the model asked for no further one."""
        return self._calls[0] if self._calls else None

    def tell(self, text: str) -> None:
        """Take the result of `next_call` in, as it is recorded."""
        self.messages.append(request.result_message(self._calls.pop(0), text))
