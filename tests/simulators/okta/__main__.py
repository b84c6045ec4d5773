"""Run the simulator by itself: `python -m tests.simulators.okta --port 8089 --employees 250 --seed 7`."""

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from . import OktaSimulator, OrgSpec, QuotaSettings, ScaledClock


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulators.okta", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="TCP port on 127.0.0.1; 0 picks a free one")
    parser.add_argument("--state", type=Path, default=None, help="file that keeps the state over restarts")
    parser.add_argument("--organisation", default="harbourline", help="the organisation's name at Okta")
    parser.add_argument("--employees", type=int, default=250)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--domain", default="harbourline.example")
    parser.add_argument(
        "--people", choices=("own", "shared"), default="own", help="shared: see common.people"
    )
    parser.add_argument("--more-apps", type=int, default=0, help="apps beside the known ones")
    parser.add_argument("--assigned", type=int, default=4, help="apps that everybody has")
    parser.add_argument("--time-scale", type=float, default=1.0, help="so much faster does time pass")
    parser.add_argument("--service-time", type=float, nargs=2, default=(0.0, 0.0), metavar=("LOW", "HIGH"))
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; the first line on stdout is JSON with the address."""
    options = parse(arguments)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    spec = OrgSpec(
        options.employees,
        options.seed,
        options.domain,
        options.organisation,
        options.more_apps,
        options.assigned,
        shared=options.people == "shared",
    )
    clock = ScaledClock(options.time_scale)
    with OktaSimulator(
        spec, clock=clock, port=options.port, quota=QuotaSettings(), state=options.state
    ) as simulator:
        simulator.control.service_time(*options.service_time)
        ready = {"base_url": simulator.base_url, **simulator.control.organisation()}
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        ended.wait()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
