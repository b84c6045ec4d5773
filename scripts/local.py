"""Lantern on this machine: `python -m scripts.local up|down|status` (make up, make down).

State is in build/local and survives `down`. Ports: LOCAL_CLOUD_PORT (4566) and, for the simulated providers
from 4567 on, GOOGLE_SIMULATOR_PORT, ENTRA_SIMULATOR_PORT and so on.
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
from scripts.instance.providers import PROVIDERS
from scripts.local_cloud import cloud as local_cloud

FIRST_SIMULATOR_PORT: Final = local_cloud.DEFAULT_PORT + 1


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
        ports={
            one.key: _port(f"{one.key.upper()}_SIMULATOR_PORT", FIRST_SIMULATOR_PORT + number)
            for number, one in enumerate(PROVIDERS)
        },
    )
    print()
    _tell(instance)
    return 0


def down() -> int:
    """Stop everything; the state stays."""
    stopped = instances.down(_directory())
    if not stopped:
        print("Nothing was running.")
        return 0
    print(f"Stopped: {', '.join(stopped)}. The state is kept in {_directory()}; make up finds it again.")
    return 0


def status() -> int:
    """Say what is running; 1 unless all of it is."""
    instance = instances.running(_directory())
    if instance is not None:
        _tell(instance)
        return 0
    cloud = local_cloud.status(_directory())
    print(f"{'local cloud':<20}{cloud.endpoint if cloud else 'not running'}")
    missing = cloud is None
    for one in PROVIDERS:
        simulator = simulators.status(_directory(), one.key)
        missing = missing or simulator is None
        print(f"{one.title:<20}{simulator.base_url if simulator else 'not running'}")
    if not missing:
        print(f"{'template':<20}not deployed")
    print("make up starts what is missing.")
    return 1


def _tell(instance: Instance) -> None:
    admin = ".venv/bin/python scripts/admin.py"
    print(f"{'API':<20}{instance.api_url}")
    print(f"{'docs':<20}{instance.api_url}/docs")
    print("\nConnect in a browser; whichever comes first makes a tenant and shows its admin key:")
    for one in PROVIDERS:
        print(f"  {one.title:<20}{instance.api_url}/connect/{one.key}")
    print("\nMore for the same tenant by links that its key gets:")
    print(f"  curl -s {instance.api_url}/v1/connections -H 'Authorization: Bearer KEY' \\")
    print("""    -H "Idempotency-Key: $(uuidgen)" --json '{"provider": "slack"}'""")
    print("Okta's form asks for what its simulator makes up (here an API token):")
    okta = instance.simulators["okta"].base_url
    print(f"""  curl -s {okta}/_control/form --json '{{"scopes": [], "token": true}}'""")
    print("\nSimulators, and who administers there:")
    for one in PROVIDERS:
        simulator = instance.simulators[one.key]
        print(f"  {one.title:<20}{simulator.base_url}  {simulator.admin}")
    print(f"\n{'e-mails':<20}{instance.cloud.endpoint}/_ministack/ses/messages  (kept, never delivered)")
    aws = "(AWS CLI: python -m scripts.local_cloud.cloud env)"
    print(f"{'local cloud':<20}{instance.cloud.endpoint}  {aws}")
    print(f"{'operators':<20}{admin} tenant list")
    print(f"{'logs':<20}{_directory()}/*.log")
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
