"""An uncaught exception as a text that helps: the program's own lines, and what to do about what the sandbox refuses or lacks."""

import os
import sys
import traceback

from . import prepare, start, text

# Modules that this interpreter is built without, because their libraries or the system below them are not there.
_WITHOUT = {
    "_bz2", "bz2", "_ctypes", "ctypes", "curses", "_curses", "_lzma", "lzma", "mmap", "readline", "ssl", "_ssl", "tkinter", "_tkinter",
    "turtle", "venv", "ensurepip", "termios", "fcntl", "pwd", "grp", "resource", "_multiprocessing", "_posixsubprocess", "pip",
}  # fmt: skip


def describe(error: BaseException, marker: str) -> str:
    """The traceback of `error` from the first line of the program on, whose files' names start with `marker`."""
    report = traceback.TracebackException(type(error), error, error.__traceback__, compact=True)
    _keep_program(report, marker, set())
    lines = text.clip("".join(report.format()).rstrip("\n"), text.TRACEBACK_BYTES)[0]
    advice = _advice(error)
    return f"{lines}\n\n[python: {advice}]" if advice else lines


def _keep_program(report: traceback.TracebackException | None, marker: str, seen: set[int]) -> None:
    """Takes the frames of this tool out of a traceback and of those that it mentions, and what called the program."""
    if report is None or id(report) in seen:
        return
    seen.add(id(report))
    frames = [frame for frame in report.stack if not frame.filename.startswith(prepare.OWN)]
    first = next((index for index, frame in enumerate(frames) if frame.filename.startswith(marker)), None)
    report.stack[:] = frames[first:] if first is not None else []
    for other in (report.__cause__, report.__context__, *(report.exceptions or ())):
        _keep_program(other, marker, seen)


def _advice(error: BaseException) -> str | None:
    if isinstance(error, ModuleNotFoundError) and error.name:
        return _missing(error.name)
    if isinstance(error, PermissionError) and error.filename is not None:
        path = os.path.join(start.directory(), os.fsdecode(error.filename))
        return (
            f"the operator has not granted it. Trying again will not help; only the operator can permit it, by a grant that covers"
            f" `read:{path}`, or `write:{path}` to change it"
        )
    if isinstance(error, RuntimeError) and "thread" in str(error):
        return "there are no threads in the sandbox; `asyncio` overlaps requests and calls of tools"
    if isinstance(error, EOFError):
        return "standard input is empty; what the program needs comes in `input`, as the global `data`"
    return None


def _missing(name: str) -> str:
    top = name.partition(".")[0]
    if top in _WITHOUT or name in prepare.LEFT_OUT:
        return f"this Python is built without `{name.lstrip('_')}`, which needs what the sandbox does not have"
    if top in sys.stdlib_module_names:
        return f"the sandbox has no `{name}`"
    return (
        f"`{top}` is not part of Python's standard library, and packages cannot be installed in the sandbox. A module of your own is"
        f" found after `sys.path.append(DIRECTORY)`"
    )
