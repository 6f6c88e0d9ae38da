"""Requests that can be awaited, many at once: `page = await fetch(url)`, `pages = await asyncio.gather(*map(fetch, urls))`."""

import json as _json
import sys as _sys
import types as _types
import urllib.parse as _parse
from dataclasses import dataclass as _dataclass

from _sandbox import loop as _loop
from _sandbox import web as _web
from componentize_py_types import Err as _Err
from wit_world.imports import streams as _streams

__all__ = ["Response", "fetch"]

_REDIRECTS = 10
# Headers that are not sent on to another origin.
_CREDENTIALS = {"authorization", "cookie", "proxy-authorization"}


@_dataclass(frozen=True)
class Response:
    """What a server answered."""

    status: int
    url: str
    headers: dict[str, str]
    content: bytes

    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
        return self.status < 400

    @property
    def text(self) -> str:
        """The content in the charset that the server names, or UTF-8."""
        kind = self.headers.get("content-type", "")
        charset = kind.lower().partition("charset=")[2].partition(";")[0].strip(" \"'") or "utf-8"
        try:
            return self.content.decode(charset, "replace")
        except LookupError:
            return self.content.decode("utf-8", "replace")

    def json(self):
        """The content as JSON."""
        return _json.loads(self.content)


async def fetch(url: str, *, method: str = "GET", headers: dict | None = None, body: str | bytes | None = None, json=None) -> Response:
    """Sends a request and reads its response whole. `json` is sent as JSON. Redirects are followed, up to 10.

    Raises `PermissionError` where the operator has not granted the request, and another `OSError` where it fails.
    """
    headers = dict(headers or {})
    if json is not None:
        body = _json.dumps(json)
        headers.setdefault("content-type", "application/json")
    if json is not None and method == "GET":
        method = "POST"
    body = body.encode() if isinstance(body, str) else body or b""
    for _ in range(_REDIRECTS + 1):
        status, received, content = await _once(url, method, headers, body)
        target = received.get("location")
        if status not in (301, 302, 303, 307, 308) or target is None:
            return Response(status, url, received, content)
        following = _parse.urldefrag(_parse.urljoin(url, target)).url
        if _origin(following) != _origin(url):
            headers = {name: value for name, value in headers.items() if name.lower() not in _CREDENTIALS}
        if status in (301, 302, 303) and method not in ("GET", "HEAD"):
            method, body = "GET", b""
            headers = {name: value for name, value in headers.items() if not name.lower().startswith("content-")}
        url = following
    raise OSError(f"more than {_REDIRECTS} redirects: {url}")


def _origin(url: str) -> tuple[str, str]:
    parts = _parse.urlsplit(url)
    return parts.scheme, parts.netloc


async def _once(url: str, method: str, headers: dict, body: bytes) -> tuple[int, dict[str, str], bytes]:
    parts = _parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"not an address with http:// or https://: {url}")
    authority = parts.netloc.rpartition("@")[2]
    target = _parse.quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._") + (f"?{parts.query}" if parts.query else "")
    with _web.start(method.upper(), parts.scheme, authority, target, list(headers.items()), body) as answer:
        with answer.subscribe() as pollable:
            await _loop.until_ready(pollable)
        response = _web.received(answer, method, url)
    with response:
        with response.headers() as fields:
            received: dict[str, str] = {}
            for name, value in fields.entries():
                text = value.decode("latin-1")
                received[name.lower()] = f"{received[name.lower()]}, {text}" if name.lower() in received else text
        return response.status(), received, await _read(response)


async def _read(response) -> bytes:
    content = bytearray()
    with response.consume() as body, body.stream() as stream, stream.subscribe() as pollable:
        while True:
            try:
                data = stream.read(1 << 16)
            except _Err as error:
                if isinstance(error.value, _streams.StreamError_Closed):
                    return bytes(content)
                raise _web.body_failed(error.value) from None
            content += data
            if not data:
                await _loop.until_ready(pollable)


class _Module(_types.ModuleType):
    """`import fetch` and `from fetch import fetch` both give something to call."""

    def __call__(self, *arguments, **options):
        return fetch(*arguments, **options)


_sys.modules[__name__].__class__ = _Module
