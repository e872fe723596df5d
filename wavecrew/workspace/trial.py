"""What would git and the drivers make of these merges? Many at once, and nothing is kept.

A trial is a scratch repository that borrows the mirror's objects: one
`merge-tree` process merges any number of pairs, and the convergence drivers read
through one `cat-file` process. The answers are those of `Mirror.merge`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from wavecrew.workspace.drivers.python_imports import MARKER
from wavecrew.workspace.git import Git, object_format, object_id
from wavecrew.workspace.merging import MARKED, RawMerge, converge, read_merge
from wavecrew.workspace.model import Change, Conflict, MergeView
from wavecrew.workspace.objects import ObjectReader
from wavecrew.workspace.skeleton import write_skeleton

if TYPE_CHECKING:
    from wavecrew.workspace.mirror import Mirror

LARGEST_MARKED = 1_000_000
"""Bytes of a conflicting file whose text is taken from git's merge of the whole tree."""
LARGEST_AHEAD = 20_000
MOST_AHEAD = 500
"""Conflicting files that are read before they are asked for."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One merge as it would end."""

    tree: str
    """Git's merge."""
    files: Mapping[str, bytes]
    """What the drivers would change in it."""
    paths: tuple[str, ...]
    """What would still conflict, sorted; empty for a merge that goes through."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A scratch repository and its reader. For one thread."""

    scratch: Mirror
    reader: ObjectReader

    @classmethod
    @contextmanager
    def open(cls, mirror: Mirror, commit: str) -> Iterator[Trial]:
        """`commit`: any of the repository's, to tell its kind of object id."""
        with tempfile.TemporaryDirectory(dir=mirror.path, prefix="trial-") as folder:
            path = Path(folder) / "git"
            write_skeleton(path, object_format=object_format(commit), shallow=mirror.objects)
            # Conflicts as the import driver wants them, so that no file is merged again for it.
            with (path / "config").open("a") as config:
                config.write("[merge]\n\tconflictStyle = diff3\n")
                config.write("[fastimport]\n\tunpackLimit = 0\n")
            (path / "info" / "attributes").write_text(f"* conflict-marker-size={MARKER}\n")
            git = Git(path, alternates=mirror.objects, is_scratch=True)
            with ObjectReader(git) as reader:
                yield cls(type(mirror)(path, mirror.repository, git), reader)

    def merges(self, pairs: Sequence[tuple[str, str]], bases: Iterable[str | None]) -> list[Tried]:
        """How each merge of (ours, theirs) would end; `bases` are theirs, None: not known."""
        if not pairs:
            return []
        args = ("merge-tree", "--write-tree", "--stdin", "-z", "--messages")
        asked = "".join(f"{object_id(ours)} {object_id(theirs)}\n" for ours, theirs in pairs)
        fields = iter(self.scratch.git.run(*args, stdin=asked.encode()).split(b"\0"))
        raws = [(next(fields) == b"1", read_merge(fields)) for _ in pairs]
        self._look_ahead([raw for is_clean, raw in raws if not is_clean])
        return [
            self._tried(pair, base, raw, is_clean)
            for pair, base, (is_clean, raw) in zip(pairs, bases, raws, strict=True)
        ]

    def _look_ahead(self, conflicted: Sequence[RawMerge]) -> None:
        """Read in one go what the drivers will ask for one by one."""
        self.reader.look_ahead(raw.tree for raw in conflicted)
        blobs = [
            entry[1]
            for raw in conflicted
            for path in raw.stages
            if (entry := self.reader.files(raw.tree).get(path))
        ]
        self.reader.blobs(blobs[:MOST_AHEAD], LARGEST_AHEAD)

    def commits(self, made: Sequence[tuple[Tried, Sequence[str]]]) -> list[str]:
        """Commits of (what a merge gave, parents), all from one process."""
        stream: list[bytes] = []
        for number, (tried, parents) in enumerate(made, 1):
            head = f"commit refs/trial/{number}\nmark :{number}\ncommitter T <t@localhost> 0 +0000"
            words = ("from", *["merge"] * (len(parents) - 1))
            named = "\n".join(
                f"{word} {parent}" for word, parent in zip(words, parents, strict=True)
            )
            stream.append(f'{head}\ndata 0\n{named}\nM 040000 {tried.tree} ""\n'.encode())
            stream += self._files(tried)
            stream.append(f"get-mark :{number}\n".encode())
        given = b"".join(stream)
        return self.scratch.git.run("fast-import", "--quiet", stdin=given).decode().split()

    def _files(self, tried: Tried) -> Iterator[bytes]:
        modes = self.reader.files(tried.tree) if tried.files else {}
        for path, content in tried.files.items():
            mode = modes.get(path, ("", ""))[0]
            name = path.encode("utf-8", "surrogateescape")
            for plain in (b"\\", b'"'):
                name = name.replace(plain, b"\\" + plain)
            name = name.replace(b"\n", b"\\n")
            executable = b"100755" if mode == "100755" else b"100644"
            yield b'M %b inline "%b"\ndata %d\n%b\n' % (executable, name, len(content), content)

    def _tried(self, pair: tuple[str, str], base: str | None, raw: RawMerge, clean: bool) -> Tried:
        ours, theirs = pair
        base = base or self.scratch.merge_base(ours, theirs) or self.scratch.empty_tree()
        kinds = {} if clean else raw.kinds()
        conflicts = tuple(Conflict(path, kind, text) for path, (kind, text) in kinds.items())
        trees = TrialTrees(self.scratch, self.reader, raw)
        view = MergeView(base, ours, theirs, raw.tree, conflicts)
        view, _ = converge(trees, view, trees.write_tree)
        paths = {c.path.removesuffix(f"~{ours}").removesuffix(f"~{theirs}") for c in view.conflicts}
        return Tried(raw.tree, trees.files_of(view.tree), tuple(sorted(paths)))


