"""Run the simulator by itself: `python -m tests.simulators.slack --port 8090 --plan pro --state FILE`."""

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from . import OrgSpec, SlackClient, SlackSimulator, TierSettings


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulators.slack", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="TCP port on 127.0.0.1; 0 picks a free one")
    parser.add_argument("--organisation", default="harbourline", help="the workspace's domain")
    parser.add_argument("--plan", choices=("free", "pro", "enterprise"), default="enterprise")
    parser.add_argument("--employees", type=int, default=60)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--people", choices=("own", "shared"), default="own", help="shared: see common.people"
    )
    parser.add_argument("--state", type=Path, default=None, help="file that keeps the state over restarts")
    parser.add_argument("--client-id", default="")
    parser.add_argument("--client-secret", default="")
    parser.add_argument("--signing-secret", default=SlackClient("", "", ()).signing_secret)
    parser.add_argument("--redirect-uri", action="append", default=[])
    parser.add_argument("--time-scale", type=float, default=1.0, help="divides the minute of the limits")
    parser.add_argument("--auto-consent", action="store_true", help="the owner consents by itself")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; the first line on stdout is JSON with the address."""
    options = parse(arguments)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    name = options.organisation.capitalize()
    spec = OrgSpec(
        options.employees,
        options.seed,
        options.plan,
        options.organisation,
        name,
        shared=options.people == "shared",
    )
    clients = []
    if options.client_id:
        uris = tuple(options.redirect_uri)
        clients = [SlackClient(options.client_id, options.client_secret, uris, options.signing_secret)]
    limits = TierSettings(time_scale=options.time_scale)
    with SlackSimulator(
        spec, port=options.port, clients=clients, limits=limits, state=options.state
    ) as simulator:
        if options.auto_consent:
            simulator.control.auto_consent()
        (organisation,) = simulator.control.organisations()
        sys.stdout.write(json.dumps({"base_url": simulator.base_url, **organisation}) + "\n")
        sys.stdout.flush()
        ended.wait()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
