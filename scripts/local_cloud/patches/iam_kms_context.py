"""Gap: policies cannot see the encryption context of a KMS request.

`kms:EncryptionContext:<name>` and `kms:EncryptionContextKeys` have no value.
"""

import json
from typing import Any

from ministack.core import iam_actions

from scripts.local_cloud.patches.seam import wrap


def apply() -> None:
    """Add the encryption context of a KMS request to its condition context."""
    wrap(iam_actions, "request_tag_context", _with_encryption_context)


def _with_encryption_context(original: Any) -> Any:
    def request_context(service: str, iam_action: str, body: bytes, params: dict[str, Any]) -> dict[str, Any]:
        context = dict(original(service, iam_action, body, params))
        if service == "kms":
            context.update(encryption_context_keys(body))
        return context

    return request_context


def encryption_context_keys(body: bytes) -> dict[str, Any]:
    """Return the condition keys of a KMS request's encryption context; empty if it has none."""
    try:
        request = json.loads(body or b"{}")
    except (json.JSONDecodeError, UnicodeDecodeError):
        return {}
    context = request.get("EncryptionContext") if isinstance(request, dict) else None
    if not context:
        return {}
    return {
        **{f"kms:EncryptionContext:{name}": value for name, value in context.items()},
        "kms:EncryptionContextKeys": list(context),
    }
