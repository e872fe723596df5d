"""Which agents.yaml and tasks.yaml does a written plan ask for?

Ranges become tasks of their own, groups waves, gates sync points, agents
roles. A value the document does not give is chosen with a question; what
contradicts itself is kept as written, for the linter to tell.
"""

from __future__ import annotations

from collections.abc import Mapping

from wavecrew.plan.graph import Node, knots
from wavecrew.plan.model import Archetype, Claim, Plan, Role, RoleName, Task, TaskId
from wavecrew.plan.problem import Place
from wavecrew.plan.proposal.bodies import Bodies, acceptance
from wavecrew.plan.proposal.model import At, Proposal, Questions
from wavecrew.plan.proposal.names import line_of, plain
from wavecrew.plan.proposal.places import Places
from wavecrew.plan.proposal.roles import Roles, agents_of, archetype, paths
from wavecrew.plan.proposal.syncs import SyncPoints
from wavecrew.plan.proposal.waves import Row, row_of
from wavecrew.plan.readers.model import ImportedPlan, ImportedTask
from wavecrew.plan.readers.source import Source

MAX_HOURS = 10_000
_CLAIMS = {"total_hours": "single_agent_h", "parallel_hours": "makespan_h"}


def propose(
    plan: ImportedPlan,
    source: Source,
    managers: Mapping[str, Role] | None = None,
    tests_folder: str = "",
) -> Proposal:
    """The two files as data. `managers` are the manager crew's roles, added as they are.

    `tests_folder` is where the repository has its tests, which every role may then write.
    """
    return _Proposer(plan, source, managers or {}, tests_folder).run()


