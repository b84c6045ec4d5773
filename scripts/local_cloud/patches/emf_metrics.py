"""Gap: metrics that handlers write as embedded metric format lines never reach CloudWatch.

Powertools writes metrics that way; without this no alarm on a metric of ours can be seen locally
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ministack.services import cloudwatch, lambda_svc

from scripts.local_cloud.patches.seam import wrap


@dataclass(frozen=True, slots=True)
class Metric:
    """One value of a metric in one set of dimensions."""

    namespace: str
    name: str
    value: float
    unit: str
    dimensions: dict[str, str]


def apply() -> None:
    """Record the metrics in a handler's log before it is stored."""
    wrap(lambda_svc, "_emit_lambda_logs", _recording)


def _recording(original: Any) -> Any:
    def emit(func: dict[str, Any], request_id: str, log_text: str, *args: Any, **kwargs: Any) -> None:
        for line in (log_text or "").splitlines():
            for metric in metrics_in(line):
                cloudwatch.record_metric(
                    metric.namespace, metric.name, metric.value, metric.unit, metric.dimensions
                )
        original(func, request_id, log_text, *args, **kwargs)

    return emit


def metrics_in(line: str) -> Iterator[Metric]:
    """Yield the metrics of a log line; a line that is not well-formed EMF has none, as on AWS."""
    if '"_aws"' not in line:
        return
    try:
        document = json.loads(line)
        found = [
            metric for entry in document["_aws"]["CloudWatchMetrics"] for metric in _metrics(document, entry)
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        return
    yield from found


def _metrics(document: dict[str, Any], entry: dict[str, Any]) -> Iterator[Metric]:
    for names in entry.get("Dimensions") or [[]]:
        dimensions = {name: str(document[name]) for name in names}
        for metric in entry["Metrics"]:
            values = document[metric["Name"]]
            for value in values if isinstance(values, list) else [values]:
                unit = metric.get("Unit", "None")
                yield Metric(entry["Namespace"], metric["Name"], float(value), unit, dimensions)
