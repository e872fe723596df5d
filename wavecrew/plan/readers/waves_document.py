"""What stands where in a free wave document: task headings, trees, tables, lists, fields?"""

from __future__ import annotations

import re

from wavecrew.plan.readers.drawing import Drawn, has_joins, read_drawing
from wavecrew.plan.readers.estimates import estimate
from wavecrew.plan.readers.markdown import (
    Document,
    Fence,
    Heading,
    Item,
    Line,
    Paragraph,
    Row,
    Table,
    Visit,
    checkbox,
)
from wavecrew.plan.readers.phrases import (
    Field,
    field,
    fields,
    files_in,
    folded,
    plain,
    slug,
    without_marks,
)
from wavecrew.plan.readers.waves_entries import IDENTITY, KEYWORD, Entries, Entry, Place, is_done
from wavecrew.plan.readers.waves_words import (
    AGENT,
    BLOCKS,
    COLUMNS,
    FILES,
    HOURS,
    NEEDS,
    STATUS,
    Group,
    group_of,
    is_aside,
)

_TASK = re.compile(
    rf"^\W*(?:{KEYWORD}\s*#?\s*(?P<named>{IDENTITY}|[A-Z]\d*)|(?P<bare>{IDENTITY}))[*_]*"
    r"\s*(?:[:：)|]|\.(?=[\s*])|\s[-–—]+(?=\s)|—|–|$)[*_]*\s*(?P<title>.*)$",
    re.I,
)
_SPACED = re.compile(
    r"^(?P<bare>(?:[A-Z]{1,4}[-.]\d+(?:\.\d+)*|[A-Z]\d+|\d+(?:\.\d+)+)[a-z]?)[*_]*\s+(?P<title>\S.*)$"
)
_AGENT = re.compile(
    r"^\W*(?P<name>(?:agent|worker|developer|dev|engineer|specialist|coder|team)[\s-]*#?"
    r"(?P<number>[A-Z]\b|[A-Z]?\d+[a-z]?))\s*(?:\([^)]*\)\s*)?(?:[:：]|\s[-–—]+\s|$)\s*(?P<role>.*)$",
    re.I,
)
_HOURS_BEHIND = re.compile(
    r"\s*(?:[(\[]\s*(?P<inner>[^()\[\]]*)\s*[)\]]|\s[-–—]\s*(?P<dash>~?\d[^-]*))\s*$"
)
_NEEDS_BEHIND = re.compile(
    r"\s*(?:[(\[]|\s[—–-]\s*|,\s*)\s*(?:depends?(?:\s+on)?|deps|blocked\s+by|after|needs|requires)\s*:?\s*"
    r"(?P<refs>[^()\[\]]*)[)\]]?\s*$",
    re.I,
)
_STATUS_BEHIND = re.compile(
    r"\s*[-–—(\[]{0,3}\s*(?P<status>(?:✅|✔️?|❌|⏳|🟢|🔴|🟡|🔵|🚧)\s*(?:completed?|done"
    r"|in progress|pending|blocked|ready|not started)?"
    r"|\b(?:completed?|done|in progress|pending|not started)\b)"
    r"\s*[)\]]{0,3}\s*$",
    re.I,
)
_NUMBERED_AGENT = re.compile(r"^(?:agent|worker)?[\s-]*#?[A-Z]?\d+$", re.I)
_CELL_ID = re.compile(rf"^(?:{KEYWORD}\s*)?(#?{IDENTITY}|[A-Z]\d*|[A-Za-z]+[-_ ]\d+\w*)$", re.I)
_ARROW = re.compile(r"→|⇒|-->?|=>|->")
_TASK_LIST = re.compile(r"^(?:tasks?|issues?|tickets?|items|includes)$")


