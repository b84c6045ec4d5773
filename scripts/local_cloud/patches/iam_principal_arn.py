"""Gap: `aws:PrincipalArn` of a role session is the session's ARN; on AWS it is the role's.

Trust policies that name their callers by `ArnLike aws:PrincipalArn …:role/…` depend on it.
"""

import re
from typing import Any

from ministack.core import iam_evaluator

from scripts.local_cloud.patches.seam import wrap

_SESSION = re.compile(r"arn:(aws[\w-]*):sts::(\d{12}):assumed-role/([^/]+)/.*")


def apply() -> None:
    """Resolve `aws:PrincipalArn` to the role of a session."""
    wrap(iam_evaluator, "_resolve_condition_key", _with_role_arn)


def _with_role_arn(original: Any) -> Any:
    def resolve(key: str, ctx: Any) -> Any:
        if key.lower() == "aws:principalarn":
            return role_arn(ctx.principal_arn)
        return original(key, ctx)

    return resolve


def role_arn(principal_arn: str) -> str:
    """Return the role behind a session's ARN, any other ARN as it is."""
    session = _SESSION.fullmatch(principal_arn)
    return f"arn:{session[1]}:iam::{session[2]}:role/{session[3]}" if session else principal_arn
