"""What a month on AWS costs, from counted units, requests and seconds and published prices.

Prices (us-east-1, on demand, arm64): DynamoDB $0.625 per million write and $0.125 per million read units;
Lambda $0.20 per million requests and $0.0000133334 a GB-second, $0.000167 per GB of each new environment in
tenant isolation mode; SQS $0.40 per million requests; KMS $0.03 per 10,000; EventBridge Scheduler $1 per
million after 14 million free (taken in full here); CloudWatch Logs $0.50 a GB.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

WRITE: Final = 0.625e-6
READ: Final = 0.125e-6
LAMBDA_REQUEST: Final = 0.20e-6
LAMBDA_GB_S: Final = 0.0000133334
NEW_ENVIRONMENT_GB: Final = 0.000167
SQS: Final = 0.40e-6
KMS: Final = 0.03 / 10_000
SCHEDULE: Final = 1e-6
LOGS_GB: Final = 0.50

DAYS: Final = 30
POLLS_A_DAY: Final = 96
DISCOVERY_GB: Final = 0.5
SCORING_GB: Final = 1769 / 1024
DISPATCHER_GB: Final = 0.25
SERVICE_S: Final = 0.2
COLD_SHARE: Final = 0.25
"""Polls that find no warm environment: an idle one lives for some ten minutes or more, we come every 15."""
COLD_START_S: Final = 2.5
VCPU_GB: Final = 1769 / 1024
"""A function has one virtual CPU at 1,769 MB and a proportional share below (Lambda developer guide)."""
READ_AT_ONCE: Final = 3
"""Parts of a day of use that are read side by side (`connectors.google.reports.AT_ONCE`)."""
LOG_KB_A_MESSAGE: Final = 2.0


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the bill: what, how it comes about, dollars a month."""

    what: str
    how: str
    dollars: float


def bill(life: Mapping[str, Any], poll: Mapping[str, Any], use: Mapping[str, Any]) -> list[Line]:
    """A month of nightly reconciles at 1 % change, daily reading of use, nightly scoring, 15-minute polls.

    Args:
        life: what `measure life` said of this size of organisation.
        poll: what `measure poll` said, at the same size.
        use: what `measure use` said: a day of use, read and folded.
    """
    phases = {p["name"]: p for p in life["phases"]}
    night, score = phases["1 % changed"], phases["scoring sweep"]
    polls = POLLS_A_DAY * DAYS
    # Waiting for the provider is billed like computing; a share of a CPU computes slower.
    slower = VCPU_GB / DISCOVERY_GB
    poll_s = poll["provider_calls"] * SERVICE_S + poll["cpu_s"] * slower
    use_s = use["provider_calls"] * SERVICE_S / READ_AT_ONCE + use["cpu_s"] * slower
    cold_s = (polls * COLD_SHARE + 2 * DAYS) * COLD_START_S
    discovery_s = DAYS * (night["wall_s"] + use_s) + polls * poll_s + cold_s
    scoring_s = DAYS * score["cpu_s"] * 2
    messages = polls + 4 * DAYS
    kept = DAYS * (night["write_units"] + 2 * score["write_units"]) + polls * poll["write_units"]
    reads = (
        DAYS * (night["read_units"] + 2 * score["read_units"] + use["read_units"])
        + polls * poll["read_units"]
    )
    waiting_s = discovery_s + scoring_s
    environments = polls * COLD_SHARE * DISCOVERY_GB + DAYS * (DISCOVERY_GB + SCORING_GB)
    logs_gb = messages * 3 * LOG_KB_A_MESSAGE / 1e6
    return [
        Line("DynamoDB writes, inventory", f"{kept:,.0f} units", kept * WRITE),
        Line(
            "DynamoDB writes, use",
            f"{DAYS * use['write_units']:,.0f} units",
            DAYS * use["write_units"] * WRITE,
        ),
        Line("DynamoDB reads", f"{reads:,.0f} units", reads * READ),
        Line("Lambda, discovery", f"{discovery_s:,.0f} s × 0.5 GB", discovery_s * DISCOVERY_GB * LAMBDA_GB_S),
        Line("Lambda, scoring", f"{scoring_s:,.0f} s × 1.7 GB", scoring_s * SCORING_GB * LAMBDA_GB_S),
        Line("Lambda, dispatchers", f"{waiting_s:,.0f} s × 0.25 GB", waiting_s * DISPATCHER_GB * LAMBDA_GB_S),
        Line("Lambda requests", f"{2 * messages:,}", 2 * messages * LAMBDA_REQUEST),
        Line("Isolated environments", f"{environments:,.0f} GB made", environments * NEW_ENVIRONMENT_GB),
        Line("SQS", f"{4 * messages:,} requests", 4 * messages * SQS),
        Line("KMS", f"{messages:,} decryptions at most", messages * KMS),
        Line("Schedules", f"{messages:,}", messages * SCHEDULE),
        Line("Logs", f"{logs_gb * 1000:,.0f} MB", logs_gb * LOGS_GB),
    ]
