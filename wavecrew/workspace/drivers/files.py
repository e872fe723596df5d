"""A driver that merges one file at a time: which files, read how, told how.

What a format means is left to its function; this module finds the files where
git left marks (or, for formats that can tell, where git's clean merge of the
lines is broken as a whole) and turns a `Clash` into a conflict.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wavecrew.workspace.drivers.entries import Clash
from wavecrew.workspace.model import Conflict, Converged, MergeView, Trees

Merge = Callable[[bytes, bytes, bytes], bytes | None]
"""(base, ours, theirs) -> the merge; None when the format is not understood for certain.

Raises Clash. A file that is new on both sides has an empty base.
"""


@dataclass(frozen=True, slots=True)
class FileDriver:
    name: str
    takes: Callable[[str], bool]
    """Whether a path is of this format."""
    merge: Merge
    largest: int
    """Bytes above which a file is left to git."""
    is_sound: Callable[[bytes], bool] | None = None
    """Whether a file can be what its tool wrote. Asked of both sides and of git's merge of them."""

    def converge(self, trees: Trees, view: MergeView) -> Converged | None:
        marked = {c.path: c.kind for c in view.conflicts if self._is_marked(c)}
        doubtful = self._changed_by_both(trees, view) - {c.path for c in view.conflicts}
        wanted = sorted({*marked, *doubtful})
        if not wanted:
            return None
        base, ours, theirs, tree = (
            trees.read_all(side, wanted) for side in (view.base, view.ours, view.theirs, view.tree)
        )
        files: dict[str, bytes] = {}
        conflicts: list[Conflict] = []
        for path in wanted:
            one, other = ours.get(path), theirs.get(path)
            if one is None or other is None or one == other:  # a link, or nothing to merge
                continue
            if path not in base and marked.get(path) != "add/add":  # both moved it here
                continue
            if path in doubtful and not self._is_broken(one, other, tree.get(path)):
                continue
            made, clash = self.merged(base.get(path, b""), one, other)
            if made is not None:
                files[path] = made
            elif clash or path in doubtful:
                said = clash or "git merged the lines, but the file as a whole is broken"
                conflicts.append(Conflict(path, self.name, said))
        return Converged(files, tuple(conflicts)) if files or conflicts else None

    def merged(self, base: bytes, ours: bytes, theirs: bytes) -> tuple[bytes | None, str]:
        """The merge, or why there is none (empty when the format was not understood)."""
        if max(map(len, (base, ours, theirs))) > self.largest:
            return None, ""
        try:
            return self.merge(base, ours, theirs), ""
        except Clash as clash:
            return None, str(clash)
        except RecursionError:
            return None, ""

    def _is_marked(self, conflict: Conflict) -> bool:
        return conflict.kind in ("content", "add/add") and self.takes(conflict.path)

    def _changed_by_both(self, trees: Trees, view: MergeView) -> set[str]:
        if self.is_sound is None:
            return set()
        ours, theirs = (
            {change.path for change in trees.changes(view.base, side) if self.takes(change.path)}
            for side in (view.ours, view.theirs)
        )
        return ours & theirs

    def _is_broken(self, ours: bytes, theirs: bytes, tree: bytes | None) -> bool:
        """Whether both sides are sound and git's merge of them is not."""
        assert self.is_sound is not None
        if tree is None or max(map(len, (ours, theirs, tree))) > self.largest:
            return False
        try:
            return self.is_sound(ours) and self.is_sound(theirs) and not self.is_sound(tree)
        except RecursionError:
            return False