class _Proposer:
    def __init__(
        self, plan: ImportedPlan, source: Source, managers: Mapping[str, Role], tests_folder: str
    ) -> None:
        self.plan, self.managers = plan, managers
        self.questions = Questions()
        self.row: Row = row_of(plan)
        self.ids: dict[int, tuple[TaskId, ...]] = {}
        """Position of an entry -> the ids of its tasks."""
        self.ids_of: dict[str, tuple[TaskId, ...]] = {}
        """Id as written, of an entry or of a member of a range -> task ids."""
        self._map_ids()
        self.bodies = Bodies(source, plan.tasks, set(map(str, self.ids_of)))
        self.places = Places(source)
        self.roles = Roles(managers, self.questions, tests_folder)
        self.role_of: dict[int, RoleName] = {}
        self.tests_folder = tests_folder

    def run(self) -> Proposal:
        self._give_roles()
        needs = self._needs()
        apart = self._apart()
        tasks: list[Task] = []
        origins: dict[str, ImportedTask] = {}
        where: dict[At, Place] = {}
        for position, entry in enumerate(self.plan.tasks):
            for member, one in enumerate(self.ids[position]):
                tasks.append(self._task(position, entry, member, needs[position], apart))
                origins[one] = entry
                where["task", one] = self.places.of_task(entry)
                where.setdefault(("role", self.role_of[position]), where["task", one])
        made = SyncPoints(self.plan, self.row, self.ids_of, self.questions)
        syncs, sync_places = made.build(tasks, self.places.of_line)
        claims = self._claims(where)
        plan = Plan(
            title=line_of(self.bodies.title())[:200] or self.bodies.lead,
            waves=self.row.waves,
            tasks=tuple(tasks),
            sync_points=syncs,
            claims=claims,
        )
        self._ask_about_circles()
        self._ask_in_general(tasks, origins)
        return Proposal(
            plan=plan,
            roles={**self.roles.made, **self.managers},
            questions=self.questions.all(),
            origins=origins,
            agents=self.roles.of_agent,
            places={**where, **sync_places, ("plan",): self.places.of_line(1)},
        )

    def _map_ids(self) -> None:
        taken: set[str] = set()
        wanted = {one for task in self.plan.tasks for one in (task.range_members or (task.id,))}
        for position, task in enumerate(self.plan.tasks):
            ids: list[TaskId] = []
            for written in task.range_members or (task.id,):
                rivals = taken | (wanted - {written}) if written in taken else taken
                one = TaskId(plain(written, f"task-{len(taken) + 1}", rivals))
                taken.add(one)
                ids.append(one)
                if one != written:
                    twice = written in self.ids_of
                    kind = "duplicate_id" if twice else "mapped_id"
                    why = "is written twice in the document" if twice else "cannot be an id here"
                    text = f"{line_of(written)[:80]!r} {why}; it was called {one!r}"
                    self.questions.ask(kind, text, [one], ("task", one, "title"))
                self.ids_of.setdefault(written, (one,))
            self.ids[position] = tuple(ids)
            self.ids_of.setdefault(task.id, tuple(ids))

    def _give_roles(self) -> None:
        positions = {id(task): at for at, task in enumerate(self.plan.tasks)}
        for agent, tasks in agents_of(self.plan.tasks).items():
            if agent:
                name = self.roles.named(agent, tasks)
                self.role_of.update((positions[id(task)], name) for task in tasks)
                continue
            sorts: dict[str, list[ImportedTask]] = {}
            kinds: dict[int, Archetype] = {id(task): archetype([task])[0] for task in tasks}
            for task in tasks:
                sorts.setdefault(kinds[id(task)], []).append(task)
            for members in sorts.values():
                name = self.roles.of_sort(kinds[id(members[0])], members)
                self.role_of.update((positions[id(task)], name) for task in members)

    def _needs(self) -> list[dict[TaskId, None]]:
        """For each entry what it depends on: stated, then what the order of writing implies."""
        needs: list[dict[TaskId, None]] = []
        for position, task in enumerate(self.plan.tasks):
            stated: dict[TaskId, None] = {}
            for dep in task.deps:
                if dep in self.ids_of:
                    stated.update(dict.fromkeys(self.ids_of[dep]))
                else:
                    text = f"{line_of(dep)[:80]!r}, which it should need, is no task; which is it?"
                    own = self.ids[position]
                    at: list[At] = [("task", one, "depends_on") for one in own]
                    self.questions.ask("unknown_dependency", text, own, *at)
            needs.append(stated)
        self._add_order(needs)
        return needs

    def _add_order(self, needs: list[dict[TaskId, None]]) -> None:
        orders = [edge for edge in self.plan.edges if edge.kind == "order"]
        first = {task.id: at for at, task in reversed(list(enumerate(self.plan.tasks)))}
        orders = [edge for edge in orders if edge.before in first and edge.after in first]
        graph: dict[Node, list[Node]] = {}
        for position, ids in self.ids.items():
            for one in ids:
                graph[Node("task", one)] = [Node("task", dep) for dep in needs[position]]
        for edge in orders:
            for one in self.ids[first[edge.after]]:
                befores = self.ids[first[edge.before]]
                graph[Node("task", one)] += [Node("task", before) for before in befores]
        knot_of = {node: at for at, knot in enumerate(knots(graph)) for node in knot}
        for edge in orders:
            after, before = self.ids[first[edge.after]], self.ids[first[edge.before]]
            knot = knot_of.get(Node("task", after[0]))
            if knot is not None and knot == knot_of.get(Node("task", before[0])):
                continue
            new = [one for one in before if one not in needs[first[edge.after]]]
            if new:
                needs[first[edge.after]].update(dict.fromkeys(new))
                text = (
                    "these wait for the task written before them, which the document only implies; "
                    "take out what may run at the same time"
                )
                self.questions.ask("implied_order", text, after, ("tasks",))

    def _apart(self) -> dict[str, dict[TaskId, None]]:
        """Task id -> those it must not run beside, each pair written once."""
        apart: dict[str, dict[TaskId, None]] = {}
        for edge in self.plan.edges:
            if edge.kind == "mutex":
                for one in self.ids_of.get(edge.after, ()):
                    others = (other for other in self.ids_of.get(edge.before, ()) if other != one)
                    apart.setdefault(one, {}).update(dict.fromkeys(others))
        return apart

    def _task(
        self,
        position: int,
        entry: ImportedTask,
        member: int,
        needs: Mapping[TaskId, None],
        apart: Mapping[str, Mapping[TaskId, None]],
    ) -> Task:
        one = self.ids[position][member]
        title = line_of(entry.title)[:300] or one
        body = self.bodies.of(entry, one)
        expected = acceptance(body)
        if not body:
            self.questions.ask(
                "no_description",
                "what exactly is to be done? The document has no more than the title",
                [one],
                ("tasks",),
            )
        if not expected:
            self.questions.ask(
                "no_acceptance",
                "when is it done? The document does not say; add done_when, too",
                [one],
                ("tasks",),
            )
        plain_title = title.rstrip(" .")
        files = paths(entry)
        tests = (f"/{self.tests_folder}/",) if files and self.tests_folder else ()
        return Task(
            id=one,
            title=title,
            agent=self.role_of[position],
            description=body or f"{plain_title}.",
            expected_output=expected
            or f"{plain_title}: the code, and tests that show that it works.",
            wave=self.row.wave_of.get(entry.group or ""),
            group="" if (entry.group or "") in self.row.wave_of else line_of(entry.group or ""),
            estimate_h=self._hours(entry, one),
            depends_on=tuple(dep for dep in needs if dep not in self.ids[position] or dep == one),
            may_write=(*files, *tests),
            conflicts_with=tuple(apart.get(one, ())),
        )

    def _hours(self, entry: ImportedTask, one: TaskId) -> float | None:
        at = ("task", one, "estimate_h")
        low, high = entry.hours_min, entry.hours_max
        if low is None or high is None:
            self.questions.ask("no_estimate", "how many hours? The document gives none", [one], at)
            return None
        parts = len(entry.range_members) or 1
        hours = round((low + high) / 2 / parts, 3)
        if hours > MAX_HOURS:
            text = f"more than {MAX_HOURS} hours are no estimate; how many?"
            self.questions.ask("no_estimate", text, [one], at)
            return None
        if low != high:
            text = f"the document says {low:g} to {high:g} hours; this is the middle"
            text += f", shared by {parts} tasks" if parts > 1 else ""
            self.questions.ask("estimate_span", text, [one], at)
        elif parts > 1:
            text = f"an even share of {low:g} hours; the document has {line_of(entry.id)} as one"
            self.questions.ask("range_share", text, [one], at)
        return hours

    def _claims(self, where: dict[At, Place]) -> tuple[Claim, ...]:
        claims: dict[str, Claim] = {}
        for claim in self.plan.claims:
            what = _CLAIMS.get(claim.kind)
            if what is None or claim.ids or not 0 <= claim.value <= 10_000_000:
                continue
            if what not in claims:
                claims[what] = Claim.model_validate({"what": what, "hours": claim.value})
                where["claim", what] = self.places.of_line(claim.line)
            elif claims[what].hours != claim.value:
                text = f"the document also claims {claim.value:g} hours; which of them?"
                self.questions.ask("claim_differs", text, [what], ("claim", what, "hours"))
        return tuple(claims.values())

    def _ask_about_circles(self) -> None:
        """They are written as the document has them: which statement is wrong, only people know."""
        for found in self.plan.diagnostics:
            ids = [one for written in found.ids for one in self.ids_of.get(written, ())]
            if found.kind == "cycle" and ids:
                at: At = ("task", ids[0], "depends_on")
                self.questions.ask("cycle", f"{line_of(found.message)}; what is wrong?", ids, at)

    def _ask_in_general(self, tasks: list[Task], origins: Mapping[str, ImportedTask]) -> None:
        at: At = ("tasks",)
        done = [str(task.id) for task in tasks if origins[task.id].done]
        if done:
            text = "the document has these as done; take out what the repository has already"
            self.questions.ask("done", text, done, at)
        optional = [str(task.id) for task in tasks if origins[task.id].optional]
        if optional:
            text = "the document has these as optional; are they to be done?"
            self.questions.ask("optional", text, optional, at)
        text = (
            "goals and backstories follow from titles and the sort of work; "
            "what must each get right?"
        )
        self.questions.ask("role_text", text, list(self.roles.made), ("roles",))
