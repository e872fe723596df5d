"""`python -P -m wavecrew.rehearsal FOLDER`: the rehearsal server as a process of its own.

Prints one line of JSON with `base_url` and `model` when it is ready, and ends
on SIGTERM, on Ctrl-C, or, with --until-stdin-closes, together with the process that
holds the other end of its stdin.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path

from wavecrew.errors import EXIT_OK, EnvironmentBroken, WavecrewError
from wavecrew.rehearsal.server import serve


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m wavecrew.rehearsal", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--until-stdin-closes", action="store_true")
    options = parser.parse_args(argv)
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    try:
        running = serve(options.folder, options.port)
    except WavecrewError as wrong:
        print(wrong, file=sys.stderr)
        return wrong.exit_code
    except (OSError, OverflowError) as wrong:
        print(f"port {options.port} cannot be used: {wrong}", file=sys.stderr)
        return EnvironmentBroken.exit_code
    with running:
        print(json.dumps({"base_url": running.base_url, "model": running.model}), flush=True)
        if options.until_stdin_closes:
            threading.Thread(target=_wait_for_end, args=(done,), daemon=True).start()
        done.wait()
    return EXIT_OK


def _wait_for_end(done: threading.Event) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    done.set()


if __name__ == "__main__":
    sys.exit(main())