@dataclass(slots=True)
class TrialTrees:
    """What drivers read in a trial. A tree they change stays in memory, under a made-up name."""

    scratch: Mirror
    reader: ObjectReader
    raw: RawMerge
    written: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """Made-up name -> the files in which it differs from git's merge."""
    marked: dict[tuple[bytes, bytes, bytes], bytes] | None = None

    def write_tree(self, tree: str, files: Mapping[str, bytes]) -> str:
        name = f"trial {len(self.written)}"
        self.written[name] = self.files_of(tree) | dict(files)
        return name

    def files_of(self, tree: str) -> dict[str, bytes]:
        return self.written.get(tree, {})

    def read(self, treeish: str, path: str) -> bytes | None:
        return self.read_all(treeish, (path,)).get(path)

    def read_all(self, treeish: str, paths: Iterable[str]) -> dict[str, bytes]:
        wanted = tuple(paths)
        own = {path: text for path, text in self.files_of(treeish).items() if path in wanted}
        rest = self.reader.read_all(self._real(treeish), (p for p in wanted if p not in own))
        return rest | own

    def ls(self, treeish: str, prefix: str = "") -> tuple[str, ...]:
        if any(path not in self.reader.files(self.raw.tree) for path in self.files_of(treeish)):
            return self.scratch.ls(self._stored(treeish), prefix)
        return self.reader.ls(self._real(treeish), prefix)

    def changes(self, base: str, tree: str) -> tuple[Change, ...]:
        return self.reader.changes(self._stored(base), self._stored(tree))

    def merge_text(self, base: bytes, ours: bytes, theirs: bytes, marker: int) -> bytes:
        if self.marked is None:
            self.marked = dict(self._marked())
        known = self.marked.get((base, ours, theirs)) if marker == MARKER else None
        return known or self.scratch.merge_text(base, ours, theirs, marker)

    def _marked(self) -> Iterator[tuple[tuple[bytes, bytes, bytes], bytes]]:
        """(base, ours, theirs) of each file git left with markers, and the text it left."""
        kinds = self.raw.kinds()
        files = self.reader.files(self.raw.tree)
        for path, stages in self.raw.stages.items():
            if kinds[path][0] not in MARKED or path not in files or not {"2", "3"} <= stages.keys():
                continue
            ids = [stages.get("1"), stages["2"], stages["3"], files[path][1]]
            contents = self.reader.blobs((name for name in ids if name), LARGEST_MARKED)
            texts = [contents.get(name) if name else b"" for name in ids]
            base, ours, theirs, text = texts
            if base is not None and ours is not None and theirs is not None and text is not None:
                yield (base, ours, theirs), text

    def _real(self, treeish: str) -> str:
        return self.raw.tree if treeish in self.written else treeish

    def _stored(self, treeish: str) -> str:
        """A tree that drivers changed, written for once."""
        files = self.files_of(treeish)
        return self.scratch.write_tree(self.raw.tree, files) if files else treeish
