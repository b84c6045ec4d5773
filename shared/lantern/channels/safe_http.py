"""One POST to an address that a customer named: vetted, bounded, without redirects.

The name is resolved once, all its addresses are vetted, and the connection goes to one of exactly those, with
TLS and certificate checked for the name: a name that resolves otherwise a moment later (rebinding) changes
nothing. An answer is read up to a few kilobytes and thrown away; a slow one is cut. Nothing is read from the
environment: no proxy, no .netrc. Standard library only, because requests resolves names itself.
"""

import http.client
import logging
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from lantern.channels.vetting import Target, target, vetted
from lantern.domain.errors import InvalidInputError

log = logging.getLogger(__name__)

CONNECT_S: Final = 4.0
TOTAL_S: Final = 15.0
"""What Standard Webhooks recommends receivers get: 15 to 30 seconds."""
ANSWER_BYTES: Final = 8 * 1024
_ADDRESSES: Final = 3
"""Addresses of one name that are tried."""

Resolve = Callable[[str, int], Sequence[str]]
Monotonic = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a status and what headers say of when to come again; `problem` where nothing came.

    `problem` is one of `refused_address`, `unresolvable`, `unreachable`, `tls`, `timeout`, `garbled`.
    """

    status: int | None
    retry_after: str = ""
    problem: str = ""
    body: bytes = field(default=b"", repr=False)


def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a name, by the system's resolver; follows CNAMEs as that does.

    Raises:
        OSError: it has none, or nobody answered.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(row[4][0]) for row in found))


@dataclass(frozen=True, slots=True)
class SafePoster:
    """Posts to customers' addresses.

    Args:
        resolver: name and port to addresses.
        context: TLS; by default the system's trust store, TLS 1.2 and above.
        clock: monotonic seconds.
        connect: opens a TCP connection to an address.
        total_s: for the whole exchange.
    """

    resolver: Resolve = resolve
    context: ssl.SSLContext | None = None
    clock: Monotonic = time.monotonic
    connect: Callable[[tuple[str, int], float], socket.socket] = socket.create_connection
    total_s: float = TOTAL_S

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send one body; never raises for what the other side is or does."""
        end = self.clock() + self.total_s
        try:
            to = target(url)
        except InvalidInputError:
            return Answer(None, problem="refused_address")
        try:
            addresses = list(self.resolver(to.host, to.port))
        except (OSError, UnicodeError):
            return Answer(None, problem="unresolvable")
        allowed = vetted(addresses)
        if not allowed:
            log.warning("an address of a customer leads inside or nowhere", extra={"count": len(addresses)})
            return Answer(None, problem="refused_address" if addresses else "unresolvable")
        problem = "unreachable"
        for address in allowed[:_ADDRESSES]:
            try:
                plain = self.connect((str(address), to.port), min(CONNECT_S, self._left(end)))
            except TimeoutError:
                problem = "timeout"
                continue
            except OSError:
                continue
            return self._exchange(plain, to, body, headers, end)
        return Answer(None, problem=problem)

    def _left(self, end: float) -> float:
        return max(0.05, end - self.clock())

    def _exchange(
        self, plain: socket.socket, to: Target, body: bytes, headers: Mapping[str, str], end: float
    ) -> Answer:
        connection = http.client.HTTPConnection(to.host, to.port)
        try:
            plain.settimeout(min(CONNECT_S, self._left(end)))
            secured = (self.context or _context()).wrap_socket(plain, server_hostname=to.host)
            plain = secured
            connection.sock = _Bounded(secured, end, self.clock)
            connection.request(
                "POST", to.path, body, {**headers, "Host": to.authority, "Connection": "close"}
            )
            answer = connection.getresponse()
            return Answer(
                answer.status,
                answer.headers.get("Retry-After", "")[:64],
                body=answer.read(ANSWER_BYTES),
            )
        except TimeoutError:
            return Answer(None, problem="timeout")
        except ssl.SSLError:
            return Answer(None, problem="tls")
        except (http.client.HTTPException, ValueError):
            return Answer(None, problem="garbled")
        except OSError:
            return Answer(None, problem="unreachable")
        finally:
            connection.close()
            plain.close()


@dataclass(frozen=True, slots=True)
class RelayPoster:
    """Posts to one address that whoever runs this deployment chose, on a laptop, in place of the customer's.

    The customer's address goes along in a header and is checked for its form only.
    """

    base: str
    total_s: float = TOTAL_S

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send one body to the relay."""
        try:
            to = target(url)
        except InvalidInputError:
            return Answer(None, problem="refused_address")
        at = urlsplit(self.base)
        connection = http.client.HTTPConnection(at.hostname or "", at.port or 80, timeout=self.total_s)
        try:
            connection.request("POST", to.path, body, {**headers, "X-Lantern-Host": to.authority})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers.get("Retry-After", "")[:64])
        except (OSError, http.client.HTTPException):
            return Answer(None, problem="unreachable")
        finally:
            connection.close()


class _Bounded:
    """A socket whose every wait ends with the whole exchange: one byte a second is not enough to stay."""

    def __init__(self, sock: ssl.SSLSocket, end: float, clock: Monotonic) -> None:
        self._sock = sock
        self._end = end
        self._clock = clock

    def _hurry(self) -> None:
        left = self._end - self._clock()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)

    def sendall(self, data: bytes) -> None:
        self._hurry()
        self._sock.sendall(data)

    def makefile(self, *_args: object, **_kwargs: object) -> "_Reader":
        return _Reader(self)

    def recv(self, size: int) -> bytes:
        self._hurry()
        return self._sock.recv(size)

    def close(self) -> None:
        self._sock.close()


_HEAD_BYTES: Final = 64 * 1024
"""Status line, headers and body together: more than any honest answer needs."""


class _Reader:
    """What `http.client` reads a response from: lines and bytes, bounded in time and size."""

    def __init__(self, sock: _Bounded) -> None:
        self._sock = sock
        self._held = b""
        self._got = 0
        self.closed = False

    def _more(self) -> bool:
        chunk = self._sock.recv(4_096)
        self._got += len(chunk)
        if self._got > _HEAD_BYTES:
            raise http.client.HTTPException("too much")
        self._held += chunk
        return bool(chunk)

    def readline(self, limit: int = -1) -> bytes:
        while b"\n" not in self._held and (limit < 0 or len(self._held) < limit):
            if not self._more():
                break
        size = self._held.find(b"\n") + 1 or len(self._held)
        return self._take(size if limit < 0 else min(size, limit))

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._held) < size:
            if not self._more():
                break
        return self._take(len(self._held) if size < 0 else size)

    def readinto(self, buffer: bytearray) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _take(self, size: int) -> bytes:
        taken, self._held = self._held[:size], self._held[size:]
        return taken

    def flush(self) -> None:
        """Nothing is written here."""

    def close(self) -> None:
        self.closed = True


def _context() -> ssl.SSLContext:
    made = ssl.create_default_context()
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    return made
