from __future__ import annotations

import io
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from wavecrew.workspace.drivers.ordered_yaml import ORDERED_YAML, is_yaml, parse

COMPOSE = """\
# the shop
services:
  web:
    image: "shop:1"   # pinned
    ports: [80, 81]
    environment:
      - A=1

  # where it is kept
  db:
    image: 'postgres'
    command: >-
      -c log=1
      # no comment

x-common: &common
  restart: always
volumes: []
"""


def loaded(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(io.StringIO(text))


def merged(base: str, ours: str, theirs: str) -> str:
    made, said = ORDERED_YAML.merged(base.encode(), ours.encode(), theirs.encode())
    assert made is not None, said or "not understood"
    return made.decode()


def refused(base: str, ours: str, theirs: str) -> str:
    made, said = ORDERED_YAML.merged(base.encode(), ours.encode(), theirs.encode())
    assert made is None, made
    return said


def both_insert(after: str, ours: str, theirs: str) -> None:
    one, other, together = (
        COMPOSE.replace(after, after + new, 1) for new in (ours, theirs, ours + theirs)
    )
    assert merged(COMPOSE, one, other) == together


def test_items_of_a_list() -> None:
    both_insert("      - A=1\n", "      - O=1\n", "      - T='2'  # theirs\n")


def test_keys_with_their_comments() -> None:
    ours, theirs = "  # ours\n  cache:\n    image: o\n\n", "  queue: {image: t}\n\n"
    both_insert("      - A=1\n\n", ours, theirs)


def test_keys_at_the_end() -> None:
    both_insert("volumes: []\n", "o:\n  - 1\n", "t: |\n  text\n   deeper\n")


def test_a_list_on_one_line() -> None:
    ours, theirs = (COMPOSE.replace("81]", f"81, {n}]") for n in (90, 91))
    assert merged(COMPOSE, ours, theirs) == COMPOSE.replace("81]", "81, 90, 91]")


def test_an_empty_list_that_both_fill() -> None:
    ours, theirs = (COMPOSE.replace(" []\n", f"\n  - {n}\n") for n in "ot")
    assert merged(COMPOSE, ours, theirs) == COMPOSE.replace(" []\n", "\n  - o\n  - t\n")


def test_items_with_a_name_are_merged_inside() -> None:
    base = "jobs:\n- name: a\n  run: x\n- name: b\n  run: y\n"
    ours = base.replace("run: x\n", "run: x\n  env: o\n")
    theirs = base.replace("run: x\n", "run: x2\n").replace("run: y\n", "run: y\n- name: c\n")
    assert merged(base, ours, theirs) == (
        "jobs:\n- name: a\n  run: x2\n  env: o\n- name: b\n  run: y\n- name: c\n"
    )


def test_both_make_the_file_anew() -> None:
    assert merged("", "a: 1\n", "b: 2\n") == "a: 1\nb: 2\n"
    assert "a: the integration branch has a: 1" in refused("", "a: 1\n", "a: 2\n")


def test_windows_line_ends_and_a_missing_last_one_stay() -> None:
    assert merged("a: 1\r\nz: 2", "a: 1\r\no: 1\r\nz: 2", "a: 1\r\nt: 1\r\nz: 2") == (
        "a: 1\r\no: 1\r\nt: 1\r\nz: 2"
    )
    assert merged("a: 1", "a: 1\no: 1", "a: 1\nt: 1") == "a: 1\no: 1\nt: 1"


def test_one_side_removes_what_the_other_leaves() -> None:
    ours = COMPOSE.replace("volumes: []\n", "")
    theirs = COMPOSE.replace("restart: always\n", "restart: always\n  init: true\n")
    assert merged(COMPOSE, ours, theirs) == theirs.replace("volumes: []\n", "")


REAL = {
    "one value twice": ('"shop:1"', '"shop:2"', '"shop:3"'),
    "one new key with two values": ("volumes: []\n", "volumes: []\nn: 1\n", "volumes: []\nn: 2\n"),
    "edited and removed": ("  restart: always\n", "  restart: no\n", "  init: true\n"),
    "two anchors": ("&common", "&mine", "&theirs"),
    "an item both edited": ("- A=1", "- A=2", "- A=3"),
}


@pytest.mark.parametrize("case", REAL)
def test_real_conflicts_stay_and_are_told(case: str) -> None:
    old, one, other = REAL[case]
    assert refused(COMPOSE, COMPOSE.replace(old, one), COMPOSE.replace(old, other))


def test_an_anchor_that_one_side_removed_is_not_used_by_the_other() -> None:
    base = "a: &x 1\nm: 1\n"
    assert refused(base, "a: 1\nm: 1\n", base + "b: *x\n") == ""


LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(20)
)


