"""Whose run is it? One of another Wavecrew is refused with the mend, a damaged one too."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from wavecrew import __version__
from wavecrew.errors import EnvironmentBroken, UsageError
from wavecrew.journal.events import NotePosted, fact_from_json
from wavecrew.plan.model import Plan
from wavecrew.plan.settings import Settings
from wavecrew.run.spec import FORMAT, OLDEST_FORMAT, RunFolder, RunSpec, new_folder


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    made = RunFolder(tmp_path)
    plan = Plan(title="P", waves=(), tasks=())
    made.save(RunSpec(run="r1", plan=plan, roles=(), settings=Settings(), base="0" * 40, only=()))
    return made


def changed(folder: RunFolder, **fields: Any) -> None:
    found = json.loads(folder.spec_file.read_text())
    folder.spec_file.write_text(json.dumps(found | fields))


def test_a_saved_run_says_who_worked_on_it_and_is_read_back(folder: RunFolder) -> None:
    spec = folder.load()
    assert (spec.format, spec.wavecrew) == (FORMAT, __version__)


def test_a_run_from_before_formats_is_read(folder: RunFolder) -> None:
    found = json.loads(folder.spec_file.read_text())
    del found["format"], found["wavecrew"]
    folder.spec_file.write_text(json.dumps(found))
    assert folder.load().format == 1


@pytest.mark.parametrize(
    ("number", "why"), [(FORMAT + 1, "is newer"), (OLDEST_FORMAT - 1, "is too old")]
)
def test_a_format_out_of_reach_is_refused_by_name(folder: RunFolder, number: int, why: str) -> None:
    changed(folder, format=number, wavecrew="9.9.9")
    with pytest.raises(UsageError, match=why) as refused:
        folder.load()
    assert "go on with Wavecrew 9.9.9" in refused.value.mend


def test_a_field_that_is_not_known_here_is_refused_by_name(folder: RunFolder) -> None:
    changed(folder, invented=1)
    with pytest.raises(UsageError, match="invented") as refused:
        folder.load()
    assert f"Wavecrew {__version__}" in refused.value.mend


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "x"}'])
def test_a_damaged_file_is_told(folder: RunFolder, text: str) -> None:
    folder.spec_file.write_text(text)
    with pytest.raises(EnvironmentBroken, match="cannot be read any more"):
        folder.load()


def test_a_newer_events_field_is_left_out() -> None:
    note = {"task": "1", "attempt": 1, "note": 2, "text": "t"}
    assert fact_from_json("note_posted", note | {"mood": "good"}) == NotePosted("1", 1, 2, "t")


def test_a_folder_that_never_got_a_spec_is_used_again(tmp_path: Path) -> None:
    first, lock = new_folder(tmp_path, frozenset())
    other, other_lock = new_folder(tmp_path, frozenset())
    assert (first.run, other.run) == ("r1", "r2")
    os.close(lock)  # as the kernel does for a process that was killed
    os.close(other_lock)
    again, lock = new_folder(tmp_path, frozenset())
    os.close(lock)
    assert again.run == "r1"
