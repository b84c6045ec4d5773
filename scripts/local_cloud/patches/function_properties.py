"""Gap: CloudFormation drops tenancy, reserved concurrency and loop settings of a function.

`TenancyConfig`, `ReservedConcurrentExecutions` and `RecursiveLoop` only have to reach the function's record.
"""

from typing import Any

from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners

from scripts.local_cloud.patches.seam import private


def apply() -> None:
    """Carry the dropped properties over on create and on update."""
    handlers = private(provisioners, "_RESOURCE_HANDLERS")["AWS::Lambda::Function"]
    original_create, original_update = handlers["create"], handlers["update"]

    def create(logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
        created = original_create(logical_id, props, stack_name)
        _carry_over(created[0], props)
        return created

    def update(
        physical_id: str, old: dict[str, Any], new: dict[str, Any], stack: str, logical_id: str | None = None
    ) -> Any:
        updated = original_update(physical_id, old, new, stack, logical_id=logical_id)
        _carry_over(updated[0], new)
        return updated

    handlers.update(create=create, update=update)


def _carry_over(name: str, props: dict[str, Any]) -> None:
    function = private(lambda_svc, "_functions")[name]
    if props.get("TenancyConfig"):
        function["config"]["TenancyConfig"] = props["TenancyConfig"]
    reserved = props.get("ReservedConcurrentExecutions")
    function["concurrency"] = None if reserved is None else int(reserved)
    function["recursive_loop"] = props.get("RecursiveLoop") or "Terminate"
