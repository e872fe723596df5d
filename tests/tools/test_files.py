from __future__ import annotations

from collections.abc import Callable

import pytest

from wavecrew.plan.settings import Limits


def test_a_file_is_read_with_numbers_that_can_be_cut_off(agent) -> None:
    agent.put("a.py", "def f():\n\treturn 1|2\n")
    text = agent.ok("read_file", path="a.py")
    assert text == "a.py, 2 lines\n1|def f():\n2|\treturn 1|2"
    body = [line.partition("|")[2] for line in text.split("\n")[1:]]
    assert "\n".join(body) + "\n" == (agent.tree / "a.py").read_text()


def test_a_range_of_lines_is_read(agent) -> None:
    agent.put("a", "".join(f"line {n}\n" for n in range(1, 11)))
    assert agent.ok("read_file", path="a", start=3, end=4).split("\n")[1:] == [
        "3|line 3",
        "4|line 4",
    ]
    assert "outside of 'a': it has 10 lines" in agent.fails("read_file", path="a", start=11)
    assert "end=1 comes before start=5" in agent.fails("read_file", path="a", start=5, end=1)


def test_a_long_file_says_how_to_go_on_and_going_on_shows_all(make_agent) -> None:
    agent = make_agent(limits=Limits(output_kb=1))
    agent.put("a", "".join(f"line number {n}\n" for n in range(1, 201)))
    seen, start = [], 1
    while True:
        text = agent.ok("read_file", path="a", start=start)
        assert len(text) <= 1024
        seen += [line for line in text.split("\n") if "|line number" in line]
        if "goes on" not in text:
            break
        start = int(text.rpartition("start=")[2].partition(")")[0])
    assert seen == [f"{n}|line number {n}" for n in range(1, 201)]


def test_a_giant_line_is_cut_and_said_so(agent) -> None:
    agent.put("a", "x" * 9000)
    text = agent.ok("read_file", path="a")
    assert "[... 7000 more characters in this line]" in text
    assert "[no newline at the end]" in text


def test_what_is_not_text_is_told_as_such(agent) -> None:
    agent.put("pic", b"\x89PNG\0\0")
    agent.put("latin", "é".encode("latin-1"))
    agent.put("empty", "")
    assert "binary file of 6 bytes" in agent.fails("read_file", path="pic")
    assert "not UTF-8" in agent.fails("read_file", path="latin")
    assert agent.ok("read_file", path="empty") == "empty is empty"
    assert "is a folder" in agent.fails("read_file", path=".")


def test_a_file_too_large_for_file_tools_is_told_so(agent) -> None:
    with agent.put("big", "").open("wb") as file:
        file.truncate(9_000_000)
    assert "9000000 bytes" in agent.fails("read_file", path="big")


def test_a_missing_file_names_the_nearest(agent) -> None:
    agent.put("discovery/models/asset.py", "x")
    text = agent.fails("read_file", path="discovery/models/assets.py")
    assert "did you mean 'discovery/models/asset.py'" in text


def test_listing_shows_folders_links_and_not_what_git_ignores(agent) -> None:
    agent.put("src/pkg/deep/a.py", "")
    agent.put("src/b.py", "")
    agent.put("build/out.o", "")
    agent.put("src/x.log", "")
    agent.put("src/keep.log", "")
    agent.put(".gitignore", "build/\n*.log\n")
    agent.put("src/.gitignore", "!keep.log\n")
    (agent.tree / "link").symlink_to("src")
    assert agent.ok("list_files").split("\n") == [
        *(".gitignore", "link -> src", "src/", "src/.gitignore", "src/b.py", "src/keep.log"),
        "src/pkg/ ...",
    ]
    assert agent.ok("list_files", path="src/pkg", depth=3).split("\n") == [
        "src/pkg/deep/",
        "src/pkg/deep/a.py",
    ]
    assert "does not exist" in agent.fails("list_files", path="scr")
    assert "depth must be 1 to 20" in agent.fails("list_files", depth=0)


def test_an_ignore_file_made_to_take_for_ever_is_not_obeyed(agent) -> None:
    agent.put(".gitignore", "*a" * 40 + "b\n")
    agent.put("a" * 200, "")
    assert "a" * 200 in agent.ok("list_files")


def test_a_listing_has_an_end(agent) -> None:
    for number in range(2100):
        agent.put(f"f{number:04}", "")
    text = agent.call("list_files").text
    assert "read_output" in text
    assert "more than 2000 entries" in text


def test_a_file_is_created_and_replaced(agent) -> None:
    assert agent.ok("write_file", path="a/b.txt", content="x\ny\n") == "created a/b.txt (2 lines)"
    assert agent.ok("write_file", path="a/b.txt", content="z") == "replaced a/b.txt (1 line)"
    assert (agent.tree / "a/b.txt").read_text() == "z"
    assert "not valid Unicode" in agent.fails("write_file", path="a", content="\ud800")


def test_a_file_is_moved_and_never_over_another(agent) -> None:
    agent.put("a", "1")
    agent.put("b", "2")
    assert "'b' exists" in agent.fails("move_file", source="a", target="b")
    agent.ok("move_file", source="a", target="new/c")
    assert (agent.tree / "new/c").read_text() == "1"
    assert "is a folder" in agent.fails("move_file", source="new", target="other")
    assert "'a' does not exist" in agent.fails("move_file", source="a", target="x")


def test_a_file_is_deleted_and_a_folder_is_not(agent) -> None:
    agent.put("a/b", "1")
    assert "is a folder" in agent.fails("delete_file", path="a")
    agent.ok("delete_file", path="a/b")
    assert not (agent.tree / "a/b").exists()
    assert "does not exist" in agent.fails("delete_file", path="a/b")


def test_deleting_a_link_leaves_what_it_points_to(agent) -> None:
    agent.put("a", "1")
    (agent.tree / "l").symlink_to("a")
    agent.ok("delete_file", path="l")
    assert (agent.tree / "a").read_text() == "1"


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("write_file", {"path": "other/x", "content": ""}),
        ("edit_file", {"path": "other/a", "old": "1", "new": "2"}),
        ("delete_file", {"path": "other/a"}),
        ("move_file", {"source": "other/a", "target": "src/a"}),
        ("move_file", {"source": "src/a", "target": "other/b"}),
        ("apply_patch", {"patch": "--- a/other/a\n+++ b/other/a\n@@ -1 +1 @@\n-1\n+2\n"}),
    ],
)
def test_nothing_outside_of_role_and_task_is_written(
    make_agent: Callable[..., object], tool: str, arguments: dict[str, str]
) -> None:
    agent = make_agent(scope=(("src/**", "other/**"), ("src/**",)))
    agent.put("src/a", "1\n")
    agent.put("other/a", "1\n")
    assert "outside of what this task may write: src/**" in agent.fails(tool, **arguments)
    assert (agent.tree / "other/a").read_text() == "1\n"
    assert not (agent.tree / "other/b").exists()
    assert (agent.tree / "src/a").read_text() == "1\n"


def test_a_path_written_in_a_roundabout_way_is_judged_as_what_it_is(make_agent) -> None:
    agent = make_agent(scope=(("src/**",),))
    agent.ok("write_file", path="./src//x", content="")
    assert "'..'" in agent.fails("write_file", path="src/../x", content="")


def test_a_role_without_may_write_writes_nothing(make_agent) -> None:
    agent = make_agent()
    for scope in ((), ((),)):
        agent.context.assignment = agent.context.assignment.model_copy(update={"scope": scope})
        assert "may" in agent.fails("write_file", path="a", content="")
    assert [file.name for file in agent.tree.iterdir()] == [".git"]
