"""JSON with lines: everything strict JSON says, at the line where it says it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavecrew.plan.json_positions import Array, Number, Object, parse_json
from wavecrew.plan.problem import PlanRejected

_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(alphabet=st.characters(blacklist_categories=["Cs"], blacklist_characters="\0")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(alphabet='ab"\\é', max_size=4), inner),
    max_leaves=25,
)


def _plain(value: Any) -> Any:
    if isinstance(value, Number):
        return int(value)
    if isinstance(value, Object):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, Array) else value


@given(_VALUES, st.sampled_from([None, 1]))
def test_says_what_the_standard_reader_says(value: Any, indent: int | None) -> None:
    assert _plain(parse_json(json.dumps(value, indent=indent), "f")) == value


def test_numbers_stay_as_written() -> None:
    assert parse_json('{"id": 1.10}', "f")["id"] == "1.10"
    assert parse_json("123456789012345678901234567890", "f") == "123456789012345678901234567890"


def test_values_and_members_know_their_lines() -> None:
    root = parse_json('{"a":\n 1,\n"b": [\n2,\n{}]}', "f", first_line=10)
    assert (root.line_of("a"), root.line_of("b"), root.line_of("none")) == (11, 12, 10)
    assert [line for _, line in root["b"].with_lines()] == [13, 14]


def test_a_key_written_twice_is_kept_in_a_list() -> None:
    root = parse_json('{"a": 1,\n"a": 2}', "f")
    assert (root["a"], root.twice) == ("2", [("a", 2)])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("{", 1),
        ("[1,\n]", 2),
        ('{"a": 1,\n}', 2),
        ('{"a" 1}', 1),
        ("[1\n2]", 2),
        ('\n"\\ud800"', 2),
        ('\n\n"\\u0000"', 3),
        ("[1]\nx", 2),
        ("NaN", 1),
        ('"abc', 1),
        ('["a\nb"]', 1),
        ("01", 1),
        ("{1: 2}", 1),
    ],
)
def test_a_mistake_is_named_with_its_line(text: str, line: int) -> None:
    with pytest.raises(PlanRejected) as caught:
        parse_json(text, "f.json")
    assert str(caught.value).startswith(f"f.json:{line}: not JSON")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[" * 100_000 + "]" * 100_000])
def test_depth_ends_in_an_error_and_not_in_the_stack(text: str) -> None:
    with pytest.raises(PlanRejected, match="nested deeper"):
        parse_json(text, "f")
