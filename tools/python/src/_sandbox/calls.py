"""Calls of other tools over `caplet:tools/invoke`: functions that are made from the tools' schemas.

Which tools there are, and whether a call is permitted, is the host's to say, each time.
"""

import asyncio
import inspect
import json
import keyword
import re
import typing
from collections import deque

from componentize_py_types import Err, Ok
from wit_world.imports import invoke

from . import loop
from .text import whole

# The host's usual limit `calls-at-once`. More are begun one after another, as those before them end.
_AT_ONCE = 16


class ToolError(Exception):
    """A tool answered with an error, or ended without an answer."""


class ToolDenied(ToolError):
    """The operator does not let this program call the tool."""


class ToolLimit(ToolError):
    """There is no more room: of calls at once, of depth, or of what the limits leave."""


for _kind in (ToolError, ToolDenied, ToolLimit):
    _kind.__module__ = "tools"

# Names of the module `tools` that a tool of the same name does not hide.
OWN = ("ToolDenied", "ToolError", "ToolLimit", "call")

# JSON Schema's types and what they are here.
_TYPES = {"string": str, "integer": int, "number": float, "boolean": bool, "array": list, "object": dict, "null": None}

_made: dict | None = None


def functions() -> dict:
    """A function for each that may be called, by its name in Python."""
    global _made
    if _made is None:
        _made = {_python_name(each.name): _function(each) for each in invoke.list()}
    return _made


def summary() -> str:
    """What may be called, a line for each."""
    lines = []
    for name, function in functions().items():
        about = (function.__doc__ or "").partition("\n")[0]
        lines.append(f"await tools.{name}{function.__signature__}" + (f"  # {about}" if about else ""))
    if not lines:
        return "The operator has granted no other tool to this program (a grant `call:TOOL` would)."
    return "These can be called:\n" + "\n".join(lines) + "\nWithout `await`: tools.call(\"TOOL\", name=value, …)."


def call(name: str, /, **arguments):
    """Calls a tool by its own name, such as `file-read` or `memory.get`, waits, and returns its output."""
    try:
        return _output(invoke.call(whole(name), json.dumps(arguments, allow_nan=False)))
    except Err as error:
        raise _exception(name, error.value) from None


class _Places:
    """Places for calls that are under way in one event loop, given in the order in which they were asked for."""

    def __init__(self) -> None:
        self.most, self.taken = _AT_ONCE, 0
        self.waiting: deque[asyncio.Future] = deque()

    async def take(self) -> None:
        """Waits until there is a place."""
        if self.taken < self.most:
            self.taken += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            # The place may have come at the same time.
            if turn.done() and not turn.cancelled():
                self.give()
            raise

    def give(self) -> None:
        """Gives a place back: to whoever has waited longest, if there may be as many as there are."""
        self.taken -= 1
        while self.waiting and self.taken < self.most:
            turn = self.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                self.taken += 1

    def learn(self) -> bool:
        """After a refusal for want of room: whether another call of this program is under way, whose end makes room."""
        self.most = max(self.taken - 1, 1)
        return self.taken > 1


# Of the event loop that runs; each has its own, because a loop that ends leaves no call behind.
_places: tuple[asyncio.AbstractEventLoop, _Places] | None = None


def _places_here() -> _Places:
    global _places
    here = asyncio.get_running_loop()
    if _places is None or _places[0] is not here:
        _places = here, _Places()
    return _places[1]


async def _begin(name: str, arguments: dict):
    """Calls a tool while other tasks go on; a task that is cancelled ends its call."""
    text = json.dumps(arguments, allow_nan=False)
    places = _places_here()
    while True:
        await places.take()
        try:
            invocation = invoke.start(name, text)
        except Err as error:
            again = isinstance(error.value, invoke.Error_Limit) and places.learn()
            places.give()
            if again:
                continue
            raise _exception(name, error.value) from None
        except BaseException:
            places.give()
            raise
        return await _ended(name, invocation, places)


