"""Reserve first, settle after: agents together never overshoot, on any level of the tree."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from wavecrew.budget.limits import allowance_of
from wavecrew.budget.prices import Prices, Usage
from wavecrew.budget.purse import Purse, Verdict, spending
from wavecrew.budget.traffic import Pace
from wavecrew.journal import events as e
from wavecrew.journal.account import RUN, nodes_of
from wavecrew.journal.ledger import MemoryLedger
from wavecrew.journal.state import RunState, apply
from wavecrew.plan.settings import Allowance, Budget, ModelSettings

WAVES = {"a": "1", "b": "1", "c": "2", "d": ""}
"""Task -> wave; `d` stands in none."""
PRICES = Prices(ModelSettings(name="m", input_price=1, output_price=10, cached_price=0.1))


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Told:
    """The facts of a run without a file: they are folded as the log's are."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.state = RunState()
        self.seq = 0
        tasks = [{"id": task, "title": task, "role": "r", "wave": w} for task, w in WAVES.items()]
        self.tell(e.RunStarted("p", "b", "i", "m", False, "none", tasks, [], ["r"]))

    def tell(self, fact: e.Fact) -> None:
        self.seq += 1
        at = e_time(self.clock.now)
        apply(self.state, e.Event(self.seq, e.id_of(fact), "r1", at, "k", fact))


def e_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


class Run:
    """A purse over a log, and agents as the engine's desk serves them."""

    def __init__(self, budget: Budget, **more: object) -> None:
        self.clock = Clock()
        self.told = Told(self.clock)
        self.ledger = MemoryLedger()
        self.budget = budget
        self.more = more
        self.steps = 0
        self.start()

    def start(self) -> None:
        """A fresh engine: reservations are gone, the log is not."""
        self.purse = Purse(
            self.budget,
            spent=spending(self.told.state.account, threading.RLock()),
            prices=PRICES,
            clock=self.clock,
            dice=lambda: 0.5,
            **self.more,
        )

    def reserve(self, task: str, prompt: int, answer: int) -> Verdict:
        return self.purse.reserve(task, nodes_of(task, WAVES[task]), Usage(prompt, answer), "m")

    def pay(self, task: str, usage: Usage) -> None:
        self.purse.answered(task, usage, "m")
        self.count(task, usage)

    def count(self, task: str, usage: Usage) -> None:
        self.steps += 1
        cost_usd = PRICES.cost_usd("m", usage)
        tokens = usage.prompt + usage.answer
        self.told.tell(e.AgentStep(task, 1, self.steps, "model", "", tokens, cost_usd, 1))
        self.purse.counted(task)


def test_the_reason_names_the_limit_and_what_was_spent() -> None:
    run = Run(Budget(tokens=100))
    assert run.reserve("a", 80, 10).granted
    run.pay("a", Usage(80, 10))
    refused = run.reserve("a", 10, 10)
    assert (refused.granted, refused.level) == (False, "run")
    assert refused.reason == "the run's budget of 100 tokens is used up (90 spent)"


@pytest.mark.parametrize(
    ("budget", "level", "words"),
    [
        (Budget(task=Allowance(tokens=100)), "task", "the budget of 100 tokens of task 'a' is"),
        (Budget(wave=Allowance(model_calls=1)), "wave", "the budget of 1 model calls of wave '1'"),
        (Budget(money=0.0002), "run", "the run's budget of 0.0002 USD is used up (0.0001 spent)"),
        (Budget(tasks={"a": Allowance(tokens=100)}), "task", "100 tokens"),
        (Budget(waves={"1": Allowance(tokens=100)}), "wave", "100 tokens"),
    ],
)
def test_every_level_refuses_by_name(budget: Budget, level: str, words: str) -> None:
    run = Run(budget)
    assert run.reserve("a", 50, 5).granted
    run.pay("a", Usage(50, 5))
    refused = run.reserve("a", 50, 10)
    assert refused.level == level
    assert words in refused.reason
    other = run.reserve("c", 50, 10)  # another task of another wave
    assert other.granted == (level != "run")


def test_what_others_have_reserved_is_waited_for_and_refuses_nobody() -> None:
    run = Run(Budget(tokens=100))
    assert run.reserve("a", 50, 40).granted
    waits = run.reserve("b", 50, 0)
    assert (waits.granted, waits.reason) == (False, "")
    assert waits.wait_s > 0
    run.pay("a", Usage(10, 10))
    assert run.reserve("b", 50, 0).granted


def test_an_agent_that_died_frees_its_reservation_when_it_starts_again() -> None:
    run = Run(Budget(tokens=100))
    assert run.reserve("a", 90, 0).granted
    assert not run.reserve("b", 50, 0).granted
    run.purse.begin("a")
    assert run.reserve("b", 50, 0).granted


def test_an_agent_that_is_gone_for_good_frees_everything() -> None:
    run = Run(Budget(tokens=100), pace=Pace(agents=2))
    assert run.reserve("a", 90, 0).granted
    run.purse.end("a")
    assert run.reserve("b", 90, 0).granted


