from __future__ import annotations

import difflib
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tools.patch import parse_patch, patched
from wavecrew.errors import ToolError

PATCH = """\
--- a/a.py
+++ b/a.py
@@ -1,3 +1,3 @@
 one
-two
+2
 three
"""


def test_a_patch_changes_a_file(agent) -> None:
    agent.put("a.py", "one\ntwo\nthree\nfour\n")
    assert agent.ok("apply_patch", patch=PATCH) == "changed a.py"
    assert (agent.tree / "a.py").read_text() == "one\n2\nthree\nfour\n"


def test_line_numbers_and_counts_may_be_wrong(agent) -> None:
    for header in ("@@ -90,7 +91,1 @@", "@@ -1 +1 @@", "@@", "@@ ... @@", "@@ class A @@"):
        agent.put("a.py", "zero\n\none\ntwo\nthree\nfour\n")
        agent.ok("apply_patch", patch=PATCH.replace("@@ -1,3 +1,3 @@", header))
        assert (agent.tree / "a.py").read_text() == "zero\n\none\n2\nthree\nfour\n"


def test_context_may_not_be_wrong(agent) -> None:
    agent.put("a.py", "one\ntwo!\nthree\n")
    text = agent.fails("apply_patch", patch=PATCH)
    assert "'a.py', hunk 1" in text
    assert "Missing is 'two'" in text
    assert "2|two!" in text
    assert (agent.tree / "a.py").read_text() == "one\ntwo!\nthree\n"


def test_the_fit_nearest_to_the_line_number_is_taken(agent) -> None:
    agent.put("a", "x\ny\n" * 5)
    agent.ok("apply_patch", patch="--- a/a\n+++ b/a\n@@ -7,2 +7,2 @@\n x\n-y\n+Y\n")
    assert (agent.tree / "a").read_text() == "x\ny\n" * 3 + "x\nY\n" + "x\ny\n"


def test_without_a_line_number_two_fits_are_an_error(agent) -> None:
    agent.put("a", "x\ny\nx\ny\n")
    text = agent.fails("apply_patch", patch="--- a/a\n+++ b/a\n@@\n x\n-y\n+Y\n")
    assert "several lines (1, 3)" in text


def test_files_are_created_deleted_and_renamed_in_one_patch(agent) -> None:
    agent.put("old.py", "1\n2\n")
    agent.put("gone.py", "x\n")
    agent.put("run.sh", "#!/bin/sh\n").chmod(0o755)
    patch = (
        "diff --git a/dir/new.py b/dir/new.py\nnew file mode 100755\n--- /dev/null\n"
        "+++ b/dir/new.py\n@@ -0,0 +1,2 @@\n+a\n+b\n"
        "diff --git a/gone.py b/gone.py\ndeleted file mode 100644\n--- a/gone.py\n+++ /dev/null\n"
        "@@ -1 +0,0 @@\n-x\n"
        "diff --git a/old.py b/moved.py\nsimilarity index 50%\nrename from old.py\n"
        "rename to moved.py\n--- a/old.py\n+++ b/moved.py\n@@ -1,2 +1,2 @@\n 1\n-2\n+two\n"
        "diff --git a/run.sh b/bin/run.sh\nsimilarity index 100%\nrename from run.sh\n"
        "rename to bin/run.sh\n"
        "diff --git a/empty b/empty\nnew file mode 100644\n"
    )
    assert agent.ok("apply_patch", patch=patch).split("\n") == [
        *("created dir/new.py", "deleted gone.py", "renamed old.py to moved.py"),
        *("renamed run.sh to bin/run.sh", "created empty"),
    ]
    left = {str(p.relative_to(agent.tree)): p for p in agent.tree.rglob("[!.]*") if p.is_file()}
    assert set(left) == {"dir/new.py", "moved.py", "bin/run.sh", "empty"}
    assert left["moved.py"].read_text() == "1\ntwo\n"
    assert left["dir/new.py"].stat().st_mode & 0o777 == 0o755
    assert left["bin/run.sh"].stat().st_mode & 0o777 == 0o755


def test_a_patch_that_fits_in_part_changes_nothing(agent) -> None:
    agent.put("a.py", "one\ntwo\nthree\n")
    agent.put("b.py", "other\n")
    agent.fails("apply_patch", patch=PATCH + PATCH.replace("a.py", "b.py"))
    assert (agent.tree / "a.py").read_text() == "one\ntwo\nthree\n"


def test_a_write_that_fails_midway_is_taken_back(agent) -> None:
    agent.put("a.py", "one\ntwo\nthree\n")
    agent.put("file", "x\n")
    new = "--- /dev/null\n+++ b/file/below\n@@ -0,0 +1 @@\n+x\n"
    created = "--- /dev/null\n+++ b/made/new\n@@ -0,0 +1 @@\n+x\n"
    assert "not a folder" in agent.fails("apply_patch", patch=PATCH + created + new)
    assert (agent.tree / "a.py").read_text() == "one\ntwo\nthree\n"
    assert not (agent.tree / "made/new").exists()


