"""Gap: a changed OpenAPI body replaces the REST API, so its id and its address change with a deployment.

On AWS the body is overwritten in place. The new body is imported beside the old one and moved under the
old id.
"""

from typing import Any

from ministack.services import apigateway_v1
from ministack.services.cloudformation import provisioners

from scripts.local_cloud.patches.seam import private

_IMPORTED_STORES = ("_rest_apis", "_resources", "_authorizers_v1", "_gateway_responses", "_models")
_FRESH_STORES = ("_stages_v1", "_deployments_v1")


def apply() -> None:
    """Keep the API's id when its body changes."""
    handlers = private(provisioners, "_RESOURCE_HANDLERS")["AWS::ApiGateway::RestApi"]
    original_update = handlers["update"]

    def update(
        physical_id: str, old: dict[str, Any], new: dict[str, Any], stack: str, logical_id: str | None = None
    ) -> Any:
        body = new.get("Body")
        if not isinstance(body, dict) or body == old.get("Body"):
            return original_update(physical_id, old, new, stack, logical_id=logical_id)
        imported_id, _ = handlers["create"](logical_id or physical_id, new, stack)
        _move(imported_id, physical_id)
        return physical_id, private(provisioners, "_apigw_rest_api_attrs")(physical_id)

    handlers["update"] = update


def _move(imported_id: str, api_id: str) -> None:
    for name in _IMPORTED_STORES:
        store = private(apigateway_v1, name)
        imported = store.pop(imported_id, None)
        if imported is not None:
            store[api_id] = imported
    private(apigateway_v1, "_rest_apis")[api_id]["id"] = api_id
    for name in _FRESH_STORES:
        private(apigateway_v1, name).pop(imported_id, None)
