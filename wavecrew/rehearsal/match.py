"""Which scripted turn a request gets. Pure: messages in, a turn or a mismatch out.

A conversation is known by the `Conversation:` line of its first user message,
a turn by the number of answers the request already holds. A request that the
script does not foresee is a mismatch, told with what was seen and expected;
nothing is ever improvised.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from wavecrew.rehearsal.script import Rehearsal, Turn

SEEN_CHARS = 800
_LINE = re.compile(
    # CrewAI puts `Current Task: ` before what it is given.
    r"^[ \t]*(?:Current Task:[ \t]*)?Conversation: (?P<name>(?:task|triage|sync)/[^/\s]+)"
    r"/(?P<attempt>\d{1,9})[ \t\r]*$",
    re.MULTILINE,
)

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Matched:
    conversation: str
    attempt: int
    number: int
    """The turn's place in its attempt, from 1."""
    turn: Turn


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Why the script has no answer. `turn` counts from 1, 0 when it is not known."""

    message: str
    file: str = ""
    conversation: str = ""
    attempt: int = 0
    turn: int = 0
    expected: tuple[str, ...] = ()
    seen: str = ""

    def __str__(self) -> str:
        """The whole of it in one text, for the one who mends the script."""
        place = f"{self.conversation}/{self.attempt}" if self.conversation else ""
        head = ", ".join(part for part in (self.file, place) if part)
        told = [f"{head}: {self.message}" if head else self.message]
        if self.expected:
            told.append(f"expected: {', '.join(map(repr, self.expected))}")
        if self.seen:
            told.append(f"seen: {self.seen}")
        return "\n".join(told)


def match(rehearsal: Rehearsal, messages: Sequence[Message]) -> Matched | Mismatch:
    """The turn that `messages`, a request's whole history, asks for."""
    opening = next((text_of(m) for m in messages if m.get("role") == "user"), "")
    named = _LINE.search(opening)
    if named is None:
        return Mismatch(
            "the first user message has no line 'Conversation: <kind>/<id>/<attempt>'",
            seen=_cut(opening),
        )
    name, attempt = named["name"], int(named["attempt"])
    place = Mismatch("", conversation=name, attempt=attempt)
    conversation = rehearsal.conversations.get(name)
    if conversation is None:
        what = f"the rehearsal has no conversation {name!r}"
        return replace(place, message=what, expected=tuple(rehearsal.conversations))
    place = replace(place, file=conversation.file.name)
    turns = conversation.attempts.get(attempt)
    if turns is None:
        scripted = tuple(f"{name}/{known}" for known in conversation.attempts)
        return replace(place, message=f"no attempt {attempt} is scripted", expected=scripted)
    number = 1 + sum(m.get("role") == "assistant" for m in messages)
    seen = heard(messages)
    place = replace(place, turn=number, seen=_cut(seen))
    if number > len(turns):
        what = f"turn {number} is asked for, and attempt {attempt} ends after turn {len(turns)}"
        return replace(place, message=what)
    turn = turns[number - 1]
    missing = [text for text in turn.expect if text not in seen]
    if missing:
        what = f"turn {number} (line {turn.line}) expects {', '.join(map(repr, missing))}"
        return replace(place, message=what, expected=turn.expect)
    return Matched(name, attempt, number, turn)


def heard(messages: Sequence[Message]) -> str:
    """What the model was told since its last answer: tool results, or the assignment itself."""
    texts: list[str] = []
    for message in reversed(messages):
        if message.get("role") == "assistant":
            break
        if message.get("role") in ("tool", "user"):
            texts.append(text_of(message))
    return "\n".join(reversed(texts))


def text_of(message: Message) -> str:
    """The text of a message, whether written as a string or as a list of parts."""
    content = message.get("content")
    if isinstance(content, list):
        return "".join(str(p.get("text", "")) for p in content if isinstance(p, Mapping))
    return content if isinstance(content, str) else ""


def _cut(text: str) -> str:
    if len(text) <= SEEN_CHARS:
        return text
    half = SEEN_CHARS // 2
    return f"{text[:half]}\n[... {len(text) - 2 * half} characters ...]\n{text[-half:]}"
