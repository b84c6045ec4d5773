"""Gap: a handler's exception kills its worker process and reaches the caller as `Runtime.HandlerError`.

On AWS the environment survives and the caller gets `errorMessage`, `errorType`, `requestId` and
`stackTrace`; API Gateway answers 502 without telling the client why.
"""

from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from scripts.local_cloud.patches.seam import edit_text, wrap

_MARK = "__local_cloud_handler_error__"
_UNPATCHED = (
    '_real_stdout.write(json.dumps({"status": "error", "error": str(e), '
    '"trace": traceback.format_exc()}) + "\\n")'
)
_PATCHED = (
    "sys.stderr.write(traceback.format_exc()); sys.stderr.flush(); "
    f'_real_stdout.write(json.dumps({{"status": "ok", "result": {{"{_MARK}": '
    '{"errorMessage": str(e), "errorType": type(e).__name__, "requestId": _ms_ctx.get("request_id", ""), '
    '"stackTrace": traceback.format_tb(e.__traceback__)}}}) + "\\n")'
)


def apply() -> None:
    """Report handler exceptions as results, so that the worker lives on, and turn them back into errors."""
    edit_text(lambda_runtime, "_PYTHON_WORKER_SCRIPT", _UNPATCHED, _PATCHED)
    wrap(lambda_svc, "_execute_function_warm", _unmark)
    wrap(lambda_svc, "lambda_execute_result_to_api_proxy_response", _hide_from_clients)


def _unmark(original: Any) -> Any:
    def execute(func: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
        result: dict[str, Any] = original(func, event, request_id)
        body = result.get("body")
        if isinstance(body, dict) and _MARK in body:
            error = {"body": body[_MARK], "error": True, "function_error": "Unhandled"}
            return {**error, "log": result.get("log", "")}
        return result

    return execute


def _hide_from_clients(original: Any) -> Any:
    def shape(result: dict[str, Any]) -> Any:
        if result.get("error") and not result.get("throttle"):
            return {"statusCode": 502, "body": "Internal server error"}, None
        return original(result)

    return shape
