"""A passed branch's turn in the lane: what lands with it, how it is tested, what is written down.

Whoever has the lane takes along what waits behind it. The merge queue lands
exactly the tree that was tested; what was taken along and did not land keeps
its own turn, where the evidence at that very tree is found again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wavecrew.errors import GitFailed
from wavecrew.gates.gate import VerifyInput, verify_tree
from wavecrew.gates.model import GateReport
from wavecrew.journal import events as e
from wavecrew.plan.model import Contract, Task, TaskId
from wavecrew.plan.settings import Stage
from wavecrew.run import wire
from wavecrew.run.again import again
from wavecrew.run.landed import has_landed, record_landed
from wavecrew.run.lane import Pairs, Waiting, batch_in_order, next_batch
from wavecrew.run.parts import Parts
from wavecrew.run.reports import report_name, save_report, saved_report
from wavecrew.run.rework import conflict_rework, red_rework
from wavecrew.schedule.landing_order import LandingOrder
from wavecrew.schedule.ready import Schedule
from wavecrew.workspace.merge_queue import Branch, Chain, land_batch
from wavecrew.workspace.model import Landing


@dataclass(frozen=True, slots=True)
class Landed:
    """How a branch's own turn in the lane ended."""

    outcome: str
    """merged, conflict, red."""
    tree: str = ""
    evidence: str = ""
    """The integration report, relative to the run's folder."""
    rework: wire.Rework | None = None
    report: GateReport | None = None
    collides: tuple[str, ...] = ()
    """Tasks not landed that it is foreseen to collide with."""


def land_branch(parts: Parts, schedule: Schedule, task: Task, attempt: int, commit: str) -> Landed:
    """One branch's turn: land it, or say why not. The facts are in the log when this returns.

    Others that wait may land on the way, in its batch or in one before it.
    """
    record_landed(parts, schedule)
    own = Waiting(task.id, attempt, commit)
    left = _waiting(parts, own)
    while not has_landed(parts, task.id, attempt):
        batch = _next(parts, left, own)
        done = land_waiting(parts, batch)
        record_landed(parts, schedule)
        if task.id in done:
            return _own_verdict(parts, task, own, done[task.id])
        # Whatever of the batch did not land has its own turn; so has `own`, and this is it.
        left = [own] if own in batch else [one for one in left if one not in batch]
    return Landed("merged")


def land_waiting(parts: Parts, batch: Sequence[Waiting]) -> dict[str, Landing[GateReport]]:
    """Land a batch as far as it is green; the answer names those whose end is certain."""
    spec = parts.spec
    return land_batch(
        parts.mirror,
        [_branch(parts, one) for one in batch],
        integration_ref=spec.integration_ref,
        verify=lambda chain: _verified(parts, chain),
        evidence=evidence_line,
        since=spec.base,
        in_order=spec.settings.merge.order == "plan",
    )


def evidence_line(report: GateReport) -> str:
    """What a merge commit says of the report it rests on."""
    return f"{report.verdict} at tree {report.tree}"


def verify_input(
    parts: Parts,
    stage: Stage,
    tree: str,
    base: str,
    stem: str,
    *,
    extra: tuple[Contract, ...] = (),
    only_checks: tuple[str, ...] = (),
) -> VerifyInput:
    """What it takes to judge a merged tree: the stage's checks, the contracts of all merged."""
    spec = parts.spec
    checks = spec.settings.at(stage)
    with parts.reading:
        merged = parts.state.merged
    provided = tuple(c for t in spec.tasks if t.id in merged for c in t.provides)
    return VerifyInput(
        mirror=parts.mirror,
        sandbox=parts.lessor.gate("integration"),
        base=base,
        tree=tree,
        checks=tuple(c for c in checks if not only_checks or c.name in only_checks),
        provides=provided + extra,
        settings=spec.settings,
        run_dir=parts.folder.root,
        shelf=parts.shelf,
        name=stem,
        held_out_root=Path(spec.held_out_root) if spec.held_out_root else None,
        may_reuse=stage == "integration",
    )


