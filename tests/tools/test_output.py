from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.output import Outputs, plain
from wavecrew.errors import ToolError


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("a\x00b\x08c\x7f\x9bd", "abcd"),
        ("10%\r50%\r100%\ndone", "100%\ndone"),
        ("dos\r\nlines\r\n", "dos\nlines\n"),
        ("\ttab é €", "\ttab é €"),
        ("\x1b[", ""),
        ("\x1bP never ended", ""),
    ],
)
def test_control_sequences_are_taken_out(raw: str, text: str) -> None:
    assert plain(raw) == text


@given(st.text(alphabet="a\x1b[]0m\x07;\\\r\n\x9b"))
def test_nothing_that_steers_a_terminal_is_left(raw: str) -> None:
    assert not set(plain(raw)) & {"\x1b", "\x07", "\x9b", "\r"}


def test_what_fits_is_shown_as_it_is(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path / "outputs", 1)
    assert outputs.show("short\n", "x") == "short\n"
    assert outputs.names() == []


def test_a_long_output_keeps_head_and_tail_and_the_call_that_shows_the_rest(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path / "outputs", 1)
    text = "\n".join(f"line {n}" for n in range(1, 1001))
    shown = outputs.show(text, "run_command")
    assert len(shown) <= 1024
    assert shown.startswith("line 1\n")
    assert shown.endswith("\nline 1000")
    first = int(shown.partition("start=")[2].partition(")")[0])
    assert f"line {first - 1}\n[... lines {first} to" in shown
    assert f"read_output(name='run_command-1', start={first}) shows them" in shown
    page = outputs.read("run_command-1", first, 0)
    assert page.startswith(f"line {first}\n")
    assert len(page) <= 1024
    assert "; read_output(name='run_command-1', start=" in page


@given(lines=st.lists(st.text(alphabet="ab", max_size=30), min_size=1, max_size=300))
def test_paging_through_shows_every_line_once(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    outputs = Outputs(tmp_path_factory.mktemp("outputs"), 1)
    text = "\n".join([*lines, "c" * 1025])
    outputs.show(text, "x")
    seen: list[str] = []
    start = 1
    while True:
        body, _, note = outputs.read("x-1", start, 0).rpartition("\n[lines ")
        seen += body.split("\n")
        if "goes on" not in note:
            break
        start = int(note.rpartition("start=")[2].partition(")")[0])
    assert seen == text.split("\n")


def test_an_output_without_lines_is_folded(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path, 8)
    shown = outputs.show("x" * 100_000, "x")
    assert len(shown) <= 8 * 1024
    assert "of 50 left out" in shown


def test_outputs_outlive_the_process_that_kept_them(tmp_path: Path) -> None:
    Outputs(tmp_path, 1).show("a\n" * 1000, "x")
    again = Outputs(tmp_path, 1)
    assert again.read("x-1", 1, 2).startswith("a\na\n")
    again.show("b\n" * 1000, "x")
    assert again.names() == ["x-1", "x-2"]


def test_an_output_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("x")
    outputs = Outputs(tmp_path / "outputs", 1)
    with pytest.raises(ToolError, match="none so far"):
        outputs.read("../secret", 1, 0)
    outputs.show("a\n" * 1000, "run")
    with pytest.raises(ToolError, match="did you mean 'run-1'"):
        outputs.read("run-2", 1, 0)
    with pytest.raises(ToolError, match="it has 1001 lines"):
        outputs.read("run-1", 5000, 0)
    with pytest.raises(ToolError, match="comes before"):
        outputs.read("run-1", 5, 2)


def test_the_tool_shows_what_another_tool_left_out(agent) -> None:
    shown = agent.ok("run_command", command="seq 1 20000")
    assert "read_output(name='run_command-1', start=" in shown
    assert "\n20000" in shown
    assert agent.ok("read_output", name="run_command-1", start=5002, end=5003).startswith(
        "5001\n5002\n"
    )
