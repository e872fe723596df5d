from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from wavecrew.errors import EnvironmentBroken, ToolError
from wavecrew.plan.settings import SandboxSettings
from wavecrew.sandbox import open_sandbox
from wavecrew.sandbox.model import Caps, Sandbox
from wavecrew.workspace.mirror import Mirror
from wavecrew.workspace.model import Author, NestedRepository, SnapshotRefused
from wavecrew.workspace.user_repo import UserRepository
from wavecrew.workspace.workspace import Workspace

FILES = {"a.py": "x = 1\n", "d/b.py": "y = 2\n", ".gitignore": "*.log\n.venv/\n"}


@pytest.fixture
def base(shop: Any) -> str:
    return shop.start(FILES)


@pytest.fixture
def mirror(shop: Any, base: str) -> Any:
    return shop.mirror()


@pytest.fixture
def ws(shop: Any, mirror: Any) -> Workspace:
    return shop.workspace(mirror, branch="1.1", author=Author("database agent", "db@localhost"))


@pytest.fixture(params=["bubblewrap", "landlock", "none"])
def any_sandbox(request: pytest.FixtureRequest) -> Sandbox:
    settings = SandboxSettings(mode=request.param)
    return open_sandbox(settings, allow_unsandboxed=True)


def names(workspace: Workspace) -> list[str]:
    tree = workspace.tree_dir
    return sorted(str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file())


def test_every_mode_gives_the_same_tree(shop: Any, mirror: Any, any_sandbox: Sandbox) -> None:
    shop.sandbox = any_sandbox
    workspace = shop.workspace(mirror)
    assert workspace.snapshot() == mirror.tree_of(mirror.repository.head)
    shop.run(workspace, "echo new >c; git add c; git commit -qm mine; echo z >d/b.py")
    tree = workspace.snapshot()
    mirror.import_pack(workspace.pack(tree), tree, workspace.base)
    assert mirror.read_all(tree, ["c", "d/b.py"]) == {"c": b"new\n", "d/b.py": b"z\n"}
    assert "mine" in workspace.log(1)
    assert "d/b.py" in workspace.status()
    workspace.restore(mirror.tree_of(workspace.base))
    assert names(workspace) == sorted([".git", *FILES])
    assert "mine" in workspace.log(1)


def test_a_fresh_tree_is_clean_and_the_agents_own(
    shop: Any, ws: Workspace, mirror: Any, base: str
) -> None:
    assert names(ws) == sorted([".git", *FILES])
    assert ws.status() == "## 1.1\n"
    assert ws.snapshot() == mirror.tree_of(base)
    shop.run(ws, "echo 2 >a.py && git commit -qam 'by me' && git stash list && git fsck")
    assert "database agent: by me" in ws.log(1)
    assert shop.git("status", "--porcelain") == ""
    assert shop.git("log", "--format=%s", "--all") == "edit"


def test_a_snapshot_is_the_files_not_the_agents_commits(
    shop: Any, ws: Workspace, mirror: Any
) -> None:
    shop.run(
        ws, "echo 1 >new; git add new; git commit -qm x; rm new; echo y >d/b.py; chmod +x a.py"
    )
    tree = ws.snapshot()
    mirror.import_pack(ws.pack(tree), tree, ws.base)
    changed = [(c.path, c.status, c.mode) for c in mirror.changes(ws.base, tree)]
    assert changed == [("a.py", "M", "100755"), ("d/b.py", "M", "100644")]


def test_ignored_files_stay_out_and_private_excludes_do_not_count(
    shop: Any, ws: Workspace, mirror: Any
) -> None:
    shop.run(ws, "echo x >a.log; echo secret >hidden; echo hidden >/gitdir/info/exclude")
    tree = ws.snapshot()
    mirror.import_pack(ws.pack(tree), tree, ws.base)
    assert [change.path for change in mirror.changes(ws.base, tree)] == ["hidden"]


def test_a_change_that_keeps_size_and_time_is_seen(shop: Any, ws: Workspace) -> None:
    before = ws.snapshot()
    shop.run(ws, "touch -r a.py /tmp/t; echo 'x = 9' >a.py; touch -r /tmp/t a.py")
    assert ws.snapshot() != before


def test_the_same_files_give_the_same_snapshot(shop: Any, ws: Workspace) -> None:
    shop.run(ws, "echo 1 >new")
    assert len({ws.snapshot() for _ in range(3)}) == 1


