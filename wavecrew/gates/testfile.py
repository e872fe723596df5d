"""Which tests does a file hold, and what keeps each from running or from asserting?

The inventory of one version of one test file, by its syntax tree. Comparing
two versions is `tamper.py`'s work.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from fnmatch import fnmatch

from wavecrew.gates.assertions import Assertion, Function, assertions, blocks
from wavecrew.gates.names import dotted, key_of, origins, parsed, resolved

PYTHON_FILES = ("test_*.py", "*_test.py")

SKIPS = frozenset(
    {
        "pytest.skip",
        "pytest.xfail",
        "pytest.exit",
        "pytest.importorskip",
        "pytest.mark.skip",
        "pytest.mark.skipif",
        "pytest.mark.xfail",
        "pytest.skip.Exception",
        "unittest.skip",
        "unittest.skipIf",
        "unittest.skipUnless",
        "unittest.expectedFailure",
        "unittest.SkipTest",
        "self.skipTest",
    }
)
DESELECTING = frozenset({"collect_ignore", "collect_ignore_glob", "__test__"})


@dataclass(frozen=True, slots=True)
class Skip:
    key: str
    line: int
    name: str


@dataclass(frozen=True, slots=True)
class Case:
    """One test function."""

    path: str
    name: str
    """`test_x` or `TestClass::test_x`."""
    line: int
    key: str
    """Body, arguments and decorators, without docstring and position."""
    skips: tuple[Skip, ...]
    asserts: tuple[Assertion, ...]
    rows: int
    """Literal parameter sets, multiplied over the decorators; 0 when not all are literal."""
    is_empty: bool


@dataclass(frozen=True, slots=True)
class Inherited:
    """A test class that takes tests from a base: `TestPostgres(StorageTests)`."""

    path: str
    name: str
    line: int
    key: str


@dataclass(frozen=True, slots=True)
class CaseFile:
    path: str
    cases: tuple[Case, ...] = ()
    inherited: tuple[Inherited, ...] = ()
    skips: tuple[Skip, ...] = ()
    """Outside test functions: on modules, classes, fixtures; with what deselects."""
    unreadable: str = ""

    def case(self, name: str) -> Case | None:
        return next((case for case in self.cases if case.name == name), None)


def is_collected(path: str, patterns: Sequence[str] = PYTHON_FILES) -> bool:
    """Would pytest collect a file of this name?"""
    name = path.rsplit("/", 1)[-1]
    return any(fnmatch(name, pattern) for pattern in patterns) and name != "conftest.py"


def is_support(path: str) -> bool:
    """A file that tests depend on: a conftest, or any Python below a tests folder."""
    parts = path.split("/")
    return parts[-1] == "conftest.py" or (
        path.endswith(".py") and bool({"tests", "test", "testing"} & set(parts[:-1]))
    )


def read_cases(path: str, source: str | None, *, collected: bool = True) -> CaseFile:
    """The inventory of a file; empty for None, `unreadable` when it does not parse."""
    if source is None:
        return CaseFile(path)
    tree = parsed(source)
    if isinstance(tree, str):
        return CaseFile(path, unreadable=tree)
    known = origins(tree)
    known |= _aliases(tree, known)
    cases: dict[str, Case] = {}
    inherited: list[Inherited] = []
    inside: set[int] = set()
    for owner, node in _definitions(tree.body) if collected else ():
        if isinstance(node, ast.ClassDef):
            inherited += _inherits(path, owner, node)
            continue
        case = _case(path, owner, node, known)
        cases[case.name] = case  # a later definition replaces an earlier one
        inside.update(id(part) for part in ast.walk(node))
    skips = (*_skips(tree, known, inside), *_deselecting(tree, inside))
    return CaseFile(path, tuple(cases.values()), tuple(inherited), skips)


def _aliases(tree: ast.Module, known: Mapping[str, str]) -> dict[str, str]:
    """Module names that hold a mark: `slow = pytest.mark.skipif(...)`."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value = node.value.func if isinstance(node.value, ast.Call) else node.value
            if (origin := resolved(dotted(value), known)) in SKIPS:
                found[node.targets[0].id] = origin
    return found


