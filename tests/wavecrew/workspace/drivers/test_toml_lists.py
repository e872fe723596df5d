from __future__ import annotations

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wavecrew.workspace.drivers.toml_lists import TOML, parse

PROJECT = """\
# the shop
[project]
name = "shop"
dependencies = [
    "httpx>=0.2",  # client
    # the database
    "SQLAlchemy[asyncio]>=2",
]

[project.optional-dependencies]
test = ["pytest", "hypothesis"]

[dependency-groups]
dev = [
    "ruff",
    "mypy"
]

[tool.shop]
text = '''
[project]
'''
"""


def merged(base: str, ours: str, theirs: str) -> str:
    made, said = TOML.merged(base.encode(), ours.encode(), theirs.encode())
    assert made is not None, said or "not understood"
    return made.decode()


def both_replace(old: str, ours: str, theirs: str, together: str) -> None:
    one, other, both = (PROJECT.replace(old, new, 1) for new in (ours, theirs, together))
    assert merged(PROJECT, one, other) == both


def test_dependencies_with_their_comments() -> None:
    end = 'asyncio]>=2",\n'
    ours, theirs = '    "anyio",  # ours\n', '    # theirs\n    "trio",\n'
    both_replace(end, end + ours, end + theirs, end + ours + theirs)


def test_a_list_without_a_last_comma_keeps_none() -> None:
    both_replace(
        '    "mypy"\n',
        '    "mypy",\n    "a"\n',
        '    "mypy",\n    "b"\n',
        '    "mypy",\n    "a",\n    "b"\n',
    )


def test_a_list_on_one_line() -> None:
    end = '"hypothesis"]'
    both_replace(end, '"hypothesis", "a"]', '"hypothesis", "b"]', '"hypothesis", "a", "b"]')


def test_keys_and_tables() -> None:
    end = 'name = "shop"\n'
    both_replace(end, end + "a = 1\n", end + "b = 2\n", end + "a = 1\nb = 2\n")
    ours, theirs = "\n[tool.o]\nx = 1\n", "\n[tool.t]\nx = 1\n"
    assert merged(PROJECT, PROJECT + ours, PROJECT + theirs) == PROJECT + ours + theirs


def test_a_version_that_one_side_raised_beside_a_new_package() -> None:
    ours = PROJECT.replace("httpx>=0.2", "httpx>=0.3")
    theirs = PROJECT.replace('"httpx', '"anyio",\n    "httpx')
    assert merged(PROJECT, ours, theirs) == ours.replace('"httpx', '"anyio",\n    "httpx')


REAL = {
    "two versions": ("httpx>=0.2", "httpx>=0.3", "httpx>=0.4"),
    "one new package in two versions": (
        '    "ruff",',
        '    "ruff",\n    "A_b>1",',
        '    "ruff",\n    "a-b>2",',
    ),
    "raised and removed": ('    "httpx>=0.2",  # client\n', '    "httpx>=0.3",\n', ""),
    "one key": ('name = "shop"', 'name = "o"', 'name = "t"'),
    "one text": ("'''\n[project]", "'''\n[o]", "'''\n[t]"),
}


@pytest.mark.parametrize("case", REAL)
def test_real_conflicts_stay_and_are_told(case: str) -> None:
    old, one, other = REAL[case]
    ours, theirs = PROJECT.replace(old, one), PROJECT.replace(old, other)
    made, said = TOML.merged(PROJECT.encode(), ours.encode(), theirs.encode())
    assert made is None
    assert "the integration branch has" in said


def test_one_package_under_two_conditions_stands_twice() -> None:
    end = '    "ruff",\n'
    ours, theirs = (
        "    \"a<2; python_version < '3.9'\",\n",
        "    \"a>2; python_version >= '3.9'\",\n",
    )
    both_replace(end, end + ours, end + theirs, end + ours + theirs)


NOT_UNDERSTOOD = {
    "no toml": "a = \n",
    "a key twice": "a = 1\na = 2\n",
    "deep": "a = " + "[" * 5_000 + "]" * 5_000 + "\n",
    "a byte order mark": "\ufeffa = 1\n",
    "large": "a = 1\n" + "# x\n" * 100_000,
    "a tall value": "a = [\n" + "1,\n" * 1_000 + "]\n",
}


@pytest.mark.parametrize("case", NOT_UNDERSTOOD)
def test_what_is_not_understood_is_left_alone(case: str) -> None:
    sides = ("a = 1\n", "a = 1\nb = 1\n", NOT_UNDERSTOOD[case])
    assert TOML.merged(*(side.encode() for side in sides)) == (None, "")


def test_arrays_of_tables_are_never_mixed_up() -> None:
    base = "[[x]]\na = 1\n"
    ours, theirs = base + "\n[[x]]\na = 2\n", base + "\n[[x]]\na = 3\n"
    made, _ = TOML.merged(base.encode(), ours.encode(), theirs.encode())
    assert made is None or tomllib.loads(made.decode())["x"] == [{"a": 1}, {"a": 2}, {"a": 3}]


@given(st.text("ab=[]\"'#, \n\r.1", max_size=40))
def test_any_text_is_cut_into_pieces_that_are_the_text_or_left_alone(text: str) -> None:
    piece = parse(text)
    assert piece is None or piece.text == text


NAMES = st.sets(st.sampled_from([f"pkg{n}" for n in range(9)]), max_size=4)


@settings(deadline=None)
@given(NAMES, NAMES, NAMES, st.sampled_from(["tall", "bare", "short"]))
def test_packages_that_each_side_adds_are_all_there(
    base: set[str], ours: set[str], theirs: set[str], form: str
) -> None:
    def text(new: set[str]) -> str:
        items = [f'"{name}>=1"' for name in ("first", *sorted(base), *sorted(new - base))]
        gap = "" if form == "short" else "\n"
        inner = (", " if form == "short" else ",\n").join(items)
        return (
            f"[project]\ndependencies = [{gap}{inner}{',' if form == 'tall' else ''}{gap}]\nz = 1\n"
        )

    made = merged(text(set()), text(ours), text(theirs))
    listed = tomllib.loads(made)["project"]["dependencies"]
    names = [item.removesuffix(">=1") for item in listed]
    assert sorted(names) == sorted({"first", *base, *ours, *theirs})
    for side in (text(ours), text(theirs)):
        own = [item.removesuffix(">=1") for item in tomllib.loads(side)["project"]["dependencies"]]
        assert [name for name in names if name in own] == own
    again = merged(text(set()), text(theirs), text(ours))
    assert sorted(tomllib.loads(again)["project"]["dependencies"]) == sorted(listed)
