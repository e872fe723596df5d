"""What do agents.yaml, tasks.yaml and wavecrew.toml say, checked against each other?

Strict: an unknown key, agent, task, wave, check or tool is an error with
file, line and the nearest known name. Everything wrong is told at once.
Whether the plan can be carried out is the linter's question.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from wavecrew.plan.book import Book, Where
from wavecrew.plan.cross_check import cross_check
from wavecrew.plan.entries import identifier
from wavecrew.plan.model import Plan, Role
from wavecrew.plan.problem import Place, PlanRejected, Problem
from wavecrew.plan.settings import Settings
from wavecrew.plan.tasks_file import read_plan
from wavecrew.plan.toml_positions import read_toml
from wavecrew.plan.yaml_positions import Document, read_yaml

MCP = "mcp:"
"""Tools of an MCP server, `mcp:NAME`; what the server offers is known once it runs."""


@dataclass(frozen=True)
class Loaded:
    """The three files as data, and where each value came from."""

    plan: Plan
    roles: Mapping[str, Role]
    """Role name -> role, in the order of agents.yaml."""
    settings: Settings
    places: Mapping[Where, Place] = field(default_factory=dict)
    """Only what is written in a file has a place; everything else is a default."""

    def where(self, *what: str) -> Place | None:
        """Where `what` is written; None when it is a default."""
        return self.places.get(what)

    def near(self, *what: str) -> Place:
        """Where `what` or the nearest thing around it is written."""
        while what and what not in self.places:
            what = what[:-1]
        return self.places.get(what, Place("tasks.yaml"))


def load(
    agents: Path,
    tasks: Path,
    settings: Path | None = None,
    *,
    known_tools: Collection[str] | None = None,
) -> Loaded:
    """Read and cross-check the files. PlanRejected carries every problem of all of them.

    `known_tools` are the names of the tool registry; None leaves tool names unchecked.
    """
    book = Book()
    roles = book.attempt(lambda: _roles(book, read_yaml(agents), known_tools))
    chosen = book.attempt(lambda: _settings(book, settings)) if settings else Settings()
    plan = book.attempt(lambda: read_plan(book, read_yaml(tasks)))
    if plan is not None:
        names = None if roles is None else dict.fromkeys(book.names["role"])
        cross_check(book, plan, names, chosen)
    if roles is not None and chosen is not None:
        _check_servers(book, roles, chosen)
    if book.problems or plan is None or roles is None or chosen is None:
        raise PlanRejected(book.problems)
    return Loaded(plan, roles, chosen, book.places)


def load_roles(path: Path, known_tools: Collection[str] | None = None) -> dict[str, Role]:
    """agents.yaml alone. PlanRejected carries every problem."""
    book = Book()
    return book.finish(_roles(book, read_yaml(path), known_tools))


def load_plan(path: Path) -> Plan:
    """tasks.yaml alone, its own names cross-checked. PlanRejected carries every problem."""
    book = Book()
    plan = read_plan(book, read_yaml(path))
    cross_check(book, plan, None, None)
    return book.finish(plan)


def load_settings(path: Path) -> Settings:
    """wavecrew.toml. PlanRejected carries every problem."""
    book = Book()
    return book.finish(_settings(book, path))


def _roles(book: Book, document: Document, known_tools: Collection[str] | None) -> dict[str, Role]:
    book.problems.extend(document.problems)
    book.names["role"] = list(document.data)
    roles: dict[str, Role] = {}
    for name in document.data:
        book.problems.extend(identifier(document.key_place((name,)), name, "name of a role"))
        entry = document.data[name]
        if isinstance(entry, Mapping) and "name" in entry:
            message = f"'name' is not a key of role {name!r}: the key above it is its name"
            place = document.key_place((name, "name"))
            book.problems.append(Problem("unknown_key", message, place, ids=(name,)))
            continue
        role = book.add(document, (name,), Role, "role", name=name)
        if role is not None:
            roles[name] = role
            _check_tools(book, role, known_tools)
    return roles


def _check_tools(book: Book, role: Role, known: Collection[str] | None) -> None:
    for number, tool in enumerate(role.tools):
        if known is None or tool.startswith(MCP):
            continue
        if not any(fnmatchcase(name, tool) for name in known):
            book.unknown("tool", tool, known, "role", role.name, "tools", str(number))


def _check_servers(book: Book, roles: Mapping[str, Role], settings: Settings) -> None:
    servers = [MCP + name for name in settings.mcp]
    for role in roles.values():
        for number, tool in enumerate(role.tools):
            if tool.startswith(MCP) and not any(fnmatchcase(one, tool) for one in servers):
                book.unknown("server", tool, servers, "role", role.name, "tools", str(number))


def _settings(book: Book, path: Path) -> Settings | None:
    document = read_toml(path)
    settings = book.add(document, (), Settings, "settings")
    if settings is None:
        return None
    for table, values in document.data.items():
        book.note(document, (table,), "settings", table)
        for number, value in enumerate(values if isinstance(values, list) else ()):
            name = str(value.get("name", number)) if isinstance(value, dict) else str(number)
            book.note(document, (table, number), "settings", table, name)
    names = [check.name for check in settings.checks]
    for number, name in enumerate(names):
        if name in names[:number]:
            message = f"check {name!r} is defined twice"
            place = document.place(("checks", number, "name"))
            book.problems.append(Problem("duplicate_check", message, place, ids=(name,)))
    return settings
