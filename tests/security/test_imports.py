"""What each function imports when it starts: a committed list, measured in a process of its own."""

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_BOTOCORE = {"botocore", "certifi", "dateutil", "jmespath", "six", "urllib3"}
_LIGHT = _BOTOCORE | {"lantern", "functions", "msgspec", "typing_extensions"}
_STORE = _LIGHT | {"pynamodb", "aws_lambda_powertools"}
_HTTP = {"requests", "charset_normalizer", "idna", "cython_runtime", "chardet"}
ALLOWED = {
    "authorizer": _LIGHT,
    "webhooks": _LIGHT,
    "dispatcher": _LIGHT,
    "router": _LIGHT,
    "api": _STORE | {"pydantic", "pydantic_core", "annotated_types", "typing_inspection"},
    "people": _STORE | {"jinja2", "markupsafe"},
    "onboarding": _STORE | _HTTP | {"jinja2", "markupsafe"},
    "discovery": _STORE,
    "scoring": _STORE,
    "remediation": _STORE,
    "outreach": _STORE,
    "housekeeping": _STORE,
}
LIGHT = ("authorizer", "webhooks", "dispatcher", "router")
PROVIDERS = ("google", "entra", "okta", "slack", "github", "salesforce")
_SCRIPT = """
import sys
before = set(sys.modules)
import {module}
print("\\n".join(sorted(set(sys.modules) - before)))
"""


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT / 'shared'}:{ROOT}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.run(
        [sys.executable, *arguments], env=environment, cwd="/", capture_output=True, text=True, check=True
    )


@cache
def _imported(function: str) -> frozenset[str]:
    return frozenset(_python("-c", _SCRIPT.format(module=f"functions.{function}.app")).stdout.split())


def _packages(function: str) -> set[str]:
    found = {name.partition(".")[0] for name in _imported(function)}
    return {name for name in found if name not in sys.stdlib_module_names and not name.startswith("_")}


def test_every_function_has_a_list():
    assert set(ALLOWED) == {path.parent.name for path in (ROOT / "functions").glob("*/app.py")}


@pytest.mark.parametrize("function", sorted(ALLOWED))
def test_a_function_imports_nothing_beyond_its_list(function: str):
    assert _packages(function) - ALLOWED[function] == set()


@pytest.mark.parametrize("function", LIGHT)
def test_whoever_somebody_waits_for_starts_light(function: str):
    heavy = {"pydantic", "pynamodb", "boto3", "stripe", "requests", "jinja2", "aws_lambda_powertools"}
    assert not heavy & _packages(function)


@pytest.mark.parametrize("function", sorted(ALLOWED))
def test_no_provider_is_imported_before_it_is_needed(function: str):
    assert not {
        m for m in _imported(function) if m.startswith(tuple(f"lantern.connectors.{p}" for p in PROVIDERS))
    }
    assert not {"boto3", "stripe", "aws_xray_sdk", "tldextract"} & _packages(function)


def test_how_long_starting_takes(record_property: pytest.FixtureRequest):
    """Printed, not asserted: the machine decides. The base is Python with botocore."""

    def total(statement: str) -> int:
        lines = _python("-X", "importtime", "-c", statement).stderr.splitlines()
        return sum(int(found[1]) for line in lines if (found := re.match(r"import time:\s+(\d+) \|", line)))

    base = total("import botocore.session, botocore.config")
    for function in sorted(ALLOWED):
        ratio = total(f"import functions.{function}.app") / base
        record_property(function, f"{ratio:.2f}")  # type: ignore[operator]
        sys.stdout.write(f"{function}: {ratio:.2f} x botocore\n")
        assert ratio > 0
