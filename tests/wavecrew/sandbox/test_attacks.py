"""Attacks from inside, each with a control: without a sandbox the same attack succeeds."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from wavecrew.sandbox.launcher import Unsandboxed
from wavecrew.sandbox.model import Caps, Finished, Mount, Sandbox
from wavecrew.testing.sandbox_contract import SMALL, run

ROOT = Path(__file__).parents[3]


def python(
    sandbox: Sandbox, tree: Path, script: str, *args: object, caps: Caps = SMALL
) -> Finished:
    return run(
        sandbox, tree, "python", "-c", script, *map(str, args), caps=caps, merge_stderr=False
    )


def attempt(sandbox: Sandbox, tree: Path, call: str, *args: object) -> str:
    """What came of one Python expression: `done`, or the name of its error."""
    script = (
        "import ctypes, errno, os, socket, sys\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "def sys_(*args):\n"
        "    if libc.syscall(*args) == -1:\n"
        "        raise OSError(ctypes.get_errno(), '')\n"
        "try:\n"
        f"    {call}\n"
        "    print('done')\n"
        "except OSError as error:\n"
        "    print(errno.errorcode.get(error.errno, 'timeout'))\n"
    )
    done = python(sandbox, tree, script, *args)
    assert done.exit_code == 0, done.stderr.decode()
    return done.stdout.decode().strip()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    folder = tmp_path / "home/.ssh"
    folder.mkdir(parents=True)
    (folder / "id").write_text("a secret key")
    return folder / "id"


def test_a_secret_of_a_home_is_out_of_reach(
    confined: Sandbox, naive: Unsandboxed, tree: Path, secret: Path
) -> None:
    call = "print(open(sys.argv[1]).read())"
    assert attempt(naive, tree, call, secret) == "a secret key\ndone"
    assert attempt(confined, tree, call, secret) in ("ENOENT", "EACCES")


@pytest.mark.parametrize(
    "call",
    [
        "open(sys.argv[1], 'w')",
        "open(sys.argv[1] + '.new', 'w')",
        "os.unlink(sys.argv[1])",
        "os.rename(sys.argv[1], 'mine')",
        "os.link(sys.argv[1], 'mine')",
        "os.truncate(sys.argv[1], 0)",
        "(os.symlink(sys.argv[1], 'way'), open('way', 'w'))",
        "os.mkdir(os.path.dirname(sys.argv[1]) + '/new')",
    ],
)
def test_nothing_outside_is_changed(
    confined: Sandbox, naive: Unsandboxed, tree: Path, secret: Path, call: str
) -> None:
    before = secret.stat()
    assert attempt(confined, tree, call, secret) in ("ENOENT", "EACCES", "EPERM", "EXDEV", "EROFS")
    assert [entry.name for entry in secret.parent.iterdir()] == ["id"]
    assert (secret.stat().st_mtime, secret.stat().st_nlink) == (before.st_mtime, before.st_nlink)
    for leftover in tree.iterdir():
        leftover.unlink()
    assert attempt(naive, tree, call, secret) == "done"


@pytest.mark.parametrize("call", ["os.chmod(sys.argv[1], 0o777)", "os.utime(sys.argv[1], (1, 1))"])
def test_the_attributes_of_a_file_outside_are_not_changed(
    confined: Sandbox, naive: Unsandboxed, tree: Path, secret: Path, call: str
) -> None:
    before = secret.stat()
    attempt(confined, tree, call, secret)
    after = secret.stat()
    assert (after.st_mode, after.st_mtime) == (before.st_mode, before.st_mtime)
    attempt(naive, tree, call, secret)
    changed = secret.stat()
    assert (changed.st_mode, changed.st_mtime) != (before.st_mode, before.st_mtime)


REFUSED_LINK = ("EXDEV", "EACCES", "EPERM")
"""The last one from the kernel's protected_hardlinks, which an ordinary user meets first."""