def _definitions(
    body: Sequence[ast.stmt], owner: str = ""
) -> list[tuple[str, Function | ast.ClassDef]]:
    """Test functions and test classes that exist after the block has run, with their owner."""
    found: dict[tuple[str, str], list[tuple[str, Function | ast.ClassDef]]] = {}
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.pop((owner, node.name), None)
            if node.name.startswith("test"):
                found[(owner, node.name)] = [(owner, node)]
        elif isinstance(node, ast.ClassDef):
            found.pop((owner, node.name), None)
            if _is_test_class(node):
                inner = _definitions(node.body, f"{owner}{node.name}::")
                found[(owner, node.name)] = [(owner, node), *inner]
        elif isinstance(node, ast.Assign | ast.Delete):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found.pop((owner, target.id), None)
        else:
            for block in blocks(node):
                for one in _definitions(block, owner):
                    found.setdefault((owner, f"{one[0]}{one[1].name}"), []).append(one)
    return [one for group in found.values() for one in group]


def _is_test_class(node: ast.ClassDef) -> bool:
    has_init = any(isinstance(f, ast.FunctionDef) and f.name == "__init__" for f in node.body)
    return bool(node.bases) or (node.name.startswith("Test") and not has_init)


def _inherits(path: str, owner: str, node: ast.ClassDef) -> Iterator[Inherited]:
    if not node.name.startswith("Test"):
        return
    for base in node.bases:
        name = dotted(base)
        if name.rsplit(".", 1)[-1] not in ("object", "TestCase", "IsolatedAsyncioTestCase", ""):
            key = f"{name} {[key_of(statement) for statement in node.body]}"
            yield Inherited(path, f"{owner}{node.name}({name})", node.lineno, key)


def _case(path: str, owner: str, node: Function, known: Mapping[str, str]) -> Case:
    has_docstring = ast.get_docstring(node, clean=False) is not None
    body = node.body[1:] if has_docstring else node.body
    content = [*node.decorator_list, node.args, *body]
    is_empty = all(
        isinstance(s, ast.Pass)
        or (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))
        or isinstance(s, ast.Return)
        for s in body
    )
    return Case(
        path=path,
        name=owner + node.name,
        line=node.lineno,
        key=" ".join(key_of(part) for part in content),
        skips=tuple(_skips(node, known, frozenset())),
        asserts=assertions(node),
        rows=_rows(node),
        is_empty=is_empty,
    )


def _rows(node: Function) -> int:
    rows = 1
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and dotted(decorator.func).endswith("parametrize"):
            values = decorator.args[1] if len(decorator.args) > 1 else None
            if not isinstance(values, ast.List | ast.Tuple | ast.Set):
                return 0
            if any(isinstance(element, ast.Starred) for element in values.elts):
                return 0
            rows *= len(values.elts)
    return rows


def _skips(tree: ast.AST, known: Mapping[str, str], leave_out: Set[int]) -> Iterator[Skip]:
    """Every mark or call that skips or expects failure, outside the nodes left out."""
    called: set[int] = set()
    for node in ast.walk(tree):
        if id(node) in leave_out:
            continue
        if isinstance(node, ast.Call):
            called.add(id(node.func))
            name = resolved(dotted(node.func), known)
        elif isinstance(node, ast.Name | ast.Attribute) and id(node) not in called:
            if isinstance(getattr(node, "ctx", None), ast.Store):
                continue
            name = resolved(dotted(node), known)
        else:
            continue
        if name in SKIPS:
            yield Skip(key_of(node), node.lineno, name)


def _deselecting(tree: ast.Module, leave_out: Set[int]) -> Iterator[Skip]:
    for node in ast.walk(tree):
        if id(node) in leave_out or not isinstance(
            node, ast.Assign | ast.AugAssign | ast.AnnAssign
        ):
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            name = dotted(target).rsplit(".", 1)[-1]
            if name in DESELECTING:
                yield Skip(f"{name} {key_of(node)}", node.lineno, name)


def added(before: Sequence[Skip], after: Sequence[Skip]) -> tuple[Skip, ...]:
    """The skips of `after` that `before` does not have, counting repetitions."""
    spare = Counter(skip.key for skip in before)
    fresh = []
    for skip in after:
        spare[skip.key] -= 1
        if spare[skip.key] < 0:
            fresh.append(skip)
    return tuple(fresh)
