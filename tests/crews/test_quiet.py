"""Each measure in crews/quiet.py, beside what CrewAI does without it.

A failure here after an upgrade means: look at what the measure relied on, then
change or drop it.
"""

from __future__ import annotations

import inspect
import logging
import os
import sys
import threading
import warnings
from pathlib import Path

import pytest

from crews import quiet


def test_it_is_prepared_once_and_then_only_moves_home(tmp_path, monkeypatch):
    for name in ("HOME", "CREWAI_STORAGE_DIR"):
        monkeypatch.setenv(name, "before")
    quiet.prepare(tmp_path / "elsewhere")
    assert os.environ["HOME"] == str(tmp_path / "elsewhere")
    assert os.environ["CREWAI_STORAGE_DIR"] == str(tmp_path / "elsewhere" / "crewai")
    assert quiet.is_prepared()


def test_it_refuses_to_come_after_crewai(tmp_path, monkeypatch):
    assert "crewai" in sys.modules
    monkeypatch.setattr(quiet, "_prepared", False)
    monkeypatch.setenv("HOME", "before")
    monkeypatch.setenv("CREWAI_STORAGE_DIR", "before")
    with pytest.raises(RuntimeError, match="before crewai is imported"):
        quiet.prepare(tmp_path)


def test_no_crew_is_built_while_crewai_is_loud(desk, monkeypatch):
    monkeypatch.setattr(quiet, "_prepared", False)
    with pytest.raises(RuntimeError, match=r"quiet\.prepare"):
        desk.run()


@pytest.mark.parametrize("name", sorted(quiet.ENVIRONMENT))
def test_the_environment_is_set(name):
    assert os.environ[name] == quiet.ENVIRONMENT[name]


@pytest.mark.parametrize(
    "name",
    [
        "CREWAI_DISABLE_TELEMETRY",
        "CREWAI_DISABLE_TRACKING",
        "OTEL_SDK_DISABLED",
        "CREWAI_TRACING_ENABLED",
        "CREWAI_TESTING",
        "CREWAI_DISABLE_VERSION_CHECK",
        "PYTHON_DOTENV_DISABLED",
        "CREWAI_STORAGE_DIR",
    ],
)
def test_somebody_still_reads_the_variable(name):
    import crewai
    import crewai_core
    import dotenv

    folders = [Path(package.__file__).parent for package in (crewai, crewai_core, dotenv)]
    assert any(
        name in file.read_text(encoding="utf-8")
        for folder in folders
        for file in folder.rglob("*.py")
    )


def test_warnings_warn_is_pythons_own():
    assert warnings.warn is sys.modules["_warnings"].warn


def test_crewai_still_replaces_warnings_warn():
    import crewai

    assert "warnings.warn = filtered_warn" in inspect.getsource(crewai)


def test_only_crewais_own_warnings_are_hushed():
    with quiet.hushed():
        warnings.warn_explicit("theirs", DeprecationWarning, "f", 1, module="crewai.agent.core")
        with pytest.raises(DeprecationWarning):
            warnings.warn_explicit("ours", DeprecationWarning, "f", 1, module="crews.role")


def test_the_printer_says_nothing_in_any_thread(capfd):
    from crewai.events.utils.console_formatter import ConsoleFormatter
    from crewai_core.printer import PRINTER

    def speak() -> None:
        PRINTER.print("loud", color="red")
        formatter = ConsoleFormatter(verbose=True)
        formatter.print_panel(formatter.create_status_content("t", "n", "red"), "title", "red")

    speak()
    thread = threading.Thread(target=speak)
    thread.start()
    thread.join()
    assert capfd.readouterr() == ("", "")


def test_the_printer_would_speak_without_us(capfd, monkeypatch):
    from crewai_core import printer

    monkeypatch.setattr(printer, "should_suppress_console_output", lambda: False)
    printer.PRINTER.print("loud")
    assert "loud" in capfd.readouterr().out


def test_crewais_log_is_closed():
    assert logging.getLogger("crewai.events").getEffectiveLevel() == logging.CRITICAL


def test_the_storage_of_kickoffs_keeps_nothing(crewai_home):
    from crewai.utilities.task_output_storage_handler import TaskOutputStorageHandler

    handler = TaskOutputStorageHandler()
    handler.reset()
    assert handler.load() == []
    assert not list(crewai_home.rglob("*.db"))


def test_the_storage_has_no_method_that_we_do_not_know():
    from crewai.memory.storage.kickoff_task_outputs_storage import KickoffTaskOutputsSQLiteStorage

    own = {n for n, v in vars(KickoffTaskOutputsSQLiteStorage).items() if inspect.isfunction(v)}
    assert own == {"__init__", "_initialize_db", "add", "update", "load", "delete_all"}


def test_locks_stay_in_this_process():
    from crewai_core import lock_store

    assert lock_store._backend is quiet._lock_in_process
    with lock_store.lock("same"), lock_store.lock("same"):
        pass


def test_no_event_is_kept_and_no_handler_waits_for_one():
    from crewai.events import crewai_event_bus
    from crewai.events.event_bus import CrewAIEventsBus

    assert "event" in inspect.signature(CrewAIEventsBus._prepare_event).parameters
    assert "_record_event" in inspect.getsource(CrewAIEventsBus._prepare_event)
    assert CrewAIEventsBus._record_event is quiet._nothing
    assert not crewai_event_bus._sync_handlers
    assert not crewai_event_bus._async_handlers


def test_the_event_bus_starts_no_thread_over_a_whole_run(desk, say):
    from crewai.events import crewai_event_bus

    desk.line.gated = [say.gated(True)]
    desk.model.answers = [say.turn(say.call("submit", {"summary": "s"}))]
    assert desk.run().outcome == "passed"
    assert not crewai_event_bus._executor_initialized


def test_crewais_own_retries_are_one_try():
    from crewai.llms import retry

    tries: list[int] = []

    def busy() -> None:
        tries.append(1)
        raise RuntimeError("429 too many requests")

    with pytest.raises(RuntimeError):
        retry.run_with_rate_limit_retry(busy)
    assert len(tries) == 1


def test_crewais_own_retries_would_be_three(monkeypatch):
    from crewai.llms import retry

    tries: list[int] = []

    def busy() -> None:
        tries.append(1)
        raise RuntimeError("429 too many requests")

    monkeypatch.setattr(retry, "_LLM_RATE_LIMIT_MAX_ATTEMPTS", 3)
    monkeypatch.setattr(retry.time, "sleep", lambda _: None)
    with pytest.raises(RuntimeError):
        retry.run_with_rate_limit_retry(busy)
    assert len(tries) == 3


def test_the_seams_of_the_executor_are_where_we_overrode_them():
    from crewai.agents.agent_executor import AgentExecutor

    source = inspect.getsource(AgentExecutor.invoke)
    assert "self.kickoff()" in source
    assert "self._setup_messages(inputs)" in source


def test_crewais_guard_against_repeated_calls_is_not_on_our_way():
    from crewai.utilities import agent_utils

    from crews import executor

    assert agent_utils.MAX_REPEATED_TOOL_CALLS == 5
    assert "check_repeated_tool_call" not in inspect.getsource(executor)
