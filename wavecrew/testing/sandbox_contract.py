"""What every sandbox promises, as tests: inherit, and give the fixtures `sandbox` and `tree`.

`sandbox` is the object under test; `tree` is an empty host folder that is mounted as the working
tree. Nothing here depends on the mechanism; attacks on one stand with its own tests.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from wavecrew.errors import SandboxUnavailable
from wavecrew.sandbox.model import TREE, Caps, Command, Finished, Mount, Sandbox

SMALL = Caps(wall_s=20, memory_mb=256, processes=32, file_mb=8, output_bytes=2_000_000)


def run(
    sandbox: Sandbox,
    tree: Path,
    *argv: str,
    caps: Caps = SMALL,
    stdin: bytes = b"",
    merge_stderr: bool = True,
    env: dict[str, str] | None = None,
    mounts: tuple[Mount, ...] = (),
) -> Finished:
    whole = (Mount(tree, TREE, writable=True), *mounts)
    return sandbox.run(
        Command(argv, whole, env=env or {}, stdin=stdin, caps=caps, merge_stderr=merge_stderr)
    )


class SandboxContract:
    def test_the_command_works_in_the_tree_and_its_files_stay(
        self, sandbox: Sandbox, tree: Path
    ) -> None:
        (tree / "given").write_text("from outside")
        done = run(sandbox, tree, "sh", "-c", "cat given && mkdir made && echo out >made/file")
        assert (done.exit_code, done.stdout, done.killed_by) == (0, b"from outside", "")
        assert (tree / "made/file").read_text() == "out\n"

    def test_inside_paths_mean_the_mounts_in_arguments_and_environment(
        self, sandbox: Sandbox, tree: Path, tmp_path: Path
    ) -> None:
        other = tmp_path / "other"
        other.mkdir()
        (other / "given").write_text("seen")
        done = run(
            sandbox,
            tree,
            *("sh", "-c", 'cat /other/given "$PLACE/given"; echo x >/other/new'),
            env={"PLACE": "/other"},
            mounts=(Mount(other, "/other"),),
            merge_stderr=False,
        )
        assert done.stdout == b"seenseen"
        assert done.exit_code != 0
        assert [entry.name for entry in other.iterdir()] == ["given"]

    def test_the_working_directory_may_be_below_a_mount(self, sandbox: Sandbox, tree: Path) -> None:
        (tree / "deep").mkdir()
        mounts = (Mount(tree, TREE, writable=True),)
        sandbox.run(Command(("touch", "here"), mounts, cwd=f"{TREE}/deep", caps=SMALL))
        assert (tree / "deep/here").exists()

    @pytest.mark.parametrize(
        ("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143), ("nope-x", 127)]
    )
    def test_the_exit_code_is_the_commands_own(
        self, sandbox: Sandbox, tree: Path, script: str, code: int
    ) -> None:
        done = run(sandbox, tree, "sh", "-c", script)
        assert (done.exit_code, done.killed_by) == (code, "")

    def test_a_program_that_does_not_exist_ends_as_in_a_shell(
        self, sandbox: Sandbox, tree: Path
    ) -> None:
        done = run(sandbox, tree, "no-such-program")
        assert done.exit_code == 127
        assert b"No such file" in done.stdout

    def test_stdin_arrives_whole_and_ends(self, sandbox: Sandbox, tree: Path) -> None:
        text = bytes(range(256)) * 4000
        assert run(sandbox, tree, "cat", stdin=text, merge_stderr=False).stdout == text

    def test_without_stdin_reading_ends_at_once(self, sandbox: Sandbox, tree: Path) -> None:
        assert run(sandbox, tree, "cat").stdout == b""

    def test_a_command_that_does_not_read_its_stdin_is_no_error(
        self, sandbox: Sandbox, tree: Path
    ) -> None:
        assert run(sandbox, tree, "true", stdin=b"x" * 500_000).exit_code == 0

    def test_stderr_is_apart_when_asked_for_and_stdout_is_uncut(
        self, sandbox: Sandbox, tree: Path
    ) -> None:
        script = "head -c 900000 /dev/zero; echo error >&2"
        done = run(sandbox, tree, "sh", "-c", script, merge_stderr=False)
        assert done.stdout == bytes(900_000)
        assert done.stderr == b"error\n"
        assert done.omitted_bytes == 0

    def test_a_long_output_keeps_its_head_and_its_tail(self, sandbox: Sandbox, tree: Path) -> None:
        caps = Caps(wall_s=20, keep_bytes=1000)
        done = run(sandbox, tree, "seq", "1", "100000", caps=caps)
        assert done.stdout.startswith(b"1\n2\n3\n")
        assert done.stdout.endswith(b"\n99999\n100000\n")
        assert len(done.stdout) == 1000
        assert done.omitted_bytes == 588_895 - 1000

    def test_an_endless_output_is_killed(self, sandbox: Sandbox, tree: Path) -> None:
        done = run(sandbox, tree, "yes", caps=Caps(wall_s=20, output_bytes=1_000_000))
        assert (done.killed_by, done.exit_code) == ("output", 137)

    def test_the_wall_clock_ends_a_command_that_ignores_signals(
        self, sandbox: Sandbox, tree: Path
    ) -> None:
        began = time.monotonic()
        script = "trap '' TERM INT HUP; echo begun; while :; do sleep 1; done"
        done = run(sandbox, tree, "sh", "-c", script, caps=Caps(wall_s=0.5))
        assert (done.killed_by, done.exit_code, done.stdout) == ("time", 137, b"begun\n")
        assert time.monotonic() - began < 5

    def test_cancel_all_ends_every_running_command(self, sandbox: Sandbox, tree: Path) -> None:
        with ThreadPoolExecutor(3) as pool:
            runs = [
                pool.submit(run, sandbox, tree, "sh", "-c", f"touch begun{n}; sleep 30")
                for n in range(3)
            ]
            deadline = time.monotonic() + 15
            while len(list(tree.glob("begun*"))) < 3 and time.monotonic() < deadline:
                time.sleep(0.01)
            sandbox.cancel_all()
            assert [(one.result().killed_by, one.result().exit_code) for one in runs] == [
                ("cancel", 137)
            ] * 3
        assert run(sandbox, tree, "true").exit_code == 0

    def test_commands_run_side_by_side(self, sandbox: Sandbox, tree: Path) -> None:
        with ThreadPoolExecutor(4) as pool:
            done = list(pool.map(lambda n: run(sandbox, tree, "echo", str(n)), range(12)))
        assert [one.stdout for one in done] == [f"{n}\n".encode() for n in range(12)]

    def test_a_file_cannot_grow_past_its_limit(self, sandbox: Sandbox, tree: Path) -> None:
        done = run(sandbox, tree, "dd", "if=/dev/zero", "of=big", "bs=1M", "count=9")
        assert done.exit_code != 0
        assert (tree / "big").stat().st_size <= 8 * 1024 * 1024

    def test_home_and_temporary_files_are_private_and_gone_afterwards(
        self, sandbox: Sandbox, tree: Path
    ) -> None:
        script = 'echo a >"$HOME/mark" && echo b >"$TMPDIR/mark" && ls "$HOME" "$TMPDIR"'
        assert run(sandbox, tree, "sh", "-c", script).exit_code == 0
        again = run(sandbox, tree, "sh", "-c", 'ls -A "$HOME" "$TMPDIR" | grep mark')
        assert again.exit_code == 1

    def test_the_running_python_and_git_work(self, sandbox: Sandbox, tree: Path) -> None:
        script = (
            "git init -q . && echo x >f && git add f && "
            "git -c user.name=a -c user.email=a@b commit -qm one && git status --short && "
            "python -c 'import asyncio, pytest, sqlite3; asyncio.run(asyncio.sleep(0)); print(3)'"
        )
        done = run(sandbox, tree, "sh", "-c", script)
        assert (done.exit_code, done.stdout) == (0, b"3\n")

    def test_overlapping_mounts_are_refused(
        self, sandbox: Sandbox, tree: Path, tmp_path: Path
    ) -> None:
        other = tmp_path / "other"
        other.mkdir()
        for inside in (TREE, f"{TREE}/sub", "/", "/usr/x", "/etc", "relative", f"{TREE}/../x"):
            with pytest.raises(SandboxUnavailable):
                run(sandbox, tree, "touch", "ran", mounts=(Mount(other, inside),))
        assert not (tree / "ran").exists()

    def test_a_host_path_over_a_symlink_is_refused(
        self, sandbox: Sandbox, tree: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "real").mkdir()
        (tree / "planted").symlink_to(tmp_path / "real")
        for host in (tree / "planted", tree / "missing", Path("relative")):
            with pytest.raises(SandboxUnavailable):
                run(sandbox, tree, "touch", "ran", mounts=(Mount(host, "/other"),))
        assert not (tree / "ran").exists()

    def test_a_working_directory_outside_all_mounts_is_refused(
        self, sandbox: Sandbox, tree: Path
    ) -> None:
        mounts = (Mount(tree, TREE, writable=True),)
        with pytest.raises(SandboxUnavailable):
            sandbox.run(Command(("true",), mounts, cwd="/elsewhere", caps=SMALL))

    @pytest.mark.parametrize(
        ("argv", "env"),
        [((), {}), (("a\0b",), {}), (("true",), {"A=B": ""}), (("true",), {"": ""})],
    )
    def test_a_malformed_command_is_refused(
        self, sandbox: Sandbox, tree: Path, argv: tuple[str, ...], env: dict[str, str]
    ) -> None:
        with pytest.raises(SandboxUnavailable):
            run(sandbox, tree, *argv, env=env)
