from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wavecrew.sandbox.output import Kept


@given(st.lists(st.binary(max_size=300)), st.integers(0, 500))
def test_head_and_tail_are_those_of_the_whole(chunks: list[bytes], keep: int) -> None:
    kept = Kept(keep)
    for chunk in chunks:
        kept.add(chunk)
    whole = b"".join(chunks)
    head, tail = keep - keep // 2, keep // 2
    expected = whole if len(whole) <= keep else whole[:head] + whole[len(whole) - tail :]
    assert kept.bytes() == expected
    assert kept.omitted == max(0, len(whole) - keep)
    assert kept.total == len(whole)


@given(st.lists(st.binary(max_size=300)))
def test_without_a_limit_everything_is_kept(chunks: list[bytes]) -> None:
    kept = Kept(None)
    for chunk in chunks:
        kept.add(chunk)
    assert (kept.bytes(), kept.omitted) == (b"".join(chunks), 0)


def test_memory_stays_bounded_over_a_long_output() -> None:
    kept = Kept(1000)
    for _ in range(1000):
        kept.add(bytes(65536))
    assert len(kept._tail) <= 2 * 500 + 2 * 65536
    assert kept.omitted == 65_536_000 - 1000
