"""Does a landing come out the same: the same merge, drivers included, and the same commit?"""

from __future__ import annotations

from crews.replay.divergence import Place
from crews.replay.world import World, recorded_report
from wavecrew.gates.gate import verify_tree
from wavecrew.gates.model import GateReport
from wavecrew.journal import events as e
from wavecrew.plan.model import TaskId
from wavecrew.run.landing import evidence_line, verify_input
from wavecrew.run.spec import file_name
from wavecrew.workspace.merge_queue import Branch, land


def land_again(world: World, fact: e.MergeFinished) -> None:
    """Carry a recorded landing out on the scratch repository. Diverged when it differs."""
    place = Place("landing", fact.task, fact.attempt)
    task = world.spec.plan.tasks_by_id[TaskId(fact.task)]
    world.stand_at_tip()
    if fact.commit:
        world.at_time_of(fact.commit)

    def verify(tree: str) -> GateReport:
        place.same("the merged tree", _merged_tree(world, fact), tree)
        return _verdict(world, fact, place)

    landing = land(
        world.parts.mirror,
        Branch(
            run=world.spec.run,
            task=task.id,
            title=task.title,
            summary=world.parts.state.tasks[task.id].summary,
            commit=world.known(world.branch_of(fact.task, fact.attempt)),
            attempt=fact.attempt,
            role=task.agent,
            when=world.clock.now,
        ),
        integration_ref=world.spec.integration_ref,
        verify=verify,
        evidence=evidence_line,
        since=world.spec.base,
    )
    place.same("how the landing ended", fact.outcome, landing.outcome)
    place.same("convergence drivers that took part", fact.drivers, list(landing.drivers))
    place.same("the merge commit", fact.commit, landing.commit)
    if landing.conflict is not None:
        paths = ", ".join(landing.conflict.paths)
        place.same("conflicting paths", fact.detail.rpartition(" in ")[2], paths)


def open_again(world: World, fact: e.SyncOpened | e.SyncClosed) -> None:
    """With gates: run a sync point's checks again at the tree that was looked at."""
    sync = next(sync for sync in world.spec.plan.sync_points if sync.id == fact.sync)
    recorded = recorded_report(world, fact.report)
    place = Place("sync", sync.id, getattr(fact, "round", 0))
    parts = world.parts
    stem = f"sync-{file_name(sync.id)}"
    wanted = verify_input(
        parts, "sync", recorded.tree, world.spec.base, stem, only_checks=sync.checks
    )
    same_verdict(place, recorded, verify_tree(wanted))


def _merged_tree(world: World, fact: e.MergeFinished) -> str:
    """The tree of the recorded merge; tested was, in a batch, that of its last one."""
    if _is_last(fact):
        return fact.tree
    return world.parts.mirror.tree_of(world.known(fact.commit))


def _is_last(fact: e.MergeFinished) -> bool:
    """True when the tree that was tested is this very merge's."""
    return not fact.batch or fact.batch[-1] == fact.task


def _verdict(world: World, fact: e.MergeFinished, place: Place) -> GateReport:
    """The verdict on the tested tree: the recorded one, or with gates a new one."""
    verdict = "pass" if fact.outcome == "merged" else "fail"
    tree, tested = fact.tree, world.parts.state.tested.get(fact.tree)
    base = tested.base if tested else world.parts.tip()
    if not world.gates or not _is_last(fact):
        return GateReport(tree=tree, base=base, verdict=verdict)
    tasks = world.spec.plan.tasks_by_id
    extra = [c for one in fact.batch or [fact.task] for c in tasks[TaskId(one)].provides]
    stem = f"{file_name(fact.task)}-{fact.attempt}-integration"
    wanted = verify_input(
        world.parts, "integration", tree, world.known(base), stem, extra=tuple(extra)
    )
    report = verify_tree(wanted)
    same_verdict(place, recorded_report(world, fact.evidence), report)
    return report


def same_verdict(place: Place, recorded: GateReport, report: GateReport) -> None:
    """Compare verdict and rules; logs and times may differ."""
    place.same("the verdict of the gate", recorded.verdict, report.verdict)
    place.same("what the gate found", ", ".join(recorded.rules), ", ".join(report.rules))
