"""How does a reader collect statements about tasks that stand in many places of a document?

Statements about one edge are joined, never dropped; what they leave open
becomes a diagnostic. Used by the readers of Markdown plans.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from wavecrew.plan.readers.estimates import HOURS_PER_DAY, Estimate, estimate
from wavecrew.plan.readers.markdown import Document, parse_markdown
from wavecrew.plan.readers.model import Claim, Diagnostic, Edge, Gate, ImportedPlan, ImportedTask
from wavecrew.plan.readers.references import Known, References, references

MAX_EDGES = 200_000
"""More than any person wrote; `ALL` in every one of 20,000 tasks would make millions."""


@dataclass
class Draft:
    """A task while its document is being read."""

    id: str
    title: str
    line: int
    group: str | None = None
    agent: str | None = None
    done: bool = False
    optional: bool = False
    parent: str | None = None
    estimate: Estimate | None = None
    files: tuple[str, ...] = ()
    file: str | None = None
    range_members: tuple[str, ...] = ()
    deps: dict[str, int] = field(default_factory=dict)
    """Id -> line of the first statement, in the order of statements."""
    says_none: int = 0
    """Line that says it depends on nothing; 0 without one."""

    def finish(self) -> ImportedTask:
        span = self.estimate
        one = span.hours if span else None
        return ImportedTask(
            id=self.id,
            title=self.title,
            line=self.line,
            deps=tuple(dep for dep in self.deps if dep != self.id),
            hours=one,
            hours_min=span.low if span else None,
            hours_max=span.high if span else None,
            group=self.group,
            agent=self.agent,
            done=self.done,
            optional=self.optional,
            parent=self.parent,
            files=self.files,
            file=self.file,
            range_members=self.range_members,
        )


class PlanBuilder:
    """Collects a plan; `known` is fixed once every task has been added."""

    def __init__(self, format_name: str) -> None:
        self.format = format_name
        self.drafts: list[Draft] = []
        self.by_id: dict[str, Draft] = {}
        self.edges: dict[Edge, None] = {}
        self.gates: list[Gate] = []
        self.claims: list[Claim] = []
        self.groups: dict[str, int] = {}
        """Name -> line, in the order in which they are to run."""
        self.found: dict[Diagnostic, None] = {}
        self._known: Known | None = None

    def open(self, text: str) -> Document:
        """Parse Markdown; what is nested too deep to be read is reported."""
        document = parse_markdown(text)
        if document.cut_at:
            message = (
                "lists nested deeper than 38 levels; what is deeper, and after it, is left out"
            )
            self.report("too_deep", document.cut_at, (), message)
        return document

    def add(self, draft: Draft) -> Draft:
        self.drafts.append(draft)
        self.by_id.setdefault(draft.id, draft)
        self._known = None
        return draft

    @property
    def known(self) -> Known:
        if self._known is None:
            members = (one for draft in self.drafts for one in draft.range_members)
            self._known = Known([*self.by_id, *members])
        return self._known

    def report(self, kind: str, line: int, ids: Iterable[str], message: str) -> None:
        self.found.setdefault(Diagnostic(kind, line, tuple(ids), message))

    def refer(self, text: str, line: int, ids: Iterable[str] = ()) -> References:
        """What `text` refers to; ids that are no task of the document are reported."""
        refs = references(text, self.known)
        if refs.unknown:
            shown = ", ".join(refs.unknown[:8])
            self.report("unknown_dependency", line, (*ids, *refs.unknown[:8]), f"no task {shown}")
        return refs

    def depend(self, after: str, before: Iterable[str], line: int) -> None:
        """State explicit dependencies between tasks; a member of a range means the range."""
        target = self.by_id.get(after)
        for one in before:
            if self.is_full():
                return
            if one == after:
                self.report("cycle", line, (after,), f"{after} depends on itself")
            if target is not None:
                target.deps.setdefault(one, line)
            self.edges.setdefault(Edge("explicit", one, after, line))

    def is_full(self) -> bool:
        """Whether no more dependencies are taken; reported once."""
        full = len(self.edges) >= MAX_EDGES
        if full:
            message = f"more than {MAX_EDGES} dependencies; the rest is left out"
            self.found.setdefault(Diagnostic("too_many_edges", 0, (), message))
        return full

    def estimate(self, draft: Draft, text: str, line: int) -> None:
        """Take an estimate; an assumption about days is reported."""
        span = estimate(text)
        if span is None:
            if text.strip():
                message = f"no hours can be read from {text.strip()[:60]!r}"
                self.report("estimate_unread", line, (draft.id,), message)
            return
        draft.estimate = span
        if span.assumes_day:
            self.report(
                "estimate_in_days",
                line,
                (draft.id,),
                f"{text.strip()[:40]!r} taken as {HOURS_PER_DAY} hours a day",
            )
        elif span.hours is None:
            message = f"between {span.low:g} and {span.high:g} hours"
            self.report("estimate_span", line, (draft.id,), message)

    def plan(self) -> ImportedPlan:
        unique: dict[tuple[str, str, str], Edge] = {}
        for edge in self.edges:
            unique.setdefault((edge.kind, edge.before, edge.after), edge)
        return ImportedPlan(
            format=self.format,
            tasks=tuple(draft.finish() for draft in self.drafts),
            edges=tuple(sorted(unique.values(), key=lambda edge: edge.line)),
            gates=tuple(self.gates),
            diagnostics=tuple(sorted(self.found, key=lambda one: one.line)),
            claims=tuple(self.claims),
            groups=tuple(self.groups),
        )
