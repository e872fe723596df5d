"""`wavecrew plan forecast`: what it prints, what it writes, how it refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from wavecrew.cli.main import app
from wavecrew.errors import UsageError
from wavecrew.plan.problem import PlanRejected

ROOT = Path(__file__).resolve().parents[3]
RUNNER = CliRunner()
AGENTS = """\
writer: {role: Writer, goal: g, backstory: b, archetype: flow, tools: [read_file, submit], may_write: [src/]}
tester: {role: Tester, goal: g, backstory: b, archetype: flow, tools: [read_file, submit], may_write: [t/]}
"""
TASK = (
    '  - {{id: "{}", title: "{}", agent: {}, wave: "{}", description: d, expected_output: e, {}}}\n'
)
HEAD = 'plan: {title: Small}\nwaves: [{id: "1"}, {id: "2"}]\n'
HOSTILE = "<script>alert(1)</script> & \\u0007 \\\"q\\\" ]]> 'x'"


def tasks_yaml(*tasks: tuple[str, str, str, str, str], more: str = "") -> str:
    return HEAD + more + "tasks:\n" + "".join(TASK.format(*task) for task in tasks)


SMALL = tasks_yaml(
    ("1", "First", "writer", "1", "estimate_h: 2"),
    ("2", "Second", "writer", "1", "estimate_h: 3"),
    ("3", "Third", "tester", "2", "estimate_h: 4, depends_on: ['1']"),
    more="claims: [{what: makespan_h, hours: 8}]\n",
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "agents.yaml").write_text(AGENTS)
    (tmp_path / "tasks.yaml").write_text(SMALL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return tmp_path


def told(*arguments: str) -> Result:
    return RUNNER.invoke(app, ["plan", "forecast", *arguments])


def data(*arguments: str) -> dict[str, object]:
    result = told("--json", *arguments)
    assert result.exit_code == 0, result.exception
    loaded: dict[str, object] = json.loads(result.stdout)
    return loaded


def test_rows_claims_and_bars_are_shown(here: Path) -> None:
    result = told("--plays", "0")
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "one agent 1 of 1 9 h 9 h 9 h optimal 6 h 9 h 5 h -" in lines
    assert "as written: waves are barriers 1 of 10 9 h 9 h 9 h optimal 7 h 0.9 h 5 h -" in lines
    assert "sync points only 2 of 10 6 h 6 h 6 h optimal 6 h 0.9 h 5 h -" in lines
    assert "sync points, roles in parallel 2 of 10 6 h 6 h 6 h optimal 6 h 0.9 h 0.5 h -" in lines
    claim = (
        "makespan_h claims 8 h computed 9 h as written: waves are barriers 1 h more tasks.yaml:3"
    )
    assert claim in lines
    assert "Longest path 6 h: 1 -> 3" in lines
    bar = next(line for line in result.stdout.splitlines() if line.startswith("3  tester"))
    drawn = bar.split()[2]
    assert drawn.count("█") == round(4 / 6 * len(drawn))
    assert bar.endswith("2-6 h")


def test_the_shipped_plan_comes_out_as_documented(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    made = data("--plays", "0")
    rows = {row["key"]: row for row in made["rows"]}  # type: ignore[attr-defined]
    assert {key: row["dispatched_h"] for key, row in rows.items()} == {
        "single": 256,
        "written": 132,
        "sync": 122,
        "parallel": 84,
    }
    assert {row["proof"] for row in rows.values()} == {"optimal"}


@pytest.mark.parametrize("folder", ["", "tests/data/discovery_document/"])
def test_the_documentation_shows_what_the_commands_say(
    monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.chdir(ROOT)
    files = ["--agents-file", f"{folder}agents.yaml", "--tasks", f"{folder}tasks.yaml"]
    page = (ROOT / "docs" / "forecast.md").read_text("utf-8")
    said = told(*(files if folder else [])).stdout.split("\n\n")
    table = [one for one in said[1].splitlines() if not one.startswith(("Optimum", "Band"))]
    assert len(table) == 5
    for line in (*table, *said[3].splitlines()):
        assert line in page


def test_a_what_if_is_a_row_of_its_own(here: Path) -> None:
    made = data("--agents", "1", "--policy", "wave")
    rows = {row["key"]: row for row in made["rows"]}  # type: ignore[attr-defined]
    assert made["chosen"] == "asked"
    assert rows["asked"]["dispatched_h"] == 9
    assert (rows["asked"]["agents"], rows["asked"]["barrier"]) == (1, "wave")
    more = {row["key"]: row for row in data("--parallel", "writer=2")["rows"]}  # type: ignore[attr-defined]
    assert more["asked"]["busiest_role_h"] == 4
    assert more["sync"] == rows["sync"]


def test_the_same_command_says_the_same(here: Path) -> None:
    once, again = data(), data()
    assert once | {"solve_s": 0} == again | {"solve_s": 0}
    other = data("--seed", "2")
    assert other["rows"] != once["rows"]
    assert other["timeline"] == once["timeline"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--parallel", "writre=2"], "perhaps you meant 'writer'"),
        (["--parallel", "writer"], "not ROLE=N"),
        (["--parallel", "writer=0"], "not ROLE=N"),
        (["--parallel", "writer=²"], "not ROLE=N"),
        (["--policy", "strict"], "neither 'sync' nor 'wave'"),
        (["--row", "asked"], "no row"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    here: Path, arguments: list[str], message: str
) -> None:
    result = told(*arguments)
    assert isinstance(result.exception, UsageError)
    assert message in str(result.exception)


def test_a_cyclic_plan_exits_with_2_and_names_the_circle(here: Path) -> None:
    circle = [
        ("1", "a", "writer", "1", "depends_on: ['2']"),
        ("2", "b", "writer", "1", "depends_on: ['1']"),
    ]
    (here / "tasks.yaml").write_text(tasks_yaml(*circle))
    result = told()
    assert isinstance(result.exception, PlanRejected)
    assert result.exception.exit_code == 2
    assert "1 -> 2 -> 1" in str(result.exception)


def test_waves_against_dependencies_are_told_in_their_row(here: Path) -> None:
    against = [
        ("1", "a", "writer", "1", "depends_on: ['2']"),
        ("2", "b", "writer", "2", "estimate_h: 1"),
    ]
    (here / "tasks.yaml").write_text(tasks_yaml(*against))
    result = told("--svg", "out.svg", "--html", "out.html")
    assert result.exit_code == 0
    assert "as written: waves are barriers: impossible: " in result.stdout
    assert "No estimate, 1 h assumed: 1" in result.stdout
    assert "impossible" in (here / "out.html").read_text()
    refused = told("--row", "written", "--svg", "other.svg")
    assert isinstance(refused.exception, UsageError)
    assert not (here / "other.svg").exists()


def test_tasks_of_no_length_and_a_single_task_are_no_trouble(here: Path) -> None:
    (here / "tasks.yaml").write_text(tasks_yaml(("1", "a", "writer", "1", "estimate_h: 0")))
    result = told("--svg", "out.svg", "--html", "out.html")
    assert result.exit_code == 0
    assert "proven: no schedule is shorter" in result.stdout
    ET.parse(here / "out.svg")


class Page(HTMLParser):
    """Counts elements, keeps addresses, and knows which tags stay open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "rect", "line"):
            self.open.append(tag)
        self.addresses += [v or "" for k, v in attrs if k in ("src", "href", "action", "data")]

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("meta", "rect", "line"):
            assert self.open.pop() == tag


