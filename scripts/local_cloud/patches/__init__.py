"""One module per gap of MiniStack: each has its reason in its docstring and an `apply()`.

`tests/local_cloud` shows for every gap what the unpatched emulator does and what the patched one does,
so that a module is deleted when upstream catches up.
"""

from collections.abc import Sequence
from importlib import import_module

PATCHES: tuple[str, ...] = (
    "artifact_cache",
    "lambda_runtime_python",
    "log_drain",
    "handler_errors",
    "tenancy",
    "function_properties",
    "mapping_numbers",
    "stream_restart",
    "secret_ref",
    "api_identity",
    "openapi_import",
    "iam_policy_variables",
    "iam_principal_arn",
    "iam_secure_transport",
    "iam_leading_keys",
    "iam_kms_context",
    "iam_schedule_arn",
    "scheduler",
    "emf_metrics",
)


def apply_all(names: Sequence[str] = PATCHES) -> None:
    """Apply the named patches in order."""
    for name in names:
        import_module(f"{__name__}.{name}").apply()
