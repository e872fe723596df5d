"""What does a Python module bind at its top, and where does a dotted name lead in a tree?

Read from source alone, nothing is imported. Source may be hostile: what cannot be
parsed, or what a reader cannot know (star imports, names made at run time), is
"not known", which no forecast builds on.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from wavecrew.workspace.drivers.source import Source

LARGEST_MODULE = 300_000
"""Bytes; a larger file is data or worse, and is passed over."""
_TRANSPARENT = {"abstractmethod", "cache", "final", "lru_cache", "override"}
_MANAGERS = {"contextmanager", "asynccontextmanager"}
"""Decorators that leave the parameters as they are written."""
_EMPTY_BASES = {"object", "ABC", "Generic", "Protocol"}
_ADDS_NO_METHOD = {"dataclass", "final", "runtime_checkable"}
"""Class decorators that may write the constructor, but no method a caller would name."""
_P = inspect.Parameter


@dataclass(frozen=True, slots=True)
class Binding:
    """What a name stands for."""

    kind: Literal["import", "function", "class", "value"]
    target: str = ""
    """Of an import: the dotted name it leads to."""
    signature: inspect.Signature | None = None
    """Of a function: as it is written, `self` included. None: not known."""
    drops_first: Literal["always", "bound", "never"] = "never"
    """When a method is called without its first parameter."""
    members: Mapping[str, Binding] = field(default_factory=dict)
    bases: tuple[str, ...] = ()
    """Of a class: absolute dotted names; an empty one is not known."""


@dataclass(frozen=True, slots=True)
class Module:
    name: str
    is_package: bool
    bindings: Mapping[str, Binding]
    is_open: bool
    """Whether it may have names that its source does not show."""

    def absolute(self, dotted: str) -> str:
        """A name as this module writes it, from the root of all modules; empty if not known."""
        first, dot, rest = dotted.partition(".")
        found = self.bindings.get(first)
        if found is None:
            return ""
        start = found.target if found.kind == "import" else f"{self.name}.{first}"
        return f"{start}{dot}{rest}" if start else ""


def module_of(name: str, is_package: bool, source: Source) -> Module:
    """The top level of a parsed module; compound statements at the top count."""
    bindings: dict[str, Binding] = {}
    module = Module(name, is_package, bindings, False)
    stars = False
    for statement in _flat(source.module.body):
        stars = stars or _is_star(statement)
        for bound, binding in _bound(statement, module):
            known = bindings.get(bound)
            if known and known.kind == binding.kind == "function":  # overloads, alternatives
                binding = replace(binding, signature=None)
            bindings[bound] = binding
    return replace(module, is_open=stars or "__getattr__" in bindings)


def import_target(module: Module, node: ast.ImportFrom) -> str:
    """The absolute name of the module a `from` import reads; empty when it leads outside."""
    if node.level == 0:
        return node.module or ""
    parts = module.name.split(".") if module.is_package else module.name.split(".")[:-1]
    kept = len(parts) - (node.level - 1)
    if kept <= 0:
        return ""
    return ".".join([*parts[:kept], *([node.module] if node.module else [])])


def imported(module: Module, node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """(local name, dotted target) of each name an import binds."""
    for alias in node.names:
        if isinstance(node, ast.Import):
            yield (
                alias.asname or alias.name.split(".")[0],
                (alias.name if alias.asname else alias.name.split(".")[0]),
            )
        elif alias.name != "*":
            start = import_target(module, node)
            yield alias.asname or alias.name, f"{start}.{alias.name}" if start else ""


def dotted(node: ast.expr) -> str:
    """`a.b.c` for such an expression, else empty."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def _flat(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of a block with those inside `if`, `try` and `with`, in order."""
    pending = list(body)[::-1]
    while pending:
        statement = pending.pop()
        yield statement
        match statement:
            case ast.If() | ast.For() | ast.While():
                inner = [*statement.body, *statement.orelse]
            case ast.Try() | ast.TryStar():
                handled = [one for handler in statement.handlers for one in handler.body]
                inner = [*statement.body, *handled, *statement.orelse, *statement.finalbody]
            case ast.With():
                inner = statement.body
            case _:
                continue
        pending += inner[::-1]


