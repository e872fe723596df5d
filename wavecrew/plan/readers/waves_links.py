"""What do the statements of a wave document say about who waits for whom?"""

from __future__ import annotations

import re
from itertools import pairwise

from wavecrew.plan.readers.model import Edge
from wavecrew.plan.readers.references import references
from wavecrew.plan.readers.waves_entries import Entries, Statement
from wavecrew.plan.readers.waves_words import Group, short_of

_DEPENDS = re.compile(
    r"^(?P<after>.*?)\b(?:depends?\s+on|requires|needs|waits?\s+for)\b(?P<before>.*)$", re.I
)
_LINK = re.compile(r"→|⇒|-{1,40}>|={1,40}>")


def link(entries: Entries) -> None:
    """Turn every statement into dependencies, edges or diagnostics."""
    links = _Links(entries)
    for statement in entries.statements:
        if statement.kind == "prose":
            links.members(statement)
    for statement in entries.statements:
        if statement.kind == "needs":
            links.needs(statement)
        elif statement.kind == "blocks":
            links.blocks(statement)
        elif statement.kind == "chain":
            links.chain(statement)


class _Links:
    def __init__(self, entries: Entries) -> None:
        self.builder = entries.builder
        self.groups = {short_of(name): name for name in reversed(self.builder.groups)}
        """`wave 1` -> the heading's words."""

    def group(self, written: str) -> str:
        return self.groups.get(short_of(written), written)

    def members(self, statement: Statement) -> None:
        """A list of ids under a wave's heading puts them into it."""
        _, _, text = statement.text.partition("\0")
        name = statement.group or ""
        refs = self.builder.refer(re.sub(r"\([^)]*\)", "", text), statement.line)
        for task in refs.ids:
            draft = self.builder.by_id.get(task)
            if draft is not None:
                draft.group = name
        if refs.ids:
            group = Group.of(name)
            self.builder.groups.setdefault(name, group.line if group else statement.line)
        self.groups[short_of(name)] = name

    def needs(self, statement: Statement) -> None:
        told = _DEPENDS.match(statement.text)
        if told and statement.task is None:
            subjects = self.builder.refer(told["after"] or "none", statement.line).ids
            if subjects:
                for one in subjects:
                    self._one(told["before"], statement.line, one, None)
                return
            if statement.group:
                self._one(told["before"], statement.line, None, statement.group)
            return
        if statement.task or statement.group:
            self._one(statement.text, statement.line, statement.task, statement.group)

    def _one(self, text: str, line: int, task: str | None, group: str | None) -> None:
        here = task or group or ""
        refs = self.builder.refer(text, line, (here,) if task else ())
        ids = list(refs.ids)
        if "all" in refs.keywords and task is not None and not self.builder.is_full():
            ids = [one.id for one in self.builder.drafts[: self._position(task)]]
            message = f"{text.strip()[:60]!r} taken as {', '.join(ids[:20]) or 'nothing'}"
            self.builder.report("keyword_dependency", line, (task, *ids[:20]), message)
        if task is not None:
            self.builder.depend(task, (one for one in ids if one != task), line)
        else:
            for one in ids:
                self.builder.edges.setdefault(Edge("group", one, here, line))
        for written in refs.groups:
            self.builder.edges.setdefault(Edge("group", self.group(written), here, line))
        if refs.vague:
            message = f"cannot tell which tasks {refs.vague[:80]!r} means"
            self.builder.report("vague_dependency", line, (here,), message)

    def chain(self, statement: Statement) -> None:
        """Taken only when every link names tasks of the document and nothing else."""
        parts = [one for one in _LINK.split(statement.text) if one.strip()]
        named = [references(one, self.builder.known) for one in parts]
        if any(not refs.ids or refs.unknown for refs in named):
            return
        for before, after in pairwise(named):
            for one in after.ids:
                self.builder.depend(one, before.ids, statement.line)

    def blocks(self, statement: Statement) -> None:
        task = statement.task or ""
        refs = self.builder.refer(statement.text, statement.line, (task,))
        for one in refs.ids:
            if one != task:
                self.builder.depend(one, (task,), statement.line)
        for written in refs.groups:
            self.builder.edges.setdefault(Edge("group", task, self.group(written), statement.line))
        if "all" in refs.keywords:
            others = [one.id for one in self.builder.drafts[:21] if one.id != task]
            self.builder.edges.setdefault(Edge("group", task, "all other tasks", statement.line))
            message = f"{statement.text.strip()[:60]!r} means {', '.join(others[:20])}"
            self.builder.report("keyword_dependency", statement.line, (task,), message)

    def _position(self, task: str) -> int:
        return next(at for at, one in enumerate(self.builder.drafts) if one.id == task)
