"""Our own rules on the template, beside cfn-lint's."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.support import rendered

RESOURCES = rendered.rendered()
FUNCTIONS = {k: v["Properties"] for k, v in RESOURCES.items() if v["Type"] == "AWS::Lambda::Function"}
QUEUES = {k: v["Properties"] for k, v in RESOURCES.items() if v["Type"] == "AWS::SQS::Queue"}
DEAD_LETTERS = {k for k in QUEUES if k.endswith("DeadLetters")}
MAPPINGS = {
    k: v["Properties"] for k, v in RESOURCES.items() if v["Type"] == "AWS::Lambda::EventSourceMapping"
}

WILDCARDS = {
    # (owner, what): why it has to be a wildcard.
    ("TenantSecretsKey", "*"): "a key policy's resource is always the key itself",
    ("AnchorsBucketPolicy", "s3:*"): "a deny statement: no action without TLS",
    ("AnchorsBucketPolicy", "arn:aws:s3:::lantern-test-AnchorsBucket-A1B2C3/*"): "a deny statement",
    ("HousekeepingFunctionRole", "arn:aws:s3:::lantern-test-AnchorsBucket-A1B2C3/anchors/*"): (
        "one object per tenant and day under one prefix"
    ),
    ("DropsBucketPolicy", "s3:*"): "a deny statement: no action without TLS",
    ("DropsBucketPolicy", "arn:aws:s3:::lantern-test-DropsBucket-A1B2C3/*"): "a deny statement",
    ("TenantDataRole", "arn:aws:s3:::lantern-test-DropsBucket-A1B2C3/${aws:PrincipalTag/tenant}/*"): (
        "files of the one tenant that the session's tag names"
    ),
    ("TenantWorkerRole", "arn:aws:s3:::lantern-test-DropsBucket-A1B2C3/${aws:PrincipalTag/tenant}/*"): (
        "files of the one tenant that the session's tag names"
    ),
    ("OutreachFunctionRole", "*"): "ses:GetSuppressedDestination knows no resources",
    ("OnboardingFunctionRole", "arn:aws:scheduler:eu-central-1:123456789012:schedule/lantern-test/*"): (
        "schedules are named after connections that do not exist yet; the group is fixed"
    ),
    ("DiscoveryFunctionRole", "arn:aws:scheduler:eu-central-1:123456789012:schedule/lantern-test/*"): (
        "schedules are named after connections; the group is fixed"
    ),
}


def statements(policy: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    found = policy["Statement"]
    yield from found if isinstance(found, list) else [found]


def listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def policies() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every policy document of the template with the resource that owns it."""
    for name, resource in RESOURCES.items():
        properties = resource.get("Properties", {})
        for inline in properties.get("Policies", []) if resource["Type"] == "AWS::IAM::Role" else []:
            yield name, inline["PolicyDocument"]
        for key in ("KeyPolicy", "PolicyDocument"):
            if key in properties:
                yield name, properties[key]


def role_of(function: str) -> str:
    return FUNCTIONS[function]["Role"].rsplit("/", 1)[1].split("-")[-2]


def actions_of(role: str) -> set[str]:
    return {
        action
        for owner, policy in policies()
        if owner == role
        for statement in statements(policy)
        for action in listed(statement["Action"])
    }


def assumable_by(function: str) -> set[str]:
    """Tenant roles whose trust policy admits the function's role."""
    name = f"arn:aws:iam::{rendered.ACCOUNT}:role/{rendered.physical_name(role_of(function))}"
    found = set()
    for role in ("TenantDataRole", "TenantWorkerRole", "TenantOutreachRole"):
        for statement in statements(RESOURCES[role]["Properties"]["AssumeRolePolicyDocument"]):
            patterns = listed(statement["Condition"]["ArnLike"]["aws:PrincipalArn"])
            if any(re.fullmatch(p.replace("*", ".*"), name) for p in patterns):
                found.add(role)
    return found


def may_decrypt(role: str) -> bool:
    """Whether the key policy or the role's own policies let the role decrypt tenant secrets."""
    key = statements(RESOURCES["TenantSecretsKey"]["Properties"]["KeyPolicy"])
    by_key = any(
        {"kms:Decrypt", "kms:*", "*"} & set(listed(s["Action"])) and role in json.dumps(s["Principal"])
        for s in key
    )
    return by_key or bool({"kms:Decrypt", "kms:*", "*"} & actions_of(role))


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_whoever_may_decrypt_tenant_secrets_is_isolated(function: str) -> None:
    decrypts = any(may_decrypt(role) for role in {role_of(function), *assumable_by(function)})
    isolated = FUNCTIONS[function].get("TenancyConfig") == {"TenantIsolationMode": "PER_TENANT"}
    assert isolated or not decrypts


def test_exactly_the_workers_that_need_secrets_may_decrypt() -> None:
    able = {f for f in FUNCTIONS if any(may_decrypt(role) for role in assumable_by(f))}
    assert able == {"DiscoveryFunction", "RemediationFunction", "OutreachFunction"}