def test_an_answer_that_is_not_in_the_log_yet_stays_set_aside_when_its_agent_dies() -> None:
    run = Run(Budget(tokens=100))
    assert run.reserve("a", 90, 0).granted
    run.purse.answered("a", Usage(80, 0), "m")
    run.purse.begin("a")
    assert not run.reserve("b", 50, 0).granted
    run.count("a", Usage(80, 0))  # the replay tells it
    refused = run.reserve("b", 50, 0)
    assert "80 spent" in refused.reason


def test_a_restarted_engine_knows_what_was_spent() -> None:
    run = Run(Budget(model_calls=2))
    for _ in range(2):
        assert run.reserve("a", 1, 1).granted
        run.pay("a", Usage(1, 1))
    run.start()
    assert "2 model calls" in run.reserve("a", 1, 1).reason


def test_the_manager_crews_spending_is_the_runs_and_no_waves() -> None:
    run = Run(Budget(tokens=100, wave=Allowance(tokens=20)))
    assert run.purse.reserve("triage/a/1", (RUN,), Usage(70, 10), "m").granted
    run.purse.answered("triage/a/1", Usage(70, 10), "m")
    run.told.tell(e.CrewStep("triage", "a", 1, 1, "model", "", 80, 0.5, 1))
    run.purse.counted("triage/a/1")
    spent = run.told.state.account.spent
    assert (spent["run"].tokens, spent["crew"].tokens) == (80, 80)
    assert "wave/1" not in spent
    assert "80 spent" in run.reserve("a", 15, 6).reason


def test_minutes_count_on_each_level_and_stand_still_in_a_pause() -> None:
    run = Run(
        Budget(wall_minutes=10, wave=Allowance(wall_minutes=6), task=Allowance(wall_minutes=3))
    )
    run.told.tell(e.TaskStarted("a", 1, "r", "b", [], None))
    run.clock.now += 100
    assert run.reserve("a", 1, 1).granted
    run.told.tell(e.RunPaused(1, "interrupted"))
    run.clock.now += 100_000
    run.told.tell(e.RunResumed(1))
    run.start()
    run.clock.now += 70
    assert run.reserve("a", 1, 1).granted
    run.clock.now += 20
    assert run.reserve("a", 1, 1).reason == "the 3 minutes of task 'a' are over"
    run.told.tell(e.AttemptEnded("a", 1, "out_of_budget", ""))
    run.told.tell(e.TaskStarted("b", 1, "r", "b", [], None))
    run.clock.now += 175
    assert run.reserve("b", 1, 1).reason == "the 6 minutes of wave '1' are over"
    run.told.tell(e.AttemptEnded("b", 1, "out_of_budget", ""))
    run.told.tell(e.TaskStarted("c", 1, "r", "b", [], None))
    run.clock.now += 170
    assert run.reserve("c", 1, 1).granted
    run.clock.now += 80
    assert run.reserve("c", 1, 1).reason == "the run's 10 minutes are over"


def test_an_engine_that_was_gone_over_the_weekend_has_not_worked_for_so_long() -> None:
    run = Run(Budget(wall_minutes=60))
    run.told.tell(e.TaskStarted("a", 1, "r", "b", [], None))
    run.clock.now += 60 * 60 * 60
    run.told.tell(e.AgentStep("a", 1, 1, "read_file", ""))
    assert run.reserve("a", 1, 1).granted
    assert run.told.state.account.clock_s == 15 * 60


def test_the_rate_limits_space_the_calls_of_all_agents() -> None:
    run = Run(Budget(), pace=Pace(agents=9, requests_per_minute=60))
    assert [run.reserve(task, 1, 1).wait_s for task in "abc"] == [0, 1, 2]
    run.clock.now += 10
    assert run.reserve("d", 1, 1).wait_s == 0
    run = Run(Budget(), pace=Pace(agents=9, tokens_per_minute=600))
    assert [run.reserve(task, 90, 10).wait_s for task in "abc"] == [0, 10, 20]


def test_no_budget_means_no_limit() -> None:
    run = Run(Budget())
    assert all(run.reserve("a", 10**9, 1).granted for _ in range(100))


def test_an_override_replaces_only_what_it_says() -> None:
    budget = Budget(
        task=Allowance(tokens=100, model_calls=7),
        tasks={"a": Allowance(tokens=900), "b": Allowance(tokens=0)},
    )
    assert budget.of_task("a") == Allowance(tokens=900, model_calls=7)
    assert budget.of_task("b") == Allowance(model_calls=7)
    assert budget.of_task("c") == Allowance(tokens=100, model_calls=7)


LIMITS = st.builds(
    Allowance,
    tokens=st.integers(0, 300),
    model_calls=st.integers(0, 6),
    money=st.sampled_from([0, 0.0002, 0.001]),
)


