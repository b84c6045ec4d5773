"""The patches' own logic, without a server."""

import base64
import hashlib
import json
import os
import sys
import time
from datetime import UTC, datetime
from types import ModuleType, SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from ministack.core import lambda_runtime
from ministack.core.iam_evaluator import EvalContext

from scripts.local_cloud import cloud as local_cloud
from scripts.local_cloud.launcher import SUPPORTED_VERSION, check_version
from scripts.local_cloud.npm import NpmError, check_integrity
from scripts.local_cloud.patches import PATCHES
from scripts.local_cloud.patches.emf_metrics import Metric, metrics_in
from scripts.local_cloud.patches.iam_policy_variables import resolve
from scripts.local_cloud.patches.iam_principal_arn import role_arn
from scripts.local_cloud.patches.iam_schedule_arn import schedule_group
from scripts.local_cloud.patches.scheduler import due_time, is_valid
from scripts.local_cloud.patches.seam import SeamError, edit_text, private, wrap
from scripts.local_cloud.patches.tenancy import _reap_idle_tenants, tenant_problem
from scripts.local_cloud.runtime_python import make_runtime_python


def test_another_version_is_refused():
    check_version(SUPPORTED_VERSION)
    with pytest.raises(SystemExit, match=f"needs MiniStack {SUPPORTED_VERSION}, found 1.6.0"):
        check_version("1.6.0")


def test_every_patch_module_is_registered():
    folder = local_cloud.ROOT / "scripts" / "local_cloud" / "patches"
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__", "seam"}
    assert modules == set(PATCHES)


def test_a_missing_seam_fails_loudly():
    module = ModuleType("emulator")
    module.text = "a b a"
    with pytest.raises(SeamError, match="emulator has no gone"):
        private(module, "gone")
    with pytest.raises(SeamError, match="found 2"):
        edit_text(module, "text", "a", "c")
    module.f = lambda: 1
    wrap(module, "f", lambda original: lambda: original() + 1)
    assert module.f() == 2


def context(**keys):
    return EvalContext(
        principal_arn="arn:aws:sts::000000000000:assumed-role/R/s",
        principal_type="AssumedRole",
        principal_account="000000000000",
        action="a:b",
        resource_arn="*",
        region="us-east-1",
        principal_keys=keys,
    )


def test_policy_variables_resolve_or_match_nothing():
    tagged = context(**{"aws:principaltag/tenant": "acme"})
    assert resolve({"a": ["T#${aws:PrincipalTag/tenant}#${*}"]}, tagged) == {"a": ["T#acme#*"]}
    assert resolve("${aws:PrincipalTag/tenant, 'none'}", context()) == "none"
    assert "\0" in resolve("${aws:PrincipalTag/tenant}", context())
    assert resolve(7, tagged) == 7


def test_the_role_behind_a_session():
    assert role_arn("arn:aws:sts::000000000000:assumed-role/R/s") == "arn:aws:iam::000000000000:role/R"
    assert role_arn("arn:aws:iam::000000000000:user/u") == "arn:aws:iam::000000000000:user/u"


@pytest.mark.parametrize(
    ("body", "query", "group"),
    [
        (b'{"GroupName": "g"}', {}, "g"),
        (b"", {"groupName": ["g"]}, "g"),
        (b"\xff", {"groupName": "g"}, "g"),
        (b"[]", {}, None),
    ],
)
def test_schedule_group(body, query, group):
    assert schedule_group(body, query) == group


