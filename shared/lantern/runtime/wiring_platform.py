"""What every function needs, composed once per process: settings and the platform store.

Light on purpose: webhooks and the authorizer import this, so no PynamoDB, pydantic or boto3.
"""

from functools import cache
from pathlib import Path
from typing import Any, Final

from botocore.config import Config
from botocore.session import Session

import lantern.content
from lantern.runtime import settings as environment
from lantern.runtime.settings import Settings
from lantern.services.queue import WorkQueue
from lantern.store.platform import PlatformStore

CLIENT_CONFIG: Final = Config(
    connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3}
)
"""Fail a dead endpoint soon, try again a little: a caller waits behind all of these."""


@cache
def settings() -> Settings:
    """The settings of this process."""
    return environment.read()


def content_directory() -> Path:
    """Where the compiled knowledge of this release lies."""
    chosen = settings().content_dir
    return Path(chosen) if chosen else Path(lantern.content.__path__[0]) / "_compiled"


@cache
def _session() -> Session:
    return Session()


def client(service: str, config: Config = CLIENT_CONFIG) -> Any:
    """A low-level botocore client with timeouts and retries set on purpose."""
    chosen = settings()
    return _session().create_client(
        service, region_name=chosen.region or None, endpoint_url=chosen.endpoint_url, config=config
    )


@cache
def platform_store() -> PlatformStore:
    """The platform table."""
    chosen = settings()
    environment.need(chosen, "platform_table")
    return PlatformStore(client("dynamodb"), chosen.platform_table)


@cache
def work_queue() -> WorkQueue:
    """The work queues."""
    chosen = settings()
    environment.need(chosen, "hints_queue_url", "runs_queue_url")
    return WorkQueue(client("sqs"), {"hints": chosen.hints_queue_url, "runs": chosen.runs_queue_url})


@cache
def logging_once(service: str) -> None:
    """Attach Powertools to the logs of this process."""
    from lantern.runtime import observability

    observability.attach(service)


def reset() -> None:
    """Forget everything, so that the next use reads the environment anew."""
    for made in (settings, _session, platform_store, work_queue):
        made.cache_clear()
