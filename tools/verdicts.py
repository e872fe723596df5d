"""How a gate report is told to an agent."""

from __future__ import annotations

from wavecrew.gates.model import Evidence, GateReport

_LOG = 3000
"""Characters of a red check's log that are told at once."""


def told(report: GateReport) -> str:
    """Verdict, findings, then each check; the logs of the red ones, worst news first."""
    parts = [f"Verdict: {report.verdict}"]
    for finding in report.findings:
        place = finding.path + (f":{finding.line}" if finding.line else "")
        parts.append(f"- {finding.rule}: {place + ': ' if place else ''}{finding.message}")
    parts += [_check(evidence) for evidence in report.evidence]
    return "\n".join(parts)


def _check(evidence: Evidence) -> str:
    counts = f"{evidence.passed} passed, {evidence.failed} failed"
    line = f"check {evidence.check!r}: {evidence.verdict} ({counts}, {evidence.duration_s:.1f} s)"
    if evidence.verdict == "pass":
        return line
    shown = [line, *(f"  failed: {name}" for name in evidence.failures[:20])]
    if len(evidence.failures) > 20:
        shown.append(f"  and {len(evidence.failures) - 20} more")
    if evidence.log:
        shown += ["  what it printed (end):", evidence.log[-_LOG:]]
    return "\n".join(shown)
