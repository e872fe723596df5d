"""`wavecrew init`: which agents.yaml and tasks.yaml does a written plan ask for?

Both files are rendered before either is written; what exists is kept unless
told. Also judges a document for `wavecrew plan check PLAN_DOCUMENT`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from wavecrew.cli.plan_import import read_document
from wavecrew.cli.printing import count_of, print_json, print_lines
from wavecrew.cli.write_files import write_all
from wavecrew.errors import UsageError
from wavecrew.plan.lint import CONVERGING, check
from wavecrew.plan.load import Loaded, load_roles
from wavecrew.plan.locate import shipped
from wavecrew.plan.model import Role
from wavecrew.plan.outline import Line
from wavecrew.plan.problem import Problem
from wavecrew.plan.proposal.judge import judge
from wavecrew.plan.proposal.model import Proposal, Question
from wavecrew.plan.proposal.propose import propose
from wavecrew.plan.proposal.yaml_text import agents_yaml, tasks_yaml
from wavecrew.plan.settings import Settings

_TESTS = ("tests", "test")


def write_plan(
    path: Path,
    beside: Sequence[Path],
    format_name: str | None,
    repo: Path,
    out: Path | None,
    *,
    force: bool,
    as_json: bool,
) -> None:
    """Write both files and tell what is open.

    PlanRejected: no plan. UsageError: a file exists, a folder is missing or may not be written.
    """
    if not repo.is_dir():
        raise UsageError("this is no folder", where=str(repo), mend="name the repository's folder")
    source, plan = read_document(path, beside, format_name)
    tests = next((name for name in _TESTS if (repo / name).is_dir()), "")
    made = propose(plan, source, _managers(), tests)
    folder = out if out is not None else repo
    texts = {
        "agents.yaml": agents_yaml(made.roles, made.questions, _heading("Roles", path)),
        "tasks.yaml": tasks_yaml(made.plan, made.questions, _heading("Plan", path)),
    }
    files = {name: folder / name for name in texts}
    write_all([(files[name], text) for name, text in texts.items()], replace=force)
    problems = check(Loaded(made.plan, made.roles, Settings()), CONVERGING)
    if as_json:
        names = {name.removesuffix(".yaml"): str(file) for name, file in files.items()}
        print_json({"ok": True, "format": plan.format, "files": names, **_data(made, problems)})
    else:
        print_lines(_lines(plan.format, made, list(files.values()), problems))


def examine(path: Path, beside: Sequence[Path], format_name: str | None) -> tuple[Problem, ...]:
    """Every problem of a document, worst first. PlanRejected when it is no plan."""
    source, plan = read_document(path, beside, format_name)
    return judge(plan, propose(plan, source, _managers()), source, CONVERGING)


def _managers() -> Mapping[str, Role]:
    """The manager crew, as it is shipped."""
    roles = load_roles(shipped("agents.yaml"))
    return {name: role for name, role in roles.items() if role.manager}


def _heading(what: str, path: Path) -> str:
    name = path.resolve().name.encode(errors="replace").decode()
    shown = "".join(one if one.isprintable() else "?" for one in name)
    return (
        f"{what} of {shown}, written by `wavecrew init`.\n"
        "What the document leaves open is marked `QUESTION:`; answer it and take the mark away."
    )


def _counts(problems: Sequence[Problem]) -> tuple[int, int]:
    errors = sum(one.severity == "error" for one in problems)
    return errors, len(problems) - errors


def _data(made: Proposal, problems: Sequence[Problem]) -> dict[str, object]:
    errors, warnings = _counts(problems)
    return {
        "tasks": [str(task.id) for task in made.plan.tasks],
        "roles": list(made.roles),
        "waves": [str(wave.id) for wave in made.plan.waves],
        "sync_points": [str(sync.id) for sync in made.plan.sync_points],
        "hours": sum(task.estimate_h or 0.0 for task in made.plan.tasks),
        "questions": [
            {
                "kind": one.kind,
                "text": one.text,
                "ids": list(one.ids),
                "at": [" ".join(at) for at in one.at],
            }
            for one in made.questions
        ],
        "check": {"errors": errors, "warnings": warnings},
    }


def _lines(
    format_name: str, made: Proposal, files: Sequence[Path], problems: Sequence[Problem]
) -> list[Line]:
    plan = made.plan
    hours = sum(task.estimate_h or 0.0 for task in plan.tasks)
    counted = [
        count_of(len(plan.tasks), "task"),
        f"{hours:g} h",
        count_of(len(made.roles), "role"),
        count_of(len(plan.waves), "wave"),
        count_of(len(plan.sync_points), "sync point"),
    ]
    lines = [Line(f"{format_name}: {', '.join(counted)}", "title")]
    lines += [Line(f"wrote {file}", "task") for file in files]
    if made.questions:
        marked = "Left open, and marked QUESTION in the files"
        lines += [Line("", "note"), Line(f"{marked}: {len(made.questions)}", "head")]
        lines += [Line(_question(one), "note") for one in made.questions]
    errors, warnings = _counts(problems)
    found = f"{count_of(errors, 'error')}, {count_of(warnings, 'warning')}"
    lines += [Line("", "note"), Line(f"`wavecrew plan check` has {found} for it", "head")]
    if errors:
        text = "The plan is written as the document has it; it cannot be run before that is mended."
        lines += [Line(f"error: {one.message}", "error") for one in problems[: min(errors, 20)]]
        lines.append(Line(text, "note"))
    return lines


def _question(one: Question) -> str:
    more = f" and {len(one.ids) - 8} more" if len(one.ids) > 8 else ""
    named = f" [{', '.join(one.ids[:8])}{more}]" if one.ids else ""
    return f"  {one.kind}{named}: {one.text}"
