"""What do BMAD's epics say? `epics.md` with stories, `sprint-status.yaml` with their state.

Inside an epic the stories run in order unless prerequisites are written; that
order is implied. A single story file holds its own tasks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise

from wavecrew.plan.problem import PlanRejected
from wavecrew.plan.readers.bmad_story import is_story, read_story
from wavecrew.plan.readers.checklist import readable
from wavecrew.plan.readers.markdown import Document, Heading, Item, Paragraph, parse_markdown
from wavecrew.plan.readers.model import Edge, ImportedPlan, ImportedTask
from wavecrew.plan.readers.notes import Notes
from wavecrew.plan.readers.phrases import plain
from wavecrew.plan.readers.references import Known, references
from wavecrew.plan.readers.source import Source, SourceFile
from wavecrew.plan.yaml_positions import parse_yaml

STATES = frozenset(
    ("backlog", "drafted", "contexted", "ready-for-dev", "in-progress", "review", "done")
)

_EPIC = re.compile(r"Epic\s+(?P<id>\d{1,5})\s*[:.—–-]\s*(?P<title>\S.*)", re.IGNORECASE)
_STORY = re.compile(
    r"Story\s+(?P<id>\d{1,5}\.\d{1,5}[a-z]?)\s*[:.—–-]\s*(?P<title>\S.*)", re.IGNORECASE
)
_LINE = re.compile(r"^#+\s+\**Story\s+\d+\.\d+[a-z]?\s*[:.—–-]", re.MULTILINE | re.IGNORECASE)
_NEEDS = re.compile(
    r"^\W*(?:prerequisites?|dependencies|depends on)\W*:\W*(?P<text>.*)$", re.IGNORECASE
)
_KEY = re.compile(r"(?P<epic>\d{1,5})-(?P<story>\d{1,5}[a-z]?)(?:-.*)?")


class BmadReader:
    name = "bmad"

    def claims(self, source: Source) -> float:
        only = source.only
        if only is not None and is_story(only):
            return 0.9
        stories = [file for file in source.ending(".md") if _LINE.search(file.text)]
        if any(_EPIC_HEAD.search(file.text) for file in stories):
            return 0.93
        return 0.6 if stories else 0.0

    def read(self, source: Source) -> ImportedPlan:
        notes = Notes()
        files = [file for file in source.ending(".md") if _LINE.search(file.text)]
        if not files or (source.only is not None and is_story(source.only)):
            return read_story(source.files[0], notes)
        epics = _Epics(source, notes)
        for file in files:
            epics.collect(file)
        epics.depend()
        for file in source.ending(".yaml", ".yml"):
            if "sprint-status" in file.name:
                epics.take_states(file)
        tasks = epics.tasks()
        return ImportedPlan(
            self.name, tasks, tuple(epics.edges()), (), notes.done(), groups=tuple(epics.groups)
        )


_EPIC_HEAD = re.compile(r"^#+\s+\**Epic\s+\d+\s*[:.—–-]", re.MULTILINE | re.IGNORECASE)


@dataclass
class _Story:
    id: str
    title: str
    line: int
    group: str | None
    file: str | None
    done: bool = False
    needs: list[tuple[str, int]] = field(default_factory=list)
    deps: dict[str, int] = field(default_factory=dict)
    says_none: bool = False


class _Epics:
    def __init__(self, source: Source, notes: Notes) -> None:
        self.source = source
        self.notes = notes
        self.stories: list[_Story] = []
        self.groups: dict[str, str] = {}
        """Heading -> number of the epic."""
        self.between: list[Edge] = []

    def _shown(self, file: SourceFile) -> str | None:
        return file.name if self.source.is_folder else None

    def collect(self, file: SourceFile) -> None:
        story: _Story | None = None
        listed: dict[str, int] = {}
        document: Document = parse_markdown(readable(file, self.notes, self._shown(file)))
        for visit in document.walk():
            block = visit.block
            if isinstance(block, Heading):
                text = plain(block.text)
                if found := _STORY.match(text):
                    story = self._story(found, block, visit.headings, file, listed)
                elif found := _EPIC.match(text):
                    self.groups.setdefault(text, found["id"])
                    story = None
                elif block.level <= 2:
                    story = None
            elif story is not None and isinstance(block, Paragraph):
                for line in block.lines:
                    self._needs(story, line.text, line.number)
            elif story is not None and isinstance(block, Item):
                self._needs(story, block.text, block.line)

    def _story(
        self,
        found: re.Match[str],
        block: Heading,
        above: tuple[Heading, ...],
        file: SourceFile,
        listed: dict[str, int],
    ) -> _Story | None:
        if found["id"] in listed:
            message = f"story {found['id']} is told of again, first on line {listed[found['id']]}"
            self.notes.add("duplicate_id", block.line, message, found["id"])
        listed.setdefault(found["id"], block.line)
        group = next((plain(one.text) for one in reversed(above) if _EPIC.match(one.text)), None)
        group = group or next(reversed(self.groups), None)
        story = _Story(found["id"], found["title"], block.line, group, self._shown(file))
        epic = self.groups.get(group or "")
        if epic is not None and story.id.split(".")[0] != epic:
            message = f"story {story.id} stands under epic {epic}"
            self.notes.add("nesting_mismatch", block.line, message, story.id, file=story.file)
        self.stories.append(story)
        return story

    @staticmethod
    def _needs(story: _Story, text: str, line: int) -> None:
        if found := _NEEDS.match(text):
            story.needs.append((found["text"], line))

    def depend(self) -> None:
        known = Known(story.id for story in self.stories)
        names = {number: name for name, number in self.groups.items()}
        for story in self.stories:
            for text, line in story.needs:
                named = references(text, known)
                story.says_none = story.says_none or named.is_none
                for one in named.ids:
                    if one == story.id:
                        self.notes.add("cycle", line, f"{one} depends on itself", one)
                    else:
                        story.deps.setdefault(one, line)
                for written in named.groups:
                    number = written.split()[-1]
                    if number in names:
                        self.between.append(Edge("group", names[number], story.id, line))
                    else:
                        self._vague(story, written, line)
                self._rest(story, named.unknown, named.ranges, line)
                for word in (*named.keywords, *filter(None, [named.vague])):
                    self._vague(story, word, line)

    def _rest(
        self, story: _Story, unknown: tuple[str, ...], ranges: tuple[str, ...], line: int
    ) -> None:
        for one in unknown:
            message = f"{story.id} needs {one}, which is no story here"
            self.notes.add("unknown_dependency", line, message, story.id, one, file=story.file)
        for one in ranges:
            message = f"{story.id} needs the range {one}, read as all of its members"
            self.notes.add("range_in_dependency", line, message, story.id, file=story.file)

    def _vague(self, story: _Story, word: str, line: int) -> None:
        message = f"{story.id} needs {word[:80]!r}, which names no story"
        self.notes.add("vague_dependency", line, message, story.id, file=story.file)

    def take_states(self, file: SourceFile) -> None:
        """States from sprint-status.yaml; what only one of the two files knows is reported."""
        try:
            document = parse_yaml(file.text, file.name)
        except PlanRejected as rejected:
            problem = rejected.problems[0]
            message = f"the states cannot be read: {problem.message}"
            self.notes.add("unread_file", problem.place.line, message, file=file.name)
            return
        states = document.data.get("development_status")
        if not isinstance(states, dict):
            message = "there is no development_status in it"
            self.notes.add("unread_file", 1, message, file=file.name)
            return
        by_id = {story.id: story for story in self.stories}
        told = set()
        for key, state in states.items():
            line = document.key_place(("development_status", key)).line
            if isinstance(state, str) and state not in STATES | {"optional"}:
                message = f"state {state!r} of {key} is none of BMAD's; taken as not done"
                self.notes.add("unknown_status", line, message, key, file=file.name)
            found = _KEY.fullmatch(key)
            if found is None or key.startswith("epic-"):
                continue
            id_ = f"{found['epic']}.{found['story']}"
            told.add(id_)
            if id_ in by_id:
                by_id[id_].done = state == "done"
            else:
                message = f"{key} has a state, but no epic tells of story {id_}"
                self.notes.add("state_without_story", line, message, id_, file=file.name)
        missing = [story.id for story in self.stories if story.id not in told]
        if missing:
            message = f"{len(missing)} stories have no state; taken as not done"
            self.notes.add("story_without_state", 1, message, *missing, file=file.name)

    def tasks(self) -> tuple[ImportedTask, ...]:
        return tuple(
            ImportedTask(
                id=story.id,
                title=story.title,
                line=story.line,
                deps=tuple(story.deps),
                group=story.group,
                done=story.done,
                file=story.file,
            )
            for story in self.stories
        )

    def edges(self) -> list[Edge]:
        found = [
            Edge("explicit", dep, story.id, line)
            for story in self.stories
            for dep, line in story.deps.items()
        ]
        for before, after in pairwise(self.stories):
            if before.group == after.group and not after.deps and not after.says_none:
                found.append(Edge("order", before.id, after.id, after.line))
        return found + self.between
