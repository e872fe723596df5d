"""Does a run survive `kill -9` anywhere? Wave 1 of the Discovery plan, killed at every event.

    python tests/storm/kill_storm.py [--short] [--random 200] [--only engine,agent,command]
        [--agents 1] [--tasks 1.1,1.2,...] [--seed 1] [--json report.json] [--keep FOLDER]

One undisturbed run is the reference. Then one stormed run for each kind of
victim: right after every event of the reference, while the run stands still,
the victim is killed with SIGKILL: the engine; every agent at work; the sandbox
of every command at work. A killed engine is resumed with `wavecrew run
--resume`, half of the times at once, half after its last process is gone. Then
runs are killed at random times, a random victim each.

How it counts: one kill is one signal round at one event. Where no agent or no
command is at work at an event, the next one that appears is killed; a kill
still waiting for its victim at the next event is one with that event's.

Exit code 0 when nothing was found, 1 with findings.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import findings
import processes
from findings import Exchange
from processes import Process
from rig import EXAMPLE, LocalRig, Victim

from wavecrew.rehearsal.server import RunningRehearsal, serve

KINDS: tuple[Victim, ...] = ("engine", "agent", "command")
TASKS = "1.1,1.2,1.3,1.4,1.5"
MOST_RESUMES_IN_VAIN = 5
APPEARS_WITHIN_S = 60.0


@dataclass
class Report:
    """One run's figures."""

    name: str
    kills: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    events_hit: int = 0
    events_missed: list[str] = field(default_factory=list)
    """Events of the reference after which nothing of the kind was there to be killed."""
    resumes: int = 0
    seconds: float = 0.0
    model_calls: int = 0
    """Answers the model gave."""
    in_flight: int = 0
    """Answers given again because a kill came before their first reply was in the journal."""
    tree: str = ""
    findings: list[str] = field(default_factory=list)


