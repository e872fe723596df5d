"""Which paths `.gitignore` files hide, read through the confined tree."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pathspec import GitIgnoreSpec

from tools.tree import Entry, Tree
from wavecrew.errors import ToolError

_LONGEST = 100_000
_MOST_STARS = 6
"""Of one pattern: more would let a hostile file make matching take for ever."""


@dataclass(frozen=True)
class Ignored:
    """The rules in force in one folder, outermost first."""

    tree: Tree
    rules: tuple[tuple[str, GitIgnoreSpec], ...] = ()
    """(folder with a slash, or "" for the root; its patterns)."""

    def below(self, path: str) -> Ignored:
        """The rules in force in `path`: those of the root and every folder down to it."""
        here = self.entering(".")
        parts = [] if path == "." else path.split("/")
        for depth in range(1, len(parts) + 1):
            here = here.entering("/".join(parts[:depth]))
        return here

    def entering(self, folder: str) -> Ignored:
        """These rules and those of the folder's own .gitignore."""
        prefix = "" if folder == "." else f"{folder}/"
        try:
            text = self.tree.read(f"{prefix}.gitignore").data[:_LONGEST].decode(errors="replace")
        except ToolError:
            return self
        lines = [line for line in text.splitlines() if line.count("*") <= _MOST_STARS]
        try:
            spec = GitIgnoreSpec.from_lines(lines)
        except ValueError:
            return self
        return replace(self, rules=(*self.rules, (prefix, spec)))

    def hides(self, entry: Entry) -> bool:
        """The innermost file with an opinion decides."""
        path = f"{entry.path}/" if entry.kind == "folder" else entry.path
        for prefix, spec in reversed(self.rules):
            include = spec.check_file(path.removeprefix(prefix)).include
            if include is not None:
                return include
        return False
