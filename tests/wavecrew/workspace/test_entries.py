from __future__ import annotations

import pytest

from wavecrew.workspace.entries import LARGEST_FILE, judge
from wavecrew.workspace.model import Change


def found(path: str, mode: str = "100644", content: bytes = b"", size: int = 1) -> list[str]:
    change = Change(path, "A", mode, "000000")
    return [finding.message for finding in judge(change, content, size) if finding.forbidden]


@pytest.mark.parametrize(
    "path",
    [
        "a/.git",
        "a/.GIT/config",
        ".git./x",
        ".git /x",
        "GIT~1/x",
        "a/.g\u200cit/config",
        ".git::$INDEX_ALLOCATION/x",
        "．git/x",
        "../x",
        "a//b",
        "a/./b",
        "a\\b",
        "a\nb",
        "a\x1b[2Jb",
        "x" * 300,
        "/".join(["d" * 100] * 11),
        "caf\udce9",
        ".gitmodules",
        "sub/.GitModules",
        "gitmod~1",
    ],
)
def test_names_that_mislead_a_machine_or_a_person_are_forbidden(path: str) -> None:
    assert found(path)


@pytest.mark.parametrize(
    "path", ["a.py", ".github/x.yml", ".gitignore", "git", "d/é.py", "a b", "..a"]
)
def test_ordinary_names_are_fine(path: str) -> None:
    assert not found(path)


@pytest.mark.parametrize("mode", ["160000", "100664", "040000"])
def test_other_modes_are_forbidden(mode: str) -> None:
    assert found("a", mode)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("a", "/etc/passwd"),
        ("a", ".."),
        ("a", "../x"),
        ("d/a", "../../x"),
        ("d/a", "x/../../../y"),
        ("a", "d/link/../../x"),
        ("a", ".git/config"),
        ("d/a", "../.GIT"),
        ("a", "C:/x"),
        ("a", "..\\x"),
        ("a", ""),
        ("a", "x\ny"),
    ],
)
def test_links_that_lead_out_are_forbidden(path: str, target: str) -> None:
    assert found(path, "120000", target.encode())


@pytest.mark.parametrize(("path", "target"), [("a", "b"), ("d/a", "../b/c"), ("d/e/a", "../../x")])
def test_links_that_stay_inside_are_fine(path: str, target: str) -> None:
    assert not found(path, "120000", target.encode())


def test_a_link_that_is_no_text_is_forbidden() -> None:
    assert found("a", "120000", b"\xff")


def test_a_huge_file_is_forbidden() -> None:
    assert found("a", size=LARGEST_FILE + 1)


def test_deleting_what_may_not_be_added_is_fine_but_for_submodules() -> None:
    gone = Change("vendor", "D", "000000", "160000")
    assert not list(judge(gone, None, 0))
    assert next(iter(judge(Change(".gitmodules", "D", "000000", "100644"), None, 0))).forbidden


def test_changed_attributes_are_flagged_and_allowed() -> None:
    (finding,) = judge(Change("d/.gitattributes", "M", "100644", "100644"), b"", 1)
    assert not finding.forbidden
