"""How a launcher is started: exact descriptors, an environment of two words, pipes, no shell.

"Die with the parent" means, to the kernel, the *thread* that forked. `Sandbox.run` waits in the
thread that called it until the tree is gone, so that thread is the parent and outlives the child;
starting in one thread and waiting in another would break this.
"""

from __future__ import annotations

import subprocess

_ENV = {"PATH": "/usr/bin:/bin"}
"""The launcher becomes process 1 inside, where its environment can be read."""


def spawn(
    argv: tuple[str, ...], pass_fds: tuple[int, ...], *, merge_stderr: bool
) -> subprocess.Popen[bytes]:
    """OSError when the program cannot be started."""
    return subprocess.Popen(
        argv,
        env=_ENV,
        pass_fds=pass_fds,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if merge_stderr else subprocess.PIPE,
        bufsize=0,
        cwd="/",
        start_new_session=True,
    )
