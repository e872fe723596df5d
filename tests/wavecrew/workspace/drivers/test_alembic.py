from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wavecrew.workspace.drivers.alembic import AlembicHeads
from wavecrew.workspace.model import Change, Converged, MergeView

ENV = """\
from alembic import context
from sqlalchemy import create_engine

with create_engine(context.config.get_main_option("sqlalchemy.url")).connect() as connection:
    context.configure(connection=connection, target_metadata=None)
    with context.begin_transaction():
        context.run_migrations()
"""
INI = "[alembic]\nscript_location = %(here)s/migrations\nsqlalchemy.url = sqlite:///app.db\n"
SCAFFOLD = {"alembic.ini": INI, "migrations/env.py": ENV, "migrations/script.py.mako": ""}
WHERE = "migrations/versions"


def migration(revision: str, down: str | None, style: str = "plain") -> str:
    quoted = "None" if down is None else f'"{down}"'
    name = "down_revision" if style == "plain" else "down_revision: str | None"
    return f'''"""Make t_{revision}.

Revision ID: {revision}
Revises: {down or ""}
"""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
{name} = {quoted}
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table("t_{revision}", sa.Column("id", sa.Integer, primary_key=True))


def downgrade() -> None:
    op.drop_table("t_{revision}")
'''


class Trees:
    """A mirror of dictionaries: treeish -> path -> content."""

    def __init__(self, **trees: Mapping[str, str | bytes]) -> None:
        self.trees = {
            name: {p: t.encode() if isinstance(t, str) else t for p, t in tree.items()}
            for name, tree in trees.items()
        }

    def read(self, treeish: str, path: str) -> bytes | None:
        return self.trees[treeish].get(path)

    def read_all(self, treeish: str, paths: Iterable[str]) -> dict[str, bytes]:
        return {path: self.trees[treeish][path] for path in paths if path in self.trees[treeish]}

    def ls(self, treeish: str, prefix: str = "") -> tuple[str, ...]:
        found = sorted(self.trees[treeish])
        return tuple(path for path in found if not prefix or path.startswith(f"{prefix}/"))

    def changes(self, base: str, tree: str) -> tuple[Change, ...]:
        one, other = self.trees[base], self.trees[tree]
        paths = sorted(path for path in {*one, *other} if one.get(path) != other.get(path))
        return tuple(Change(path, "M", "100644", "100644") for path in paths)

    def merge_text(self, base: bytes, ours: bytes, theirs: bytes, marker: int) -> bytes:
        raise NotImplementedError


def converge(
    base: Mapping[str, str | bytes],
    ours: Mapping[str, str | bytes],
    theirs: Mapping[str, str | bytes],
    scaffold: Mapping[str, str] = SCAFFOLD,
) -> Converged | None:
    """The driver on a history whose branches only add files, all under `versions/`."""

    def tree(*parts: Mapping[str, str | bytes]) -> dict[str, str | bytes]:
        files: dict[str, str | bytes] = dict(scaffold)
        for part in parts:
            files |= {f"{WHERE}/{name}.py": text for name, text in part.items()}
        return files

    trees = Trees(
        base=tree(base),
        ours=tree(base, ours),
        theirs=tree(base, theirs),
        tree=tree(base, ours, theirs),
    )
    return AlembicHeads().converge(trees, MergeView("base", "ours", "theirs", "tree"))


def chain(*pairs: tuple[str, str | None]) -> dict[str, str]:
    return {revision: migration(revision, down) for revision, down in pairs}


def changed(made: Converged | None) -> dict[str, str]:
    assert made is not None
    assert made.conflicts == ()
    return {path: content.decode() for path, content in made.files.items()}


def test_the_landing_migration_is_put_behind_the_tips_head() -> None:
    made = changed(converge(chain(("a", None)), chain(("b", "a")), chain(("c", "a"))))
    assert made == {f"{WHERE}/c.py": migration("c", "b")}