@pytest.mark.parametrize(
    "plant",
    [
        "git init -q sub && cd sub && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x",
        "git init -q d/sub",
        "mkdir -p deep/er && echo 'gitdir: /gitdir' >deep/er/.git",
        "mkdir -p d/.git",
        "mkdir -p d/.GIT && touch d/.GIT/x",
    ],
)
def test_a_repository_inside_is_refused_by_name(shop: Any, ws: Workspace, plant: str) -> None:
    shop.run(ws, plant)
    with pytest.raises(NestedRepository, match="repository inside the repository"):
        ws.snapshot()
    shop.run(ws, "rm -rf sub d/sub deep d/.git d/.GIT")
    assert ws.snapshot()


def test_a_repository_in_an_ignored_folder_is_none_of_our_business(
    shop: Any, ws: Workspace
) -> None:
    before = ws.snapshot()
    shop.run(ws, "mkdir .venv && git init -q .venv/sub")
    assert ws.snapshot() == before
    shop.run(ws, "git init -q other")
    with pytest.raises(NestedRepository) as caught:
        ws.snapshot()
    assert caught.value.paths == ("other/.git",)


def test_a_file_that_cannot_be_recorded_is_told(shop: Any, ws: Workspace) -> None:
    shop.run(ws, "printf '*.x working-tree-encoding=UTF-16\\n' >.gitattributes; printf abc >b.x")
    with pytest.raises(SnapshotRefused, match=r"b\.x"):
        ws.snapshot()


def test_the_diff_holds_new_files_too(shop: Any, ws: Workspace) -> None:
    shop.run(ws, "echo 1 >new; echo 2 >d/b.py")
    assert "\n+1\n" in ws.diff()
    assert "\n+2\n" in ws.diff("d")
    assert "\n+1\n" not in ws.diff("d")


def test_a_broken_git_directory_is_the_agents_problem(shop: Any, ws: Workspace) -> None:
    shop.run(ws, "rm -rf /gitdir/HEAD .git; git init -q .")
    assert ws.snapshot()
    shop.run(ws, "rm -rf .git; echo nonsense >.git")
    with pytest.raises(ToolError, match="git status failed"):
        ws.status()
    assert ws.snapshot()


def test_a_restored_tree_is_exact(shop: Any, ws: Workspace, mirror: Any) -> None:
    shop.run(ws, "echo 1 >new; ln -s a.py link")
    tree = ws.snapshot()
    mirror.import_pack(ws.pack(tree), tree, ws.base)
    shop.run(
        ws,
        "rm -rf d new .git; echo z >a.py; echo l >x.log; git init -q sub; mkdir -p ro/x; chmod 0 ro;"
        "mkdir .git; touch ./-rf",
    )
    ws.restore(tree)
    assert names(ws) == sorted([".git", *FILES, "link", "new"])
    assert ws.snapshot() == tree
    assert ws.status().startswith("## 1.1")


def test_a_workspace_may_start_from_another_tree(shop: Any, mirror: Any, base: str) -> None:
    commit = shop.branch(mirror, base, {"kept.py": b"1\n"})
    tree = mirror.tree_of(commit)
    workspace = shop.workspace(mirror, tree=tree)
    assert workspace.snapshot() == tree
    assert "?? kept.py" in workspace.status()
    assert "+1" in workspace.diff()


def test_setup_runs_in_a_fresh_and_in_a_restored_tree(shop: Any, mirror: Any) -> None:
    workspace = shop.workspace(mirror, setup=("mkdir .venv", "echo ok >.venv/made"))
    assert (workspace.tree_dir / ".venv" / "made").read_text() == "ok\n"
    again = Workspace.open(workspace.root, workspace.objects, workspace.base, shop.sandbox)
    again.restore(again.snapshot())
    assert (workspace.tree_dir / ".venv" / "made").read_text() == "ok\n"


def test_setup_that_fails_is_told_with_its_output(shop: Any, mirror: Any) -> None:
    with pytest.raises(EnvironmentBroken, match="no such thing"):
        shop.workspace(mirror, setup=("echo no such thing; exit 3",))
    with pytest.raises(EnvironmentBroken, match="not complete"):
        Workspace.open(shop.folder / "ws", mirror.objects, mirror.repository.head, shop.sandbox)


def test_creating_again_starts_afresh(shop: Any, ws: Workspace, mirror: Any) -> None:
    shop.run(ws, "echo left >over; mkdir x; chmod 0 x")
    assert names(shop.workspace(mirror)) == sorted([".git", *FILES])


def test_nothing_is_left_when_it_is_removed(shop: Any, ws: Workspace) -> None:
    shop.run(ws, "mkdir -p x/y; chmod 0 x; ln -s / out")
    ws.remove()
    assert not ws.root.exists()
    assert Path("/usr").exists()
    ws.remove()


def test_the_stale_lock_of_a_killed_snapshot_does_not_matter(ws: Workspace) -> None:
    (ws.root / "snap" / "index.lock").touch()
    assert ws.snapshot()


