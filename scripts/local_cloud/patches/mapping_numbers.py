"""Gap: numbers of an event source mapping that come from a template parameter stay text.

CloudFormation passes parameters of type Number as text and Lambda takes them for the numbers they are;
MiniStack compares `MaximumConcurrency` with a number on every poll, fails, and never delivers a message.
"""

from typing import Any

from ministack.services.cloudformation import provisioners

from scripts.local_cloud.patches.seam import private

_NUMBERS = ("BatchSize", "MaximumBatchingWindowInSeconds", "MaximumRecordAgeInSeconds",
            "MaximumRetryAttempts", "ParallelizationFactor", "TumblingWindowInSeconds")  # fmt: skip


def apply() -> None:
    """Turn numbers into numbers on create and on update."""
    handlers = private(provisioners, "_RESOURCE_HANDLERS")["AWS::Lambda::EventSourceMapping"]
    original_create, original_update = handlers["create"], handlers["update"]

    def create(logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
        return original_create(logical_id, numbered(props), stack_name)

    def update(physical_id: str, old: dict[str, Any], new: dict[str, Any], *args: Any, **named: Any) -> Any:
        return original_update(physical_id, numbered(old), numbered(new), *args, **named)

    handlers.update(create=create, update=update)


def numbered(props: dict[str, Any]) -> dict[str, Any]:
    """The properties of a mapping with its numbers as numbers."""
    found = {name: int(value) if name in _NUMBERS else value for name, value in props.items()}
    scaling = props.get("ScalingConfig")
    if scaling and "MaximumConcurrency" in scaling:
        found["ScalingConfig"] = {**scaling, "MaximumConcurrency": int(scaling["MaximumConcurrency"])}
    return found
