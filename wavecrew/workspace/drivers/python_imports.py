"""Branches that each append to the imports or the registries of one file: take the union.

The commonest conflict of parallel work is two lines added at one place. It is
resolved only when, inside the conflicting hunks, both sides add imports or
entries of top-level lists, tuples, sets and dicts (`__all__`, `INSTALLED_APPS`,
a table of handlers) and nothing else; every other conflict stays.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, field

from wavecrew.workspace.drivers.source import Edit, Source
from wavecrew.workspace.model import Converged, MergeView, Trees

MARKER = 61
"""Letters of a conflict marker; no source line looks like it by chance."""
_SEGMENT = re.compile(
    rb"^<{61}[^\n]*\n(.*?)^\|{61}[^\n]*\n(.*?)^={61}\r?\n(.*?)^>{61}[^\n]*\n?",
    re.MULTILINE | re.DOTALL,
)

Registry = ast.List | ast.Tuple | ast.Set | ast.Dict
Node = ast.Import | ast.ImportFrom | Registry
_WRAPPERS = {"dict", "frozenset", "list", "set", "tuple"}
Key = tuple[str, ...]
Entry = tuple[Key, str]
"""What an entry belongs to, and what it says."""


@dataclass(slots=True)
class Outline:
    """A module as fixed statements with imports and lists between them."""

    source: Source
    fixed: list[str] = field(default_factory=list)
    """Everything that may not differ, in order; a list counts by its target."""
    ends: list[int] = field(default_factory=list)
    """Byte where each fixed statement ends."""
    entries: dict[Entry, bytes] = field(default_factory=dict)
    """Entry -> its source text, in order."""
    holders: dict[Key, tuple[Node, int]] = field(default_factory=dict)
    """Import or list -> its first node and how many fixed statements stand before it."""


class PythonImports:
    name = "python_imports"

    def converge(self, trees: Trees, view: MergeView) -> Converged | None:
        files: dict[str, bytes] = {}
        for conflict in view.conflicts:
            if not conflict.path.endswith(".py") or conflict.kind not in ("content", "add/add"):
                continue
            sides = [trees.read(side, conflict.path) for side in (view.ours, view.theirs)]
            base = trees.read(view.base, conflict.path)
            if sides[0] is None or sides[1] is None:
                continue
            if base is None and conflict.kind == "content":  # both moved it here
                continue
            marked = trees.merge_text(base or b"", sides[0], sides[1], MARKER)
            if (merged := union(marked)) is not None:
                files[conflict.path] = merged
        return Converged(files) if files else None


def union(marked: bytes) -> bytes | None:
    """The text both sides meant, from a merge with diff3 markers; None when that is not certain."""
    if not _SEGMENT.search(marked):
        return None
    ours, base, theirs = (
        _outline(_SEGMENT.sub(rf"\{side}".encode(), marked)) for side in (1, 2, 3)
    )
    if ours is None or base is None or theirs is None:
        return None
    if not base.fixed == ours.fixed == theirs.fixed or not _only_adds(base, ours, theirs):
        return None
    added = [entry for entry in theirs.entries if entry not in ours.entries]
    if not _names_agree(ours, added):
        return None
    result = ours.source.edited(_edits(ours, theirs, added))
    return result if _holds(result, ours, theirs) else None


def _only_adds(base: Outline, *sides: Outline) -> bool:
    """Whether each side still has what the base had, in its order."""
    known = list(base.entries)
    return all(
        [entry for entry in side.entries if entry in base.entries] == known for side in sides
    )


def _holds(result: bytes, ours: Outline, theirs: Outline) -> bool:
    """Whether the result says all that both sides say, comments included, and nothing else."""
    after = _outline(result)
    if after is None or after.fixed != ours.fixed:
        return False
    wanted = ours.entries.keys() | theirs.entries.keys()
    said = _comments(ours.source.data) | _comments(theirs.source.data)
    return after.entries.keys() == wanted and said <= _comments(result)


def _comments(data: bytes) -> set[str]:
    tokens = tokenize.tokenize(io.BytesIO(data).readline)
    return {token.string for token in tokens if token.type == tokenize.COMMENT}


def _outline(data: bytes) -> Outline | None:
    source = Source.parse(data)
    if source is None:
        return None
    outline = Outline(source)
    try:
        for statement in source.module.body:
            if not _take(outline, statement):
                return None
    except RecursionError:
        return None
    return outline


def _take(outline: Outline, statement: ast.stmt) -> bool:
    """Sort one statement in; False when an entry stands twice."""
    source, place = outline.source, len(outline.fixed)
    held: list[tuple[Key, Node, str, bytes]] = []
    key: Key
    match statement:
        case ast.ImportFrom(module="__future__"):
            outline.fixed.append(ast.dump(statement))
        case ast.ImportFrom(module=module, level=level, names=names):
            key = ("from", "." * level + (module or ""))
            held = [(key, statement, _said(alias), source.text(alias)) for alias in names]
        case ast.Import(names=names):
            for alias in names:
                said = _said(alias)
                held.append((("import", said), statement, said, source.text(alias)))
        case (
            ast.Assign(targets=[ast.Name(id=name)], value=value)
            | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            | ast.AugAssign(target=ast.Name(id=name), value=value)
        ) if (registry := _registry(value)) is not None:
            key = ("list", name, str(place))
            items = _items(registry)
            held = [(key, registry, ast.dump(item), source.text(item)) for item in items]
            if not _is_registry(registry):
                held = []
                outline.fixed.append(ast.dump(statement))
            else:
                outline.fixed.append(_around(statement, value, registry, name))
                outline.holders[key] = (registry, place)
        case _:
            outline.fixed.append(ast.dump(statement))
    if len(outline.fixed) > place:
        outline.ends.append(source.end(statement))
    for key, node, said, text in held:
        if (key, said) in outline.entries:
            return False
        outline.entries[key, said] = text
        outline.holders.setdefault(key, (node, place))
    return True


def _registry(value: ast.expr) -> Registry | None:
    """The literal that holds the entries, bare or inside `frozenset(...)` and the like."""
    match value:
        case ast.Call(func=ast.Name(id=name), args=[inner], keywords=[]) if name in _WRAPPERS:
            value = inner
    return value if isinstance(value, Registry) else None


def _is_registry(registry: Registry) -> bool:
    """Whether no entry, or key of an entry, stands twice; what repeats is data."""
    if isinstance(registry, ast.Dict):
        if None in registry.keys:  # of another dict, `**other`: what it holds is not known
            return False
        said = [ast.dump(key) for key in registry.keys if key is not None]
    else:
        said = [ast.dump(item) for item in registry.elts]
    return len(set(said)) == len(said)


def _around(statement: ast.stmt, value: ast.expr, registry: Registry, name: str) -> str:
    wrapper = ast.dump(value.func) if isinstance(value, ast.Call) else ""
    return f"{type(statement).__name__} {wrapper} {type(registry).__name__} {name}"


def _said(alias: ast.alias) -> str:
    return f"{alias.name} as {alias.asname}" if alias.asname else alias.name


def _names_agree(ours: Outline, added: list[Entry]) -> bool:
    """No name that one side imports is bound to something else by the other."""
    known = {_bound(entry): entry for entry in ours.entries if entry[0][0] != "list"}
    new = {_bound(entry): entry for entry in added if entry[0][0] != "list"}
    return all(_is_package(known[name]) and _is_package(new[name]) for name in known.keys() & new)


def _bound(entry: Entry) -> str:
    key, said = entry
    if said == "*":
        return f"* {key[1]}"
    return said.rsplit(" as ", 1)[1] if " as " in said else said.split(".")[0]


def _is_package(entry: Entry) -> bool:
    """`import a.b` and `import a.c` both bind `a`, to the same thing."""
    return entry[0][0] == "import" and " as " not in entry[1]


def _edits(ours: Outline, theirs: Outline, added: list[Entry]) -> Iterator[Edit]:
    texts_by_key: dict[Key, list[bytes]] = {}
    for entry in added:
        texts_by_key.setdefault(entry[0], []).append(theirs.entries[entry])
    for key, texts in texts_by_key.items():
        if key in ours.holders:
            yield from _entry_edits(ours.source, ours.holders[key][0], texts)
        else:
            yield _statement_edit(ours, theirs, key)


def _entry_edits(source: Source, node: Node, texts: list[bytes]) -> Iterator[Edit]:
    """Put entries into a list or a `from` import that is there on both sides.

    A sorted list of plain names stays sorted, since linters ask for it;
    anything else grows at its end.
    """
    items = _items(node)
    if not items:
        comma = b"," if isinstance(node, ast.Tuple) else b""
        yield Edit(source.end(node) - 1, source.end(node) - 1, b", ".join(texts) + comma)
        return
    texts_by_place: dict[int, list[bytes]] = {}
    for text in texts:
        texts_by_place.setdefault(_place(source, items, text), []).append(text)
    is_tall = items[0].lineno != node.lineno or items[-1].lineno != items[0].lineno
    for place, new in texts_by_place.items():
        new = sorted(new) if place < len(items) else new
        if place == 0:
            gap = b"," + source.newline + source.indent(items[-1]) if is_tall else b", "
            first = source.start(items[0])
            yield Edit(first, first, b"".join(text + gap for text in new))
        elif is_tall:
            yield _lines_edit(source, items[place - 1], new)
        else:
            end = source.end(items[place - 1])
            yield Edit(end, end, b"".join(b", " + text for text in new))


def _lines_edit(source: Source, last: ast.expr | ast.alias, texts: list[bytes]) -> Edit:
    """Lines of their own below `last`, whose comma and comment stay with it."""
    end = source.end(last)
    rest = source.data[end : source.line_end(end)]
    lines = (b"," + source.newline + source.indent(last)).join(texts)
    start = source.newline + source.indent(last)
    if tail := re.fullmatch(rb"\s*,?(\s*(?:#.*)?)", rest):
        return Edit(end, end + len(rest), b"," + tail[1] + start + lines + b",")
    return Edit(end, end, b"," + start + lines)


def _items(node: Node) -> list[ast.expr] | list[ast.alias]:
    if isinstance(node, ast.Dict):
        return [_pair(key, value) for key, value in zip(node.keys, node.values, strict=True) if key]
    return node.names if isinstance(node, ast.Import | ast.ImportFrom) else node.elts


def _pair(key: ast.expr, value: ast.expr) -> ast.expr:
    """A dict's key and value as one expression that stands where both stand."""
    pair = ast.Tuple(elts=[key, value], ctx=ast.Load())
    pair.lineno, pair.col_offset = key.lineno, key.col_offset
    pair.end_lineno, pair.end_col_offset = value.end_lineno, value.end_col_offset
    return pair


