"""Read and write units of a function, by our own sizing, as metrics of the deployment."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from lantern.runtime import observability
from lantern.store.meter import Meter, Usage

METER: Final = Meter(remembers=False)
"""Counts every DynamoDB client that this process attaches to it."""


@contextmanager
def reported(service: str) -> Iterator[None]:
    """Report what one invocation used, also one that fails."""
    used = Usage()
    try:
        with METER.measured() as used:
            yield
    finally:
        if used.total_calls:
            observability.count("ReadUnits", used.read_units, service=service)
            observability.count("WriteUnits", used.write_units, service=service)
