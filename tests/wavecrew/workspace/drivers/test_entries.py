from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from wavecrew.workspace.drivers.entries import (
    Clash,
    merge_entries,
    merge_one,
    merge_order,
    merge_values,
    no_parts,
)

KEYS = [f"k{n}" for n in range(8)]
TABLES = st.dictionaries(st.sampled_from(KEYS), st.integers(0, 3), max_size=6)


def changed(base: dict[str, int], side: dict[str, int]) -> set[str]:
    return {key for key in base.keys() | side.keys() if base.get(key) != side.get(key)}


@given(TABLES, TABLES, st.sets(st.sampled_from(KEYS)))
def test_disjoint_changes_are_all_there_whichever_side_is_ours(
    base: dict[str, int], wanted: dict[str, int], mine: set[str]
) -> None:
    """`wanted` is what both make of `base`: ours changes `mine`, theirs the rest."""

    def side(keys: set[str]) -> dict[str, int]:
        told = {key: (wanted if key in keys else base).get(key) for key in KEYS}
        return {key: value for key, value in told.items() if value is not None}

    old, ours, theirs = side(set()), side(mine), side(set(KEYS) - mine)
    assert merge_entries(old, ours, theirs, no_parts) == wanted
    assert merge_entries(old, theirs, ours, no_parts) == wanted


@given(TABLES, TABLES, TABLES)
def test_a_key_that_both_changed_differently_is_never_chosen(
    base: dict[str, int], ours: dict[str, int], theirs: dict[str, int]
) -> None:
    both = changed(base, ours) & changed(base, theirs)
    assume(any(ours.get(key) != theirs.get(key) for key in both))
    with pytest.raises(Clash):
        merge_entries(base, ours, theirs, no_parts)


@given(TABLES, TABLES)
def test_the_same_change_on_both_sides_counts_once(
    base: dict[str, int], side: dict[str, int]
) -> None:
    assert list(merge_entries(base, side, dict(side), no_parts).items()) == list(side.items())


@given(st.permutations(KEYS), st.data())
def test_the_order_keeps_each_sides_own_order(order: list[str], data: st.DataObject) -> None:
    base = sorted(data.draw(st.sets(st.sampled_from(KEYS))), key=order.index)
    added = [key for key in order if key not in base]
    ours, theirs = (
        [k for k in order if k in base or k in data.draw(st.sets(st.sampled_from(added or [""])))]
        for _ in range(2)
    )
    merged = merge_order(base, ours, theirs, {*ours, *theirs})
    assert [key for key in merged if key in ours] == ours
    assert [key for key in merged if key in theirs] == theirs


def test_at_one_place_ours_comes_first() -> None:
    assert merge_order("az", "aoz", "atz", "aotz") == list("aotz")
    assert merge_order("az", "oaz", "taz", "aotz") == list("otaz")
    assert merge_order("az", "azo", "azt", "aotz") == list("azot")


def test_the_side_that_moved_something_decides_the_order() -> None:
    assert merge_order("abc", "cab", "abtc", "abct") == list("cabt")
    assert merge_order("abc", "aobc", "cab", "abco") == list("caob")
    with pytest.raises(Clash, match="the order"):
        merge_order("abc", "cab", "bca", "abc")


def test_a_number_that_became_true_is_a_change() -> None:
    assert merge_values({"a": 1}, {"a": True}, {"a": 1})["a"] is True
    assert merge_one(1, 1, True) is True


def test_null_is_a_value_and_no_absence() -> None:
    assert merge_values({"a": None}, {"a": None, "b": 1}, {"a": None, "c": None}) == {
        "a": None,
        "b": 1,
        "c": None,
    }


def test_tables_in_tables_are_merged_and_a_clash_says_where() -> None:
    base: dict[str, Any] = {"x": {"y": {"z": 1}}}
    assert merge_values(base, {"x": {"y": {"z": 1, "o": 1}}}, {"x": {"y": {"z": 2}}}) == {
        "x": {"y": {"z": 2, "o": 1}}
    }
    with pytest.raises(Clash) as caught:
        merge_values(base, {"x": {"y": {"z": 2}}}, {"x": {"y": {"z": 3}}})
    assert str(caught.value) == "x > y > z: the integration branch has 2; this branch has 3"


def test_an_item_edited_by_both_or_edited_and_removed_is_a_clash() -> None:
    assert merge_values(["a"], ["a", "o"], ["a", "t"]) == ["a", "o", "t"]
    assert merge_values(["a", "b"], ["a2", "b"], ["a", "b", "t"]) == ["a2", "b", "t"]
    for ours, theirs in ((["a2"], ["a3"]), (["a2"], [])):
        with pytest.raises(Clash):
            merge_values(["a"], ours, theirs)


def test_items_with_a_name_are_merged_inside() -> None:
    def name(item: Any) -> str:
        return str(item["n"])

    base = [{"n": "a", "v": 1}]
    ours, theirs = [{"n": "a", "v": 2}], [{"n": "a", "v": 1, "w": 3}, {"n": "b"}]
    assert merge_values(base, ours, theirs, name) == [{"n": "a", "v": 2, "w": 3}, {"n": "b"}]
    with pytest.raises(Clash):
        merge_values(base, ours, [{"n": "a", "v": 3}], name)


@given(st.lists(st.integers(0, 4)), st.lists(st.integers(0, 4)), st.lists(st.integers(0, 4)))
def test_a_list_loses_nothing_that_a_side_added(
    base: list[int], ours: list[int], theirs: list[int]
) -> None:
    try:
        merged = merge_values(base, ours, theirs)
    except Clash:
        return
    for value in range(5):
        counts = [side.count(value) for side in (base, ours, theirs)]
        more = [count - counts[0] for count in counts[1:]]
        added, removed = max(0, *more), min(0, *more)
        assert merged.count(value) == counts[0] + added + removed