def test_page_and_drawing_escape_what_a_plan_says_and_ask_for_nothing(here: Path) -> None:
    hostile = [
        ("1", HOSTILE, "writer", "1", "estimate_h: 2"),
        ("2", "b", "tester", "2", "estimate_h: 1"),
    ]
    text = tasks_yaml(*hostile).replace("{title: Small}", f'{{title: "{HOSTILE}"}}')
    (here / "tasks.yaml").write_text(text)
    assert told("--svg", "out.svg", "--html", "out.html").exit_code == 0
    drawing = ET.parse(here / "out.svg").getroot()
    titles = [one.text or "" for one in drawing.iter("{http://www.w3.org/2000/svg}title")]
    assert any("<script>alert(1)</script>" in title for title in titles)
    assert drawing.get("role") == "img"
    source = (here / "out.html").read_text("utf-8")
    page = Page(source)
    assert page.open == []
    assert page.addresses == []
    assert "script" not in page.tags
    assert "http" not in source.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")
    assert "default-src 'none'" in source
    assert "prefers-color-scheme: dark" in source
    assert '<html lang="en">' in source
    labels = [part.split('"')[0] for part in source.split(' id="')[1:]]
    assert len(labels) == len(set(labels))
    assert "\x07" not in source
    assert page.tags.count("svg") == 4


@pytest.mark.parametrize("place", ["missing/out.html", "folder"])
def test_a_file_that_cannot_be_written_is_told_and_nothing_is_left(here: Path, place: str) -> None:
    (here / "folder").mkdir()
    before = sorted(os.listdir(here))
    result = told("--html", place)
    assert isinstance(result.exception, UsageError)
    assert result.exception.exit_code == 2
    assert "cannot write" in str(result.exception)
    assert result.stdout == ""
    assert sorted(os.listdir(here)) == before
    assert os.listdir(here / "folder") == []


def test_an_older_page_stays_whole_when_the_disk_is_full(here: Path) -> None:
    """Within a file size limit of 1 kB the old content survives."""
    (here / "out.html").write_text("old")
    code = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "sys.argv = ['wavecrew', 'plan', 'forecast', '--html', 'out.html']\n"
        "from wavecrew.cli.main import main\n"
        "main()\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 2, done.stderr
    assert "out.html: cannot write: File too large" in done.stderr
    assert (here / "out.html").read_text() == "old"
    assert sorted(os.listdir(here)) == ["agents.yaml", "out.html", "tasks.yaml"]


def test_a_plan_beyond_the_solver_gets_a_schedule_a_bound_and_the_gap(here: Path) -> None:
    tasks = []
    for n in range(2100):
        needs = [str(one) for one in (n - 3, n - 40) if one >= 0 and n % 5]
        who = ("writer", "tester")[n * 7 % 3 == 0]
        more = f"estimate_h: {1 + n * 31 % 8}, depends_on: {needs}"
        tasks.append((str(n), f"T{n}", who, "1", more))
    (here / "tasks.yaml").write_text(tasks_yaml(*tasks))
    result = told("--plays", "20", "--parallel", "writer=7", "--html", "out.html")
    assert result.exit_code == 0
    assert "and 2040 more" in result.stdout
    assert "bound only, gap 0." in result.stdout
    assert Page((here / "out.html").read_text()).tags.count("svg") == 1


def test_without_unicode_bars_are_plain(here: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "wavecrew", "plan", "forecast", "--row", "single"]
    done = subprocess.run(command, capture_output=True, env=environment, check=True)
    assert b"####" in done.stdout


def test_neither_help_nor_status_loads_the_solver() -> None:
    code = (
        "import sys, wavecrew.cli.main, wavecrew.cli.status, wavecrew.run.progress\n"
        "import wavecrew.schedule.forecast\n"
        "print([m for m in ('ortools', 'numpy', 'pandas', 'crewai') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
