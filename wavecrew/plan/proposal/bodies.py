"""What does the document say about a task beyond its title, and when is it done?

The readers keep the line of a task; this takes the text below it, from the
section of its heading or the indented lines of its list item.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import PurePosixPath
from textwrap import dedent
from typing import NamedTuple

from wavecrew.plan.proposal.names import clean
from wavecrew.plan.readers.model import ImportedTask
from wavecrew.plan.readers.source import Source, SourceFile

LONGEST = 6_000
"""Characters of a description; the rest stays in the document."""

_HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*$")
_FENCE = re.compile(r"^\s{0,3}(```|~~~)")
_ITEM = re.compile(r"^(\s*)(?:[-*+]|\d{1,9}[.)])\s")
_NAMED = re.compile(
    r"^\W*(?:[A-Za-z]+\s+)?#?(?P<id>[A-Za-z]{0,4}-?\d+(?:[.\-]\d+)*[a-z]?)\s*[:.)\-–—]"
)
_ACCEPTANCE = re.compile(
    r"\b(?:acceptance|success[ _]criteria|definition of done|done when|test requirements"
    r"|expected (?:output|result)s?)\b"
    r"[^:：\n]{0,30}[:：*_\s]*(?P<rest>.*)$",
    re.IGNORECASE,
)


class Heading(NamedTuple):
    line: int
    level: int
    text: str


class Bodies:
    """The text of each task; built once for a document."""

    def __init__(self, source: Source, tasks: Iterable[ImportedTask], ids: Collection[str]) -> None:
        self.lead = lead_of(source)
        self._folder = source.folder if source.is_folder else ""
        in_file = Counter(task.file for task in tasks if task.file)
        self._alone = {name for name, count in in_file.items() if count == 1}
        """Files that are one task as a whole; with a single file nothing tells that."""
        self._files = {file.name: file for file in source.files}
        self._headings = {file.name: _headings(file) for file in source.files}
        self._named = _named_headings(self._headings, ids)

    def of(self, task: ImportedTask, member: str) -> str:
        """What stands below the task, or below a heading that names `member`; "" when nothing."""
        file = self._files.get(task.file or self.lead)
        text = "" if file is None or task.range_members else self._below(file, task.line)
        if not text and member in self._named:
            name, heading = self._named[member]
            text = self._section(self._files[name], heading)
        text = "\n".join(line.rstrip() for line in clean(dedent(text.expandtabs(4))).split("\n"))
        text = text.removesuffix("\n---").rstrip()
        return text if len(text) <= LONGEST else text[:LONGEST].rsplit("\n", 1)[0] + "\n..."

    def title(self) -> str:
        """The top heading of the document that leads, else the folder's name; "" without."""
        headings = list(self._headings.get(self.lead, {}).values())
        top = [one for one in headings if one.level == 1] or headings[: not self._folder]
        return clean(top[0].text) if top else self._folder

    def _below(self, file: SourceFile, line: int) -> str:
        if line == 0 or file.name in self._alone:
            return re.sub(r"\A---\n.*?\n---\n", "", file.text, count=1, flags=re.DOTALL)
        if line in self._headings[file.name]:
            return self._section(file, self._headings[file.name][line])
        written = file.lines[line - 1] if line <= len(file.lines) else ""
        item = _ITEM.match(written)
        return _indented(file, line, len(item[1])) if item else ""

    def _section(self, file: SourceFile, heading: Heading) -> str:
        end = len(file.lines)
        for number in range(heading.line + 1, end + 1):
            other = self._headings[file.name].get(number)
            if other is not None and other.level <= heading.level:
                end = number - 1
                break
        return "\n".join(file.lines[heading.line : end]).strip("\n")


def lead_of(source: Source) -> str:
    """Name of the file that was asked for, or the first of its folder."""
    own = PurePosixPath(source.path).name
    names = [file.name for file in source.files]
    return own if own in names else names[0]


def acceptance(body: str) -> str:
    """What the text lists as acceptance; "" when it says nothing of the kind."""
    lines = body.split("\n")
    for at, line in enumerate(lines):
        hit = _ACCEPTANCE.search(line) if len(line) < 300 else None
        if hit is None:
            continue
        if rest := hit["rest"].strip(" *_<>"):
            return rest
        listed: list[str] = []
        for below in lines[at + 1 :]:
            if below.strip() and not _ITEM.match(below) and not below.startswith("  "):
                break
            if below.strip():
                listed.append(below.rstrip())
        if listed:
            return clean(dedent("\n".join(listed)))
    return ""


def _headings(file: SourceFile) -> dict[int, Heading]:
    found: dict[int, Heading] = {}
    fence = ""
    for number, line in enumerate(file.lines, start=1):
        mark = _FENCE.match(line)
        if mark and (not fence or mark[1] == fence):
            fence = "" if fence else mark[1]
        elif not fence and (hit := _HEADING.match(line[:500])):
            found[number] = Heading(number, len(hit[1]), hit[2])
    return found


def _named_headings(
    headings: Mapping[str, Mapping[int, Heading]], ids: Collection[str]
) -> dict[str, tuple[str, Heading]]:
    """Task id -> the first heading that begins with it, and the file it stands in."""
    found: dict[str, tuple[str, Heading]] = {}
    for name, below in headings.items():
        for heading in below.values():
            hit = _NAMED.match(heading.text)
            if hit and hit["id"] in ids:
                found.setdefault(hit["id"], (name, heading))
    return found


def _indented(file: SourceFile, line: int, indent: int) -> str:
    kept: list[str] = []
    for below in file.lines[line:]:
        if below.strip() and len(below) - len(below.lstrip()) <= indent:
            break
        kept.append(below)
    return "\n".join(kept).strip("\n")
