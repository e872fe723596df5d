"""Who is to do the work: a role for each agent a document names, or for each sort of work?

Sorts are told by words in titles, files and the agent's name. What a role
strives for is a person's to write; here it gets a plain text that works.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from wavecrew.plan.model import Archetype, Role, RoleName
from wavecrew.plan.proposal.model import Questions
from wavecrew.plan.proposal.names import line_of, plain, slug
from wavecrew.plan.readers.model import ImportedTask
from wavecrew.plan.tool_names import SPECIALIST_TOOLS

ANYWHERE = "**"
_WORDS: dict[Archetype, str] = {
    "database": "databases? db schemas? tables? migrations? sql postgres(?:ql)? sqlite indexe?s?"
    " models? storage alembic repositor(?:y|ies) orm columns? entit(?:y|ies)",
    "pattern": "patterns? learn(?:ing)? algorithms? confidence scor(?:e|es|ing) rank(?:ing)?"
    " mappings? templates? ml merge strateg(?:y|ies) lineage classif\\w+ heuristics?",
    "flow": "flows? workflows? events? pipelines? orchestrat\\w+ states? queues? apis? endpoints?"
    " services? handlers? routes? routing pages? screens? ui components? commands?",
    "integration": "tests? testing integrat\\w+ e2e performance docs? documentation deploy\\w*"
    " ci release polish reviews? qa audits? benchmarks? verif\\w+ validat\\w+ optimi[sz]\\w+",
}
_PATTERNS: dict[Archetype, re.Pattern[str]] = {
    kind: re.compile(rf"(?<![a-z])(?:{'|'.join(words.split())})(?![a-z])", re.IGNORECASE)
    for kind, words in _WORDS.items()
}
_BACKSTORIES: dict[Archetype, str] = {
    "database": "You read the neighbouring models and migrations before you write and follow their "
    "conventions. What the database can guarantee stands in the schema, and you test it there. A "
    "migration goes up and down, and one that is merged is never edited.",
    "flow": "You trace a value through every step before you touch one. You ask of each step what "
    "happens when it fails half-way or is done twice, and you write that test. Callers that you "
    "do not change keep working as they did.",
    "pattern": "You write the table of cases before the code and turn it into tests: ties, missing "
    "values, boundaries. Functions are pure where they can be, numbers are worked by hand once, "
    "and a rule that is left open is decided, written down and tested.",
    "integration": "You try the whole as its users will and look for the wrong answer in it. When "
    "a test is red you name the component and mend it there; you never bend the test. What you "
    "write for people is short and has been tried.",
}
_NUMBERED = re.compile(r"^\W*(?:agent|worker|role)\s*#?\w{1,3}\s*(?:[:.)\-–—]+\s*)", re.IGNORECASE)
_ENDINGS = re.compile(r"[\s_-]+(?:specialist|agent|expert|engineer|developer)$", re.IGNORECASE)


def agents_of(tasks: Sequence[ImportedTask]) -> dict[str, list[ImportedTask]]:
    """Agent as written, or "" -> its entries, in the order of first tasks."""
    found: dict[str, list[ImportedTask]] = {}
    for task in tasks:
        found.setdefault(line_of(task.agent or ""), []).append(task)
    return found


class Roles:
    """Collects the roles of one plan."""

    def __init__(
        self, managers: Mapping[str, Role], questions: Questions, tests_folder: str = ""
    ) -> None:
        self.managers, self.questions, self.tests_folder = managers, questions, tests_folder
        self.made: dict[str, Role] = {}
        self.of_agent: dict[str, str] = {}
        """Agent as written -> role name."""

    def named(self, agent: str, tasks: Sequence[ImportedTask]) -> RoleName:
        """The role of an agent the document names."""
        shown = _NUMBERED.sub("", agent) or agent
        name = self._name(slug(_ENDINGS.sub("", shown) or shown, "_") or slug(agent, "_"))
        self.of_agent[agent] = name
        kind, sure = archetype(tasks, agent)
        if not sure:
            text = f"no word tells the sort of work; it was taken as {kind}"
            self.questions.ask("archetype", text, [name], ("role", name, "archetype"))
        self._add(name, shown, kind, tasks, 1)
        return name

    def of_sort(self, kind: Archetype, tasks: Sequence[ImportedTask]) -> RoleName:
        """The role for tasks that name no agent and are of one sort."""
        name = self._name(f"{kind}_specialist")
        text = "the document names no agent for these tasks; who does them, how many at once?"
        self.questions.ask("no_agent", text, [name], ("role", name, "parallel"))
        self._add(name, f"{kind.capitalize()} specialist", kind, tasks, min(4, len(tasks)))
        return name

    def _name(self, wanted: str) -> RoleName:
        taken = {*self.made, *self.managers}
        return RoleName(plain(wanted, f"role_{len(self.made) + 1}", taken).replace("-", "_"))

    def _add(
        self,
        name: RoleName,
        shown: str,
        kind: Archetype,
        tasks: Sequence[ImportedTask],
        parallel: int,
    ) -> None:
        titles = list(dict.fromkeys(line_of(task.title) for task in tasks if task.title))
        more = f" and {len(titles) - 6} more" if len(titles) > 6 else ""
        scope = folders(tasks, self.tests_folder)
        if not scope:
            text = "the document does not say where it writes; which folders are its own?"
            self.questions.ask("may_write", text, [name], ("role", name, "may_write"))
        self.made[name] = Role(
            name=name,
            role=shown,
            goal=f"Carry out completely, with tests that show it: {'; '.join(titles[:6])}{more}.",
            backstory=_BACKSTORIES[kind],
            archetype=kind,
            tools=SPECIALIST_TOOLS,
            may_write=scope or (ANYWHERE,),
            parallel=max(1, parallel),
        )


def archetype(tasks: Iterable[ImportedTask], agent: str = "") -> tuple[Archetype, bool]:
    """The sort of work, and whether any word tells it; the agent's own name counts most."""
    score: Counter[Archetype] = Counter()
    for kind, pattern in _PATTERNS.items():
        score[kind] += 3 * len(set(pattern.findall(agent.casefold())))
        for task in tasks:
            score[kind] += bool(pattern.search(task.title[:500]))
            score[kind] += bool(pattern.search(" ".join(task.files[:50])))
    kind, most = score.most_common(1)[0]
    return (kind, True) if most else ("flow", False)


def paths(task: ImportedTask) -> tuple[str, ...]:
    """The files a task names, as globs from the root; what leads out of the tree is left out."""
    found: dict[str, None] = {}
    for written in task.files:
        path = line_of(written).strip("`'\" ").removeprefix("./")
        parts = PurePosixPath(path).parts
        if (
            path
            and not path.startswith(("/", "~", "!", "#"))
            and ".." not in parts
            and len(path) < 300
        ):
            found[path if "/" in path.rstrip("/") else f"/{path}"] = None
    return tuple(found)


def folders(tasks: Sequence[ImportedTask], tests_folder: str) -> tuple[str, ...]:
    """Folders of all files the tasks name; () when some task names none."""
    found: dict[str, None] = {}
    for task in tasks:
        own = paths(task)
        if not own:
            return ()
        for path in own:
            parent = str(PurePosixPath(path.lstrip("/")).parent)
            magic = any(one in path for one in "*?[")
            found[path if parent == "." or magic else f"/{parent}/"] = None
    if tests_folder:
        found[f"/{tests_folder}/"] = None
    return tuple(found)
