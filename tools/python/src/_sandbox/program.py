"""One program: compiled, run, its value written down.

The program runs as `__main__`, whose globals stay where the operator keeps a session. Its file is named `<code>`, so that
tracebacks show its own lines.
"""

import ast
import asyncio
import inspect
import json
import linecache
import sys
import types
from dataclasses import dataclass

from . import failure, text

# Of every program's file; a later one in the same session has a number behind it.
MARKER = "<code"

# As they are before a program can put something in their place.
_untrace, _unprofile = sys.settrace, sys.setprofile

# No program can name a variable so.
_VALUE = "value of the last line"

_count = 0


@dataclass(frozen=True)
class Result:
    """A program that ended well, or by `sys.exit`."""

    value: str | None
    is_json: bool
    stdout: str
    stderr: str
    exit_code: int | None
    notice: str | None


@dataclass(frozen=True)
class Failure:
    """A program that ended with an exception, or could not be started."""

    text: str


def run(code: str, input: str | None) -> Result | Failure:
    """Runs `code` with the JSON text `input` as its global `data`."""
    try:
        data = None if input is None else json.loads(input)
    except ValueError as error:
        return Failure(f"`input` is no JSON text: {error}")
    out, err = text.capture()
    value, exit_code, failed = None, None, None
    try:
        try:
            value = _evaluate(code, data)
        finally:
            # It has traced its own code, and shall not trace this.
            _untrace(None)
            _unprofile(None)
        value = None if value is None else text.of_value(value)
    except SystemExit as end:
        value, exit_code = None, _exit_code(end)
    except BaseException as error:
        value, failed = None, failure.describe(error, MARKER)
    out, err = out.take(), err.take()
    if failed is not None:
        return Failure(_with_output(failed, out, err))
    value, is_json, cut = value or (None, False, 0)
    return Result(value, is_json, out[0], err[0], exit_code, _notice({"value": cut, "stdout": out[1], "stderr": err[1]}))


def _evaluate(code: str, data):
    module = sys.modules.get("__main__")
    if module is None or not hasattr(module, "__sandbox__"):
        module = types.ModuleType("__main__")
        module.__builtins__ = __builtins__
        module.__sandbox__ = True
        sys.modules["__main__"] = module
    names = module.__dict__
    names["data"] = data
    compiled, main = _compile(code, _file_of(code))
    ended = eval(compiled, names)
    if compiled.co_flags & inspect.CO_COROUTINE:
        asyncio.run(ended)
    value = names.pop(_VALUE, None)
    if main:
        value = _call(names["main"], data)
    if inspect.iscoroutine(value):
        value = asyncio.run(value)
    return value


def forget() -> None:
    """Makes the next program the first one."""
    global _count
    _count = 0
    sys.modules.pop("__main__", None)
    linecache.clearcache()


def _file_of(code: str) -> str:
    """The name of the program's file, under which tracebacks find its lines."""
    global _count
    _count += 1
    name = f"{MARKER}>" if _count == 1 else f"{MARKER} {_count}>"
    linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
    return name


def _compile(code: str, file: str) -> tuple[types.CodeType, bool]:
    """The program, its last expression kept as a value; and whether its `main` is to be called."""
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    tree = compile(code, file, "exec", flags | ast.PyCF_ONLY_AST, dont_inherit=True)
    last = tree.body[-1] if tree.body else None
    main = False
    if isinstance(last, ast.Expr):
        target = ast.copy_location(ast.Name(_VALUE, ast.Store()), last)
        tree.body[-1] = ast.copy_location(ast.Assign([target], last.value), last)
    else:
        main = _leaves_main(tree)
    return compile(tree, file, "exec", flags, dont_inherit=True), main


def _leaves_main(tree: ast.Module) -> bool:
    """Whether the program defines `main` and does not use it itself, in an `if __name__ == "__main__"` for example."""
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef)
    if not any(isinstance(part, definitions) and part.name == "main" for part in tree.body):
        return False
    outside = [part for part in tree.body if not isinstance(part, (*definitions, ast.ClassDef))]
    return not any(isinstance(node, ast.Name) and node.id == "main" for part in outside for node in ast.walk(part))


def _call(main, data):
    """Calls `main` with `data` if it takes something, and without if not."""
    takes = any(
        parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD, parameter.VAR_POSITIONAL)
        for parameter in inspect.signature(main).parameters.values()
    )
    return main(data) if takes else main()


def _exit_code(end: SystemExit) -> int:
    """What a process would end with; a message goes to standard error, as it does there."""
    if end.code is None:
        return 0
    if isinstance(end.code, int):
        return (end.code + 2**31) % 2**32 - 2**31
    print(end.code, file=sys.stderr)
    return 1


def _with_output(failed: str, out: tuple[str, int], err: tuple[str, int]) -> str:
    parts = [failed]
    for name, (written, _) in (("stdout", out), ("stderr", err)):
        if written:
            parts.append(f"[python: {name} until then]\n{written}")
    return "\n\n".join(parts)


def _notice(left_out: dict[str, int]) -> str | None:
    cut = [f"{name}: {count:,} bytes" for name, count in left_out.items() if count]
    if not cut:
        return None
    return f"Left out of the middle of {'; of '.join(cut)}. Print less, return a part, or write to a file that you are granted."
