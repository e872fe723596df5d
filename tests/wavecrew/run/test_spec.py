"""Where a run keeps its things, and who may touch them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavecrew.errors import UsageError
from wavecrew.run.spec import RunFolder, all_runs, file_name, new_folder


@given(ids=st.lists(st.text(min_size=1, max_size=80), unique=True, min_size=2, max_size=20))
def test_file_names_of_different_ids_differ_and_stay_in_their_folder(ids: list[str]) -> None:
    names = [file_name(one) for one in ids]
    assert len(set(names)) == len(ids)
    for name in names:
        assert name not in (".", "..", "")
        assert "/" not in name
        assert len(name) < 100
        assert not name.startswith("-")


def test_run_numbers_skip_what_is_taken(tmp_path: Path) -> None:
    taken = [new_folder(tmp_path, frozenset(names)) for names in (("r1",), (), ())]
    assert [folder.run for folder, _ in taken] == ["r2", "r1", "r3"]
    assert all_runs(tmp_path) == ()
    for _, lock in taken:
        os.close(lock)


def test_a_run_belongs_to_one_engine_at_a_time(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    held = folder.lock()
    with pytest.raises(UsageError, match="at work in another process"):
        folder.lock()
    os.close(held)
    os.close(folder.lock())
