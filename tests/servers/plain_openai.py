"""A small OpenAI-compatible server that knows nothing of the product it serves in the tests.

Its "model" is a handful of rules over the conversation and the tool schemas of
the request. It writes the files that the first user message spells out, in
fenced blocks whose first line is ```` ```path: some/file.py ````, then runs
whatever tool looks like a check, then hands in with whatever tool looks like
handing in. Given a tool that looks like an integration run, it runs that and
reports. Like the original it refuses wrong keys, unknown models and histories
in which tool calls and tool results do not belong together.

    python plain_openai.py --port 0 --key K --model M      prints the port

Standard library only.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FENCE = re.compile(r"^(?P<fence>`{3,})[ \t]*(?:\w+[ \t]+)?path:[ \t]*(?P<path>\S+)[ \t]*\n", re.M)
TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
MAX_HAND_INS = 3
EMPTY = {"string": "", "boolean": False, "integer": 0, "number": 0, "array": [], "object": {}}


class Refused(Exception):
    def __init__(self, status, message, code=None, kind="invalid_request_error"):
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": kind, "param": None, "code": code}}


# ---- the model


def think(messages, tools):
    """The next answer: (text, [(tool name, arguments)])."""
    schemas = {tool["function"]["name"]: tool["function"].get("parameters", {}) for tool in tools}
    made = [call for message in messages for call in message.get("tool_calls") or ()]
    assignment = next((text(m) for m in messages if m["role"] == "user"), "")
    integrate = find(schemas, "integrat")
    report = find(schemas, "report")
    if integrate and report:
        return manage(schemas, integrate, report, made, messages)
    return work(schemas, assignment, made, messages)


def manage(schemas, integrate, report, made, messages):
    if not made:
        return "I look at the merged work first.", [(integrate, filled(schemas[integrate]))]
    seen = text(messages[-1]).strip() or "nothing was said"
    summary = f"I ran the integration. It said: {seen[:300]}"
    return "", [(report, filled(schemas[report], "summary", summary))]


def work(schemas, assignment, made, messages):
    write, check = find(schemas, "write"), find(schemas, "check", "test")
    submit = find(schemas, "submit", "finish")
    files = fenced_files(assignment)
    if not (files and write and submit):
        return "I see no file to write, or no tool to write or submit with.", []
    written = [call for call in made if call["function"]["name"] == write]
    if len(written) < len(files):
        path, content = files[len(written)]
        return f"I write {path}.", [(write, write_arguments(schemas[write], path, content))]
    if check and not any(call["function"]["name"] == check for call in made):
        return "", [(check, filled(schemas[check]))]
    if sum(call["function"]["name"] == submit for call in made) >= MAX_HAND_INS:
        return f"I was sent back too often. The last word was: {text(messages[-1])[:500]}", []
    names = ", ".join(path for path, _ in files)
    return "", [(submit, filled(schemas[submit], "summary", f"Wrote {names} as asked."))]


def find(schemas, *words):
    """The first tool that has one of `words` in its name."""
    return next((name for word in words for name in schemas if word in name.lower()), None)


def write_arguments(schema, path, content):
    names = list(schema.get("properties", {}))
    path_name = next((n for n in names if "path" in n or "file" in n), "path")
    content_name = next(
        (n for n in names if n in ("content", "contents", "text", "body")), "content"
    )
    return {**filled(schema), path_name: path, content_name: content}


def filled(schema, name=None, value=None):
    """Arguments for every property that is required: its default, or an empty value."""
    arguments = {}
    properties = schema.get("properties", {})
    for key in schema.get("required", ()):
        entry = properties.get(key, {})
        kind = entry.get("type", "string")
        kind = next((k for k in kind if k != "null"), "string") if isinstance(kind, list) else kind
        arguments[key] = entry.get("default", EMPTY.get(kind))
    if name is not None:
        arguments[name if name in properties or not properties else next(iter(properties))] = value
    return arguments


def fenced_files(prompt):
    """(path, content) of each block, in order; an indented block is read without its indent."""
    files, at = [], 0
    prompt = unindent_fences(prompt)
    while opening := FENCE.search(prompt, at):
        end = re.compile(rf"^{opening['fence']}`*[ \t]*$", re.M).search(prompt, opening.end())
        stop = end.start() if end else len(prompt)
        files.append((opening["path"], prompt[opening.end() : stop]))
        at = end.end() if end else len(prompt)
    return files


def unindent_fences(prompt):
    lines, indent = [], ""
    for line in prompt.splitlines(keepends=True):
        opening = re.match(r"([ \t]+)`{3,}.*path:", line)
        indent = opening[1] if opening else indent
        lines.append(line.removeprefix(indent) if line.strip() else line.lstrip(" \t"))
    return "".join(lines)


def text(message):
    content = message.get("content")
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return content or ""


# ---- the rules of the protocol


def check_request(body, model):
    try:
        request = json.loads(body)
    except ValueError:
        raise Refused(400, "We could not parse the JSON body of your request.") from None
    if not isinstance(request, dict):
        raise Refused(400, "The body must be a JSON object.")
    if request.get("model") != model:
        message = (
            f"The model `{request.get('model')}` does not exist or you do not have access to it."
        )
        raise Refused(404, message, "model_not_found")
    messages = request.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Refused(400, "Invalid 'messages': a non-empty array is expected.")
    check_history(messages)
    for tool in request.get("tools") or ():
        check_tool(tool)
    return request


def check_history(messages):
    open_calls = []
    for number, message in enumerate(messages):
        role = message.get("role")
        if role == "tool":
            if message.get("tool_call_id") not in open_calls:
                raise Refused(
                    400,
                    f"messages[{number}]: messages with role 'tool' must be a response to a "
                    "preceding message with 'tool_calls'.",
                )
            open_calls.remove(message["tool_call_id"])
            continue
        if open_calls:
            raise Refused(
                400,
                f"messages[{number}]: an assistant message with 'tool_calls' must be followed by "
                f"tool messages; missing are {open_calls}.",
            )
        if role not in ("system", "developer", "user", "assistant"):
            raise Refused(400, f"messages[{number}]: {role!r} is not a role.")
        calls = message.get("tool_calls") or []
        if message.get("content") is None and not calls:
            raise Refused(400, f"messages[{number}]: null content is only for tool calls.")
        open_calls = [call["id"] for call in calls]
    if open_calls:
        raise Refused(400, f"The last message leaves tool calls open: {open_calls}.")


def check_tool(tool):
    function = tool.get("function") or {}
    if tool.get("type") != "function" or not TOOL_NAME.fullmatch(function.get("name", "")):
        raise Refused(400, f"Invalid tool: {json.dumps(tool)[:200]}")
    if not function.get("strict"):
        return
    schema = function.get("parameters") or {}
    properties = set(schema.get("properties", {}))
    if schema.get("additionalProperties") is not False or properties != set(
        schema.get("required", ())
    ):
        raise Refused(
            400,
            f"Invalid schema for function '{function['name']}': strict needs "
            "'additionalProperties: false' and every property in 'required'.",
        )


# ---- HTTP


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60
    key = model = ""
    answers = 0
    lock = threading.Lock()

    def do_GET(self):
        self.guarded(self.models)

    def do_POST(self):
        self.guarded(self.chat)

    def guarded(self, answer):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            if self.headers.get("Authorization") != f"Bearer {self.key}":
                raise Refused(401, "Incorrect API key provided.", "invalid_api_key")
            answer(body)
        except Refused as refused:
            self.reply(refused.status, refused.body)

    def models(self, body):
        if self.path != "/v1/models":
            raise Refused(404, f"Unknown request URL: GET {self.path}", "unknown_url")
        entry = {"id": self.model, "object": "model", "created": 1, "owned_by": "plain"}
        self.reply(200, {"object": "list", "data": [entry]})

    def chat(self, body):
        if self.path != "/v1/chat/completions":
            raise Refused(404, f"Unknown request URL: POST {self.path}", "unknown_url")
        request = check_request(body, self.model)
        said, calls = think(request["messages"], request.get("tools") or [])
        with self.lock:
            type(self).answers += 1
            number = self.answers
        message = {"role": "assistant", "content": said or (None if calls else "")}
        if calls:
            message["tool_calls"] = [
                {
                    "id": f"call_{number}_{position}",
                    "type": "function",
                    "function": {"name": name, "arguments": json.dumps(arguments)},
                }
                for position, (name, arguments) in enumerate(calls)
            ]
        head = {"id": f"chatcmpl-{number}", "created": 1, "model": self.model}
        reason = "tool_calls" if calls else "stop"
        asked, told = len(body) // 4, len(json.dumps(message)) // 4
        usage = {"prompt_tokens": asked, "completion_tokens": told, "total_tokens": asked + told}
        if request.get("stream"):
            self.stream(head | {"object": "chat.completion.chunk"}, message, reason, usage)
            return
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
        self.reply(200, head | {"object": "chat.completion", "choices": [choice], "usage": usage})

    def stream(self, head, message, reason, usage):
        calls = [{**call, "index": n} for n, call in enumerate(message.get("tool_calls", ()))]
        delta = {**message, **({"tool_calls": calls} if calls else {})}
        first = {"index": 0, "delta": delta, "finish_reason": None}
        last = {"index": 0, "delta": {}, "finish_reason": reason}
        lines = [{"choices": [first]}, {"choices": [last]}, {"choices": [], "usage": usage}]
        data = "".join(f"data: {json.dumps(head | line)}\n\n" for line in lines)
        self.reply(200, f"{data}data: [DONE]\n\n", "text/event-stream")

    def reply(self, status, body, kind="application/json"):
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format, *args):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):  # a client that left is no news
            super().handle_error(request, client_address)


def main():
    parser = argparse.ArgumentParser(description="A plain OpenAI-compatible server.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--key", required=True)
    parser.add_argument("--model", required=True)
    options = parser.parse_args()
    Handler.key, Handler.model = options.key, options.model
    server = Server(("127.0.0.1", options.port), Handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(server.server_address[1], flush=True)
    try:
        server.serve_forever(0.1)
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()


if __name__ == "__main__":
    main()