@pytest.mark.parametrize(
    ("config", "tenant", "accepted"),
    [
        ({}, None, True),
        ({}, "acme", False),
        ({"TenancyConfig": {}}, "acme", False),
        ({"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}}, "acme", True),
        ({"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}}, None, False),
        ({"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}}, "a\n", False),
        ({"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}}, "a" * 257, False),
    ],
)
def test_tenant_ids(config, tenant, accepted):
    assert (tenant_problem(config, tenant) is None) is accepted


def moment(text, zone="UTC"):
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def schedule(expression, **fields):
    created = {"LastModificationDate": moment("2026-03-01T00:00:00"), "State": "ENABLED"}
    return {**created, "ScheduleExpression": expression, **fields}


BERLIN = {"ScheduleExpressionTimezone": "Europe/Berlin"}


@pytest.mark.parametrize(
    ("record", "now", "due"),
    [
        (schedule("rate(5 minutes)"), "2026-03-01T00:04:59", None),
        (schedule("rate(5 minutes)"), "2026-03-01T00:11:00", "2026-03-01T00:10:00"),
        (schedule("rate(5 minutes)", State="DISABLED"), "2026-03-02T00:00:00", None),
        (schedule("rate(5 minutes)", StartDate=moment("2026-04-01T00:00:00")), "2026-03-02T00:00:00", None),
        (schedule("at(2026-03-10T02:00:00)", **BERLIN), "2026-03-10T00:59:59", None),
        (schedule("at(2026-03-10T02:00:00)", **BERLIN), "2026-03-10T01:00:01", "2026-03-10T01:00:00"),
        (schedule("cron(30 2 * * ? *)", **BERLIN), "2026-03-01T01:29:59", None),
        (schedule("cron(30 2 * * ? *)", **BERLIN), "2026-03-01T01:30:01", "2026-03-01T01:30:00"),
        # summer time: 02:30 in Berlin is 00:30 UTC
        (
            schedule("cron(30 2 * * ? *)", **BERLIN, _LocalCloudLastFired=moment("2026-07-01T00:30:00")),
            "2026-07-02T00:30:00",
            "2026-07-02T00:30:00",
        ),
    ],
)
def test_when_a_schedule_is_due(record, now, due):
    found = due_time(record, moment(now))
    assert found == (None if due is None else moment(due)), found and datetime.fromtimestamp(found, UTC)


@pytest.mark.parametrize(
    ("expression", "zone", "valid"),
    [
        ("rate(15 minutes)", None, True),
        ("cron(0 3 * * ? *)", "Europe/Berlin", True),
        ("at(2026-01-01T00:00:00)", "UTC", True),
        ("at(tomorrow)", None, False),
        ("every(1 minute)", None, False),
        ("rate(15 minutes)", "Mars/Olympus", False),
    ],
)
def test_expressions(expression, zone, valid):
    assert is_valid(expression, zone) is valid


def test_a_tarball_must_match_its_pin():
    pin = "sha512-" + base64.b64encode(hashlib.sha512(b"x").digest()).decode()
    check_integrity(b"x", pin, "p@1")
    with pytest.raises(NpmError, match="p@1"):
        check_integrity(b"y", pin, "p@1")


def test_the_runtime_interpreter_is_an_executable_over_links(tmp_path):
    interpreter = make_runtime_python(tmp_path)
    assert make_runtime_python(tmp_path) == interpreter
    assert interpreter.stat().st_mode & 0o111
    assert sys.executable in interpreter.read_text()
    assert (tmp_path / "packages" / "boto3").resolve().is_dir()


def test_a_stranger_with_a_reused_process_id_is_left_alone(tmp_path):
    (tmp_path / "cloud.json").write_text(f'{{"pid": {os.getpid()}, "port": 1}}')
    assert local_cloud.status(tmp_path) is None
    assert local_cloud.stop(tmp_path) is False


def test_the_environment_leaks_nothing_of_the_developers(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SESSION_TOKEN", "real")
    monkeypatch.setenv("PYTHONPATH", "shared")
    environment = local_cloud._environment(tmp_path, 1, persist=True)
    assert SimpleNamespace(**environment).BIND_HOST == "127.0.0.1"
    assert {"AWS_SESSION_TOKEN", "PYTHONPATH", "AWS_PROFILE"}.isdisjoint(environment)


def test_embedded_metrics():
    entry = {
        "Namespace": "lantern",
        "Dimensions": [["service"]],
        "Metrics": [{"Name": "Runs", "Unit": "Count"}],
    }
    document = {"_aws": {"CloudWatchMetrics": [entry]}, "service": "discovery", "Runs": [1, 2]}
    dimensions = {"service": "discovery"}
    assert list(metrics_in(json.dumps(document))) == [
        Metric("lantern", "Runs", 1.0, "Count", dimensions),
        Metric("lantern", "Runs", 2.0, "Count", dimensions),
    ]
    del document["service"]
    broken = [json.dumps(document), '{"_aws": 3}', '"_aws"', "plain text", '{"_aws": {}}']
    assert [list(metrics_in(line)) for line in broken] == [[]] * len(broken)


def test_idle_tenants_give_their_worker_back_and_busy_ones_keep_it(monkeypatch):
    def worker(*, in_use, last_used):
        return SimpleNamespace(
            in_use=in_use, last_used=last_used, _proc=None, config={}, _discard_tmpdir=lambda: None
        )

    pools = {
        "0:r:f:$LATEST": [worker(in_use=False, last_used=0)],
        "0:r:f:$LATEST@tenant=idle": [worker(in_use=False, last_used=0)],
        "0:r:f:$LATEST@tenant=busy": [worker(in_use=True, last_used=0)],
        "0:r:f:$LATEST@tenant=fresh": [worker(in_use=False, last_used=time.time())],
    }
    monkeypatch.setattr(lambda_runtime, "_workers", pools)
    assert _reap_idle_tenants(lambda_runtime.reap_idle_workers)(60) == 1
    assert {key.partition("@tenant=")[2] for key in pools} == {"", "busy", "fresh"}
