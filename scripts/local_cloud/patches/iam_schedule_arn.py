"""Gap: a schedule's ARN is always built with the group `default`.

So a policy that allows schedules of the real group never matches.
"""

import json
from typing import Any

from ministack.core import iam_actions

from scripts.local_cloud.patches.seam import wrap

_DEFAULT = ":schedule/default/"


def apply() -> None:
    """Take the group from the request."""
    wrap(iam_actions, "extract_resource_arn", _with_group)


def _with_group(original: Any) -> Any:
    def extract(service: str, *request: Any) -> str:
        arn = str(original(service, *request))
        if service != "scheduler" or _DEFAULT not in arn:
            return arn
        _method, _path, _headers, body, query_params, *_scope = request
        group = schedule_group(body, query_params)
        return arn.replace(_DEFAULT, f":schedule/{group}/") if group else arn

    return extract


def schedule_group(body: bytes, query_params: dict[str, Any]) -> str | None:
    """Return the schedule group that a request names: in its body, or for get and delete in its query."""
    try:
        request = json.loads(body or b"{}")
    except (json.JSONDecodeError, UnicodeDecodeError):
        request = {}
    if isinstance(request, dict) and request.get("GroupName"):
        return str(request["GroupName"])
    group = (query_params or {}).get("groupName")
    return group[0] if isinstance(group, list) and group else group or None