async def _ended(name: str, invocation, places: _Places):
    """What came of a call. Its place is free when its result was taken, or nobody waits for it any more."""
    try:
        with invocation:
            with invocation.subscribe() as pollable:
                await loop.until_ready(pollable)
            outcome = invocation.get()
    finally:
        places.give()
    if isinstance(outcome, Ok):
        return _output(outcome.value)
    raise _exception(name, outcome.value if outcome is not None else None)


def _output(text: str):
    return json.loads(text) if text else None


def _exception(name: str, error) -> ToolError:
    kinds = {invoke.Error_Denied: ToolDenied, invoke.Error_Limit: ToolLimit}
    message = error.value if error is not None else "the call ended without an answer"
    return kinds.get(type(error), ToolError)(f"{name}: {message}")


def _python_name(name: str) -> str:
    plain = re.sub(r"\W", "_", name)
    return f"{plain}_" if keyword.iskeyword(plain) or not plain.isidentifier() or plain in OWN else plain


def _function(callable_: invoke.Callable):
    """An asynchronous function whose parameters are those of the tool's schema."""
    schema = json.loads(callable_.input_schema)
    required = schema.get("required", [])
    # A parameter's name in Python, and in the tool's schema.
    names = {_python_name(name): name for name in schema.get("properties", {})}
    signature = _signature(schema, callable_.output_schema)

    async def function(*values, **named):
        arguments = {}
        for name, value in signature.bind(*values, **named).arguments.items():
            # None is what a parameter is that was left out, unless it has to be there.
            if value is not None or names[name] in required:
                arguments[names[name]] = value
        return await _begin(callable_.name, arguments)

    function.__name__ = function.__qualname__ = _python_name(callable_.name)
    function.__module__ = "tools"
    function.__doc__ = _documented(callable_, schema)
    function.__signature__ = signature
    return function


def _documented(callable_: invoke.Callable, schema: dict) -> str:
    """What the tool does, and a line for each parameter and for each part of what it returns."""
    parts = [callable_.description]
    output = json.loads(callable_.output_schema) if callable_.output_schema else {}
    for title, described in (("Parameters", schema), ("Returns", output)):
        lines = []
        for name, part in described.get("properties", {}).items():
            kind = inspect.formatannotation(_annotation(part)) if _annotation(part) is not inspect.Parameter.empty else "as described"
            lines.append(f"    {name}: {kind}. {part.get('description', '')}".rstrip())
        if lines:
            parts.append(f"{title}:\n" + "\n".join(lines))
        elif text := described.get("description"):
            parts.append(f"{title}: {text}")
    return "\n\n".join(parts)


def _signature(schema: dict, output: str | None) -> inspect.Signature:
    """Parameters by name, those first that have to be there. One that is alone in that can go without its name."""
    required = schema.get("required", [])
    parameters = []
    for name, part in sorted(schema.get("properties", {}).items(), key=lambda item: item[0] not in required):
        default = inspect.Parameter.empty if name in required else None
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD if required == [name] else inspect.Parameter.KEYWORD_ONLY
        parameters.append(inspect.Parameter(_python_name(name), kind, default=default, annotation=_annotation(part)))
    result = inspect.Signature.empty if output is None else _annotation(json.loads(output))
    return inspect.Signature(parameters, return_annotation=result)


def _annotation(schema):
    """The type in Python; nothing where a schema says more than that can."""
    if not isinstance(schema, dict):
        return inspect.Parameter.empty
    if texts := schema.get("enum"):
        return typing.Literal[tuple(texts)] if all(isinstance(text, str) for text in texts) else inspect.Parameter.empty
    kinds = schema.get("anyOf") or schema.get("oneOf")
    if kinds:
        return _union([_annotation(kind) for kind in kinds])
    kind = schema.get("type")
    if isinstance(kind, list):
        return _union([_annotation({**schema, "type": each}) for each in kind])
    item = _annotation(schema.get("items")) if kind == "array" else inspect.Parameter.empty
    return list[item] if item is not inspect.Parameter.empty else _TYPES.get(kind, inspect.Parameter.empty)


def _union(kinds: list):
    return inspect.Parameter.empty if inspect.Parameter.empty in kinds else typing.Union[tuple(kinds)]