@settings(max_examples=60, stateful_step_count=40)
class AnyInterleaving(RuleBasedStateMachine):
    """Reserve, answer, count, fail, die, start again, restart the engine: in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.run: Run | None = None
        self.asked: dict[str, Usage] = {}
        self.unread: dict[str, Usage] = {}

    @precondition(lambda self: self.run is None)
    @rule(run=LIMITS, wave=LIMITS, task=LIMITS)
    def limits(self, run: Allowance, wave: Allowance, task: Allowance) -> None:
        budget = Budget(**run.model_dump(), wave=wave, task=task)
        self.run = Run(budget, pace=Pace(agents=3))

    @precondition(lambda self: self.run)
    @rule(task=st.sampled_from(sorted(WAVES)), prompt=st.integers(1, 90), answer=st.integers(0, 9))
    def reserve(self, task: str, prompt: int, answer: int) -> None:
        assert self.run
        is_free = task not in self.asked and task not in self.unread
        if is_free and self.run.reserve(task, prompt, answer).granted:
            self.asked[task] = Usage(prompt, answer)

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), share=st.floats(0, 1))
    def answered(self, data: st.DataObject, share: float) -> None:
        assert self.run
        task = data.draw(st.sampled_from(sorted(self.asked)))
        most = self.asked.pop(task)
        took = Usage(int(most.prompt * share), int(most.answer * share))
        self.run.purse.answered(task, took, "m")
        self.unread[task] = took

    @precondition(lambda self: self.unread)
    @rule(data=st.data())
    def counted(self, data: st.DataObject) -> None:
        assert self.run
        task = data.draw(st.sampled_from(sorted(self.unread)))
        self.run.count(task, self.unread.pop(task))

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), kind=st.sampled_from(["busy", "failed", "stopped"]))
    def came_to_nothing(self, data: st.DataObject, kind: str) -> None:
        assert self.run
        task = data.draw(st.sampled_from(sorted(self.asked)))
        del self.asked[task]
        if kind == "stopped":
            self.run.purse.given_back(task)
        else:
            self.run.purse.troubled(task, kind, "HTTP")  # type: ignore[arg-type]
        self.run.clock.now += 100

    @precondition(lambda self: self.run)
    @rule(task=st.sampled_from(sorted(WAVES)))
    def dies_and_starts_again(self, task: str) -> None:
        assert self.run
        self.run.purse.begin(task)
        self.asked.pop(task, None)

    @precondition(lambda self: self.run and not self.unread)
    @rule()
    def engine_restarts(self) -> None:
        assert self.run
        self.run.start()
        self.asked.clear()

    @invariant()
    def nothing_is_overspent_on_any_level(self) -> None:
        if self.run is None:
            return
        account = self.run.told.state.account
        open_calls = self.asked | self.unread
        for node in self._nodes():
            limit = allowance_of(self.run.purse._budget, node)
            here = [u for t, u in open_calls.items() if node in nodes_of(t, WAVES[t])]
            spent = account.of(node)
            tokens = spent.tokens + sum(u.prompt + u.answer for u in here)
            cost = spent.cost_usd + sum(PRICES.cost_usd("m", u) for u in here)
            assert not limit.tokens or tokens <= limit.tokens
            assert not limit.model_calls or spent.model_calls + len(here) <= limit.model_calls
            assert not limit.money or cost <= limit.money + 1e-9

    @invariant()
    def what_is_set_aside_is_what_is_open(self) -> None:
        if self.run is None:
            return
        open_calls = self.asked | self.unread
        nodes = self._nodes()
        rows = self.run.purse._ledger.change(nodes, lambda rows: dict(rows))
        for node in nodes:
            here = [u for t, u in open_calls.items() if node in nodes_of(t, WAVES[t])]
            assert rows[node].get("calls", 0) == len(here)
            assert rows[node].get("tokens", 0) == sum(u.prompt + u.answer for u in here)

    @invariant()
    def the_run_is_the_sum_of_what_is_in_it(self) -> None:
        if self.run is None:
            return
        account = self.run.told.state.account
        tasks = [account.of(f"task/{task}") for task in WAVES]
        assert account.of(RUN).tokens == sum(spent.tokens for spent in tasks)
        assert account.of(RUN).model_calls == sum(spent.model_calls for spent in tasks)
        assert account.of(RUN).cost_usd == pytest.approx(sum(spent.cost_usd for spent in tasks))
        assert account.of("wave/1").tokens == sum(account.of(f"task/{t}").tokens for t in "ab")

    def _nodes(self) -> Sequence[str]:
        return sorted({node for task, wave in WAVES.items() for node in nodes_of(task, wave)})


TestAnyInterleaving = AnyInterleaving.TestCase


@given(st.lists(st.integers(1, 50), min_size=1, max_size=8), st.integers(10, 200))
def test_agents_at_once_in_threads_stay_below_the_limit(wants: list[int], limit: int) -> None:
    run = Run(Budget(tokens=limit))
    granted: list[int] = []

    def ask(number: int, want: int) -> None:
        verdict = run.purse.reserve(f"s{number}", nodes_of("a", "1"), Usage(want, 0), "m")
        if verdict.granted:
            granted.append(want)

    threads = [threading.Thread(target=ask, args=one) for one in enumerate(wants)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(granted) <= limit
