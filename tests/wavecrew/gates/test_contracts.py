from __future__ import annotations

import pytest

from wavecrew.gates.contracts import check_contracts, contract_findings
from wavecrew.plan.model import Contract

ASSET = """
from __future__ import annotations
from dataclasses import dataclass
from sqlalchemy.orm import DeclarativeBase
raise SystemExit("never imported")

@dataclass
class Asset:
    id: str
    tags: list[str]
    name: str = ""

    def find(self, asset_id: str, *, deep: bool = False) -> Asset | None: ...

    @property
    def label(self) -> str: ...

class Row(DeclarativeBase):
    __tablename__ = "rows"
    id: int
    value = 3

def merge(a: "Asset", b: Asset, /, *others: Asset, key=None) -> "list[Asset]": ...

LIMIT = 3
"""


@pytest.fixture
def tree(tmp_path):
    package = tmp_path / "tree" / "shop"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        "from .asset import Asset\nfrom .asset import merge as join\nfrom os import path\n"
    )
    (package / "asset.py").write_text(ASSET)
    return tmp_path / "tree"


@pytest.mark.parametrize(
    ("symbol", "signature"),
    [
        ("shop", ""),
        ("shop.asset.Asset", ""),
        ("shop.Asset", "(id: str, tags: list[str], name: str = '')"),
        ("shop.Asset", "(self, id: str, tags)"),
        ("shop.Asset.find", "(self, asset_id: str) -> Optional[Asset]"),
        ("shop.asset.Asset.find", "(asset_id, *, deep=False)"),
        ("shop.asset.Asset.label", ""),
        ("shop.asset.Row", "(id: int, value)"),
        ("shop.asset.merge", "(a: Asset, b: Asset, /) -> List[Asset]"),
        ("shop.join", "(a, b, /, *others)"),
        ("shop.asset.LIMIT", ""),
        ("shop.path", ""),
    ],
)
def test_a_kept_promise_is_no_finding(tree, symbol, signature):
    assert check_contracts(tree, [Contract(symbol=symbol, signature=signature)]) == ()


@pytest.mark.parametrize(
    ("symbol", "signature", "told"),
    [
        ("stock.Asset", "", "no module 'stock'"),
        ("shop.Basket", "", "'shop' has no 'Basket'"),
        ("shop.asset.Asset.lose", "", "'shop.asset.Asset' has no 'lose'"),
        ("shop.nowhere.x", "", "'shop' has no 'nowhere'"),
        ("shop.Asset.find", "(self, name: str)", "no parameter 'name'"),
        ("shop.Asset.find", "(self, asset_id: int)", "'asset_id' as str, not int"),
        ("shop.Asset.find", "(self, asset_id: str) -> Asset", "not Asset"),
        ("shop.Asset.find", "(self, asset_id, deep)", "by keyword only"),
        ("shop.Asset", "(id: str)", "demands 'tags'"),
        ("shop.Asset", "(id, tags=None)", "demands 'tags', which the promise makes optional"),
        ("shop.Asset", "(tags, id)", "in this order"),
        ("shop.asset.merge", "(a, b)", "by position only"),
        ("shop.asset.merge", "(a, b, /, **options)", "**options"),
        ("shop.asset.Row", "(id, colour)", "no attribute 'colour'"),
        ("shop.asset.LIMIT", "()", "is no function"),
        ("shop.path", "()", "outside the tree"),
        ("shop.asset.merge", "(a, b", "no parameter list"),
    ],
)
def test_a_broken_promise_says_what_differs(tree, symbol, signature, told):
    (finding,) = check_contracts(tree, [Contract(symbol=symbol, signature=signature)])
    assert finding.rule == "contract_broken"
    assert told in finding.message


def test_the_place_of_the_symbol_is_told(tree):
    (finding,) = check_contracts(tree, [Contract(symbol="shop.join", signature="(x)")])
    line = 1 + next(n for n, text in enumerate(ASSET.splitlines()) if "def merge" in text)
    assert (finding.path, finding.line) == ("shop/asset.py", line)


def test_packages_below_src_and_one_folder_down_are_found(tree):
    for folder in ("src", "backend"):
        (tree / folder / f"in_{folder}").mkdir(parents=True)
        (tree / folder / f"in_{folder}" / "__init__.py").write_text("def f(): ...\n")
        assert check_contracts(tree, [Contract(symbol=f"in_{folder}.f", signature="()")]) == ()


def test_source_that_cannot_be_read_breaks_its_promises(tree):
    (tree / "shop" / "asset.py").write_text("def (:\n")
    (finding,) = check_contracts(tree, [Contract(symbol="shop.asset.Asset")])
    assert finding.rule == "contract_broken"


def test_reading_never_leaves_the_tree(trees, tmp_path, sandbox):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.py").write_text("def f(): ...\n")

    class Linked(trees):
        def checkout(self, tree, into, sandbox):
            (into / "shop").symlink_to(outside)
            (into / "x.pth").write_text(f"{outside}\n")

    promises = [Contract(symbol="shop.secret.f"), Contract(symbol="secret.f")]
    told = contract_findings(Linked(), "t", promises, sandbox, tmp_path / "scratch")
    assert len(told) == 2
    assert (outside / "secret.py").exists()
    assert not (tmp_path / "scratch").exists()
