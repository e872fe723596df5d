"""Where in the imported document does something stand, as a place a person can open?"""

from __future__ import annotations

from pathlib import PurePosixPath

from wavecrew.plan.problem import Place
from wavecrew.plan.proposal.bodies import lead_of
from wavecrew.plan.readers.model import ImportedTask
from wavecrew.plan.readers.source import Source


class Places:
    """Places for the lines of a source; a folder's files are told below its path."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.lead = lead_of(source)
        self.lengths = {file.name: len(file.lines) for file in source.files}

    def of_task(self, task: ImportedTask) -> Place:
        return self.of_line(task.line, task.file)

    def of_line(self, line: int, file: str | None = None) -> Place:
        """A line of `file`; without one, of the first file that is long enough, the lead first."""
        name = file or self.lead
        if file is None and line > self.lengths[self.lead]:
            name = next((one for one, count in self.lengths.items() if count >= line), self.lead)
        return Place(self._path(name), line)

    def _path(self, name: str) -> str:
        path = PurePosixPath(self.source.path)
        if path.name == name:
            return self.source.path
        is_folder = path.name not in self.lengths and len(self.lengths) > 0
        return str(path / name) if is_folder and self.source.is_folder else name
