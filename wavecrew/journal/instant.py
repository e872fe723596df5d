"""How is an instant written down? ISO 8601 in UTC, to the millisecond, with a Z."""

from __future__ import annotations

from datetime import UTC, datetime


def utc(at: datetime) -> str:
    """`2026-03-01T12:00:00.000Z`; `at` knows its time zone."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc_now() -> str:
    return utc(datetime.now(UTC))
