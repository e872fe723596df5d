"""Held-out files on every machine, and out of every agent's reach."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from wavecrew.errors import EngineFault, PlanError
from wavecrew.plan.settings import Check
from wavecrew.run.parts import Parts
from wavecrew.run.spec import RunFolder, RunSpec
from wavecrew.sandbox.model import Caps
from wavecrew.workers.held_out import DOCUMENT, LARGEST, bring, packed, ship
from wavecrew.workspace.workspace import Workspace

SECRET = "the-answer-agents-must-not-see"


class Documents(dict[str, bytes]):
    """What is asked of a shelf, as two machines see it."""

    def save(self, name: str, content: bytes) -> None:
        self[name] = content

    def load(self, name: str) -> bytes | None:
        return self.get(name)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "acceptance" / "deep").mkdir(parents=True)
    (root / "acceptance" / "test_all.py").write_text(f"# {SECRET}\n")
    (root / "acceptance" / "deep" / "run.sh").write_text("echo hello\n")
    (root / "acceptance" / "deep" / "run.sh").chmod(0o755)
    (root / "acceptance" / "link.py").symlink_to("test_all.py")
    (root / "private").write_text("not asked for\n")
    return root


def holding(spec: RunSpec, root: Path, *folders: str) -> RunSpec:
    checks = tuple(Check(name=name, run="true", held_out=name) for name in folders)
    settings = spec.settings.model_copy(update={"checks": checks})
    return spec.model_copy(update={"settings": settings, "held_out_root": str(root)})


def test_the_files_are_on_the_other_machine_as_they_were(parts: Parts, project: Path) -> None:
    shelf, spec = Documents(), holding(parts.spec, project, "acceptance")
    ship(shelf, spec)
    shutil.rmtree(project)
    root = Path(bring(shelf, spec, parts.folder).held_out_root)
    files = {str(p.relative_to(root)): p.read_text() for p in root.rglob("*") if p.is_file()}
    assert files == {
        "acceptance/test_all.py": f"# {SECRET}\n",
        "acceptance/link.py": f"# {SECRET}\n",
        "acceptance/deep/run.sh": "echo hello\n",
    }
    assert os.access(root / "acceptance" / "deep" / "run.sh", os.X_OK)
    assert root.stat().st_mode & 0o077 == 0
    assert list(parts.folder.root.glob("held-out-*")) == []


def test_they_are_laid_out_once_and_then_found(parts: Parts, project: Path) -> None:
    shelf, spec = Documents(), holding(parts.spec, project, "acceptance")
    ship(shelf, spec)
    first = bring(shelf, spec, parts.folder)
    shelf.clear()
    assert bring(shelf, spec, parts.folder) == first


def test_the_same_files_make_the_same_document(project: Path, tmp_path: Path) -> None:
    first = packed(project, ("acceptance",))
    shutil.copytree(project, tmp_path / "copy", symlinks=True)
    os.utime(tmp_path / "copy" / "acceptance" / "test_all.py", (1, 1))
    assert packed(tmp_path / "copy", ("acceptance",)) == first


def test_a_run_without_held_out_checks_ships_and_needs_nothing(parts: Parts) -> None:
    shelf = Documents()
    ship(shelf, parts.spec)
    assert shelf == {}
    assert bring(shelf, parts.spec, parts.folder) == parts.spec


def test_files_that_should_be_there_and_are_not_are_a_fault(parts: Parts, project: Path) -> None:
    with pytest.raises(EngineFault, match="not on its shelf"):
        bring(Documents(), holding(parts.spec, project, "acceptance"), parts.folder)


@pytest.mark.parametrize("folder", ["missing", "../project/acceptance", "/etc"])
def test_a_folder_that_cannot_travel_is_refused_at_once(
    parts: Parts, project: Path, folder: str
) -> None:
    with pytest.raises(PlanError, match="held-out folder"):
        ship(Documents(), holding(parts.spec, project, folder))


def test_links_to_folders_and_too_much_are_refused(project: Path) -> None:
    link = project / "acceptance" / "linked"
    link.symlink_to("deep")
    with pytest.raises(PlanError, match="leads to no file"):
        packed(project, ("acceptance",))
    link.unlink()
    with (project / "acceptance" / "large").open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(PlanError, match="more than"):
        packed(project, ("acceptance",))


def test_a_document_that_leads_out_of_its_folder_is_refused(parts: Parts, project: Path) -> None:
    spec = holding(parts.spec, project, "acceptance")
    shelf = Documents({DOCUMENT: packed(project, ("acceptance",))})
    shelf[DOCUMENT] = shelf[DOCUMENT].replace(b"acceptance/deep/run.sh", b"../run.sh")
    with pytest.raises(EngineFault, match="nothing of ours"):
        bring(shelf, spec, parts.folder)
    assert not (parts.folder.root / "held-out").exists()


LOOK = r"""
grep -raos -e "$SECRET" -e "$CONTROL" /workspace /gitdir /tmp /home /root /run /var
for store in /objects/*; do
  export GIT_OBJECT_DIRECTORY=$store
  git cat-file --batch-all-objects --batch | grep -ao -e "$SECRET" -e "$CONTROL"
done
cd /; find . -xdev -path ./proc -prune -o -path ./usr -prune -o -name "*eld?out*" -print
"""


def test_an_agent_that_reads_all_it_can_reach_does_not_find_them(
    machines: list[Parts], project: Path
) -> None:
    one, _ = machines
    shelf, spec = Documents(), holding(one.spec, project, "acceptance")
    ship(shelf, spec)
    one.repository.read_ref(one.spec.integration_ref)
    brought = bring(shelf, spec, RunFolder(one.folder.root))
    assert SECRET in (Path(brought.held_out_root) / "acceptance" / "test_all.py").read_text()
    # What is in a store an agent does find: without this the test could not fail.
    control = "a-control-it-finds"
    one.repository.git.run("hash-object", "-w", "--stdin", stdin=control.encode())
    folder = one.folder.attempt("1.1", 1) / "ws"
    workspace = Workspace.create(folder, one.mirror.objects, one.spec.base, one.sandbox)
    look = f"SECRET={SECRET}; CONTROL={control}\n{LOOK}"
    done = one.sandbox.run(workspace.command(look, Caps(wall_s=60)))
    assert done.exit_code == 0
    assert done.stdout.decode().split() == [control]
