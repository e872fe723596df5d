"""Two branches each add a migration: the landing one's is put behind the tip's head.

Alembic refuses `upgrade head` when a folder has two heads. Renaming or merge
revisions would leave traces in every branch; changing the one `down_revision`
that still points at the old head is what a person would do.
"""

from __future__ import annotations

import ast
import configparser
import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter

from wavecrew.workspace.drivers.source import Edit, Source
from wavecrew.workspace.model import Conflict, Converged, MergeView, Trees

MOST_MIGRATIONS = 5_000
_PLAIN_ID = re.compile(r"[A-Za-z0-9_.-]+\Z")
_REVISES = re.compile(rb"^([ \t]*Revises:)[^\r\n]*", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Migration:
    path: str
    revision: str
    downs: tuple[str, ...]
    source: Source
    value: ast.expr
    """The expression `down_revision` is assigned."""
    quote: bytes
    """The quotation mark this file writes its revision with."""


Graph = dict[str, Migration]
"""revision -> its migration."""

Parse = Callable[[bytes], Source | None]


class AlembicHeads:
    name = "alembic"

    def converge(self, trees: Trees, view: MergeView) -> Converged | None:
        touched = {
            posixpath.dirname(change.path) for change in trees.changes(view.base, view.theirs)
        }
        groups = version_folders(trees, view.tree)
        files: dict[str, bytes] = {}
        conflicts: list[Conflict] = []
        parse = cache(Source.parse)  # most migrations stand in all three trees
        for folders in groups:
            if touched.isdisjoint(folders):
                continue
            ours, theirs = (_load(trees, side, folders, parse) for side in (view.ours, view.theirs))
            if isinstance(ours, dict) and isinstance(theirs, dict):
                if same := _same_ids(ours, theirs):
                    conflicts += same
                    continue
                files |= _rehead(trees, view, folders, ours, theirs, parse) or {}
        return Converged(files, tuple(conflicts)) if files or conflicts else None


def version_folders(trees: Trees, tree: str) -> tuple[tuple[str, ...], ...]:
    """Groups of folders that hold one history each: told by alembic.ini, or by env.py beside."""
    paths = trees.ls(tree)
    inis = [path for path in paths if f"/{path}".endswith("/alembic.ini")]
    groups: list[tuple[str, ...]] = []
    for ini, content in sorted(trees.read_all(tree, inis).items()):
        folders = _configured(posixpath.dirname(ini), content)
        if folders and folders not in groups:
            groups.append(folders)
    known = {folder for group in groups for folder in group}
    environments = {posixpath.dirname(p) for p in paths if f"/{p}".endswith("/env.py")}
    for folder in sorted(posixpath.join(home, "versions") for home in environments):
        if folder not in known and any(path.startswith(f"{folder}/") for path in paths):
            groups.append((folder,))
    return tuple(groups)


def _configured(home: str, content: bytes) -> tuple[str, ...]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(content.decode("utf-8"))
    except (configparser.Error, UnicodeDecodeError):
        return ()
    section = dict(parser.items("alembic")) if parser.has_section("alembic") else {}
    script = section.get("script_location", "")
    if not script or ":" in script:  # a package location; its env.py is found by itself
        return ()
    own = posixpath.join(script, "versions")
    named = re.split(r"[\s:;,]+", section.get("version_locations", ""))
    folders = [_within(home, name) for name in [name for name in named if name] or [own]]
    return tuple(dict.fromkeys(folder for folder in folders if folder))


def _within(home: str, name: str) -> str:
    """A folder as a path of the tree; empty when it lies outside."""
    relative = re.sub(r"%%?\(here\)s/?", "", name)
    path = posixpath.normpath(posixpath.join(home, relative))
    return "" if path.startswith(("/", "..")) or path == "." else path


def _load(trees: Trees, treeish: str, folders: tuple[str, ...], parse: Parse) -> Graph | None:
    """None when a file cannot be understood or one side alone is already at odds."""
    paths = [
        path
        for folder in folders
        for path in trees.ls(treeish, folder)
        if posixpath.dirname(path) == folder and path.endswith(".py")
    ]
    if len(paths) > MOST_MIGRATIONS:
        return None
    return _graph(trees.read_all(treeish, paths), parse)


def _graph(contents: Mapping[str, bytes], parse: Parse) -> Graph | None:
    graph: Graph = {}
    for path, data in sorted(contents.items()):
        source = parse(data)
        if source is None:
            return None
        assigned = _assigned(source.module)
        if "revision" not in assigned:
            continue
        if (migration := _migration(path, source, assigned)) is None:
            return None
        if migration.revision in graph:
            return None
        graph[migration.revision] = migration
    return graph


def _assigned(module: ast.Module) -> dict[str, ast.expr]:
    found: dict[str, ast.expr] = {}
    for statement in module.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found[name] = value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                found[name] = value
    return found


def _migration(path: str, source: Source, assigned: dict[str, ast.expr]) -> Migration | None:
    revision, value = assigned["revision"], assigned.get("down_revision")
    if value is None or not isinstance(revision, ast.Constant):
        return None
    try:
        downs = ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    listed = () if downs is None else (downs,) if isinstance(downs, str) else downs
    if not isinstance(listed, tuple | list) or not all(isinstance(name, str) for name in listed):
        return None
    if not isinstance(revision.value, str) or not revision.value:
        return None
    quote = source.text(revision)[-1:]
    return Migration(path, revision.value, tuple(listed), source, value, quote)


def heads(graph: Graph) -> list[str]:
    """Revisions that no other builds on."""
    below = {down for migration in graph.values() for down in migration.downs}
    return sorted(revision for revision in graph if revision not in below)


def _same_ids(ours: Graph, theirs: Graph) -> list[Conflict]:
    """Two files with one revision id; git sees nothing wrong with them."""
    return [
        Conflict(
            theirs[revision].path,
            "alembic: same revision id",
            f"revision {revision!r} stands in {ours[revision].path!r} on the integration branch "
            f"and in {theirs[revision].path!r} on this one; give the new one another id",
        )
        for revision in sorted(ours.keys() & theirs.keys())
        if ours[revision].path != theirs[revision].path
    ]


def _rehead(
    trees: Trees,
    view: MergeView,
    folders: tuple[str, ...],
    ours: Graph,
    theirs: Graph,
    parse: Parse,
) -> dict[str, bytes] | None:
    merged = _load(trees, view.tree, folders, parse)
    if merged is None or len(heads(ours)) != 1 or len(heads(theirs)) != 1:
        return None
    if len(heads(merged)) < 2:
        return None
    (head,) = heads(ours)
    if not _PLAIN_ID.match(head):
        return None
    new = {revision: merged[revision] for revision in theirs if revision not in ours}
    if any(theirs[revision].path != merged[revision].path for revision in new):
        return None
    files = {
        migration.path: _behind(migration, head)
        for migration in new.values()
        if not any(down in new for down in migration.downs)
    }
    after = {m.path: m.source.data for m in merged.values()} | files
    made = _graph(after, parse)
    return files if made is not None and _is_one_line(made, heads(theirs)[0]) else None


def _is_one_line(graph: Graph, head: str) -> bool:
    """One head, every link leads somewhere, and no circle: what `upgrade head` needs."""
    if heads(graph) != [head]:
        return False
    if any(down not in graph for migration in graph.values() for down in migration.downs):
        return False
    try:
        TopologicalSorter({name: migration.downs for name, migration in graph.items()}).prepare()
    except CycleError:
        return False
    return True


def _behind(migration: Migration, head: str) -> bytes:
    """The migration's source with `down_revision` and its docstring naming `head`."""
    source, value = migration.source, migration.value
    named = migration.quote + head.encode() + migration.quote
    edits = [Edit(source.start(value), source.end(value), named)]
    if ast.get_docstring(source.module) is not None:
        first = source.module.body[0]
        line = _REVISES.search(source.data, source.start(first), source.end(first))
        if line is not None:
            edits.append(Edit(line.start(), line.end(), line[1] + b" " + head.encode()))
    return source.edited(edits)
