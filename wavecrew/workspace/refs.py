"""Which names the refs of a run have. Every id fits, and no two ids share a ref.

Plain letters, digits, `.`, `_` and `-` stay readable; anything git or a file
system could read otherwise becomes `%XX`, so a task called `../x` is odd but
harmless.
"""

from __future__ import annotations

import re

from wavecrew.errors import UsageError

BRANCHES = "refs/heads/wavecrew"
ATTIC = "refs/wavecrew/attic"
SNAPSHOTS = "refs/wavecrew/snapshots"
INTEGRATION = "integration"
LONGEST = 180
"""Bytes of one encoded id; a loose ref is a file whose name may have 255."""
_PLAIN = re.compile(rb"[A-Za-z0-9_.-]")
_REF = re.compile(r"refs/(?:heads/wavecrew|wavecrew)/[A-Za-z0-9_.%/-]+\Z")


def encode(name: str) -> str:
    """One path component of a ref; injective. UsageError when empty or too long."""
    if not name:
        raise UsageError("an empty id cannot name a branch")
    raw = name.encode("utf-8", "surrogatepass")
    text = "".join(_letter(raw, index) for index in range(len(raw)))
    if text.endswith(".lock"):
        text = text.removesuffix(".lock") + "%2Elock"
    if len(text) > LONGEST:
        raise UsageError(f"the id {name[:40]!r}... is too long to name a branch")
    return text


def decode(text: str) -> str:
    """The name that `encode` made `text` of; for names it never made, the nearest reading."""
    raw = re.sub(rb"%([0-9A-F]{2})", lambda found: bytes([int(found[1], 16)]), text.encode())
    return raw.decode("utf-8", "surrogateescape")


def ref_for(run: str, task: str) -> str:
    """The branch of a task: `refs/heads/wavecrew/<run>/<task>`."""
    if task == INTEGRATION:
        raise UsageError(f"no task may be called {task!r}: its branch is the integration branch")
    return f"{BRANCHES}/{encode(run)}/{encode(task)}"


def integration_ref(run: str) -> str:
    return f"{BRANCHES}/{encode(run)}/{INTEGRATION}"


def attic_ref(run: str, task: str, attempt: int) -> str:
    """Where an attempt that was not merged is parked; only a person deletes it."""
    return f"{ATTIC}/{encode(run)}/{encode(task)}/{attempt}"


def snapshots_ref(run: str, task: str, attempt: int) -> str:
    """Where workers keep the states of an attempt at work, for whoever has to go on with it."""
    return f"{SNAPSHOTS}/{encode(run)}/{encode(task)}/{attempt}"


def checked(ref: str) -> str:
    """`ref` itself when it is one the engine may write; UsageError otherwise."""
    bad = any(
        part.startswith((".", "-")) or part.endswith((".", ".lock")) or ".." in part or not part
        for part in ref.split("/")
    )
    if bad or not _REF.match(ref):
        raise UsageError(f"{ref!r} is not a ref of a run")
    return ref


def _letter(raw: bytes, index: int) -> str:
    letter = raw[index : index + 1]
    edge = index == 0 or index == len(raw) - 1
    odd = (letter == b"." and (edge or raw[index - 1 : index] == b".")) or (
        letter == b"-" and index == 0
    )
    return letter.decode() if _PLAIN.match(letter) and not odd else f"%{letter[0]:02X}"
