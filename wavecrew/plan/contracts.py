"""Does every task get the symbols it counts on from what it depends on?"""

from __future__ import annotations

from collections.abc import Iterator

from wavecrew.plan.graph import Graph, Node
from wavecrew.plan.load import Loaded
from wavecrew.plan.model import Contract, Task
from wavecrew.plan.problem import Place, Problem


def contracts(loaded: Loaded, graph: Graph) -> Iterator[Problem]:
    """A consumed symbol must be provided by a task this one waits for, with the same signature."""
    providers: dict[str, list[tuple[Task, Contract]]] = {}
    for task in loaded.plan.tasks:
        for contract in task.provides:
            providers.setdefault(contract.symbol, []).append((task, contract))
    for task in loaded.plan.tasks:
        before = graph.ancestors(Node("task", task.id)) if task.consumes else frozenset()
        for number, wanted in enumerate(task.consumes):
            found = _providers(providers, wanted.symbol)
            waited = [pair for pair in found if Node("task", pair[0].id) in before]
            place = loaded.near("task", task.id, "consumes", str(number))
            if not waited:
                yield _unprovided(task, wanted, [one.id for one, _ in found], place)
            for other, given in waited:
                if given.symbol == wanted.symbol and _differ(given, wanted):
                    yield Problem(
                        "contract_differs",
                        f"task {task.id} counts on {wanted.symbol}{wanted.signature}, "
                        f"{other.id} promises {given.signature}",
                        place,
                        "write the same signature in both",
                        (task.id, other.id),
                    )


def _providers(
    providers: dict[str, list[tuple[Task, Contract]]], symbol: str
) -> list[tuple[Task, Contract]]:
    """Who provides the symbol, or the nearest thing that contains it."""
    while symbol:
        if symbol in providers:
            return providers[symbol]
        symbol = symbol.rpartition(".")[0]
    return []


def _unprovided(task: Task, wanted: Contract, owners: list[str], place: Place) -> Problem:
    if owners:
        message = (
            f"task {task.id} counts on {wanted.symbol}, which {' and '.join(owners)} provides, "
            "but does not wait for it"
        )
        mend = f"add {owners[0]} to depends_on"
        return Problem("contract_not_awaited", message, place, mend, (task.id, *owners))
    message = f"task {task.id} counts on {wanted.symbol}, which no task provides"
    mend = "nothing to do when the repository has it already"
    return Problem("contract_not_provided", message, place, mend, (task.id,), "warning")


def _differ(given: Contract, wanted: Contract) -> bool:
    one, other = ("".join(text.split()) for text in (given.signature, wanted.signature))
    return bool(one and other and one != other)
