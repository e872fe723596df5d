"""What are the tasks of a document that gives each agent one piece of work and no task a number?"""

from __future__ import annotations

import re

from wavecrew.plan.readers.drawing import read_drawing
from wavecrew.plan.readers.markdown import Document, Fence, Heading, Item, Paragraph
from wavecrew.plan.readers.phrases import fields, plain
from wavecrew.plan.readers.waves_entries import Entries, Entry, is_done
from wavecrew.plan.readers.waves_words import AGENT, HOURS, NEEDS, STATUS, group_of, is_aside

_AGENT = re.compile(
    r"^\W*(?P<id>(?:agent|worker|stream|track|work\s?stream|lane|team)[\s-]*#?(?:[A-Z]?\d+[a-z]?|[A-Z])\b)"
    r"\s*(?:[:：]|\s[-–—]+\s|[(])\s*(?P<title>.+)$",
    re.I,
)


def agents_as_tasks(entries: Entries, document: Document) -> None:
    """Define one task for every agent that is given something to do."""
    current: tuple[Entry, int] | None = None
    for visit in document.walk():
        block = visit.block
        group = group_of(visit)
        name = group.name if group else None
        if isinstance(block, Heading):
            hit = _AGENT.match(plain(block.text))
            if hit and not is_aside(visit):
                current = (_define(entries, hit, block.line, name), block.level)
            elif current and block.level <= current[1]:
                current = None
        elif isinstance(block, Fence) and not is_aside(visit):
            for drawn in read_drawing(block.lines):
                hit = _AGENT.match(drawn.text)
                if hit and drawn.is_branch:
                    _define(entries, hit, drawn.line, name)
        elif isinstance(block, Item | Paragraph) and current is not None:
            lines = block.lines if isinstance(block, Paragraph) else ()
            texts = [(line.text, line.number) for line in lines]
            if isinstance(block, Item):
                texts = [(block.text, block.line)]
            for text, line in texts:
                _details(entries, current[0], text, line)
        elif isinstance(block, Item) and not is_aside(visit) and group:
            hit = _AGENT.match(plain(block.text))
            if hit:
                _define(entries, hit, block.line, name)


def _define(entries: Entries, hit: re.Match[str], line: int, group: str | None) -> Entry:
    title = hit["title"].rstrip(" )")
    entry = entries.define("heading", hit["id"], title, line, group=group, agent=hit["id"])
    if group:
        entries.builder.groups.setdefault(group, line)
    message = "an agent with its work, taken as one task"
    entries.builder.report("agent_as_task", line, (entry.draft.id,), message)
    return entry


def _details(entries: Entries, entry: Entry, text: str, line: int) -> None:
    for name, value in fields(text):
        if not value:
            continue
        if name in NEEDS:
            entries.say("needs", value, line, task=entry.draft.id)
        elif name in HOURS and entry.draft.estimate is None:
            entries.builder.estimate(entry.draft, value, line)
        elif name in AGENT and name != "agent":
            entry.draft.agent = plain(value)
        elif name in STATUS:
            entry.draft.done = entry.draft.done or is_done(value)
