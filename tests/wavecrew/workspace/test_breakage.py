"""Symbols that one branch takes away while another begins to use them."""

from __future__ import annotations

import time
from typing import Any

import pytest

from wavecrew.workspace.collisions import Collision, forecast

SHOP = '''\
"""A shop."""

import json
from dataclasses import dataclass


def price(item, count=1):
    return count


def total(
    items,
    rate=0,
):
    return sum(items)


def unused(): ...


class Cart:
    def __init__(self, owner):
        self.owner = owner

    def add(self, item):
        return item

    @staticmethod
    def make(owner):
        return Cart(owner)

    @classmethod
    def load(cls, path):
        return cls(path)


class BigCart(Cart):
    def grow(self): ...


@dataclass
class Line:
    item: str
'''
FILES = {
    "app/__init__.py": "from .shop import Cart, price\n",
    "app/shop.py": SHOP,
    "app/old.py": "def helper(): ...\n",
    "app/wild.py": "from elsewhere import *\n\n\ndef helper(): ...\n",
    "src/lib/tools.py": "def cut(text): ...\n",
    "app/caller.py": "from app.shop import unused\n\n\ndef there():\n    unused()\n",
    "README": "x\n",
}


def shop_with(old: str, new: str) -> bytes:
    assert old in SHOP
    return SHOP.replace(old, new).encode()


def user(text: str) -> dict[str, bytes | None]:
    return {"app/user.py": text.encode()}


GONE_PRICE = {"app/shop.py": shop_with("def price(item, count=1):", "def cost(item, count=1):")}
TWO_NEEDED = {"app/shop.py": shop_with("price(item, count=1)", "price(item, count)")}
NEW_OPTION = {"app/shop.py": shop_with("price(item, count=1)", "price(item, count=1, tax=0)")}
ADD_NEEDS = {"app/shop.py": shop_with("add(self, item)", "add(self, item, count)")}
NEW_OWNER = {"app/shop.py": shop_with("__init__(self, owner)", "__init__(self, owner, till)")}
PRICE, ADD = ("app.shop.price",), ("app.shop.Cart.add",)

BREAKS: dict[str, tuple[Any, str, tuple[str, ...]]] = {
    "an import of it": (GONE_PRICE, "from app.shop import price\n", PRICE),
    "an import through a package": (GONE_PRICE, "from app import price\n", PRICE),
    "a relative import": (GONE_PRICE, "from .shop import price\n", PRICE),
    "a name of its module": (GONE_PRICE, "import app.shop\nf = app.shop.price\n", PRICE),
    "a name of its renamed module": (GONE_PRICE, "import app.shop as s\ns.price(1)\n", PRICE),
    "an import inside a function": (
        GONE_PRICE,
        "def f():\n    from app.shop import price\n    price(1)\n",
        PRICE,
    ),
    "a call that lacks what is demanded now": (
        TWO_NEEDED,
        "from app.shop import price\nprice(1)\n",
        PRICE,
    ),
    "a parameter by its old name": (
        {"app/shop.py": shop_with("price(item, count=1)", "price(item, number=1)")},
        "from app.shop import price\nprice(1, count=2)\n",
        PRICE,
    ),
    "more arguments than are taken": (
        {"app/shop.py": shop_with("price(item, count=1)", "price(item)")},
        "from app.shop import price\nprice(1, 2)\n",
        PRICE,
    ),
    "a parameter added on a line of its own": (
        {"app/shop.py": shop_with("    rate=0,\n", "    rate=0,\n    *,\n    tax,\n")},
        "from app.shop import total\ntotal([1])\n",
        ("app.shop.total",),
    ),
    "a method of a variable": (
        ADD_NEEDS,
        "from app.shop import Cart\n\n\ndef f():\n    cart = Cart(1)\n    cart.add(2)\n",
        ADD,
    ),
    "a method of a parameter": (
        ADD_NEEDS,
        "from app.shop import Cart\n\n\ndef f(cart: Cart):\n    cart.add(2)\n",
        ADD,
    ),
    "a method of what was just made": (ADD_NEEDS, "from app import Cart\nCart(1).add(2)\n", ADD),
    "an inherited method": (
        ADD_NEEDS,
        "from app.shop import BigCart\n\n\nclass C(BigCart):\n    def f(self):\n        self.add(1)\n",
        ADD,
    ),
    "a method without its object": (
        ADD_NEEDS,
        "from app.shop import Cart\n\n\ndef f(cart):\n    Cart.add(cart, 1)\n",
        ADD,
    ),
    "a static method": (
        {"app/shop.py": shop_with("def make(owner)", "def make(owner, till)")},
        "from app.shop import Cart\nCart.make(1)\n",
        ("app.shop.Cart.make",),
    ),
    "a class method": (
        {"app/shop.py": shop_with("def load(cls, path)", "def load(cls, path, mode)")},
        "from app.shop import Cart\nCart.load(1)\n",
        ("app.shop.Cart.load",),
    ),
    "a removed method": (
        {"app/shop.py": shop_with("    def add(self, item):\n        return item\n\n", "")},
        "from app.shop import Cart\nCart(1).add(2)\n",
        ADD,
    ),
    "a constructor": (NEW_OWNER, "from app import Cart\nCart(1)\n", ("app.shop.Cart",)),
    "an inherited constructor": (
        NEW_OWNER,
        "from app.shop import BigCart\nBigCart(1)\n",
        ("app.shop.BigCart",),
    ),
    "the constructor of a base": (
        NEW_OWNER,
        "from app import Cart\n\n\nclass Mine(Cart):\n    def __init__(self):\n        super().__init__(1)\n",
        ("app.shop.Cart.__init__",),
    ),
    "a whole module": ({"app/old.py": None}, "from app.old import helper\n", ("app.old.helper",)),
    "a module beneath src": (
        {"src/lib/tools.py": b"def trim(text): ...\n"},
        "from lib.tools import cut\n",
        ("lib.tools.cut",),
    ),
    "an import others took it from": (
        {"app/__init__.py": b"from .shop import Cart\n"},
        "from app import price\n",
        PRICE,
    ),
}

