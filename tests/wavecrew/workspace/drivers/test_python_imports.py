from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wavecrew.workspace.drivers.python_imports import MARKER, union


def marked(folder: Path, base: str, ours: str, theirs: str) -> bytes:
    for name, text in (("base", base), ("ours", ours), ("theirs", theirs)):
        (folder / name).write_bytes(text.encode())
    words = ["git", "merge-file", "-p", "--diff3", f"--marker-size={MARKER}"]
    return subprocess.run(
        [*words, "ours", "base", "theirs"], cwd=folder, capture_output=True
    ).stdout


def merged(folder: Path, base: str, ours: str, theirs: str) -> str | None:
    made = union(marked(folder, base, ours, theirs))
    return None if made is None else made.decode()


BASE = """\
from .base import Base

__all__ = ["Base"]
"""


def test_each_branch_adds_a_model(tmp_path: Path) -> None:
    ours = 'from .base import Base\nfrom .zone import Zone\n\n__all__ = ["Base", "Zone"]\n'
    theirs = 'from .base import Base\nfrom .asset import Asset\n\n__all__ = ["Base", "Asset"]\n'
    assert merged(tmp_path, BASE, ours, theirs) == (
        "from .asset import Asset\nfrom .base import Base\nfrom .zone import Zone\n\n"
        '__all__ = ["Asset", "Base", "Zone"]\n'
    )


def test_an_unsorted_list_takes_ours_first_then_theirs(tmp_path: Path) -> None:
    base = '__all__ = ["Z", "B"]\n'
    ours, theirs = '__all__ = ["Z", "B", "D"]\n', '__all__ = ["Z", "B", "A", "C"]\n'
    assert merged(tmp_path, base, ours, theirs) == '__all__ = ["Z", "B", "D", "A", "C"]\n'


def test_a_tall_list_keeps_its_shape_and_comments(tmp_path: Path) -> None:
    base = "LIST = [\n    z,\n    a,\n]\n"
    ours = "LIST = [\n    z,\n    a,\n    f(1),  # ours\n]\n"
    theirs = "LIST = [\n    z,\n    a,\n    b.c,\n    d,\n]\n"
    assert merged(tmp_path, base, ours, theirs) == (
        "LIST = [\n    z,\n    a,\n    f(1),  # ours\n    b.c,\n    d,\n]\n"
    )


def test_a_tall_import_without_a_last_comma_grows(tmp_path: Path) -> None:
    base = "from x import (\n    Z,\n    B\n)\n"
    ours = "from x import (\n    Z,\n    B,\n    C\n)\n"
    theirs = "from x import (\n    Z,\n    B,\n    D\n)\n"
    assert merged(tmp_path, base, ours, theirs) == (
        "from x import (\n    Z,\n    B,\n    C,\n    D,\n)\n"
    )


def test_both_add_the_same_line_and_one_more(tmp_path: Path) -> None:
    ours = BASE.replace("Base\n\n", "Base\nfrom .a import A\n\n", 1)
    theirs = BASE.replace("Base\n\n", "Base\nfrom .a import A\nfrom .c import C\n\n", 1)
    made = merged(tmp_path, BASE, ours, theirs)
    assert made == BASE.replace("Base\n\n", "Base\nfrom .a import A\nfrom .c import C\n\n", 1)


def test_both_make_the_file_anew(tmp_path: Path) -> None:
    made = merged(tmp_path, "", "from .a import A\n", "from .b import B\n")
    assert made is not None
    assert set(made.split("\n")) == {"from .a import A", "from .b import B", ""}


def test_code_beside_the_conflict_may_change(tmp_path: Path) -> None:
    code = "\n\ndef f():\n    return 1\n\n\ndef g():\n    return 1\n"
    ours = "from a import A\nfrom o import O" + code.replace("return 1", "return 2", 1)
    theirs = "from a import A\nfrom t import T" + code
    made = merged(tmp_path, "from a import A" + code, ours, theirs)
    assert made == "from a import A\nfrom o import O\nfrom t import T" + code.replace(
        "return 1", "return 2", 1
    )


def test_a_noqa_comment_comes_along(tmp_path: Path) -> None:
    made = merged(tmp_path, "", "from .b import B\n", "from .c import C  # noqa: F401\n")
    assert made == "from .b import B\nfrom .c import C  # noqa: F401\n"


def test_windows_line_ends_stay(tmp_path: Path) -> None:
    base = "X = [\r\n    z,\r\n    a,\r\n]\r\n"
    ours, theirs = (base.replace("a,\r\n", f"a,\r\n    {new},\r\n") for new in ("o", "t"))
    assert merged(tmp_path, base, ours, theirs) == base.replace(
        "a,\r\n", "a,\r\n    o,\r\n    t,\r\n"
    )


