"""Who a request is for: the tenant, the engagement, the user and the running flow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RequestContext:
    """Ids as UUID text. Everything a repository reads or writes is limited by it."""

    client_account_id: str
    engagement_id: str | None = None
    user_id: str | None = None
    flow_id: str | None = None


_current: ContextVar[RequestContext | None] = ContextVar("discovery_context", default=None)


def current_context() -> RequestContext:
    """The context of this request. LookupError when none was entered."""
    context = _current.get()
    if context is None:
        raise LookupError("no request context; enter one with use_context()")
    return context


@contextmanager
def use_context(context: RequestContext) -> Iterator[RequestContext]:
    """Make `context` the current one inside the block."""
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)
