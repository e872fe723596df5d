"""Plans of Sisyphus / Prometheus (`.sisyphus/plans/NAME.md`).

A task is a numbered checkbox under TODOs or the final wave. Up to four places
state its dependencies: the drawn waves, the matrix, its own `Blocked By` and
the inverse `Blocks` of others. They are joined, and disagreement is reported.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from wavecrew.plan.readers.builder import Draft, PlanBuilder
from wavecrew.plan.readers.drawing import read_drawing
from wavecrew.plan.readers.markdown import (
    Document,
    Fence,
    Heading,
    Item,
    Line,
    Paragraph,
    Table,
    Visit,
    checkbox,
)
from wavecrew.plan.readers.model import Claim, Edge, Gate, ImportedPlan
from wavecrew.plan.readers.phrases import field, fields, folded, plain, without_marks
from wavecrew.plan.readers.references import References
from wavecrew.plan.readers.source import Source, SourceFile

_TODO = re.compile(
    r"^\**\s*(?:task\s+)?(?P<id>[TF]?\d+(?:\.\d+)*[a-z]?)\s*(?:[.:)]|\s[—–-])\**\s+(?P<title>\S.*)$",
    re.IGNORECASE,
)
_NO_TASKS = re.compile(
    r"definition of done|acceptance|checklist|success criteria|must (?:not )?have|deliverable"
    r"|verification (?:strategy|commands)|commit strategy|context|work objectives|tl;?dr",
    re.IGNORECASE,
)
_BOXES = re.compile(
    r"^\W*(?:final )?(?:checklist|definition of done|acceptance|success criteria|evidence)",
    re.IGNORECASE,
)
_TASKS = re.compile(
    r"^\W*(?:todos?\b|tasks?\b|task list|implementation (?:tasks|todos)|work items"
    r"|final (?:verification )?wave|final verification)",
    re.IGNORECASE,
)
_FINAL_WAVE = re.compile(r"final.*wave.*after\s+all\b", re.IGNORECASE)
_AFTER_ALL = re.compile(r"after\s+all\b", re.IGNORECASE)
_CATEGORY = re.compile(
    r"\s*(?:[—–-]\s*`(?P<tick>[a-z][a-z0-9-]*)`(?:\s*\([^()]*\))?|\[(?P<square>[a-z][a-z0-9-]*)\]"
    r"|\((?P<round>oracle|quick|deep|writing|artistry|ultrabrain|visual-engineering"
    r"|unspecified-(?:low|high))\))\s*$"
)
_SUFFIX = re.compile(
    r"\s*(?:[(\[]|[—–-]\s*)\s*(?:depends?(?: on)?|deps|blocked by|after)\s*:?\s*"
    r"(?P<refs>[^()\[\]]*)[)\]]?\s*$",
    re.IGNORECASE,
)
_WAVE = re.compile(
    r"^\W*wave\s+(?P<name>\d+[a-z]?|final|[A-Z])\b\W*?\s*(?P<remark>\(.*)?", re.IGNORECASE
)
_LEAF = re.compile(
    r"^(?:task\s+)?(?P<id>[TF]?\d+(?:\.\d+)*[a-z]?)\s*[:.)]\s*(?P<title>.*)$", re.IGNORECASE
)
_PAIR = re.compile(
    r"^\**(?P<ids>[^:*]+?)\**\s*:\**\s*(?P<deps>—|–|-|[^—–]*?)\s*(?:—|–|→|\s-\s|;)\s*(?P<blocks>.*)$"
)


@dataclass
class _Todo:
    draft: Draft
    depth: int


class Sisyphus:
    name = "sisyphus"

    def claims(self, source: Source) -> float:
        return max((_sureness(file) for file in source.ending(".md")), default=0.0)

    def read(self, source: Source) -> ImportedPlan:
        builder = PlanBuilder(self.name)
        best = max(source.files, key=_sureness)
        _Reading(builder, builder.open(best.text), best, source.is_folder).run()
        return builder.plan()


def _sureness(file: SourceFile) -> float:
    text = file.text
    if not file.name.lower().endswith((".md", ".markdown")) and file.suffix:
        return 0.0
    marks = sum(
        bool(re.search(rf"^#{{2,4}}\s+{name}", text, re.IGNORECASE | re.MULTILINE))
        for name in (
            r"TL;DR",
            r"Work Objectives",
            r"Parallel Execution Waves",
            r"Dependency Matrix",
            r"Agent Dispatch Summary",
            r"Final Verification Wave",
            r"Must NOT Have",
            r"Commit Strategy",
        )
    )
    todos = bool(re.search(r"^#{1,3}\s+\W*TODOs?\b", text, re.IGNORECASE | re.MULTILINE))
    numbered = bool(
        re.search(r"^(?:#+\s+)?(?:[-*]\s+)?\[.\]\s+\**[TF]?\d+[.)]", text, re.MULTILINE)
    )
    if not numbered:
        return 0.0
    return 0.95 if todos and marks >= 2 else 0.6 if todos or marks >= 3 else 0.0


class _Reading:
    def __init__(
        self, builder: PlanBuilder, document: Document, file: SourceFile, in_folder: bool
    ) -> None:
        self.builder = builder
        self.document = document
        self.file = file.name if in_folder else None
        self.wave_of: dict[str, str] = {}
        self.agent_of: dict[str, str] = {}
        self.tree_title: dict[str, tuple[str, int]] = {}
        self.bodies: list[tuple[Draft, str, int]] = []
        """Every line of every task's body."""
        self.blocks: list[tuple[str, str, int]] = []
        """(task, what it says it blocks, line), kept until all tasks are known."""
        self.own: dict[str, int] = {}
        """Tasks that state their own dependencies -> line."""
        self.said: dict[tuple[str, str], set[str]] = {}
        """(source, task) -> dependencies, to find disagreement."""
        self.final_after_all = 0
        self.work: tuple[int, tuple[str, ...]] = (0, ())
        """(number of drafts, ids of those that are work): every `ALL` asks for them."""

    def run(self) -> None:
        visits = list(self.document.walk())
        self._tasks(visits)
        for visit in visits:
            self._structure(visit)
        for draft, text, line in self.bodies:
            self._body_line(draft, text, line)
        self._inverse()
        self._final()
        self._waves()
        self._disagreements()

    # Tasks

    def _tasks(self, visits: list[Visit]) -> None:
        headed = any(
            _TASKS.match(plain(one.block.text)) for one in visits if isinstance(one.block, Heading)
        )
        current: _Todo | None = None
        for visit in visits:
            block = visit.block
            todo = self._todo(visit, headed)
            if todo is not None:
                current = todo
            elif isinstance(block, Heading) and current and block.level <= current.depth:
                current = None
            elif current is not None:
                self._remember(current.draft, visit)

    def _todo(self, visit: Visit, headed: bool) -> _Todo | None:
        block = visit.block
        if isinstance(block, Heading):
            box, _, text = checkbox(block.text.lstrip("-*+ "))
            depth = block.level
        elif isinstance(block, Item) and not visit.parents:
            box, text, depth = block.box, block.text, 3
        else:
            return None
        hit = _TODO.match(text)
        if hit is None or (box is None and isinstance(block, Item)):
            return None
        path = [plain(one.text) for one in visit.headings]
        if headed and not any(_TASKS.match(one) for one in path):
            return None
        if path and _BOXES.match(path[-1]):
            return None
        if not headed and any(_NO_TASKS.search(one) for one in path):
            return None
        if box is None and not re.match(r"^\W*(?:task\s|[TF]?\d+[.):])", text, re.IGNORECASE):
            return None
        return _Todo(self._draft(hit, box, block.line), depth)

    def _draft(self, hit: re.Match[str], box: str | None, line: int) -> Draft:
        title, agent = _without_category(without_marks(folded(hit["title"])))
        suffix = _SUFFIX.search(title)
        if suffix:
            title = title[: suffix.start()]
        draft = Draft(hit["id"], plain(title), line, agent=agent, file=self.file)
        draft.done = (box or " ") in "xX"
        self.builder.add(draft)
        if box not in (None, " ", "x", "X"):
            message = f"the box holds {box!r}; taken as not done"
            self.builder.report("unknown_status", line, (draft.id,), message)
        if suffix:
            self.bodies.append((draft, f"Blocked By: {suffix['refs']}", line))
        return draft

    def _remember(self, draft: Draft, visit: Visit) -> None:
        block = visit.block
        if isinstance(block, Item):
            self.bodies.append((draft, block.text, block.line))
        elif isinstance(block, Paragraph):
            self.bodies += [(draft, line.text, line.number) for line in block.lines]

    def _body_line(self, draft: Draft, text: str, line: int) -> None:
        for name, value in fields(text):
            if name in ("blocked by", "depends on", "dependencies", "depends"):
                self._needs("body", draft.id, value, line)
            elif name == "blocks":
                self.blocks.append((draft.id, value, line))
            elif name == "category":
                draft.agent = draft.agent or value.strip("`* ").split("`")[0].split(" ")[0]
            elif name == "parallel group" and draft.id not in self.wave_of:
                wave = _WAVE.match(value)
                if wave:
                    self.wave_of[draft.id] = _wave_name(wave["name"])

    # Waves, matrix, claims

    def _structure(self, visit: Visit) -> None:
        block = visit.block
        under = " / ".join(one.text.casefold() for one in visit.headings[-2:])
        drawn = block.lines if isinstance(block, Fence | Paragraph) else ()
        if "execution waves" in under or (isinstance(block, Fence) and "execution" in under):
            self._drawing(drawn)
        elif isinstance(block, Table):
            self._matrix(block)
        elif isinstance(block, Item) and "dependency matrix" in under:
            self._pair(block)
        elif isinstance(block, Heading) and _FINAL_WAVE.search(block.text):
            self.final_after_all = self.final_after_all or block.line

    def _drawing(self, lines: tuple[Line, ...]) -> None:
        wave: str | None = None
        for drawn in read_drawing(lines):
            header = _WAVE.match(drawn.text)
            if header and not drawn.is_branch:
                wave = _wave_name(header["name"])
                self.builder.groups.setdefault(wave, drawn.line)
                self._after(wave, header["remark"] or "", drawn.line)
            elif (leaf := _LEAF.match(drawn.text)) and (drawn.is_branch or wave):
                self._leaf(leaf, wave, drawn.line)
            else:
                self._claim(drawn.text, drawn.line)

    def _after(self, wave: str, remark: str, line: int) -> None:
        if _AFTER_ALL.search(remark):
            if "FINAL" in wave:
                self.final_after_all = self.final_after_all or line
            return
        for hit in re.finditer(r"after\s+(wave\s+\w+)", remark, re.IGNORECASE):
            earlier = _WAVE.match(hit[1])
            if earlier:
                before = _wave_name(earlier["name"])
                self.builder.edges.setdefault(Edge("group", before, wave, line))

    def _leaf(self, leaf: re.Match[str], wave: str | None, line: int) -> None:
        task = self.builder.known.find(leaf["id"])
        title = folded(leaf["title"])
        for _ in range(2):
            title, agent = _without_category(title)
            suffix = _SUFFIX.search(title)
            if suffix:
                title = title[: suffix.start()]
            if task is None:
                continue
            if agent:
                self.agent_of.setdefault(task, agent)
            if suffix:
                self._needs("drawing", task, suffix["refs"], line)
        if task is None:
            message = f"{leaf['id']} is drawn in the waves, but no TODO has that number"
            self.builder.report("unknown_task", line, (leaf["id"],), message)
            return
        if wave:
            self.wave_of[task] = wave
        self.tree_title.setdefault(task, (plain(title), line))

    def _claim(self, text: str, line: int) -> None:
        found = field(text)
        if found is None:
            return
        number = re.search(r"\d+", found.value)
        if found.name.startswith("max concurrent") and number:
            self.builder.claims.append(Claim("max_concurrent", float(number[0]), line))

    def _matrix(self, table: Table) -> None:
        names = [plain(cell).casefold() for cell in table.header]
        task_at = next((at for at, name in enumerate(names) if name in _TASK_COLUMNS), None)
        needs_at = _column(names, ("depends on", "blocked by", "dependencies", "depends", "deps"))
        blocks_at = _column(names, ("blocks",))
        if task_at is None or (needs_at is None and blocks_at is None):
            return
        wave_at = _column(names, ("wave",))
        for row in table.rows:
            tasks = self.builder.refer(row.cells[task_at], row.line)
            for task in self._subjects(tasks):
                if needs_at is not None:
                    self._needs("matrix", task, row.cells[needs_at], row.line)
                if blocks_at is not None:
                    self.blocks.append((task, row.cells[blocks_at], row.line))
                if wave_at is not None and row.cells[wave_at].strip(" *—-"):
                    name = row.cells[wave_at].strip(" *")
                    wave = _WAVE.match(name if "ave" in name else f"Wave {name}")
                    if wave:
                        self.wave_of.setdefault(task, _wave_name(wave["name"]))

    def _pair(self, item: Item) -> None:
        """`**8-9**: 1-6 — 14-19, 2`: tasks, what they need, what they block, their wave."""
        hit = _PAIR.match(folded(item.text)[:2000])
        if hit is None:
            named = field(item.text)
            if named is not None:
                tasks = self.builder.refer(named.name, item.line)
                for task in tasks.ids:
                    self._needs("matrix", task, named.value, item.line)
            return
        blocks = re.sub(r"^\W*blocks\W*", "", hit["blocks"], flags=re.IGNORECASE)
        wave: str | None = None
        parts = blocks.rsplit(",", 1)
        last = parts[-1].strip(" *")
        if len(parts) == 2 and re.fullmatch(r"(?:wave\s+)?(?:\d{1,2}|final)", last, re.IGNORECASE):
            blocks, wave = parts[0], _wave_name(last.split()[-1])
        needs = re.sub(r"^\W*depends(?: on)?\W*", "", hit["deps"], flags=re.IGNORECASE) or "none"
        for task in self._subjects(self.builder.refer(hit["ids"], item.line)):
            self._needs("matrix", task, needs, item.line)
            self.blocks.append((task, blocks or "none", item.line))
            if wave:
                self.wave_of.setdefault(task, wave)

    # Dependencies

    def _subjects(self, refs: References) -> tuple[str, ...]:
        final = self._final_ids() if "final" in refs.keywords and not refs.ids else ()
        return tuple(dict.fromkeys((*refs.ids, *final)))

    def _final_ids(self) -> tuple[str, ...]:
        return tuple(one.id for one in self.builder.drafts if _is_final(one))

    def _work_ids(self) -> tuple[str, ...]:
        drafts = self.builder.drafts
        if self.work[0] != len(drafts):
            self.work = (len(drafts), tuple(one.id for one in drafts if not _is_final(one)))
        return self.work[1]

    def _needs(self, where: str, task: str, text: str, line: int) -> None:
        refs = self.builder.refer(text, line, (task,))
        ids = dict.fromkeys(refs.ids)
        if "all" in refs.keywords:
            ids.update(dict.fromkeys(self._all_before(task)))
            self._report_keyword(text, line, task, list(ids))
        elif "final" in refs.keywords:
            ids.update(dict.fromkeys(one for one in self._final_ids() if one != task))
        for group in refs.groups:
            self.builder.edges.setdefault(Edge("group", _as_wave(group), task, line))
        if refs.vague:
            message = f"cannot tell which tasks {refs.vague[:80]!r} means"
            self.builder.report("vague_dependency", line, (task,), message)
            return
        self.own.setdefault(task, line)
        self.said.setdefault((where, task), set()).update(ids)
        self.builder.depend(task, ids, line)

    def _all_before(self, task: str) -> list[str]:
        """Every piece of work for a review; for work, what stands above it in the document."""
        if self.builder.is_full():
            return []
        work = self._work_ids()
        return list(work[: work.index(task)] if task in work else work)

    def _report_keyword(self, text: str, line: int, task: str, ids: list[str]) -> None:
        shown = ", ".join(ids[:12]) + (f" and {len(ids) - 12} more" if len(ids) > 12 else "")
        message = f"{text.strip()[:60]!r} taken as {shown or 'nothing'}"
        self.builder.report("keyword_dependency", line, (task, *ids[:12]), message)

    def _inverse(self) -> None:
        for task, text, line in self.blocks:
            refs = self.builder.refer(text, line, (task,))
            targets = dict.fromkeys(refs.ids)
            if "final" in refs.keywords:
                targets.update(dict.fromkeys(self._final_ids()))
            everything = "all" in refs.keywords and "final" not in refs.keywords
            if everything and not self.builder.is_full():
                work = self._work_ids()
                later = work[work.index(task) + 1 :] if task in work else ()
                targets.update(dict.fromkeys(later))
                self._report_keyword(text, line, task, list(targets))
            for group in refs.groups:
                self.builder.edges.setdefault(Edge("group", task, _as_wave(group), line))
            for target in targets:
                if target != task:
                    self.said.setdefault(("blocks", target), set()).add(task)
                    self.builder.depend(target, (task,), line)

    def _final(self) -> None:
        finals = self._final_ids()
        work = self._work_ids()
        for task in finals:
            draft = self.builder.by_id[task]
            self.builder.gates.append(Gate("review", draft.title, draft.line, after=work))
            if self.final_after_all and task not in self.own:
                self.builder.depend(task, work, self.final_after_all)
        if finals and self.final_after_all:
            self.builder.report(
                "keyword_dependency",
                self.final_after_all,
                finals,
                f"the final wave stands after ALL tasks: {', '.join(work[:20])}",
            )

    def _waves(self) -> None:
        for draft in self.builder.drafts:
            wave = self.wave_of.get(draft.id) or ("Wave FINAL" if _is_final(draft) else None)
            draft.group = wave
            draft.agent = draft.agent or self.agent_of.get(draft.id)
            if wave:
                self.builder.groups.setdefault(wave, draft.line)
            drawn = self.tree_title.get(draft.id)
            if drawn and plain(drawn[0]).replace("`", "") != draft.title.replace("`", ""):
                message = f"drawn as {drawn[0][:60]!r}, below {draft.title[:60]!r}"
                self.builder.report("title_differs", drawn[1], (draft.id,), message)
        last = self.builder.groups.pop("Wave FINAL", None)
        if last is not None:
            self.builder.groups["Wave FINAL"] = last

    def _disagreements(self) -> None:
        for draft in self.builder.drafts:
            told = {
                where: frozenset(self.said[where, draft.id])
                for where in ("drawing", "matrix", "body")
                if (where, draft.id) in self.said
            }
            if ("blocks", draft.id) in self.said:
                extra = self.said["blocks", draft.id] - set().union(*told.values())
                if extra and told:
                    told["blocks of others"] = frozenset(extra)
            if len(set(told.values())) > 1:
                said = "; ".join(f"{w}: {', '.join(sorted(d)) or 'none'}" for w, d in told.items())
                line = self.own.get(draft.id, draft.line)
                self.builder.report("conflicting_dependency", line, (draft.id,), said)


_TASK_COLUMNS = ("task", "tasks", "#", "id", "todo", "task id", "task #")


def _column(names: list[str], wanted: tuple[str, ...]) -> int | None:
    return next((at for at, name in enumerate(names) if name.startswith(wanted)), None)


def _is_final(draft: Draft) -> bool:
    return draft.id[:1] in "Ff"


def _wave_name(name: str) -> str:
    return f"Wave {name.upper()}"


def _as_wave(group: str) -> str:
    hit = _WAVE.match(group)
    return _wave_name(hit["name"]) if hit else group


def _without_category(title: str) -> tuple[str, str | None]:
    hit = _CATEGORY.search(title)
    if hit is None:
        return title.strip(), None
    return title[: hit.start()].strip(), hit["tick"] or hit["square"] or hit["round"]
