"""Which agents.yaml, tasks.yaml and wavecrew.toml are meant?

The flag, then the current directory, then the copies inside the installed
package, then the checkout the package runs from. Only this looks at the disk;
reading is the loaders' work.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wavecrew.errors import UsageError

_PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Files:
    agents: Path
    tasks: Path
    settings: Path | None
    """None: there is no wavecrew.toml and the defaults hold."""


def locate(
    folder: Path,
    *,
    agents: Path | None = None,
    tasks: Path | None = None,
    settings: Path | None = None,
    package: Path = _PACKAGE,
) -> Files:
    """The files to read for a command given in `folder`. UsageError when one is nowhere.

    A file that a flag names is taken as it is; that it exists is the loaders' question.
    """
    return Files(
        agents or _find("agents.yaml", folder, package),
        tasks or _find("tasks.yaml", folder, package),
        settings or _present(folder / "wavecrew.toml"),
    )


def shipped(name: str, package: Path = _PACKAGE) -> Path:
    """A file or folder that comes with Wavecrew, installed or in a checkout."""
    installed = package / "defaults" / name
    return installed if installed.exists() else package.parent / name


def _find(name: str, folder: Path, package: Path) -> Path:
    for path in (folder / name, shipped(name, package)):
        if found := _present(path):
            return found
    raise UsageError(
        f"there is no {name} here",
        where=str(folder),
        mend=f"write one, or name it with --{name.partition('.')[0]}",
    )


def _present(path: Path) -> Path | None:
    return path if path.exists() else None
