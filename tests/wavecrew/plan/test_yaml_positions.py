"""YAML read as written, with the line of everything, whatever is thrown at it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavecrew.plan.problem import PlanRejected
from wavecrew.plan.yaml_positions import MAX_BYTES, parse_yaml, read_yaml

BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 10)}]\n" for i in range(9)
)
CHAIN = "".join(f"k{i}: &k{i} [{f'*k{i - 1}' if i else 'x'}]\n" for i in range(500))


def rejected(text: str) -> tuple[str, str]:
    with pytest.raises(PlanRejected) as caught:
        parse_yaml(text, "f.yaml")
    (problem,) = caught.value.problems
    return problem.kind, str(problem.place)


def test_scalars_stay_as_they_are_written() -> None:
    text = "a: 1.10\nb: [yes, 010, 1e3, 2024-01-01, true]\nc: 0x1F\n"
    assert parse_yaml(text, "f").data == {
        "a": "1.10",
        "b": ["yes", "010", "1e3", "2024-01-01", "true"],
        "c": "0x1F",
    }


def test_only_a_plain_null_is_none() -> None:
    data = parse_yaml("a: ~\nb: null\nc:\nd: 'null'\ne: ''\n", "f").data
    assert data == {"a": None, "b": None, "c": None, "d": "null", "e": ""}


def test_every_key_and_value_has_its_place() -> None:
    document = parse_yaml("a:\n  - x\n  - k: v\n", "f.yaml")
    place = document.place(("a", 1, "k"))
    assert (place.line, place.column) == (3, 8)
    assert document.key_place(("a", 1, "k")).column == 5
    assert str(document.place(("a", 1, "missing"))) == "f.yaml:3"


@pytest.mark.parametrize(
    ("text", "kind", "place"),
    [
        ("a:\n\tb: 1\n", "syntax", "f.yaml:2"),
        ("a: [1\n", "syntax", "f.yaml:2"),
        ("a: 1\nb: \x01b\n", "syntax", "f.yaml:2"),
        ("x: 1\na: b: c\n", "syntax", "f.yaml:2"),
        ("a: 'x\n", "syntax", "f.yaml:2"),
        ('b: 1\na: "\\ud800"\n', "syntax", "f.yaml:2"),
        ('a: "\\0"\n', "syntax", "f.yaml:1"),
        ("a: 1\n---\nb: 2\n", "two_documents", "f.yaml:2"),
        ("a: *nope\n", "alias", "f.yaml:1"),
        ("a: &a [*a]\n", "alias", "f.yaml:1"),
        (BOMB, "alias", "f.yaml:1"),
        (CHAIN, "too_deep", "f.yaml:1"),
        ("[" * 60_000, "too_deep", "f.yaml:1"),
        ("a: 1\n<<: {b: 1}\n", "merge_key", "f.yaml:2"),
        ("b: 1\na: !!int 3\n", "tag", "f.yaml:2"),
        ("a: !!python/object:os.system x\n", "tag", "f.yaml:1"),
        ("? [a]\n: b\n", "key", "f.yaml:1"),
        ("- a\n", "not_a_mapping", "f.yaml:1"),
        ("only text\n", "not_a_mapping", "f.yaml:1"),
        ("# nothing\n", "not_a_mapping", "f.yaml:1"),
        ("", "empty_file", "f.yaml:1"),
        (" \n\n", "empty_file", "f.yaml:1"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(text: str, kind: str, place: str) -> None:
    assert rejected(text) == (kind, place)


def test_a_key_written_twice_names_both_lines_and_the_reading_goes_on() -> None:
    document = parse_yaml("a: 1\nb: 2\na: 3\nb: 4\n", "f.yaml")
    assert [str(problem.place) for problem in document.problems] == ["f.yaml:3", "f.yaml:4"]
    assert "first on line 1" in document.problems[0].message
    assert document.data == {"a": "1", "b": "2"}


def test_an_alias_repeats_a_value() -> None:
    document = parse_yaml("a: &x [1, 2]\nb: *x\n", "f.yaml")
    assert document.data == {"a": ["1", "2"], "b": ["1", "2"]}
    assert document.place(("b", 0)).line == 1


def test_bytes_that_are_not_utf_8_are_told_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(PlanRejected, match="0xff is not UTF-8") as caught:
        read_yaml(path)
    assert caught.value.where == f"{path}:2"


def test_utf_16_is_refused_and_a_utf_8_mark_is_not(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text("a: 1\n", encoding="utf-16")
    with pytest.raises(PlanRejected, match="UTF-16"):
        read_yaml(path)
    path.write_text("a: 1\n", encoding="utf-8-sig")
    assert read_yaml(path).data == {"a": "1"}


def test_a_file_over_the_limit_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(PlanRejected, match="larger than 10 MB"):
        read_yaml(path)


def test_folders_pipes_and_missing_files_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, kind in ((".", "not_a_file"), ("pipe", "not_a_file"), ("none", "missing_file")):
        with pytest.raises(PlanRejected) as caught:
            read_yaml(tmp_path / name)
        assert caught.value.problems[0].kind == kind


@given(st.text(max_size=200))
def test_any_text_is_read_or_rejected_with_a_place(text: str) -> None:
    try:
        found = parse_yaml(text, "f.yaml").place(()).file
    except PlanRejected as rejected:
        found = rejected.problems[0].place.file
    assert found == "f.yaml"
