"""The flow kernel."""

from __future__ import annotations

import pytest

from discovery.core.flow import Flow, FlowDefinitionError, listen, start


class Diamond(Flow):
    def __init__(self) -> None:
        self.ran: list[str] = []

    @listen("left", "right")
    def end(self) -> str:
        self.ran.append("end")
        return "done"

    @start()
    def begin(self) -> None:
        self.ran.append("begin")

    @listen("begin")
    def left(self) -> None:
        self.ran.append("left")

    @listen("begin")
    def right(self) -> None:
        self.ran.append("right")


def test_steps_run_after_those_they_wait_for() -> None:
    flow = Diamond()
    assert flow.kickoff() == "done"
    assert flow.ran == ["begin", "left", "right", "end"]


def test_an_unknown_step_is_refused() -> None:
    with pytest.raises(FlowDefinitionError, match="unknown steps: nowhere"):

        class Lost(Flow):
            @listen("nowhere")
            def step(self) -> None: ...


def test_a_circle_is_refused() -> None:
    with pytest.raises(FlowDefinitionError, match="wait for each other"):

        class Circle(Flow):
            @listen("second")
            def first(self) -> None: ...

            @listen("first")
            def second(self) -> None: ...
