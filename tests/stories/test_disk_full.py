"""A disk that fills up in the middle of a run stops it cleanly; with room again it goes on.

The story lies on a small file system of its own, which takes root to mount.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from types import SimpleNamespace

import pytest

SIZE_MB = 320
"""A run wants 200 MB to begin with."""
SLOW = """
[[checks]]
name = "slow"
run = "test ! -e /workspace/calculator/one.py || sleep 5.625"
stages = ["{stage}"]
"""


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory):
    """The folder of a file system that is small enough to be filled."""
    place = tmp_path_factory.mktemp("disk")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(place)]
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root can mount a small file system")
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting is not allowed here")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def story_on(small_disk, make_story, say):
    """A story on the small disk, and `fill(leave_mb)`, which gives back what frees it again."""
    story = make_story(small_disk / "story")
    story.agents("author")
    story.plan({"id": "one", "agent": "author"})

    def fill(leave_mb):
        ballast = small_disk / "ballast"
        with ballast.open("wb") as file:
            free = shutil.disk_usage(small_disk).free - leave_mb * 1_000_000
            os.posix_fallocate(file.fileno(), 0, free)
        return ballast

    yield SimpleNamespace(story=story, fill=fill)
    story.close()
    (small_disk / "ballast").unlink(missing_ok=True)
    shutil.rmtree(story.root)


def stops_and_goes_on(story, run, ballast):
    """It stops with the exit code of a full disk, fails no one, and comes to its end later."""
    stopped = story.finish(run)
    assert stopped.code == 7, stopped.err
    assert "full" in stopped.err or "no room" in stopped.err, stopped.err
    assert "Traceback" not in stopped.err
    assert story.events("attempt_ended", "merge_finished", "task_blocked") == []
    assert story.events("gate_finished") == [] or story.events("gate_finished")[0]["commit"]
    ballast.unlink()
    done = story.resume()
    assert done.code == 0, done.err
    assert story.landed() == ["one"]
    assert (
        story.git("show", "wavecrew/r1/integration:calculator/one.py") == "def one():\n    return 1"
    )
    ended = [(e["attempt"], e["outcome"]) for e in story.events("attempt_ended")]
    assert ended == [(1, "passed")]


@pytest.mark.slow
@pytest.mark.parametrize("leave_mb", [0, 5])
def test_while_an_agent_works(story_on, say, leave_mb):
    story, fill = story_on.story, story_on.fill
    wait = say.call("run_command", command="sleep 5.5", timeout_s=60)
    first, *rest = say.function("one", 1)
    story.talk("task/one", [first, wait, *rest])
    run = story.start()
    story.wait_for(lambda: any(b"sleep\x005.5" in line for line in story.command_lines()), run)
    stops_and_goes_on(story, run, fill(leave_mb))


@pytest.mark.slow
def test_when_the_agents_own_command_fills_it(story_on, say):
    story, fill = story_on.story, story_on.fill
    hog = say.call(
        "run_command",
        command="head -c 60000000 /dev/zero > big; wc -c < big",
        timeout_s=60,
    )
    after = {**say.call("run_command", command="rm big"), "expect": ["60000000"]}
    first, *rest = say.function("one", 1)
    wait = say.call("run_command", command="sleep 4.5", timeout_s=60)
    story.talk("task/one", [first, wait, hog, after, *rest])
    run = story.start()
    story.wait_for(lambda: any(b"sleep\x004.5" in line for line in story.command_lines()), run)
    stops_and_goes_on(story, run, fill(40))


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["gate", "integration"])
def test_while_a_tree_is_judged(story_on, say, stage):
    story, fill = story_on.story, story_on.fill
    toml = story.root / "wavecrew.toml"
    toml.write_text(SLOW.format(stage=stage) + toml.read_text())
    story.talk("task/one", say.function("one", 1))
    run = story.start()
    story.wait_for(lambda: any(b"sleep\x005.625" in line for line in story.command_lines()), run)
    ballast = fill(0)
    stopped = story.finish(run)
    assert stopped.code == 7, stopped.err
    assert "Traceback" not in stopped.err
    assert [e["verdict"] for e in story.events("gate_finished")] in ([], ["pass"])
    assert story.events("merge_finished") == []
    ballast.unlink()
    done = story.resume()
    assert done.code == 0, done.err
    assert story.landed() == ["one"]
