"""What does an answer of a model cost, in USD?

Prices come from the settings, else from the installed genai-prices, which is
never asked to fetch newer ones. A rehearsal costs nothing. The library takes a
quarter of a second to load: only the engine does, and only when it has to.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from wavecrew.errors import PlanError
from wavecrew.plan.settings import ModelSettings, Settings

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer."""

    prompt: int
    answer: int
    cached: int = 0
    """How many of `prompt` the provider had cached."""


@dataclass
class Prices:
    """The prices of one run's models."""

    settings: ModelSettings
    is_rehearsal: bool = False
    _known: dict[str, bool] = field(default_factory=dict)

    def knows(self, model: str) -> bool:
        """True when every answer of `model` has a price."""
        if self.is_rehearsal or self.settings.input_price is not None:
            return True
        if model not in self._known:
            self._known[model] = _listed(model, Usage(1, 1), self.settings.base_url) is not None
        return self._known[model]

    def cost_usd(self, model: str, usage: Usage) -> float:
        """The price of an answer; 0 when it has none, see `knows`."""
        if self.is_rehearsal or not self.knows(model):
            return 0.0
        own = self._own(usage)
        if own is None:
            own = _listed(model, usage, self.settings.base_url) or 0.0
        return round(own, 9)

    def _own(self, usage: Usage) -> float | None:
        settings = self.settings
        if settings.input_price is None or settings.output_price is None:
            return None
        cached = settings.input_price if settings.cached_price is None else settings.cached_price
        fresh = max(0, usage.prompt - usage.cached)
        paid = fresh * settings.input_price + usage.answer * settings.output_price
        return (paid + usage.cached * cached) / MILLION


def check_prices(settings: Settings, prices: Prices, models: tuple[str, ...]) -> None:
    """PlanError when money is limited and one of `models` has no price."""
    if not settings.budget.counts_money:
        return
    for model in models:
        if not prices.knows(model):
            raise PlanError(
                f"[budget] limits money, and nobody knows what the model {model!r} costs",
                where="wavecrew.toml",
                mend="give input_price and output_price (USD per million tokens) under [model], "
                "or limit tokens instead of money",
            )


def _listed(model: str, usage: Usage, base_url: str) -> float | None:
    """The library's price: at the address in use, else wherever the model is known by name."""
    import genai_prices

    counted = genai_prices.Usage(
        input_tokens=usage.prompt,
        output_tokens=usage.answer,
        cache_read_tokens=min(usage.cached, usage.prompt),
    )
    for address in dict.fromkeys((base_url or None, None)):
        try:
            price = genai_prices.calc_price(counted, model, provider_api_url=address)
            return float(price.total_price)
        except LookupError:
            continue
    return None
