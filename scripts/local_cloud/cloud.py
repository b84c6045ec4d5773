"""Start, stop and look at the local cloud: `python -m scripts.local_cloud.cloud up|down|reset|status|env`.

One directory (`build/local` by default) holds everything of one cloud: its address and process id, its
log, its state, its temporary files. A clean stop keeps the state and the next start finds it: tables,
secrets, functions, APIs, event source mappings, schedules. `kill -9` loses what changed since the
start.
"""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.local_cloud.runtime_python import make_runtime_python

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_DIR = ROOT / "build" / "local"
DEFAULT_PORT = 4566
REGION = "us-east-1"
ACCOUNT_ID = "000000000000"
_ROOT_KEY = "test"  # what MiniStack takes for the account's root: worth nothing outside this machine
_HOST = "127.0.0.1"
_START_TIMEOUT_S = 60
_STOP_TIMEOUT_S = 60
_children: dict[int, subprocess.Popen[bytes]] = {}  # started by this process: to be collected when they end
_INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "SSL_CERT_FILE")


class LocalCloudError(RuntimeError):
    """The local cloud could not be started or stopped; the message says why and where to look."""


@dataclass(frozen=True, slots=True)
class LocalCloud:
    """A running local cloud: its address, its process, and where it keeps things."""

    endpoint: str
    pid: int
    directory: Path

    @property
    def log(self) -> Path:
        """The emulator's log, handlers' output included."""
        return self.directory / "ministack.log"

    @property
    def env(self) -> dict[str, str]:
        """The environment that points AWS SDKs at this cloud."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": _ROOT_KEY,
            "AWS_SECRET_ACCESS_KEY": _ROOT_KEY,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
        }

    def rest_api_url(self, api_id: str, stage: str) -> str:
        """Return the address of a REST API's stage; unlike AWS's it is a path, not a host name."""
        return f"{self.endpoint}/_aws/execute-api/{api_id}/{stage}"


def start(
    state_dir: Path = DEFAULT_DIR, *, port: int = 0, persist: bool = True, patched: bool = True
) -> LocalCloud:
    """Start the cloud of a directory, or return the one that is running already.

    Args:
        state_dir: the directory of this cloud.
        port: a fixed port, or 0 for the one of the last run if it is free, else any free one.
        persist: keep the state over a clean stop.
        patched: False runs the emulator as it is, to show its gaps.

    Raises:
        LocalCloudError: it did not come up; the message ends with the log's last lines.
    """
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)  # secrets of the demo are in it
    with _lock(state_dir):
        running = status(state_dir)
        if running:
            return running
        return _start(state_dir, port, persist=persist, patched=patched)


def status(state_dir: Path = DEFAULT_DIR) -> LocalCloud | None:
    """Return the running cloud of a directory; None if there is none."""
    record = _read_record(state_dir)
    if record is None or not _is_launcher(int(record["pid"])):
        return None
    cloud = LocalCloud(f"http://{_HOST}:{record['port']}", int(record["pid"]), state_dir)
    return cloud if _is_healthy(cloud.endpoint) else None


def stop(state_dir: Path = DEFAULT_DIR) -> bool:
    """Stop the cloud of a directory cleanly, so that its state is written; False if none was running.

    Raises:
        LocalCloudError: it did not stop in time; it is left alone, because killing it would lose its state.
    """
    record = _read_record(state_dir)
    if record is None:
        return False
    pid = int(record["pid"])
    was_running = _is_launcher(pid)
    if was_running:
        os.kill(pid, signal.SIGTERM)
        _wait_for_exit(pid, state_dir / "ministack.log")
    shutil.rmtree(state_dir / "tmp", ignore_errors=True)
    return was_running


def reset(state_dir: Path = DEFAULT_DIR) -> None:
    """Stop the cloud of a directory and forget its state.

    Raises:
        LocalCloudError: it did not stop in time.
    """
    stop(state_dir)
    shutil.rmtree(state_dir, ignore_errors=True)


def _start(state_dir: Path, port: int, *, persist: bool, patched: bool) -> LocalCloud:
    port = port or _last_port(state_dir) or _free_port()
    if not _port_is_free(port):
        raise LocalCloudError(f"port {port} is in use by another program")
    shutil.rmtree(state_dir / "tmp", ignore_errors=True)
    (state_dir / "tmp").mkdir()
    command = [sys.executable, "-m", "scripts.local_cloud.launcher", *([] if patched else ["--unpatched"])]
    with (state_dir / "ministack.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=_environment(state_dir, port, persist=persist),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _children[process.pid] = process
    _record_path(state_dir).write_text(json.dumps({"pid": process.pid, "port": port}))
    cloud = LocalCloud(f"http://{_HOST}:{port}", process.pid, state_dir)
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not _is_healthy(cloud.endpoint):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            _collect(process.pid)
            raise LocalCloudError(
                f"the local cloud did not start; {cloud.log} ends with:\n{_tail(cloud.log)}"
            )
        time.sleep(0.05)
    return cloud


def _environment(state_dir: Path, port: int, *, persist: bool) -> dict[str, str]:
    """Return the emulator's whole environment: handlers inherit it, nothing of the developer's leaks in."""
    kept = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    runtime = make_runtime_python(state_dir / "tmp" / "runtime")
    return {
        **kept,
        "HOME": str(state_dir / "tmp"),
        "BIND_HOST": _HOST,
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "localhost",
        "MINISTACK_REGION": REGION,
        "MINISTACK_ACCOUNT_ID": ACCOUNT_ID,
        "AWS_ACCESS_KEY_ID": _ROOT_KEY,
        "AWS_SECRET_ACCESS_KEY": _ROOT_KEY,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AUTH": "true",
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "PERSIST_STATE": "1" if persist else "0",
        "S3_PERSIST": "1" if persist else "0",
        "STATE_DIR": str(state_dir / "state"),
        "S3_DATA_DIR": str(state_dir / "s3"),
        "TMPDIR": str(state_dir / "tmp"),
        "LOCAL_CLOUD_ARTIFACTS": str(ROOT / "build" / "cache" / "lambda-artifacts"),
        "LOCAL_CLOUD_RUNTIME_PYTHON": str(runtime),
        "PYTHONUNBUFFERED": "1",
    }


@contextlib.contextmanager
def _lock(state_dir: Path) -> Iterator[None]:
    """Let one process at a time start the cloud of a directory."""
    with (state_dir / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _record_path(state_dir: Path) -> Path:
    return state_dir / "cloud.json"


def _read_record(state_dir: Path) -> dict[str, int] | None:
    try:
        record: dict[str, int] = json.loads(_record_path(state_dir).read_text())
    except FileNotFoundError:
        return None
    return record


def _last_port(state_dir: Path) -> int | None:
    record = _read_record(state_dir)
    return int(record["port"]) if record and _port_is_free(int(record["port"])) else None


def _is_launcher(pid: int) -> bool:
    """Tell whether a process id is one of ours: ids are reused, and a stranger must never be stopped."""
    return "scripts.local_cloud.launcher" in _command_line(pid)


def _command_line(pid: int) -> str:
    """Return a live process's command line; empty if there is none, or only a zombie."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return ""
    listing = subprocess.run(
        ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return listing.stdout


def _wait_for_exit(pid: int, log: Path) -> None:
    deadline = time.monotonic() + _STOP_TIMEOUT_S
    while _is_launcher(pid):
        if time.monotonic() > deadline:
            raise LocalCloudError(f"process {pid} did not stop within {_STOP_TIMEOUT_S} s; see {log}")
        time.sleep(0.05)
    _collect(pid)


def _collect(pid: int) -> None:
    child = _children.pop(pid, None)
    if child is not None:
        child.wait()


def _is_healthy(endpoint: str) -> bool:
    try:
        with urllib.request.urlopen(f"{endpoint}/_ministack/health", timeout=5) as response:  # noqa: S310 - own server  # nosec B310
            return bool(response.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def _port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


def _tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def main(arguments: list[str]) -> int:
    """Run one verb of the command line and return the exit code."""
    verb = arguments[0] if arguments else ""
    if verb == "up":
        cloud = start(port=int(os.environ.get("LOCAL_CLOUD_PORT", "0")) or DEFAULT_PORT)
        print(f"local cloud at {cloud.endpoint} (process {cloud.pid}, log {cloud.log})")
    elif verb == "down":
        print("local cloud stopped, its state is kept" if stop() else "no local cloud was running")
    elif verb == "reset":
        reset()
        print("local cloud stopped, its state is gone")
    elif verb in {"status", "env"}:
        running = status()
        if running is None:
            print("no local cloud is running (make up)", file=sys.stderr)
            return 1
        lines = (
            [f"{key}={value}" for key, value in running.env.items()] if verb == "env" else [running.endpoint]
        )
        print("\n".join(lines))
    else:
        print("usage: python -m scripts.local_cloud.cloud up|down|reset|status|env", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
