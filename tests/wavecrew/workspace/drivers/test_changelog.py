from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wavecrew.workspace.drivers.changelog import CHANGELOG, is_changelog, parse

MARKDOWN = """\
# Changelog

All notable changes.

## [Unreleased]

### Added

- one
  on two lines

### Fixed

- a bug

## 1.0 - 2024-01-01

- first
"""
RST = """\
=======
History
=======

1.1
---

* one

1.0
---

* first
"""


def merged(base: str, ours: str, theirs: str) -> str | None:
    made, _ = CHANGELOG.merged(base.encode(), ours.encode(), theirs.encode())
    return None if made is None else made.decode()


def clash(base: str, ours: str, theirs: str) -> str:
    made, said = CHANGELOG.merged(base.encode(), ours.encode(), theirs.encode())
    assert made is None
    return said


def test_names_of_changelogs() -> None:
    for name in ("CHANGELOG.md", "docs/changes.rst", "HISTORY.txt", "NEWS", "CHANGELOG-v2.md"):
        assert is_changelog(name), name
    for name in ("changes.d/1.md", "CHANGELOG.py", "newsletter/x.md", "src/history.py"):
        assert not is_changelog(name), name


def test_both_add_an_entry_under_one_heading() -> None:
    place = "  on two lines\n"
    ours, theirs = (MARKDOWN.replace(place, f"{place}- {who}\n") for who in ("ours", "theirs"))
    assert merged(MARKDOWN, ours, theirs) == MARKDOWN.replace(place, f"{place}- ours\n- theirs\n")


def test_both_add_at_the_top_and_one_entry_is_the_same() -> None:
    ours = MARKDOWN.replace("- one\n", "- same\n- ours\n- one\n")
    theirs = MARKDOWN.replace("- one\n", "- same\n- theirs\n- one\n")
    assert merged(MARKDOWN, ours, theirs) == MARKDOWN.replace(
        "- one\n", "- same\n- ours\n- theirs\n- one\n"
    )


def test_both_open_the_same_new_section() -> None:
    place = "## 1.0"
    ours, theirs = (
        MARKDOWN.replace(place, f"### Removed\n\n- {who}\n\n{place}") for who in ("ours", "theirs")
    )
    assert merged(MARKDOWN, ours, theirs) == MARKDOWN.replace(
        place, f"### Removed\n\n- ours\n- theirs\n\n{place}"
    )


def test_underlined_headings_and_stars() -> None:
    ours, theirs = (RST.replace("* one\n", f"* one\n* {who}\n") for who in ("ours", "theirs"))
    assert merged(RST, ours, theirs) == RST.replace("* one\n", "* one\n* ours\n* theirs\n")


def test_both_make_the_file_anew() -> None:
    ours, theirs = "# Changes\n\n- ours\n", "# Changes\n\n- theirs\n"
    assert merged("", ours, theirs) == "# Changes\n\n- ours\n- theirs\n"


def test_windows_line_ends_and_a_missing_last_one_stay() -> None:
    base = "# Changes\r\n\r\n- one"
    ours, theirs = f"{base}\r\n- ours", f"{base}\r\n- theirs"
    assert merged(base, ours, theirs) == f"{base}\r\n- ours\r\n- theirs"


def test_an_entry_moved_into_a_release_goes_with_what_the_other_side_added_after_it() -> None:
    released = MARKDOWN.replace("## [Unreleased]\n", "## [Unreleased]\n\n## 1.1\n")
    theirs = MARKDOWN.replace("- first\n", "- first\n- forgotten\n")
    assert merged(MARKDOWN, released, theirs) == released.replace(
        "- first\n", "- first\n- forgotten\n"
    )


REAL = {
    "an entry both edited": ("- a bug", "- a bug, mended", "- a bug (#1)"),
    "edited and removed": ("- a bug\n", "- a bug (#1)\n", ""),
    "a heading both renamed": ("## [Unreleased]", "## 1.1", "## 2.0"),
    "a paragraph both edited": ("All notable", "All", "Some notable"),
}


@pytest.mark.parametrize("case", REAL)
def test_real_conflicts_stay_and_are_told(case: str) -> None:
    old, one, other = REAL[case]
    assert clash(MARKDOWN, MARKDOWN.replace(old, one), MARKDOWN.replace(old, other))


def test_code_and_inner_lists_belong_to_their_entry() -> None:
    base = "# C\n\n- one\n\n  ```\n  # no heading\n\n  - no entry\n  ```\n  - inner\n- two\n"
    piece = parse(base)
    assert piece is not None
    assert piece.text == base
    (section,) = piece.items or ()
    assert len(section.items or ()) == 2


@given(st.text("#=-*` \nab\r\t", max_size=80))
def test_any_text_is_cut_into_pieces_that_are_the_text(text: str) -> None:
    piece = parse(text)
    assert piece is not None
    assert piece.text == text


ENTRIES = st.lists(st.sampled_from([f"- entry {n}\n" for n in range(9)]), unique=True, max_size=4)


@settings(deadline=None)
@given(ENTRIES, ENTRIES, ENTRIES, st.booleans(), st.sampled_from(["### Added", "### Fixed"]))
def test_what_both_add_is_all_there_and_the_order_is_ours_first(
    base: list[str], ours: list[str], theirs: list[str], at_top: bool, heading: str
) -> None:
    def text(new: list[str]) -> str:
        added = [entry for entry in new if entry not in base]
        entries = [*added, *base] if at_top else [*base, *added]
        return f"# Log\n\n{heading}\n\n{''.join(entries)}\n## Old\n\n- old\n"

    made = merged(text([]), text(ours), text(theirs))
    assert made is not None
    both = [*ours, *(entry for entry in theirs if entry not in ours)]
    lines = made.splitlines(keepends=True)
    assert all(lines.count(entry) == 1 for entry in {*base, *both})
    assert made.count("entry") == len({*base, *both})
    mine = [entry for entry in lines if entry in ours and entry not in base]
    assert mine == [entry for entry in ours if entry not in base]
    again = merged(text([]), text(theirs), text(ours))
    assert again is not None
    assert sorted(again.splitlines()) == sorted(made.splitlines())


@pytest.mark.parametrize(
    "hostile",
    [b"\xff\xfe", b"#" * 3_000_000, b"- a\n" * 200_000, b"```\n" * 100_000, b"=\n" * 100_000],
)
def test_hostile_text_is_left_alone_or_merged_in_time(hostile: bytes) -> None:
    made, _ = CHANGELOG.merged(b"- x\n", b"- x\n- y\n", hostile)
    assert made is None or b"- y" in made
