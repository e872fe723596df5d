"""The process of a replay: a request on stdin, JSON lines on stdout.

    stdin   {"repo", "run", "task", "gates", "agents", "tasks"}; closing it ends the replay
    stdout  {"step": "..."}            a step begins
            {"altered": {...}}         with agents or tasks: a conversation that would differ
            {"diverged": {...}}        the first difference; the last line
            {"same": {...}}            what was gone through; the last line
            {"error": {...}}           what, where, mend, exit_code; the last line

Whatever ends it, its scratch folder is removed and nothing it started is alive.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from crews.replay.divergence import Diverged
from crews.replay.prompts import altered
from crews.replay.story import Story
from crews.replay.world import hold_still, make_world
from wavecrew.errors import EXIT_INTERRUPTED, EngineFault, WavecrewError
from wavecrew.plan.load import load_plan, load_roles
from wavecrew.run.spec import RunFolder, runs_root
from wavecrew.workspace.user_repo import UserRepository


def main() -> int:
    request = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _answer(request)
    except Diverged as found:
        _say(diverged=found.divergence.to_json())
    except WavecrewError as error:
        _say(error=_told(error))
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return 0


def _answer(request: dict[str, Any]) -> None:
    repository = UserRepository.open(Path(request["repo"]), clean=False)
    folder = RunFolder(runs_root(repository.git_dir) / request["run"])
    with _held(folder):
        if request["agents"] or request["tasks"]:
            _compare(folder, request)
            return
        with tempfile.TemporaryDirectory(prefix="wavecrew-replay-") as scratch:
            world = make_world(repository, folder, Path(scratch), gates=request["gates"])
            try:
                story = Story(world, lambda step: _say(step=step), request["task"])
                _say(same=asdict(story.run()))
            finally:
                world.parts.sandbox.cancel_all()
                world.parts.lessor.close()


def _compare(folder: RunFolder, request: dict[str, Any]) -> None:
    roles = load_roles(Path(request["agents"])) if request["agents"] else None
    plan = load_plan(Path(request["tasks"])) if request["tasks"] else None
    looked = 0
    for assignment, found in altered(folder, roles=roles, plan=plan, task=request["task"]):
        looked += 1
        if found is not None:
            _say(altered=found.to_json())
        else:
            _say(step=f"{assignment.kind} {assignment.subject}, attempt {assignment.attempt}: same")
    _say(same={"attempts": looked})


@contextlib.contextmanager
def _held(folder: RunFolder) -> Iterator[None]:
    descriptor = hold_still(folder)
    try:
        yield
    finally:
        os.close(descriptor)


def _end_with_stdin() -> None:
    """When the one who asked is gone, end as for Ctrl-C."""
    while os.read(0, 4096):  # not through sys.stdin, whose lock would outlive the main thread
        pass
    os.kill(os.getpid(), signal.SIGINT)


def _say(**line: Any) -> None:
    print(json.dumps(line, ensure_ascii=True), flush=True)


def _told(error: WavecrewError) -> dict[str, Any]:
    return {
        "what": error.what,
        "where": error.where,
        "mend": error.mend,
        "exit_code": 7 if isinstance(error, EngineFault) else error.exit_code,
    }


if __name__ == "__main__":
    sys.exit(main())
