"""Which names and texts of a document can stand in our files, and as what?

An id becomes a file name, a branch and a trailer, so what the loaders would
refuse is mapped to something plain that stays recognisable.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container

from wavecrew.plan.entries import identifier
from wavecrew.plan.problem import Place

_LONGEST = 60


def is_plain(name: str) -> bool:
    """Whether the loaders take it as an id."""
    return not identifier(Place(""), name, "")


def plain(name: str, fallback: str, taken: Container[str] = ()) -> str:
    """`name` when it can be an id, else the nearest that can; numbered when it is taken."""
    chosen = name if is_plain(name) else _mapped(name) or fallback
    if chosen not in taken:
        return chosen
    base = chosen[:90].rstrip(".-_")
    number = 2
    while f"{base}-{number}" in taken:
        number += 1
    return f"{base}-{number}"


def slug(text: str, joint: str) -> str:
    """Lower-case ASCII words; empty when there is no letter or digit in it."""
    words = re.findall(r"[a-z0-9]+", ascii_of(text).lower())
    made = joint.join(words)
    return made if len(made) <= _LONGEST else made[:_LONGEST].rsplit(joint, 1)[0]


def ascii_of(text: str) -> str:
    """Accents taken off, everything else outside ASCII left out."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def clean(text: str) -> str:
    """Without control characters, which no editor shows and a terminal obeys."""
    kept = (one if one.isprintable() or one in "\n " else " " for one in text.expandtabs(4))
    return "".join(kept).strip()


def line_of(text: str) -> str:
    """`clean`, in one line."""
    return " ".join(clean(text).split())


def _mapped(name: str) -> str:
    text = re.sub(r"[^A-Za-z0-9._-]+", "-", ascii_of(name))
    text = re.sub(r"\.{2,}", ".", text)
    text = re.sub(r"-{2,}", "-", text).lstrip("._-")[:80].rstrip("._-")
    while text.endswith(".lock"):
        text = text.removesuffix(".lock").rstrip("._-")
    return text if text and is_plain(text) else ""
