"""How a typed function with a docstring becomes a tool: name, description, schema, arguments."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, get_type_hints

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model

from tools.confine import clean
from wavecrew.errors import ToolError

Handler = Callable[..., Any]
F = TypeVar("F", bound=Handler)

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
"""What model providers accept as a tool's name."""
_ATTRIBUTE = "__wavecrew_tool__"
_ARGUMENT = re.compile(r"(\w+):\s*(.*)")


@dataclass(frozen=True)
class Paths:
    """Marks an argument that names files of the tree, for the policy and the write scope."""

    of: Callable[[str], Iterable[str]]
    """The argument's value -> the clean paths it names; ToolError when it names none validly."""


def _itself(path: str) -> tuple[str, ...]:
    return (path,)


def _cleaned(path: str) -> str:
    try:
        return clean(path)
    except ToolError as error:
        raise ValueError(str(error)) from error


TreePath = Annotated[str, AfterValidator(_cleaned), Paths(_itself)]
"""The type of an argument that is a path in the tree; the tool receives it cleaned."""


@dataclass(frozen=True)
class Ended:
    """Returned instead of text by a tool that ends the conversation."""

    text: str


class Arguments(BaseModel):
    """Base of every tool's arguments: closed, and forgiving where a model's meaning is plain."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)


@dataclass(frozen=True)
class ToolSpec:
    name: str
    description: str
    parameters: dict[str, Any]
    """JSON schema of an object, closed."""
    args_model: type[BaseModel]
    handler: Handler
    """Called with the context and the arguments by name."""
    mutates: bool = False
    """May change the tree."""
    ends: bool = False
    """May end the conversation."""
    manager: bool = False
    """For the manager crew's roles only."""
    source: str = "built-in"
    """`built-in`, the distribution that ships it, or `mcp:NAME`."""
    paths: tuple[tuple[str, Paths], ...] = ()
    """Arguments that name files."""

    @property
    def usage(self) -> str:
        """`read_file(path: string, start: integer = 1)`, for error messages."""
        required = self.parameters.get("required", ())
        shown = [
            f"{name}: {_kind(schema)}"
            + ("" if name in required else f" = {schema.get('default', 'null')!r}")
            for name, schema in self.parameters.get("properties", {}).items()
        ]
        return f"{self.name}({', '.join(shown)})"


def _kind(schema: dict[str, Any]) -> str:
    kinds = schema.get("anyOf", [schema])
    return " or ".join(str(kind.get("type", "any")) for kind in kinds)


def tool(
    name: str | None = None, *, mutates: bool = False, ends: bool = False, manager: bool = False
) -> Callable[[F], F]:
    """Make a function a tool; it stays an ordinary function.

    Its first parameter is the ToolContext, the others are the tool's arguments:
    all annotated, each told of in the docstring's `Args:` section. It returns
    the text that the agent reads and raises ToolError for what the agent can
    mend. TypeError when one of these is missing.

    mutates: it may change the tree. Paths of its TreePath arguments must be in the write scope.
    ends: returning `Ended` ends the conversation. manager: only for the manager crew.
    """

    def decorate(function: F) -> F:
        spec = _spec_from(function, name or function.__name__, mutates, ends, manager)
        setattr(function, _ATTRIBUTE, spec)
        return function

    return decorate


def spec_of(function: object) -> ToolSpec | None:
    """The spec of a decorated function; None for anything else."""
    spec = getattr(function, _ATTRIBUTE, None)
    return spec if isinstance(spec, ToolSpec) else None


def _spec_from(function: Handler, name: str, mutates: bool, ends: bool, manager: bool) -> ToolSpec:
    if not NAME.fullmatch(name):
        raise TypeError(f"{name!r} is no tool name: letters, digits, '_' and '-', at most 64")
    description, told = _read_docstring(function)
    hints = get_type_hints(function, include_extras=True)
    parameters = list(inspect.signature(function).parameters.values())[1:]
    for parameter in parameters:
        if parameter.name not in hints or parameter.name not in told:
            raise TypeError(f"{name}: {parameter.name!r} needs a type and a line under Args:")
    fields: dict[str, Any] = {
        parameter.name: (
            hints[parameter.name],
            Field(
                ... if parameter.default is inspect.Parameter.empty else parameter.default,
                description=told[parameter.name],
            ),
        )
        for parameter in parameters
    }
    model = create_model(f"{name}_arguments", __base__=Arguments, **fields)
    return ToolSpec(
        name=name,
        description=description,
        parameters=closed_schema(model),
        args_model=model,
        handler=function,
        mutates=mutates,
        ends=ends,
        manager=manager,
        paths=tuple(
            (argument, mark)
            for argument in fields
            for mark in getattr(hints[argument], "__metadata__", ())
            if isinstance(mark, Paths)
        ),
    )


def _read_docstring(function: Handler) -> tuple[str, dict[str, str]]:
    """The description, and argument -> what is said of it."""
    text = inspect.getdoc(function)
    if not text:
        raise TypeError(f"{function.__name__}: a tool needs a docstring, the agent reads it")
    description, _, section = text.partition("\nArgs:\n")
    told: dict[str, str] = {}
    latest = ""
    for line in inspect.cleandoc(section).splitlines():
        named = _ARGUMENT.fullmatch(line)
        if named:
            latest = named[1]
            told[latest] = named[2]
        elif latest and line.strip():
            told[latest] = f"{told[latest]} {line.strip()}".strip()
    return description.strip(), told


def closed_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The model's JSON schema without the titles that pydantic makes up."""
    schema = _without_titles(model.model_json_schema())
    return {"properties": {}} | schema | {"type": "object", "additionalProperties": False}


def _without_titles(schema: dict[str, Any]) -> dict[str, Any]:
    cleaned: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "title" and isinstance(value, str):
            continue
        if key in ("properties", "$defs"):
            cleaned[key] = {name: _without_titles(inner) for name, inner in value.items()}
        elif key in ("anyOf", "allOf", "oneOf"):
            cleaned[key] = [_without_titles(inner) for inner in value]
        else:
            cleaned[key] = _without_titles(value) if key == "items" else value
    return cleaned