def test_a_chain_is_moved_as_a_whole_by_its_first() -> None:
    theirs = chain(("c", "a"), ("d", "c"), ("e", "d"))
    made = changed(converge(chain(("a", None)), chain(("b", "a")), theirs))
    assert made == {f"{WHERE}/c.py": migration("c", "b")}


def test_two_first_migrations_make_one_line() -> None:
    made = changed(converge({}, chain(("b", None)), chain(("c", None))))
    assert made == {f"{WHERE}/c.py": migration("c", "b")}


def test_an_annotated_assignment_keeps_its_annotation() -> None:
    theirs = {"c": migration("c", "a", "annotated")}
    made = changed(converge(chain(("a", None)), chain(("b", "a")), theirs))
    assert 'down_revision: str | None = "b"\n' in made[f"{WHERE}/c.py"]


def test_single_quotes_and_windows_lines_stay() -> None:
    text = "revision = 'c'\r\ndown_revision = 'a'\r\n# ü\r\n"
    made = converge(chain(("a", None)), chain(("b", "a")), {"c": text.encode()})
    assert made is not None
    assert made.files[f"{WHERE}/c.py"] == text.replace("'a'", "'b'").encode()


def test_a_merge_revision_of_theirs_loses_what_the_tip_has_merged() -> None:
    base = chain(("a", None), ("x", "a"), ("y", "a"))
    join = migration("{0}", None)
    tips = {n: join.replace("{0}", n).replace("= None\nbr", '= ("x", "y")\nbr') for n in "mn"}
    made = changed(converge(base, {"m": tips["m"]}, {"n": tips["n"]}))
    assert 'down_revision = "m"\n' in made[f"{WHERE}/n.py"]


def test_a_branch_that_forks_and_joins_stays_so() -> None:
    theirs = chain(("c", "a"), ("d", "a"))
    theirs["e"] = migration("e", None).replace("= None\nbr", '= ("c", "d")\nbr')
    made = changed(converge(chain(("a", None)), chain(("b", "a")), theirs))
    assert made == {f"{WHERE}/{n}.py": migration(n, "b") for n in "cd"}


def test_without_a_second_head_nothing_is_done() -> None:
    assert converge(chain(("a", None)), {}, chain(("c", "a"))) is None
    assert converge(chain(("a", None)), chain(("b", "a")), {}) is None


def test_a_side_that_had_two_heads_before_is_left_alone() -> None:
    base = chain(("a", None), ("x", "a"), ("y", "a"))
    assert converge(base, chain(("b", "x")), chain(("c", "y"))) is None


def test_one_revision_id_in_two_files_is_a_conflict() -> None:
    made = converge(
        chain(("a", None)), {"one": migration("b", "a")}, {"other": migration("b", "a")}
    )
    assert made is not None
    assert made.files == {}
    (conflict,) = made.conflicts
    assert conflict.kind == "alembic: same revision id"
    assert "one.py" in conflict.hunks
    assert "other.py" in conflict.hunks


@pytest.mark.parametrize(
    "hostile",
    [
        b"revision = 'c'\ndown_revision = (((\n",
        b"revision = 'c'\ndown_revision = 'a'\n" + b"#" * 1_000_001,
        b"revision = 'c'\ndown_revision = open('/etc/passwd').read()\n",
        b"revision = 'c'\ndown_revision = 3\n",
        b"revision = c\ndown_revision = 'a'\n",
        b"revision = ''\ndown_revision = 'a'\n",
        b"revision = 'c'\n",
        b"revision = 'c'\ndown_revision = 'nowhere'\n",
        b"revision = 'c'\ndown_revision = 'c'\n",
        b"\xff\xfe",
        b"revision = 'c'\0\n",
        b"x = " + b"(" * 5000,
        b"<<<<<<< ours\nrevision = 'c'\n",
    ],
)
def test_a_hostile_file_makes_the_driver_step_back(hostile: bytes) -> None:
    assert converge(chain(("a", None)), chain(("b", "a")), {"c": hostile}) is None


