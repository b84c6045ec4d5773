"""What the webhook functions and the authorizer load at cold start stays small."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import lantern


@pytest.mark.parametrize("module", ["lantern.store", "lantern.store.platform"])
def test_the_platform_store_loads_nothing_heavy(module: str) -> None:
    heavy = ("pynamodb", "pydantic", "boto3", "stripe", "requests", "aws_lambda_powertools", "jinja2")
    code = f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": str(Path(lantern.__file__).parent.parent)}

    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )

    assert loaded.stdout.strip() == "[]"
