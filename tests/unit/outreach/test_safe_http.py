"""Customers' addresses: what is refused before a name is looked up, after it, and while it answers."""

import socket
import ssl
import threading
import time
from collections.abc import Callable

import pytest

from lantern.channels.safe_http import Answer, SafePoster
from lantern.channels.vetting import target, vetted
from lantern.domain.errors import InvalidInputError
from tests.unit.outreach.certificates import authority

GOOD = "https://hooks.example.com/in?token=1"

REFUSED = [
    "http://hooks.example.com/",
    "ftp://hooks.example.com/",
    "https://hooks.example.com:22/",
    "https://hooks.example.com:80/",
    "https://hooks.example.com:0/",
    "https://hooks.example.com:99999/",
    "https://user@hooks.example.com/",
    "https://user:secret@hooks.example.com/",
    "https://hooks.example.com@169.254.169.254/",
    "https://169.254.169.254/latest/meta-data/",
    "https://127.0.0.1/",
    "https://2852039166/",
    "https://0xa9fea9fe/",
    "https://0251.0376.0251.0376/",
    "https://169.254.43518/",
    "https://127.1/",
    "https://[::1]/",
    "https://[::ffff:169.254.169.254]/",
    "https://[fd00:ec2::254]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://localhost/",
    "https://localhost./",
    "https://LOCALHOST/",
    "https://api.localhost/",
    "https://printer.local/",
    "https://metadata.google.internal/",
    "https://intranet/",
    "https://hooks.example.com/#fragment",
    "https://hooks.example.com\\@evil.example/",
    "https://hooks.example.com /",
    "https://hooks.example.com/\r\nHost: evil",
    "https://hooks.exämple.com/",
    "https:///path",
    "https://.example.com/",
    "https://" + "a" * 2_000 + ".example.com/",
    "",
]


@pytest.mark.parametrize("url", REFUSED, ids=lambda url: url[:40] or "empty")
def test_refused_by_its_form_alone(url: str) -> None:
    with pytest.raises(InvalidInputError):
        target(url)
    asked: list[str] = []
    poster = SafePoster(resolver=lambda host, _port: asked.append(host) or ["8.8.8.8"], connect=_never)
    assert poster.post(url, b"{}", {}) == Answer(None, problem="refused_address")
    assert asked == [], "no name is looked up for it"


PRIVATE = [
    "127.0.0.1", "127.8.9.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "0.0.0.0", "192.0.0.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:10.0.0.1",
    "::ffff:8.8.8.8", "::169.254.169.254", "64:ff9b::a9fe:a9fe", "64:ff9b::808:808",
    "192.88.99.1", "168.63.129.16", "fec0::1", "3fff::1", "100::1", "2001:db8::1", "4000::1",
    "::ffff:0:169.254.169.254", "::ffff:169.254.169.254", "64:ff9b:1::a00:1",
    "2002:a9fe:a9fe::1", "2002:808:808::1", "2001:0:a9fe:a9fe::1", "nonsense",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_refused_by_what_its_name_leads_to(address: str) -> None:
    assert vetted([address]) == []
    assert vetted(["8.8.8.8", address]) == [], "one private address among public ones is enough"
    poster = SafePoster(resolver=lambda _host, _port: ["8.8.8.8", address], connect=_never)
    assert poster.post(GOOD, b"{}", {}).problem == "refused_address"


def test_public_addresses_are_called() -> None:
    assert [str(one) for one in vetted(["8.8.8.8", "2606:4700::1111"])] == ["8.8.8.8", "2606:4700::1111"]
    assert target("https://Hooks.Example.com.:8443/a?b=c").authority == "hooks.example.com:8443"


def test_a_name_that_changes_its_mind_is_resolved_once_and_the_vetted_address_is_called() -> None:
    answers, called = iter([["8.8.8.8"], ["127.0.0.1"]]), []

    def connect(address: tuple[str, int], _timeout: float) -> socket.socket:
        called.append(address)
        raise ConnectionRefusedError

    poster = SafePoster(resolver=lambda _host, _port: next(answers), connect=connect)
    assert poster.post(GOOD, b"{}", {}) == Answer(None, problem="unreachable")
    assert called == [("8.8.8.8", 443)]


@pytest.mark.parametrize("leads_to", ["10.1.2.3", "169.254.169.254", "::ffff:127.0.0.1", "fd00:ec2::254"])
def test_an_alias_that_leads_inside_is_refused(monkeypatch: pytest.MonkeyPatch, leads_to: str) -> None:
    def follows_cname(host: str, port: int, **_: object) -> list[tuple]:
        family = socket.AF_INET6 if ":" in leads_to else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "inside.internal", (leads_to, port))]

    monkeypatch.setattr(socket, "getaddrinfo", follows_cname)
    assert SafePoster(connect=_never).post(GOOD, b"{}", {}).problem == "refused_address"