def test_a_tip_whose_head_could_break_a_string_is_left_alone() -> None:
    ours = {"b": "revision = 'b\\'\\nimport os'\ndown_revision = 'a'\n"}
    assert converge(chain(("a", None)), ours, chain(("c", "a"))) is None


def test_folders_are_found_without_an_ini_and_by_version_locations() -> None:
    args = (chain(("a", None)), chain(("b", "a")), chain(("c", "a")))
    assert converge(*args, {"migrations/env.py": ENV}) is not None
    ini = (
        "[alembic]\nscript_location = elsewhere\nversion_locations = %(here)s/migrations/versions\n"
    )
    assert converge(*args, {"alembic.ini": ini}) is not None
    assert converge(*args, {}) is None
    assert converge(*args, {"alembic.ini": "[alembic\n\0", "migrations/env.py": ""}) is not None


@st.composite
def histories(draw: st.DrawFn) -> tuple[dict[str, tuple[str, ...]], ...]:
    """Base, ours, theirs: each a graph with one head that builds on the base's head or deeper."""

    def grow(prefix: str, known: list[str], least: int) -> dict[str, tuple[str, ...]]:
        graph: dict[str, tuple[str, ...]] = {}
        for index in range(draw(st.integers(least, 4))):
            pool = known + list(graph)
            size = draw(st.integers(0 if not pool else 1, min(3, len(pool))))
            downs = draw(st.permutations(pool))[:size]
            graph[f"{prefix}{index}"] = tuple(sorted(downs))
        below = {down for downs in graph.values() for down in downs}
        open_ends = [r for r in [*known, *graph] if r not in below and r not in covered]
        if len(open_ends) > 1:
            graph[f"{prefix}join"] = tuple(sorted(open_ends))
        return graph

    covered: set[str] = set()
    base = grow("a", [], 0)
    covered = {down for downs in base.values() for down in downs}
    return base, grow("b", list(base), 1), grow("c", list(base), 1)


@settings(max_examples=150, deadline=None)
@given(histories())
def test_any_two_one_headed_branches_become_one_line(
    shapes: tuple[dict[str, tuple[str, ...]], ...],
) -> None:
    def files(graph: dict[str, tuple[str, ...]]) -> dict[str, str]:
        written = {}
        for name, downs in graph.items():
            value = downs[0] if len(downs) == 1 else downs or None
            written[name] = f"revision = {name!r}\ndown_revision = {value!r}\n"
        return written

    base, ours, theirs = shapes
    made = converge(files(base), files(ours), files(theirs))
    assert made is not None
    assert made == converge(files(base), files(ours), files(theirs))
    graph = dict(base) | ours | theirs
    for path, content in made.files.items():
        name = Path(path).stem
        assert name in theirs
        values: dict[str, object] = {}
        exec(content, values)
        down = values["down_revision"]
        graph[name] = (down,) if isinstance(down, str) else tuple(down)  # type: ignore[arg-type]
    below = {down for downs in graph.values() for down in downs}
    (head,) = [name for name in graph if name not in below]
    assert head in theirs
    reached, waiting = set(), [head]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += graph[name]
    assert reached == set(graph), "the new head stands on every migration"


def test_real_alembic_upgrades_what_was_merged(tmp_path: Path) -> None:
    base = chain(("a1", None), ("a2", "a1"))
    ours = chain(("b1", "a2"))
    theirs = chain(("c1", "a2"), ("c2", "c1"))
    files = {f"{WHERE}/{n}.py": text for n, text in (base | ours | theirs).items()} | SCAFFOLD
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert len(alembic(tmp_path, "heads").split()) == 4, "two heads before"
    made = changed(converge(base, ours, theirs))
    for name, text in made.items():
        (tmp_path / name).write_text(text)
    assert alembic(tmp_path, "heads") == "c2 (head)"
    alembic(tmp_path, "upgrade", "head")
    assert alembic(tmp_path, "current") == "c2 (head)"
    alembic(tmp_path, "downgrade", "base")


def alembic(folder: Path, *args: str) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-W", "ignore", "-m", "alembic", *args],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
