"""A sync point: the checks on the merged tree, the manager crew's report, the verdict.

Code holds the gate: no report opens a sync point whose evidence is not green.
"""

from __future__ import annotations

from dataclasses import dataclass

from wavecrew.errors import IntegrationRed
from wavecrew.gates.gate import verify_tree
from wavecrew.gates.model import GateReport
from wavecrew.gates.text import as_text
from wavecrew.journal import events as e
from wavecrew.plan.model import SyncPoint
from wavecrew.run import wire
from wavecrew.run.again import again
from wavecrew.run.landing import verify_input
from wavecrew.run.manager import Word, sync_word
from wavecrew.run.parts import Parts
from wavecrew.run.progress import MOST_ROUNDS
from wavecrew.run.reports import save_report, saved_report
from wavecrew.run.spec import file_name


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of looking at a sync point."""

    is_open: bool
    send_back: str = ""
    rework: wire.Rework | None = None


def look_at(parts: Parts, sync: SyncPoint, number: int) -> Looked:
    """Run the sync point's checks at the tip, hear the manager crew, record the verdict."""
    stem = f"sync-{file_name(sync.id)}-{number}"
    tip = parts.tip()
    report = _report(parts, sync, tip, stem)
    path = save_report(parts, stem, report)
    word = sync_word(parts, sync, number, report)
    _save_word(parts, stem, word)
    if report.verdict == "pass" and not word.raise_to_human:
        _wait_for_approval(parts, sync)
        passed = sum(evidence.passed for evidence in report.evidence)
        parts.log.append(e.SyncOpened(sync.id, report.tree, passed, path))
        return Looked(is_open=True)
    return _closed(parts, sync, number, report, word, path)


def _wait_for_approval(parts: Parts, sync: SyncPoint) -> None:
    """A green sync point that asks for a person holds the run until one has approved."""
    with parts.reading:
        approved = parts.state.syncs[sync.id].is_approved
    if sync.approval and not approved:
        parts.stop.halt(
            IntegrationRed(
                f"sync point {sync.id!r} is green and waits for a person's approval",
                mend=f"`wavecrew run --resume --approve {sync.id}` opens it",
            )
        )


def _report(parts: Parts, sync: SyncPoint, tip: str, stem: str) -> GateReport:
    """The evidence: recorded already when an earlier engine got so far at this very tree."""
    tree = parts.mirror.tree_of(tip)
    earlier = saved_report(parts, stem)
    if earlier and earlier.tree == tree:
        return earlier
    wanted = verify_input(parts, "sync", tree, parts.spec.base, stem, only_checks=sync.checks)
    return parts.unless_stopping(again(lambda: verify_tree(wanted)))


def _closed(
    parts: Parts, sync: SyncPoint, number: int, report: GateReport, word: Word, path: str
) -> Looked:
    detail = word.reason or word.summary
    parts.log.append(e.SyncClosed(sync.id, number, report.verdict, detail, path))
    if not word.send_back or number >= MOST_ROUNDS:
        return Looked(is_open=False)
    with parts.reading:
        attempt = parts.state.tasks[word.send_back].attempt
    parts.log.append(e.SentBack(word.send_back, attempt, word.by, detail, path))
    rework = wire.Rework(kind="sync", reason=detail, by=word.by, log=as_text(report))
    return Looked(is_open=False, send_back=word.send_back, rework=rework)


def _save_word(parts: Parts, stem: str, word: Word) -> None:
    """The SyncReport in the manager crew's words, beside its evidence."""
    text = f"{word.summary}\n"
    if word.send_back:
        text += f"\nSent back to {word.send_back}: {word.reason}\n"
    parts.shelf.save(f"reports/{stem}.md", text.encode("utf-8", "replace"))
