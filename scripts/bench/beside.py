"""The providers' own clients beside Lantern: each reads the same simulator in its own process.

They need an environment of their own (`.venv-bench`, set up by `make bench`): Microsoft's has a module for
every part of Graph. Where that is not there, their reads are left out.
"""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

PYTHON: Final = Path(".venv-bench/bin/python")
Sdk = Literal["okta", "graph"]
CLIENTS: Final[dict[str, tuple[Sdk, str, int]]] = {
    "okta": ("okta", "Okta's client", 2_000),
    "entra": ("graph", "Microsoft's client", 300),
}
"""By provider: which client, its name, and how many accounts it reads at most when it reads many at once.

Microsoft's takes a twentieth of a second of computing a call: with more it would measure the machine only.
"""
AT_ONCE: Final = (1, 16)
"""A plain loop, and as many as people write who have met `asyncio.gather`."""


@dataclass(frozen=True, slots=True)
class Done:
    """How many accounts a client read, how many it did not, and seconds of it, without its start."""

    read: int
    failed: int
    wall_s: float
    cpu_s: float


def there() -> bool:
    """Whether the environment of the clients is there."""
    return PYTHON.exists()


def read(sdk: Sdk, url: str, token: str, accounts: int, at_once: int) -> Done:
    """Have a client read the first so many accounts; the token goes over stdin.

    Raises:
        RuntimeError: the client did not get through.
    """
    asked = {"url": url, "token": token, "accounts": accounts, "at_once": at_once}
    command = [str(PYTHON), f"scripts/bench/sdk/{sdk}_client.py"]
    ran = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=False)
    if ran.returncode:
        raise RuntimeError(f"{sdk}: {ran.stderr.strip()[-400:]}")
    return Done(**json.loads(ran.stdout.splitlines()[-1]))
