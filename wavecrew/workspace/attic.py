"""The attic: every tree that was worked on and did not land, kept as a commit below its own ref.

What is parked says for itself where it comes from (trailers), so it can be
read when the run's folder is long gone. Nothing here deletes but `drop`, and
that only on a person's word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from wavecrew.errors import GitFailed, RepositoryError, UsageError
from wavecrew.workspace import trailers
from wavecrew.workspace.git import Git, object_id
from wavecrew.workspace.mirror import Mirror
from wavecrew.workspace.model import Author
from wavecrew.workspace.refs import ATTIC, attic_ref, decode
from wavecrew.workspace.user_repo import refuse_open_checkout

DETAIL_CHARS = 2000
_FORMAT = "%(refname)%00%(objectname)%00%(objecttype)%00%(committerdate:unix)%00%(contents)%00"
_COUNTS = re.compile(rb"(\d+) (file|insertion|deletion)")


@dataclass(frozen=True, slots=True)
class Note:
    """What is written down beside a parked tree."""

    run: str
    task: str
    attempt: int
    base: str
    """Commit the attempt was cut from."""
    title: str
    outcome: str
    """Why it was parked: how the attempt ended."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Parked:
    """One tree in the attic."""

    run: str
    task: str
    attempt: int
    ref: str
    commit: str
    base: str
    """Commit it was cut from; empty when nothing tells."""
    when: int
    """Seconds UTC."""
    outcome: str
    detail: str
    files: int
    """Files that differ from the base."""
    added: int
    removed: int
    """Lines, against the base."""


def park(
    mirror: Mirror, tree: str, note: Note, *, author: Author, when: int, also: tuple[str, ...] = ()
) -> str:
    """Keep `tree`, whose objects the mirror has, in the attic; gives its ref.

    Once is enough: a tree that is there already is not parked again. What stood
    there before, and the commits in `also`, become its parents, so that no
    earlier state of the attempt gets lost.
    """
    ref = attic_ref(note.run, note.task, note.attempt)
    earlier = mirror.tip(ref)
    if earlier and mirror.tree_of(earlier) == tree:
        return ref
    parents = (*((earlier,) if earlier else ()), *also) or (note.base,)
    commit = mirror.commit(tree, parents, _message(note), author, when)
    if not mirror.publish(ref, commit, earlier):
        raise GitFailed("another process wrote to the attic at the same time", where=ref)
    return ref


def parked(git: Git, run: str | None = None) -> tuple[Parked, ...]:
    """What the attic of a repository holds (`git`: its common git directory), oldest first."""
    listed = git.run("for-each-ref", "--sort=refname", f"--format={_FORMAT}", f"{ATTIC}/")
    fields = listed.split(b"\0")
    rows = zip(*(iter(fields),) * 5, strict=False)
    found = [one for row in rows if (one := _read(git, *row, run=run))]
    return tuple(sorted(found, key=lambda one: (one.when, one.run, one.task, one.attempt)))


def find(git: Git, run: str, task: str, attempt: int | None = None) -> Parked:
    """One parked tree, the task's newest attempt unless one is named.

    UsageError when there is none; it names what there is.
    """
    there = parked(git)
    found = [one for one in there if (one.run, one.task) == (run, task)]
    chosen = [one for one in found if attempt in (None, one.attempt)]
    if chosen:
        return max(chosen, key=lambda one: one.attempt)
    near = found or [one for one in there if one.run == run] or there
    names = ", ".join(f"{one.run} {one.task} {one.attempt}" for one in near[:8])
    number = "" if attempt is None else f" attempt {attempt}"
    raise UsageError(
        f"the attic has nothing of run {run!r}, task {task!r}{number}",
        mend=f"it has: {names}" if names else "it is empty",
    )


def restore(git: Git, one: Parked, branch: str = "") -> str:
    """Make an ordinary branch of a parked tree; gives its full ref.

    The default is `attic/<run>/<task>/<attempt>`. A branch that exists is never
    moved (UsageError unless it is at this very commit), no checkout is touched,
    and the engine's own branches are off limits. The tree stays parked.
    """
    name = branch or one.ref.removeprefix("refs/wavecrew/")
    ref = _branch_ref(git, name)
    refuse_open_checkout(git.git_dir, ref)
    args = ("update-ref", "--no-deref", "--", ref, object_id(one.commit), "0" * len(one.commit))
    ended = git.call(*args)
    if ended.code == 0:
        return ref
    there = git.call("show-ref", "--verify", "--hash", "--", ref)
    if there.code != 0:
        said = ended.stderr.decode("utf-8", "replace").strip().removeprefix("fatal: ")
        raise RepositoryError(f"git cannot make the branch {name!r}: {said}", mend="give --branch")
    at = there.stdout.decode().strip()
    if at != one.commit:
        raise UsageError(
            f"the branch {name!r} exists, at {at[:12]}, and is not moved",
            mend="give another name with --branch",
        )
    return ref