REFUSED = {
    "a removal": ("import a\nimport b\n", "import a\nimport c\n", "import a\nimport b\nimport d\n"),
    "code": ("import a\n", "import a\nx = 1\n", "import a\ny = 2\n"),
    "code and import": ("import a\n", "import a\nimport b\n", "import a\ny = 2\n"),
    "one name from two places": ("", "from a import X\n", "from b import X\n"),
    "one name for two things": ("", "import a as x\n", "import b as x\n"),
    "a comment of theirs": ("", "import a\n", "# why\nimport b\n"),
    "a syntax error": ("import a\n", "import a\nimport\n", "import a\nimport b\n"),
    "another value": ("X = 1\n", "X = 2\n", "X = 3\n"),
    "a future import": ("", "import a\n", "from __future__ import annotations\n"),
    "star and names": ("", "from a import *\n", "from a import b\n"),
    "a reordered list": ("X = [a, b]\n", "X = [b, a, c]\n", "X = [a, b, d]\n"),
    "data that repeats": ("X = [1, 1]\n", "X = [1, 1, 2]\n", "X = [1, 1, 3]\n"),
    "a null byte": ("", "import a\n", "import b\0\n"),
    "deep nesting": ("", "x = " + "[" * 3000 + "]" * 3000 + "\n", "import b\n"),
    "a long sum": ("", "x = " + "1+" * 20000 + "1\n", "import b\n"),
    "one key with two values": ("H = {}\n", "H = {'a': 1}\n", "H = {'a': 2}\n"),
    "a dict of another dict": ("H = {}\n", "H = {**A}\n", "H = {**B}\n"),
    "an edited value": ("H = {'a': 1}\n", "H = {'a': 2}\n", "H = {'a': 1, 'b': 2}\n"),
    "another wrapper": ("H = set({a})\n", "H = set({a, b})\n", "H = list({a, c})\n"),
    "no conflict": ("import a\n", "import a\n", "import a\nimport b\n"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_certain_stays_a_conflict(tmp_path: Path, case: str) -> None:
    assert merged(tmp_path, *REFUSED[case]) is None


NAMES = st.lists(st.sampled_from([f"N{n}" for n in range(12)]), unique=True, max_size=5)


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(NAMES, NAMES, NAMES, st.booleans())
def test_the_union_says_all_that_both_sides_say(
    tmp_path: Path, base: list[str], ours: list[str], theirs: list[str], tall: bool
) -> None:
    def text(names: list[str]) -> str:
        imports = "".join(f"from .{name.lower()} import {name}\n" for name in names)
        entries = [f'"{name}"' for name in names]
        listed = "".join(f"    {e},\n" for e in entries) if tall else ", ".join(entries)
        opening = "__all__ = [\n" if tall else "__all__ = ["
        return f"{imports}\n{opening}{listed}]\n"

    sides = [base + [name for name in side if name not in base] for side in (ours, theirs)]
    conflict = marked(tmp_path, text(base), text(sides[0]), text(sides[1]))
    if b"<" * MARKER not in conflict:
        return
    made = union(conflict)
    assert made is not None
    tree = ast.parse(made)
    imported = [a.name for s in tree.body if isinstance(s, ast.ImportFrom) for a in s.names]
    (listed,) = (s.value for s in tree.body if isinstance(s, ast.Assign))
    assert set(imported) == set(ast.literal_eval(listed)) == {*sides[0], *sides[1]}
    assert len(imported) == len(set(imported)) == len(ast.literal_eval(listed))


REGISTRIES = {
    "a dict": ('H = {\n    "a": A,\n}\n', '    "o": o(1, 2),  # ours\n', '    "t": T,\n'),
    "a dict of lists": (
        'H: dict[str, list[int]] = {\n    "a": [1],\n}\n',
        '    "o": [1, 1],\n',
        '    "t": [1],\n',
    ),
    "a set": ("H = {\n    a,\n}\n", "    o,\n", "    t,\n"),
    "a frozenset": ("H = frozenset({\n    a,\n})\n", "    o,\n", "    t,\n"),
    "a tuple that grows": ("H += (\n    a,\n)\n", "    o,\n", "    t,\n"),
}


@pytest.mark.parametrize("case", REGISTRIES)
def test_registries_of_every_kind_take_both_entries(tmp_path: Path, case: str) -> None:
    base, ours, theirs = REGISTRIES[case]
    closing = base.rindex("\n", 0, -1) + 1
    one, other, both = (
        base[:closing] + new + base[closing:] for new in (ours, theirs, ours + theirs)
    )
    assert merged(tmp_path, base, one, other) == both


def test_a_flat_dict_grows_on_its_line(tmp_path: Path) -> None:
    base, ours, theirs = "H = {'a': 1}\n", "H = {'a': 1, 'o': 2}\n", "H = {'a': 1, 't': 3}\n"
    assert merged(tmp_path, base, ours, theirs) == "H = {'a': 1, 'o': 2, 't': 3}\n"


def test_an_empty_dict_takes_both(tmp_path: Path) -> None:
    assert merged(tmp_path, "H = {}\n", "H = {'o': 2}\n", "H = {'t': 3}\n") == (
        "H = {'o': 2, 't': 3}\n"
    )
