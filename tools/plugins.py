"""Tools of other distributions: one decorated function, one entry point."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points

from tools.spec import ToolSpec, spec_of
from wavecrew.errors import PlanError

GROUP = "wavecrew.tools"


def installed() -> Iterator[ToolSpec]:
    """The tools of every entry point of the group, by name. PlanError for one that is broken."""
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        yield load(point)


def load(point: EntryPoint) -> ToolSpec:
    """PlanError says which distribution to mend or uninstall."""
    source = point.dist.name if point.dist else point.value
    try:
        spec = spec_of(point.load())
    except Exception as error:  # whatever a foreign module raises
        raise PlanError(
            f"the tool {point.name!r} cannot be loaded: {type(error).__name__}: {error}",
            where=source,
            mend=f"Mend or uninstall {source!r}.",
        ) from error
    if spec is None:
        raise PlanError(
            f"{point.value!r} is not a function decorated with @tool",
            where=source,
            mend="Decorate it with tools.registry.tool, or remove the entry point.",
        )
    return replace(spec, source=source)