def _place(source: Source, items: list[ast.expr] | list[ast.alias], text: bytes) -> int:
    """Index before which `text` belongs: its sorted place, or the end of an unsorted list."""
    texts = [source.text(item) for item in items]
    plain = all(re.fullmatch(rb"[\"']?[\w. ]+[\"']?", one) for one in (*texts, text))
    if len(items) < 2 or not plain or texts != sorted(texts):
        return len(items)
    return sum(one < text for one in texts)


def _statement_edit(ours: Outline, theirs: Outline, key: Key) -> Edit:
    """A new import statement among the imports that follow the same fixed statement."""
    node, place = theirs.holders[key]
    assert isinstance(node, ast.Import | ast.ImportFrom)
    source = ours.source
    if isinstance(node, ast.Import):
        whole = b"import " + theirs.entries[key, key[1]]
    else:
        end = theirs.source.end(node)
        rest = theirs.source.data[end : theirs.source.line_end(end)]
        whole = theirs.source.text(node) + (rest if re.fullmatch(rb"\s*#.*", rest) else b"")
    near = [held for held, before in ours.holders.values() if before == place]
    same = [held for held in near if isinstance(held, type(node))]
    texts = [source.text(held) for held in same]
    if len(same) > 1 and texts == sorted(texts) and any(text > whole for text in texts):
        start = source.start(same[sum(text < whole for text in texts)])
        return Edit(start, start, whole + source.newline)
    imports = same or [held for held in near if isinstance(held, ast.Import | ast.ImportFrom)]
    if imports or place:
        end = source.end(imports[-1]) if imports else ours.ends[place - 1]
        at = source.line_end(end)
        return Edit(at, at, source.newline + whole)
    return Edit(source.starts[0], source.starts[0], whole + source.newline)
