"""Settings from the environment, read at first use and never at import."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from lantern.domain.errors import LanternError


class SettingsError(LanternError):
    """A setting is missing or makes no sense; names the variable, never its value."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a function is told from outside.

    Values a function does not use are empty. `cursor_secret_id` names the secret in Secrets
    Manager from which cursors are sealed; `endpoint_url` is None on AWS. `oauth_secrets` (provider →
    secret with our OAuth client), `push_secrets` (provider → secret that signs its messages to our app),
    `provider_endpoints` (provider → base address, where it is not the public
    one) and `worker_functions` (worker → function name) hold what this function was given.
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
    public_base_url: str = ""
    insecure_cookies: bool = False
    secrets_key_id: str = ""
    schedule_group: str = ""
    scheduler_role_arn: str = ""
    anchors_bucket: str = ""
    drops_bucket: str = ""
    content_dir: str = ""
    oauth_secrets: Mapping[str, str] = field(default_factory=dict)
    provider_endpoints: Mapping[str, str] = field(default_factory=dict)
    push_secrets: Mapping[str, str] = field(default_factory=dict)
    worker_functions: Mapping[str, str] = field(default_factory=dict)
    worker_timeout_s: int = 870
    alert_sender: str = ""
    alert_configuration: str = ""


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
        public_base_url=source.get("PUBLIC_BASE_URL", "").rstrip("/"),
        insecure_cookies=source.get("INSECURE_COOKIES", "false") == "true",
        secrets_key_id=source.get("SECRETS_KEY_ID", ""),
        schedule_group=source.get("SCHEDULE_GROUP", ""),
        scheduler_role_arn=source.get("SCHEDULER_ROLE_ARN", ""),
        anchors_bucket=source.get("ANCHORS_BUCKET", ""),
        drops_bucket=source.get("DROPS_BUCKET", ""),
        content_dir=source.get("CONTENT_DIR", ""),
        oauth_secrets=_suffixed(source, "_OAUTH_SECRET_ARN"),
        push_secrets=_suffixed(source, "_PUSH_SECRET_ARN"),
        provider_endpoints=_addresses(source.get("PROVIDER_ENDPOINTS", "") or "{}"),
        worker_functions=_suffixed(source, "_FUNCTION"),
        worker_timeout_s=_number(source, "WORKER_TIMEOUT_S", 870),
        alert_sender=source.get("ALERT_SENDER", ""),
        alert_configuration=source.get("ALERT_CONFIGURATION", ""),
    )


def need(settings: Settings, *names: str) -> None:
    """Refuse to start half configured.

    Raises:
        SettingsError: naming the first setting that is empty.
    """
    for name in names:
        if not getattr(settings, name):
            raise SettingsError(f"setting {name} is empty")


def _suffixed(source: Mapping[str, str], suffix: str) -> Mapping[str, str]:
    """Variables named `<NAME><suffix>`, by lower-case name."""
    named = (name for name in source if name.endswith(suffix))
    return {name.removesuffix(suffix).lower(): source[name] for name in named}


def _addresses(text: str) -> Mapping[str, str]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
        raise SettingsError("PROVIDER_ENDPOINTS must be a JSON object of provider to base address")
    return {str(provider): address.rstrip("/") for provider, address in found.items()}


def _number(source: Mapping[str, str], name: str, default: int) -> int:
    text = source.get(name)
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise SettingsError(f"{name} must be a positive whole number")
    return int(text)
