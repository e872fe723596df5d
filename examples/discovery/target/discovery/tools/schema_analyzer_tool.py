"""What columns does a file have, and of what type are their values?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from discovery.tools.registry import Tool


def analyse(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Column -> `number`, `text`, `mixed` or `empty`, in the order the columns first occur."""
    columns = dict.fromkeys(column for row in rows for column in row)
    return {column: _type([row.get(column) for row in rows]) for column in columns}


def _type(values: Sequence[Any]) -> str:
    texts = [str(value).strip() for value in values if value not in (None, "")]
    numbers = sum(text.replace(".", "", 1).isdecimal() for text in texts)
    if not texts:
        return "empty"
    if numbers == len(texts):
        return "number"
    return "mixed" if numbers else "text"


TOOL = Tool("schema_analyzer", "Tell the columns of a file and their types.", "quality", analyse)
