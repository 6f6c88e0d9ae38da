"""The interpreter as every call finds it: made once, while the component is built.

What programs import most is imported here, so that it costs a call nothing. The rest of the standard library is carried as
compiled code, because its files are gone when the component runs. Nothing here may keep what has to differ from call to call:
time, environment, randomness.
"""

import array
import builtins
import functools
import gc
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import io
import linecache
import marshal
import os
import sys
import types
import zoneinfo

import wit_world
from componentize_py_types import Err

# Imported here, so that it is there at once.
COMMON = """
    abc argparse array ast asyncio base64 binascii bisect calendar cmath codecs collections collections.abc concurrent.futures
    contextlib contextvars copy copyreg csv dataclasses datetime decimal difflib email.message email.utils encodings.ascii
    encodings.latin_1 encodings.utf_8_sig enum errno fnmatch fractions functools gc glob hashlib heapq hmac html html.entities
    html.parser http http.client importlib inspect io itertools json keyword linecache locale logging math numbers operator os
    os.path pathlib pickle pprint queue random re reprlib secrets shutil signal socket sqlite3 stat statistics string
    string.templatelib struct subprocess sys tempfile textwrap threading time timeit tokenize traceback types typing unicodedata
    unittest urllib.error urllib.parse urllib.request uuid warnings weakref xml.etree.ElementTree zipfile zlib zoneinfo
""".split()

# Not carried: they need what a sandbox has not (a screen, a terminal, other programs), or are the library's own build and tests.
LEFT_OUT = {
    "__phello__", "curses", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "site-packages", "test",
    "lib", "tkinter", "turtle", "turtledemo", "venv",
}  # fmt: skip

LIBRARY = os.path.dirname(linecache.__file__) + os.sep
OWN = (os.path.dirname(os.path.dirname(__file__)) + os.sep, os.path.dirname(os.path.dirname(wit_world.__file__)) + os.sep)

# Compiled code by module: whether it is a package, and its code.
carried: dict[str, tuple[bool, bytes]] = {}