def held_elsewhere(git: Git, one: Parked) -> tuple[str, ...]:
    """Other refs from which the parked commit can be reached: with one, a drop loses nothing."""
    listed = git.run("for-each-ref", "--format=%(refname)", f"--contains={object_id(one.commit)}")
    return tuple(ref for ref in listed.decode("utf-8", "replace").split() if ref != one.ref)


def drop(git: Git, one: Parked) -> None:
    """Remove a parked tree from the attic, if it still is what `one` says. A person's act."""
    args = ("update-ref", "--no-deref", "-d", "--", one.ref, object_id(one.commit))
    ended = git.call(*args)
    if ended.code != 0:
        raise git.failed(args, ended)


def one_line(text: str, most: int = DETAIL_CHARS) -> str:
    """`text` without line breaks and unprintable characters, cut to `most`."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(plain.split())[:most].strip()


def _message(note: Note) -> str:
    facts = {
        "Parked": one_line(f"{note.run}/{note.task}"),
        "Attempt": str(note.attempt),
        "Base": note.base,
        "Outcome": one_line(note.outcome, 60) or "unknown",
    }
    if why := one_line(note.detail):
        facts["Why"] = why
    title = f"{note.task}: {note.title} (unfinished: {note.outcome})"
    return trailers.build(title, note.detail, facts)


def _read(git: Git, *row: bytes, run: str | None) -> Parked | None:
    ref, commit, kind, when, message = (field.decode("utf-8", "replace") for field in row)
    ref = ref.lstrip("\n")
    names = ref.removeprefix(f"{ATTIC}/").split("/")
    if kind != "commit" or len(names) != 3 or not re.fullmatch(r"[1-9]\d{0,8}", names[2]):
        return None
    if run is not None and decode(names[0]) != run:
        return None
    facts = trailers.parse(message)
    base = _base(git, commit, facts.get("Base", ""))
    files, added, removed = _size(git, base, commit)
    subject = message.split("\n", 1)[0]
    legacy = re.search(r"\(unfinished: (\w+)\)\Z", subject)
    outcome = facts.get("Outcome") or (legacy[1] if legacy else "unknown")
    return Parked(
        decode(names[0]),
        decode(names[1]),
        int(names[2]),
        ref,
        commit,
        base,
        int(when or 0),
        outcome,
        facts.get("Why", ""),
        files,
        added,
        removed,
    )


def _base(git: Git, commit: str, named: str) -> str:
    """The base that was written down, if it is there; else the first parent."""
    for name in (named, f"{commit}^1"):
        if re.fullmatch(r"[0-9a-f]{40,64}(\^1)?", name):
            args = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
            ended = git.call(*args)
            if ended.code == 0:
                return ended.stdout.decode().strip()
    return ""


def _size(git: Git, base: str, commit: str) -> tuple[int, int, int]:
    """(files, lines added, lines removed)"""
    if not base:
        return (0, 0, 0)
    options = ("--shortstat", "-r", "--no-ext-diff", "--no-textconv", "--no-renames")
    said = git.run("diff-tree", *options, base, commit)
    counts = {found[2]: int(found[1]) for found in _COUNTS.finditer(said)}
    return counts.get(b"file", 0), counts.get(b"insertion", 0), counts.get(b"deletion", 0)


def _branch_ref(git: Git, name: str) -> str:
    ref = f"refs/heads/{name}"
    if name.startswith(("-", "wavecrew/")) or name in ("HEAD", "wavecrew"):
        raise UsageError(
            f"{name!r} cannot be the branch's name",
            mend="names that begin with 'wavecrew' belong to the runs; choose another",
        )
    if "\0" in name or git.call("check-ref-format", ref).code != 0:
        raise UsageError(f"{name!r} is not a name git allows for a branch", mend="give --branch")
    return ref