def test_only_discovery_reads_the_key_that_opens_mail_headers() -> None:
    key = rendered.arn("GoogleMailSecret", "AWS::SecretsManager::Secret")
    able = {
        owner
        for owner, policy in policies()
        for statement in statements(policy)
        if statement["Effect"] == "Allow"
        and any(action.startswith(("secretsmanager:", "*")) for action in listed(statement["Action"]))
        and {key, "*"} & set(listed(statement.get("Resource", ())))
    }
    named = {f for f, p in FUNCTIONS.items() if key in p.get("Environment", {}).get("Variables", {}).values()}
    assert (able, named) == ({role_of("DiscoveryFunction")}, {"DiscoveryFunction"})


@pytest.mark.parametrize("function", sorted(f for f in FUNCTIONS if "TenancyConfig" in FUNCTIONS[f]))
def test_isolated_functions_keep_no_shared_environment(function: str) -> None:
    properties = FUNCTIONS[function]
    assert "SnapStart" not in properties
    assert "ProvisionedConcurrencyConfig" not in json.dumps(rendered.source()["Resources"][function])
    assert "AutoPublishAlias" not in rendered.source()["Resources"][function]["Properties"]
    sources = {m["FunctionName"] for m in MAPPINGS.values()}
    assert rendered.physical_name(function) not in sources, "event sources cannot reach isolated functions"


@pytest.mark.parametrize("queue", sorted(QUEUES))
def test_every_queue_is_encrypted_and_has_dead_letters(queue: str) -> None:
    properties = QUEUES[queue]
    assert properties["SqsManagedSseEnabled"] is True
    if queue in DEAD_LETTERS:
        assert properties["MessageRetentionPeriod"] == 1_209_600
    else:
        target = properties["RedrivePolicy"]["deadLetterTargetArn"]
        assert target in {rendered.arn(name, "AWS::SQS::Queue") for name in DEAD_LETTERS}


def test_visibility_is_six_times_the_timeout_of_the_consumer() -> None:
    pairs = 0
    for mapping in MAPPINGS.values():
        for name, queue in QUEUES.items():
            if mapping["EventSourceArn"] == rendered.arn(name, "AWS::SQS::Queue"):
                function = next(f for f in FUNCTIONS if rendered.physical_name(f) == mapping["FunctionName"])
                assert queue["VisibilityTimeout"] >= 6 * FUNCTIONS[function]["Timeout"]
                assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
                pairs += 1
    assert pairs == 2


def test_every_wildcard_has_a_written_reason() -> None:
    found = set()
    for owner, policy in policies():
        for statement in statements(policy):
            if statement["Effect"] == "Deny" and owner not in {o for o, _ in WILDCARDS}:
                continue
            for item in (*listed(statement["Action"]), *listed(statement.get("Resource", []))):
                if "*" in item:
                    found.add((owner, item))
    assert found == set(WILDCARDS)
    mailing = [
        one for owner, policy in policies() if owner == "OutreachFunctionRole" for one in statements(policy)
    ]
    everywhere = [one["Action"] for one in mailing if one.get("Resource") == "*"]
    assert everywhere == ["ses:GetSuppressedDestination"]


