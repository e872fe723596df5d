"""How the files that held-out checks need reach other machines, and never an agent.

An agent can read every object of the stores its workspace borrows from, so
these files must not be in the hub: all that workers fetch from there lands in
such a store. They travel as one document beside the run's reports, in the
database that no sandbox reaches, and are laid out in the run's folder on each
machine, which no agent's command sees.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import stat
import tempfile
from pathlib import Path, PurePosixPath

from wavecrew.errors import EngineFault, PlanError
from wavecrew.journal.shelf import Shelf
from wavecrew.plan.settings import Check
from wavecrew.run.spec import RunFolder, RunSpec

DOCUMENT = "held-out.json"
LARGEST = 64_000_000
"""Bytes of all held-out files; a database is no place for more."""


def ship(shelf: Shelf, spec: RunSpec) -> None:
    """Put what the run's checks hold out on the shelf. Called once, before the run can start.

    PlanError when a folder is missing or all is too large.
    """
    folders = _folders(spec.settings.checks)
    if folders and spec.held_out_root:
        shelf.save(DOCUMENT, packed(Path(spec.held_out_root), folders))


def bring(shelf: Shelf, spec: RunSpec, folder: RunFolder) -> RunSpec:
    """The spec with the held-out files where they are on this machine.

    They are laid out whole or not at all, once. EngineFault when they should be
    on the shelf and are not.
    """
    if not _folders(spec.settings.checks) or not spec.held_out_root:
        return spec
    place = folder.root / "held-out"
    if not place.is_dir():
        document = shelf.load(DOCUMENT)
        if document is None:
            raise EngineFault("the held-out files of the run are not on its shelf", where=spec.run)
        _lay_out(document, place)
    return spec.model_copy(update={"held_out_root": str(place)})


def packed(root: Path, folders: tuple[str, ...]) -> bytes:
    """The folders as one document, the same for the same files wherever they lie.

    A link to a file is packed as that file: what it names is on this machine.
    PlanError for what would not be the same elsewhere.
    """
    files: dict[str, dict[str, str]] = {}
    size = 0
    for folder in folders:
        _refuse_outside(root, folder)
        for path in sorted((root / folder).rglob("*")):
            if path.is_file():
                size += path.stat().st_size
                if size > LARGEST:
                    raise _wrong(f"held-out files have more than {LARGEST} bytes", root / folder)
                files[path.relative_to(root).as_posix()] = _packed_file(path)
            elif path.is_symlink():
                raise _wrong("a link among held-out files leads to no file", path)
    return json.dumps({"folders": folders, "files": files}, sort_keys=True).encode()


def _packed_file(path: Path) -> dict[str, str]:
    executable = bool(path.stat().st_mode & stat.S_IXUSR)
    content = base64.b64encode(path.read_bytes()).decode()
    return {"mode": "755" if executable else "644", "base64": content}


def _refuse_outside(root: Path, folder: str) -> None:
    if not _is_inside(folder):
        raise _wrong("a held-out folder lies outside of the plan's own folder", root / folder)
    if not (root / folder).is_dir():
        raise _wrong("a held-out folder is missing", root / folder)


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def _wrong(what: str, where: Path) -> PlanError:
    return PlanError(what, where=str(where), mend="mend `held_out` of the check, or the folder")


def _folders(checks: tuple[Check, ...]) -> tuple[str, ...]:
    return tuple(sorted({check.held_out for check in checks if check.held_out}))


def _lay_out(document: bytes, place: Path) -> None:
    """All files below `place`, for this user alone."""
    place.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=place.parent, prefix="held-out-"))
    try:
        said = json.loads(document)
        for name in (*said["folders"], *said["files"]):
            if not _is_inside(name):
                raise EngineFault(f"the held-out files hold {name!r}, which nothing of ours packed")
        for folder in said["folders"]:
            (scratch / folder).mkdir(parents=True, exist_ok=True)
        for name, file in said["files"].items():
            target = scratch / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(base64.b64decode(file["base64"]))
            target.chmod(int(file["mode"], 8))
        try:
            os.rename(scratch, place)
        except OSError:
            if not place.is_dir():  # else another thread was faster
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
