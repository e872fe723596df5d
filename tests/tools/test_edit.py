from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.edit import replaced
from wavecrew.errors import ToolError


def test_exact_text_is_replaced(agent) -> None:
    agent.put("a.py", "x = 1\ny = 2\n")
    assert agent.ok("edit_file", path="a.py", old="y = 2", new="y = 3") == "edited a.py (1 place)"
    assert (agent.tree / "a.py").read_text() == "x = 1\ny = 3\n"


def test_the_count_must_be_what_the_file_has(agent) -> None:
    agent.put("a", "foo\nbar\nfoo\n")
    text = agent.fails("edit_file", path="a", old="foo", new="x")
    assert "2 times, not 1 (at lines 1, 3)" in text
    agent.ok("edit_file", path="a", old="foo", new="x", count=2)
    assert (agent.tree / "a").read_text() == "x\nbar\nx\n"


def test_a_near_miss_shows_the_closest_lines_with_numbers(agent) -> None:
    agent.put("a.py", "import os\n\ndef handle_request(asset):\n    return asset\n")
    text = agent.fails("edit_file", path="a.py", old="def handle_reqest(asset):", new="x")
    assert "the closest lines are\n3|def handle_request(asset):" in text


def test_wrong_indentation_is_named(agent) -> None:
    agent.put("a.py", "class A:\n    def f(self):\n        pass\n")
    text = agent.fails("edit_file", path="a.py", old="def f(self):\n    pass", new="x")
    assert "differs only in white space from\n2|    def f(self):\n3|        pass" in text


def test_copied_line_numbers_are_named(agent) -> None:
    agent.put("a.py", "a = 1\nb = 2\n")
    assert "leave out the line numbers" in agent.fails(
        "edit_file", path="a.py", old="1|a = 1\n2|b = 2", new="x"
    )


def test_edits_that_say_nothing_are_refused(agent) -> None:
    agent.put("a", "x")
    assert "old is empty" in agent.fails("edit_file", path="a", old="", new="x")
    assert "nothing would change" in agent.fails("edit_file", path="a", old="x", new="x")
    assert "at least 1" in agent.fails("edit_file", path="a", old="x", new="y", count=0)


def test_crlf_stays_crlf(agent) -> None:
    agent.put("a", b"one\r\ntwo\r\nthree\r\n")
    agent.ok("edit_file", path="a", old="one\ntwo", new="1\n2\n2b")
    assert (agent.tree / "a").read_bytes() == b"1\r\n2\r\n2b\r\nthree\r\n"
    assert "line ends CRLF" in agent.ok("read_file", path="a")


def test_mixed_line_ends_are_left_as_they_are(agent) -> None:
    agent.put("a", b"one\r\ntwo\nthree")
    agent.ok("edit_file", path="a", old="two", new="2")
    assert (agent.tree / "a").read_bytes() == b"one\r\n2\nthree"


CLEAN = st.text(alphabet="ab \n\té", max_size=30)


@given(before=CLEAN, old=CLEAN.map("<{}>".format), after=CLEAN, new=CLEAN)
def test_an_edit_changes_the_place_and_nothing_else(
    before: str, old: str, after: str, new: str
) -> None:
    text = before + old + after
    assert replaced("f", text, old, new, 1) == before + new + after


@given(lines=st.lists(st.sampled_from(["", "a", "b", "  c"]), min_size=1, max_size=8), new=CLEAN)
def test_a_crlf_file_is_edited_as_its_lf_twin(lines: list[str], new: str) -> None:
    lf = "\n".join([*lines, "mark", ""])
    edited = replaced("f", lf, "mark\n", new + "!\n", 1)
    twin = replaced("f", lf.replace("\n", "\r\n"), "mark\n", new + "!\n", 1)
    assert twin == edited.replace("\n", "\r\n")


@given(text=CLEAN, old=st.text("ab\n", max_size=2), new=CLEAN, count=st.integers(-1, 3))
def test_an_edit_works_exactly_when_the_count_is_right(
    text: str, old: str, new: str, count: int
) -> None:
    works = bool(old) and old != new and count >= 1 and text.count(old) == count
    if works:
        assert replaced("f", text, old, new, count) == text.replace(old, new)
    else:
        with pytest.raises(ToolError):
            replaced("f", text, old, new, count)
