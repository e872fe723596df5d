"""How an uploaded file becomes rows."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any


def read_rows(file: Path) -> list[dict[str, Any]]:
    """The rows of a `.csv` file or of a `.json` list. ValueError for anything else."""
    if file.suffix == ".csv":
        with file.open(newline="", encoding="utf-8") as lines:
            return [dict(row) for row in csv.DictReader(lines)]
    if file.suffix == ".json":
        rows = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(rows, list) and all(isinstance(row, dict) for row in rows):
            return rows
        raise ValueError(f"{file.name} is not a list of objects")
    raise ValueError(f"{file.name} is neither .csv nor .json")
