"""Run the simulator by itself: `python -m tests.simulators.github --port 8090 --state FILE`."""

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from .model import OrgSpec
from .simulator import APP, AppSpec, GithubSimulator


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulators.github", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="TCP port on 127.0.0.1; 0 picks a free one")
    parser.add_argument("--state", type=Path, default=None, help="file that keeps the state over restarts")
    parser.add_argument("--organisation", default="harbourline")
    parser.add_argument("--employees", type=int, default=60)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--people", choices=("own", "shared"), default="own", help="shared: see common.people"
    )
    parser.add_argument("--no-ghec", action="store_true", help="a plan without audit log and single sign-on")
    parser.add_argument("--no-copilot", action="store_true")
    parser.add_argument("--redirect-uri", default=APP.redirect_uri)
    parser.add_argument("--webhook-address", default="")
    parser.add_argument("--webhook-secret", default="")
    parser.add_argument("--auto-consent", action="store_true", help="the first owner installs by itself")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; the first line on stdout is JSON with address and registration."""
    options = parse(arguments)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    spec = OrgSpec(
        options.employees,
        options.seed,
        options.organisation,
        ghec=not options.no_ghec,
        copilot=not options.no_copilot,
        shared=options.people == "shared",
    )
    app = AppSpec(redirect_uri=options.redirect_uri)
    with GithubSimulator(spec, app=app, port=options.port, state=options.state) as simulator:
        simulator.control.webhook(options.webhook_address, options.webhook_secret)
        if options.auto_consent:
            simulator.control.auto_consent()
        org = simulator.world.need(None)
        owner = next(user for user, role in org.members.items() if role == "admin")
        ready = {
            "base_url": simulator.base_url,
            "organisation_id": str(org.id),
            "organisation": org.login,
            "admin": simulator.world.people[owner].login,
            "registration": simulator.registration(),
        }
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        ended.wait()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
