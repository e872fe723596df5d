"""Leases among real processes: never two living owners, and nothing that a dead one keeps."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from wavecrew.errors import EnvironmentBroken
from wavecrew.plan.load import load_settings
from wavecrew.plan.problem import PlanRejected
from wavecrew.plan.settings import LeaseSettings
from wavecrew.run.leases import LONGEST_DATABASE, UNSEEN_S, Leases, Thing, database_name
from wavecrew.run.lessor import Lessor
from wavecrew.run.owner import Owner, started_at
from wavecrew.sandbox.model import TREE, Caps, Command, Mount, Sandbox

HERE = Path(__file__).resolve().parents[3]


def anything(block: range) -> bool:
    return True


class Fleet(RuleBasedStateMachine):
    """Engines that claim, release and die in any order, against a model of who has what."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "leases.db"
        self.now = 1_000_000.0
        self.number = 0
        self.engines: dict[int, Leases] = {}
        self.has: dict[Thing, int] = {}

    def teardown(self) -> None:
        self.folder.cleanup()

    def chosen(self, pick: int) -> tuple[int, Leases]:
        """A living engine. Each is a process of another machine, so that its death is ours."""
        if not self.engines or pick == 0:
            self.number += 1
            owner = Owner(f"machine-{self.number}", self.number, "1")
            self.engines[self.number] = Leases(self.path, owner=owner, clock=lambda: self.now)
        number = sorted(self.engines)[pick % len(self.engines)]
        return number, self.engines[number]

    @rule(pick=st.integers(0, 4), names=st.sets(st.sampled_from("abcd"), min_size=1))
    def claim(self, pick: int, names: set[str]) -> None:
        number, leases = self.chosen(pick)
        things = tuple(Thing("database", name) for name in sorted(names))
        may = all(self.has.get(thing, number) == number for thing in things)
        assert leases.claim("one", things) == may
        if may:
            self.has |= dict.fromkeys(things, number)

    @rule(pick=st.integers(0, 4), count=st.integers(1, 3))
    def ports(self, pick: int, count: int) -> None:
        number, leases = self.chosen(pick)
        try:
            block = leases.claim_block(f"ports {count}", 5000, 5008, count, anything)
        except EnvironmentBroken:
            return
        for port in block:
            thing = Thing("port", str(port))
            assert self.has.get(thing, number) == number
            self.has[thing] = number

    @rule(pick=st.integers(1, 4))
    def release(self, pick: int) -> None:
        number, leases = self.chosen(pick)
        leases.release_all()
        self.has = {thing: who for thing, who in self.has.items() if who != number}

    @rule(pick=st.integers(1, 4))
    def die(self, pick: int) -> None:
        """Without a word; the others renew, and after a while its things are free."""
        number, _ = self.chosen(pick)
        del self.engines[number]
        for _ in range(3):
            self.now += UNSEEN_S / 2
            for leases in self.engines.values():
                leases.renew()
        self.has = {thing: who for thing, who in self.has.items() if who != number}

    @invariant()
    def the_table_says_what_the_model_says(self) -> None:
        if not self.engines:
            return
        leases = next(iter(self.engines.values()))
        leases.sweep()
        assert {held.thing for held in leases.held()} == set(self.has)


TestFleet = Fleet.TestCase
TestFleet.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)

CLAIMS = """
import sys
from pathlib import Path
from wavecrew.run.leases import Leases, Thing
leases = Leases(Path(sys.argv[1]))
for line in sys.stdin:
    block = leases.claim_block("a", 40000, 40005, 2, lambda block: True)
    name = Thing("database", "only")
    print(block[0], leases.claim("a", (name,)), flush=True)
    if line == "go on\\n":
        leases.release("a")
"""


def child(path: Path, script: str = CLAIMS) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(HERE), "PATH": os.environ["PATH"]},
    )


def told(process: subprocess.Popen[str], line: str = "claim") -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


def ended(*processes: subprocess.Popen[str]) -> None:
    for process in processes:
        process.kill()
        process.communicate()