def test_every_table_is_encrypted_recoverable_and_kept() -> None:
    tables = {k: v for k, v in RESOURCES.items() if v["Type"] == "AWS::DynamoDB::Table"}
    assert set(tables) == {"TenantTable", "PlatformTable"}
    for table in tables.values():
        assert table["Properties"]["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
        assert table["Properties"]["SSESpecification"]["SSEEnabled"] is True
        assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Retain"


def test_nothing_may_scan_or_run_partiql() -> None:
    forbidden = {
        "dynamodb:Scan",
        "dynamodb:PartiQLSelect",
        "dynamodb:PartiQLInsert",
        "dynamodb:PartiQLUpdate",
    }
    for owner, policy in policies():
        for statement in statements(policy):
            assert not forbidden & set(listed(statement["Action"])), owner


@pytest.mark.parametrize("role", ["TenantDataRole", "TenantWorkerRole", "TenantOutreachRole"])
def test_tenant_roles_are_bound_to_their_keys(role: str) -> None:
    for inline in rendered.role(RESOURCES, role)["Policies"]:
        (statement,) = inline["PolicyDocument"]["Statement"]
        condition = statement["Condition"]
        if inline["PolicyName"] == "own-drops":
            bucket = rendered.arn("DropsBucket", "AWS::S3::Bucket")
            assert statement["Resource"] == f"{bucket}/${{aws:PrincipalTag/tenant}}/*"
            assert condition == {"Null": {"aws:PrincipalTag/tenant": "false"}}
            continue
        assert condition["ForAllValues:StringLike"] == {
            "dynamodb:LeadingKeys": ["T#${aws:PrincipalTag/tenant}#*"]
        }
        assert condition["Null"] == {"dynamodb:LeadingKeys": "false", "aws:PrincipalTag/tenant": "false"}


@pytest.mark.parametrize("role", ["TenantDataRole", "TenantWorkerRole"])
def test_tenant_roles_may_ask_the_index(role: str) -> None:
    """Workers too: what a connection lists is compared with what it listed before, kind by kind."""
    index = rendered.arn("TenantTable", "AWS::DynamoDB::Table") + "/index/gsi1"
    asked = {
        action
        for inline in rendered.role(RESOURCES, role)["Policies"]
        for statement in statements(inline["PolicyDocument"])
        if index in listed(statement["Resource"])
        for action in listed(statement["Action"])
    }
    assert asked == {"dynamodb:Query"}


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_only_chains_that_reenqueue_themselves_may_loop(function: str) -> None:
    loops = {
        "HintsDispatcherFunction",
        "RunsDispatcherFunction",
        "DiscoveryFunction",
        "ScoringFunction",
        "RemediationFunction",
        "OutreachFunction",
        "RouterFunction",
    }
    assert (FUNCTIONS[function].get("RecursiveLoop") == "Allow") == (function in loops)


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_every_function_has_its_own_role_log_group_and_error_alarm(function: str) -> None:
    assert role_of(function) == f"{function}Role"
    group = FUNCTIONS[function]["LoggingConfig"]["LogGroup"]
    logical = next(k for k in RESOURCES if rendered.physical_name(k) == group)
    assert RESOURCES[logical]["Properties"]["RetentionInDays"] > 0
    alarms = [v["Properties"] for v in RESOURCES.values() if v["Type"] == "AWS::CloudWatch::Alarm"]
    watched = {d["Value"] for a in alarms if a["MetricName"] == "Errors" for d in a["Dimensions"]}
    assert rendered.physical_name(function) in watched


def test_workers_end_before_their_dispatchers() -> None:
    runs = FUNCTIONS["RunsDispatcherFunction"]
    for worker in ("DiscoveryFunction", "ScoringFunction", "RemediationFunction", "OutreachFunction"):
        assert FUNCTIONS[worker]["Timeout"] < runs["Timeout"]


def test_operators_reach_one_tenant_at_a_time_and_no_provider_token() -> None:
    name = f"arn:aws:iam::{rendered.ACCOUNT}:role/{rendered.physical_name('OperatorRole')}"
    for role, admitted in (
        ("TenantDataRole", True),
        ("TenantWorkerRole", False),
        ("TenantOutreachRole", False),
    ):
        (trust,) = statements(RESOURCES[role]["Properties"]["AssumeRolePolicyDocument"])
        patterns = listed(trust["Condition"]["ArnLike"]["aws:PrincipalArn"])
        assert any(re.fullmatch(p.replace("*", ".*"), name) for p in patterns) is admitted, role
    assert not may_decrypt("OperatorRole")
    inline = rendered.role(RESOURCES, "OperatorRole")["Policies"][0]["PolicyDocument"]
    tables = {
        resource
        for statement in statements(inline)
        if any(action.startswith("dynamodb:") for action in listed(statement["Action"]))
        for resource in listed(statement["Resource"])
    }
    assert tables == {rendered.arn("PlatformTable", "AWS::DynamoDB::Table")}


def test_the_bucket_for_uploads_is_closed_and_forgets() -> None:
    bucket = RESOURCES["DropsBucket"]["Properties"]
    rule = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"][0]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert all(bucket["PublicAccessBlockConfiguration"].values())
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert "VersioningConfiguration" not in bucket, "a deleted file must be gone"
    (life,) = bucket["LifecycleConfiguration"]["Rules"]
    assert (life["Status"], life["ExpirationInDays"], "Prefix" in life) == ("Enabled", 7, False)
    (deny,) = statements(RESOURCES["DropsBucketPolicy"]["Properties"]["PolicyDocument"])
    assert (deny["Effect"], deny["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_a_file_that_has_come_is_told_to_the_router_alone() -> None:
    told = RESOURCES["DropsBucket"]["Properties"]["NotificationConfiguration"]
    (one,) = told["LambdaConfigurations"]
    assert (one["Event"], one["Function"]) == (
        "s3:ObjectCreated:*",
        rendered.arn("RouterFunction", "AWS::Lambda::Function"),
    )
    permits = [v["Properties"] for v in RESOURCES.values() if v["Type"] == "AWS::Lambda::Permission"]
    (permit,) = [one for one in permits if one["Principal"] == "s3.amazonaws.com"]
    assert permit["SourceAccount"] == rendered.ACCOUNT


def test_who_may_touch_uploads() -> None:
    able = {
        (owner, action)
        for owner, policy in policies()
        for statement in statements(policy)
        if statement["Effect"] == "Allow" and "DropsBucket" in json.dumps(statement["Resource"])
        for action in listed(statement["Action"])
    }
    assert able == {
        ("TenantDataRole", "s3:PutObject"),
        ("TenantWorkerRole", "s3:GetObject"),
        ("TenantWorkerRole", "s3:DeleteObject"),
    }


def test_only_packed_bodies_are_binary() -> None:
    assert rendered.source()["Resources"]["Api"]["Properties"]["BinaryMediaTypes"] == ["application~1gzip"]
