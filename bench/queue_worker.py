"""A process at the workers' queue, with tasks that do nothing.

`queue_worker.py URL NAME feed COUNT` puts them in and says how many a second.
`queue_worker.py URL NAME take AGENTS` says `ready`, takes tasks from when a line comes on
standard input, and ends when that is closed.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any, cast

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer

from wavecrew.run.place import TASKS, SharedSchema

RUN = "bench"
ENOUGH = 1_000_000
"""Tasks at work in the whole run: no limit here."""


@DBOS.workflow()
def nothing(number: int) -> int:
    return number


def main(url: str, name: str, what: str, count: int) -> None:
    place = SharedSchema(url, RUN, name, count if what == "take" else 1)
    config: dict[str, Any] = {
        "name": "wavecrew",
        "application_version": "bench",
        "serializer": DBOSPortableJSONSerializer(),
        "log_level": "CRITICAL",
    }
    engine = DBOS(config=cast(DBOSConfig, config | place.config()))
    DBOS.launch()
    if what == "feed":
        began = time.perf_counter()
        for number in range(count):
            DBOS.enqueue_workflow(TASKS, nothing, number)
        print(count / (time.perf_counter() - began))
    else:
        print("ready", flush=True)
        sys.stdin.readline()
        place.register_tasks(engine, ENOUGH)
        sys.stdin.read()
    sys.stdout.flush()
    os._exit(0)  # as an engine leaves


if __name__ == "__main__":
    url, name, what, count = sys.argv[1:]
    main(url, name, what, int(count))
