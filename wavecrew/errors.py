"""Every error a user can meet, and the exit code that goes with it.

    WavecrewError                      1
    ├── EngineFault                    1   a fault of Wavecrew itself; the run is paused, not lost
    ├── UsageError                     2   the command line asks for something that cannot be
    ├── PlanError                      2   agents.yaml, tasks.yaml or wavecrew.toml is wrong
    ├── RepositoryError                2   the repository cannot be used as it stands
    ├── TaskFailed                     3   a task ended without passing its gate
    ├── IntegrationRed                 4   a sync point stayed closed
    ├── MergeConflict                  5   branches that no one could reconcile
    ├── LimitReached                   6   money, tokens, steps or time are used up
    └── EnvironmentBroken              7   git, the sandbox, the model or the disk is missing
        ├── SandboxUnavailable
        ├── CommandLost
        ├── GitFailed
        ├── HubUnreachable             the bare repository that workers share does not answer
        ├── HubRefused                 it answers, and will not take what is pushed
        ├── ModelUnreachable
        ├── DiskFull
        ├── DatabaseLost             PostgreSQL is out of reach, or went away in the middle
        └── DatabaseRefused          it answers, and will not do what we need

A stop asked for with Ctrl-C ends with 130, as the shell expects.
`ToolError` stands apart: it is what an agent reads and can recover from.
"""

from __future__ import annotations

EXIT_OK = 0
EXIT_INTERRUPTED = 130


class WavecrewError(Exception):
    """Something a person can act on: what happened, where, and the mend.

    `what` is one sentence with identifiers quoted; `where` is `file:line`, a
    task id or a path; `mend` says what to do next. All three are attributes,
    so nobody has to parse the message.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", mend: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.mend = mend

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head}\n  {self.mend}" if self.mend else head

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.what, self.where, self.mend)


class EngineFault(WavecrewError):
    """A fault of ours. The run stands where it stood and can be resumed."""


def _rebuild(kind: type[WavecrewError], what: str, where: str, mend: str) -> WavecrewError:
    return kind(what, where=where, mend=mend)


class UsageError(WavecrewError):
    exit_code = 2


class PlanError(WavecrewError):
    exit_code = 2


class RepositoryError(WavecrewError):
    exit_code = 2


class TaskFailed(WavecrewError):
    exit_code = 3


class IntegrationRed(WavecrewError):
    exit_code = 4


class MergeConflict(WavecrewError):
    exit_code = 5


class LimitReached(WavecrewError):
    exit_code = 6


class EnvironmentBroken(WavecrewError):
    exit_code = 7


class SandboxUnavailable(EnvironmentBroken):
    pass


class CommandLost(EnvironmentBroken):
    """A sandbox was killed from outside: of its command nothing is known, it has to run again."""


class GitFailed(EnvironmentBroken):
    pass


class HubUnreachable(EnvironmentBroken):
    """The hub did not answer, however often it was asked. Trying later may well work."""


class HubRefused(EnvironmentBroken):
    """The hub answered and refused: access, a hook, its disk, its kind. A person must mend it."""


class ModelUnreachable(EnvironmentBroken):
    pass


class DiskFull(EnvironmentBroken):
    pass


class DatabaseLost(EnvironmentBroken):
    """Whether the last write took place is not known. Every write of ours may be repeated."""


class DatabaseRefused(EnvironmentBroken):
    """Credentials, permissions or the tables' version; trying again does not mend it."""


class ToolError(Exception):
    """A tool call that did not work, told so that a model can mend it and go on."""
