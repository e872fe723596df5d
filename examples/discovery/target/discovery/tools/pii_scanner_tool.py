"""Which columns seem to hold personal data?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from discovery.tools.registry import Tool

PATTERNS = {
    "e-mail addresses": re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+"),
    "telephone numbers": re.compile(r"\+\d[\d\s()-]{7,}\d"),
}


def scan(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Column -> what it seems to hold."""
    found: dict[str, str] = {}
    for row in rows:
        for column, value in row.items():
            for kind, pattern in PATTERNS.items():
                if isinstance(value, str) and pattern.fullmatch(value.strip()):
                    found.setdefault(column, kind)
    return found


TOOL = Tool("pii_scanner", "Find columns that hold personal data.", "security", scan)
