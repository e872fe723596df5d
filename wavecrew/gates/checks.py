"""How is a check run at a tree? In a fresh checkout in the sandbox, set-up first.

Every check has a checkout of its own, so that what one leaves behind cannot
help the next. A command that invokes pytest gets a plugin (`inside/`) that
seals the report; the options travel in PYTEST_ADDOPTS, so that the command
itself stays as it was written.
"""

from __future__ import annotations

import re
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from wavecrew.gates.junit import Report, ReportRefused, read_reports
from wavecrew.gates.source import Source
from wavecrew.gates.verdict import Result, of_command, of_pytest, started
from wavecrew.plan.settings import Check, Settings
from wavecrew.sandbox.model import TREE, Caps, Command, Finished, Mount, Sandbox

REPORTS = "/report"
RECEIPT = "/receipt"
HELD_OUT = "/held-out"
KEEP_BYTES = 4_000_000

PLUGIN = Path(__file__).parent / "inside" / "wavecrew_receipt.py"
OPTIONS = (
    "-p wavecrew_receipt -o junit_family=xunit1 -o junit_logging=no -o junit_duration_report=total"
)
_PYTEST = re.compile(r"(?<![\w.\-])(?<!install )(?:pytest|py\.test)(?![\w.\-/=])")


def invokes_pytest(command: str) -> bool:
    """Whether pytest is run by this command line, as far as its words tell."""
    return bool(_PYTEST.search(command))


def counts_tests(check: Check) -> bool:
    return check.kind == "pytest" or invokes_pytest(check.run)


def slug(name: str) -> str:
    """A check's name as part of a file name."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.") or "check"


@dataclass(frozen=True)
class Runner:
    """Runs checks at trees; one for each gate."""

    source: Source
    sandbox: Sandbox
    settings: Settings
    scratch: Path
    """A folder of this gate alone; everything below it may be deleted."""
    held_out_root: Path | None = None

    def run(self, check: Check, tree: str, label: str = "") -> Result:
        """The check's result at exactly this tree. `label` keeps simultaneous uses apart."""
        # The sandbox mounts no path that leads over a link.
        place = self.scratch.resolve() / f"{slug(check.name)}{label}"
        self._remove(place)
        for name in ("tree", "report", "receipt"):
            (place / name).mkdir(parents=True)
        try:
            self.source.checkout(tree, place / "tree", self.sandbox)
            return self._run(check, place)
        finally:
            self._remove(place)

    def _run(self, check: Check, place: Path) -> Result:
        mounts = [Mount(place / "tree", TREE, writable=True)]
        output, held_out = "", self._held_out(check)
        for command in self.settings.workspace.setup:
            done = self._shell(command, mounts, self.settings.limits.command_s, {})
            output += _printed(command, done)
            if done.exit_code != 0 or done.killed_by:
                why = f"the set-up command {command!r} failed: "
                why += started(done) or f"exit {done.exit_code}"
                return Result(verdict="could_not_run", rule="could_not_run", why=why, output=output)
        if check.held_out:
            if held_out is None:
                why = f"its held-out folder {check.held_out!r} does not exist"
                return Result(verdict="could_not_run", rule="could_not_run", why=why)
            mounts.append(Mount(held_out, HELD_OUT))
        if counts_tests(check):
            return self._pytest(check, place, mounts, output)
        done = self._shell(check.run, mounts, check.timeout_s, {})
        verdict, rule, why = of_command(done)
        return Result(
            verdict=verdict,
            rule=rule,
            why=why,
            exit_code=done.exit_code,
            duration_s=done.duration_s,
            output=output + _printed(check.run, done),
        )

    def _pytest(self, check: Check, place: Path, mounts: list[Mount], output: str) -> Result:
        shutil.copyfile(PLUGIN, place / "receipt" / PLUGIN.name)
        mounts = [
            *mounts,
            Mount(place / "report", REPORTS, writable=True),
            Mount(place / "receipt", RECEIPT),
        ]
        key = secrets.token_hex(32)
        given = self.settings.sandbox.env
        # Else pytest takes the folder above both trees for its root and looks through it.
        root = f"--rootdir={HELD_OUT}" if check.held_out else ""
        options = " ".join(filter(None, (given.get("PYTEST_ADDOPTS", ""), OPTIONS, root)))
        env = {
            "WAVECREW_SEAL": key,
            "WAVECREW_REPORTS": REPORTS,
            "PYTHONPATH": ":".join(filter(None, (RECEIPT, given.get("PYTHONPATH", "")))),
            "PYTEST_ADDOPTS": options,
        }
        # A command that sets PYTHONPATH itself would lose the plugin.
        line = re.sub(r"\bPYTHONPATH=", f"PYTHONPATH={RECEIPT}:", check.run)
        done = self._shell(line, mounts, check.timeout_s, env)
        report: Report | str
        try:
            report = read_reports(place / "report", key)
        except ReportRefused as refused:
            report = str(refused)
        printed = _printed(check.run, done)
        verdict, rule, why = of_pytest(done, report, printed)
        counts = Report() if isinstance(report, str) else report
        return Result(
            verdict=verdict,
            rule=rule,
            why=why,
            exit_code=done.exit_code,
            duration_s=done.duration_s,
            passed=tuple(sorted(counts.passed)),
            failed=dict(counts.failed),
            skipped=tuple(sorted(counts.skipped)),
            output=output + printed,
        )

    def _shell(
        self, command: str, mounts: list[Mount], wall_s: float, env: dict[str, str]
    ) -> Finished:
        limits = self.settings.limits
        caps = Caps(
            wall_s=wall_s,
            memory_mb=limits.memory_mb,
            processes=limits.processes,
            keep_bytes=KEEP_BYTES,
        )
        env = {"PYTHONDONTWRITEBYTECODE": "1", **env}
        return self.sandbox.run(
            Command(argv=("sh", "-c", command), mounts=tuple(mounts), env=env, caps=caps)
        )

    def _held_out(self, check: Check) -> Path | None:
        if not check.held_out or self.held_out_root is None:
            return None
        folder = (self.held_out_root / check.held_out).resolve()
        return folder if folder.is_dir() else None

    def _remove(self, place: Path) -> None:
        """Agents' code may leave what `rmtree` cannot take: then its own side removes it first."""
        try:
            shutil.rmtree(place)
        except FileNotFoundError:
            return
        except (OSError, RecursionError):
            clean = "chmod -R u+rwX . ; find . -mindepth 1 -delete"
            mounts = [Mount(place, TREE, writable=True)]
            self._shell(clean, mounts, self.settings.limits.command_s, {})
            shutil.rmtree(place, ignore_errors=True)


def _printed(command: str, done: Finished) -> str:
    text = done.stdout.decode("utf-8", errors="replace")
    ended = f"[exit {done.exit_code}" + (f", ended by {done.killed_by}" if done.killed_by else "")
    if done.omitted_bytes:
        ended += f", {done.omitted_bytes} bytes of output left out"
    return f"$ {command}\n{text.rstrip()}\n{ended}, {done.duration_s:.1f} s]\n"
