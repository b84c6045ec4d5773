"""Gap: numbers of an event source mapping that come from a parameter stay texts.

CloudFormation parameters are texts until a property's type says otherwise. The emulator keeps the text, its
poller compares it with a number, fails on every tick and delivers nothing.
"""

from typing import Any

from ministack.services.cloudformation import provisioners

from scripts.local_cloud.patches.seam import private

_NUMBERS = frozenset(
    {
        "BatchSize",
        "MaximumBatchingWindowInSeconds",
        "MaximumConcurrency",
        "MaximumRecordAgeInSeconds",
        "MaximumRetryAttempts",
        "ParallelizationFactor",
    }
)


def apply() -> None:
    """Give the properties their types on create and on update."""
    handlers = private(provisioners, "_RESOURCE_HANDLERS")["AWS::Lambda::EventSourceMapping"]
    original_create, original_update = handlers["create"], handlers["update"]

    def create(logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
        return original_create(logical_id, _typed(props), stack_name)

    def update(physical_id: str, old: dict[str, Any], new: dict[str, Any], *rest: Any, **more: Any) -> Any:
        return original_update(physical_id, _typed(old), _typed(new), *rest, **more)

    handlers.update(create=create, update=update)


def _typed(props: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(name, value) for name, value in props.items()}


def _value(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return _typed(value)
    return int(value) if name in _NUMBERS and isinstance(value, str) else value
