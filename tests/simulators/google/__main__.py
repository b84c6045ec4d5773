"""Run the simulator by itself: `python -m tests.simulators.google --port 8088 --employees 250 --seed 7`."""

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from . import GoogleSimulator, OAuthClient, OrgSpec, QuotaSettings


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulators.google", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="TCP port on 127.0.0.1; 0 picks a free one")
    parser.add_argument("--employees", type=int, default=250)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--domain", default="harbourline.example")
    parser.add_argument(
        "--grants-per-user", type=int, default=None, help="exactly so many; about 14 when absent"
    )
    parser.add_argument("--events-per-user-day", type=float, default=4.0)
    parser.add_argument("--machines", type=int, default=0, help="of them, nobody's own: shared mailboxes")
    parser.add_argument("--hostile", action="store_true", help="add apps with hostile names")
    parser.add_argument("--state", type=Path, default=None, help="file that keeps the state over restarts")
    parser.add_argument("--client-id", default="")
    parser.add_argument("--client-secret", default="")
    parser.add_argument("--redirect-uri", action="append", default=[])
    parser.add_argument(
        "--time-scale", type=float, default=1.0, help="divides the quota minute and service time"
    )
    parser.add_argument("--service-time", type=float, nargs=2, default=(0.0, 0.0), metavar=("LOW", "HIGH"))
    parser.add_argument("--auto-consent", action="store_true", help="the administrator consents by itself")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; the first line on stdout is JSON with the address."""
    options = parse(arguments)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    spec = OrgSpec(
        options.employees, options.seed, options.domain,
        grants_per_user=options.grants_per_user, events_per_user_day=options.events_per_user_day,
        hostile=options.hostile, machines=options.machines,
    )  # fmt: skip
    clients = []
    if options.client_id:
        clients = [OAuthClient(options.client_id, options.client_secret, tuple(options.redirect_uri))]
    quota = QuotaSettings(time_scale=options.time_scale)
    with GoogleSimulator(
        spec, port=options.port, clients=clients, quota=quota, state=options.state
    ) as simulator:
        simulator.control.service_time(*options.service_time)
        if options.auto_consent:
            simulator.control.auto_consent()
        org = next(iter(simulator.world.orgs.values()))
        ready = {"base_url": simulator.base_url, "customer_id": org.customer_id, "admin": org.admin.email}
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        ended.wait()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
