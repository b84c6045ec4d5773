"""Run the simulator by itself: `python -m tests.simulators.entra --port 8089 --employees 60 --seed 7`."""

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from . import AppRegistration, EntraSimulator, QuotaSettings, TenantSpec


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulators.entra", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="TCP port on 127.0.0.1; 0 picks a free one")
    parser.add_argument("--employees", type=int, default=60)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--domain", default="harbourline.example")
    parser.add_argument("--organisation", default="Harbourline", help="the tenant's name")
    parser.add_argument(
        "--people", choices=("own", "shared"), default="own", help="shared: see common.people"
    )
    parser.add_argument("--tenant-id", default=None)
    parser.add_argument("--grants-per-user", type=int, default=None)
    parser.add_argument("--no-p1", action="store_true", help="the tenant has no licence for sign-ins")
    parser.add_argument("--state", type=Path, default=None, help="file that keeps the state over restarts")
    parser.add_argument("--client-id", default="")
    parser.add_argument("--client-secret", default="")
    parser.add_argument("--redirect-uri", action="append", default=[])
    parser.add_argument("--time-scale", type=float, default=1.0, help="divides the quotas' windows")
    parser.add_argument("--auto-consent", action="store_true", help="the administrator consents by itself")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; the first line on stdout is JSON with the address."""
    options = parse(arguments)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    spec = TenantSpec(
        options.employees, options.seed, options.domain, options.organisation, options.tenant_id,
        grants_per_user=options.grants_per_user, p1=not options.no_p1,
        shared=options.people == "shared",
    )  # fmt: skip
    apps = []
    if options.client_id:
        apps = [AppRegistration(options.client_id, options.client_secret, tuple(options.redirect_uri))]
    quota = QuotaSettings(time_scale=options.time_scale)
    with EntraSimulator(spec, port=options.port, apps=apps, quota=quota, state=options.state) as simulator:
        if options.auto_consent:
            simulator.control.auto_consent()
        first = simulator.control.organisations()[0]
        ready = {
            "base_url": simulator.base_url,
            **{k: first[k] for k in ("organisation_id", "domain", "admin")},
        }
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        ended.wait()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
