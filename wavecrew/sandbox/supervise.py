"""One started sandbox, from its first sign of life until every process in it is gone.

Both launchers (bubblewrap and our own) tell on a status pipe, one JSON object a line, `child-pid`
when everything is set up and `exit-code` at the end; a tree that ends without the first never ran
the command. All waiting is one `select` over pipes and pidfds in the thread that called `run`.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Literal

from wavecrew.errors import CommandLost, SandboxUnavailable
from wavecrew.sandbox.model import Caps, Finished
from wavecrew.sandbox.output import Kept
from wavecrew.sandbox.watch import Watch

Reason = Literal["", "time", "output", "memory", "processes", "cancel"]

SETUP_S = 20.0
"""A sandbox that is not set up by then never will be."""
_END_S = 10.0
_FIRST_LOOK_S, _LOOK_S = 0.05, 0.25
_KILLED = 128 + signal.SIGKILL
_CHUNK = 65536


class Supervision:
    """Everything about one running command; used once, by the thread that called `run`."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        *,
        status_fd: int,
        cancel_fd: int,
        feed: bytes,
        caps: Caps,
        watch: Watch,
        kill: Callable[[], None],
    ) -> None:
        """`feed` is written to the process when it is set up; `kill` ends the tree.

        The process has its pipes; `status_fd` and `cancel_fd` stay the caller's to close.
        """
        self._process = process
        self._caps = caps
        self._watch = watch
        self._kill = kill
        self._feed = memoryview(feed)
        merged = process.stderr is None
        self._out = Kept(caps.keep_bytes if merged else None)
        self._err = Kept(caps.keep_bytes)
        self._status = b""
        self._exit_code: int | None = None
        self._failure = ""
        self._root: int | None = None
        self._reason: Reason = ""
        self._began = time.monotonic()
        self._ended_at = self._began
        self._deadline = self._began + SETUP_S
        self._next_look = float("inf")
        self._selector = selectors.DefaultSelector()
        self._alive: set[int] = set()
        self._status_fd = status_fd
        self._cancel_fd = cancel_fd

    def run(self) -> Finished:
        """SandboxUnavailable, with the launcher's own words in `what`, when it never started;
        CommandLost when somebody else killed the launcher."""
        try:
            self._listen()
            self._await_all()
            self._process.wait()
            return self._result()
        except BaseException:
            self._kill_all()
            raise
        finally:
            for fd in self._alive:
                os.close(fd)
            self._selector.close()
            self._close_pipes()

    def _await_all(self) -> None:
        """The last words of a launcher may name a process that is still to be waited for."""
        while self._alive:
            while self._alive:
                self._step()
            self._drain()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        self._read(self._process.stdout.fileno(), self._on_stdout)
        if self._process.stderr is not None:
            self._read(self._process.stderr.fileno(), self._on_stderr)
        self._read(self._status_fd, self._on_status)
        self._on(self._cancel_fd, lambda _: self._end("cancel"))
        self._follow(self._process.pid)

    def _on(self, fd: int, callback: Callable[[int], object]) -> None:
        self._selector.register(fd, selectors.EVENT_READ, callback)

    def _read(self, fd: int, callback: Callable[[bytes], None]) -> None:
        os.set_blocking(fd, False)
        self._on(fd, lambda fd: self._read_one(fd, callback))

    def _read_one(self, fd: int, callback: Callable[[bytes], None]) -> bool:
        """Whether there may be more at once."""
        try:
            chunk = os.read(fd, _CHUNK)
        except BlockingIOError:
            return False
        if not chunk:
            self._forget(fd)
        callback(chunk)
        return bool(chunk)

    def _forget(self, fd: int) -> None:
        with contextlib.suppress(KeyError):
            self._selector.unregister(fd)

    def _follow(self, pid: int) -> None:
        """Wait for this process too; it may be gone already."""
        with contextlib.suppress(ProcessLookupError):
            pidfd = os.pidfd_open(pid)
            self._alive.add(pidfd)
            self._on(pidfd, self._on_gone)

    def _on_gone(self, pidfd: int) -> None:
        self._forget(pidfd)
        self._alive.discard(pidfd)
        os.close(pidfd)

    def _step(self) -> None:
        until = min(self._deadline, self._next_look)
        for key, _ in self._selector.select(max(0.0, until - time.monotonic())):
            key.data(key.fd)
        now = time.monotonic()
        if now >= self._deadline:
            self._on_deadline(now)
        if self._root is not None and not self._reason and now >= self._next_look:
            self._next_look = now + _LOOK_S
            self._end(self._watch.passed(self._root))

    def _on_deadline(self, now: float) -> None:
        if not self._reason:
            self._end("time")
            return
        if now - self._ended_at > _END_S:
            raise SandboxUnavailable(
                "a sandbox did not end although it was killed",
                where=f"process {self._process.pid}",
                mend="Look for a process in state D (`ps`): its disk or driver hangs.",
            )
        self._kill_all()
        self._deadline = now + 0.25

    def _end(self, reason: Reason) -> None:
        if reason and not self._reason:
            self._reason = reason
            self._ended_at = time.monotonic()
            self._deadline = self._ended_at + 0.25
            self._next_look = float("inf")
            self._forget(self._cancel_fd)
            self._kill_all()

    def _kill_all(self) -> None:
        self._kill()
        self._close_stdin()

    def _on_stdout(self, chunk: bytes) -> None:
        self._out.add(chunk)
        self._on_output()

    def _on_stderr(self, chunk: bytes) -> None:
        self._err.add(chunk)
        self._on_output()

    def _on_output(self) -> None:
        if self._out.total + self._err.total > self._caps.output_bytes:
            self._end("output")

    def _on_status(self, chunk: bytes) -> None:
        self._status += chunk
        *lines, self._status = self._status.split(b"\n")
        for line in lines:
            facts = json.loads(line)
            if "child-pid" in facts:
                self._on_set_up(int(facts["child-pid"]))
            self._exit_code = facts.get("exit-code", self._exit_code)
            self._failure = facts.get("failure", self._failure)

    def _on_set_up(self, root: int) -> None:
        self._root = root
        self._follow(root)
        if self._reason:
            return
        now = time.monotonic()
        self._deadline = now + self._caps.wall_s
        self._next_look = now + _FIRST_LOOK_S
        assert self._process.stdin is not None
        stdin = self._process.stdin.fileno()
        os.set_blocking(stdin, False)
        self._selector.register(stdin, selectors.EVENT_WRITE, self._on_writable)

    def _on_writable(self, fd: int) -> None:
        try:
            self._feed = self._feed[os.write(fd, self._feed[:_CHUNK]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._feed = self._feed[:0]
        if not self._feed:
            self._close_stdin()

    def _close_stdin(self) -> None:
        stdin = self._process.stdin
        if stdin is not None and not stdin.closed:
            self._forget(stdin.fileno())
            stdin.close()

    def _drain(self) -> None:
        """What the dead left in the pipes. Not until end of file: another process of ours may
        hold a copy of the other end for a while."""
        for fd, callback in self._sources():
            while self._read_one(fd, callback):
                pass

    def _sources(self) -> list[tuple[int, Callable[[bytes], None]]]:
        pairs: list[tuple[int, Callable[[bytes], None]]] = [(self._status_fd, self._on_status)]
        for pipe, callback in (
            (self._process.stdout, self._on_stdout),
            (self._process.stderr, self._on_stderr),
        ):
            if pipe is not None:
                pairs.append((pipe.fileno(), callback))
        return pairs

    def _result(self) -> Finished:
        if not self._reason and self._root is not None:
            self._reason = self._watch.passed(self._root)
        if not self._reason and self._exit_code is None and self._process.returncode < 0:
            raise CommandLost(
                f"a sandbox was killed from outside (signal {-self._process.returncode})",
                where=f"process {self._process.pid}",
                mend="Nothing is lost; `wavecrew run --resume` goes on.",
            )
        unexplained = self._exit_code is None and self._process.returncode > 0
        if (self._root is None and self._reason != "cancel") or (unexplained and not self._reason):
            raise SandboxUnavailable(self._failure or self._said())
        ended = self._exit_code if not self._reason else None
        return Finished(
            exit_code=_KILLED if ended is None else ended,
            stdout=self._out.bytes(),
            stderr=self._err.bytes(),
            duration_s=time.monotonic() - self._began,
            killed_by=self._reason,
            omitted_bytes=self._out.omitted,
        )

    def _said(self) -> str:
        text = (self._err.bytes() + self._out.bytes()).decode(errors="replace").strip()
        return text or f"the sandbox was not set up (exit code {self._process.returncode})"

    def _close_pipes(self) -> None:
        self._close_stdin()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