def test_a_file_of_the_system_cannot_be_linked_into_the_tree_or_written(
    confined: Sandbox, tree: Path
) -> None:
    assert attempt(confined, tree, "os.link('/usr/bin/env', 'mine')") in REFUSED_LINK
    assert attempt(confined, tree, "open('/usr/bin/env', 'r+')") in ("EROFS", "EACCES")
    assert attempt(confined, tree, "open('/usr/new', 'w')") in ("EROFS", "EACCES")


CALLER = """
import sys
from pathlib import Path
from wavecrew.plan.settings import SandboxSettings
from wavecrew.sandbox import open_sandbox
from wavecrew.sandbox.model import TREE, Caps, Command, Mount
mode, tree, script = sys.argv[1:]
sandbox = open_sandbox(SandboxSettings(mode=mode), allow_unsandboxed=True)
mounts = (Mount(Path(tree), TREE, writable=True),)
done = sandbox.run(Command(("sh", "-c", script), mounts, caps=Caps(wall_s=60)))
sys.stdout.buffer.write(done.stdout)
"""


def caller(
    mode: str, tree: Path, script: str, *, close_fds: bool = True
) -> subprocess.Popen[bytes]:
    """An engine of its own process: it can be killed, and it has secrets in its environment."""
    env = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "TOKEN": "canary-in-the-env"}
    argv = [sys.executable, "-c", CALLER, mode, str(tree), script]
    return subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, close_fds=close_fds)


def test_the_engines_environment_is_nowhere_inside(tree: Path) -> None:
    script = "env; cat /proc/[0-9]*/environ 2>/dev/null; true"
    for mode, seen in (("bubblewrap", False), ("landlock", False), ("none", True)):
        with caller(mode, tree, script) as process:
            output = process.communicate(timeout=30)[0]
        assert b"LANG=C.UTF-8" in output
        assert (b"canary-in-the-env" in output) is seen, mode


def test_an_inherited_descriptor_does_not_lead_out(tree: Path, secret: Path) -> None:
    folder = os.open(secret.parent, os.O_RDONLY)
    os.set_inheritable(folder, True)
    script = "for n in 3 4 5 6 7 8 9; do cat /dev/fd/$n/id /proc/self/fd/$n/id; done 2>/dev/null"
    try:
        control = subprocess.run(
            ["sh", "-c", f"cat /proc/self/fd/{folder}/id"],
            close_fds=False,
            capture_output=True,
            check=True,
        )
        assert control.stdout == b"a secret key"
        for mode in ("bubblewrap", "landlock"):
            with caller(mode, tree, script, close_fds=False) as process:
                assert process.communicate(timeout=30)[0] == b""
    finally:
        os.close(folder)


def test_only_the_standard_descriptors_are_open_inside(confined: Sandbox, tree: Path) -> None:
    script = (
        "import os\n"
        "def is_open(fd):\n"
        "    try:\n"
        "        os.fstat(fd)\n"
        "    except OSError:\n"
        "        return False\n"
        "    return True\n"
        "print([fd for fd in range(200) if is_open(fd)])"
    )
    assert python(confined, tree, script).stdout == b"[0, 1, 2]\n"


@contextmanager
def listening(kind: int, address: object) -> Iterator[socket.socket]:
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family, kind) as server:
        server.bind(address)  # type: ignore[arg-type]
        if kind == socket.SOCK_STREAM:
            server.listen()
        server.settimeout(0.2)
        yield server


