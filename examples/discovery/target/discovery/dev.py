"""`python -m discovery.dev`: what developers of this repository run every day.

style                      look at every Python file for what a reader stumbles over
new-migration 0002_things  write the skeleton of a migration on top of the newest one
rebase-migration 0002      put a migration on top of one that was added beside it
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

ROOT = Path(__file__).resolve().parent.parent
LINE_LENGTH = 100
CHECKED = ("discovery", "migrations", "tests")


class DevError(Exception):
    """What was asked for cannot be done; the message says why."""


def style(root: Path = ROOT) -> list[str]:
    """Every complaint as `file:line: what`, in the order of the files."""
    files = (file for folder in CHECKED for file in sorted((root / folder).rglob("*.py")))
    return [f"{file.relative_to(root)}:{what}" for file in files for what in _complaints(file)]


def _complaints(file: Path) -> Iterator[str]:
    text = file.read_text(encoding="utf-8")
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        yield f"{error.lineno}: {error.msg}"
        return
    if ast.get_docstring(tree) is None:
        yield "1: the module has no docstring"
    if not text.endswith("\n") or text.endswith("\n\n"):
        yield f"{text.count(chr(10))}: the file must end with one newline"
    for number, line in enumerate(text.splitlines(), start=1):
        if len(line) > LINE_LENGTH:
            yield f"{number}: {len(line)} characters, {LINE_LENGTH} are allowed"
        if line != line.rstrip():
            yield f"{number}: space at the end of the line"
        if "\t" in line:
            yield f"{number}: a tab"


def new_migration(name: str, root: Path = ROOT) -> Path:
    """Write `migrations/versions/<name>.py`; its revision id is the number the name begins with."""
    match = re.fullmatch(r"(\d{4})_([a-z0-9_]+)", name)
    if match is None:
        raise DevError(f"{name!r} is not of the form 0002_things")
    scripts = _scripts(root)
    if len(scripts.get_heads()) != 1:
        raise DevError(f"several heads, rebase one first: {', '.join(scripts.get_heads())}")
    file = root / "migrations" / "versions" / f"{name}.py"
    if file.exists():
        raise DevError(f"{file.relative_to(root)} is there already")
    scripts.generate_revision(match[1], match[2].replace("_", " "))
    return file


def rebase_migration(revision: str, root: Path = ROOT) -> str:
    """Put a head on top of the other one; returns what it stands on then. One head: nothing."""
    scripts = _scripts(root)
    migration = scripts.get_revision(revision)
    heads = scripts.get_heads()
    if len(heads) == 1:
        return str(migration.down_revision)
    others = [head for head in heads if head != revision]
    if len(others) > 1:
        raise DevError(f"{revision} cannot be rebased, the heads are {heads}")
    file = Path(migration.path)
    text, count = re.subn(
        r'^(down_revision: str \| None = )"\w+"$',
        rf'\g<1>"{others[0]}"',
        file.read_text(encoding="utf-8"),
        flags=re.MULTILINE,
    )
    if count != 1:
        raise DevError(f'{file.name} has no line `down_revision: str | None = "..."`')
    file.write_text(text, encoding="utf-8")
    return others[0]


def _scripts(root: Path) -> ScriptDirectory:
    from alembic.config import Config  # here, so that `style` needs the standard library only
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(Config(str(root / "alembic.ini")))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m discovery.dev")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("style")
    commands.add_parser("new-migration").add_argument("name")
    commands.add_parser("rebase-migration").add_argument("revision")
    options = parser.parse_args(arguments)
    try:
        if options.command == "style":
            complaints = style()
            print("\n".join(complaints) or "style: nothing to complain about")
            return 1 if complaints else 0
        if options.command == "new-migration":
            file = new_migration(options.name)
            print(f"wrote {file.relative_to(ROOT)}")
        else:
            below = rebase_migration(options.revision)
            print(f"{options.revision} stands on {below}")
    except DevError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
