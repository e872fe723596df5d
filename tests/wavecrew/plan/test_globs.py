"""Two globs that name one path overlap; the usual disjoint ones do not."""

from __future__ import annotations

import pathspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavecrew.plan.globs import overlap, overlapping


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("a/b.py", "a/b.py", True),
        ("a/b.py", "a/c.py", False),
        ("a/", "a/b/c.py", True),
        ("a", "x/a/b.py", True),
        ("/a", "x/a/b.py", False),
        ("*.py", "a/b.py", True),
        ("*.py", "a/b.txt", False),
        ("a/*.py", "a/b/c.py", False),
        ("a/**/c.py", "a/b/c.py", True),
        ("a/**", "a/b/c.py", True),
        ("m/*_assets.py", "m/*_data_sources.py", False),
        ("m/*_assets.py", "m/0011_*.py", True),
        ("a/[xy].py", "a/x.py", True),
        ("a/?.py", "a/bc.py", False),
        ("!a/b.py", "a/b.py", False),
        ("one.py", "two.py", False),
        ("a/b", "a/b/c/d", True),
    ],
)
def test_overlap_is_what_a_reader_expects(one: str, other: str, expected: bool) -> None:
    assert overlap(one, other) is expected
    assert overlap(other, one) is expected


names = st.sampled_from(["a", "b", "ab", "x.py", "y.py", "ax.py"])
pieces = st.one_of(names, st.sampled_from(["*", "**", "?", "*.py", "a*", "[ab]"]))
globs = st.builds(
    lambda parts, tail: "/".join(parts) + tail,
    st.lists(pieces, min_size=1, max_size=3),
    st.sampled_from(["", "/"]),
)
paths = st.lists(names.filter(lambda n: "." not in n), max_size=2).flatmap(
    lambda folders: names.map(lambda name: "/".join([*folders, name]))
)


@given(globs, globs, paths)
def test_globs_that_both_match_a_path_overlap(one: str, other: str, path: str) -> None:
    def matches(glob: str) -> bool:
        return pathspec.PathSpec.from_lines("gitignore", [glob]).match_file(path)

    if matches(one) and matches(other):
        assert overlap(one, other)


@given(st.lists(globs, max_size=8, unique=True))
def test_the_quick_search_finds_the_same_pairs_as_comparing_all(many: list[str]) -> None:
    expected = sorted(
        (min(a, b), max(a, b)) for i, a in enumerate(many) for b in many[:i] if overlap(a, b)
    )
    assert overlapping(many) == expected