HOLDS: dict[str, tuple[Any, str]] = {
    "a new option": (NEW_OPTION, "from app.shop import price\nprice(1)\nprice(1, count=2)\n"),
    "a call that fits both": (TWO_NEEDED, "from app.shop import price\nprice(1, 2)\n"),
    "a call whose arguments are not written out": (
        TWO_NEEDED,
        "from app.shop import price\nargs = [1]\nprice(*args)\nprice(**{})\n",
    ),
    "an import without a call": (TWO_NEEDED, "from app.shop import price\nf = price\n"),
    "a method of another class": (
        ADD_NEEDS,
        "class Bag:\n    def add(self, item): ...\n\n\ndef f(bag: Bag, other):\n"
        "    bag.add(1)\n    other.add(2)\n    set().add(3)\n",
    ),
    "a variable that is another thing in between": (
        ADD_NEEDS,
        "from app.shop import Cart\n\n\ndef f():\n    x = Cart(1)\n    x = set()\n    x.add(1)\n",
    ),
    "a name of its own": (GONE_PRICE, "def price(item): ...\n\n\nprice(1)\n"),
    "a parameter of that name": (
        GONE_PRICE,
        "def f(price):\n    price(1)\n",
    ),
    "a moved function that can still be imported": (
        {
            "app/shop.py": shop_with("def price(item, count=1):\n    return count\n", "").replace(
                b"import json", b"import json\nfrom .prices import price"
            ),
            "app/prices.py": b"def price(item, count=1):\n    return count\n",
        },
        "from app.shop import price\nprice(1)\n",
    ),
    "a word in a text": (GONE_PRICE, "TEXT = 'price'\n"),
    "what a star may bring": (
        {"app/wild.py": b"from elsewhere import *\n"},
        "from app.wild import helper\n",
    ),
    "a call that never fitted": (TWO_NEEDED, "from app.shop import price\nprice()\n"),
    "another function of the module": (GONE_PRICE, "from app.shop import total\ntotal([1])\n"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_what_one_takes_away_collides_with(shop: Any, name: str) -> None:
    taken, text, symbols = BREAKS[name]
    assert found(shop, taken, user(text)) == (Collision("1", "2", (), symbols),)


@pytest.mark.parametrize("name", HOLDS)
def test_no_collision_is_made_of(shop: Any, name: str) -> None:
    taken, text = HOLDS[name]
    assert found(shop, taken, user(text)) == ()


def test_who_lands_first_does_not_matter(shop: Any) -> None:
    calls = user("from app.shop import price\nprice(1)\n")
    assert found(shop, calls, GONE_PRICE) == (Collision("1", "2", (), PRICE),)


def test_only_uses_that_are_new_count(shop: Any) -> None:
    """The branch that takes a symbol away has mended the callers it saw, or its gate is red."""
    gone = {"app/shop.py": shop_with("def unused(): ...\n", "")}
    edited = FILES["app/caller.py"] + "\n\ndef here(): ...\n"
    assert found(shop, gone, {"app/caller.py": edited.encode()}) == ()
    more = FILES["app/caller.py"] + "\n\ndef here():\n    unused()\n"
    symbols = ("app.shop.unused",)
    assert found(shop, gone, {"app/caller.py": more.encode()}) == (
        Collision("1", "2", (), symbols),
    )


HOSTILE = {
    "no Python": b"def price(:\n",
    "no text": b"\xff\xfe\0price\n",
    "ten megabytes": b"price = 1\n" * 1_000_000,
    "deep brackets": b"price = " + b"(" * 50_000 + b")" * 50_000 + b"\n",
    "a deep sum": b"price = " + b"+".join([b"1"] * 20_000) + b"\n",
    "deep attributes": b"price = a" + b".b" * 20_000 + b"\n",
    "deep blocks": b"".join(b" " * n + b"if price:\n" for n in range(2_000)),
    "null bytes": b"price = 1\0\n",
    "a long line of spaces": b"price" + b" " * 250_000 + b"!\n",
    "one name twice in a signature": b"def price(item, item): ...\n",
    "an import from above the root": b"from .......... import price\nfrom . import price\n",
    "modules that import each other": b"from app.user import price\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_source_is_passed_over_in_time(shop: Any, name: str) -> None:
    begun = time.monotonic()
    hostile = {"app/shop.py": HOSTILE[name], "app/user.py": HOSTILE[name]}
    calls = {
        "app/mine.py": b"from app.shop import price\nfrom app.user import price as p\nprice(1)\n"
    }
    found(shop, hostile, calls)
    found(shop, GONE_PRICE, user(HOSTILE[name].decode("latin-1")))
    assert time.monotonic() - begun < 20


def test_modules_that_could_not_be_read_are_named(shop: Any) -> None:
    passed_over: set[str] = set()
    found(shop, {"app/shop.py": b"def (\n"}, {"new.py": b"x = 1\n"}, passed_over)
    assert passed_over == {"app/shop.py"}


def found(
    shop: Any, ours: Any, theirs: Any, passed_over: set[str] | None = None
) -> tuple[Collision, ...]:
    base = shop.git("rev-parse", "HEAD") if shop.user.exists() else shop.start(FILES)
    mirror = shop.mirror()
    branches = {"1": shop.branch(mirror, base, ours), "2": shop.branch(mirror, base, theirs)}
    return forecast(mirror, base, branches, passed_over=passed_over)
