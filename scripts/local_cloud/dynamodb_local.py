"""Run a command beside DynamoDB Local: `python -m scripts.local_cloud.dynamodb_local -- <command>`.

DynamoDB Local is the one emulator with DynamoDB's true semantics and capacity units, but it listens on
every interface and cannot be told not to. So it and the command run in a network namespace of their own
that has a loopback and nothing else (Linux; root or user namespaces). Where that is impossible it runs
only with consent: DYNAMODB_LOCAL_ON_ALL_INTERFACES=1. The command finds the address in
DYNAMODB_LOCAL_ENDPOINT.

It comes from the npm package amplify-dynamodb-simulator, which carries Amazon's own jar (version
1.25.1).
"""

import contextlib
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from scripts.local_cloud.npm import fetch_package

PACKAGE = "amplify-dynamodb-simulator"
VERSION = "2.9.30"
INTEGRITY = "sha512-xTeeRLvzEfqyd5lh3bH4c0kHvSHHmmhD5ZDsHFKAQ5g2Zl6JqlFdutaQhCLHzxEp6Ry1o7TB6niIoXuQAnSewQ=="
ENDPOINT_VARIABLE = "DYNAMODB_LOCAL_ENDPOINT"
CONSENT_VARIABLE = "DYNAMODB_LOCAL_ON_ALL_INTERFACES"

_INSIDE = "--inside-namespace"
_START_TIMEOUT_S = 60
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1
_REFUSED = 78  # EX_CONFIG


def namespace_command() -> list[str] | None:
    """Return the command prefix that opens a network namespace here; None if this machine allows none."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return None
    for options in (["--net"], ["--map-root-user", "--net"]):
        probe = subprocess.run([unshare, *options, "true"], capture_output=True, check=False)
        if probe.returncode == 0:
            return [unshare, *options]
    return None


def run_isolated(command: list[str]) -> int:
    """Run a command beside DynamoDB Local, confined or with consent; return its exit code."""
    directory = fetch_package(PACKAGE, VERSION, INTEGRITY, "emulator")
    prefix = namespace_command()
    if prefix is not None:
        inside = [
            *prefix,
            sys.executable,
            "-m",
            "scripts.local_cloud.dynamodb_local",
            _INSIDE,
            "--",
            *command,
        ]
        return subprocess.run(inside, check=False).returncode
    if os.environ.get(CONSENT_VARIABLE) == "1":
        return run_beside(directory, command)
    print(
        "DynamoDB Local listens on every network interface, and this machine allows no network namespace "
        f"to confine it. Set {CONSENT_VARIABLE}=1 to run it all the same.",
        file=sys.stderr,
    )
    return _REFUSED


def run_beside(directory: Path, command: list[str]) -> int:
    """Run a command with DynamoDB Local up, here and now; return the command's exit code."""
    with serving(directory) as endpoint:
        return subprocess.run(
            command, env={**os.environ, ENDPOINT_VARIABLE: endpoint}, check=False
        ).returncode


@contextlib.contextmanager
def serving(directory: Path) -> Iterator[str]:
    """Serve DynamoDB in memory and yield the address: one database for every access key and region.

    Raises:
        RuntimeError: Java is missing or the server did not come up.
    """
    port = _free_port()
    java = shutil.which("java")
    if java is None:
        raise RuntimeError("DynamoDB Local needs Java 17 or newer")
    command = [java, "-Djava.library.path=./DynamoDBLocal_lib", "-jar", "DynamoDBLocal.jar", "-inMemory"]
    server = subprocess.Popen(
        [*command, "-port", str(port)],
        cwd=directory,
        env={**os.environ, "DDB_LOCAL_TELEMETRY": "0"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        endpoint = f"http://127.0.0.1:{port}"
        _wait(server, endpoint)
        yield endpoint
    finally:
        server.terminate()
        server.wait()


def raise_loopback() -> None:
    """Bring up the loopback of a new network namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh14x", b"lo", 0)
        _, flags = struct.unpack("16sh14x", fcntl.ioctl(control, _SIOCGIFFLAGS, request))
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))


def _wait(server: "subprocess.Popen[bytes]", endpoint: str) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while True:
        try:
            with urllib.request.urlopen(endpoint, timeout=5):  # noqa: S310 - our own server  # nosec B310
                return
        except urllib.error.HTTPError as answered:  # an unsigned request is refused: the server is up
            answered.close()
            return
        except (urllib.error.URLError, ConnectionError):
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("DynamoDB Local did not start") from None
            time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main(arguments: list[str]) -> int:
    """Run the command after `--` and return its exit code."""
    options, separator, command = _split(arguments)
    if not separator or not command:
        print("usage: python -m scripts.local_cloud.dynamodb_local -- <command>", file=sys.stderr)
        return 2
    if _INSIDE in options:
        raise_loopback()
        return run_beside(fetch_package(PACKAGE, VERSION, INTEGRITY, "emulator"), command)
    return run_isolated(command)


def _split(arguments: list[str]) -> tuple[list[str], bool, list[str]]:
    if "--" not in arguments:
        return arguments, False, []
    at = arguments.index("--")
    return arguments[:at], True, arguments[at + 1 :]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
