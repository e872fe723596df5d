"""Which text is to be imported, and where does each line of it stand?

The only module of the readers that touches the disk. A file or a folder
becomes decoded text with plain line ends; whatever is no text is refused with
a reason, before any reader sees it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from wavecrew.plan.problem import Place, PlanRejected, Problem
from wavecrew.plan.yaml_positions import decode, read_bytes

SUFFIXES = (".md", ".markdown", ".mdx", ".txt", ".json", ".jsonl", ".yaml", ".yml", ".mmd")
"""What a folder's import looks at; a file named by the user may be called anything."""
MAX_FILES = 2_000
MAX_FOLDER_BYTES = 40 * 1024 * 1024


@dataclass(frozen=True)
class SourceFile:
    name: str
    """Path below the imported folder with `/` between, or the file's own name."""
    text: str
    """UTF-8 decoded, without byte order mark, lines ended by a line feed."""
    siblings: frozenset[str] = frozenset()
    """Names of everything beside it in its folder; their contents are not read."""

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The lines; line n stands at n - 1."""
        return tuple(self.text.split("\n"))

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix.lower()

    @property
    def stem(self) -> str:
        return PurePosixPath(self.name).stem


@dataclass(frozen=True)
class Source:
    path: str
    """As the user wrote it; for messages."""
    files: tuple[SourceFile, ...]
    """Sorted by name; one when a file was named."""
    is_folder: bool = False
    folder: str = ""
    """Own name of the folder the files stand in; a format may take its title from it."""

    @property
    def only(self) -> SourceFile | None:
        """The file, when there is just one."""
        return self.files[0] if len(self.files) == 1 else None

    def ending(self, *suffixes: str) -> tuple[SourceFile, ...]:
        """The files with one of these suffixes, `.md` and so on."""
        return tuple(file for file in self.files if file.suffix in suffixes)


def source_of(text: str, name: str = "plan.md", siblings: Iterable[str] = ()) -> Source:
    """A text as if it had been read from a file of that name."""
    return Source(name, (SourceFile(name, plain_lines(text), frozenset(siblings)),))


def folder_of(files: dict[str, str], folder: str = "plan") -> Source:
    """Texts by relative name as if they had been read from a folder."""
    beside = _siblings(files)
    made = (
        SourceFile(name, plain_lines(text), beside[str(PurePosixPath(name).parent)])
        for name, text in sorted(files.items())
    )
    return Source(folder, tuple(made), True, folder)


def read_source(path: Path, *beside: Path) -> Source:
    """Read a file or a folder; files of `beside` are read as if they stood in the same folder.

    PlanRejected: missing, not UTF-8 text, binary, over 10 MB (a folder: 40 MB or 2,000 files).
    """
    if path.is_dir():
        names = _walk(path)
        found = {name: path / name for name in names if name.lower().endswith(SUFFIXES)}
        siblings = _siblings(names)
    else:
        found = {path.name: path}
        siblings = {".": _listing(path.parent)}
    for one in beside:
        found.setdefault(one.name, one)
    if not found:
        raise _refused("empty_folder", "no file of a kind that plans are written in", str(path))
    files = []
    total = 0
    for name, where in sorted(found.items()):
        file = SourceFile(
            name, _text(where), siblings.get(str(PurePosixPath(name).parent), frozenset())
        )
        total += len(file.text)
        if total > MAX_FOLDER_BYTES:
            raise _refused("too_large", "the folder holds more than 40 MB of text", str(path))
        files.append(file)
    folder = (path if path.is_dir() else path.parent).resolve().name
    return Source(str(path), tuple(files), path.is_dir() or bool(beside), folder)


def plain_lines(text: str) -> str:
    """Every line end as a line feed, so that line numbers are those of an editor."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _text(path: Path) -> str:
    data = read_bytes(path)
    if b"\0" in data and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _refused("binary", "the file is binary, not text", str(path))
    return plain_lines(decode(data, str(path)))


def _walk(root: Path) -> list[str]:
    """Relative names of the files below `root`, no links followed, sorted."""
    names: list[str] = []
    for folder, below, files in os.walk(root, followlinks=False):
        below[:] = sorted(one for one in below if one not in (".git", "node_modules"))
        for file in sorted(files):
            names.append(Path(folder, file).relative_to(root).as_posix())
            if len(names) > MAX_FILES:
                raise _refused(
                    "too_many_files",
                    f"more than {MAX_FILES} files below this folder",
                    str(root),
                    "name the folder of the plan itself",
                )
    return names


def _siblings(names: Iterable[str]) -> dict[str, frozenset[str]]:
    beside: dict[str, set[str]] = {}
    for name in names:
        path = PurePosixPath(name)
        beside.setdefault(str(path.parent), set()).add(path.name)
    return {folder: frozenset(found) for folder, found in beside.items()}


def _listing(folder: Path) -> frozenset[str]:
    try:
        return frozenset(one.name for one in os.scandir(folder))
    except OSError:
        return frozenset()


def _refused(kind: str, message: str, path: str, mend: str = "") -> PlanRejected:
    return PlanRejected([Problem(kind, message, Place(path), mend)])
