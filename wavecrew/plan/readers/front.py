"""What does the front matter of a Markdown file say?

YAML by the plan's own reader. When one entry is broken, as happens in files
typed by hand, the others are read all the same and the broken one is reported.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from wavecrew.plan.problem import PlanRejected
from wavecrew.plan.readers.markdown import Line
from wavecrew.plan.readers.model import Diagnostic
from wavecrew.plan.yaml_positions import parse_yaml

_TOP = re.compile(r"^[A-Za-z_][\w -]*:")


class Front(NamedTuple):
    data: dict[str, Any]
    """dict, list, str and None, as written (`010` stays `010`)."""
    lines: dict[str, int]
    """Top-level key -> 1-based line."""
    diagnostics: tuple[Diagnostic, ...]


def read_front(lines: Iterable[Line], file: str | None = None) -> Front:
    """Read what stands between the dashes; never raises."""
    chunks: list[list[Line]] = []
    for line in lines:
        if _TOP.match(line.text) or not chunks:
            chunks.append([line])
        else:
            chunks[-1].append(line)
    data: dict[str, Any] = {}
    places: dict[str, int] = {}
    found: list[Diagnostic] = []
    for chunk in chunks:
        text = "\n".join(line.text for line in chunk)
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        first = chunk[0].number
        try:
            read = parse_yaml(text, file or "front matter").data
        except PlanRejected as rejected:
            what = rejected.problems[0].message
            found.append(Diagnostic("front_matter", first, (), f"left out: {what}", file))
            continue
        for key, value in read.items():
            if key in data:
                found.append(Diagnostic("duplicate_key", first, (key,), f"{key!r} twice", file))
            data.setdefault(key, value)
            places.setdefault(key, first)
    return Front(data, places, tuple(found))


def as_list(value: Any) -> tuple[str, ...]:
    """A list, one value or nothing, as texts."""
    if isinstance(value, list):
        return tuple(str(one) for one in value if one is not None and not isinstance(one, dict))
    return () if value is None or isinstance(value, dict) else (str(value),)
