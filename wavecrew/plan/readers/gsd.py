"""Phases of GSD (`.planning/phases/NN-name/NN-MM-PLAN.md`).

One plan file is one task: it is the unit that runs in parallel, and the steps
inside run in order. A `-SUMMARY.md` beside it means that it is done.
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import PurePosixPath
from typing import NamedTuple

from wavecrew.plan.readers.builder import Draft, PlanBuilder
from wavecrew.plan.readers.front import Front, as_list, read_front
from wavecrew.plan.readers.markdown import Document, Heading, Html, Paragraph
from wavecrew.plan.readers.model import Diagnostic, Edge, Gate, ImportedPlan
from wavecrew.plan.readers.phrases import plain
from wavecrew.plan.readers.references import Known
from wavecrew.plan.readers.source import Source, SourceFile

_NAME = re.compile(r"^(?P<id>(?P<phase>\d+(?:\.\d+)*[A-Za-z]?)-(?P<plan>\d+[A-Za-z]?))-PLAN$", re.I)
_ANY_PLAN = re.compile(r"(?:^|[-_])PLAN(?:[-_]\d+)?$", re.I)
_HEADING = re.compile(r"^plan\s+(?P<id>[\w.-]+)\s*[:—–-]\s*(?P<title>.+)$", re.I)
_OPEN = re.compile(r"<objective>\s*(?P<text>.*)", re.I)
_STEP = re.compile(r"<task\b(?P<attributes>[^<>]{0,500})>", re.I)
_TYPE = re.compile(r"""type\s*=\s*["']?(?P<type>[\w:-]+)""", re.I)
_STEP_NAME = re.compile(r"<name>(?P<text>.*?)(?:</name>|$)", re.I)


class _Plan(NamedTuple):
    draft: Draft
    file: SourceFile
    front: Front
    phase: str
    short: str
    wave: int | None


class Gsd:
    name = "gsd"

    def claims(self, source: Source) -> float:
        return max((_sureness(file) for file in source.ending(".md")), default=0.0)

    def read(self, source: Source) -> ImportedPlan:
        builder = PlanBuilder(self.name)
        found: list[Diagnostic] = []
        plans: list[_Plan] = []
        for file in source.files:
            if _sureness(file) >= 0.5:
                plans.append(_read_plan(builder, file, source))
                found += plans[-1].front.diagnostics
        for plan in plans:
            _dependencies(builder, plan, plans)
        _waves(builder, plans)
        _same_files(builder, plans)
        return builder.plan().with_diagnostics(*found)


def _sureness(file: SourceFile) -> float:
    named = bool(_NAME.match(file.stem))
    likely = named or bool(_ANY_PLAN.search(file.stem))
    head = file.text[:4000]
    fronted = head.startswith("---") and bool(re.search(r"^(?:phase|plan):", head, re.MULTILINE))
    tagged = "<objective>" in file.text and "<task" in file.text
    scheduled = fronted and bool(re.search(r"^(?:wave|depends_on):", head, re.MULTILINE))
    if fronted and (tagged or (scheduled and likely)):
        return 0.95
    if named and (tagged or fronted or "\n### Task " in file.text):
        return 0.9
    return 0.6 if scheduled and re.search(r"^plan:", head, re.MULTILINE) else 0.0


def _read_plan(builder: PlanBuilder, file: SourceFile, source: Source) -> _Plan:
    document = builder.open(file.text)
    name = file.name if source.is_folder else None
    front = read_front(document.front, name)
    folder = PurePosixPath(file.name).parent.name or source.folder
    phase = str(front.data.get("phase") or folder or "")
    hit = _NAME.match(file.stem)
    plan = str(front.data.get("plan") or (hit["plan"] if hit else "") or file.stem)
    number = hit["phase"] if hit else (re.match(r"\d+(?:\.\d+)*", phase) or [""])[0]
    identity = hit["id"] if hit else plan if "-" in plan or not number else f"{number}-{plan}"
    title, line = _title(document, file)
    draft = builder.add(Draft(identity, title, line, group=phase or None, file=name))
    draft.files = as_list(front.data.get("files_modified"))
    stem = re.sub(r"PLAN(?=[-_\d]*$)", "SUMMARY", file.stem, flags=re.I)
    draft.done = stem != file.stem and f"{stem}.md" in file.siblings
    if hit and "plan" in front.data and hit["plan"].lstrip("0") not in plan:
        at = front.lines.get("plan", 1)
        message = f"the file is called {file.name!r}, but says plan {plan!r}"
        builder.report("id_alias", at, (identity,), message)
    wave = str(front.data.get("wave") or "").strip()
    if wave and not wave.lstrip("-").isdecimal():
        builder.report("unknown_wave", front.lines["wave"], (identity,), f"wave {wave!r}")
    _human_steps(builder, document, identity, front)
    _, _, short = identity.rpartition("-")
    at_wave = int(wave) if wave.lstrip("-").isdecimal() and len(wave) < 7 else None
    return _Plan(draft, file, front, number, short, at_wave)


