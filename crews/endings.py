"""In which ways can an attempt end, and what does the engine learn of it?

Every way but the ending tool is an `Ending` with a name. Endings are not
`Exception`s: CrewAI catches those in a dozen places, retries the task from the
start or turns them into text, and an ending must never become an answer.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from wavecrew.plan.model import Record

OutcomeName = Literal[
    "passed",  # the ending tool was called and accepted
    "out_of_steps",
    "out_of_time",
    "out_of_budget",
    "incomplete_answer",  # cut off, filtered, refused or empty
    "gave_up",  # prose instead of tools, the same call over and over, or a last refusal
    "crashed",
    "lost",  # the process was killed, or lost a command: the journal can be taken up again
    "environment",  # the disk is full, the sandbox or the engine is gone: no fault of the agent
    "model_failed",  # the model cannot be reached or will not serve
    "parked",  # asked to stop; the journal can be taken up again
]


class Outcome(Record):
    """What an agent process leaves behind as `outcome.json`, beside its journal."""

    outcome: OutcomeName
    detail: str = ""
    """One sentence for a person; empty when passed."""
    model_calls: int = 0
    """Calls that were made, not replayed."""
    tokens: int = 0
    last_snapshot: str = ""
    """Tree id of the newest work; empty when nothing was snapped."""

    def write(self, folder: Path) -> None:
        """Replace `outcome.json` in `folder` at once, so that a reader never sees half of it."""
        draft = folder / "outcome.json.new"
        draft.write_text(self.model_dump_json())
        draft.replace(folder / "outcome.json")


class Ending(BaseException):
    """The attempt ends here; `outcome` is its name and the message its detail."""

    outcome: ClassVar[OutcomeName]


class OutOfSteps(Ending):
    outcome = "out_of_steps"


class BudgetReached(Ending):
    outcome = "out_of_budget"


class IncompleteAnswer(Ending):
    outcome = "incomplete_answer"


class GaveUp(Ending):
    outcome = "gave_up"


class OutOfTime(Ending):
    outcome = "out_of_time"


class Parked(Ending):
    outcome = "parked"