def test_a_broken_index_is_rebuilt(ws: Workspace, mirror: Any) -> None:
    (ws.root / "snap" / "index").write_bytes(b"garbage")
    assert ws.snapshot() == mirror.tree_of(ws.base)


def test_the_mirror_and_the_users_objects_cannot_be_written(shop: Any, ws: Workspace) -> None:
    said = shop.run(ws, "touch /objects/0/x /objects/1/x 2>&1 || true; ls /objects")
    assert said.count("Read-only file system") == 2


def test_a_store_that_borrows_is_mounted_whole(shop: Any, mirror: Any, tmp_path: Path) -> None:
    shop.git("clone", "-q", "--shared", str(shop.user), str(tmp_path / "clone"))
    repository = UserRepository.open(tmp_path / "clone")
    borrowed = Mirror.open(tmp_path / "borrowed", repository)
    workspace = shop.workspace(borrowed, "borrowing", branch="b")
    assert workspace.snapshot() == borrowed.tree_of(repository.head)
    assert workspace.status() == "## b\n"


PAYLOADS = {
    "fsmonitor": "git config core.fsmonitor 'touch {mark}; false'",
    "hooks": "mkdir -p /gitdir/hooks; for h in post-index-change pre-commit post-checkout"
    " reference-transaction; do printf '#!/bin/sh\\ntouch {mark}\\n' >/gitdir/hooks/$h;"
    " chmod +x /gitdir/hooks/$h; done",
    "filter": "git config filter.evil.clean 'touch {mark}; cat';"
    " git config filter.evil.smudge 'touch {mark}; cat'; echo '* filter=evil diff=evil' >.gitattributes;"
    " git config diff.evil.textconv 'touch {mark}; cat'; git config diff.external 'touch {mark}; true'",
    "own git directory": "rm .git; git init -q .; git config core.fsmonitor 'touch {mark}; false';"
    " git config filter.evil.clean 'touch {mark}; cat'; echo '* filter=evil' >.gitattributes",
}


@pytest.mark.parametrize("payload", PAYLOADS)
def test_what_an_agent_plants_never_fires_on_the_host(
    shop: Any, ws: Workspace, mirror: Any, tmp_path: Path, payload: str
) -> None:
    mark = tmp_path / "fired"
    shop.run(ws, PAYLOADS[payload].format(mark=mark) + "; echo changed >a.py")
    tree = ws.snapshot()
    ws.diff()
    ws.status()
    mirror.import_pack(ws.pack(tree), tree, ws.base)
    commit = mirror.commit(tree, (ws.base,), "m", Author("a", "a@b"), 1)
    mirror.merge(ws.base, commit)
    mirror.diff(ws.base, commit)
    (tmp_path / "into").mkdir()
    mirror.checkout(tree, tmp_path / "into", shop.sandbox)
    assert mirror.publish("refs/heads/wavecrew/r/1.1", commit, None)
    ws.restore(tree)
    ws.remove()
    assert not mark.exists()


@pytest.mark.parametrize("payload", ["fsmonitor", "filter", "own git directory"])
def test_the_same_payload_fires_for_a_naive_engine(
    shop: Any, mirror: Any, tmp_path: Path, payload: str
) -> None:
    """The control: without it, the test above would prove nothing."""
    mark = tmp_path / "fired"
    shop.sandbox = open_sandbox(SandboxSettings(mode="none"), allow_unsandboxed=True)
    workspace = shop.workspace(mirror)
    shop.run(workspace, PAYLOADS[payload].format(mark=mark) + "; echo changed >a.py")
    mark.unlink(missing_ok=True)
    naive = ["git", "-c", "safe.directory=*", "add", "-A"]
    subprocess.run(naive, cwd=workspace.tree_dir, env={"PATH": os.environ["PATH"]}, check=True)
    assert mark.exists()


def test_a_nested_repository_with_a_filter_never_fires(
    shop: Any, ws: Workspace, tmp_path: Path
) -> None:
    mark = tmp_path / "fired"
    shop.run(
        ws,
        "git init -q sub; cd sub; echo '* filter=evil' >.gitattributes; echo 1 >x; git add -A;"
        f"git -c user.name=a -c user.email=a@b commit -qm x && git config filter.evil.clean 'touch {mark}; cat'; echo 2 >x",
    )
    for _ in range(2):
        with pytest.raises(NestedRepository):
            ws.snapshot()
    assert not mark.exists()


def test_a_command_runs_at_the_top_of_the_tree(shop: Any, ws: Workspace) -> None:
    command = ws.command("pwd; echo $X; git rev-parse --abbrev-ref HEAD", Caps(), {"X": "1"})
    assert shop.sandbox.run(command).stdout == b"/workspace\n1\n1.1\n"
