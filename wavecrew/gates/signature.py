"""Does a function accept every call its promised signature allows?

Both sides are griffe's static view of source; nothing is imported. Names,
kinds and defaults of parameters must fit, and annotations wherever the
promise gives one. More parameters are fine as long as they are optional.
"""

from __future__ import annotations

import ast
from pathlib import Path

import griffe

Kind = griffe.ParameterKind
POSITIONAL = (Kind.positional_only, Kind.positional_or_keyword)
VARIADIC = (Kind.var_positional, Kind.var_keyword)
STARS = {Kind.var_positional: "*", Kind.var_keyword: "**"}


def promised(signature: str) -> griffe.Function | None:
    """The promise as griffe sees it; None when it is no parameter list of Python."""
    code = f"def promise{signature.strip().removesuffix(':')}: ..."
    try:
        if len(ast.parse(code).body) != 1:
            return None
        module = griffe.visit("promise", filepath=Path("promise.py"), code=code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    found = module.members.get("promise")
    return found if isinstance(found, griffe.Function) else None


def told(parameters: list[griffe.Parameter], returns: object) -> str:
    """A signature as it would be written."""
    parts: list[str] = []
    for p in parameters:
        if p.kind is Kind.keyword_only and not any(part.startswith("*") for part in parts):
            parts.append("*")
        star = STARS.get(p.kind, "") if p.kind else ""
        note = f": {p.annotation}" if p.annotation is not None else ""
        default = f" = {p.default}" if p.default is not None and p.kind not in VARIADIC else ""
        parts.append(f"{star}{p.name}{note}{default}")
    arrow = f" -> {returns}" if returns is not None else ""
    return f"({', '.join(parts)}){arrow}"


def unbound(parameters: list[griffe.Parameter]) -> list[griffe.Parameter]:
    """Without the leading self or cls, which callers do not pass."""
    has_self = bool(parameters) and parameters[0].name in ("self", "cls", "mcs")
    return parameters[1:] if has_self else list(parameters)


def mismatch(promise: list[griffe.Parameter], actual: list[griffe.Parameter]) -> str:
    """Why `actual` does not accept what `promise` allows; empty when it does."""
    want, have = unbound(promise), unbound(actual)
    by_name = {p.name: p for p in have if p.kind not in VARIADIC}
    for p in want:
        if p.kind in VARIADIC:
            if not any(q.kind is p.kind for q in have):
                return f"does not take {'*' if p.kind is Kind.var_positional else '**'}{p.name}"
            continue
        if p.name not in by_name:
            return f"has no parameter {p.name!r}"
        if why := _parameter(p, by_name[p.name]):
            return why
    places = [p.name for p in want if p.kind in POSITIONAL]
    if [p.name for p in have if p.kind in POSITIONAL][: len(places)] != places:
        return f"does not take {', '.join(places)} in this order"
    names = {p.name for p in want}
    extra = [p.name for p in have if p.name not in names and p.required and p.kind not in VARIADIC]
    return f"demands {extra[0]!r}, which the promise does not have" if extra else ""


def _parameter(want: griffe.Parameter, have: griffe.Parameter) -> str:
    if want.kind in POSITIONAL and have.kind is Kind.keyword_only:
        return f"takes {want.name!r} by keyword only"
    if want.kind is not Kind.positional_only and have.kind is Kind.positional_only:
        return f"takes {want.name!r} by position only"
    if not want.required and have.required:
        return f"demands {want.name!r}, which the promise makes optional"
    if want.annotation is not None and not same_type(want.annotation, have.annotation):
        return f"has {want.name!r} as {have.annotation or 'nothing'}, not {want.annotation}"
    return ""


def same_type(one: object, other: object) -> bool:
    """Equal annotations, whatever their quotes, spacing, module prefixes and Optional spelling."""
    return _shape(str(one)) == _shape(str(other))


def _shape(text: str) -> str:
    try:
        node = ast.parse(text.strip("\"' "), mode="eval").body
        return _canonical(node)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return text.replace(" ", "")


OLD_NAMES = {
    "List": "list",
    "Dict": "dict",
    "Set": "set",
    "FrozenSet": "frozenset",
    "Tuple": "tuple",
    "Type": "type",
}


def _canonical(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return _shape(text)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return OLD_NAMES.get(name, name)
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            return _union([left, right])
        case ast.Subscript(value=value, slice=inner):
            name = _canonical(value)
            parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            if name == "Optional":
                return _union([*parts, ast.Constant(None)])
            if name == "Union":
                return _union(parts)
            return f"{name}[{','.join(map(_canonical, parts))}]"
    return ast.unparse(node)


def _union(parts: list[ast.expr]) -> str:
    members: set[str] = set()
    for part in parts:
        members.update(_canonical(part).split(" | "))
    return " | ".join(sorted(members))
