"""Does a changed pytest configuration run fewer tests, or judge them more mildly?

Compares the configuration that pytest would take in each folder before and
after: the first of its files in pytest's own order of precedence.
"""

from __future__ import annotations

import configparser
import shlex
import tomllib
from collections.abc import Iterable
from typing import Any

from wavecrew.gates.model import Finding, Rule
from wavecrew.gates.source import Texts, shown

FILES = (
    "pytest.toml",
    ".pytest.toml",
    "pytest.ini",
    ".pytest.ini",
    "pyproject.toml",
    "tox.ini",
    "setup.cfg",
)
Options = dict[str, Any]

DESELECTING = ("-k", "-m", "-p", "-c", "-o", "-x", "-n")
DESELECTING_LONG = (
    "--ignore",
    "--ignore-glob",
    "--deselect",
    "--collect-only",
    "--co",
    "--lf",
    "--last-failed",
    "--sw",
    "--stepwise",
    "--maxfail",
    "--exitfirst",
    "--confcutdir",
    "--noconftest",
    "--override-ini",
    "--config-file",
    "--rootdir",
    "--setup-only",
    "--setup-plan",
    "--fixtures",
    "--version",
    "--help",
    "--pyargs",
    "--runxfail",
    "--timeout",
    "--testmon",
)
HARMLESS_PLUGINS = ("no:cacheprovider", "no:randomly", "xdist", "no:warnings")
PATTERNS = {
    "python_files": ("test_*.py", "*_test.py"),
    "python_classes": ("Test",),
    "python_functions": ("test",),
}


def config_findings(before: Texts, after: Texts, changed: Iterable[str]) -> tuple[Finding, ...]:
    """What the configuration files among `changed` take away from the tests."""
    folders = {path.rpartition("/")[0] for path in changed if path.rpartition("/")[2] in FILES}
    found: list[Finding] = []
    for folder in sorted(folders):
        _, old = effective(before, folder)
        path, new = effective(after, folder)
        for rule, why in narrowed(old, new):
            where = shown(path or folder) or "the pytest configuration"
            message = f"{where} {why}; leave the configuration as the base has it."
            found.append(Finding(rule=rule, path=shown(path), message=message))
    return tuple(found)


def patterns(texts: Texts) -> tuple[str, ...]:
    """File names the root configuration collects tests from."""
    _, options = effective(texts, "")
    return tuple(_words(options.get("python_files"))) or PATTERNS["python_files"]


def effective(texts: Texts, folder: str) -> tuple[str, Options]:
    """(file, options) of the configuration pytest takes in a folder; ("", {}) without one."""
    for name in FILES:
        path = f"{folder}/{name}" if folder else name
        text = texts.at(path)
        if text is not None and (options := _options(name, text)) is not None:
            return path, options
    return "", {}


def _options(name: str, text: str) -> Options | None:
    """None when the file says nothing to pytest."""
    try:
        if name.endswith(".toml"):
            table: Any = tomllib.loads(text)
            if name == "pyproject.toml":
                table = table.get("tool", {})
            found = table.get("pytest")
            if isinstance(found, dict):
                inner = found.get("ini_options")
                return dict(inner) if isinstance(inner, dict) else dict(found)
            return {} if "pytest.toml" in name else None
        parser = configparser.RawConfigParser(strict=False)
        parser.read_string(text)
        section = "tool:pytest" if name == "setup.cfg" else "pytest"
        if parser.has_section(section):
            return dict(parser.items(section))
        return {} if name.endswith("pytest.ini") else None
    except (tomllib.TOMLDecodeError, configparser.Error, AttributeError):
        return None


def narrowed(before: Options, after: Options) -> list[tuple[Rule, str]]:
    """(rule, what it does) for everything `after` takes away."""
    found: list[tuple[Rule, str]] = []
    old_words = _arguments(before.get("addopts"))
    for word in _arguments(after.get("addopts")):
        if word not in old_words and _deselects(word):
            found.append(("test_skipped", f"adds {word!r} to addopts, which can leave tests out"))
    found += _narrowed_paths(before, after)
    for key, default in PATTERNS.items():
        gone = set(_words(before.get(key)) or default) - set(_words(after.get(key)) or default)
        if gone:
            found.append(("test_skipped", f"no longer collects {key} {sorted(gone)[0]!r}"))
    for key in ("norecursedirs", "collect_imported_tests", "usefixtures"):
        if set(_words(after.get(key))) - set(_words(before.get(key))):
            found.append(("test_skipped", f"changes {key}, which can leave tests out"))
    if _is_true(before.get("xfail_strict")) and not _is_true(after.get("xfail_strict")):
        found.append(("test_weakened", "turns xfail_strict off"))
    if "error" in _words(before.get("filterwarnings")) and "error" not in _words(
        after.get("filterwarnings")
    ):
        found.append(("test_weakened", "no longer turns warnings into errors"))
    return found


def _narrowed_paths(before: Options, after: Options) -> list[tuple[Rule, str]]:
    old, new = _words(before.get("testpaths")), _words(after.get("testpaths"))
    if new == old or not new:
        return []
    if not old:
        return [("test_skipped", f"narrows testpaths to {new}")]
    lost = [
        p
        for p in old
        if not any(p == q or p.startswith(q.rstrip("/") + "/") or q == "." for q in new)
    ]
    return [("test_skipped", f"takes {lost[0]!r} out of testpaths")] if lost else []


def _arguments(value: object) -> list[str]:
    """addopts as options, a short option joined with its value."""
    if isinstance(value, list):
        words = [str(word) for word in value]
    else:
        try:
            words = shlex.split(str(value or ""))
        except ValueError:
            words = str(value).split()
    joined: list[str] = []
    for word in words:
        last = joined[-1] if joined else ""
        takes_short = last in DESELECTING and last != "-x"
        if takes_short or (last in DESELECTING_LONG and not word.startswith("-")):
            joined[-1] = f"{last} {word}"
        else:
            joined.append(word)
    return joined


def _deselects(option: str) -> bool:
    name = option.split("=", 1)[0].split(" ", 1)[0]
    if name.startswith("--"):
        return name in DESELECTING_LONG
    if name.startswith("-"):
        value = option[2:].strip().lstrip("=")
        return (
            name[:2] in DESELECTING
            and not (name[:2] == "-p" and value in HARMLESS_PLUGINS)
            and name[:2] != "-n"
        )
    return True  # a path: the run is narrowed to it


def _words(value: object) -> list[str]:
    if isinstance(value, list):
        return [str(word) for word in value]
    if isinstance(value, bool):
        return [str(value)]
    text = str(value or "")
    return (
        [line.strip() for line in text.splitlines() if line.strip()]
        if "\n" in text
        else text.split()
    )


def _is_true(value: object) -> bool:
    return str(value).strip().lower() in ("true", "1", "yes", "on")
