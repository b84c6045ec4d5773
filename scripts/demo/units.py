"""Read and write units, as the functions metered them and as CloudWatch sums them.

The functions count by the sizing of `lantern.store.sizing` (the emulator's own numbers ignore how large
an item is) and write the counts as metrics `ReadUnits` and `WriteUnits` of namespace `Lantern`, each in
one set of dimensions: `service`.
"""

from datetime import datetime, timedelta
from typing import Any, Final

NAMESPACE: Final = "Lantern"
_DIMENSION: Final = "service"
_PERIOD_S: Final = 60


def used(cloudwatch: Any, name: str, since: datetime, until: datetime) -> dict[str, float]:
    """The sum of a metric by function; a function that never wrote it is left out."""
    metrics = [
        metric
        for page in cloudwatch.get_paginator("list_metrics").paginate(Namespace=NAMESPACE, MetricName=name)
        for metric in page["Metrics"]
        if {dimension["Name"] for dimension in metric["Dimensions"]} == {_DIMENSION}
    ]
    return {
        str(metric["Dimensions"][0]["Value"]): _sum(cloudwatch, metric, since, until) for metric in metrics
    }


def _sum(cloudwatch: Any, metric: dict[str, Any], since: datetime, until: datetime) -> float:
    answer = cloudwatch.get_metric_statistics(
        Namespace=NAMESPACE,
        MetricName=metric["MetricName"],
        Dimensions=metric["Dimensions"],
        StartTime=since - timedelta(seconds=_PERIOD_S),
        EndTime=until + timedelta(seconds=_PERIOD_S),
        Period=_PERIOD_S,
        Statistics=["Sum"],
    )
    return float(sum(point["Sum"] for point in answer["Datapoints"]))
