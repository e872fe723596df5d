"""Names in Python source: dotted paths, where an import took them from, keys without positions."""

from __future__ import annotations

import ast
from collections.abc import Mapping

MOST_SOURCE = 2_000_000


def parsed(source: str) -> ast.Module | str:
    """The module, or in one line why it cannot be read. Hostile input ends here too."""
    if len(source) > MOST_SOURCE:
        return f"is larger than {MOST_SOURCE // 1_000_000} MB"
    try:
        return ast.parse(source)
    except SyntaxError as error:
        return f"is no Python (line {error.lineno or 1}: {error.msg})"
    except (ValueError, RecursionError, MemoryError) as error:
        return f"cannot be parsed ({type(error).__name__})"


def dotted(node: ast.AST) -> str:
    """`a.b.c` for such an expression, `.c` for an attribute of anything else, else empty."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return ""


def key_of(node: ast.AST) -> str:
    """The node's content; formatting and position do not matter."""
    return ast.dump(node, annotate_fields=False)


def origins(tree: ast.Module) -> dict[str, str]:
    """Local name -> the dotted path it was imported from, over all imports of the module."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.asname:
                    found[alias.asname] = alias.name
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return found


def resolved(name: str, known: Mapping[str, str]) -> str:
    """A local dotted name with its first part replaced by where that came from."""
    first, dot, rest = name.partition(".")
    return f"{known.get(first, first)}{dot}{rest}"
