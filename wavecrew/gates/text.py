"""How is a report told? The one text that agents and people read, and the cut of a long log."""

from __future__ import annotations

import re

from wavecrew.gates.model import Evidence, GateReport

LOG_BUDGET = 6_000
TEXT_BUDGET = 12_000
MOST_FINDINGS = 30
MOST_FAILURES = 20

SENTENCES = {
    "pass": "Passed: everything that was asked holds at this tree.",
    "fail": "Failed: what follows must be mended.",
    "could_not_run": "Could not run: a check left no result, so nothing is proven.",
    "no_tests": "No tests: a check collected or ran none, so nothing is proven.",
}
_FAILURES = re.compile(r"^=+ (?:FAILURES|ERRORS) =+$", re.MULTILINE)
_SUMMARY = re.compile(r"^=+ short test summary info =+$", re.MULTILINE)


def as_text(report: GateReport, budget: int = TEXT_BUDGET) -> str:
    """Verdict, findings, evidence, at most about `budget` characters; the verdict is never cut."""
    lines = [f"{SENTENCES[report.verdict]} (tree {report.tree[:12]})"]
    if report.findings:
        lines += ["", f"Findings ({len(report.findings)}):"]
        lines += [f"- [{f.rule}] {f.message}" for f in report.findings[:MOST_FINDINGS]]
        if len(report.findings) > MOST_FINDINGS:
            lines.append(f"- and {len(report.findings) - MOST_FINDINGS} more")
    if report.evidence:
        lines += ["", "Checks:"]
        lines += [_summary(evidence) for evidence in report.evidence]
    text = "\n".join(lines)
    bad = [e for e in report.evidence if e.verdict != "pass" and e.log]
    for position, evidence in enumerate(bad):
        room = (budget - len(text)) // (len(bad) - position)
        if room < 400:
            break
        text += f"\n\nLog of {evidence.check}:\n{cut(evidence.log, room - 100)}"
    return cut(text, budget) + "\n"


def _summary(e: Evidence) -> str:
    code = "" if e.exit_code is None else f", exit {e.exit_code}"
    counts = ""
    if e.passed or e.failed or e.skipped:
        counts = f", {e.passed} passed, {e.failed} failed, {e.skipped} skipped"
    line = f"- {e.check}: {e.verdict}{code}{counts}, {e.duration_s:.1f} s: {e.command}"
    if e.verdict == "pass" or not e.failures:
        return line
    told = [f"    {name}" for name in e.failures[:MOST_FAILURES]]
    more = len(e.failures) - MOST_FAILURES
    return "\n".join([line, *told, *([f"    and {more} more"] if more > 0 else [])])


def cut(text: str, budget: int = LOG_BUDGET) -> str:
    """Head and tail of a long text; of pytest's output, the first failures and the summary too."""
    if len(text) <= budget:
        return text
    failures, summary = _FAILURES.search(text), _SUMMARY.search(text)
    if failures is None:
        return _ends(text, budget, budget // 3)
    head = text[: failures.start()]
    middle_end = summary.start() if summary and summary.start() > failures.start() else len(text)
    middle, tail = text[failures.start() : middle_end], text[middle_end:]
    return (
        _ends(head, budget // 8, budget // 16)
        + _ends(middle, budget - budget // 8 - budget // 3, budget // 2)
        + _ends(tail, budget // 3, budget // 6)
    )


def _ends(text: str, budget: int, head: int) -> str:
    if len(text) <= budget:
        return text
    mark = f"\n[... {len(text) - budget} characters left out ...]\n"
    keep = max(0, budget - len(mark))
    head = min(head, keep)
    tail = keep - head
    return text[:head] + mark + (text[-tail:] if tail else "")