def test_what_a_killed_process_held_is_free_at_once(tmp_path: Path) -> None:
    path = tmp_path / "leases.db"
    one, other = child(path), child(path)
    try:
        assert told(one) == "40000 True"
        assert told(other) == "40002 False"
        one.kill()
        one.wait()
        assert told(other) == "40002 True"
        (third := child(path)).kill()
        third.communicate()
        assert Leases(path).sweep() == 2
    finally:
        ended(one, other)
    assert Leases(path).sweep() == 3
    assert Leases(path).held() == ()


STORM = """
import os, sys
from pathlib import Path
from wavecrew.run.leases import Leases, Thing
leases = Leases(Path(sys.argv[1]))
guard = Path(sys.argv[1]).with_name("guard")
me = str(os.getpid())
while True:
    if leases.claim("storm", (Thing("cache", "one"),)):
        guard.write_text(me)
        for _ in range(50):
            if guard.read_text() not in ("", me):
                Path(sys.argv[1]).with_name("two-at-once").write_text("")
        leases.release("storm")
"""


def test_killed_at_any_moment_no_two_hold_one_thing_and_nothing_stays(tmp_path: Path) -> None:
    path = tmp_path / "leases.db"
    (tmp_path / "guard").write_text("")
    rng = random.Random(7)
    for _ in range(8):
        (tmp_path / "guard").write_text("")
        processes = [child(path, STORM) for _ in range(2)]
        deadline = time.monotonic() + 30
        while not (claimed := (tmp_path / "guard").read_text()) and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(rng.random() * 0.3)
        ended(processes[0])
        time.sleep(rng.random() * 0.1)
        ended(processes[1])
        after = Leases(path)
        assert after.claim("after", (Thing("cache", "one"),))
        after.release_all()
        assert not (tmp_path / "two-at-once").exists()
        after.sweep()
        assert after.held() == ()
        assert claimed  # a kill in the middle of a write may leave the guard empty again


def test_a_reused_process_id_is_another_process(tmp_path: Path) -> None:
    me = Owner.this()
    assert me.is_alive()
    earlier = replace(me, started=str(int(me.started) - 1))
    assert earlier.is_alive() is False
    thing = Thing("database", "a")
    assert Leases(tmp_path / "l", owner=earlier).claim("x", (thing,))
    assert Leases(tmp_path / "l", owner=me).claim("y", (thing,))
    assert not Leases(tmp_path / "l", owner=earlier).claim("x", (thing,))


