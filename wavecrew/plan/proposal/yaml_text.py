"""How are roles and a plan written so that people like to read and edit them?

The loaders read back exactly what was written. Ids are quoted, prose stands
in blocks, short lists in one line, a question stands above its value.
"""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import (
    DoubleQuotedScalarString,
    FoldedScalarString,
    LiteralScalarString,
)

from wavecrew.plan.model import Contract, Plan, Role
from wavecrew.plan.proposal.model import At, Question
from wavecrew.plan.proposal.names import line_of

MARK = "QUESTION: "
_WIDTH = 100
_FLAT = 70
"""Characters up to which a list or text stays in one line."""
_ID_KEYS = frozenset(
    (
        *("id", "wave", "depends_on", "conflicts_with"),
        *("after_waves", "after_tasks", "holds_waves", "holds_tasks"),
    )
)
_PLAIN = re.compile(r"[^\W_][\w ./()+;=<>$^~'-]*|[/.\w][\w./-]*")
"""Text that means the same with and without quotes, in blocks and in lists."""
_ANCHOR = "specialist_tools"
Asked = Mapping[At, Sequence[str]]
"""What is asked beside which value."""


def tasks_yaml(plan: Plan, questions: Iterable[Question] = (), heading: str = "") -> str:
    """The text of tasks.yaml."""
    asked = _asked(questions)
    root = CommentedMap(plan=CommentedMap(title=_text(plan.title)))
    root["waves"] = _list(_flat(_entry("wave", wave, {})) for wave in plan.waves)
    if plan.claims:
        root["claims"] = _list(_entry("claim", claim, asked) for claim in plan.claims)
    if plan.sync_points:
        root["sync_points"] = _list(_entry("sync", sync, asked) for sync in plan.sync_points)
    root["tasks"] = _list(_entry("task", task, asked) for task in plan.tasks)
    _space(root["tasks"], 2)
    late = [key for key in ("waves", "sync_points") if not root.get(key)]
    _head(root, heading, {key: asked.get((key,), ()) for key in root})
    missing = [text for key in late for text in asked.get((key,), ())]
    text = _dump(root)
    return text + "".join(f"\n{_comment([one])}" for one in missing)


def agents_yaml(
    roles: Mapping[str, Role], questions: Iterable[Question] = (), heading: str = ""
) -> str:
    """The text of agents.yaml; roles with the same tools share one list."""
    asked = _asked(questions)
    root = CommentedMap()
    shared: dict[tuple[str, ...], CommentedSeq] = {}
    uses: dict[tuple[str, ...], int] = {}
    for role in roles.values():
        uses[role.tools] = uses.get(role.tools, 0) + 1
    for name, role in roles.items():
        entry = _entry("role", role, asked, leave_out=("name",))
        if uses[role.tools] > 1 and len(role.tools) > 6:
            if role.tools not in shared:
                shared[role.tools] = entry["tools"]
                number = "" if len(shared) == 1 else f"_{len(shared)}"
                entry["tools"].yaml_set_anchor(_ANCHOR + number, always_dump=True)
            entry["tools"] = shared[role.tools]
        root[name] = entry
    _head(root, heading, dict.fromkeys(root, ()), asked.get(("roles",), ()))
    return _dump(root)


def _asked(questions: Iterable[Question]) -> dict[At, list[str]]:
    asked: dict[At, list[str]] = {}
    for one in questions:
        for at in one.at:
            named = f" ({_some(one.ids)})" if len(at) == 1 and one.ids else ""
            asked.setdefault(at, []).append(f"{line_of(one.text)}{named}")
    return asked


def _some(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - 40} more" if len(ids) > 40 else ""
    return ", ".join(ids[:40]) + more


