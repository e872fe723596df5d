from __future__ import annotations

import shutil

import pytest

from tools import search as search_module

ENGINES = ("ripgrep", "python")


@pytest.fixture(params=ENGINES)
def searcher(agent, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    """The agent with each engine in turn; `python` is what runs where ripgrep is missing."""
    if request.param == "ripgrep":
        if not shutil.which("rg", path="/usr/bin:/bin"):
            pytest.skip("ripgrep is not installed")
    else:
        monkeypatch.setattr(search_module, "_ripgrep", lambda context, wanted: ABSENT)
    return agent


ABSENT = search_module.Finished(exit_code=127, stdout=b"")


def test_lines_are_found_with_path_and_number(searcher) -> None:
    searcher.put("src/a.py", "import os\nclass Asset:\n    pass\n")
    searcher.put("src/b.txt", "class Asset\n")
    assert searcher.ok("search", pattern=r"class \w+").split("\n") == [
        "src/a.py:2:class Asset:",
        "src/b.txt:1:class Asset",
    ]
    assert searcher.ok("search", pattern="class", glob="*.py") == "src/a.py:2:class Asset:"
    assert searcher.ok("search", pattern="class", path="src/b.txt") == "src/b.txt:1:class Asset"
    assert (
        searcher.ok("search", pattern="(?i)CLASS ASSET:", path="src") == "src/a.py:2:class Asset:"
    )
    assert searcher.ok("search", pattern="nowhere") == "no line matches"


def test_ignored_binary_and_linked_files_are_left_out(searcher) -> None:
    searcher.put(".gitignore", "build/\n")
    searcher.put("build/x", "needle\n")
    searcher.put("bin", b"\0needle\n")
    searcher.put(".hidden", "needle\n")
    (searcher.tree / "link").symlink_to("/etc")
    assert searcher.ok("search", pattern="needle") == ".hidden:1:needle"


def test_too_many_results_say_so(searcher) -> None:
    searcher.put("a", "x\n" * 1000)
    lines = searcher.ok("search", pattern="x", max_results=3).split("\n")
    assert lines[:3] == ["a:1:x", "a:2:x", "a:3:x"]
    assert "more than 3 lines match" in lines[3]


def test_long_lines_and_odd_bytes_are_shown_cut(searcher) -> None:
    searcher.put("a", "needle" + "y" * 1000 + "\n")
    searcher.put("b", b"needle \xff\n")
    first, second = searcher.ok("search", pattern="needle").split("\n")
    assert first.endswith("y[...]")
    assert len(first) < 400
    assert second.startswith("b:1:needle ")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"pattern": ""}, "not empty"),
        ({"pattern": "("}, "the search failed"),
        ({"pattern": "x", "path": "nope"}, "does not exist"),
        ({"pattern": "x", "path": "../x"}, "'..'"),
        ({"pattern": "x", "max_results": 0}, "1 to 500"),
    ],
)
def test_a_search_that_cannot_be_made_says_why(searcher, arguments, told: str) -> None:
    assert told in searcher.fails("search", **arguments)


def test_words_of_a_pattern_are_never_options_or_commands(searcher) -> None:
    searcher.put("a", "--files; touch evil\n$(touch evil)\n")
    assert searcher.ok("search", pattern="--files; touch evil").startswith("a:1:")
    searcher.call("search", pattern="'; touch evil; '")
    searcher.call("search", pattern="x", glob="'; touch evil; '")
    assert not (searcher.tree / "evil").exists()


def test_a_pattern_that_takes_for_ever_is_ended(searcher, monkeypatch) -> None:
    monkeypatch.setattr(search_module, "_WALL_S", 2)
    searcher.put("a", "a" * 40 + "!\n")
    result = searcher.call("search", pattern="(a+)+$")
    assert "no line matches" in result.text or "the search was ended (time limit)" in result.text
