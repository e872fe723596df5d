"""Which names of other places does a Python module use, and with what arguments?

A name counts where an import or a definition at the top of the module leads to it, and a
method where the class of its object is plain to see: `Class.method()`, `Class().method()`,
`self.method()`, a variable made by `Class()` or annotated with it. Everything else could be
anyone's method and is no use of anyone's. Walks without recursion, since nesting is hostile.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from wavecrew.workspace.symbols import Module, dotted, imported

MOST_NODES = 200_000
Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(frozen=True, slots=True)
class Call:
    """What a call hands over, as far as it is written out."""

    positional: int
    keywords: tuple[str, ...]
    is_open: bool
    """Whether `*` or `**` hands over more."""


@dataclass(frozen=True, slots=True)
class Use:
    target: str
    """Absolute dotted name."""
    call: Call | None = None
    """None: imported or named, not called."""
    on_instance: bool = False
    """Whether the last name was asked of an object of the class before it."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What plain names mean inside one function, or at the top."""

    outer: Scope | None = None
    targets: dict[str, str] = field(default_factory=dict)
    """Local name -> what an import inside the function binds; empty: something of its own."""
    objects: dict[str, str] = field(default_factory=dict)
    """Local name -> absolute name of the class its value is an object of."""
    owner: str = ""
    """Absolute name of the class whose body this is."""


def uses(module: Module, tree: ast.Module) -> Counter[Use]:
    """How often each use occurs. Of a module too large to walk, nothing."""
    found: Counter[Use] = Counter()
    top = Scope()
    reader = _Reader(module, found)
    reader.objects(tree.body, top)
    pending: list[tuple[ast.AST, Scope]] = [(node, top) for node in tree.body]
    seen = 0
    while pending:
        node, scope = pending.pop()
        pending += reader.visit(node, scope)
        seen += 1
        if seen > MOST_NODES:
            return Counter()
    return found


