<<<<<<< HEAD
"""Gap: numbers of an event source mapping that come from a template parameter stay text.

CloudFormation passes parameters of type Number as text and Lambda takes them for the numbers they are;
MiniStack compares `MaximumConcurrency` with a number on every poll, fails, and never delivers a message.
=======
"""Gap: numbers of an event source mapping that come from a parameter stay texts.

CloudFormation parameters are texts until a property's type says otherwise. The emulator keeps the text, its
poller compares it with a number, fails on every tick and delivers nothing.
>>>>>>> main
"""

from typing import Any

from ministack.services.cloudformation import provisioners

from scripts.local_cloud.patches.seam import private

<<<<<<< HEAD
_NUMBERS = ("BatchSize", "MaximumBatchingWindowInSeconds", "MaximumRecordAgeInSeconds",
            "MaximumRetryAttempts", "ParallelizationFactor", "TumblingWindowInSeconds")  # fmt: skip


def apply() -> None:
    """Turn numbers into numbers on create and on update."""
=======
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
>>>>>>> main
    handlers = private(provisioners, "_RESOURCE_HANDLERS")["AWS::Lambda::EventSourceMapping"]
    original_create, original_update = handlers["create"], handlers["update"]

    def create(logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
<<<<<<< HEAD
        return original_create(logical_id, numbered(props), stack_name)

    def update(physical_id: str, old: dict[str, Any], new: dict[str, Any], *args: Any, **named: Any) -> Any:
        return original_update(physical_id, numbered(old), numbered(new), *args, **named)
=======
        return original_create(logical_id, _typed(props), stack_name)

    def update(physical_id: str, old: dict[str, Any], new: dict[str, Any], *rest: Any, **more: Any) -> Any:
        return original_update(physical_id, _typed(old), _typed(new), *rest, **more)
>>>>>>> main

    handlers.update(create=create, update=update)


<<<<<<< HEAD
def numbered(props: dict[str, Any]) -> dict[str, Any]:
    """The properties of a mapping with its numbers as numbers."""
    found = {name: int(value) if name in _NUMBERS else value for name, value in props.items()}
    scaling = props.get("ScalingConfig")
    if scaling and "MaximumConcurrency" in scaling:
        found["ScalingConfig"] = {**scaling, "MaximumConcurrency": int(scaling["MaximumConcurrency"])}
    return found
=======
def _typed(props: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(name, value) for name, value in props.items()}


def _value(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return _typed(value)
    return int(value) if name in _NUMBERS and isinstance(value, str) else value
>>>>>>> main
