"""Work whose sandbox was killed is begun anew, a few times."""

from __future__ import annotations

import pytest

from wavecrew.errors import CommandLost, EnvironmentBroken
from wavecrew.run.again import MOST_TRIES, again


class Work:
    """Is lost so many times, then done."""

    def __init__(self, lost: int, error: type[Exception] = CommandLost) -> None:
        self.left, self.begun, self.error = lost, 0, error

    def __call__(self) -> str:
        self.begun += 1
        if self.begun <= self.left:
            raise self.error("gone")
        return "done"


def test_lost_work_is_begun_anew() -> None:
    work = Work(MOST_TRIES - 1)
    assert again(work) == "done"
    assert work.begun == MOST_TRIES


def test_work_that_is_always_lost_is_given_up() -> None:
    with pytest.raises(CommandLost):
        again(Work(MOST_TRIES))


def test_any_other_trouble_is_told_at_once() -> None:
    work = Work(1, EnvironmentBroken)
    with pytest.raises(EnvironmentBroken):
        again(work)
    assert work.begun == 1
