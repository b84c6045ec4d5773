"""Run the simulator by itself: `python -m tests.simulators.salesforce --port 8090 --state FILE`."""

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from . import ConnectedClient, OrgSpec, SalesforceSimulator


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulators.salesforce", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="TCP port on 127.0.0.1; 0 picks a free one")
    parser.add_argument("--state", type=Path, default=None, help="file that keeps the state over restarts")
    parser.add_argument("--employees", type=int, default=60)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--domain", default="harbourline.example")
    parser.add_argument("--organisation", default="Harbourline Ltd", help="its name")
    parser.add_argument(
        "--people", choices=("own", "shared"), default="own", help="shared: see common.people"
    )
    parser.add_argument("--client-id", default="")
    parser.add_argument("--client-secret", default="")
    parser.add_argument("--redirect-uri", action="append", default=[])
    parser.add_argument("--auto-consent", action="store_true", help="the administrator consents by itself")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; the first line on stdout is JSON with the address."""
    options = parse(arguments)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    shared = options.people == "shared"
    spec = OrgSpec(options.employees, options.seed, options.domain, options.organisation, shared)
    clients: tuple[ConnectedClient, ...] = ()
    if options.client_id:
        clients = (ConnectedClient(options.client_id, options.client_secret, tuple(options.redirect_uri)),)
    with SalesforceSimulator(spec, port=options.port, clients=clients, state=options.state) as simulator:
        if options.auto_consent:
            simulator.control.auto_consent()
        admin = next(p for p in simulator.world.people.values() if p.permissions)
        ready = {
            "base_url": simulator.base_url,
            "organisation_id": simulator.world.organisation_id,
            "admin": admin.email,
        }
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        ended.wait()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
