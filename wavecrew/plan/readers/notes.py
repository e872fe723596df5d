"""What has been noticed so far while a document is read?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from wavecrew.plan.readers.model import Diagnostic, ImportedTask

MANY = 200
"""After so many diagnostics of one kind the rest of them is only counted."""


class Notes:
    """Collects diagnostics; a kind that repeats without end is cut off with a count."""

    def __init__(self) -> None:
        self._found: list[Diagnostic] = []
        self._counts: dict[str, int] = {}

    def add(self, kind: str, line: int, message: str, *ids: str, file: str | None = None) -> None:
        count = self._counts[kind] = self._counts.get(kind, 0) + 1
        if count <= MANY:
            self._found.append(Diagnostic(kind, line, ids, message, file))

    def done(self) -> tuple[Diagnostic, ...]:
        """Everything in order of file and line, and one line for what was cut off."""
        more = [
            Diagnostic(kind, 0, (), f"{count - MANY} more of the kind {kind!r} are not shown")
            for kind, count in self._counts.items()
            if count > MANY
        ]
        return (*sorted(self._found, key=lambda one: (one.file or "", one.line)), *more)


def note_states(
    notes: Notes,
    tasks: Iterable[ImportedTask],
    statuses: Mapping[tuple[str | None, str], str] | None = None,
) -> None:
    """Report what is done before what it needs, and parents done before their children.

    Ids are looked up among tasks of the same group when two tasks share an id.
    """
    listed = list(tasks)
    by_id: dict[str, list[ImportedTask]] = {}
    for task in listed:
        by_id.setdefault(task.id, []).append(task)

    def find(id_: str, near: ImportedTask) -> ImportedTask | None:
        same = by_id.get(id_, [])
        if len(same) == 1:
            return same[0]
        return next((one for one in same if one.group == near.group), None)

    for task in listed:
        needed = [one for dep in task.deps if (one := find(dep, task)) is not None]
        late = [one.id for one in needed if not one.done]
        if task.done and late:
            message = f"{task.id} is done, but needs {', '.join(late)}, which is not"
            notes.add("done_before_dependency", task.line, message, task.id, *late, file=task.file)
        parent = find(task.parent, task) if task.parent else None
        if parent is not None and parent.done and not task.done:
            remark = " (it is optional)" if task.optional else ""
            message = f"{parent.id} is done, but its part {task.id} is open{remark}"
            notes.add(
                "parent_done_child_open", task.line, message, parent.id, task.id, file=task.file
            )
        for dep in needed:
            status = (statuses or {}).get((dep.group, dep.id))
            if status:
                message = f"{task.id} needs {dep.id}, which is {status} and will never be done"
                notes.add(
                    "cancelled_dependency", task.line, message, task.id, dep.id, file=task.file
                )
            elif dep.optional and not task.optional:
                message = f"{task.id} needs {dep.id}, which is optional"
                notes.add(
                    "optional_dependency", task.line, message, task.id, dep.id, file=task.file
                )
