"""What do our agents cost beside plain CrewAI's, in the same run on the same machine?

    python bench/agents.py [--quick]

Rows 1 to 4 of the speed table: ten agents against the ideal, CPU per model step
at 40 messages of history, a hundred agents with their memory, and what is sent
to the model for the same work. Ours run through `crews.host`, as in a real run:
forked processes, journal on disk, line to an engine. Nothing else should run
on the machine meanwhile. --quick: three calls and 2 s latency in the third row.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

HERE = Path(__file__).parent
PYTHON = [sys.executable]


@dataclass(frozen=True)
class Row:
    what: str
    ours: str
    plain: str
    ratio: str
    budget: str
    met: bool


@contextmanager
def model_server() -> Iterator[str]:
    """The address of a server in its own process."""
    process = subprocess.Popen(
        [*PYTHON, str(HERE / "model_server.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin
    assert process.stdout
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


@contextmanager
def engine_line(folder: Path) -> Iterator[Path]:
    """A Unix socket where an engine agrees to everything."""
    path = folder / "engine"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(256)

    def talk(connection: socket.socket) -> None:
        granted = json.dumps({"reply": "Granted", "granted": True}).encode() + b"\n"
        noted = json.dumps({"reply": "Noted"}).encode() + b"\n"
        text = json.dumps({"reply": "BoardText", "text": "nothing new"}).encode() + b"\n"
        with connection, connection.makefile("rwb") as file:
            for line in file:
                ask = json.loads(line)["ask"]
                file.write({"reserve": granted, "board": text}.get(ask, noted))
                file.flush()

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield path
    listener.close()


@contextmanager
def host() -> Iterator[subprocess.Popen[bytes]]:
    """A host that is ready."""
    process = subprocess.Popen(
        [*PYTHON, "-P", "-m", "crews.host"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin
    assert process.stdout
    assert json.loads(process.stdout.readline())["ready"]
    try:
        yield process
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def scripted(server: str, script: str) -> str:
    """The base URL under which the server plays `script`."""
    return f"{server}/{quote(script, safe='')}/v1"


def ours(server: str, calls: int, latency_s: float, agents: int) -> tuple[float, float]:
    """Wall seconds of `agents` at once, and private MB of one in the middle of it."""
    script = f"calls={calls};latency={latency_s};tool=read_board;args={{}};end=report"
    base_url = scripted(server, script)
    with tempfile.TemporaryDirectory() as name, engine_line(Path(name)) as line, host() as process:
        assert process.stdin
        assert process.stdout
        orders = [_order(Path(name), number, base_url, line) for number in range(agents)]
        began = time.monotonic()
        for number, order in enumerate(orders):
            request = json.dumps({"start": str(order), "id": str(number)})
            process.stdin.write(request.encode() + b"\n")
        process.stdin.flush()
        pids: list[int] = []
        sizes: list[float] = []
        meter = threading.Timer(latency_s * (calls - 0.5), _weigh, (pids, sizes))
        meter.start()
        left = agents
        while left:
            report = json.loads(process.stdout.readline())
            if "pid" in report:
                pids.append(report["pid"])
            else:
                assert report["status"]["outcome"] == "passed", report
                left -= 1
        wall_s = time.monotonic() - began
        meter.join()
    return wall_s, sum(sizes) / len(sizes)


def _weigh(pids: list[int], sizes: list[float]) -> None:
    sizes.extend(filter(None, map(_private_mb, pids)))


def _order(folder: Path, number: int, base_url: str, line: Path) -> Path:
    own = folder / str(number)
    own.mkdir()
    role = {
        "name": "looker",
        "role": "Looker",
        "goal": "See everything",
        "backstory": "You look.",
        "archetype": "integration",
        "tools": ["read_board", "report"],
        "manager": True,
    }
    assignment = {
        "run": "bench",
        "kind": "sync",
        "subject": f"s{number}",
        "attempt": 1,
        "role": role,
        "model": {"name": "gpt-4o-mini", "base_url": base_url},
        "limits": {},
        "sandbox": {},
        "workspace": {"root": str(own / "none"), "objects": [], "base": ""},
        "journal": str(own / "journal.jsonl"),
        "home": str(own / "home"),
        "socket": str(line),
        "deadline_s": 600,
    }
    path = own / "assignment.json"
    path.write_text(json.dumps(assignment))
    return path


def _private_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def _run(script: str, *arguments: object) -> dict[str, Any]:
    command = [*PYTHON, str(HERE / script), *map(str, arguments)]
    print(f"  {script} {' '.join(map(str, arguments[:1]))} ...", file=sys.stderr, flush=True)
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=900)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def row_at_once(server: str, agents: int, latency_s: float, calls: int, budget: float) -> Row:
    """Wall time against the ideal, and memory."""
    ideal_s = latency_s * calls
    wall_s, private_mb = ours(server, calls, latency_s, agents)
    script = f'calls={calls};latency={latency_s};tool=look;args={{"number":$}}'
    other = _run("plain.py", "threads", scripted(server, script), agents)
    mine, theirs = ideal_s / wall_s, ideal_s / other["wall_s"]
    return Row(
        f"{agents} agents, {latency_s:g} s latency, {calls} calls: of the ideal",
        f"{mine:.2f} ({wall_s:.1f} s, {private_mb:.0f} MB each)",
        f"{theirs:.2f} ({other['wall_s']:.1f} s, {other['agent_mb']:.1f} MB each)",
        f"{mine / theirs:.2f}",
        f">= {budget}, <= 40 MB",
        mine >= budget and private_mb <= 40,
    )


def row_cpu(server: str) -> Row:
    """CPU per step between 30 and 50 messages of history."""
    script = 'calls=27;latency=0;tool=look;args={"number":$}'
    marks = _run("ours.py", "steps", scripted(server, f"{script};end=submit"))["marks"]
    others = _run("plain.py", "steps", scripted(server, script))["marks"]
    mine, theirs = ((m[24] - m[14]) * 100 for m in (marks, others))
    return Row(
        "CPU per model step at 40 messages of history",
        f"{mine:.1f} ms",
        f"{theirs:.1f} ms",
        f"{mine / theirs:.2f}",
        "<= 9 ms",
        mine <= 9,
    )


def row_prompt(server: str, calls: int, lines: int) -> Row:
    """Bytes of requests for the same trajectory."""
    path = '{"path":"src/m$.py"}'
    script = f"calls={calls};latency=0;tool=read_file;args={path};lines={lines}"
    _run("ours.py", "prompt", scripted(server, f"{script};end=submit"), lines)
    _run("plain.py", "prompt", scripted(server, script), lines)
    mine, theirs = (_received(server, played) for played in (f"{script};end=submit", script))
    return Row(
        f"prompt of a task with {calls} calls, {lines * 83 / 1000:.0f} kB each",
        f"{mine / 1000:.0f} kB",
        f"{theirs / 1000:.0f} kB",
        f"{mine / theirs:.2f}",
        "<= 0.7",
        mine / theirs <= 0.7,
    )


def _received(server: str, script: str) -> int:
    with urlopen(f"{server}/{quote(script, safe='')}") as reply:
        return int(reply.read())


def main() -> None:
    quick = "--quick" in sys.argv[1:]
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    calls, latency_s = (3, 2.0) if quick else (5, 5.0)
    with model_server() as server:
        rows = [
            row_at_once(server, 10, 0.5, 5, 0.93),
            row_cpu(server),
            row_at_once(server, 100, latency_s, calls, 0.85),
            row_prompt(server, 8, 25),
            row_prompt(server, 30, 70),
        ]
    _print(rows)


def _print(rows: list[Row]) -> None:
    heads = ("what", "ours", "plain CrewAI", "ratio", "budget", "")
    table = [
        heads,
        *((r.what, r.ours, r.plain, r.ratio, r.budget, "ok" if r.met else "MISSED") for r in rows),
    ]
    widths = [max(len(line[column]) for line in table) for column in range(len(heads))]
    for line in table:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        )


if __name__ == "__main__":
    main()
