"""What does tasks.yaml say: title, waves, tasks, sync points and claims?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wavecrew.plan.book import Book
from wavecrew.plan.entries import at, build, identifier
from wavecrew.plan.model import Claim, Contract, Plan, SyncPoint, Task, Wave
from wavecrew.plan.problem import Place, Problem, nearest
from wavecrew.plan.yaml_positions import Document, Keys


def read_plan(book: Book, document: Document) -> Plan:
    """The plan as far as it can be read; what is wrong with it is noted in `book`."""
    book.problems.extend(document.problems)
    known = ("plan", "waves", "tasks", "sync_points", "claims")
    for key in document.data:
        if key not in known:
            message = f"{key!r} is not a key of a plan"
            place = document.key_place((key,))
            book.problems.append(
                Problem("unknown_key", message, place, nearest(key, known), (key,))
            )
    title = _title(book, document)
    waves = _waves(book, document)
    tasks = [
        task
        for path in _entries(book, document, "tasks", required=True)
        if (task := _task(book, document, path)) is not None
    ]
    syncs = [
        sync
        for path in _entries(book, document, "sync_points")
        if (sync := book.add(document, path, SyncPoint, "sync")) is not None
    ]
    for kind, name in (("wave", "waves"), ("task", "tasks"), ("sync", "sync_points")):
        _check_ids(book, document, kind, name)
    return Plan(
        title=title,
        waves=tuple(waves),
        tasks=tuple(tasks),
        sync_points=tuple(syncs),
        claims=_claims(book, document),
    )


def _title(book: Book, document: Document) -> str:
    plan = document.data.get("plan")
    if isinstance(plan, Mapping) and set(plan) == {"title"} and isinstance(plan["title"], str):
        book.note(document, ("plan",), "plan")
        return plan["title"]
    message = "the plan needs a title"
    if isinstance(plan, Mapping) and set(plan) - {"title"}:
        message = f"{min(set(plan) - {'title'})!r} is not a key of `plan`, which holds its title"
    place = document.key_place(("plan",))
    book.problems.append(Problem("plan_title", message, place, "write `plan:` with `title:` in it"))
    return ""


def _waves(book: Book, document: Document) -> list[Wave]:
    waves = []
    for path in _entries(book, document, "waves"):
        entry = at(document, path)
        if isinstance(entry, str):
            waves.append(Wave.model_validate({"id": entry}))
            book.note(document, path, "wave", entry)
        elif (wave := book.add(document, path, Wave, "wave")) is not None:
            waves.append(wave)
    return waves


def _claims(book: Book, document: Document) -> tuple[Claim, ...]:
    """What the document claims, each figure at most once, with its line as ("claim", what)."""
    claims: dict[str, Claim] = {}
    for path in _entries(book, document, "claims"):
        claim = build(document, path, Claim)
        if isinstance(claim, list):
            book.problems.extend(claim)
        elif claim.what in claims:
            message = f"{claim.what!r} is claimed twice"
            place = document.place((*path, "what"))
            book.problems.append(Problem("duplicate_claim", message, place, ids=(claim.what,)))
        else:
            claims[claim.what] = claim
            book.note(document, path, "claim", claim.what)
    return tuple(claims.values())


def _entries(book: Book, document: Document, name: str, *, required: bool = False) -> list[Keys]:
    """Paths to the members of a top-level list; none when it is missing or no list."""
    value = document.data.get(name)
    if value is None and name not in document.data and not required:
        return []
    if isinstance(value, list) and (value or not required):
        return [(name, number) for number in range(len(value))]
    empty = value is None or value in ({}, [])
    message = f"{name!r} is empty" if empty else f"{name!r} must be a list"
    mend = "each member begins with `- id:`"
    place = document.key_place((name,))
    if name not in document.data:
        message = f"the file has no {name!r}"
    if not empty or required or value is None:
        book.problems.append(Problem(f"no_{name}", message, place, mend))
    return []


def _task(book: Book, document: Document, path: Keys) -> Task | None:
    entry = at(document, path)
    given = {}
    for key in ("provides", "consumes"):
        if isinstance(entry, Mapping) and isinstance(entry.get(key), list):
            given[key] = [_contract(one) for one in entry[key]]
    return book.add(document, path, Task, "task", **given)


def _contract(written: Any) -> Any:
    """`package.symbol(parameters) -> result` in one line, or a mapping as it is."""
    if not isinstance(written, str):
        return written
    symbol, bracket, rest = written.partition("(")
    return Contract(symbol=symbol.strip(), signature=bracket + rest)


def _check_ids(book: Book, document: Document, kind: str, name: str) -> None:
    """Note the ids that are written, refuse those that are none and those written twice."""
    seen: dict[str, Place] = {}
    entries = document.data.get(name)
    for number, entry in enumerate(entries if isinstance(entries, list) else ()):
        one = entry.get("id") if isinstance(entry, Mapping) else entry
        if not isinstance(one, str):
            continue
        place = document.place((name, number, "id"))
        book.problems.extend(identifier(place, one, f"id of a {kind}"))
        if one in seen:
            message = f"{kind} {one!r} is defined twice, first on line {seen[one].line}"
            book.problems.append(Problem(f"duplicate_{kind}", message, place, ids=(one,)))
        seen.setdefault(one, place)
    book.names[kind] = list(seen)