@dataclass(frozen=True, slots=True)
class _Reader:
    module: Module
    found: Counter[Use]

    def visit(self, node: ast.AST, scope: Scope) -> Iterator[tuple[ast.AST, Scope]]:
        """Count what `node` uses; gives what is left to visit, each with its scope."""
        match node:
            case ast.Import():
                self.found.update(Use(alias.name) for alias in node.names)
                return
            case ast.ImportFrom():
                self.found.update(Use(to) for _, to in imported(self.module, node) if to)
                return
            case ast.Call():
                yield from ((one, scope) for one in (*node.args, *node.keywords))
                yield from ((one, scope) for one in self._name(node.func, scope, _call(node)))
                return
            case ast.Attribute() | ast.Name():
                yield from ((one, scope) for one in self._name(node, scope, None))
                return
            case ast.ClassDef():
                yield from ((one, scope) for one in (*node.decorator_list, *node.bases))
                yield from ((one, scope) for one in node.keywords)
                inner = Scope(scope, owner="" if scope.outer else f"{self.module.name}.{node.name}")
                yield from ((one, inner) for one in node.body)
                return
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                inner = self._inside(node, scope)
                body = [node.body] if isinstance(node, ast.Lambda) else node.body
                yield from ((one, inner) for one in body)
                yield node.args, scope
                if not isinstance(node, ast.Lambda):
                    yield from ((one, scope) for one in node.decorator_list)
                    if node.returns:
                        yield node.returns, scope
                return
        yield from ((one, scope) for one in ast.iter_child_nodes(node))

    def _name(self, node: ast.expr, scope: Scope, call: Call | None) -> list[ast.expr]:
        """Count a name or attribute; gives the expression it is asked of, when not plain."""
        attrs: list[str] = []
        while isinstance(node, ast.Attribute):
            attrs.append(node.attr)
            node = node.value
        attrs.reverse()
        if isinstance(node, ast.Name):
            target, is_object = self._meaning(node.id, scope)
        else:
            target, is_object = self._made(node, scope), True
        if target and not (is_object and not attrs):
            on_instance = is_object and len(attrs) == 1
            self.found[Use(".".join([target, *attrs]), call, on_instance)] += 1
        return [] if isinstance(node, ast.Name) else [node]

    def _meaning(self, name: str, scope: Scope) -> tuple[str, bool]:
        """(absolute name, whether the value is an object of it); empty when not known."""
        at: Scope | None = scope
        while at is not None:
            if name in at.objects:
                return at.objects[name], True
            if name in at.targets:
                return at.targets[name], False
            at = at.outer
        return self.module.absolute(name), False

    def _made(self, node: ast.expr, scope: Scope) -> str:
        """The class of `Class(...)` or `super()`."""
        if not isinstance(node, ast.Call) or not (name := dotted(node.func)):
            return ""
        if name == "super" and not node.args:
            return self._base_of(scope)
        return self._absolute(name, scope)

    def _base_of(self, scope: Scope) -> str:
        at: Scope | None = scope
        while at is not None and not at.owner:
            at = at.outer
        own = at.owner.rpartition(".")[2] if at else ""
        found = self.module.bindings.get(own)
        return found.bases[0] if found and len(found.bases) == 1 else ""

    def _absolute(self, name: str, scope: Scope) -> str:
        first, dot, rest = name.partition(".")
        start, is_object = self._meaning(first, scope)
        return f"{start}{dot}{rest}" if start and not is_object else ""

    def _inside(self, node: Function, scope: Scope) -> Scope:
        inner = Scope(scope)
        args = node.args
        parameters = [*args.posonlyargs, *args.args, *args.kwonlyargs]
        stars = [one for one in (args.vararg, args.kwarg) if one]
        for one in (*parameters, *stars):
            inner.targets[one.arg] = ""
        for one in parameters:
            if cls := self._annotated(one.annotation, scope):
                inner.objects[one.arg] = cls
        if scope.owner and parameters and not isinstance(node, ast.Lambda) and not _is_static(node):
            inner.objects[parameters[0].arg] = scope.owner
        if not isinstance(node, ast.Lambda):
            self.objects(node.body, inner)
        return inner

    def _annotated(self, node: ast.expr | None, scope: Scope) -> str:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            name = node.value if node.value.replace(".", "").isidentifier() else ""
        else:
            name = dotted(node) if node else ""
        return self._absolute(name, scope) if name else ""

    def objects(self, body: list[ast.stmt], scope: Scope) -> None:
        """Fill in what the statements of a block bind, inner functions and classes left out."""
        pending: list[ast.AST] = [*body]
        is_top = scope.outer is None
        values: dict[str, list[ast.expr | None]] = {}
        while pending:
            node = pending.pop()
            match node:
                case ast.Import() | ast.ImportFrom() if not is_top:
                    scope.targets.update(imported(self.module, node))
                case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                    values.setdefault(node.name, []).append(None)
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    is_made = isinstance(value, ast.Call)
                    values.setdefault(name, []).append(value if is_made else None)
                    pending.append(value)
                case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation):
                    values.setdefault(name, []).append(annotation)
                    pending += [node.value] if node.value else []
                case ast.Name(id=name, ctx=ast.Store()):
                    values.setdefault(name, []).append(None)
                case ast.Lambda():
                    pass
                case _:
                    pending += ast.iter_child_nodes(node)
        if not is_top:
            scope.targets.update((name, "") for name in values if name not in scope.targets)
        for name, given in values.items():
            classes = {self._class_of(value, scope) for value in given}
            scope.objects.pop(name, None)
            if len(classes) == 1 and (cls := classes.pop()):
                scope.objects[name] = cls

    def _class_of(self, value: ast.expr | None, scope: Scope) -> str:
        """Of a value that is made, or of an annotation."""
        if isinstance(value, ast.Call):
            return self._made(value, scope)
        return self._annotated(value, scope) if isinstance(value, ast.Name | ast.Attribute) else ""


def _call(node: ast.Call) -> Call:
    stars = any(isinstance(one, ast.Starred) for one in node.args)
    names = [one.arg for one in node.keywords]
    positional = sum(not isinstance(one, ast.Starred) for one in node.args)
    known = tuple(sorted(name for name in names if name))
    return Call(positional, known, stars or None in names)


def _is_static(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(dotted(one) == "staticmethod" for one in node.decorator_list)