def test_a_zombie_is_dead_and_another_machine_unseen() -> None:
    process = subprocess.Popen(["true"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read()
    deadline = time.monotonic() + 5
    while started_at(process.pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert started_at(process.pid) == ""
    process.communicate()
    assert Owner("another boot", process.pid, "1").is_alive() is None


def test_a_holder_keeps_what_it_has_and_a_busy_port_is_passed_over(tmp_path: Path) -> None:
    leases = Leases(tmp_path / "l")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        block = leases.claim_block("a", port, port + 40, 1)
        assert block[0] > port
    assert leases.claim_block("a", port, port + 40, 1) == block
    with pytest.raises(EnvironmentBroken, match="first_port"):
        leases.claim_block("b", 40000, 40001, 3)


def test_a_broken_table_is_told(tmp_path: Path) -> None:
    (tmp_path / "l").write_bytes(b"not a database" * 100)
    with pytest.raises(EnvironmentBroken, match="cannot be read or written"):
        Leases(tmp_path / "l").claim("a", (Thing("port", "1"),))


@given(st.text(max_size=80), st.text(max_size=80))
def test_names_of_databases_differ_and_are_plain(one: str, other: str) -> None:
    names = [database_name("app", Path("/r"), holder) for holder in (one, other)]
    assert (names[0] == names[1]) == (one == other)
    for name in names:
        assert len(name) <= LONGEST_DATABASE
        assert name.isascii()
        assert name.replace("_", "").isalnum()


def test_names_of_databases_differ_between_machines_that_share_a_server() -> None:
    names = [database_name("app", Path("/w"), "r1/1.1/1", machine) for machine in ("", "0a", "0b")]
    assert len(set(names)) == 3
    assert names[1].startswith("app_0a_r1_1_1_1_")
    assert names[1] == database_name("app", Path("/w"), "r1/1.1/1", "0a")
    longest = database_name("app" * 20, Path("/w"), "r1/1.1/1", "0a1b2c3d")
    assert len(longest) <= LONGEST_DATABASE


def lessor(tmp_path: Path, sandbox: Any, run: str = "r1", **asked: Any) -> Lessor:
    return Lessor(
        LeaseSettings(**asked),
        git_dir=tmp_path,
        run=run,
        folder=tmp_path / run,
        sandbox=sandbox,
    )


class Shared:
    """What the lessor asks of a sandbox, in the mode where commands share the machine's network."""

    mode = "none"


def test_two_runs_get_different_ports_and_databases_and_give_them_back(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"ports": 2, "first_port": 22000, "databases": ("app", "log")}
    one, other = (lessor(tmp_path, Shared(), run, **asked) for run in ("r1", "r2"))
    envs = [one.lease("1.1/1").env, one.lease("1.1/1/gate").env, other.lease("1.1/1").env]
    assert len({env["WAVECREW_PORT_BASE"] for env in envs}) == 3
    assert len({env["WAVECREW_DATABASE"] for env in envs}) == 3
    assert envs[0]["WAVECREW_DATABASE_APP"] == envs[0]["WAVECREW_DATABASE"]
    assert envs[0]["WAVECREW_DATABASE_LOG"].startswith("log_r1_1_1_1_")
    assert one.lease("1.1/1").env == envs[0]
    one.release("1.1/1", "1.1/1/gate")
    other.close()
    assert Leases(tmp_path / "wavecrew" / "leases.db").held() == ()


def test_a_run_starts_by_removing_what_dead_runs_left(tmp_path: Path) -> None:
    table = tmp_path / "wavecrew" / "leases.db"
    dead = replace(Owner.this(), started="1")
    assert Leases(table, owner=dead).claim("r0/1.1/1", (Thing("database", "old"),))
    it = lessor(tmp_path, Shared(), databases=("app",))
    name = it.lease("1.1/1").env["WAVECREW_DATABASE"]
    assert [held.thing.name for held in Leases(table).held()] == [name]
    it.close()


def test_without_the_table_in_the_settings_nothing_is_claimed(tmp_path: Path) -> None:
    quiet = lessor(tmp_path, sandbox := Shared())
    assert quiet.lease("1.1/1", tmp_path / "cache").env == {}
    assert quiet.gate("integration") is sandbox
    quiet.close()
    assert list(tmp_path.iterdir()) == []


def shell(sandbox: Sandbox, tree: Path, text: str) -> str:
    command = Command(("sh", "-c", text), (Mount(tree, TREE, writable=True),), caps=Caps(wall_s=20))
    done = sandbox.run(command)
    assert done.exit_code == 0, done.stdout
    return done.stdout.decode().strip()


def test_commands_see_their_leases_and_only_a_gates_cache_is_new_each_time(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    (tree := tmp_path / "tree").mkdir()
    it = lessor(tmp_path, sandbox, ports=3, databases=("app",), cache=True)
    attempt, gate = it.attempt("1.1/1", tmp_path / "cache"), it.gate("1.1/1/gate")
    say = 'echo "$WAVECREW_PORT_BASE $WAVECREW_PORT_COUNT $WAVECREW_DATABASE"'
    name = it.lease("1.1/1").env["WAVECREW_DATABASE"]
    assert shell(attempt, tree, say) == f"20000 3 {name}"
    add = 'echo x >>"$WAVECREW_CACHE_DIR/f"; wc -l <"$WAVECREW_CACHE_DIR/f"'
    assert [shell(attempt, tree, add) for _ in range(2)] == ["1", "2"]
    assert [shell(gate, tree, add) for _ in range(2)] == ["1", "1"]
    assert (tmp_path / "cache" / "f").read_text() == "x\nx\n"
    assert list((tmp_path / "r1" / "scratch" / "cache").iterdir()) == []
    it.close()


@pytest.mark.parametrize(
    "line",
    ["port = 1", "ports = -1", "ports = 11\nfirst_port = 2000\nlast_port = 2009", "cache = 3"]
    + [f'databases = ["{name}"]' for name in ("A", "a b", "../x", "", "a;drop")],
)
def test_the_table_in_the_settings_is_read_strictly(tmp_path: Path, line: str) -> None:
    path = tmp_path / "wavecrew.toml"
    path.write_text(f"[leases]\n{line}\n")
    with pytest.raises(PlanRejected):
        load_settings(path)