def _waiting(parts: Parts, own: Waiting) -> list[Waiting]:
    """`own` and everything else that waits to land, as it came."""
    with parts.reading:
        queue = [Waiting(t.id, t.attempt, t.commit) for t in parts.state.queue]
    return [own, *(one for one in queue if one.task != own.task)]


def _next(parts: Parts, left: Sequence[Waiting], own: Waiting) -> tuple[Waiting, ...]:
    spec, merge = parts.spec, parts.spec.settings.merge
    with parts.reading:
        pairs = Pairs.of((one.one, one.other) for one in parts.state.collisions)
        mending = {t.id for t in parts.state.tasks.values() if t.is_sent_back}
        past = (parts.state.merged | parts.state.blocked) - mending
    if merge.order == "ready":
        return next_batch(left, own.task, pairs, merge.batch)
    only = set(spec.only)
    order = [task for task in LandingOrder(spec.plan, spec.barrier).tasks if task in only]
    return batch_in_order(left, own.task, pairs, merge.batch, order=order, past=past)


def _branch(parts: Parts, one: Waiting) -> Branch:
    task = parts.spec.plan.tasks_by_id[TaskId(one.task)]
    with parts.reading:
        summary = parts.state.tasks[one.task].summary
    return Branch(
        run=parts.spec.run,
        task=one.task,
        title=task.title,
        summary=summary,
        commit=one.commit,
        attempt=one.attempt,
        role=task.agent,
        when=parts.clock(),
    )


def _verified(parts: Parts, chain: Chain) -> GateReport:
    """The report on a chain's last tree, and the fact that it was tested."""
    stem = f"integration-{chain.tree[:16]}-on-{chain.base[:16]}"
    report = saved_report(parts, stem)
    if report is None:
        tasks = parts.spec.plan.tasks_by_id
        extra = tuple(c for task in chain.tasks for c in tasks[TaskId(task)].provides)
        wanted = verify_input(parts, "integration", chain.tree, chain.base, stem, extra=extra)
        report = parts.unless_stopping(again(lambda: verify_tree(wanted)))
        save_report(parts, stem, report)
    parts.log.append(
        e.TreeTested(
            tasks=chain.tasks,
            base=chain.base,
            tree=chain.tree,
            verdict=report.verdict,
            drivers={link.branch.task: list(link.drivers) for link in chain.links},
            evidence=report_name(stem),
        )
    )
    return report


def _own_verdict(parts: Parts, task: Task, own: Waiting, landing: Landing[GateReport]) -> Landed:
    """What the branch's own turn came to; a refusal is written down here."""
    if landing.outcome in ("merged", "already_merged"):
        return Landed("merged")
    if landing.outcome == "moved":
        raise GitFailed(
            "the integration branch moved under every try to land",
            where=parts.spec.integration_ref,
            mend="leave that branch to the run, then --resume",
        )
    collides = _collides(parts, task.id)
    if landing.conflict is not None:
        rework = conflict_rework(parts, task, own.commit, landing.conflict.conflicts)
        refused = Landed("conflict", rework=rework, collides=collides)
    else:
        assert landing.report is not None
        with parts.reading:
            evidence = parts.state.tested[landing.tree].evidence
        refused = Landed(
            "red", landing.tree, evidence, red_rework(landing.report), landing.report, collides
        )
    parts.log.append(
        e.MergeFinished(
            task=task.id,
            attempt=own.attempt,
            outcome=refused.outcome,
            tree=refused.tree,
            commit="",
            drivers=list(landing.drivers),
            detail=refused.rework.reason if refused.rework else "",
            evidence=refused.evidence,
        )
    )
    return refused


def _collides(parts: Parts, task: str) -> tuple[str, ...]:
    with parts.reading:
        past = parts.state.merged | parts.state.blocked
        partners = [one.partner(task) for one in parts.state.collisions_of(task)]
    return tuple(partner for partner in partners if partner not in past)
