"""Does every name that the plan uses exist?"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from wavecrew.plan.book import Book
from wavecrew.plan.model import Plan
from wavecrew.plan.settings import Settings


def cross_check(
    book: Book, plan: Plan, roles: Collection[str] | None, settings: Settings | None
) -> None:
    """Note every unknown role, task, wave and check; None leaves that kind unchecked."""
    checks = None if settings is None else [check.name for check in settings.checks]
    tasks, waves = dict.fromkeys(book.names["task"]), dict.fromkeys(book.names["wave"])
    for task in plan.tasks:
        one = ("task", str(task.id))
        _known(book, "agent", [task.agent], roles, *one, "agent")
        _known(book, "wave", [task.wave] if task.wave else [], waves, *one, "wave")
        _known(book, "task", task.depends_on, tasks, *one, "depends_on")
        _known(book, "task", task.conflicts_with, tasks, *one, "conflicts_with")
    for sync in plan.sync_points:
        one = ("sync", str(sync.id))
        _known(book, "wave", sync.after_waves, waves, *one, "after_waves")
        _known(book, "wave", sync.holds_waves, waves, *one, "holds_waves")
        _known(book, "task", sync.after_tasks, tasks, *one, "after_tasks")
        _known(book, "task", sync.holds_tasks, tasks, *one, "holds_tasks")
        _known(book, "check", sync.checks, checks, *one, "checks")
    if settings is not None:
        _known(book, "wave", tuple(settings.budget.waves), waves, "settings", "budget")
        _known(book, "task", tuple(settings.budget.tasks), tasks, "settings", "budget")


def _known(
    book: Book, kind: str, names: Sequence[str], known: Collection[str] | None, *where: str
) -> None:
    if known is None:
        return
    for number, name in enumerate(names):
        if name not in known:
            book.unknown(kind, name, known, *where, str(number))
