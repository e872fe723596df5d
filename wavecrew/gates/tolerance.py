"""How much slack does an assertion allow? Its literal tolerances and bounds, taken out and told.

Every value is told so that a larger one is laxer. Tolerances that are no
literals stay in the assertion: nothing can be said of them from the source.
"""

from __future__ import annotations

import ast
import copy

from wavecrew.gates.names import dotted

TOLERANCES: dict[str, dict[str, float]] = {
    "approx": {"rel": 1e-6, "abs": 1e-12},
    "isclose": {"rel_tol": 1e-9, "abs_tol": 0.0, "rtol": 1e-5, "atol": 1e-8},
    "allclose": {"rtol": 1e-5, "atol": 1e-8},
    "assert_allclose": {"rtol": 1e-7, "atol": 0.0},
    "assertAlmostEqual": {"places": 7, "delta": 0.0},
}
POSITIONAL = {"approx": (1, ("rel", "abs")), "assertAlmostEqual": (2, ("places",))}
COARSE = 1e-3
"""A tolerance at least this wide makes an equality a loose one."""


def is_tolerant(call: ast.Call) -> bool:
    """Whether the call is one that takes a tolerance, such as `pytest.approx`."""
    return _name(call) in TOLERANCES


def stripped(node: ast.expr) -> tuple[ast.AST, dict[str, float]]:
    """A copy of the assertion without its literal tolerances and bounds, and those by name."""
    slacker = _Slack()
    return slacker.visit(copy.deepcopy(node)), slacker.found


def _name(call: ast.Call) -> str:
    return dotted(call.func).rsplit(".", 1)[-1]


class _Slack(ast.NodeTransformer):
    """Takes literal tolerances and bounds out of an assertion and remembers them."""

    def __init__(self) -> None:
        self.found: dict[str, float] = {}

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        name = _name(node)
        if name not in TOLERANCES:
            return node
        given = dict(TOLERANCES[name])
        first, names = POSITIONAL.get(name, (len(node.args), ()))
        for word, value in zip(names, node.args[first:], strict=False):
            if (number := _number(value)) is not None:
                given[word] = number
        node.args = [a for i, a in enumerate(node.args) if i < first or _number(a) is None]
        for keyword in node.keywords:
            if (
                keyword.arg
                and keyword.arg in given
                and (number := _number(keyword.value)) is not None
            ):
                given[keyword.arg] = number
        node.keywords = [k for k in node.keywords if k.arg not in given or _number(k.value) is None]
        for word, tolerance in given.items():
            self.found[word] = -tolerance if word == "places" else tolerance
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        if len(node.ops) != 1 or (bound := _number(node.comparators[0])) is None:
            return node
        if isinstance(node.ops[0], ast.Lt | ast.LtE):
            self.found["upper bound"] = bound
        elif isinstance(node.ops[0], ast.Gt | ast.GtE):
            self.found["-lower bound"] = -bound
        else:
            return node
        node.comparators = [ast.Constant(None)]
        return node


def _number(node: ast.expr) -> float | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _number(node.operand)
        return None if inner is None else -inner
    if (
        isinstance(node, ast.Constant)
        and isinstance(node.value, int | float)
        and not isinstance(node.value, bool)
    ):
        return float(node.value)
    return None
