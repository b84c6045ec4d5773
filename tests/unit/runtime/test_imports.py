"""What each function imports at cold start: an allow-list, measured in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

# function → top-level packages beyond the standard library that it may import
ALLOWED = {
    "functions.authorizer.app": {
        "lantern",
        "functions",
        "botocore",
        "jmespath",
        "dateutil",
        "six",
        "msgspec",
        "urllib3",
        "certifi",
        "typing_extensions",
    },
    "functions.api.app": {
        "lantern",
        "functions",
        "botocore",
        "jmespath",
        "dateutil",
        "six",
        "msgspec",
        "urllib3",
        "pynamodb",
        "pydantic",
        "pydantic_core",
        "annotated_types",
        "typing_inspection",
        "typing_extensions",
        "aws_lambda_powertools",
        "certifi",
    },
}
SCRIPT = """
import sys
before = set(sys.modules)
import {module}
print("\\n".join(sorted(set(sys.modules) - before)))
"""


def _imported(module: str) -> set[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT / 'shared'}:{ROOT}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(module=module)],
        env=environment,
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ALLOWED)
def test_a_function_imports_nothing_beyond_its_list(module: str) -> None:
    packages = {name.partition(".")[0] for name in _imported(module)}
    standard = {name for name in packages if name in sys.stdlib_module_names or name.startswith("_")}
    assert packages - standard <= ALLOWED[module]


def test_the_authorizer_stays_light() -> None:
    modules = _imported("functions.authorizer.app")
    assert not {"pydantic", "pynamodb", "boto3", "jinja2", "aws_lambda_powertools"} & modules
    assert not {name for name in modules if name.startswith(("lantern.runtime.api", "lantern.connectors"))}


def test_the_api_imports_no_boto3_no_tracer_and_no_provider() -> None:
    modules = _imported("functions.api.app")
    assert not {"boto3", "requests", "stripe", "aws_xray_sdk"} & modules
    ours = {name.removeprefix("lantern.connectors.") for name in modules if "lantern.connectors." in name}
    assert ours <= {"manifests", "protocol", "pushing"}
