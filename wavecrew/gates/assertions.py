"""How much does a test assert? Each assertion with a strength that two versions can be compared by.

Purely syntactic and meant for comparing a test with its own earlier version.
What it cannot see: an assertion replaced by another of the same form about
something trivial, and a loop over nothing. Unreachable assertions (after a
return, under `if False`) and those whose failure a handler swallows do not count.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from wavecrew.gates.names import dotted, key_of
from wavecrew.gates.tolerance import COARSE, is_tolerant, stripped

VACUOUS, TRUTHY, COMPARED, LOOSE, EXACT, MATCHED = 0, 2, 4, 5, 6, 7

Function = ast.FunctionDef | ast.AsyncFunctionDef

BROAD = frozenset({"Exception", "BaseException"})
SWALLOWED = BROAD | {"AssertionError"}
EXPECTING = frozenset(
    {
        "raises",
        "warns",
        "assertRaises",
        "assertWarns",
        "assertRaisesRegex",
        "assertWarnsRegex",
        "assertLogs",
    }
)
WEAK_METHODS = frozenset({"assertTrue", "assertFalse", "assertIsNotNone", "assertIsInstance"})
MIDDLE_METHODS = frozenset(
    {
        "assertNotEqual",
        "assertIn",
        "assertNotIn",
        "assertGreater",
        "assertGreaterEqual",
        "assertLess",
        "assertLessEqual",
        "assertIsNot",
    }
)


@dataclass(frozen=True, slots=True)
class Assertion:
    key: str
    """The whole of it, positions aside: equal keys assert the same."""
    strength: int
    line: int
    skeleton: str = ""
    """The key with literal tolerances and bounds taken out."""
    slack: tuple[tuple[str, float], ...] = field(default=())
    """Those tolerances and bounds, each so that larger is laxer."""


def assertions(function: Function) -> tuple[Assertion, ...]:
    """What the test asserts, in the order of the source."""
    return tuple(_assertions(function.body))


def weakened(before: Sequence[Assertion], after: Sequence[Assertion]) -> tuple[str, int] | None:
    """Why `after` asserts less than `before`, with the line to look at; None when it does not."""
    old, new = _surplus(before, after), _surplus(after, before)
    if len(after) < len(before):
        gone = old[0] if old else before[-1]
        return f"asserts {_things(len(after))} where it asserted {len(before)}", gone.line
    for one in list(old):
        twin = next((a for a in new if a.skeleton and a.skeleton == one.skeleton), None)
        if twin is None:
            continue
        if widened := _widened(one, twin):
            return f"accepts more than it did ({widened})", twin.line
        old.remove(one)
        new.remove(twin)
    ranked = sorted(new, key=lambda a: -a.strength)
    for one, other in zip(sorted(old, key=lambda a: -a.strength), ranked, strict=False):
        if other.strength < one.strength:
            return "asserts something weaker than it did", other.line
    return None


def _things(count: int) -> str:
    return "nothing" if count == 0 else f"{count} thing{'s' if count > 1 else ''}"


def _surplus(these: Sequence[Assertion], those: Sequence[Assertion]) -> list[Assertion]:
    """The assertions that the other side does not have, counting repetitions."""
    spare, rest = Counter(one.key for one in those), []
    for one in these:
        spare[one.key] -= 1
        if spare[one.key] < 0:
            rest.append(one)
    return rest


def _widened(before: Assertion, after: Assertion) -> str:
    old = dict(before.slack)
    for name, value in after.slack:
        if value > old.get(name, value):
            return f"{name.strip('-')} went from {abs(old[name]):g} to {abs(value):g}"
    return ""


# -- which statements count ---------------------------------------------------------------------


def live(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a block up to the first that always leaves it."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.Return | ast.Raise | ast.Continue | ast.Break):
            return
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            name = dotted(statement.value.func)
            if name in ("pytest.skip", "pytest.xfail", "pytest.exit", "self.skipTest"):
                return


def blocks(statement: ast.stmt) -> Iterator[Sequence[ast.stmt]]:
    """The blocks inside a statement that can run and whose failures can be seen."""
    if isinstance(statement, ast.If | ast.While) and isinstance(statement.test, ast.Constant):
        yield statement.body if statement.test.value else statement.orelse
    elif isinstance(statement, ast.For | ast.AsyncFor) and _is_empty(statement.iter):
        yield statement.orelse
    elif isinstance(statement, ast.Try | ast.TryStar):
        if not any(_swallows(handler) for handler in statement.handlers):
            yield statement.body
            yield statement.orelse
        yield from (handler.body for handler in statement.handlers)
        yield statement.finalbody
    elif isinstance(statement, ast.With | ast.AsyncWith):
        if not any(_suppresses(item.context_expr) for item in statement.items):
            yield statement.body
    elif isinstance(statement, ast.Match):
        yield from (case.body for case in statement.cases)
    else:
        for name in ("body", "orelse"):
            yield getattr(statement, name, [])


def _is_empty(node: ast.expr) -> bool:
    return isinstance(node, ast.List | ast.Tuple | ast.Set) and not node.elts


def _swallows(handler: ast.ExceptHandler) -> bool:
    caught = _names(handler.type) if handler.type else {"BaseException"}
    speaks = any(
        isinstance(node, ast.Raise | ast.Assert)
        or (isinstance(node, ast.Call) and dotted(node.func).endswith(("pytest.fail", "self.fail")))
        for node in ast.walk(ast.Module(handler.body, []))
    )
    return bool(caught & SWALLOWED) and not speaks


def _suppresses(context: ast.expr) -> bool:
    if not isinstance(context, ast.Call) or not dotted(context.func).endswith("suppress"):
        return False
    return any(_names(argument) & SWALLOWED for argument in context.args)


def _names(node: ast.expr) -> set[str]:
    nodes = node.elts if isinstance(node, ast.Tuple) else [node]
    return {dotted(one).rsplit(".", 1)[-1] for one in nodes}


# -- what each asserts --------------------------------------------------------------------------


def _assertions(body: Sequence[ast.stmt]) -> Iterator[Assertion]:
    for statement in live(body):
        if isinstance(statement, ast.Assert):
            for part in _conjuncts(statement.test):
                yield _made(part, _strength(part))
        elif isinstance(statement, ast.Expr):
            call = (
                statement.value.value if isinstance(statement.value, ast.Await) else statement.value
            )
            if isinstance(call, ast.Call) and (strength := _call_strength(call)) is not None:
                yield _made(call, strength)
        elif isinstance(statement, ast.With | ast.AsyncWith):
            for item in statement.items:
                if isinstance(item.context_expr, ast.Call):
                    strength = _call_strength(item.context_expr)
                    if strength is not None:
                        yield _made(item.context_expr, strength)
        for block in blocks(statement):
            yield from _assertions(block)


def _conjuncts(test: ast.expr) -> Iterator[ast.expr]:
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        for value in test.values:
            yield from _conjuncts(value)
    else:
        yield test


def _made(node: ast.expr, strength: int) -> Assertion:
    bare, slack = stripped(node)
    skeleton = key_of(bare) if slack else ""
    return Assertion(key_of(node), strength, node.lineno, skeleton, tuple(sorted(slack.items())))


def _strength(test: ast.expr) -> int:
    match test:
        case ast.Constant() | ast.Lambda() | ast.JoinedStr():
            return VACUOUS
        case ast.Tuple(elts=elements) | ast.List(elts=elements) if elements:
            return VACUOUS
        case ast.BoolOp(op=ast.Or(), values=values):
            return max(VACUOUS, min(map(_strength, values)) - 1)
        case ast.BoolOp(values=values):
            return max(map(_strength, values))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return min(COMPARED, _strength(operand))
        case ast.NamedExpr(value=value) | ast.Await(value=value):
            return _strength(value)
        case ast.Compare():
            return _comparison(test)
        case ast.Call(func=function):
            return _loose(test, COMPARED if dotted(function) in ("all", "any") else TRUTHY)
    return TRUTHY


def _comparison(test: ast.Compare) -> int:
    sides = [test.left, *test.comparators]
    if len({key_of(side) for side in sides}) == 1 or all(
        isinstance(s, ast.Constant) for s in sides
    ):
        return VACUOUS
    if all(isinstance(operator, ast.Eq | ast.Is) for operator in test.ops):
        return min(_loose(side, EXACT) for side in sides)
    is_none = any(isinstance(side, ast.Constant) and side.value is None for side in sides)
    return TRUTHY if is_none else COMPARED


def _loose(node: ast.expr, strength: int) -> int:
    """LOOSE when an `approx` or its like carries a coarse literal tolerance."""
    if isinstance(node, ast.Call) and is_tolerant(node):
        return LOOSE if max(stripped(node)[1].values(), default=0) >= COARSE else EXACT
    return strength


def _call_strength(call: ast.Call) -> int | None:
    """None when the call is no assertion."""
    name = dotted(call.func).rsplit(".", 1)[-1]
    if name in EXPECTING:
        broad = not call.args or bool(_names(call.args[0]) & BROAD)
        matched = name.endswith("Regex") or any(word.arg == "match" for word in call.keywords)
        return COMPARED - 1 + matched if broad else EXACT + matched
    if name in WEAK_METHODS:
        first = call.args[0] if call.args else None
        return VACUOUS if isinstance(first, ast.Constant) else TRUTHY
    if name in MIDDLE_METHODS:
        return COMPARED
    if name.startswith("assert") or dotted(call.func) in ("pytest.fail", "self.fail"):
        same = len(call.args) >= 2 and key_of(call.args[0]) == key_of(call.args[1])
        return VACUOUS if same else _loose(call, EXACT)
    return None
