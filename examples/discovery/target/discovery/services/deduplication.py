"""Which of several records of one asset is kept?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

Asset = Mapping[str, Any]
Rank = Callable[[Asset], Any]


def completeness(asset: Asset) -> float:
    """0 to 1: the share of its attributes that say something. False and 0 do."""
    values = list(asset.get("attributes", {}).values())
    return sum(value is not None and value != "" for value in values) / len(values) if values else 0


STRATEGIES: dict[str, Rank] = {
    "hostname_priority": lambda asset: bool(asset.get("attributes", {}).get("hostname")),
    "latest_session": lambda asset: str(asset.get("imported_at", "")),
    "data_quality": completeness,
}


def deduplicate(assets: Iterable[Asset], strategy: str = "hostname_priority") -> list[Asset]:
    """One record per asset, in the order in which the assets first occur.

    Records of one asset share a hostname or, without one, name and type. Of
    those, the one that ranks highest is kept; the first one of equals.
    ValueError for an unknown strategy.
    """
    if strategy not in STRATEGIES:
        raise ValueError(f"no strategy {strategy!r}; there are {', '.join(sorted(STRATEGIES))}")
    rank = STRATEGIES[strategy]
    kept: dict[tuple[str, ...], Asset] = {}
    for asset in assets:
        key = identity(asset)
        if key not in kept or rank(asset) > rank(kept[key]):
            kept[key] = asset
    return list(kept.values())


def identity(asset: Asset) -> tuple[str, ...]:
    hostname = asset.get("attributes", {}).get("hostname")
    if hostname:
        return (str(hostname).casefold(),)
    return (str(asset.get("name", "")).casefold(), str(asset.get("asset_type", "")))