def _is_star(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*"


def _bound(statement: ast.stmt, module: Module) -> Iterator[tuple[str, Binding]]:
    match statement:
        case ast.Import() | ast.ImportFrom():
            for name, target in imported(module, statement):
                yield name, Binding("import", target)
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield statement.name, _function(statement, is_method=False)
        case ast.ClassDef():
            yield statement.name, _class(statement, module)
        case _:
            for name in _assigned(statement):
                yield name, Binding("value")


def _assigned(statement: ast.stmt) -> Iterator[str]:
    match statement:
        case ast.Assign(targets=targets):
            pending = list(targets)
        case ast.AnnAssign(target=target) | ast.AugAssign(target=target) | ast.For(target=target):
            pending = [target]
        case ast.With(items=items):
            pending = [item.optional_vars for item in items if item.optional_vars]
        case _:
            return
    while pending:
        match pending.pop():
            case ast.Name(id=name):
                yield name
            case ast.Tuple(elts=elts) | ast.List(elts=elts):
                pending += elts
            case ast.Starred(value=value):
                pending.append(value)


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef, *, is_method: bool) -> Binding:
    names = {_decorator(one) for one in node.decorator_list}
    first: Literal["always", "bound", "never"] = "bound" if is_method else "never"
    if "staticmethod" in names:
        first = "never"
    elif "classmethod" in names or node.name == "__new__":
        first = "always"
    plain = names <= {"staticmethod", "classmethod", *_TRANSPARENT, *_MANAGERS}
    return Binding("function", signature=signature(node.args) if plain else None, drops_first=first)


def _decorator(node: ast.expr) -> str:
    return dotted(node.func if isinstance(node, ast.Call) else node).rpartition(".")[2]


def signature(args: ast.arguments) -> inspect.Signature | None:
    """Names, kinds and which have defaults; None for what Python itself would refuse."""
    defaults = [False] * (len(args.posonlyargs) + len(args.args) - len(args.defaults))
    defaults += [True] * len(args.defaults)
    kinds = [_P.POSITIONAL_ONLY] * len(args.posonlyargs) + [_P.POSITIONAL_OR_KEYWORD] * len(
        args.args
    )
    parameters = [
        _parameter(arg.arg, kind, has_default)
        for arg, kind, has_default in zip(
            [*args.posonlyargs, *args.args], kinds, defaults, strict=True
        )
    ]
    if args.vararg:
        parameters.append(_parameter(args.vararg.arg, _P.VAR_POSITIONAL, False))
    for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True):
        parameters.append(_parameter(arg.arg, _P.KEYWORD_ONLY, default is not None))
    if args.kwarg:
        parameters.append(_parameter(args.kwarg.arg, _P.VAR_KEYWORD, False))
    try:
        return inspect.Signature(parameters)
    except ValueError:
        return None


def _parameter(name: str, kind: inspect._ParameterKind, has_default: bool) -> inspect.Parameter:
    return _P(name, kind, default=None if has_default else _P.empty)


def _class(node: ast.ClassDef, module: Module) -> Binding:
    members: dict[str, Binding] = {}
    for statement in _flat(node.body):
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            for name in _set_on_self(statement):
                members.setdefault(name, Binding("value"))
            method = _function(statement, is_method=True)
            if statement.name in members:
                method = replace(method, signature=None)
            members[statement.name] = method
        elif isinstance(statement, ast.ClassDef):
            members[statement.name] = Binding("value")
        else:
            members |= {name: Binding("value") for name in _assigned(statement)}
    decorators = {_decorator(one) for one in node.decorator_list}
    if decorators:
        members.setdefault("__init__", Binding("function"))
    names = [dotted(base.value if isinstance(base, ast.Subscript) else base) for base in node.bases]
    bases = [module.absolute(name) for name in names if name.rpartition(".")[2] not in _EMPTY_BASES]
    if node.keywords or not decorators <= _ADDS_NO_METHOD:
        bases.append("")
    return Binding("class", members=members, bases=tuple(bases))


def _set_on_self(method: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    if not method.args.args:
        return
    own = method.args.args[0].arg
    for node in ast.walk(method):
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=attr, ctx=ast.Store()) if name == own:
                yield attr


@dataclass(frozen=True, slots=True)
class ModuleNames:
    """Under which names the modules of a tree are imported."""

    paths: Mapping[str, str]
    """Dotted name -> path, under each name it may have; empty for a name that two files claim."""
    names: Mapping[str, str]
    """Path -> the name its own package gives it."""

    @classmethod
    def of(cls, files: Iterable[str]) -> ModuleNames:
        sources = [path for path in files if path.endswith(".py")]
        packages = {path.removesuffix("/__init__.py") for path in sources}
        names: dict[str, str] = {}
        paths: dict[str, str] = {}
        for path in sources:
            alone = path.removeprefix("src/")
            inside = _from_root(path, packages)
            names[path] = _dotted_path(inside or alone)
            for name in {names[path], _dotted_path(path), _dotted_path(alone)}:
                paths[name] = path if paths.get(name, path) == path else ""
        return cls(paths, names)


def _from_root(path: str, packages: set[str]) -> str:
    """The path from the folder its outermost package lies in; empty for what is in no package."""
    folder = path.rpartition("/")[0]
    if folder not in packages:
        return ""
    while folder in packages:
        folder = folder.rpartition("/")[0]
    return path[len(folder) + 1 :] if folder else path


def _dotted_path(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
