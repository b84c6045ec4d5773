"""Settings from the environment, read at first use and never at import."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from lantern.domain.errors import LanternError


class SettingsError(LanternError):
    """A setting is missing or makes no sense; names the variable, never its value."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a function is told from outside.

    Values a function does not use are empty. `cursor_secret_id` names the secret in Secrets
    Manager from which cursors are sealed; `endpoint_url` is None on AWS.
    """

    stage: str
    region: str
    tenant_table: str
    platform_table: str
    tenant_role_arn: str
    hints_queue_url: str
    runs_queue_url: str
    cursor_secret_id: str
    endpoint_url: str | None
    requests_per_minute: int


def read(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings in `environment`, by default the process's.

    Raises:
        SettingsError: a number is no number, or the stage does not fit into API keys.
    """
    source = os.environ if environment is None else environment
    stage = source.get("LANTERN_STAGE", "dev")
    if not (stage.isascii() and stage.isalnum() and stage == stage.lower() and len(stage) <= 12):
        raise SettingsError("LANTERN_STAGE must be 1 to 12 characters of [a-z0-9]")
    return Settings(
        stage=stage,
        region=source.get("AWS_REGION") or source.get("AWS_DEFAULT_REGION", ""),
        tenant_table=source.get("TENANT_TABLE", ""),
        platform_table=source.get("PLATFORM_TABLE", ""),
        tenant_role_arn=source.get("TENANT_ROLE_ARN", ""),
        hints_queue_url=source.get("HINTS_QUEUE_URL", ""),
        runs_queue_url=source.get("RUNS_QUEUE_URL", ""),
        cursor_secret_id=source.get("CURSOR_SECRET_ID", ""),
        endpoint_url=source.get("AWS_ENDPOINT_URL") or None,
        requests_per_minute=_number(source, "REQUESTS_PER_MINUTE", 600),
    )


def need(settings: Settings, *names: str) -> None:
    """Refuse to start half configured.

    Raises:
        SettingsError: naming the first setting that is empty.
    """
    for name in names:
        if not getattr(settings, name):
            raise SettingsError(f"setting {name} is empty")


def _number(source: Mapping[str, str], name: str, default: int) -> int:
    text = source.get(name)
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise SettingsError(f"{name} must be a positive whole number")
    return int(text)
