"""Where the reports of gates stand on a run's shelf, by the stem of their names."""

from __future__ import annotations

from pydantic import ValidationError

from wavecrew.gates.model import GateReport
from wavecrew.run.parts import Parts


def save_report(parts: Parts, stem: str, report: GateReport) -> str:
    """Save the report; its name, which is its path in the folder of a run on one machine."""
    parts.shelf.save(report_name(stem), report.model_dump_json(indent=1).encode())
    return report_name(stem)


def saved_report(parts: Parts, stem: str) -> GateReport | None:
    """A report that some engine of this run saved; None when there is none that can be read."""
    content = parts.shelf.load(report_name(stem))
    try:
        return None if content is None else GateReport.model_validate_json(content)
    except ValidationError:
        return None


def report_name(stem: str) -> str:
    """On the shelf, and what facts call it."""
    return f"reports/{stem}.json"
