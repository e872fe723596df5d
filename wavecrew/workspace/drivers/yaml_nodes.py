"""Where everything of a YAML document stands, told from its events.

Nothing is constructed and no alias is followed, so anchors that multiply, tags
and odd types cost no more than the text they are written with.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, Literal

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from wavecrew.workspace.drivers.pieces import DEEPEST

_OTHER_BREAKS = "\x85\u2028\u2029\ufeff"


Kind = Literal["map", "seq", "scalar", "alias"]


@dataclass(slots=True)
class Node:
    kind: Kind
    said: tuple[Hashable, ...]
    """Anchor and tag, and of a scalar the value and whether it is text by its quotes."""
    start: int
    end: int
    """Offsets in the text."""
    line: int
    column: int
    is_flow: bool = False
    is_plain: bool = True
    """No anchor and no tag."""
    children: list[Node] = field(default_factory=list)
    """Of a map, keys and values in turn."""

    @property
    def pairs(self) -> list[tuple[Node, Node]]:
        """Key and value of each entry; of a list, each item as both."""
        if self.kind == "seq":
            return [(item, item) for item in self.children]
        return list(zip(self.children[::2], self.children[1::2], strict=True))

    @property
    def meaning(self) -> Hashable:
        return self.kind, self.said, tuple(child.meaning for child in self.children)


def read(text: str) -> Node | None:
    """The root of the only document; None for several, none, or no YAML within sense."""
    if any(sign in text for sign in _OTHER_BREAKS) or "\r" in text.replace("\r\n", ""):
        return None
    root: list[Node] = []
    opened: list[Node] = []
    anchors: set[str] = set()
    documents = 0
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            if isinstance(event, DocumentStartEvent):
                documents += 1
            if isinstance(event, DocumentEndEvent) and event.explicit:
                return None
            if documents > 1 or len(opened) > DEEPEST:
                return None
            if not _is_known(event, anchors):
                return None
            if isinstance(event, MappingEndEvent | SequenceEndEvent):
                opened.pop().end = event.end_mark.index
            elif (node := _node(event)) is not None:
                (opened[-1].children if opened else root).append(node)
                if node.kind in ("map", "seq"):
                    opened.append(node)
    except (YAMLError, ValueError, IndexError, AttributeError, TypeError, RecursionError):
        return None
    return root[0] if len(root) == 1 and not opened else None


def _is_known(event: Event, anchors: set[str]) -> bool:
    """Whether an alias names an anchor above it, and an anchor is the only one of its name."""
    anchor = getattr(event, "anchor", None)
    if anchor is None:
        return True
    if isinstance(event, AliasEvent):
        return anchor in anchors
    is_new = anchor not in anchors
    anchors.add(anchor)
    return is_new


def _node(event: Event) -> Node | None:
    kind: Kind
    said: tuple[Any, ...]
    match event:
        case MappingStartEvent() | SequenceStartEvent():
            kind = "map" if isinstance(event, MappingStartEvent) else "seq"
            said = (event.anchor, str(event.ctag or ""))
            is_flow = bool(event.flow_style)
            is_plain = event.anchor is None and not event.ctag
        case ScalarEvent():
            kind, is_flow = "scalar", False
            said = (event.anchor, str(event.ctag or ""), event.value, event.implicit[0])
            is_plain = event.anchor is None and not event.ctag
        case AliasEvent():
            kind, said, is_flow, is_plain = "alias", (event.anchor,), False, True
        case _:
            return None
    mark = event.start_mark
    return Node(
        kind, said, mark.index, event.end_mark.index, mark.line, mark.column, is_flow, is_plain
    )
