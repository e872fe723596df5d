"""How is CrewAI kept silent, local and free of shared state?

All that silences or patches CrewAI stands here and nowhere else, and each
measure has a test that fails when an upgrade changes what it relies on.
`prepare` must run before anything imports `crewai`: it writes keys below HOME
and replaces signal handlers while it is imported.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ENVIRONMENT = {
    "CREWAI_DISABLE_TELEMETRY": "true",  # also keeps its hands off SIGINT and SIGTERM
    "CREWAI_DISABLE_TRACKING": "true",
    "OTEL_SDK_DISABLED": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "CREWAI_TESTING": "true",  # no question on a terminal about execution traces
    "CREWAI_DISABLE_VERSION_CHECK": "true",
    "PYTHON_DOTENV_DISABLED": "1",  # a stray .env above site-packages is nobody's configuration
    "LANGSMITH_TRACING": "false",
    "LANGCHAIN_TRACING_V2": "false",
    "TOKENIZERS_PARALLELISM": "false",
    "OPENBLAS_NUM_THREADS": "1",  # numpy comes along; its threads must not exist before a fork
    "OMP_NUM_THREADS": "1",
}

_PRINTER_SWITCH = "should_suppress_console_output"
_EVENT_RECORDER = "_record_event"
_RETRY_LIMIT = "_LLM_RATE_LIMIT_MAX_ATTEMPTS"

_prepared = False


def prepare(home: Path) -> None:
    """Import CrewAI with `home` as HOME, then quieten it. A second call only moves HOME.

    RuntimeError when someone imported `crewai` before: what it wrote and
    replaced then cannot be undone.
    """
    global _prepared
    move_home(home)
    if _prepared:
        return
    if "crewai" in sys.modules:
        raise RuntimeError("crews.quiet.prepare must run before crewai is imported")
    os.environ.update(ENVIRONMENT)
    warn = warnings.warn
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import crewai  # noqa: F401
        import langchain_openai  # noqa: F401
    warnings.warn = warn  # CrewAI puts a filter of its own in its place
    _mute()
    _forget_runs()
    _one_retry_layer()
    _prepared = True


def move_home(home: Path) -> None:
    """Make `home` the place for whatever CrewAI insists on writing."""
    home.mkdir(parents=True, exist_ok=True)
    os.environ["HOME"] = str(home)
    os.environ["CREWAI_STORAGE_DIR"] = str(home / "crewai")


def is_prepared() -> bool:
    """True when the CrewAI in this process is the quiet one."""
    return _prepared


@contextmanager
def hushed() -> Iterator[None]:
    """No warnings from inside CrewAI, which uses its own deprecated fields; all others stay."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"crewai(_core)?(\.|$)")
        yield


def _mute() -> None:
    """Nothing on stdout or stderr, in every thread: CrewAI's own switch is a context variable."""
    import crewai.events.utils.console_formatter as formatter
    from crewai_core import printer

    for module in (printer, formatter):
        setattr(module, _PRINTER_SWITCH, _always)
    logging.getLogger("crewai").setLevel(logging.CRITICAL)


def _always() -> bool:
    return True


def _forget_runs() -> None:
    """No shared database, no lock between processes, no event kept or handed to a thread.

    Every kick-off otherwise empties a table that all crews of a user share,
    behind a file lock polled each 0.25 s, and keeps all events in memory.
    The event bus starts ten threads as soon as one handler is registered.
    """
    from crewai.events import crewai_event_bus
    from crewai.events.event_bus import CrewAIEventsBus
    from crewai.memory.storage.kickoff_task_outputs_storage import (
        KickoffTaskOutputsSQLiteStorage,
    )
    from crewai_core import lock_store

    for name, value in {
        "__init__": _nothing,
        "add": _nothing,
        "update": _nothing,
        "delete_all": _nothing,
        "load": _no_rows,
    }.items():
        setattr(KickoffTaskOutputsSQLiteStorage, name, value)
    setattr(CrewAIEventsBus, _EVENT_RECORDER, _nothing)
    crewai_event_bus._sync_handlers.clear()
    crewai_event_bus._async_handlers.clear()
    crewai_event_bus._handler_dependencies.clear()
    lock_store.set_lock_backend(_lock_in_process)


def _nothing(*_: Any, **__: Any) -> None:
    return None


def _no_rows(*_: Any, **__: Any) -> list[dict[str, Any]]:
    return []


_locks: dict[str, threading.RLock] = {}


@contextmanager
def _lock_in_process(name: str, *, timeout: float = 120) -> Iterator[None]:
    with _locks.setdefault(name, threading.RLock()):
        yield


def _one_retry_layer() -> None:
    """Retries belong to ChatOpenAI alone; CrewAI wraps every model's `call` in three more."""
    import crewai.llms.retry as retry

    setattr(retry, _RETRY_LIMIT, 1)
