"""The apply_patch tool: every file's new content is known before the first is written."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated

from tools.context import ToolContext
from tools.files import encoded
from tools.patch import FilePatch, parse_patch, patched, paths_of
from tools.spec import Paths, tool
from tools.text import as_text
from tools.tree import Content, MissingPath, Tree
from wavecrew.errors import ToolError

PatchText = Annotated[str, Paths(paths_of)]


@tool(mutates=True)
def apply_patch(context: ToolContext, patch: PatchText) -> str:
    """Apply a unified diff to one or more files: all of it, or nothing when a part does not fit.

    Files may be changed, created (--- /dev/null), deleted (+++ /dev/null) and renamed (git's
    `rename from` and `rename to`). Context and removed lines must be exactly as in the files;
    line numbers may be off.

    Args:
        patch: The diff, with '--- a/PATH', '+++ b/PATH' and '@@' hunks.
    """
    staged = Staged(context.tree)
    told = [staged.apply(file) for file in parse_patch(patch)]
    staged.write()
    return "\n".join(told)


@dataclass
class Staged:
    """What the files will hold, on top of a tree that is not changed before `write`."""

    tree: Tree
    before: dict[str, Content | None] = field(default_factory=dict)
    after: dict[str, Content | None] = field(default_factory=dict)

    def apply(self, file: FilePatch) -> str:
        """Take over one file's patch; says what it does. ToolError when it does not fit."""
        old = self._read(file.source) if file.source else None
        if file.source and old is None and not (file.may_create and file.source == file.target):
            self.tree.read(file.source)  # tells which file is missing, and the nearest
        if file.target != file.source and file.target and self._read(file.target) is not None:
            raise ToolError(f"{file.target!r} exists already; the patch creates or renames onto it")
        path = file.target or file.source
        text = as_text(file.source, old.data) if old else ""
        result = patched(path, text, file.hunks)
        if not file.target:
            return self._delete(file, result)
        executable = (
            file.executable if file.executable is not None else bool(old and old.executable)
        )
        self.after[file.target] = Content(encoded(result), executable)
        if file.source and file.source != file.target:
            self.after[file.source] = None
            return f"renamed {file.source} to {file.target}"
        return f"{'changed' if old else 'created'} {file.target}"

    def _delete(self, file: FilePatch, result: str) -> str:
        if file.hunks and result:
            raise ToolError(f"{file.source!r}: the patch deletes it but does not remove all lines")
        self.after[file.source] = None
        return f"deleted {file.source}"

    def _read(self, path: str) -> Content | None:
        if path in self.after:
            return self.after[path]
        if path not in self.before:
            try:
                self.before[path] = self.tree.read(path)
            except MissingPath:
                self.before[path] = None
        return self.before[path]

    def write(self) -> None:
        """Bring the tree there; on an error it is brought back."""
        done: list[str] = []
        try:
            for path, content in self.after.items():
                self._put(path, content)
                done.append(path)
        except BaseException:
            for path in reversed(done):
                with suppress(ToolError):
                    self._put(path, self.before[path])
            raise

    def _put(self, path: str, content: Content | None) -> None:
        if content is not None:
            self.tree.write(path, content.data, executable=content.executable)
        elif self.tree.stat(path) is not None:
            self.tree.delete(path)
