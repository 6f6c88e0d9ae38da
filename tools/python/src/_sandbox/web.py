"""HTTP over `wasi:http`, under `http.client` and so under `urllib.request`; and what the module `fetch` stands on.

The host connects, checks certificates and decides what may be reached. A request that it refuses is a `PermissionError`.
"""

import errno
import http.client
import io
import socket
import urllib.request

from componentize_py_types import Err, Ok
from wit_world.imports import outgoing_handler, streams, types

from . import loop
from .text import whole

# Headers about the connection, which is the host's.
_OF_THE_CONNECTION = {"connection", "host", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}

# What the host takes in one piece.
_PIECE = 4096
_READ = 1 << 16


def start(method: str, scheme: str, authority: str, target: str, headers: list, body: bytes) -> types.FutureIncomingResponse:
    """Sends a request, its body with it; `OSError` where the host will not."""
    where = whole(f"{method} {scheme}://{authority}{target}").partition(" ")[2]
    try:
        fields = types.Fields()
        for name, value in headers:
            if name.lower() not in _OF_THE_CONNECTION:
                fields.append(whole(name), value.encode("latin-1") if isinstance(value, str) else bytes(value))
        request = types.OutgoingRequest(fields)
        request.set_method(_method(method))
        request.set_scheme(types.Scheme_Https() if scheme == "https" else types.Scheme_Http())
        request.set_authority(authority)
        request.set_path_with_query(target or "/")
        outgoing = request.body()
    except Err as error:
        raise ValueError(f"not a valid request: {method} {where} ({_word(error.value)})") from None
    try:
        answer = outgoing_handler.handle(request, None)
    except Err as error:
        raise failed(error.value, method, where) from None
    _send(outgoing, body)
    return answer


def _send(outgoing: types.OutgoingBody, body: bytes) -> None:
    """A body that the host stops taking is no failure yet: the answer says why."""
    try:
        with outgoing.write() as stream:
            for at in range(0, len(body), _PIECE):
                stream.blocking_write_and_flush(body[at : at + _PIECE])
        types.OutgoingBody.finish(outgoing, None)
    except Err:
        pass


def received(answer: types.FutureIncomingResponse, method: str, where: str) -> types.IncomingResponse:
    """The response to a request that is answered."""
    outcome = answer.get()
    if isinstance(outcome, Ok) and isinstance(outcome.value, Ok):
        return outcome.value.value
    raise failed(outcome.value.value if isinstance(outcome, Ok) else None, method, where)


def failed(code, method: str, where: str) -> OSError:
    """What a program is told of an error of the host."""
    word = _word(code)
    if word in ("HttpRequestDenied", "DestinationIpProhibited"):
        return PermissionError(
            errno.EPERM, f"not permitted to {method} {where}: the operator has not granted it; a grant `fetch:{method} {where}` would"
        )
    if "Timeout" in word:
        return TimeoutError(errno.ETIMEDOUT, f"{word}: {where}")
    if word == "ConnectionRefused":
        return ConnectionRefusedError(errno.ECONNREFUSED, f"connection refused: {where}")
    if word == "ConnectionTerminated":
        return ConnectionResetError(errno.ECONNRESET, f"connection closed: {where}")
    if word in ("DnsError", "DestinationNotFound"):
        return socket.gaierror(socket.EAI_NONAME, f"no such host: {where}")
    detail = getattr(code, "value", None)
    return OSError(errno.EIO, f"{word}: {where}" + (f" ({detail})" if isinstance(detail, str) else ""))


def _word(code) -> str:
    return type(code).__name__.rpartition("_")[2] if code is not None else "answered before"


def _method(name: str):
    kind = getattr(types, f"Method_{name.capitalize()}", None) if name.isupper() and name != "OTHER" else None
    return kind() if kind else types.Method_Other(name)


class _Body(io.RawIOBase):
    """The body of a response, as it comes."""

    def __init__(self, response: types.IncomingResponse):
        self._body = response.consume()
        self._stream = self._body.stream()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        if self._stream is None:
            return 0
        try:
            data = b""
            while not data:
                data = self._stream.blocking_read(min(len(buffer), _READ))
        except Err as error:
            self._end()
            if isinstance(error.value, streams.StreamError_Closed):
                return 0
            raise body_failed(error.value) from None
        buffer[: len(data)] = data
        return len(data)

    def _end(self) -> None:
        if self._stream is not None:
            stream, body, self._stream, self._body = self._stream, self._body, None, None
            with body, stream:
                pass

    def close(self) -> None:
        self._end()
        super().close()


def body_failed(error) -> OSError:
    """What a program is told of a body that broke off."""
    return ConnectionError(errno.ECONNRESET, f"the response broke off: {error.value.to_debug_string()}")


