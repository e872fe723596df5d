"""Where the reports of gates stand in a run's folder: written whole, or not at all."""

from __future__ import annotations

from pathlib import Path

from wavecrew.gates.model import GateReport
from wavecrew.run.parts import Parts


def report_path(parts: Parts, stem: str) -> Path:
    return parts.folder.root / "reports" / f"{stem}.json"


def save_report(parts: Parts, stem: str, report: GateReport) -> str:
    """Write the report whole; its path relative to the run's folder."""
    path = report_path(parts, stem)
    path.parent.mkdir(exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(report.model_dump_json(indent=1), encoding="utf-8")
    partial.replace(path)
    return str(path.relative_to(parts.folder.root))


def saved_report(parts: Parts, stem: str) -> GateReport | None:
    """A report that was written whole; None when there is none yet."""
    path = report_path(parts, stem)
    return GateReport.model_validate_json(path.read_bytes()) if path.exists() else None
