"""What an answer costs: the settings' prices, else the library's, and never a guess."""

from __future__ import annotations

import subprocess
import sys

import pytest

from wavecrew.errors import PlanError
from wavecrew.plan.settings import Allowance, Budget, ModelSettings, Settings
from wavecrew.run.prices import Prices, Usage, check_prices


def test_own_prices_count_cached_tokens_as_such() -> None:
    own = ModelSettings(name="m", input_price=2, output_price=10, cached_price=0.5)
    assert Prices(own).cost_usd("m", Usage(1_000_000, 100_000, 400_000)) == 2.4  # 1.2 + 1.0 + 0.2
    without = own.model_copy(update={"cached_price": None})
    assert Prices(without).cost_usd("m", Usage(1_000_000, 0, 400_000)) == 2.0


def test_a_known_model_has_the_librarys_price_at_any_address() -> None:
    here = Prices(ModelSettings(name="gpt-4o-mini"))
    gateway = Prices(ModelSettings(name="gpt-4o-mini", base_url="http://127.0.0.1:9/v1"))
    usage = Usage(1000, 100, 400)
    assert here.cost_usd("gpt-4o-mini", usage) == gateway.cost_usd("gpt-4o-mini", usage) > 0
    assert here.cost_usd("gpt-4o-mini", usage) < here.cost_usd("gpt-4o-mini", Usage(1000, 100))


def test_own_prices_go_before_the_librarys() -> None:
    own = ModelSettings(name="gpt-4o-mini", input_price=0, output_price=0)
    assert Prices(own).cost_usd("gpt-4o-mini", Usage(1000, 100)) == 0


def test_a_rehearsal_costs_nothing() -> None:
    prices = Prices(ModelSettings(name="gpt-4o", input_price=5, output_price=5), is_rehearsal=True)
    assert prices.knows("anything")
    assert prices.cost_usd("gpt-4o", Usage(10**6, 10**6)) == 0


@pytest.mark.parametrize(
    "budget",
    [
        Budget(money=1),
        Budget(wave=Allowance(money=1)),
        Budget(tasks={"a": Allowance(money=1)}),
    ],
)
def test_money_without_a_price_is_refused(budget: Budget) -> None:
    settings = Settings(model=ModelSettings(name="nobody-s-model"), budget=budget)
    with pytest.raises(PlanError, match="nobody-s-model") as refused:
        check_prices(settings, Prices(settings.model), ("nobody-s-model",))
    assert "input_price" in refused.value.mend
    priced = settings.model.model_copy(update={"input_price": 1.0, "output_price": 1.0})
    check_prices(settings, Prices(priced), ("nobody-s-model",))


def test_without_a_money_budget_no_price_is_needed() -> None:
    settings = Settings(model=ModelSettings(name="x"), budget=Budget(tokens=5))
    check_prices(settings, Prices(settings.model), ("x",))
    assert Prices(settings.model).cost_usd("x", Usage(5, 5)) == 0


def test_half_a_price_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="given together"):
        ModelSettings(name="m", input_price=1)


def test_the_library_is_loaded_only_for_a_price() -> None:
    """It takes a quarter of a second, which no agent and no rehearsal has to pay."""
    code = (
        "import sys; import wavecrew.run.budget, wavecrew.cli.run; "
        "from wavecrew.run.prices import Prices, Usage; "
        "from wavecrew.plan.settings import ModelSettings; "
        "Prices(ModelSettings(), is_rehearsal=True).cost_usd('m', Usage(1, 1)); "
        "print('genai_prices' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
