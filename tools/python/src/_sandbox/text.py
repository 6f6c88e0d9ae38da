"""Text for an answer: bounded, with both ends kept and a sentence for what is missing."""

import io
import json
import sys
from collections.abc import Iterator

# Of the 256 KiB that an answer may have; in bytes of UTF-8.
STDOUT_BYTES = 96 << 10
VALUE_BYTES = 96 << 10
STDERR_BYTES = 48 << 10
TRACEBACK_BYTES = 16 << 10

# More elements than this cannot be written in `VALUE_BYTES`, and deeper ones could not be read back everywhere.
_ELEMENTS = VALUE_BYTES // 2
_DEPTH = 100


class _Ends(io.RawIOBase):
    """Keeps the beginning and the end of what is written, in bounded memory."""

    def __init__(self, limit: int):
        self.half = limit // 2
        self.head, self.tail, self.total = bytearray(), bytearray(), 0

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:
        data = memoryview(data).cast("B")
        self.total += len(data)
        room = self.half - len(self.head)
        self.head += data[:room] if room > 0 else b""
        self.tail += data[max(room, 0) :][-self.half :]
        if len(self.tail) > 2 * self.half:
            del self.tail[: -self.half]
        return len(data)


class Stream(io.TextIOWrapper):
    """A program's standard output or error."""

    def __init__(self, name: str, limit: int):
        self._ends = _Ends(limit)
        super().__init__(io.BufferedWriter(self._ends, 1 << 16), encoding="utf-8", errors="backslashreplace", newline="\n")
        self._name = name

    @property
    def name(self) -> str:
        return f"<{self._name}>"

    def take(self) -> tuple[str, int]:
        """What was written, and how many bytes of it are left out."""
        ends = self._ends
        if not self.closed:
            self.flush()
        tail = bytes(ends.tail[-ends.half :]) if ends.half else b""
        return _joined(bytes(ends.head), tail, ends.total - len(ends.head) - len(tail))


def whole(text: str) -> str:
    """`text`, if it is one: the host takes no half characters (surrogates), and to hand it one would end the call."""
    text.encode()
    return text


def clip(text: str, limit: int) -> tuple[str, int]:
    """`text` within `limit` bytes, and how many are left out of its middle."""
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= limit:
        return data.decode(), 0
    half = limit // 2
    return _joined(data[:half], data[-half:], len(data) - 2 * half)


def _joined(head: bytes, tail: bytes, left_out: int) -> tuple[str, int]:
    if left_out <= 0:
        return (head + tail).decode("utf-8", "replace"), 0
    # A character that is cut in two is left out whole.
    head_text = head.decode("utf-8", "ignore")
    tail_text = tail.decode("utf-8", "ignore")
    return f"{head_text}\n[python: {left_out:,} bytes left out here]\n{tail_text}", left_out


def of_value(value) -> tuple[str, bool, int]:
    """A value as text, whether that is JSON, and how many bytes are left out. JSON it is where that says all of the value."""
    if _fits_json(value):
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        if len(text.encode("utf-8", "backslashreplace")) <= VALUE_BYTES and not _has_surrogates(text):
            return text, True, 0
    text, left_out = clip(repr(value), VALUE_BYTES)
    return text, False, left_out


def _has_surrogates(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text)


def _fits_json(value) -> bool:
    """Whether `value` is made of what JSON has. A tuple counts as an array; a key that is no string has no place in JSON."""
    levels: list[Iterator] = [iter((value,))]
    room = _ELEMENTS
    while levels:
        item = next(levels[-1], levels)
        if item is levels:
            levels.pop()
            continue
        room -= 1
        kind = type(item)
        if kind is str or kind is bool or item is None:
            continue
        if kind is int:
            if item.bit_length() > 1 << 13:
                return False
        elif kind is float:
            if item != item or item in (float("inf"), float("-inf")):
                return False
        elif kind is list or kind is tuple:
            levels.append(iter(item))
        elif isinstance(item, dict) and kind.__module__ in ("builtins", "collections"):
            if not all(type(key) is str for key in item):
                return False
            levels.append(iter(item.values()))
        else:
            return False
        # A value that contains itself runs out of levels.
        if room < 0 or len(levels) > _DEPTH:
            return False
    return True


def capture() -> tuple[Stream, Stream]:
    """Streams for a program's output and errors, put in their places; its input is empty."""
    out, err = Stream("stdout", STDOUT_BYTES), Stream("stderr", STDERR_BYTES)
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    sys.stdout = sys.__stdout__ = out
    sys.stderr = sys.__stderr__ = err
    return out, err