@pytest.mark.parametrize("error", [socket.gaierror(-2, "no such name"), UnicodeError("label too long")])
def test_a_name_that_is_none_is_a_failure_like_others(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fails(*_args: object, **_kwargs: object) -> list[tuple]:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    assert SafePoster(connect=_never).post(GOOD, b"{}", {}) == Answer(None, problem="unresolvable")


def _never(_address: tuple[str, int], _timeout: float) -> socket.socket:
    raise AssertionError("nothing is connected to")


# --- what the other side does -----------------------------------------------------------------------


class Peer:
    """A TLS server on this machine that answers as a function says; reached as if it were public."""

    def __init__(self, host: str = "hooks.example.com") -> None:
        self.contexts = authority(host)
        self.got: list[bytes] = []

    def poster(self, respond: Callable[[ssl.SSLSocket], None], total_s: float = 2.0) -> SafePoster:
        ours, theirs = socket.socketpair()

        def serve() -> None:
            secured: socket.socket = theirs
            try:
                secured = self.contexts.server.wrap_socket(theirs, server_side=True)
                held = b""
                while b"\r\n\r\n" not in held:
                    held += secured.recv(65_536)
                length = int(held.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                while len(held.split(b"\r\n\r\n", 1)[1]) < length:
                    held += secured.recv(65_536)
                self.got.append(held)
                respond(secured)
            except OSError:
                pass
            finally:
                secured.close()
                theirs.close()

        threading.Thread(target=serve, daemon=True).start()
        return SafePoster(
            resolver=lambda _host, _port: ["8.8.8.8"],
            context=self.contexts.client,
            connect=lambda _address, _timeout: ours,
            total_s=total_s,
        )


@pytest.fixture(scope="module")
def peer() -> Peer:
    return Peer()


def test_an_answer_is_read_and_the_request_is_whole(peer: Peer) -> None:
    poster = peer.poster(lambda s: s.sendall(b"HTTP/1.1 204 No Content\r\nRetry-After: 7\r\n\r\n"))
    answer = poster.post(GOOD, b'{"a":1}', {"webhook-id": "x"})
    assert (answer.status, answer.retry_after, answer.problem) == (204, "7", "")
    sent = peer.got[-1]
    assert sent.startswith(b"POST /in?token=1 HTTP/1.1\r\n")
    assert b"\r\nHost: hooks.example.com\r\n" in sent
    assert sent.endswith(b'\r\n\r\n{"a":1}')


def test_a_redirect_is_an_answer_and_not_followed(peer: Peer) -> None:
    text = b"HTTP/1.1 302 Found\r\nLocation: https://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"
    assert peer.poster(lambda s: s.sendall(text)).post(GOOD, b"{}", {}).status == 302


def test_an_endless_answer_is_cut(peer: Peer) -> None:
    def flood(sock: ssl.SSLSocket) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        for _ in range(100):
            sock.sendall(b"y" * 4_096)

    answer = peer.poster(flood).post(GOOD, b"{}", {})
    assert answer.status is None
    big = b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n" + b"z" * 60_000
    assert len(peer.poster(lambda s: s.sendall(big)).post(GOOD, b"{}", {}).body) <= 8 * 1024


def test_a_slow_answer_is_cut_however_it_trickles(peer: Peer) -> None:
    def trickle(sock: ssl.SSLSocket) -> None:
        for char in b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" * 3:
            sock.sendall(bytes([char]))
            time.sleep(0.05)

    began = time.monotonic()
    assert peer.poster(trickle, total_s=0.4).post(GOOD, b"{}", {}).problem == "timeout"
    assert time.monotonic() - began < 5


def test_a_certificate_of_another_name_is_refused() -> None:
    poster = Peer("other.example.com").poster(lambda s: s.sendall(b"HTTP/1.1 200 OK\r\n\r\n"))
    assert poster.post(GOOD, b"{}", {}).problem == "tls"
