"""Plain CrewAI at the same work, the way its documentation shows it: the yardstick of agents.py.

`plain.py threads BASE_URL AGENTS`, `plain.py steps BASE_URL` and
`plain.py prompt BASE_URL LINES` print one JSON line each. Telemetry and traces
are off and output is discarded; everything else is stock: `crewai.LLM`, threads,
the default executor.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

HOME = tempfile.mkdtemp(prefix="plain-crewai-")
os.environ |= {
    "HOME": HOME,
    "CREWAI_STORAGE_DIR": f"{HOME}/crewai",
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "CREWAI_TESTING": "true",
    "PYTHON_DOTENV_DISABLED": "1",
    "OTEL_SDK_DISABLED": "true",
}
report = os.fdopen(os.dup(1), "w")
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
os.dup2(os.open(os.devnull, os.O_WRONLY), 2)

from crewai import LLM, Agent, Crew, Task  # noqa: E402
from crewai.tools import BaseTool  # noqa: E402


class Look(BaseTool):
    name: str = "look"
    description: str = "Look."

    def _run(self, number: int) -> str:
        return f"nothing new at {number}"


def llm(base_url: str) -> LLM:
    return LLM(model="openai/gpt-4o-mini", base_url=base_url, api_key="none", timeout=120)


def warm_url(base_url: str) -> str:
    """The same script without latency, for what is only done once in a process."""
    return base_url.replace("latency%3D", "latency%3D0", 1)


def crew(model: LLM, tools: list[BaseTool], description: str = "Look around.") -> Crew:
    agent = Agent(
        role="Looker",
        goal="See everything",
        backstory="You look.",
        llm=model,
        tools=tools,
        max_iter=100,
        allow_delegation=False,
    )
    task = Task(description=description, expected_output="What you saw.", agent=agent)
    return Crew(agents=[agent], tasks=[task], memory=False, cache=False)


def threads(base_url: str, agents: int) -> dict[str, Any]:
    """Wall time of `agents` crews in as many threads, and the memory they add."""
    crew(llm(warm_url(base_url)), [Look()]).kickoff()
    before_kb = _rss_kb()
    done: list[str] = []
    peak_kb = before_kb

    def work() -> None:
        done.append(crew(llm(base_url), [Look()]).kickoff().raw)

    workers = [threading.Thread(target=work) for _ in range(agents)]
    began = time.monotonic()
    for worker in workers:
        worker.start()
    while any(worker.is_alive() for worker in workers):
        peak_kb = max(peak_kb, _rss_kb())
        time.sleep(0.2)
    wall_s = time.monotonic() - began
    assert done == ["done"] * agents, f"{len(done)} of {agents} crews finished"
    return {"wall_s": wall_s, "agent_mb": (peak_kb - before_kb) / 1024 / agents}


def steps(base_url: str) -> dict[str, Any]:
    """CPU seconds of the process at each model call of one agent."""
    marks: list[float] = []
    one = llm(base_url)
    call = type(one).call

    def marked(self: Any, *args: Any, **kwargs: Any) -> Any:
        marks.append(time.process_time())
        return call(self, *args, **kwargs)

    type(one).call = marked
    crew(one, [Look()]).kickoff()
    return {"marks": marks}


def prompt(base_url: str, lines: int) -> dict[str, Any]:
    """Do the trajectory of `trajectory.py` with the same tools and the same words."""
    import trajectory

    with tempfile.TemporaryDirectory() as folder:
        assignment, context, registry = trajectory.parts(Path(folder), base_url, lines)
        tools = [
            trajectory.as_plain(spec, registry, context)
            for spec in registry.allowed(assignment.role)
        ]
        role, task = assignment.role, assignment.task
        agent = Agent(
            role=role.role,
            goal=role.goal,
            backstory=role.backstory,
            llm=llm(base_url),
            tools=tools,
            max_iter=100,
        )
        work = Task(
            description=trajectory.description(assignment),
            expected_output=task.expected_output,
            agent=agent,
        )
        Crew(agents=[agent], tasks=[work], memory=False, cache=False).kickoff()
    return {}


def _rss_kb() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise RuntimeError("no VmRSS")


if __name__ == "__main__":
    what, base_url, *rest = sys.argv[1:]
    result = {"threads": threads, "steps": steps, "prompt": prompt}[what](base_url, *map(int, rest))
    print(json.dumps(result), file=report, flush=True)
    os._exit(0)