def test_aliases_that_multiply_cost_nothing() -> None:
    started = time.monotonic()
    assert merged(LAUGHS, LAUGHS + "oo: 1\n", LAUGHS + "tt: 1\n") == LAUGHS + "oo: 1\ntt: 1\n"
    assert time.monotonic() - started < 10


def test_lock_files_are_not_joined() -> None:
    assert is_yaml(".github/workflows/ci.yml")
    assert not is_yaml("web/pnpm-lock.yaml")


def test_two_headers_of_a_new_file_are_a_conflict() -> None:
    assert refused("", "--- # ours\na: 1\n", "--- # theirs\nb: 1\n")


NOT_UNDERSTOOD = {
    "several documents": "a: 1\n---\nb: 1\n",
    "a key twice": "a: 1\na: 2\n",
    "a scalar": "text\n",
    "an alias of nothing": "a: *b\n",
    "an anchor twice": "a: &b 1\nc: &b 2\n",
    "tabs": "a:\n\tb: 1\n",
    "deep": "[" * 5_000 + "]" * 5_000,
    "deep blocks": "".join(" " * n + "a:\n" for n in range(300)),
    "odd breaks": "a: 1\u2028b: 2\n",
    "old breaks": "a: 1\rb: 2\r",
    "a byte order mark": "\ufeffa: 1\n",
    "a null byte": "a: \0\n",
    "large": "a: 1\n" + "# x\n" * 100_000,
    "a flow map": "{a: 1}\n",
    "an unknown alias escape": 'a: "\\xZZ"\n',
    "a directive": "%YAML " + "9" * 5_000 + ".1\n---\na: 1\n",
}


@pytest.mark.parametrize("case", NOT_UNDERSTOOD)
def test_what_is_not_understood_is_left_alone(case: str) -> None:
    bad = NOT_UNDERSTOOD[case]
    assert refused("a: 1\n", "a: 1\nb: 1\n", bad) == ""
    assert refused("a: 1\n", bad, "a: 1\nb: 1\n") == ""


@settings(deadline=None, max_examples=300)
@given(st.text("ab:-#[]{}'\"|>&*!%?, \n\r\t", max_size=40))
def test_any_text_is_cut_into_pieces_that_are_the_text_or_left_alone(text: str) -> None:
    piece = parse(text)
    assert piece is None or piece.text == text


KEYS = st.sets(st.sampled_from("abcdefgh"), max_size=4)


def mapping(keys: list[str], depth: int) -> str:
    pad = "  " * depth
    return "".join(f"{pad}# about {key}\n{pad}{key}: '{key}'  # why\n" for key in keys)


@settings(deadline=None, max_examples=80)
@given(KEYS.filter(bool), KEYS, KEYS, st.integers(0, 2))
def test_keys_that_each_side_adds_are_all_there(
    base: set[str], ours: set[str], theirs: set[str], depth: int
) -> None:
    head = "".join("  " * n + f"in{n}:\n" for n in range(depth))
    shared = sorted(base)

    def text(new: set[str]) -> str:
        return (
            head
            + "  " * depth
            + "x: 1\n"
            + mapping([*shared, *sorted(new - base)], depth)
            + "z: 1\n"
        )

    made = merged(text(set()), text(ours), text(theirs))
    found = loaded(made)
    for n in range(depth):
        found = found[f"in{n}"]
    added = [*sorted(ours - base), *sorted(theirs - ours - base)]
    wanted = ["x", *shared, *added, *(["z"] if depth == 0 else [])]
    assert set(found) == set(wanted)
    assert made.count("# about") == made.count("# why") == len(wanted) - (2 if depth == 0 else 1)
    assert [key for key in found if key in ours - base] == sorted(ours - base)
    assert loaded(merged(text(set()), text(theirs), text(ours))) == loaded(made)
