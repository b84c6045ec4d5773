"""Lantern on this machine: `python -m scripts.local up|down|status` (make up, make down).

State is in build/local and survives `down`. Ports: LOCAL_CLOUD_PORT (4566) and GOOGLE_SIMULATOR_PORT
(4567).
"""

import os
import sys
from pathlib import Path
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from scripts.instance import instance as instances
from scripts.instance import simulator as simulators
from scripts.instance.instance import Instance
from scripts.instance.progress import Progress, make_console
from scripts.local_cloud import cloud as local_cloud

GOOGLE_PORT: Final = local_cloud.DEFAULT_PORT + 1


def _port(variable: str, default: int) -> int:
    text = os.environ.get(variable) or str(default)
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65_536):
        raise ValueError(f"{variable} must be a port number, 1 to 65535")
    return int(text)


def _directory() -> Path:
    return Path(os.environ.get("LOCAL_CLOUD_DIR", local_cloud.DEFAULT_DIR))


def up() -> int:
    """Start everything and say what is where."""
    instance = instances.up(
        _directory(),
        Progress(make_console()),
        cloud_port=_port("LOCAL_CLOUD_PORT", local_cloud.DEFAULT_PORT),
        google_port=_port("GOOGLE_SIMULATOR_PORT", GOOGLE_PORT),
    )
    print()
    _tell(instance)
    return 0


def down() -> int:
    """Stop everything; the state stays."""
    cloud, simulator = instances.down(_directory())
    if not (cloud or simulator):
        print("Nothing was running.")
        return 0
    stopped = " and ".join(
        name for name, was in (("local cloud", cloud), ("Google simulator", simulator)) if was
    )
    print(f"Stopped: {stopped}. The state is kept in {_directory()}; make up finds it again.")
    return 0


def status() -> int:
    """Say what is running; 1 unless all of it is."""
    instance = instances.running(_directory())
    if instance is not None:
        _tell(instance)
        return 0
    cloud, simulator = local_cloud.status(_directory()), simulators.status(_directory(), "google")
    print(f"local cloud       {cloud.endpoint if cloud else 'not running'}")
    print(f"Google simulator  {simulator.base_url if simulator else 'not running'}")
    if cloud and simulator:
        print("template          not deployed")
    print("make up starts what is missing.")
    return 1


def _tell(instance: Instance) -> None:
    admin = ".venv/bin/python scripts/admin.py"
    print(f"API               {instance.api_url}")
    print(f"  docs            {instance.api_url}/docs")
    print(f"  connect         {instance.api_url}/connect/google  (open it in a browser)")
    print(f"Google simulator  {instance.google.base_url}  (administrator {instance.google.admin})")
    print(f"local cloud       {instance.cloud.endpoint}  (AWS CLI: python -m scripts.local_cloud.cloud env)")
    print(f"operators         {admin} tenant list")
    print(f"logs              {instance.cloud.log}")
    print("Stop with make down.")


def main(arguments: list[str]) -> int:
    """Run one verb of the command line and return the exit code."""
    verbs = {"up": up, "down": down, "status": status}
    if len(arguments) != 1 or arguments[0] not in verbs:
        print("usage: python -m scripts.local up|down|status", file=sys.stderr)
        return 2
    try:
        return verbs[arguments[0]]()
    except (RuntimeError, ValueError, ClientError, BotoCoreError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