def test_two_patches_of_one_file_build_on_each_other(agent) -> None:
    agent.put("a.py", "one\ntwo\nthree\n")
    agent.ok("apply_patch", patch=PATCH + "--- a/a.py\n+++ b/a.py\n@@ -2 +2 @@\n-2\n+II\n")
    assert (agent.tree / "a.py").read_text() == "one\nII\nthree\n"


def test_crlf_files_keep_their_line_ends(agent) -> None:
    for patch in (PATCH, PATCH.replace("\n", "\r\n")):
        agent.put("a.py", b"one\r\ntwo\r\nthree\r\n")
        agent.ok("apply_patch", patch=patch)
        assert (agent.tree / "a.py").read_bytes() == b"one\r\n2\r\nthree\r\n"


@pytest.mark.parametrize(
    ("patch", "told"),
    [
        ("", "changes no file"),
        ("hello", "changes no file"),
        ("--- a/x\n+++ b/x\n", "changes no file"),
        ("@@ -1 +1 @@\n-a\n+b\n", "cannot be read"),
        ("--- a/../x\n+++ b/../x\n@@ -1 +1 @@\n-a\n+b\n", "'..'"),
        ("--- a/x\n+++ /etc/passwd\n@@ -1 +1 @@\n-a\n+b\n", "absolute"),
        ("--- /dev/null\n+++ b/.git/hooks/x\n@@ -0,0 +1 @@\n+b\n", "git's own"),
        (
            "diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+/\n",
            "mode",
        ),
        ("--- a/missing\n+++ b/missing\n@@ -1 +1 @@\n-a\n+b\n", "does not exist"),
        ("--- /dev/null\n+++ b/there\n@@ -0,0 +1 @@\n+b\n", "exists already"),
        ("--- a/there\n+++ /dev/null\n@@ -1 +0,0 @@\n-1\n", "does not remove all lines"),
        ("Binary files a/x and b/x differ\n", "binary"),
    ],
)
def test_a_patch_that_cannot_be_applied_says_why(agent, patch: str, told: str) -> None:
    agent.put("there", "1\n2\n")
    assert told in agent.fails("apply_patch", patch=patch)
    assert (agent.tree / "there").read_text() == "1\n2\n"


LINE = st.text(alphabet="ab-+ @\\\t\x0c\x85é", max_size=4).filter(
    lambda line: not line.startswith(("-- ", "++ ")) and line != "- "
)
"""What could be a file's header inside a hunk is left out: a diff cannot tell them apart."""
LINES = st.lists(LINE, max_size=12)


def as_text(lines: list[str], closed: bool) -> str:
    return "\n".join(lines) + ("\n" if closed and lines else "")


def ended(text: str) -> list[str]:
    """Its lines with their ends; only a newline ends one."""
    *lines, rest = text.split("\n")
    return [line + "\n" for line in lines] + ([rest] if rest else [])


def unified(old: str, new: str, context: int) -> str:
    """As difflib writes it, with git's marker for a missing last newline."""
    diff = difflib.unified_diff(ended(old), ended(new), "a/f", "b/f", n=context)
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in diff
    )


@given(
    old=LINES, new=LINES, old_closed=st.booleans(), new_closed=st.booleans(), n=st.integers(0, 3)
)
def test_a_difference_applied_gives_the_other_text(
    old: list[str], new: list[str], old_closed: bool, new_closed: bool, n: int
) -> None:
    before, after = as_text(old, old_closed), as_text(new, new_closed)
    assume(before != after)
    (file,) = parse_patch(unified(before, after, n))
    assert patched("f", before, file.hunks) == after


@given(old=LINES.filter(any), new=LINES.filter(any))
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_what_git_diff_writes_applies(
    tmp_path_factory: pytest.TempPathFactory, old: list[str], new: list[str]
) -> None:
    before, after = as_text(old, True), as_text(new, False)
    assume(before != after)
    folder: Path = tmp_path_factory.mktemp("git")
    for name, text in (("old", before), ("new", after)):
        (folder / name).write_text(text, newline="")
    made = subprocess.run(
        ["git", "diff", "--no-index", "--no-color", "--text", "old", "new"],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    (file,) = parse_patch(made.stdout.decode())
    assert patched("old", before, file.hunks) == after


@given(st.text(alphabet="-+ @a/b\n,0123\\", max_size=80))
def test_any_text_is_a_patch_or_an_error_that_can_be_told(text: str) -> None:
    with suppress(ToolError):
        for file in parse_patch(f"--- a/f\n+++ b/f\n{text}"):
            assert isinstance(patched("f", "a\nb\n", file.hunks), str)
