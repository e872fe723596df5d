"""A model that costs nothing: an OpenAI-compatible server with a fixed latency.

Run as a process of its own, so that its work is not counted as an agent's. The
first part of the path is the script, percent-encoded:
`calls=5;latency=0.5;tool=look;args={};end=report` answers four calls of `look`,
then `report`; without `end` it ends in prose. `GET /<script>` tells how many
bytes of requests were received for it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from typing import Any
from urllib.parse import unquote

received: Counter[str] = Counter()


def answer(text: str, request: dict[str, Any]) -> tuple[float, dict[str, Any]]:
    """The latency and the body for a request under a script."""
    script = dict(part.split("=", 1) for part in text.split(";"))
    step = sum(message["role"] == "assistant" for message in request["messages"]) + 1
    message: dict[str, Any] = {"role": "assistant", "content": None}
    if step < int(script["calls"]):
        message["tool_calls"] = [
            _call(step, script["tool"], script["args"].replace("$", str(step)))
        ]
    elif "end" in script:
        message["tool_calls"] = [_call(step, script["end"], '{"summary": "done"}')]
    else:
        message["content"] = "done"
    finish = "tool_calls" if "tool_calls" in message else "stop"
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    body = {"id": "b", "object": "chat.completion", "created": 0, "model": "b"}
    return float(script["latency"]), body | {"choices": [choice], "usage": usage}


def _call(step: int, name: str, arguments: str) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"id": f"call_{step}", "type": "function", "function": function}


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            await respond(head, reader, writer)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def respond(head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    method, path, _ = head.split(" ", 2)
    script = unquote(path.split("/")[1])
    if method == "GET":
        data = str(received[script]).encode()
    else:
        fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
        body = await reader.readexactly(int(fields["content-length"]))
        received[script] += len(body)
        latency_s, reply = answer(script, json.loads(body))
        await asyncio.sleep(latency_s)
        data = json.dumps(reply).encode()
    lines = (
        "HTTP/1.1 200 OK",
        "content-type: application/json",
        f"content-length: {len(data)}",
    )
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
    await writer.drain()


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=2**24, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