class Storm:
    """One run and what is done to it."""

    def __init__(
        self,
        name: str,
        folder: Path,
        server: RunningRehearsal,
        options: argparse.Namespace,
        seed: int = 0,
    ):
        self.report = Report(name)
        self.server = server
        self.lock = threading.Lock()
        self.seen: list[str] = []
        self.family: set[Process] = set()
        self.recorded: dict[Exchange, int] = {}
        """Exchange -> how many answers the server had given when it was seen in a journal."""
        self.first = len(server.log)
        self.rig = LocalRig(
            folder,
            server.base_url,
            self.told,
            agents=options.agents,
            tasks=tuple(filter(None, options.tasks.split(","))),
        )
        self.before = findings.checkout(self.rig.repo)
        self.pending: dict[str, Victim] = {}
        """Event -> who is killed right after it."""
        self.awaited: Victim | None = None
        """Who is killed as soon as one appears."""
        self.at_events = False
        self.over = threading.Event()
        self.random = random.Random(seed)
        self.pause_s = 6.0
        """The longest between two random kills; a slow machine needs more to get anywhere."""
        threading.Thread(target=self._strike_next, daemon=True).start()

    # ---- while it runs

    def told(self, event: str) -> None:
        """The run stands still at this event until this returns."""
        self.seen.append(event)
        kind = self.pending.pop(event, None)
        if kind is None:
            return
        self.report.events_hit += 1
        if not self.strike(kind):
            self.awaited = kind

    def strike(self, kind: Victim) -> bool:
        """Kill what there is of a kind, now. The journals are read once it is dead."""
        self.family.update(self.rig.family())
        victims = self.rig.victims(kind)
        killed = [victim for victim in victims if victim.kill()]
        if not killed:
            return False
        with self.lock:
            self.report.kills[kind] += 1
            number = sum(self.report.kills.values())
        if number % 10 == 0:
            print(f"  {self.report.name}: {number} kills", file=sys.stderr, flush=True)
        processes.gone(killed, 10)
        self.note_answers()
        return True

    def note_answers(self) -> None:
        """What is in the journals now may never be asked again."""
        for exchange in findings.answered(self.rig.run):
            self.recorded.setdefault(exchange, len(self.server.log))

    def _strike_next(self) -> None:
        """Kills the next victim that appears, for events at which there was none."""
        while not self.over.wait(0.004):
            if self.awaited and self.strike(self.awaited):
                self.awaited = None

    # ---- the whole of it

    def undisturbed(self) -> Report:
        self.rig.start()
        return self._judged(self.rig.wait(), "")

    def at_each(self, victims: dict[str, Victim], tree: str) -> Report:
        """A kill right after each of these events."""
        self.at_events, self.pending = True, victims
        code = self._to_the_end()
        self.report.events_missed = sorted(self.pending)
        return self._judged(code, tree)

    def at_random(self, kills: int, tree: str, calm_s: float) -> Report:
        """Up to so many kills at random times, as the run lasts; undisturbed it takes `calm_s`."""
        self.pause_s = max(self.pause_s, calm_s / 8)
        stop = threading.Thread(target=self._strike_randomly, args=(kills,), daemon=True)
        stop.start()
        return self._judged(self._to_the_end(), tree)

    def _strike_randomly(self, kills: int) -> None:
        while sum(self.report.kills.values()) < kills:
            if self.over.wait(self.random.uniform(0.3, self.pause_s)):
                return
            self.strike(self.random.choice(KINDS))

    def _to_the_end(self) -> int:
        """Start, and resume whenever the engine was killed; the exit code."""
        began = time.monotonic()
        self.rig.start()
        in_vain, events = 0, 0
        while (code := self.rig.wait()) not in (0, None):
            self.awaited = None
            if code != -9:
                self.report.findings.append(f"ended with {code}: {self.rig.said().strip()[-600:]}")
                if self.report.resumes and in_vain:
                    break
            in_vain = in_vain + 1 if self.at_events and len(self.seen) == events else 0
            events = len(self.seen)
            if in_vain > MOST_RESUMES_IN_VAIN:
                self.report.findings.append(f"stuck: {in_vain} resumes without a new event")
                break
            if self.seen[-1:] == ["run_finished"]:  # nothing is left to do but to clean up
                self.rig.resume()
                code = 0 if self.rig.wait() == 2 else code
                break
            if self.report.resumes % 2:
                self._wait_for_the_dead()
            self.report.resumes += 1
            if self.rig.has_begun():
                self.rig.resume()
            else:
                self.rig.start()
        self.report.seconds = round(time.monotonic() - began, 1)
        return code or 0

    def _wait_for_the_dead(self) -> None:
        left = processes.gone(self.family, 10)
        self.report.findings += [f"orphan after 10 s: {p.command} {p.words[:100]}" for p in left]

    def _judged(self, code: int | None, tree: str) -> Report:
        self.over.set()
        report, rig = self.report, self.rig
        found = report.findings
        if code != 0:
            found.append(f"the run ended with {code}: {rig.said().strip()[-600:]}")
        self._wait_for_the_dead()
        if not rig.has_begun():
            found.append("the run never began")
            return report
        report.tree = findings.final_tree(rig.repo)
        if tree and report.tree != tree:
            found.append(f"the final tree is {report.tree[:12]}, the reference's {tree[:12]}")
        self._count_calls()
        found += findings.doubled(rig.repo)
        found += findings.lost(rig.repo, rig.run)
        found += findings.settled(lambda: findings.left_over(rig.repo, rig.run, rig.tmp))
        if findings.checkout(rig.repo) != self.before:
            found.append("the user's checkout was touched")
        rig.close()
        return report

    def _count_calls(self) -> None:
        """Every answer is given once, but for those that a kill kept out of the journal."""
        log = self.server.log
        given: set[Exchange] = set()
        for at in range(self.first, len(log)):
            served = log[at]
            if served.outcome != "answered":
                if served.outcome == "mismatch":
                    self.report.findings.append(f"the model was asked off its script: {served}")
                continue
            exchange = (served.conversation, served.attempt, served.turn)
            self.report.model_calls += 1
            if exchange in given:
                self.report.in_flight += 1
                if self.recorded.get(exchange, at + 1) <= at:
                    self.report.findings.append(f"paid twice: {exchange}")
            given.add(exchange)


