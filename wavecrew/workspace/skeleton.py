"""A fresh private git directory, written file by file: no template, no hook, no remote.

Also the one place that knows under which path the parts of a workspace are
seen inside the sandbox.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wavecrew.sandbox.model import Mode, Mount
from wavecrew.workspace.model import Author
from wavecrew.workspace.user_repo import shallow_of

_CONFIG = """\
[core]
\trepositoryformatversion = {version}
\tfilemode = true
\tbare = {bare}
\tlogAllRefUpdates = {reflog}
\tautocrlf = false
\tsafecrlf = false
\tcheckStat = {check_stat}
\ttrustctime = {trust_ctime}
[gc]
\tauto = 0
[maintenance]
\tauto = false
[advice]
\tdetachedHead = false
"""


GIT_DIR = "/gitdir"
SNAP_DIR = "/snapdir"


@dataclass(frozen=True, slots=True)
class Inside:
    """Where git in the sandbox finds things when a *file* names them.

    Mounts, arguments and the environment always use the fixed paths; a sandbox
    without a mount namespace maps those itself, but no file's content.
    """

    git: str
    objects: tuple[str, ...]

    @classmethod
    def of(cls, mode: Mode, git_dir: Path, objects: tuple[Path, ...]) -> Inside:
        if mode == "bubblewrap":
            return cls(GIT_DIR, tuple(mount.inside for mount in object_mounts(objects)))
        return cls(str(git_dir), tuple(map(str, objects)))


def object_mounts(objects: tuple[Path, ...]) -> tuple[Mount, ...]:
    """Read-only mounts of the object stores, side by side."""
    return tuple(Mount(host, f"/objects/{index}") for index, host in enumerate(objects))


def write_skeleton(
    git_dir: Path,
    *,
    object_format: str,
    alternates: tuple[str, ...] = (),
    shallow: tuple[Path, ...] = (),
    bare: bool = True,
    branch: str = "none",
    commit: str = "",
    author: Author | None = None,
) -> None:
    """Make `git_dir` a git directory with nothing in it but what is named here.

    `alternates` are paths as seen by whoever runs git in it. With an `author`
    it is one for an agent: work is committed on `branch`, which starts at
    `commit`, and stat data are trusted less, since containers remap them.
    """
    for name in ("objects/info", "objects/pack", "refs/heads", "info"):
        (git_dir / name).mkdir(parents=True)
    settings: Mapping[str, str | int] = {
        "version": 1 if object_format == "sha256" else 0,
        "bare": str(bare).lower(),
        "reflog": str(author is not None).lower(),
        "check_stat": "minimal" if author else "default",
        "trust_ctime": str(author is None).lower(),
    }
    config = _CONFIG.format(**settings)
    if object_format == "sha256":
        config += "[extensions]\n\tobjectFormat = sha256\n"
    if author is None:
        config += "[core]\n\thooksPath = /dev/null\n"
    else:
        config += f"[user]\n\tname = {_value(author.name)}\n\temail = {_value(author.email)}\n"
    (git_dir / "config").write_text(config)
    (git_dir / "HEAD").write_text(f"ref: refs/heads/{branch}\n")
    if commit:
        (git_dir / "refs" / "heads" / branch).write_text(f"{commit}\n")
    if alternates:
        lines = "".join(f"{path}\n" for path in alternates)
        (git_dir / "objects" / "info" / "alternates").write_text(lines)
    if cut := shallow_of(shallow):
        (git_dir / "shallow").write_text(cut)


def _value(text: str) -> str:
    clean = " ".join(text.split()).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{clean}"'