class DocumentReader:
    """Fills `entries` from one document."""

    def __init__(self, entries: Entries, document: Document) -> None:
        self.entries = entries
        self.visits = list(document.walk())
        self.places = {id(one.block): at for at, one in enumerate(self.visits)}
        self.current: tuple[Entry, int] | None = None
        """The task whose heading we are below, and the heading's level."""
        self.listed: set[int] = set()
        """Items that are tasks; what is below them has been read with them."""
        self.pending: tuple[Field, int] | None = None
        """A field without a value: the list below it is the value."""

    def run(self) -> None:
        for visit in self.visits:
            block = visit.block
            if isinstance(block, Heading):
                self._heading(block, visit)
            elif isinstance(block, Fence):
                self._fence(block, visit)
            elif isinstance(block, Table):
                self._table(block, visit)
            elif isinstance(block, Item):
                self._item(block, visit)
            elif isinstance(block, Paragraph):
                self._paragraph(block, visit)

    # Headings and their fields

    def _heading(self, heading: Heading, visit: Visit) -> None:
        self.pending = None
        if self.current and heading.level <= self.current[1]:
            self.current = None
        box, _, text = checkbox(heading.text)
        hit = _TASK.match(text) or _SPACED.match(text)
        if hit is None or is_aside(visit):
            return
        named = hit.groupdict().get("named")
        if not named and not self._has_fields(heading):
            return
        group = group_of(visit)
        written = named or hit["bare"]
        entry = self._define("heading", written, hit["title"], heading.line, group)
        if entry is not None:
            entry.draft.done = entry.draft.done or box in ("x", "X")
            self.current = (entry, heading.level)

    def _has_fields(self, heading: Heading) -> bool:
        """A bare number is a task when fields of a task follow, else a chapter."""
        start = self.places[id(heading)]
        for visit in self.visits[start + 1 : start + 12]:
            if isinstance(visit.block, Heading):
                return False
            for line in _lines(visit.block):
                found = field(line.text)
                if found and found.name in NEEDS | AGENT | HOURS:
                    return True
        return False

    def _paragraph(self, block: Paragraph, visit: Visit) -> None:
        if any(id(parent) in self.listed for parent in visit.parents):
            return
        drawn = [line for line in block.lines if line.text.lstrip()[:1] in "├└"]
        if drawn:
            self._drawing(block.lines, visit)
            return
        for line in block.lines:
            self._line(line, visit)

    def _line(self, line: Line, visit: Visit) -> None:
        if self._chain(line, visit):
            return
        for found in fields(line.text):
            self.pending = (found, line.number) if not found.value else None
            self._field(found, line.number, visit)

    def _chain(self, line: Line, visit: Visit) -> bool:
        """`1.1, 1.2 → 2.1` in a chapter about dependencies."""
        about = visit.headings and "dependenc" in visit.headings[-1].text.casefold()
        if not about or not _ARROW.search(line.text):
            return False
        self.entries.say("chain", line.text, line.number)
        return True

    def _field(self, found: Field, line: int, visit: Visit) -> None:
        name, value = found
        group = group_of(visit)
        if self.current is not None:
            self._task_field(self.current[0], name, value, line)
        elif name in NEEDS and value:
            self.entries.say("needs", value, line, group=group.name if group else None)
        elif _TASK_LIST.match(name) and group and value:
            self._members(value, line, group)

    def _task_field(self, entry: Entry, name: str, value: str, line: int) -> None:
        draft = entry.draft
        if not value:
            return
        if name in NEEDS:
            self.entries.say("needs", value, line, task=draft.id)
        elif name in BLOCKS:
            self.entries.say("blocks", value, line, task=draft.id)
        elif name in AGENT:
            draft.agent = draft.agent or plain(value).strip("`") or None
        elif name in HOURS:
            if draft.estimate is None:
                bare = re.fullmatch(r"~?\d+(?:\.\d+)?(?:\s*[-–]\s*\d+(?:\.\d+)?)?", plain(value))
                text = f"{value} h" if bare and "hour" in name else value
                self.entries.builder.estimate(draft, text, line)
        elif name in STATUS and not entry.status:
            entry.status = value
            draft.done = draft.done or is_done(value)
        elif name in FILES:
            draft.files = tuple(dict.fromkeys((*draft.files, *files_in(value))))

    def _members(self, value: str, line: int, group: Group) -> None:
        """`**Tasks:** 3.1, 4.1 (depends on Wave 3)` puts tasks into a group."""
        remark = re.search(r"\((depends on [^)]*)\)", value, re.I)
        if remark:
            self.entries.say("needs", remark[1], line, group=group.name)
        self.entries.say("prose", f"members of {group.name}\0{value}", line, group=group.name)

    # Lists

    def _item(self, item: Item, visit: Visit) -> None:
        if any(id(parent) in self.listed for parent in visit.parents):
            return
        if self.pending is not None and field(item.text) is None:
            found, _ = self.pending
            if found.name in NEEDS | BLOCKS | FILES and self.current is not None:
                self._task_field(self.current[0], found.name, item.text, item.line)
                return
            if _TASK_LIST.match(found.name) and (group := group_of(visit)):
                self._listed(item, visit, group)
                return
        if self._listed(item, visit, group_of(visit)):
            return
        self._line(Line(item.line, item.text), visit)

    def _listed(self, item: Item, visit: Visit, group: Group | None) -> bool:
        if self.current is not None or is_aside(visit):
            return False
        hit = _TASK.match(item.text)
        if hit is None and (item.box is not None or item.text.startswith("**")):
            hit = _SPACED.match(plain(item.text))
        if hit is None or not hit["title"].strip(" *:—–-"):
            return False
        named = hit.groupdict().get("named")
        bold = re.match(rf"\*\*{IDENTITY}", item.text)
        if not named and item.box is None and not bold and "." not in hit["bare"]:
            return False
        if not group and item.box is None:
            return False
        if not named and visit.parents and item.box is None:
            return False
        title = hit["title"]
        entry = self._define("list", named or hit["bare"], title, item.line, group)
        if entry is None:
            return False
        self.listed.add(id(item))
        entry.draft.done = entry.draft.done or item.box in ("x", "X")
        for child in item.children:
            for line in _lines(child):
                for found in fields(line.text):
                    self._task_field(entry, found.name, found.value, line.number)
        return True

    # Trees

    def _fence(self, fence: Fence, visit: Visit) -> None:
        if fence.info.lower() not in ("", "text", "txt", "plaintext", "plain", "tree", "ascii"):
            return
        if not is_aside(visit):
            self._drawing(fence.lines, visit)
            if not has_joins(fence.lines):
                for line in fence.lines:
                    self._chain(line, visit)

    def _drawing(self, lines: tuple[Line, ...], visit: Visit) -> None:
        if self.current is not None:
            return
        around = group_of(visit)
        group, agent = around, None
        drawn = read_drawing(lines)
        if not any(one.is_branch and _leaf_of(one.text) for one in drawn):
            return
        for at, one in enumerate(drawn):
            header = Group.of(one.text)
            if header is not None and not (one.is_branch and _leaf_of(one.text)):
                group, agent = header, None
            elif _AGENT.match(one.text):
                agent = one.text.rstrip(" :")
            elif one.is_branch:
                self._leaf(drawn, at, group, agent)

    def _leaf(
        self, drawn: tuple[Drawn, ...], at: int, group: Group | None, agent: str | None
    ) -> None:
        leaf = drawn[at]
        hit = _leaf_of(leaf.text)
        if hit is None:
            return
        written = hit.groupdict().get("named") or hit["bare"]
        entry = self._define("tree", written, hit["title"], leaf.line, group, agent)
        if entry is not None:
            self._check_glyph(drawn, at, entry.draft.id)

    def _check_glyph(self, drawn: tuple[Drawn, ...], at: int, task: str) -> None:
        leaf = drawn[at]
        after = drawn[at + 1] if at + 1 < len(drawn) else None
        if after is not None and after.depth > leaf.depth:
            return
        sibling = after is not None and after.is_branch and after.depth == leaf.depth
        if leaf.is_last and sibling:
            message = "drawn as the last child, but another follows"
            self.entries.builder.report("tree_glyph", leaf.line, (task,), message)
        elif not leaf.is_last and not sibling:
            message = "drawn as if another child followed, but none does"
            self.entries.builder.report("tree_glyph", leaf.line, (task,), message)

    # Tables

    def _table(self, table: Table, visit: Visit) -> None:
        names = [plain(cell).casefold().strip(" #.") or cell.strip() for cell in table.header]
        at = {what: _column(names, words) for what, words in COLUMNS.items()}
        details = [at[what] for what in ("hours", "agent", "needs", "status", "group", "blocks")]
        if (at["id"] is None and at["title"] is None) or not any(x is not None for x in details):
            return
        if is_aside(visit) and at["needs"] is None:
            return
        for row in table.rows:
            self._row(row, at, group_of(visit))

    def _row(self, row: Row, at: dict[str, int | None], group: Group | None) -> None:
        def cell(what: str) -> str:
            place = at[what]
            return row.cells[place].strip() if place is not None else ""

        title = cell("title")
        written = plain(cell("id"))
        if not written or at["id"] == at["title"]:
            hit = _TASK.match(title) or _SPACED.match(plain(title))
            numbered = _NUMBERED_AGENT.match(plain(cell("agent")))
            if hit is None and not numbered:
                self._nameless(row, title, at, group)
                return
            if hit is not None:
                written = (hit.groupdict().get("named") or hit["bare"]).strip()
                title = hit["title"] or title
            elif numbered:
                written = numbered.group()
        else:
            named = _CELL_ID.match(written)
            if named is None:
                return
            written = named[1]
        wave = Group.of(cell("group")) or Group.of(f"Wave {cell('group')}")
        known = self.entries.by_id.get(written)
        if known is None and not title:
            return
        entry = known or self._define("table", written, title, row.line, wave or group)
        if entry is None:
            return
        if known is not None and title:
            self.entries.define("table", written, _clean(title)[0], row.line, group=None)
        if wave:
            entry.draft.group = entry.draft.group or wave.name
        for what, name in _CELLS:
            self._task_field(entry, name, cell(what), row.line)

    def _nameless(
        self, row: Row, title: str, at: dict[str, int | None], group: Group | None
    ) -> None:
        if not group or not title or at["hours"] is None or at["agent"] is None:
            return
        if re.match(r"\W*(?:total|sum|subtotal)\b", title, re.I):
            return
        name = slug(title)
        entry = self.entries.define("table", name, title, row.line, group=group.name)
        self.entries.builder.report("missing_id", row.line, (name,), f"no id; called {name!r} here")
        for what, field_name in _CELLS:
            place = at[what]
            if place is not None:
                self._task_field(entry, field_name, row.cells[place].strip(), row.line)

    def _define(
        self,
        place: Place,
        written: str,
        title: str,
        line: int,
        group: Group | None,
        agent: str | None = None,
    ) -> Entry | None:
        clean, hours, needs, status = _clean(title)
        if not clean and place != "table":
            clean = written
        entry = self.entries.define(
            place,
            written,
            clean,
            line,
            group=group.name if group else None,
            agent=agent,
        )
        if group:
            self.entries.builder.groups.setdefault(group.name, group.line or line)
        if hours and entry.draft.estimate is None:
            self.entries.builder.estimate(entry.draft, hours, line)
        if needs:
            self.entries.say("needs", needs, line, task=entry.draft.id)
        if status and not entry.status:
            entry.status = status
            if is_done(status):
                entry.draft.done = True
                message = f"taken as done because of {status!r}"
                self.entries.builder.report("status_by_mark", line, (entry.draft.id,), message)
        return entry


