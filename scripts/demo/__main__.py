"""`python -m scripts.demo` (make demo): the whole story on an organisation of 250 people at six providers.

Everything is fresh and has its own place (build/demo) and ports, so a running `make up` is left alone.
Exits with 0 when it worked and standard output is no terminal; on a terminal it keeps serving until Ctrl-C.
"""

import argparse
import json
import os
import shutil
import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError
from requests import RequestException
from rich.console import Console

from scripts.demo import across, consents, evidence, plot, report, story, units
from scripts.demo.api import Api
from scripts.demo.receiver import Receiver, receiving
from scripts.demo.waiting import tail
from scripts.instance import instance as instances
from scripts.instance.instance import Instance
from scripts.instance.progress import Progress, make_console
from scripts.local_cloud import cloud as local_cloud

_EXPECTED: Final = (RuntimeError, RequestException, ClientError, BotoCoreError)
DIRECTORY: Final = local_cloud.ROOT / "build" / "demo"


def _fresh(directory: Path) -> None:
    """Stop what an earlier demo left running, and forget what it kept."""
    instances.down(directory)
    shutil.rmtree(directory, ignore_errors=True)


def play(
    directory: Path, console: Console, progress: Progress, receiver: Receiver
) -> tuple[Instance, Api, report.Outcome]:
    """The whole demo; leaves everything running."""
    started = time.monotonic()
    with progress.step("a fresh place"):
        _fresh(directory)
    instance = instances.up(directory, progress, webhooks=receiver.base_url)
    setup = time.monotonic() - started
    begun = datetime.now(UTC)
    api, given = consents.consent(instance, progress)
    found = story.watch(api, given, progress)
    joined = across.look(api, found, progress)
    played = plot.play(instance, api, found, joined, receiver, directory / "evidence", progress)
    past = story.remember(api, given, found, progress)
    with progress.step("the audit log proves it"):
        entries = evidence.audit_is_sound(api)
    cloudwatch, ended = instance.client("cloudwatch"), datetime.now(UTC)
    outcome = report.Outcome(
        found=found,
        past=past,
        joined=joined,
        plot=played,
        audit_entries=entries,
        read_units=units.used(cloudwatch, "ReadUnits", begun, ended),
        write_units=units.used(cloudwatch, "WriteUnits", begun, ended),
        setup_seconds=setup,
        total_seconds=time.monotonic() - started,
    )
    report.show(console, outcome)
    summary = directory / "summary.json"
    report.write(summary, report.summary(outcome))
    report.invite(console, instance.api_url, api.key)
    console.print(f"\nsummary written to {os.path.relpath(summary)}", soft_wrap=True)
    return instance, api, outcome


def _failed(console: Console, directory: Path, error: Exception) -> None:
    console.print(f"\nThe demo failed: {error}", style="bold red", soft_wrap=True)
    for number, log in enumerate(instances.logs(directory)):
        found = tail(log, 8 if number else 40) if log.exists() else ""
        if found:
            console.print(f"\n--- {log} ---", soft_wrap=True)
            console.print(found, soft_wrap=True)


def main(arguments: list[str] | None = None) -> int:
    """Play the demo; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.demo", description="The whole story, played.")
    parser.add_argument("--json", action="store_true", help="the summary as JSON; all else goes to stderr")
    options = parser.parse_args(arguments)
    errors = make_console(errors=True)
    console = errors if options.json else make_console()
    try:
        with receiving() as receiver:
            *_, outcome = play(DIRECTORY, console, Progress(console), receiver)
            if options.json:
                print(json.dumps(report.summary(outcome), indent=2))
            elif console.is_terminal:
                console.print("Serving. Ctrl-C stops.")
                while True:
                    time.sleep(3600)
    except KeyboardInterrupt:
        console.print("\nStopping.")
    except Exception as error:
        # The edge: whatever went wrong, a person is told where to look.
        if not isinstance(error, _EXPECTED):
            traceback.print_exc()
        _failed(errors, DIRECTORY, error)
        return 1
    finally:
        instances.down(DIRECTORY)
    return 0


if __name__ == "__main__":
    sys.exit(main())
