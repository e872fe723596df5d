"""Everything that is wrong or doubtful in a written plan, in one list, worst first.

The readers report what the document contradicts or leaves open, the linter
what would go wrong if it were run; here both become problems of one shape, and
what both have found is told once, at its line of the document.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from wavecrew.plan.lint import check
from wavecrew.plan.load import Loaded
from wavecrew.plan.problem import Problem, Severity
from wavecrew.plan.proposal.model import Proposal
from wavecrew.plan.proposal.names import line_of
from wavecrew.plan.proposal.places import Places
from wavecrew.plan.proposal.roles import paths
from wavecrew.plan.readers.model import Diagnostic, ImportedPlan
from wavecrew.plan.readers.source import Source
from wavecrew.plan.settings import Settings

_OUR_OWN = frozenset({"no_acceptance", "idle_role", "nothing_to_write", "out_of_role"})
"""What the linter says about values that were chosen here, not written in the document."""
_RANKS: tuple[tuple[Severity, str, str], ...] = (
    ("error", "cycle", "take one of these dependencies out, or move a task to another wave"),
    ("error", "across_sync", ""),
    ("error", "before_and_held", ""),
    ("error", "wave_contradicts_dependency", "move the task to a later wave, or the other before"),
    ("error", "duplicate_id", "give each task an id of its own"),
    ("error", "unknown_dependency", "name a task of the document"),
    ("error", "unknown_task", "write the task, or take its name out"),
    ("warning", "total_mismatch", "correct the claim, or the estimates"),
    ("warning", "makespan_mismatch", "correct the claim; `wavecrew plan forecast` computes it"),
    ("warning", "agent_overload", "share its tasks out, or let several agents of it work at once"),
    ("warning", "overloaded_role", ""),
    ("warning", "agent_peak_mismatch", "some of these agents will have nothing to do"),
    ("warning", "mostly_idle_role", ""),
    ("warning", "conflicting_dependency", "say it once, in one place"),
    ("warning", "contradicts_companion", "make both documents say the same"),
    ("warning", "vague_sync_point", "say which tasks or waves come before, and which wait"),
    ("warning", "vague_dependency", "name the tasks"),
    ("warning", "unknown_end", "name the tasks or waves"),
    ("warning", "done_before_dependency", ""),
    ("warning", "parent_done_child_open", ""),
    ("warning", "optional_in_chain", "make it obligatory, or take the dependency out"),
    ("warning", "colliding_writes", ""),
    ("warning", "same_files", "order them, or let one task have the file"),
    ("warning", "large_task", ""),
    ("warning", "untracked_work", "write it as a task, or take it out"),
    ("warning", "range_task", "write each task with its own title and hours"),
    ("warning", "no_acceptance", "say for each task how it is seen to be done"),
    ("warning", "no_estimate", ""),
    ("warning", "intra_wave_dependency", "a wave is no barrier for its own tasks; they will wait"),
)
_RANK: dict[str, tuple[int, Severity, str]] = {
    kind: (at, severity, mend) for at, (severity, kind, mend) in enumerate(_RANKS)
}


def judge(
    plan: ImportedPlan, proposal: Proposal, source: Source, converging: Sequence[str] = ()
) -> tuple[Problem, ...]:
    """All problems, errors first, then by how much they matter, then by line."""
    places = Places(source)
    told = [_problem(one, places) for one in plan.diagnostics]
    told += _questions(proposal, places)
    told += _linted(plan, proposal, converging)
    return tuple(sorted(told, key=_order))


def _order(one: Problem) -> tuple[bool, int, str, int]:
    rank = _RANK.get(one.kind, (len(_RANK), "", ""))[0]
    return (one.severity != "error", rank, one.place.file, one.place.line)


def _problem(found: Diagnostic, places: Places) -> Problem:
    unranked: tuple[int, Severity, str] = (0, "warning", "")
    _, severity, mend = _RANK.get(found.kind, unranked)
    place = places.of_line(found.line, found.file)
    # A document's text may hold control characters, which a terminal would obey.
    ids = tuple(line_of(one) for one in found.ids)
    return Problem(found.kind, line_of(found.message), place, mend, ids, severity)


def _questions(proposal: Proposal, places: Places) -> Iterator[Problem]:
    for question in proposal.questions:
        if question.kind not in ("no_acceptance", "unknown_end"):
            continue
        first = proposal.origins[question.ids[0]] if question.ids else None
        place = places.of_task(first) if first else places.of_line(0)
        message = question.text
        if question.kind == "no_acceptance":
            message = f"nothing decides when these are done: {_some(question.ids)}"
        mend = _RANK[question.kind][2]
        yield Problem(question.kind, message, place, mend, question.ids, "warning")


def _some(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - 10} more" if len(ids) > 10 else ""
    return ", ".join(ids[:10]) + more


def _linted(plan: ImportedPlan, proposal: Proposal, converging: Sequence[str]) -> Iterator[Problem]:
    loaded = Loaded(proposal.plan, proposal.roles, Settings(), proposal.places)
    overloaded = {
        proposal.agents.get(line_of(one))
        for found in plan.diagnostics
        if found.kind == "agent_overload"
        for one in found.ids
    }
    told = _told(plan.diagnostics)
    for one in check(loaded, converging):
        if one.kind in _OUR_OWN or told(one):
            continue
        if one.kind == "overloaded_role" and set(one.ids) & overloaded:
            continue
        if one.kind == "colliding_writes" and not all(
            paths(proposal.origins[task]) for task in one.ids
        ):
            continue
        yield one


def _told(diagnostics: Iterable[Diagnostic]) -> Callable[[Problem], bool]:
    """Whether a reader has already found what the linter finds."""
    pairs = {frozenset(one.ids) for one in diagnostics if one.kind == "wave_contradicts_dependency"}
    circles = [set(one.ids) for one in diagnostics if one.kind == "cycle"]

    def told(problem: Problem) -> bool:
        if problem.kind == "wave_order":
            return frozenset(problem.ids) in pairs
        tasks = set(problem.ids[1:] if problem.kind == "across_sync" else problem.ids)
        return problem.kind in ("cycle", "across_sync") and any(tasks <= one for one in circles)

    return told
