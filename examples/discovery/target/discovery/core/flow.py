"""A small flow kernel: steps wait for the steps they listen to, and run in a fixed order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

Step = TypeVar("Step", bound=Callable[..., Any])


class FlowDefinitionError(TypeError):
    """A flow that cannot run: a step waits for an unknown step, or for itself in the end."""


def start() -> Callable[[Step], Step]:
    """Mark a method as a step that waits for nothing."""
    return listen()


def listen(*steps: str) -> Callable[[Step], Step]:
    """Mark a method as a step that runs when all `steps` have run."""

    def mark(method: Step) -> Step:
        method.__flow_waits_for__ = steps  # type: ignore[attr-defined]
        return method

    return mark


class Flow:
    """Base of all flows. Subclasses mark their methods with `start` and `listen`."""

    _order: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        waits = {
            name: getattr(cls, name).__flow_waits_for__
            for name in _names(cls)
            if hasattr(getattr(cls, name), "__flow_waits_for__")
        }
        cls._order = _in_order(cls.__name__, waits)

    @classmethod
    def steps(cls) -> tuple[str, ...]:
        """The names of the steps, in the order in which they run."""
        return cls._order

    def kickoff(self) -> Any:
        """Run every step once; returns what the last one returned."""
        result: Any = None
        for name in self._order:
            result = getattr(self, name)()
        return result


def _names(cls: type) -> list[str]:
    """Attribute names, base classes first, each class in the order of its source."""
    return list(dict.fromkeys(name for base in reversed(cls.__mro__) for name in vars(base)))


def _in_order(flow: str, waits: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Steps sorted so that each comes after those it waits for; ties keep source order."""
    unknown = {step for steps in waits.values() for step in steps} - waits.keys()
    if unknown:
        raise FlowDefinitionError(f"{flow} waits for unknown steps: {', '.join(sorted(unknown))}")
    done: list[str] = []
    while len(done) < len(waits):
        ready = [s for s, needs in waits.items() if s not in done and set(needs) <= set(done)]
        if not ready:
            raise FlowDefinitionError(f"{flow} has steps that wait for each other")
        done.extend(ready)
    return tuple(done)