class Response(io.BufferedReader):
    """What `http.client` calls an `HTTPResponse`."""

    version = 11
    debuglevel = 0
    chunked = False
    will_close = True

    def __init__(self, response: types.IncomingResponse):
        self.status = self.code = response.status()
        self.reason = self.msg = http.client.responses.get(self.status, "")
        self.headers = http.client.HTTPMessage()
        with response.headers() as fields:
            for name, value in fields.entries():
                self.headers[name] = value.decode("latin-1")
        length = self.headers.get("content-length", "")
        self.length = int(length) if length.isdigit() else None
        self.url = None
        super().__init__(_Body(response), _READ)

    def getheader(self, name, default=None):
        found = self.headers.get_all(name)
        return ", ".join(found) if found else default

    def getheaders(self):
        return list(self.headers.items())

    def info(self):
        return self.headers

    def geturl(self):
        return self.url

    def getcode(self):
        return self.status

    def isclosed(self):
        return self.closed


class Connection(http.client.HTTPConnection):
    """`http.client.HTTPConnection` over `wasi:http`."""

    scheme = "http"

    def __init__(self, host, port=None, timeout=None, source_address=None, blocksize=8192):
        super().__init__(host, port, blocksize=blocksize)
        self._request: tuple[str, str, list] | None = None
        self._answer = None

    def connect(self):
        """The host connects."""

    def close(self):
        self._request = self._answer = None

    def putrequest(self, method, url, skip_host=False, skip_accept_encoding=False):
        self._validate_method(method)
        if url.startswith(("http://", "https://")):
            url = "/" + url.split("/", 3)[3] if url.count("/") > 2 else "/"
        self._validate_path(url or "/")
        self._request = (method, url or "/", [])
        self._sent = bytearray()
        if not skip_accept_encoding:
            self.putheader("Accept-Encoding", "identity")

    def putheader(self, header, *values):
        if self._request is None:
            raise http.client.CannotSendHeader
        name = header.decode("ascii") if isinstance(header, bytes) else header
        values = [value if isinstance(value, bytes) else str(value).encode("latin-1") for value in values]
        self._request[2].append((name, b"\r\n\t".join(values)))

    def endheaders(self, message_body=None, *, encode_chunked=False):
        if message_body is not None:
            self.send(message_body)

    def send(self, data):
        if hasattr(data, "read"):
            data = data.read()
            data = data.encode("iso-8859-1") if isinstance(data, str) else data
        if isinstance(data, (bytes, bytearray, memoryview)):
            self._sent += data
        else:
            for part in data:
                self._sent += part

    def request(self, method, url, body=None, headers={}, *, encode_chunked=False):
        super().request(method, url, body, headers, encode_chunked=encode_chunked)
        # What keeps a connection from being made is told here, where `urllib` expects it. A refusal stays a `PermissionError`, which
        # it would hide.
        try:
            self._answer = self._exchange()
        except PermissionError as error:
            self._answer = error

    def getresponse(self):
        answer, self._answer = self._answer, None
        if isinstance(answer, PermissionError):
            raise answer
        return answer or self._exchange()

    def _exchange(self) -> Response:
        if self._request is None:
            raise http.client.ResponseNotReady
        (method, target, headers), self._request = self._request, None
        authority = self.host if self.port == self.default_port else f"{self.host}:{self.port}"
        if ":" in self.host and not self.host.startswith("["):
            authority = authority.replace(self.host, f"[{self.host}]", 1)
        with start(method, self.scheme, authority, target, headers, bytes(self._sent)) as answer:
            with answer.subscribe() as pollable:
                loop.block(pollable)
            return Response(received(answer, method, f"{self.scheme}://{authority}{target}"))


class SecureConnection(Connection):
    """`http.client.HTTPSConnection`; the host checks certificates, so a `context` has nothing to say."""

    scheme = "https"
    default_port = http.client.HTTPS_PORT

    def __init__(self, host, port=None, *, timeout=None, source_address=None, context=None, blocksize=8192):
        super().__init__(host, port, timeout, source_address, blocksize)


class _Handler(urllib.request.AbstractHTTPHandler):
    """`http:` and `https:` of `urllib.request`."""

    def http_open(self, request):
        return self.do_open(Connection, request)

    def https_open(self, request):
        return self.do_open(SecureConnection, request)

    http_request = https_request = urllib.request.AbstractHTTPHandler.do_request_


def install() -> None:
    """Puts this below `http.client` and `urllib.request`; while the component is built."""
    http.client.HTTPConnection = Connection
    http.client.HTTPSConnection = SecureConnection
    urllib.request.HTTPHandler = _Handler
    urllib.request.HTTPSHandler = _Handler
