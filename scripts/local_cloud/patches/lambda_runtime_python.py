"""Gap: handlers run on MiniStack's own Python, whose packages hide what the dependency layer lacks.

On AWS a function sees the standard library, boto3 and its layers. When `LOCAL_CLOUD_RUNTIME_PYTHON` names an
interpreter (`runtime_python.py` makes one), workers are started with that.
"""

import os
from typing import Any

from ministack.core import lambda_runtime

from scripts.local_cloud.patches.seam import wrap

INTERPRETER_VARIABLE = "LOCAL_CLOUD_RUNTIME_PYTHON"


def apply() -> None:
    """Start Python workers with the interpreter of the environment, when one is set."""
    wrap(lambda_runtime, "_detect_runtime_binary", _detect_with_runtime_python)


def _detect_with_runtime_python(original: Any) -> Any:
    def detect(runtime: str) -> tuple[str, str]:
        binary, script = original(runtime)
        if runtime.startswith("python"):
            binary = os.environ.get(INTERPRETER_VARIABLE) or binary
        return binary, script

    return detect