def test_tcp_to_this_machine_is_refused(confined: Sandbox, naive: Unsandboxed, tree: Path) -> None:
    call = "socket.create_connection(('127.0.0.1', int(sys.argv[1])), 2)"
    with listening(socket.SOCK_STREAM, ("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert attempt(naive, tree, call, port) == "done"
        assert attempt(confined, tree, call, port) in ("ECONNREFUSED", "EAFNOSUPPORT")


def test_udp_to_this_machine_does_not_arrive(
    confined: Sandbox, naive: Unsandboxed, tree: Path
) -> None:
    call = (
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)"
        ".sendto(b'out', ('127.0.0.1', int(sys.argv[1])))"
    )
    with listening(socket.SOCK_DGRAM, ("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        attempt(confined, tree, call, port)
        with pytest.raises(TimeoutError):
            server.recv(10)
        attempt(naive, tree, call, port)
        assert server.recv(10) == b"out"


@pytest.mark.parametrize("name", ["path", "abstract"])
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_unix_sockets_of_this_machine_are_out_of_reach(
    confined: Sandbox, naive: Unsandboxed, tree: Path, tmp_path: Path, name: str, kind: int
) -> None:
    short = f"{os.getpid()}.{time.monotonic_ns()}"
    address = str(tmp_path / "s") if name == "path" else f"\0wavecrew-{short}"
    call = (
        "socket.socket(socket.AF_UNIX, int(sys.argv[2])).connect(sys.argv[1].replace('@', chr(0)))"
    )
    with listening(kind, address):
        shown = address.replace("\0", "@")
        assert attempt(naive, tree, call, shown, int(kind)) == "done"
        assert attempt(confined, tree, call, shown, int(kind)) in (
            "ENOENT",
            "ECONNREFUSED",
            "EAFNOSUPPORT",
        )


def test_a_datagram_pair_cannot_be_turned_to_a_socket_of_this_machine(
    confined: Sandbox, naive: Unsandboxed, tree: Path, tmp_path: Path
) -> None:
    call = "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].sendto(b'out', sys.argv[1])"
    address = str(tmp_path / "s")
    with listening(socket.SOCK_DGRAM, address) as server:
        attempt(confined, tree, call, address)
        with pytest.raises(TimeoutError):
            server.recv(10)
        assert attempt(naive, tree, call, address) == "done"
        assert server.recv(10) == b"out"


def test_an_address_beyond_this_machine_has_no_route(confined: Sandbox, tree: Path) -> None:
    """Sent nowhere: the namespace has no route, or there is no such socket at all."""
    call = "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('192.0.2.1', 9))"
    assert attempt(confined, tree, call) in ("ENETUNREACH", "EAFNOSUPPORT")


REFUSED = {
    "ptrace": "sys_(101, 16, os.getppid(), 0, 0)",
    "unshare": "sys_(272, 0x10000000)",
    "unshare network": "sys_(272, 0x40000000)",
    "clone": "sys_(56, 0x10000000 | 17, 0, 0, 0, 0)",
    "setns": "sys_(308, 0, 0)",
    "mount": "sys_(165, b'none', b'/tmp', b'tmpfs', 0, None)",
    "umount": "sys_(166, b'/tmp', 2)",
    "pivot_root": "sys_(155, b'/', b'/')",
    "open_tree": "sys_(428, -100, b'/', 1)",
    "fsopen": "sys_(430, b'tmpfs', 0)",
    "bpf": "sys_(321, 0, None, 0)",
    "perf_event_open": "sys_(298, None, 0, -1, -1, 0)",
    "userfaultfd": "sys_(323, 0)",
    "io_uring_setup": "sys_(425, 1, None)",
    "keyctl": "sys_(250, 0, -3, 0)",
    "process_vm_readv": "sys_(310, os.getppid(), None, 0, None, 0, 0)",
    "TIOCSTI": "sys_(16, 0, 0x5412, b'x')",
    "reboot": "sys_(169, 0, 0, 0, None)",
}


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers are those of x86_64")
@pytest.mark.parametrize("name", REFUSED)
def test_a_dangerous_system_call_is_refused(confined: Sandbox, tree: Path, name: str) -> None:
    assert attempt(confined, tree, REFUSED[name]) == "EPERM"


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="x32 exists on x86_64 only")
def test_another_way_to_number_system_calls_ends_the_process(confined: Sandbox, tree: Path) -> None:
    call = "import ctypes; ctypes.CDLL(None).syscall(0x40000000 + 39)"
    assert python(confined, tree, call).exit_code == 128 + signal.SIGSYS


def test_namespaces_cannot_be_made_by_a_program_either(confined: Sandbox, tree: Path) -> None:
    assert run(confined, tree, "unshare", "-Ur", "true").exit_code != 0
    assert run(confined, tree, "bwrap", "--ro-bind", "/", "/", "true").exit_code != 0


def test_no_capability_is_left(bubblewrap: Sandbox, tree: Path) -> None:
    done = run(bubblewrap, tree, "grep", "-E", "^(Cap|NoNewPrivs|Seccomp:)", "/proc/self/status")
    facts = dict(line.split(":\t") for line in done.stdout.decode().splitlines())
    assert facts.pop("NoNewPrivs") == "1"
    assert facts.pop("Seccomp") == "2"
    assert len(facts) == 5
    assert set(facts.values()) == {"0" * 16}


@pytest.mark.parametrize(
    "path", ["sys/kernel/core_pattern", "sys/vm/drop_caches", "sysrq-trigger", "self/oom_score_adj"]
)
def test_nothing_under_proc_can_be_written(confined: Sandbox, tree: Path, path: str) -> None:
    """Opened only, never written: on a sandbox that fails, the host stays as it is."""
    call = f"os.open('/proc/{path}', os.O_WRONLY)"
    assert attempt(confined, tree, call) in ("EROFS", "EACCES", "ENOENT")


def test_what_only_root_may_read_under_proc_is_hidden(bubblewrap: Sandbox, tree: Path) -> None:
    names = ["kmsg", "kcore", "kpagecount", "slabinfo", "timer_list", "vmallocinfo", "pagetypeinfo"]
    script = "; ".join(f"head -c 100 /proc/{name}" for name in names) + "; ls /proc/fs /proc/irq"
    done = run(bubblewrap, tree, "sh", "-c", script, merge_stderr=False)
    assert done.stdout.replace(b"/proc/fs:", b"").replace(b"/proc/irq:", b"").strip() == b""


def test_processes_outside_can_neither_be_seen_nor_signalled(
    confined: Sandbox, naive: Unsandboxed, tree: Path
) -> None:
    with subprocess.Popen(["sleep", "30"]) as bystander:
        try:
            for call in ("os.kill(int(sys.argv[1]), 0)", "os.kill(int(sys.argv[1]), 9)"):
                assert attempt(confined, tree, call, bystander.pid) in ("ESRCH", "EPERM")
            attempt(confined, tree, "os.kill(-1, 9)")
            assert bystander.poll() is None
            attempt(naive, tree, "os.kill(int(sys.argv[1]), 9)", bystander.pid)
            assert bystander.wait(5) == -signal.SIGKILL
        finally:
            bystander.kill()


def sleepers(nap: str) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[:2] == [b"sleep", nap.encode()]:
            found.append(int(folder.name))
    return found


def until(condition: Callable[[], bool], seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return condition()


DAEMONS = """
setsid sleep {nap} &
(sleep {nap} &) &
nohup sleep {nap} >/dev/null 2>&1 &
sh -c "trap '' TERM HUP INT; sleep {nap}" &
(setsid sh -c "(sleep {nap} &)" &)
"""


def a_nap() -> str:
    return f"100.{time.monotonic_ns()}"


@pytest.mark.parametrize("end", ["exit 0", "sleep 60"])
def test_no_daemon_survives_its_command(confined: Sandbox, tree: Path, end: str) -> None:
    nap = a_nap()
    script = f"{DAEMONS.format(nap=nap)}\nsleep 0.3; {end}"
    done = run(confined, tree, "sh", "-c", script, caps=Caps(wall_s=1))
    assert done.killed_by == ("" if end == "exit 0" else "time")
    assert sleepers(nap) == []


def test_daemons_do_survive_where_nothing_stops_them() -> None:
    """The control: killing the process group, as is usual, leaves some behind."""
    nap = a_nap()
    script = f"{DAEMONS.format(nap=nap)}\nsleep 0.3; sleep 60"
    with subprocess.Popen(["sh", "-c", script], start_new_session=True) as shell:
        try:
            assert until(lambda: len(sleepers(nap)) == 5)
            os.killpg(shell.pid, signal.SIGKILL)
            shell.wait(5)
            assert sleepers(nap)
        finally:
            for pid in sleepers(nap):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("mode", ["bubblewrap", "landlock"])
def test_killing_the_engine_leaves_no_survivor(mode: str, tree: Path) -> None:
    nap = a_nap()
    script = f"{DAEMONS.format(nap=nap)}\nsleep {nap}"
    with caller(mode, tree, f'echo "$TMPDIR" >place; {script}') as engine:
        assert until(lambda: len(sleepers(nap)) == 6)
        engine.kill()
    assert until(lambda: not sleepers(nap), 5)
    if mode == "landlock":
        private = Path((tree / "place").read_text().strip()).parent
        assert private.name.startswith("wavecrew-")
        assert until(lambda: not private.exists(), 5)


@pytest.mark.parametrize("mode", ["bubblewrap", "landlock"])
def test_interrupting_the_engine_leaves_no_survivor(mode: str, tree: Path) -> None:
    nap = a_nap()
    with caller(mode, tree, f"{DAEMONS.format(nap=nap)}\nsleep {nap}") as engine:
        assert until(lambda: len(sleepers(nap)) == 6)
        engine.send_signal(signal.SIGINT)
        engine.wait(15)
    assert until(lambda: not sleepers(nap), 5)


FORKS = """
import os, time
made = 0
for _ in range(60):
    try:
        if os.fork() == 0:
            time.sleep(3)
            os._exit(0)
        made += 1
    except BlockingIOError:
        break
print(made, flush=True)
time.sleep(2)
"""


def test_a_fork_flood_stops_at_the_limit(sandbox: Sandbox, naive: Unsandboxed, tree: Path) -> None:
    caps = Caps(wall_s=20, processes=24)
    done = python(sandbox, tree, FORKS, caps=caps)
    if done.killed_by:
        assert done.killed_by == "processes"
        assert done.duration_s < 2
    else:
        assert 16 <= int(done.stdout) <= 28
    assert python(naive, tree, FORKS, caps=Caps(wall_s=20)).stdout == b"60\n"


HOG = """
import sys, time
held = []
for _ in range(int(sys.argv[1])):
    held.append(bytearray(b'x') * (8 << 20))
    time.sleep(0.01)
time.sleep(2)
print('kept', len(held))
"""


def test_a_memory_hog_is_killed(sandbox: Sandbox, naive: Unsandboxed, tree: Path) -> None:
    caps = Caps(wall_s=20, memory_mb=128)
    done = python(sandbox, tree, HOG, 40, caps=caps)
    assert (done.killed_by, done.exit_code) == ("memory", 137)
    assert python(naive, tree, HOG, 40, caps=Caps(wall_s=20)).stdout == b"kept 40\n"


def test_memory_shared_by_forks_is_not_counted_twice(sandbox: Sandbox, tree: Path) -> None:
    script = (
        "import os, time\n"
        "held = bytearray(b'x') * (60 << 20)\n"
        "for _ in range(5):\n"
        "    if os.fork() == 0:\n"
        "        time.sleep(1)\n"
        "        os._exit(0)\n"
        "time.sleep(1)\n"
        "print('kept')\n"
    )
    done = python(sandbox, tree, script, caps=Caps(wall_s=20, memory_mb=200))
    assert (done.killed_by, done.stdout) == ("", b"kept\n")


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers are those of x86_64")
def test_memory_cannot_hide_where_no_process_holds_it(confined: Sandbox, tree: Path) -> None:
    assert attempt(confined, tree, "os.memfd_create('x')") == "ENOSYS"
    assert attempt(confined, tree, "sys_(29, 0, 1 << 24, 0o1600)") == "EPERM"


def test_private_file_systems_have_a_bound(bubblewrap: Sandbox, tree: Path) -> None:
    script = "df -k --output=size /tmp /dev/shm /home/agent | tail -3"
    sizes = run(bubblewrap, tree, "sh", "-c", script).stdout.split()
    assert [int(size) // 1024 for size in sizes] == [512, 64, 256]
    for place in ("/x", "/dev/x", "/run/x", "/etc/x", "/var/x"):
        assert attempt(bubblewrap, tree, f"open('{place}', 'w')") == "EROFS"


def test_a_server_on_loopback_works_inside(bubblewrap: Sandbox, tree: Path) -> None:
    script = (
        "import socket, threading\n"
        "server = socket.create_server(('127.0.0.1', 5432))\n"
        "threading.Thread(target=lambda: server.accept()[0].send(b'hello')).start()\n"
        "print(socket.create_connection(('localhost', 5432)).recv(9))\n"
    )
    assert python(bubblewrap, tree, script).stdout == b"b'hello'\n"


def test_common_ways_to_run_things_at_once_work(bubblewrap: Sandbox, tree: Path) -> None:
    script = (
        "import asyncio, json, multiprocessing as mp, sqlite3, threading\n"
        "from concurrent.futures import ProcessPoolExecutor\n"
        "def twice(x): return 2 * x\n"
        "if __name__ == '__main__':\n"
        "    seen = []\n"
        "    for way in ('fork', 'spawn'):\n"
        "        with ProcessPoolExecutor(2, mp_context=mp.get_context(way)) as pool:\n"
        "            seen.append(list(pool.map(twice, [1, 2])))\n"
        "    thread = threading.Thread(target=lambda: seen.append('thread'))\n"
        "    thread.start(); thread.join()\n"
        "    sqlite3.connect('/tmp/db').execute('create table t (x)')\n"
        "    print(json.dumps(seen))\n"
    )
    (tree / "ways.py").write_text(script)
    done = run(bubblewrap, tree, "python", "ways.py")
    assert json.loads(done.stdout) == [[2, 4], [2, 4], "thread"]


@pytest.mark.parametrize(
    "call",
    [
        "(open('f', 'w'), os.chmod('f', 0o4755))",
        "os.fchmod(os.open('f', os.O_CREAT | os.O_WRONLY), 0o6755)",
        "os.open('f', os.O_CREAT | os.O_WRONLY, 0o4755)",
        "os.mknod('f', 0o104755)",
    ],
)
def test_no_set_user_id_file_appears_on_the_host(
    confined: Sandbox, naive: Unsandboxed, tree: Path, call: str
) -> None:
    attempt(confined, tree, call)
    assert not any(entry.stat().st_mode & 0o6000 for entry in tree.iterdir())
    for leftover in tree.iterdir():
        leftover.unlink()
    assert attempt(naive, tree, call) == "done"
    assert (tree / "f").stat().st_mode & 0o4000


def test_a_read_only_mount_cannot_be_made_writable(
    confined: Sandbox, tree: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "pack").write_text("shared")
    mounts = (Mount(other, "/objects"),)
    script = (
        "chmod u+w /objects/pack; mount -o remount,rw /objects; echo x >/objects/pack; "
        "rm -f /objects/pack; ln /objects/pack mine; cat /objects/pack"
    )
    done = run(confined, tree, "sh", "-c", script, mounts=mounts, merge_stderr=False)
    assert done.stdout == b"shared"
    assert (other / "pack").stat().st_nlink == 1
