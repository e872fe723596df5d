from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavecrew.workspace.trailers import build, parse

KEYS = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,20}", fullmatch=True)
VALUES = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1).filter(
    lambda text: text == text.strip()
)


@given(st.text(), st.text(), st.dictionaries(KEYS, VALUES, min_size=1, max_size=5))
def test_what_is_built_is_parsed_back_whatever_the_body_says(
    subject: str, body: str, trailers: dict[str, str]
) -> None:
    assert parse(build(subject, body, trailers)) == trailers


@given(st.text())
def test_parsing_any_message_never_fails(message: str) -> None:
    assert isinstance(parse(message), dict)


def test_a_trailer_quoted_in_the_body_is_none() -> None:
    body = "Done.\n\nTask-Id: run/9.9\nAttempt: 7"
    assert parse(build("1.1: x", body, {"Task-Id": "run/1.1"})) == {"Task-Id": "run/1.1"}


def test_a_subject_alone_is_no_trailer() -> None:
    assert parse("Fix: the thing\n") == {}


def test_a_last_paragraph_of_prose_is_no_trailer() -> None:
    assert parse("subject\n\nTask-Id: run/1\nand some prose\n") == {}


@pytest.mark.parametrize("value", ["", " x", "x ", "a\nTask-Id: b", "a\rb", "a\u2028b", "a\0b"])
def test_a_value_that_could_not_be_read_back_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="trailer"):
        build("s", "", {"Task-Id": value})


@pytest.mark.parametrize("key", ["", "Task Id", "1x", "a:b", "Task\n"])
def test_a_key_that_is_none_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="trailer"):
        build("s", "", {key: "v"})


def test_a_subject_stays_one_line() -> None:
    assert build("a\nb\0c", "", {"K": "v"}) == "a b c\n\nK: v\n"
