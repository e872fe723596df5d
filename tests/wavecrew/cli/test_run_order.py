"""`wavecrew run` makes its order before anything is started, and refuses what can never end."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from wavecrew.cli.request import RunRequest, spec_of
from wavecrew.cli.start import start_or_resume
from wavecrew.errors import UsageError
from wavecrew.workspace.user_repo import UserRepository

AGENTS = """\
writer: {role: W, goal: g, backstory: b, archetype: flow, tools: [submit], may_write: [src/], parallel: 2}
"""
TASK = '  - {{id: "{}", title: t, agent: writer, description: d, expected_output: e, {}}}\n'
HEAD = 'plan: {title: Small}\nwaves: [{id: "1"}, {id: "2"}]\ntasks:\n'


@pytest.fixture
def repository(tmp_path: Path) -> UserRepository:
    folder = tmp_path / "repo"
    folder.mkdir()
    (tmp_path / "agents.yaml").write_text(AGENTS)
    identity = ["-c", "user.name=n", "-c", "user.email=n@example.org"]
    subprocess.run(["git", "init", "-q", "-b", "main", folder], check=True)
    commit = ["commit", "-q", "--allow-empty", "-m", "start"]
    subprocess.run(["git", *identity, *commit], cwd=folder, check=True)
    return UserRepository.open(folder)


def request(
    repository: UserRepository, tmp_path: Path, *tasks: tuple[str, str], barrier: str
) -> RunRequest:
    (tmp_path / "tasks.yaml").write_text(HEAD + "".join(TASK.format(*task) for task in tasks))
    return RunRequest(
        repo=repository.root,
        agents=tmp_path / "agents.yaml",
        tasks=tmp_path / "tasks.yaml",
        barrier=barrier,
    )


def test_the_order_is_stored_when_it_is_faster_than_the_usual_one(
    repository: UserRepository, tmp_path: Path
) -> None:
    tasks = [
        (str(n), f"estimate_h: {h}, may_write: [src/{n}]") for n, h in enumerate((3, 3, 2, 2, 2))
    ]
    spec = spec_of(request(repository, tmp_path, *tasks, barrier="sync"), repository)
    assert sorted(spec.order) == ["0", "1", "2", "3", "4"]
    assert spec == spec_of(request(repository, tmp_path, *tasks, barrier="sync"), repository)
    usual = spec_of(request(repository, tmp_path, *tasks[:2], barrier="sync"), repository)
    assert usual.order == ()


def test_a_circle_through_the_end_of_a_wave_is_refused_before_anything_is_made(
    repository: UserRepository, tmp_path: Path
) -> None:
    tasks = [("1", 'wave: "1", depends_on: ["x"]'), ("x", 'depends_on: ["2"]'), ("2", 'wave: "2"')]
    assert spec_of(request(repository, tmp_path, *tasks, barrier="sync"), repository).order == ()
    with pytest.raises(UsageError, match=r"end of wave 1"):
        start_or_resume(request(repository, tmp_path, *tasks, barrier="wave"))
    assert not (repository.git_dir / "wavecrew").exists()
