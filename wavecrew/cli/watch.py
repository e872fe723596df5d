"""How a run is shown while it goes: JSON lines, a live board, or plain lines."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Protocol, Self

from wavecrew.journal.events import Event
from wavecrew.journal.instant import utc_now
from wavecrew.journal.log import EventLog
from wavecrew.journal.state import RunState
from wavecrew.run.spec import RunSpec


class Watched(Protocol):
    """What is shown: the parts of a run at work here, or its log and state when it is elsewhere."""

    spec: RunSpec
    log: EventLog
    state: RunState
    reading: threading.RLock


class Watcher(Protocol):
    """Sees every event of the run; `close` says the last word."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...

    def tick(self) -> None:
        """Called a few times a second from the main thread."""
        ...

    def close(self, state: RunState) -> None: ...


class JsonLines:
    """One event a line on stdout, nothing else there."""

    def __init__(self, parts: Watched) -> None:
        _also(
            parts, lambda event: print(json.dumps(event.to_json(), ensure_ascii=False), flush=True)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None: ...

    def tick(self) -> None: ...

    def close(self, state: RunState) -> None: ...


class PlainLines:
    """A line for each thing worth telling, where stdout is no terminal for a board."""

    def __init__(self, parts: Watched) -> None:
        from wavecrew.cli.lines import plain_line

        titles: dict[str, str] = {task.id: task.title for task in parts.spec.tasks}

        def tell(event: Event) -> None:
            if line := plain_line(event, titles):
                print(line, flush=True)

        _also(parts, tell)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None: ...

    def tick(self) -> None: ...

    def close(self, state: RunState) -> None:
        _print_end(state)


class LiveBoard:
    """The plan's own board, redrawn as the run goes."""

    def __init__(self, parts: Watched) -> None:
        from rich.console import Console
        from rich.live import Live

        self._parts = parts
        self._console = Console()
        self._live = Live(console=self._console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._live.stop()

    def tick(self) -> None:
        from wavecrew.cli.board import render

        height = self._console.height - 1
        budget = self._parts.spec.settings.budget
        with self._parts.reading:
            board = render(
                self._parts.state, self._console.width, utc_now(), height=height, budget=budget
            )
            self._live.update(board, refresh=True)

    def close(self, state: RunState) -> None:
        _print_end(state)


def watcher_for(parts: Watched, *, as_json: bool) -> Watcher:
    """JSON when asked for, the board on a terminal, plain lines otherwise."""
    if as_json:
        return JsonLines(parts)
    from rich.console import Console

    from wavecrew.cli.sheet import can_show_board

    return LiveBoard(parts) if can_show_board(Console()) else PlainLines(parts)


def _also(parts: Watched, tell: Callable[[Event], None]) -> None:
    """Tell each new event after the state has taken it."""
    before = parts.log.on_append

    def both(event: Event) -> None:
        before(event)
        tell(event)

    parts.log.on_append = both


def _print_end(state: RunState) -> None:
    """The last screen: the board as it stands, then the summary."""
    from rich.console import Console

    from wavecrew.cli.board import render, summary

    console = Console()
    console.print(render(state, console.width, utc_now()))
    console.print(summary(state))
