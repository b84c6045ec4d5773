"""A simulated provider as a process in the background, with its state in a file."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
_START_TIMEOUT_S: Final = 60
_STOP_TIMEOUT_S: Final = 30
_CALL_TIMEOUT_S: Final = 30
_children: dict[int, subprocess.Popen[bytes]] = {}  # started by this process: to be collected when they end


class SimulatorError(RuntimeError):
    """The simulator could not be started, stopped or told something; the message says where to look."""


@dataclass(frozen=True, slots=True)
class Simulator:
    """A running simulator; `ready` is what it said of itself when it started."""

    provider: str
    base_url: str
    ready: Mapping[str, Any]
    pid: int
    directory: Path

    @property
    def admin(self) -> str:
        """The administrator who consents."""
        return str(self.ready["admin"])

    @property
    def log(self) -> Path:
        """Its log."""
        return self.directory / f"{self.provider}.log"

    def control(self, name: str, **arguments: Any) -> Any:
        """Tell it something (see `tests/simulators/<provider>/control.py`); returns its answer.

        Raises:
            SimulatorError: it refused, or did not answer.
        """
        request = urllib.request.Request(  # noqa: S310 - own server
            f"{self.base_url}/_control/{name}",
            data=json.dumps(arguments).encode(),
            headers={"Content-Type": "application/json"},
            method="POST",
        )
        try:
            with urllib.request.urlopen(request, timeout=_CALL_TIMEOUT_S) as answer:  # noqa: S310 - own server  # nosec B310
                return json.loads(answer.read())
        except urllib.error.HTTPError as refused:
            with refused:
                detail = refused.read().decode(errors="replace")[:500]
            raise SimulatorError(f"the {self.provider} simulator refused {name}: {detail}") from None
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            raise SimulatorError(f"the {self.provider} simulator did not answer {name}: {error}") from None


def start(directory: Path, provider: str, *options: str, port: int = 0) -> Simulator:
    """Start a provider's simulator of a directory, or return the one that is running already.

    Args:
        directory: where its state, log and record are.
        provider: whose; `tests.simulators.<provider>` is run.
        options: of its command line: what the organisation is like where there is no kept state.
        port: a fixed port, or 0 for the one of the last run if it is free, else any free one.

    Raises:
        SimulatorError: it did not come up; the message ends with the log's last lines.
    """
    running = status(directory, provider)
    if running is not None:
        return running
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    port = port or _last_port(directory, provider)
    if port and not _is_free(port):
        raise SimulatorError(f"port {port} is in use by another program")
    ready = directory / f"{provider}.ready"
    ready.unlink(missing_ok=True)
    command = [
        *(sys.executable, "-m", _module(provider), "--port", str(port), *options),
        *("--state", str(_state(directory, provider))),
    ]
    log = directory / f"{provider}.log"
    with ready.open("wb") as out, log.open("ab") as errors:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT}/shared:{ROOT}"},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=errors,
            start_new_session=True,
        )
    _children[process.pid] = process
    record = _await_ready(provider, process, ready, log)
    record["pid"] = process.pid
    _record(directory, provider).write_text(json.dumps(record))
    return _simulator(directory, provider, record)


def status(directory: Path, provider: str) -> Simulator | None:
    """The running simulator of a provider in a directory; None if there is none."""
    record = _read(directory, provider)
    if record is None or not _is_ours(int(record["pid"]), directory, provider):
        return None
    return _simulator(directory, provider, record)


def stop(directory: Path, provider: str) -> bool:
    """Stop a provider's simulator of a directory, so that its state is written; False if none was running.

    Raises:
        SimulatorError: it did not stop in time.
    """
    record = _read(directory, provider)
    if record is None:
        return False
    pid = int(record["pid"])
    if not _is_ours(pid, directory, provider):
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_TIMEOUT_S
    while _is_ours(pid, directory, provider):
        if time.monotonic() > deadline:
            raise SimulatorError(f"the {provider} simulator (process {pid}) did not stop")
        time.sleep(0.05)
    child = _children.pop(pid, None)
    if child is not None:
        child.wait()
    return True


def _await_ready(provider: str, process: subprocess.Popen[bytes], ready: Path, log: Path) -> dict[str, Any]:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while True:
        text = ready.read_text()
        if text.endswith("\n"):
            record: dict[str, Any] = json.loads(text)
            return record
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            process.wait()
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            raise SimulatorError(f"the {provider} simulator did not start; {log} ends with:\n{tail}")
        time.sleep(0.05)


def _simulator(directory: Path, provider: str, record: dict[str, Any]) -> Simulator:
    return Simulator(provider, record["base_url"], record, int(record["pid"]), directory)


def _module(provider: str) -> str:
    return f"tests.simulators.{provider}"


def _state(directory: Path, provider: str) -> Path:
    return directory / f"{provider}-state.json"


def _record(directory: Path, provider: str) -> Path:
    return directory / f"{provider}.json"


def _read(directory: Path, provider: str) -> dict[str, Any] | None:
    with contextlib.suppress(FileNotFoundError):
        record: dict[str, Any] = json.loads(_record(directory, provider).read_text())
        return record
    return None


def _last_port(directory: Path, provider: str) -> int:
    record = _read(directory, provider)
    port = int(str(record["base_url"]).rpartition(":")[2]) if record else 0
    return port if port and _is_free(port) else 0


def _is_ours(pid: int, directory: Path, provider: str) -> bool:
    """Whether a process is the simulator of this directory: ids are reused, strangers are left alone."""
    return _module(provider) in (line := _command_line(pid)) and str(_state(directory, provider)) in line


def _command_line(pid: int) -> str:
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return ""
    listing = subprocess.run(
        ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return listing.stdout


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