class Carried(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Imports the modules that the component carries."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name not in carried:
            return None
        is_package = carried[name][0]
        spec = importlib.machinery.ModuleSpec(name, Carried, origin="carried", is_package=is_package)
        return spec

    @staticmethod
    def create_module(spec):
        return None

    @staticmethod
    def exec_module(module):
        exec(Carried.get_code(module.__spec__.name), module.__dict__)

    @staticmethod
    def get_code(name):
        return marshal.loads(carried[name][1])

    @staticmethod
    def is_package(name):
        return carried[name][0]

    @staticmethod
    def get_source(name):
        return None


def everything() -> None:
    """Imports what is common, and takes in the rest."""
    for name in COMMON:
        importlib.import_module(name)
    carry()
    carry_zones()
    carry_license()
    sys.meta_path.insert(2, Carried)
    no_sources()


def carry() -> None:
    """Takes in the modules of the library, in the order of their names; those too that are imported, for who imports one afresh."""
    for folder, folders, files in os.walk(LIBRARY.rstrip(os.sep)):
        package = [name for name in folder.removeprefix(LIBRARY.rstrip(os.sep)).split(os.sep) if name]
        folders[:] = sorted(name for name in folders if name.isidentifier() and name not in LEFT_OUT and name != "__pycache__")
        for file in sorted(files):
            stem = file.removesuffix(".py")
            if file == stem or stem in LEFT_OUT or not stem.isidentifier() or stem.startswith("_sysconfigdata"):
                continue
            is_package = stem == "__init__"
            name = ".".join(package if is_package else [*package, stem])
            if not name:
                continue
            path = os.path.join(folder, file)
            with open(path, "rb") as source:
                code = compile(source.read(), path, "exec", dont_inherit=True)
            carried[name] = (is_package, marshal.dumps(code))


def carry_zones() -> None:
    """Takes in the time zones of the package `tzdata`. The places where systems keep theirs are not looked at."""
    root = os.path.join(OWN[0], "tzdata", "zoneinfo")
    zones: dict[str, bytes] = {}
    with open(os.path.join(root, "..", "zones")) as names:
        for name in names.read().split():
            with open(os.path.join(root, *name.split("/")), "rb") as zone:
                zones[name] = zone.read()

    def load_tzdata(key):
        if key not in zones:
            raise zoneinfo.ZoneInfoNotFoundError(f"No time zone found with key {key}")
        return io.BytesIO(zones[key])

    zoneinfo.reset_tzpath(to=())
    zoneinfo._common.load_tzdata = load_tzdata
    zoneinfo.available_timezones = lambda: set(zones)


def carry_license() -> None:
    """Lets `license()` show the terms of the interpreter, which go where it goes."""
    with open(os.path.join(LIBRARY, "LICENSE.txt"), encoding="utf-8") as file:
        text = file.read()
    builtins.license = lambda: print(text)


def no_sources() -> None:
    """Keeps tracebacks from looking for the files that modules were compiled from: they are not there, and asking would be an
    operation that the sandbox refuses and records."""
    update = linecache.updatecache

    def updatecache(filename, module_globals=None):
        return [] if filename.startswith((LIBRARY, *OWN)) else update(filename, module_globals)

    linecache.updatecache = updatecache


def freeze(run) -> None:
    """The last step: forgets the places of the build, and takes what is there out of the collector's sight."""
    warm(run)
    sys.path[:] = []
    # A program's own modules are compiled anew: to keep what was compiled would write beside them.
    sys.dont_write_bytecode = True
    sys.path_importer_cache.clear()
    linecache.clearcache()
    gc.collect()
    stay()
    blank()
    gc.freeze()


# What most programs make the interpreter do, and this tool.
WARMING = (
    ("1 + 1", None),
    ("print('x')\nx = {'a': [1, 2.5, None]}\nx", '{"a": 1}'),
    ("import json, re\ndef main(data):\n    return json.loads(json.dumps(data))", '{"a": 1}'),
    ("import asyncio\nawait asyncio.gather(asyncio.sleep(0), asyncio.sleep(0))", None),
    ("def f(): raise ValueError('x')\nf()", None),
    ("x = (", None),
)

# The interpreter rewrites what runs often for the types that it meets, and stops counting.
ROUNDS = 64


def warm(run) -> None:
    """Runs programs until the interpreter has nothing more to learn from them: its counters and caches then change in no call."""
    from . import program, start

    streams = sys.stdin, sys.stdout, sys.stderr
    for code, input in WARMING * ROUNDS:
        start.take({"HOME": "/"}, "/w")
        try:
            run(code, input)
        except Err:
            pass
        program.forget()
    sys.stdin, sys.stdout, sys.stderr = sys.__stdin__, sys.__stdout__, sys.__stderr__ = streams
    start.forget()


# How the list begins that `stay` makes: the build finds it by these words.
MARK = (0x79617473, 0x9E3779B9, 0x7F4A7C15, 0x6874796D)

# The mark, how many words follow, and two for each object: its address and its type's.
staying = array.array("I", bytes(4 * (len(MARK) + 1)))


def stay() -> None:
    """Says which objects stay. The build makes them immortal (`xtask/src/guests/interpreters/immortal.rs`) and takes the list out: a
    call then does not count who refers to them, and so does not write to their pages."""
    found = gc.get_objects()
    known: set[int] = set()
    while found:
        it = found.pop()
        if id(it) in known:
            continue
        known.add(id(it))
        staying.append(id(it))
        staying.append(id(type(it)))
        found.extend(gc.get_referents(it))
        # The collector does not look into these.
        if isinstance(it, types.CodeType):
            found += it.co_consts, it.co_names, it.co_name, it.co_qualname, it.co_filename, it.co_linetable, it.co_exceptiontable
    # The mark is written last: what the list left behind while it grew is not taken for it.
    for place, word in enumerate((*MARK, len(staying) - len(MARK) - 1)):
        staying[place] = word


# What fills the holes between the objects that stay. Of one length, because to grow would leave holes.
fillers: list = [None] * (1 << 17)

# Bytes to fill them with: from the largest to what is least of use.
SIZES = (*(1 << power for power in range(20, 3, -1)), 8, 2)


def blank() -> None:
    """Fills the holes between the objects that stay, and leaves them filled. What was there is then not carried along, and a call
    allocates in one piece behind all of it, instead of here and there: each place would be a page of its own to copy."""
    # Larger than any hole, so it lies behind them all; it leaves empty room.
    behind = bytes(2 << 20)
    count = 0
    for make in (*(functools.partial(bytes, size) for size in SIZES), object):
        while id(filler := make()) < id(behind) and count < len(fillers):
            fillers[count] = filler
            count += 1
