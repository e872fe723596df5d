"""What has been noticed so far while a document is read?"""

from __future__ import annotations

from wavecrew.plan.readers.model import Diagnostic

MANY = 200
"""After so many diagnostics of one kind the rest of them is only counted."""


class Notes:
    """Collects diagnostics; a kind that repeats without end is cut off with a count."""

    def __init__(self) -> None:
        self._found: list[Diagnostic] = []
        self._counts: dict[str, int] = {}

    def add(self, kind: str, line: int, message: str, *ids: str, file: str | None = None) -> None:
        count = self._counts[kind] = self._counts.get(kind, 0) + 1
        if count <= MANY:
            self._found.append(Diagnostic(kind, line, ids, message, file))

    def done(self) -> tuple[Diagnostic, ...]:
        """Everything in order of file and line, and one line for what was cut off."""
        more = [
            Diagnostic(kind, 0, (), f"{count - MANY} more of the kind {kind!r} are not shown")
            for kind, count in self._counts.items()
            if count > MANY
        ]
        return (*sorted(self._found, key=lambda one: (one.file or "", one.line)), *more)