def _entry(kind: str, record: Any, asked: Asked, leave_out: Sequence[str] = ()) -> CommentedMap:
    """A record without what is the default anyway; questions above the keys they are about."""
    entry = CommentedMap()
    fields = type(record).model_fields
    name = str(getattr(record, "id", None) or getattr(record, "name", None) or record.what)
    waiting: list[str] = []
    for key in _order(fields):
        waiting += asked.get((kind, name, key), ())
        value = getattr(record, key)
        if key in leave_out or (not fields[key].is_required() and value == fields[key].default):
            continue
        entry[key] = _value(key, value)
        if waiting and len(entry) > 1:
            entry.yaml_set_comment_before_after_key(
                key, before=_plain_comment(waiting), indent=2 if kind == "role" else 4
            )
            waiting = []
    if waiting:
        entry.yaml_set_comment_before_after_key(
            next(reversed(entry)),
            before=_plain_comment(waiting),
            indent=2 if kind == "role" else 4,
        )
    return entry


def _order(fields: Iterable[str]) -> list[str]:
    """Prose after the short facts, so that a task is seen at a glance."""
    names = list(fields)
    prose = [key for key in ("description", "expected_output") if key in names]
    if not prose:
        return names
    short = [key for key in names if key not in prose]
    at = short.index("depends_on") + 1
    return [*short[:at], *prose, *short[at:]]


def _value(key: str, value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, int):
        return value
    if isinstance(value, str):
        return DoubleQuotedScalarString(value) if key in _ID_KEYS else _text(value)
    items = [_contract(one) if isinstance(one, Contract) else _value(key, one) for one in value]
    made = CommentedSeq(items)
    shown = sum(len(str(one)) + 4 for one in items)
    if all(isinstance(one, str) and "\n" not in one for one in items) and (
        shown <= _FLAT or key in _ID_KEYS
    ):
        made.fa.set_flow_style()
    return made


def _contract(contract: Contract) -> Any:
    """In one line when the loader splits that line again as it was."""
    one = contract.symbol + contract.signature
    symbol, bracket, rest = one.partition("(")
    if (symbol.strip(), bracket + rest) == (contract.symbol, contract.signature):
        return _text(one)
    return CommentedMap(symbol=_text(contract.symbol), signature=_text(contract.signature))


def _text(text: str) -> Any:
    """Plain, folded or literal, whichever gives back the same text."""
    whole = text.replace("\n", "")
    odd = not whole.isprintable() or text != text.strip() or not text
    lines = text.split("\n")
    if odd or any(line != line.rstrip() for line in lines):
        return DoubleQuotedScalarString(text)
    if len(lines) > 1:
        return LiteralScalarString(text)
    if len(text) > _FLAT and "  " not in text:
        return FoldedScalarString(text)
    return text if _PLAIN.fullmatch(text) else DoubleQuotedScalarString(text)


def _flat(entry: CommentedMap) -> CommentedMap:
    entry.fa.set_flow_style()
    return entry


def _list(entries: Iterable[CommentedMap]) -> CommentedSeq:
    return CommentedSeq(list(entries))


def _space(entries: CommentedSeq, indent: int) -> None:
    for number in range(1, len(entries)):
        entries.yaml_set_comment_before_after_key(number, before="\n", indent=indent)


def _head(
    root: CommentedMap, heading: str, above: Mapping[str, Sequence[str]], first: Sequence[str] = ()
) -> None:
    """A heading above the file, a blank line and the questions above each of its keys."""
    lines = [*heading.splitlines(), *_wrapped(first)]
    if lines:
        root.yaml_set_start_comment("\n".join(lines) + "\n")
    for number, (key, asked) in enumerate(above.items()):
        before = "\n" * bool(number) + _plain_comment(asked)
        if before:
            root.yaml_set_comment_before_after_key(key, before=before)


def _wrapped(questions: Sequence[str]) -> list[str]:
    return [
        line
        for one in questions
        for line in textwrap.wrap(MARK + one, _WIDTH - 8, subsequent_indent="  ")
    ]


def _plain_comment(questions: Sequence[str]) -> str:
    return "\n".join(_wrapped(questions))


def _comment(questions: Sequence[str]) -> str:
    return "".join(f"# {line}\n" for line in _wrapped(questions))


def _dump(root: CommentedMap) -> str:
    yaml = YAML()
    yaml.width = _WIDTH - 10  # it breaks a line of prose after the word that passes this
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.allow_unicode = True
    stream = io.StringIO()
    yaml.dump(root, stream)
    return stream.getvalue()
