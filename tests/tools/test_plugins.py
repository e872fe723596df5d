from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tools.registry import ToolRegistry
from wavecrew.errors import PlanError

DOCS = Path(__file__).parents[2] / "docs" / "tools.md"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A distribution on sys.path: its module, and one entry point per `name = value` line."""
    site = tmp_path / "site"

    def make(module: str, source: str, points: str) -> None:
        info = site / f"{module}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[wavecrew.tools]\n{points}\n")
        (site / f"{module}.py").write_text(source)
        monkeypatch.syspath_prepend(str(site))

    yield make
    for name in [name for name, module in sys.modules.items() if _is_in(module, site)]:
        del sys.modules[name]


def _is_in(module: object, site: Path) -> bool:
    return str(getattr(module, "__file__", "") or "").startswith(str(site))


def example() -> tuple[str, str]:
    """The module and the entry point that docs/tools.md shows."""
    text = DOCS.read_text()
    python = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    points = re.search(r'entry-points\."wavecrew\.tools"\]\n(.*?)```', text, re.DOTALL)
    assert python
    assert points
    return python[1], points[1].replace('"', "")


def test_the_example_of_the_docs_is_a_tool_that_works(install, make_agent) -> None:
    source, points = example()
    install("team_tools", source, points)
    agent = make_agent(registry=ToolRegistry.default(), scope=(("docs/**",),))
    agent.put("src/a.py", "# TODO one\nx = 1\n# TODO two\n")
    text = agent.ok("list_todos", path="src/a.py")
    assert text == "src/a.py:1: # TODO one\nsrc/a.py:3: # TODO two"
    assert agent.registry.get("list_todos").source == "team_tools"
    assert "does not exist" in agent.fails("list_todos", path="src/b.py")


@pytest.mark.parametrize(
    ("source", "points", "told"),
    [
        ("1 / 0", "x = broken_tools:x", "ZeroDivisionError"),
        ("def x(): pass", "x = broken_tools:x", "not a function decorated with @tool"),
        ("", "x = broken_tools:x", "AttributeError"),
    ],
)
def test_a_broken_distribution_is_named(install, source: str, points: str, told: str) -> None:
    install("broken_tools", source, points)
    with pytest.raises(PlanError, match="broken_tools") as caught:
        ToolRegistry.default()
    assert told in str(caught.value)
