"""Who goes through the lane together, and in which order: pure choices."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from wavecrew.run.lane import Pairs, Waiting, batch_in_order, next_batch


def waiting(tasks: str) -> list[Waiting]:
    return [Waiting(task, 1, f"c{task}") for task in tasks]


def names(batch: tuple[Waiting, ...]) -> str:
    return "".join(one.task for one in batch)


def pairs(*told: str) -> Pairs:
    return Pairs.of((one, other) for one, other in told)


def test_what_waits_goes_together_as_it_came_up_to_the_size() -> None:
    assert names(next_batch(waiting("abcd"), "a", Pairs(), 3)) == "abc"
    assert names(next_batch(waiting("abcd"), "a", Pairs(), 1)) == "a"


def test_whose_turn_it_is_goes_before_its_equals() -> None:
    assert names(next_batch(waiting("abc"), "c", Pairs(), 2)) == "ca"


def test_what_collides_with_many_is_left_to_the_last() -> None:
    told = pairs("ab", "ac")
    assert names(next_batch(waiting("abc"), "a", told, 8)) == "bc"
    assert names(next_batch(waiting("a"), "a", told, 8)) == "a"


def test_a_collision_with_what_does_not_wait_keeps_nobody_back() -> None:
    assert names(next_batch(waiting("ab"), "a", pairs("ax", "ay"), 8)) == "ab"


def test_in_order_the_batch_ends_where_somebody_is_missing() -> None:
    def batch(tasks: str, past: str = "", told: Pairs = pairs()) -> str:  # noqa: B008
        found = batch_in_order(waiting(tasks), "b", told, 8, order="abcdef", past=set(past))
        return names(found)

    assert batch("bcd") == "bcd"
    assert batch("bdc") == "bcd"
    assert batch("bd") == "b"
    assert batch("bd", past="ac") == "bd"
    assert batch("bcd", told=pairs("bd")) == "bc"


@given(
    tasks=st.lists(st.sampled_from("abcdefgh"), min_size=1, unique=True),
    told=st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh"))),
    size=st.integers(1, 9),
    data=st.data(),
)
def test_no_two_of_a_batch_collide_and_everybody_gets_a_turn(
    tasks: list[str], told: list[tuple[str, str]], size: int, data: st.DataObject
) -> None:
    known = Pairs.of(pair for pair in told if pair[0] != pair[1])
    own = data.draw(st.sampled_from(tasks))
    left = waiting("".join(tasks))
    while any(one.task == own for one in left):
        batch = next_batch(left, own, known, size)
        assert 1 <= len(batch) <= size
        for one, other in combinations(batch, 2):
            assert not known.collide(one.task, other.task)
        left = [one for one in left if one not in batch]