_CELLS = (
    ("hours", "estimated hours"),
    ("agent", "agent"),
    ("needs", "dependencies"),
    ("blocks", "blocks"),
    ("status", "status"),
    ("files", "files"),
)


def _leaf_of(text: str) -> re.Match[str] | None:
    """A drawn line that names a task; a bar of progress or a mere number names none."""
    hit = _TASK.match(text) or _SPACED.match(text)
    if hit is None or re.search(r"[█▓░▒]|\d\s*%", text):
        return None
    named = hit.groupdict().get("named")
    return None if not named and hit["bare"].isdigit() else hit


def _column(names: list[str], words: frozenset[str]) -> int | None:
    return next((at for at, name in enumerate(names) if name in words), None)


def _lines(block: object) -> tuple[Line, ...]:
    if isinstance(block, Item):
        return (Line(block.line, block.text),)
    return block.lines if isinstance(block, Paragraph) else ()


def _clean(title: str) -> tuple[str, str, str, str]:
    """(title, estimate, dependencies, status): what is written behind the title taken off."""
    hours = needs = status = ""
    rest = folded(title)
    for _ in range(4):
        before = rest
        if hit := _STATUS_BEHIND.search(rest):
            status = status or hit["status"].strip()
            rest = rest[: hit.start()]
        hit = _NEEDS_BEHIND.search(rest)
        if hit and re.search(r"\d|\b(?:all|none|nothing)\b", hit["refs"], re.I):
            needs = needs or hit["refs"]
            rest = rest[: hit.start()]
            rest += ")" * (rest.count("(") > rest.count(")"))
        if (hit := _HOURS_BEHIND.search(rest)) and estimate(hit["inner"] or hit["dash"] or ""):
            hours = hours or hit["inner"] or hit["dash"]
            rest = rest[: hit.start()]
        if rest == before:
            break
    return plain(without_marks(rest)).strip(" :"), hours, needs, status
