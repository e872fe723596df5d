"""Does the tree keep what its tasks promised: these symbols, with these signatures?

Read by griffe from a plain checkout without links; the agent's code is parsed
and never imported. A class without an `__init__` of its own (a model whose
constructor is made at run time) must have its promised parameters as attributes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import griffe

from wavecrew.gates.model import Finding
from wavecrew.gates.signature import mismatch, promised, same_type, told, unbound
from wavecrew.gates.source import Source
from wavecrew.plan.model import Contract
from wavecrew.sandbox.model import Sandbox

BROKEN_SOURCE = (
    griffe.GriffeError,
    ImportError,
    SyntaxError,
    ValueError,
    KeyError,
    RecursionError,
    MemoryError,
    OSError,
)


def contract_findings(
    source: Source, tree: str, provides: Sequence[Contract], sandbox: Sandbox, scratch: Path
) -> tuple[Finding, ...]:
    """One finding for each promise the tree does not keep; `scratch` is made and removed."""
    if not provides:
        return ()
    scratch = scratch.resolve()
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        source.checkout(tree, scratch, sandbox)
        _make_plain(scratch)
        return check_contracts(scratch, provides)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def check_contracts(folder: Path, provides: Sequence[Contract]) -> tuple[Finding, ...]:
    """The same on a folder that holds the tree's plain files."""
    package = _Package(folder)
    findings = []
    for contract in provides:
        path, line, why = _kept(package, contract)
        if why:
            promise = f"{contract.symbol}{contract.signature}"
            message = f"{promise} is promised to other tasks, but {why}."
            findings.append(Finding(rule="contract_broken", path=path, line=line, message=message))
    return tuple(findings)


def _make_plain(folder: Path) -> None:
    """Take out links and path files, so that reading never leaves the folder."""
    for parent, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            entry = Path(parent, name)
            if entry.is_symlink() or name.endswith(".pth"):
                entry.unlink()


class _Package:
    """Finds symbols in a folder; every top-level package is loaded once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._loaded: dict[str, griffe.Object | griffe.Alias | str] = {}

    def top(self, name: str) -> griffe.Object | griffe.Alias | str:
        """The package, or in a clause why there is none."""
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def _load(self, name: str) -> griffe.Object | griffe.Alias | str:
        root = self._root_of(name)
        if root is None:
            return f"no module {name!r} is in the tree; add it"
        loader = griffe.GriffeLoader(search_paths=[root], allow_inspection=False)
        try:
            found = loader.load(name, try_relative_path=False)
            loader.resolve_aliases(external=False)
        except BROKEN_SOURCE as error:
            return f"{name!r} cannot be read ({type(error).__name__}: {error}); mend its source"
        return found

    def _root_of(self, name: str) -> Path | None:
        """The shallowest folder that holds the module; the root and `src` come first."""
        near = [self.folder, self.folder / "src"]
        deeper = sorted(p for p in self.folder.glob("*/") if not p.name.startswith("."))
        for root in [*near, *deeper]:
            if (root / name).is_dir() or (root / f"{name}.py").is_file():
                return root
        return None

    def relative(self, thing: griffe.Object) -> str:
        path = thing.filepath
        return path.relative_to(self.folder).as_posix() if isinstance(path, Path) else ""


def _kept(package: _Package, contract: Contract) -> tuple[str, int, str]:
    """(path, line, why the promise is broken); the reason is empty when it is kept."""
    name, _, rest = contract.symbol.partition(".")
    top = package.top(name)
    if isinstance(top, str):
        return "", 0, top
    try:
        found = top[rest] if rest else top
        thing = found.final_target if isinstance(found, griffe.Alias) else found
    except (griffe.AliasResolutionError, griffe.CyclicAliasError):
        why = (
            "it is only imported there from outside the tree; define it"
            if contract.signature
            else ""
        )
        return "", 0, why
    except (KeyError, ValueError):
        return "", 0, _missing(package, contract.symbol)
    path, line = package.relative(thing), thing.lineno or 0
    if not contract.signature:
        return path, line, ""
    why = _signature(thing, contract.signature)
    return path, line, f"{path}:{line} {why}" if why else ""


def _missing(package: _Package, symbol: str) -> str:
    """How far the path leads, so that the reader sees which part to add."""
    names = symbol.split(".")
    top = package.top(names[0])
    for end in range(len(names) - 1, 1, -1):
        try:
            assert not isinstance(top, str)
            _ = top[".".join(names[1:end])]
        except (KeyError, ValueError, griffe.GriffeError):
            continue
        return f"{'.'.join(names[:end])!r} has no {names[end]!r}; define it there"
    return f"{names[0]!r} has no {names[1]!r}; define it there"


def _signature(thing: griffe.Object, signature: str) -> str:
    promise = promised(signature)
    if promise is None:
        return f"cannot be compared: the plan's {signature!r} is no parameter list of Python"
    wanted = list(promise.parameters)
    if isinstance(thing, griffe.Class):
        return _constructor(thing, wanted)
    if not isinstance(thing, griffe.Function):
        return f"is no function but {thing.kind.value}; make it one that takes {signature}"
    actual = list(thing.parameters)
    why = mismatch(wanted, actual)
    if not why and promise.returns is not None and not same_type(promise.returns, thing.returns):
        why = f"returns {thing.returns or 'nothing it declares'}, not {promise.returns}"
    has = f"{thing.name}{told(actual, thing.returns)}"
    return f"has {has}: it {why}; give it the promised signature" if why else ""


def _constructor(thing: griffe.Class, wanted: list[griffe.Parameter]) -> str:
    if "__init__" in thing.members or "__init__" in thing.inherited_members:
        actual = list(thing.parameters)
        why = mismatch(wanted, actual)
        has = f"{thing.name}{told(unbound(actual), None)}"
        return f"has {has}: it {why}; give it the promised signature" if why else ""
    lacking = [p.name for p in unbound(wanted) if p.name not in thing.all_members]
    return f"has no attribute {lacking[0]!r}; add it to {thing.name}" if lacking else ""
