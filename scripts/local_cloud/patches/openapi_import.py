"""Gaps of the OpenAPI import: `ANY` methods answer 403, gateway responses and binary types are ignored.

SAM writes `Method: ANY` as `x-amazon-apigateway-any-method`, `GatewayResponses` as
`x-amazon-apigateway-gateway-responses`, and binary types with `~1` for the slash.
"""

from typing import Any

from ministack.services import apigateway_v1

from scripts.local_cloud.patches.seam import private, wrap

_ANY_METHOD = "x-amazon-apigateway-any-method"
_RESPONSES = "x-amazon-apigateway-gateway-responses"
_BINARY_TYPES = "x-amazon-apigateway-binary-media-types"


def apply() -> None:
    """Import any-methods, gateway responses and binary types."""
    private(apigateway_v1, "_OPENAPI_HTTP_METHODS").add(_ANY_METHOD)
    wrap(apigateway_v1, "_import_operation", _name_any)
    wrap(apigateway_v1, "_import_rest_api", _import_extensions)


def _name_any(original: Any) -> Any:
    def import_operation(api_id: str, resource_id: str, method: str, *args: Any) -> None:
        original(api_id, resource_id, "ANY" if method.lower() == _ANY_METHOD else method, *args)

    return import_operation


def _import_extensions(original: Any) -> Any:
    put_response = private(apigateway_v1, "_put_gateway_response")

    def import_rest_api(spec: dict[str, Any], base_data: dict[str, Any] | None = None) -> str:
        base = dict(base_data or {})
        types = base.get("binaryMediaTypes") or spec.get(_BINARY_TYPES) or []
        base["binaryMediaTypes"] = [str(name).replace("~1", "/") for name in types]
        api_id = str(original(spec, base))
        for response_type, response in (spec.get(_RESPONSES) or {}).items():
            status, _, body = put_response(api_id, response_type, response)
            if status >= 400:
                raise ValueError(f"gateway response {response_type}: {body!r}")
        return api_id

    return import_rest_api
