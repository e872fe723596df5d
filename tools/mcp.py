"""Tools of Model Context Protocol servers, each server started once per attempt.

A server is trusted code: whoever configured it runs it on the host, outside
the sandbox, with what it was given. The session lives in an event loop of its
own thread, so that calls stay ordinary blocking ones with a time-out.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TextIO, cast

from pydantic import BaseModel, ConfigDict

from tools.context import ToolContext
from tools.registry import ToolRegistry
from tools.spec import Handler, ToolSpec
from wavecrew.errors import EnvironmentBroken, ToolError
from wavecrew.plan.model import Role
from wavecrew.plan.settings import McpServer

if TYPE_CHECKING:
    from mcp import ClientSession
    from mcp.types import CallToolResult, Tool

PREFIX = "mcp:"
_GRACE_S = 10
"""Beyond a server's own time-out, until its thread is taken for stuck."""
_LONGEST_NAME = 64
_TAIL = 2000


class Passed(BaseModel):
    """The arguments of an MCP tool: passed on as they are, the server checks them."""

    model_config = ConfigDict(extra="allow")


@contextmanager
def serving(registry: ToolRegistry, role: Role, servers: Mapping[str, McpServer]) -> Iterator[None]:
    """Start the servers that the role's `mcp:NAME` tools name; their tools are in the registry
    until the block ends, and then the servers are stopped. EnvironmentBroken when one does not
    start in time, UsageError when a tool's name is taken."""
    with ExitStack() as stack:
        for entry in role.tools:
            name = entry.removeprefix(PREFIX)
            if entry.startswith(PREFIX) and name in servers:
                session = stack.enter_context(Session(name, servers[name]))
                stack.callback(registry.remove, f"{PREFIX}{name}")
                for spec in session.specs():
                    registry.add(spec)
        yield


class Session:
    """A running server. Enter to start it, leave to stop it; `call` is thread-safe."""

    def __init__(self, name: str, server: McpServer) -> None:
        self.name = name
        self.server = server
        self._ready: Future[list[Tool]] = Future()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name=f"{PREFIX}{name}", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._session: ClientSession | None = None
        self._tools: list[Tool] = []

    def __enter__(self) -> Session:
        self._thread.start()
        try:
            self._tools = self._ready.result(self.server.timeout_s + _GRACE_S)
        except BaseException as error:
            self.__exit__()
            if isinstance(error, Exception):
                raise EnvironmentBroken(
                    f"the MCP server {self.name!r} does not start: {_reason(error)}",
                    where="wavecrew.toml",
                    mend=f"Try its command by hand: {self.server.command!r}.",
                ) from error
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop is not None and self._loop.is_running():
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(_GRACE_S)

    def specs(self) -> list[ToolSpec]:
        """Its tools, named `SERVER_TOOL` in the letters that model providers accept."""
        return [self._spec(described) for described in self._tools]

    def call(self, tool: str, arguments: dict[str, Any]) -> str:
        """The tool's text. ToolError when it fails, takes too long, or the server is gone."""
        if self._loop is None or self._session is None or not self._thread.is_alive():
            raise ToolError(f"the MCP server {self.name!r} is gone")
        limit = timedelta(seconds=self.server.timeout_s)
        asked = asyncio.run_coroutine_threadsafe(
            self._session.call_tool(tool, arguments, read_timeout_seconds=limit), self._loop
        )
        try:
            result = asked.result(self.server.timeout_s + _GRACE_S)
        except Exception as error:
            raise ToolError(f"the MCP server {self.name!r} failed: {_reason(error)}") from error
        finally:
            asked.cancel()
        text = _text(result)
        if result.isError:
            raise ToolError(text)
        return text

    def _run(self) -> None:
        with tempfile.TemporaryFile("w+", errors="replace") as stderr:
            try:
                asyncio.run(self._serve(cast(TextIO, stderr)))
            except BaseException as error:  # noqa: BLE001 - told to whoever waits for the start
                stderr.seek(0)
                said = stderr.read()[-_TAIL:].strip()
                if not self._ready.done():
                    self._ready.set_exception(
                        RuntimeError("; ".join(part for part in (_reason(error), said) if part))
                    )
            finally:
                self._session = None

    async def _serve(self, stderr: TextIO) -> None:
        from mcp import ClientSession, StdioServerParameters
        from mcp.client.stdio import stdio_client

        self._loop = asyncio.get_running_loop()
        started = StdioServerParameters(
            command=self.server.command, args=list(self.server.args), env=dict(self.server.env)
        )
        async with (
            stdio_client(started, errlog=stderr) as (reading, writing),
            ClientSession(reading, writing) as session,
        ):
            async with asyncio.timeout(self.server.timeout_s):
                await session.initialize()
                tools = (await session.list_tools()).tools
            self._session = session
            self._ready.set_result(tools)
            await self._stopping.wait()

    def _spec(self, described: Tool) -> ToolSpec:
        return ToolSpec(
            name=tool_name(self.name, described.name),
            description=described.description or described.name,
            parameters={"type": "object", "properties": {}} | described.inputSchema,
            args_model=Passed,
            handler=self._handler(described.name),
            source=f"{PREFIX}{self.name}",
        )

    def _handler(self, tool: str) -> Handler:
        def call(context: ToolContext, /, **arguments: Any) -> str:
            return self.call(tool, arguments)

        return call


def tool_name(server: str, tool: str) -> str:
    """`SERVER_TOOL`, other characters as `_`; a name cut to 64 characters ends in a hash."""
    full = f"{server}.{tool}"
    name = re.sub(r"[^A-Za-z0-9_-]", "_", full)
    if not name[0].isalpha():
        name = f"mcp_{name}"
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[: _LONGEST_NAME - 9]}_{sha256(full.encode()).hexdigest()[:8]}"


def _text(result: CallToolResult) -> str:
    """The text parts; other parts are named by their kind."""
    parts = [getattr(part, "text", f"[{part.type}]") for part in result.content]
    return "\n".join(parts) or "(no output)"


def _reason(error: BaseException) -> str:
    """The innermost reason: task groups wrap what happened."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__
