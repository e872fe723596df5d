"""What did pytest report? Its JUnit files, read as the hostile input they are.

The agent's code runs in the process that writes them, so: a size limit, no
document type, no entities, and a seal that the engine's plugin puts on at the
end (`inside/wavecrew_receipt.py`). What a seal cannot show: code that looks
for the plugin's key in its own process on purpose and forges a whole report.
That takes code in the diff which people and the other rules can see.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

MOST_BYTES = 32_000_000
MOST_FILES = 50
MOST_TEXT = 4_000


class ReportRefused(Exception):
    """The report is missing, incomplete, too large, unsealed or not what pytest writes."""


@dataclass
class Report:
    """Outcomes by test id (`path::Class::name[param]`; a path alone when it was not collected)."""

    passed: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)
    """Id -> the failure as pytest printed it, cut."""
    skipped: set[str] = field(default_factory=set)

    @property
    def total(self) -> int:
        return len(self.passed) + len(self.failed) + len(self.skipped)

    def add(self, other: Report) -> None:
        """Take another session's outcomes in; a failure anywhere stays a failure."""
        self.failed.update(other.failed)
        self.passed = (self.passed | other.passed) - self.failed.keys()
        self.skipped = (self.skipped | other.skipped) - self.failed.keys() - self.passed


def read_reports(folder: Path, key: str) -> Report:
    """The outcomes of every pytest session of one command, or ReportRefused."""
    try:
        return _read_reports(folder, key)
    except OSError as error:
        raise ReportRefused(f"the test report cannot be read: {error.strerror}") from error


def _read_reports(folder: Path, key: str) -> Report:
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.startswith("junit-"))
    started = {name.removesuffix(".started") for name in names if name.endswith(".started")}
    written = {name.removesuffix(".xml") for name in names if name.endswith(".xml")}
    if not started and not written:
        raise ReportRefused("no test report was written; pytest did not get to run")
    if written - started or len(started) > MOST_FILES:
        raise ReportRefused("the test report was not written by the pytest that was started")
    if started - written:
        raise ReportRefused("no test report was written; the test process ended before pytest did")
    whole = Report()
    for stem in sorted(started):
        data = _bytes(folder / f"{stem}.xml")
        seal = _bytes(folder / f"{stem}.seal").decode("ascii", errors="replace")
        expected = hmac.new(key.encode(), data, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(seal.encode(), expected.encode()):
            raise ReportRefused("the test report was written or changed by something but pytest")
        whole.add(parse(data))
    return whole


def _bytes(path: Path) -> bytes:
    if path.is_symlink() or not path.is_file():
        raise ReportRefused(
            "the test report carries no seal; the test process ended before pytest did"
        )
    if path.stat().st_size > MOST_BYTES:
        raise ReportRefused(f"the test report is larger than {MOST_BYTES // 1_000_000} MB")
    return path.read_bytes()


def parse(data: bytes) -> Report:
    """Outcomes of one JUnit file. ReportRefused when it is malformed or declares anything."""
    if len(data) > MOST_BYTES:
        raise ReportRefused(f"the test report is larger than {MOST_BYTES // 1_000_000} MB")
    reader = _Reader()
    try:
        reader.parser.Parse(data, True)
    except expat.ExpatError as error:
        raise ReportRefused(f"the test report is not well-formed XML: {error}") from error
    return reader.report


class _Reader:
    """One pass over the file, keeping what a verdict needs."""

    def __init__(self) -> None:
        self.report = Report()
        self.parser = expat.ParserCreate()
        self.parser.StartDoctypeDeclHandler = self._declared
        self.parser.EntityDeclHandler = self._declared
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.buffer_text = True
        self._case = ""
        self._outcome = ""
        self._kept: list[str] = []
        self._inside = False

    def _declared(self, *_: object) -> None:
        raise ReportRefused(
            "the test report declares a document type or an entity; pytest never does"
        )

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "testcase":
            self._case, self._outcome, self._kept = test_id(attributes), "passed", []
        elif name in ("failure", "error") and self._case:
            self._outcome, self._inside = "failed", True
            if not self._kept:
                self._kept.append(attributes.get("message", "") + "\n")
        elif name == "skipped" and self._outcome == "passed":
            # A non-strict xpass is written as skipped too, without a type.
            self._outcome = "skipped"

    def _text(self, data: str) -> None:
        if self._inside and sum(map(len, self._kept)) < MOST_TEXT:
            self._kept.append(data[:MOST_TEXT])

    def _end(self, name: str) -> None:
        if name in ("failure", "error"):
            self._inside = False
        elif name == "testcase":
            one = Report()
            if self._outcome == "failed":
                one.failed[self._case] = "".join(self._kept)[:MOST_TEXT].strip()
            else:
                (one.passed if self._outcome == "passed" else one.skipped).add(self._case)
            self.report.failed.update(one.failed)
            self.report.passed |= one.passed
            self.report.skipped |= one.skipped
            self.report.passed -= self.report.failed.keys()
            self._case = ""


def test_id(attributes: dict[str, str]) -> str:
    """pytest's own id from a testcase's attributes (family xunit1): `path::Class::name`."""
    path, name = attributes.get("file", ""), attributes.get("name", "")
    classname = attributes.get("classname", "")
    if not path:
        return "::".join(part for part in (classname, name) if part)
    dotted = path.removesuffix(".py").replace("/", ".")
    if name == dotted:  # a file that could not be collected
        return path
    classes = classname.removeprefix(dotted).strip(".")
    return "::".join([path, *filter(None, classes.split(".")), name])


test_id.__test__ = False  # type: ignore[attr-defined]  # not a test, whatever pytest thinks


def functions(ids: Iterable[str]) -> set[tuple[str, str]]:
    """(path, `Class::name`) of test ids, without parameters."""
    found = set()
    for one in ids:
        path, _, name = one.partition("::")
        if name:
            found.add((path, name.split("[", 1)[0]))
    return found
