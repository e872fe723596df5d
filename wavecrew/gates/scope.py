"""Did the branch stay inside what its task may write?

`scope` is a tuple of groups of globs in gitignore syntax (the role's, the
task's); a path must match one glob of every group. No group at all means no
limit; an empty group means nothing may be written.
"""

from __future__ import annotations

from collections.abc import Iterable

from pathspec import GitIgnoreSpec

from wavecrew.gates.model import Finding
from wavecrew.gates.source import shown

Scope = tuple[tuple[str, ...], ...]
MOST_TOLD = 20


def outside(paths: Iterable[str], scope: Scope) -> tuple[str, ...]:
    """The paths that some group of the scope does not match, in their order."""
    specs = [GitIgnoreSpec.from_lines(group) for group in scope]
    return tuple(p for p in paths if not all(spec.match_file(shown(p)) for spec in specs))


def scope_findings(paths: Iterable[str], scope: Scope) -> tuple[Finding, ...]:
    """One finding for each path outside, at most `MOST_TOLD` and one that counts the rest."""
    strays = outside(paths, scope)
    allowed = " and ".join(_told(group) for group in scope)
    findings = [
        Finding(
            rule="out_of_scope",
            path=shown(path),
            message=f"{shown(path)!r} may not be written by this task, which may write {allowed}; "
            "put the file back as the base has it, or keep the change inside those paths.",
        )
        for path in strays[:MOST_TOLD]
    ]
    if len(strays) > MOST_TOLD:
        rest = len(strays) - MOST_TOLD
        findings.append(
            Finding(
                rule="out_of_scope", message=f"{rest} more paths lie outside what may be written."
            )
        )
    return tuple(findings)


def _told(group: tuple[str, ...]) -> str:
    return ", ".join(repr(glob) for glob in group) if group else "nothing"
