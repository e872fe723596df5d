"""Which model does a run talk to? The user's, or a rehearsal that this command plays for it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from wavecrew.budget.prices import Prices, check_prices
from wavecrew.plan.settings import ModelSettings
from wavecrew.rehearsal.server import serve
from wavecrew.run.endpoint import check, resolve
from wavecrew.run.spec import RunSpec


@contextlib.contextmanager
def served(spec: RunSpec, *, by_workers: bool = False, port: int = 0) -> Iterator[RunSpec]:
    """The spec with its endpoint, as long as the block lasts; refused when it cannot serve.

    `by_workers`: they ask it themselves, each with a key of its own. `port`: where a rehearsal
    is served, always on loopback; 0 lets the system choose.
    """
    if spec.rehearsal:
        with serve(Path(spec.rehearsal), port) as rehearsal:
            named = {"name": rehearsal.model, "base_url": rehearsal.base_url}
            yield _with_model(spec, spec.settings.model.model_copy(update=named))
    else:
        yield _resolved(spec, by_workers=by_workers)


def _resolved(spec: RunSpec, *, by_workers: bool) -> RunSpec:
    given = spec.settings.model
    key = {given.api_key_env: "theirs"} if by_workers else {}
    model = resolve(given, key | dict(os.environ))
    spec = _with_model(spec, model)
    check_prices(spec.settings, Prices(model), spec.models)
    if not by_workers:
        check(model, os.environ)
    return spec


def _with_model(spec: RunSpec, model: ModelSettings) -> RunSpec:
    settings = spec.settings.model_copy(update={"model": model})
    return spec.model_copy(update={"settings": settings})