def storm(options: argparse.Namespace, folder: Path) -> list[Report]:
    """All runs, the reference first."""
    reports: list[Report] = []

    def said(report: Report) -> Report:
        reports.append(report)
        kills = ", ".join(f"{number} {kind}" for kind, number in report.kills.items() if number)
        print(
            f"{report.name}: {kills or 'no kills'}; {report.resumes} resumes, {report.model_calls} "
            f"model calls ({report.in_flight} in flight at a kill), tree {report.tree[:12]}, "
            f"{report.seconds:.0f} s, {len(report.findings)} findings",
            flush=True,
        )
        for one in report.findings:
            print(f"  {one}", flush=True)
        return report

    with serve(EXAMPLE / "rehearsal") as server:

        def new(name: str, seed: int = 0) -> Storm:
            return Storm(name, folder / name, server, options, seed)

        calm = new("reference")
        began = time.monotonic()
        reference = calm.undisturbed()
        reference.seconds = round(time.monotonic() - began, 1)
        said(reference)
        events, tree = list(calm.seen), reference.tree
        if options.short:
            chosen = spread(events, len(SHORT))
            said(new("short").at_each(dict(zip(chosen, SHORT, strict=True)), tree))
            return reports
        for kind in KINDS:
            if kind in options.only:
                chosen = spread(events, options.events) if options.events else events
                said(new(f"every-event-{kind}").at_each(dict.fromkeys(chosen, kind), tree))
        left, number = options.random, 0
        while left > 0:
            number += 1
            report = said(
                new(f"random-{number}", options.seed + number).at_random(
                    left, tree, reference.seconds
                )
            )
            left -= max(1, sum(report.kills.values()))
    return reports


SHORT: tuple[Victim, ...] = ("agent", "command", "agent", "command", "engine") * 4 + ("agent",) * 4
"""Who is killed in the short storm, at as many events in turn."""


def spread(events: list[str], number: int) -> list[str]:
    """So many events, evenly over the run."""
    step = max(1.0, len(events) / number)
    return [events[int(at * step)] for at in range(min(number, len(events)))]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--short", action="store_true", help="one run of two tasks, 20 kills of all kinds"
    )
    parser.add_argument(
        "--random", type=int, default=0, help="so many kills at random times as well"
    )
    parser.add_argument(
        "--events", type=int, default=0, help="only so many of the events, evenly spread"
    )
    parser.add_argument("--only", default=",".join(KINDS), help="kinds of victims at the events")
    parser.add_argument("--agents", type=int, default=1, help="agents at once")
    parser.add_argument("--tasks", default=TASKS, help="tasks of the run; empty: the whole wave")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the report here")
    parser.add_argument("--keep", type=Path, help="make the runs here and leave them")
    options = parser.parse_args()
    if options.short:
        options.tasks = "1.1,1.2"
    folder = options.keep or Path(tempfile.mkdtemp(prefix="storm-"))
    folder.mkdir(parents=True, exist_ok=True)
    reports = storm(options, folder)
    found = sum(len(report.findings) for report in reports)
    kills = sum(sum(report.kills.values()) for report in reports)
    if options.json:
        whole = {"kills": kills, "findings": found, "runs": [asdict(report) for report in reports]}
        options.json.write_text(json.dumps(whole, indent=1))
    print(f"{kills} kills in {len(reports) - 1} stormed runs, {found} findings")
    if not options.keep and not found:
        shutil.rmtree(folder)
    elif found:
        print(f"the runs lie in {folder}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
