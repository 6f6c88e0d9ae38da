"""The beginning of a call: what the snapshot of the interpreter cannot know.

The environment, the current directory and the seed of `random` come from the host. The current directory is only a text until
a program uses a relative path: to enter a directory is an operation that a policy decides on, and most programs need none.
"""

import builtins
import errno
import os
import random
import sys

from wit_world.imports import environment

_begun = False
# The directory to enter, until something needs it.
_pending: str | None = None


def begin() -> None:
    """Readies the interpreter: all of it in a new instance, nothing in one that has run a program before."""
    if not _begun:
        take(dict(environment.get_environment()), environment.initial_cwd())


def take(variables: dict[str, str], directory: str | None) -> None:
    """Makes the environment and the current directory what the host says."""
    global _begun, _pending
    _begun = True
    os.environ.clear()
    os.environ.update(variables)
    sys.argv = ["main.py"]
    sys.orig_argv = ["python", "main.py"]
    random.seed()
    _pending = None if directory == "/" else directory


def forget() -> None:
    """Makes the next call the first one."""
    global _begun, _pending
    _begun, _pending = False, None
    os.environ.clear()


def _enter(path) -> None:
    """Enters the current directory, if that is still to be done, because `path` is relative to it. A refusal is one of `path`."""
    global _pending
    if _pending is not None:
        directory, _pending = _pending, None
        try:
            _chdir(directory)
        except OSError as error:
            _pending = directory
            raise type(error)(error.errno, error.strerror, path) from None


def _is_relative(path) -> bool:
    if isinstance(path, int):
        return False
    try:
        path = os.fspath(path)
    except TypeError:
        return False
    return not path.startswith(b"/" if isinstance(path, bytes) else "/")


def _watch(event: str, arguments: tuple) -> None:
    """Enters the current directory before the interpreter opens or lists something below it."""
    if event not in _WATCHED:
        return
    if event == "open":
        # `os.open` says so by having no mode; it has its own way, because it may be relative to another directory.
        if arguments[1] is None:
            return
        # The parser looks for the file of a program that is only a text, to show the line of a mistake.
        if isinstance(arguments[0], str) and arguments[0].startswith("<") and arguments[0].endswith(">"):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), arguments[0])
    if _pending is None:
        return
    path = "." if arguments[0] is None and event != "open" else arguments[0]
    if event == "sqlite3.connect" and (not path or path in (":memory:", b":memory:") or str(path).startswith("file:")):
        return
    if _is_relative(path):
        _enter(path)


_WATCHED = {"open", "os.listdir", "os.scandir", "os.truncate", "os.chmod", "os.walk", "sqlite3.connect"}


def _relative(function, paths: int):
    """`function` of `os`, whose first arguments are paths, after the current directory is entered where one is relative."""

    def wrapper(*arguments, **options):
        if _pending is not None and not any(options.get(name) is not None for name in ("dir_fd", "src_dir_fd", "dst_dir_fd")):
            named = [options[name] for name in ("path", "src", "dst") if name in options]
            relative = next((path for path in [*arguments[:paths], *named] if _is_relative(path)), None)
            if relative is not None:
                _enter(relative)
        return function(*arguments, **options)

    wrapper.__name__ = wrapper.__qualname__ = function.__name__
    wrapper.__module__ = function.__module__
    wrapper.__doc__ = function.__doc__
    wrapper.__wrapped__ = function
    return wrapper


def _getcwd() -> str:
    return _pending if _pending is not None else _real_getcwd()


def _getcwdb() -> bytes:
    return os.fsencode(_getcwd())


def _leave(path) -> None:
    """`os.chdir`."""
    global _pending
    if _is_relative(path):
        _enter(path)
    _chdir(path)
    _pending = None


_chdir = os.chdir
_real_getcwd = os.getcwd

# Those that take one path, and those that take two.
_ONE = ("open", "stat", "lstat", "access", "mkdir", "rmdir", "remove", "unlink", "readlink", "utime", "truncate")
_TWO = ("rename", "replace", "link", "symlink")


def install() -> None:
    """Puts this between `os` and programs; while the component is built."""
    sys.addaudithook(_watch)
    for paths, names in ((1, _ONE), (2, _TWO)):
        for name in names:
            if function := getattr(os, name, None):
                _replace(function, _relative(function, paths), name)
    _replace(_chdir, _leave, "chdir")
    _replace(_real_getcwd, _getcwd, "getcwd")
    _replace(os.getcwdb, _getcwdb, "getcwdb")
    builtins.exit = builtins.quit = sys.exit


def _replace(old, new, name: str) -> None:
    for supported in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks, os.supports_effective_ids):
        if old in supported:
            supported.add(new)
    setattr(os, name, new)


def directory() -> str:
    """The current directory, as a text."""
    return _getcwd()
