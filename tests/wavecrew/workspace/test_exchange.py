"""The user's side of a hub: what goes there at the start, what comes back, what stays untouched."""

from __future__ import annotations

import http.server
import os
import subprocess
import threading
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wavecrew.errors import HubRefused, UsageError
from wavecrew.workspace.exchange import (
    FetchedRun,
    bring_all,
    drop_states,
    fetch_run,
    push_base,
    runs_at,
)
from wavecrew.workspace.refs import attic_ref, integration_ref, ref_for, snapshots_ref
from wavecrew.workspace.remote import Patience
from wavecrew.workspace.user_repo import UserRepository

REF = integration_ref("r2")
TASK = ref_for("r2", "1.1")
HASTY = Patience(quick_s=20, transfer_s=20, tries=3, pause_s=0.05)


def user(hub: Any) -> UserRepository:
    return UserRepository.open(hub.shop.user, clean=False)


def everything(hub: Any) -> dict[str, bytes]:
    """The user's repository but for objects and the run's refs: path -> content."""
    root = hub.shop.user
    files = [path for path in root.rglob("*") if path.is_file()]
    names = {str(path.relative_to(root)): path for path in files}
    ours = (".git/objects/", ".git/refs/heads/wavecrew/", ".git/refs/wavecrew/")
    return {name: path.read_bytes() for name, path in names.items() if not name.startswith(ours)}


def work(hub: Any, ref: str = TASK, text: bytes = b"2\n", base: str = "") -> str:
    """A commit at the hub, made by a worker, where `ref` points now."""
    mirror = hub.worker("author")
    mirror.tip(hub.ref)
    commit = str(hub.shop.branch(mirror, base or hub.base, {"a": text}))
    assert mirror.publish(ref, commit, mirror.tip(ref))
    return commit


def test_the_base_begins_the_integration_branch_once(hub: Any) -> None:
    newer = hub.shop.edit({"a": "2\n"})
    before = everything(hub)
    assert push_base(user(hub), hub.ssh, newer, "r2", HASTY)
    assert hub.at(REF) == newer
    assert push_base(user(hub), hub.ssh, newer, "r2", HASTY)
    assert not push_base(user(hub), hub.ssh, hub.base, "r2", HASTY)
    assert hub.at(REF) == newer
    assert everything(hub) == before
    assert hub.shop.git("for-each-ref", "refs/heads/wavecrew", "refs/remotes") == ""


@pytest.mark.parametrize("fault", ["mute receive", "cut receive 200", "refuse receive"])
def test_the_base_arrives_over_a_line_that_fails(hub: Any, fault: str) -> None:
    hub.harm(fault)
    assert push_base(user(hub), hub.ssh, hub.base, "r2", HASTY)
    assert hub.at(REF) == hub.base


def test_a_run_comes_back_whole_and_nothing_else_changes(hub: Any) -> None:
    push_base(user(hub), str(hub.path), hub.base, "r2")
    task, parked = work(hub), work(hub, attic_ref("r2", "1.1", 1), b"3\n")
    work(hub, ref_for("r20", "1.1"), b"4\n")
    work(hub, snapshots_ref("r2", "1.1", 1), b"5\n")
    hub.git("tag", "a-tag", task)
    hub.shop.git("config", "fetch.prune", "true")
    hub.shop.git("config", "remote.origin.url", str(hub.path))
    hub.shop.git("config", "remote.origin.fetch", "+refs/*:refs/remotes/origin/*")
    (hub.shop.user / ".git" / "FETCH_HEAD").write_text("mine\n")
    before = everything(hub)
    fetched = fetch_run(user(hub), str(hub.path), "r2")
    assert set(fetched.moved) == {REF, TASK, attic_ref("r2", "1.1", 1)}
    assert fetched.left == ()
    assert everything(hub) == before
    refs = hub.shop.git("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    assert dict(line.split() for line in refs) == {
        "refs/heads/main": hub.base,
        REF: hub.base,
        TASK: task,
        attic_ref("r2", "1.1", 1): parked,
    }
    assert hub.shop.git("show", f"{TASK}:a") == "2"
    assert fetch_run(user(hub), str(hub.path), "r2") == FetchedRun()


def test_a_branch_that_went_on_is_followed_and_the_users_own_work_on_one_stays(hub: Any) -> None:
    first = work(hub)
    other = ref_for("r2", "1.2")
    work(hub, other)
    fetch_run(user(hub), hub.ssh, "r2", HASTY)
    hub.shop.git("checkout", "-q", "--detach", other)
    mine = hub.shop.edit({"mine": "1\n"})
    hub.shop.git("update-ref", other, mine)
    second = work(hub, TASK, b"3\n", first)
    work(hub, other, b"3\n")
    fetched = fetch_run(user(hub), hub.ssh, "r2", HASTY)
    assert fetched.moved == (TASK,)
    assert [name for name, _ in fetched.left] == [other]
    assert "commits that the run does not have" in fetched.left[0][1]
    read = user(hub).read_ref
    assert (read(TASK), read(other)) == (second, mine)


def test_a_branch_that_was_replaced_is_followed_when_its_old_commit_is_in_the_attic(
    hub: Any,
) -> None:
    first = work(hub)
    fetch_run(user(hub), hub.ssh, "r2", HASTY)
    mirror = hub.worker("author")
    assert mirror.publish(attic_ref("r2", "1.1", 1), first, None)
    second = work(hub, TASK, b"3\n")
    assert fetch_run(user(hub), hub.ssh, "r2", HASTY).left == ()
    assert user(hub).read_ref(TASK) == second