def _title(document: Document, file: SourceFile) -> tuple[str, int]:
    """First line of the objective; else the heading; else the file's name."""
    inside = False
    heading: tuple[str, int] | None = None
    for visit in document.walk():
        block = visit.block
        if isinstance(block, Html | Paragraph):
            for number, text in block.lines:
                opened = _OPEN.search(text)
                rest = opened["text"] if opened else text if inside else ""
                inside = inside or opened is not None
                rest = plain(re.sub(r"</objective>.*", "", rest, flags=re.I))
                if inside and rest:
                    return rest, number
        elif isinstance(block, Heading):
            if inside or (heading and block.text.casefold() == "objective"):
                inside = True
            elif heading is None:
                hit = _HEADING.match(block.text)
                heading = (plain(hit["title"] if hit else block.text), block.line)
    return heading or (file.stem, 1)


def _human_steps(builder: PlanBuilder, document: Document, task: str, front: Front) -> None:
    kind = ""
    line = 0
    for visit in document.walk():
        if not isinstance(visit.block, Html | Paragraph):
            continue
        for number, text in visit.block.lines:
            step = _STEP.search(text)
            if step:
                hit = _TYPE.search(step["attributes"])
                kind, line = (hit["type"].lower() if hit else "auto"), number
            name = _STEP_NAME.search(text)
            if kind.startswith("checkpoint"):
                if name or not step:
                    shown = name["text"].strip() if name else text.strip()
                    builder.gates.append(Gate("human", f"{kind}: {shown}", line, after=(task,)))
                    kind = ""
            elif name:
                kind = ""
    if str(front.data.get("autonomous", "")).casefold() == "false" and not any(
        gate.after == (task,) for gate in builder.gates
    ):
        at = front.lines["autonomous"]
        builder.gates.append(Gate("human", "the plan is not autonomous", at, after=(task,)))


def _dependencies(builder: PlanBuilder, plan: _Plan, plans: list[_Plan]) -> None:
    line = plan.front.lines.get("depends_on", 1)
    task = plan.draft.id
    shorts = {one.short.lstrip("0"): one.draft.id for one in plans if one.phase == plan.phase}
    known = Known(one.draft.id for one in plans)
    for written in as_list(plan.front.data.get("depends_on")):
        for raw in re.split(r"[,;]", written):
            word = re.sub(r"(?:-PLAN)?(?:\.md)?$", "", raw.strip().strip("\"'[]"), flags=re.I)
            word = PurePosixPath(word).name
            if not word or word.casefold() in ("none", "n/a", "-", "null"):
                continue
            exact = known.find(word)
            short = shorts.get(word.lstrip("0")) if re.fullmatch(r"\d+[A-Za-z]?", word) else None
            if exact is not None:
                builder.depend(task, (exact,), line)
            elif short is not None:
                message = f"{word!r} taken as plan {short} of the same phase"
                builder.report("short_plan_ref", line, (task, short), message)
                builder.depend(task, (short,), line)
            elif re.match(r"phase\b", word, re.I) or re.fullmatch(r"\d+(?:\.\d+)?-[a-z].*", word):
                builder.edges.setdefault(Edge("group", word, task, line))
                message = f"{word!r} is a phase outside of what was imported"
                builder.report("external_dependency", line, (task, word), message)
            else:
                message = f"no plan {word!r} here"
                builder.report("unknown_dependency", line, (task, word), message)


def _waves(builder: PlanBuilder, plans: list[_Plan]) -> None:
    """Waves are computed beforehand; the executor makes each wait for the one before."""
    by_wave: dict[tuple[str, int], list[_Plan]] = {}
    for plan in plans:
        if plan.wave is not None:
            by_wave.setdefault((plan.draft.group or "", plan.wave), []).append(plan)
    names = [f"{phase} wave {wave}".strip() for phase, wave in sorted(by_wave)]
    for key, name in zip(sorted(by_wave), names, strict=True):
        builder.groups[name] = by_wave[key][0].front.lines.get("wave", 1)
        for plan in by_wave[key]:
            for dep in plan.draft.deps:
                other = next((one for one in plans if one.draft.id == dep), None)
                if other is None or other.wave is None or other.phase != plan.phase:
                    continue
                if other.wave >= (plan.wave or 0):
                    kind = "intra_wave_dependency"
                    if other.wave > (plan.wave or 0):
                        kind = "wave_contradicts_dependency"
                    line = plan.front.lines.get("wave", 1)
                    message = f"wave {plan.wave}, but needs {dep} of wave {other.wave}"
                    builder.report(kind, line, (plan.draft.id, dep), message)
    for (first, one), (second, two) in pairwise(sorted(by_wave)):
        if first == second:
            before, after = f"{first} wave {one}".strip(), f"{second} wave {two}".strip()
            builder.edges.setdefault(Edge("barrier", before, after, builder.groups[after]))


def _same_files(builder: PlanBuilder, plans: list[_Plan]) -> None:
    """Two plans of one wave that change one file must not run at once; their order is open."""
    users: dict[tuple[str, int | None, str], list[_Plan]] = {}
    for plan in plans:
        for file in dict.fromkeys(plan.draft.files):
            users.setdefault((plan.phase, plan.wave, file), []).append(plan)
    for (_, _, file), using in users.items():
        for one, two in pairwise(using):
            if one.draft.id in two.draft.deps or two.draft.id in one.draft.deps:
                continue
            line = two.front.lines.get("files_modified", 1)
            ids = (one.draft.id, two.draft.id)
            builder.edges.setdefault(Edge("mutex", *ids, line))
            builder.report("same_files", line, ids, f"both change {file!r} in the same wave")
