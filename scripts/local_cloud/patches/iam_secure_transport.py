"""Gap: requests come over plain HTTP, so a policy that denies what is not TLS denies everything.

The emulator listens on the loopback of one machine, where TLS protects nothing; a template that asks for it
(the usual `Deny` on `aws:SecureTransport` false in a bucket's policy) must still be deployable unchanged.
"""

from typing import Any

from ministack.core import iam_evaluator

from scripts.local_cloud.patches.seam import wrap


def apply() -> None:
    """Take every request for one over TLS."""
    wrap(iam_evaluator, "_resolve_condition_key", _with_secure_transport)


def _with_secure_transport(original: Any) -> Any:
    def resolve(key: str, ctx: Any) -> Any:
        return "true" if key.lower() == "aws:securetransport" else original(key, ctx)

    return resolve