def test_a_branch_that_is_checked_out_stays(hub: Any) -> None:
    first = work(hub)
    fetch_run(user(hub), hub.ssh, "r2", HASTY)
    hub.shop.git("checkout", "-q", TASK.removeprefix("refs/heads/"))
    work(hub, TASK, b"3\n", first)
    ((name, why),) = fetch_run(user(hub), hub.ssh, "r2", HASTY).left
    assert (name, why.count("checked out")) == (TASK, 1)
    assert (hub.shop.user / "a").read_text() == "2\n"


def test_a_fetch_over_a_line_that_fails_is_made_again(hub: Any) -> None:
    work(hub)
    hub.harm("cut upload 5", "refuse upload")
    assert TASK in fetch_run(user(hub), hub.ssh, "r2", HASTY).moved


def test_a_run_the_hub_does_not_know_brings_nothing(hub: Any) -> None:
    assert fetch_run(user(hub), hub.ssh, "r7", HASTY) == FetchedRun()


def test_the_names_that_are_taken_at_a_hub_are_known(hub: Any) -> None:
    work(hub, attic_ref("r5", "1.1", 1))
    work(hub, ref_for("a b", "1.1"))
    assert runs_at(hub.ssh, HASTY) == {"r1", "r5", "a b"}
    hub.shop.git("init", "-q", "--bare", str(hub.shop.folder / "empty.git"))
    assert runs_at(str(hub.shop.folder / "empty.git")) == frozenset()
    with pytest.raises(UsageError):
        runs_at(str(hub.shop.folder / "none.git"))


def test_a_hub_of_another_object_format_is_refused_by_name(hub: Any) -> None:
    path = hub.shop.folder / "sha256.git"
    hub.shop.git("init", "-q", "--bare", "--object-format=sha256", str(path))
    with pytest.raises(HubRefused, match="SHA-256") as caught:
        push_base(user(hub), str(path), hub.base, "r2", HASTY)
    assert "object-format" in caught.value.mend


def test_a_shallow_clone_is_told_to_be_completed(hub: Any) -> None:
    hub.shop.edit({"a": "2\n"})
    clone = hub.shop.folder / "clone"
    hub.shop.git("clone", "-q", "--depth=1", f"file://{hub.shop.user}", str(clone))
    shallow = UserRepository.open(clone)
    with pytest.raises(HubRefused, match="shallow") as caught:
        push_base(shallow, str(hub.path), shallow.head, "r2", HASTY)
    assert "unshallow" in caught.value.mend
    assert hub.at(REF) == ""


# over HTTP, with the user's own credentials


class Served(http.server.BaseHTTPRequestHandler):
    """git http-backend behind a password, one request a call."""

    root: Path
    expected = "Basic " + b64encode(b"worker:secret").decode()

    def do_GET(self) -> None:
        if self.headers.get("Authorization") != self.expected:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="hub"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        env = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REMOTE_USER": "worker",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        said = subprocess.run(["git", "http-backend"], input=body, env=env, capture_output=True)
        head, _, content = said.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def web(hub: Any) -> Iterator[str]:
    handler = type("Here", (Served,), {"root": hub.shop.folder})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/hub.git"
        server.shutdown()


def test_over_http_the_users_credential_helper_lets_us_in(
    hub: Any, web: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = hub.shop.folder / "home"
    home.mkdir()
    helper = '"!f() { echo username=worker; echo password=secret; }; f"'
    (home / ".gitconfig").write_text(f"[credential]\n\thelper = {helper}\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("GIT_CONFIG_GLOBAL", raising=False)
    assert push_base(user(hub), web, hub.base, "r2", HASTY)
    mirror = hub.worker("w9", web)
    assert mirror.tip(REF) == hub.base
    commit = str(hub.shop.branch(mirror, hub.base, {"a": b"2\n"}))
    assert mirror.publish(REF, commit, hub.base)
    assert fetch_run(user(hub), web, "r2", HASTY).moved == (REF,)


def test_over_http_without_credentials_nothing_asks_and_the_refusal_has_a_name(
    hub: Any, web: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/nonexistent")
    with pytest.raises(HubRefused, match="let this user in"):
        push_base(user(hub), web, hub.base, "r2", HASTY)


def test_states_of_attempts_are_removed_where_they_still_are_as_they_were_seen(hub: Any) -> None:
    one, other = (snapshots_ref("r2", "1.1", number) for number in (1, 2))
    work(hub, one)
    work(hub, other)
    branch = work(hub, text=b"3\n")
    before = everything(hub)
    seen = bring_all(user(hub), hub.ssh, "r2", HASTY)
    assert set(seen) == {one, other, TASK}
    assert everything(hub) == before  # objects came, and no ref
    newer = work(hub, other, b"4\n", base=seen[other])
    drop_states(user(hub), hub.ssh, {ref: seen[ref] for ref in (one, other)}, HASTY)
    assert (hub.at(one), hub.at(other), hub.at(TASK)) == ("", newer, branch)
    drop_states(user(hub), hub.ssh, {other: newer}, HASTY)
    drop_states(user(hub), hub.ssh, {other: newer}, HASTY)
    assert (hub.at(other), hub.at(TASK)) == ("", branch)


def test_no_branch_can_be_removed_as_a_state(hub: Any) -> None:
    commit = work(hub)
    with pytest.raises(UsageError, match="is no snapshot"):
        drop_states(user(hub), hub.ssh, {TASK: commit}, HASTY)
    assert hub.at(TASK) == commit
