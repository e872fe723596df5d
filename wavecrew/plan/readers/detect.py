"""Which format is this, and what does it say?

Every reader states how sure it is; the surest reads. What two readers claim
alike is reported, what none claims is refused.
"""

from __future__ import annotations

from typing import Protocol

from wavecrew.plan.problem import Place, PlanRejected, Problem, nearest
from wavecrew.plan.readers.consistency import examine
from wavecrew.plan.readers.model import Diagnostic, ImportedPlan
from wavecrew.plan.readers.source import Source

SURE_ENOUGH = 0.3


class Reader(Protocol):
    """One format. Both methods are pure and never raise on a document they did not expect."""

    name: str
    """What `--format` calls it."""

    def claims(self, source: Source) -> float:
        """How surely this is its format: 0 not at all, 1 certain; below 0.3 it is not taken.

        0.9 and more: a name or a structure no other format has. About 0.6: its usual shape.
        0.3 to 0.4: it could be read as that when nothing better claims it.
        """
        ...

    def read(self, source: Source) -> ImportedPlan:
        """Everything the document says. PlanRejected when it holds no task of this format."""
        ...


def import_plan(
    source: Source, readers: tuple[Reader, ...], format_name: str | None = None
) -> ImportedPlan:
    """Read `source` by the reader called `format_name`, or else by the surest.

    PlanRejected: unknown format, not a plan, or no task in it.
    """
    reader, rivals = _choose(source, readers, format_name)
    plan = reader.read(source)
    if not plan.tasks:
        raise _refused(source, "no_tasks", f"read as {reader.name}, it holds no task")
    if rivals:
        plan = plan.with_diagnostics(
            Diagnostic(
                "ambiguous_format",
                1,
                (),
                f"read as {reader.name}; {' and '.join(rivals)} would fit as well (--format)",
            )
        )
    return examine(plan)


def _choose(
    source: Source, readers: tuple[Reader, ...], format_name: str | None
) -> tuple[Reader, list[str]]:
    by_name = {reader.name: reader for reader in readers}
    if format_name is not None:
        if format_name not in by_name:
            message = f"there is no format {format_name!r}"
            raise _refused(source, "unknown_format", message, nearest(format_name, by_name))
        return by_name[format_name], []
    sure = [(reader.claims(source), reader) for reader in readers]
    best = max((confidence for confidence, _ in sure), default=0.0)
    if best < SURE_ENOUGH:
        known = ", ".join(by_name)
        raise _refused(
            source, "not_a_plan", "this is no plan of a known format", f"known formats: {known}"
        )
    first, *others = [reader for confidence, reader in sure if confidence == best]
    return first, [reader.name for reader in others]


def _refused(source: Source, kind: str, message: str, mend: str = "") -> PlanRejected:
    return PlanRejected([Problem(kind, message, Place(source.path), mend)])
