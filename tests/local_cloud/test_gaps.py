"""Every gap of the emulator: what it does unpatched, and what it does patched.

When an unpatched half of a test fails after an upgrade, upstream has caught up: delete the patch.
"""

import json
import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import boto3
import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.stack

ACME = {"Authorization": "Bearer acme"}


def put(table: str, key: str) -> list:
    return ["dynamodb", "put_item", {"TableName": table, "Item": {"pk": {"S": key}, "sk": {"S": "x"}}}]


def get(table: str, key: str) -> list:
    return ["dynamodb", "get_item", {"TableName": table, "Key": {"pk": {"S": key}, "sk": {"S": "x"}}}]


# ---- REST API


def test_any_method(unpatched, patched):
    assert unpatched.get("/v1/apps", ACME)[0] == 403
    status, seen = patched.get("/v1/apps", ACME)
    assert (status, seen["method"], seen["tenant"]) == (200, "GET", "acme")
    assert patched.get("/v1/apps", ACME, method="DELETE")[1]["method"] == "DELETE"


def test_gateway_responses(unpatched, patched):
    customized = unpatched.aws("apigateway").get_gateway_response(
        restApiId=unpatched.outputs["ApiId"], responseType="UNAUTHORIZED"
    )
    assert customized["defaultResponse"] is True
    status, body = patched.get("/v1/apps")
    assert (status, body["code"]) == (401, "unauthorized")


def test_api_keeps_its_id_when_its_body_changes(unpatched, patched):
    before = unpatched.outputs["ApiId"]
    assert unpatched.deploy(Greeting="who are you").outputs["ApiId"] != before
    before = patched.outputs["ApiId"]
    assert patched.deploy(Greeting="who are you").outputs["ApiId"] == before
    imported = patched.aws("apigateway").get_gateway_response(restApiId=before, responseType="UNAUTHORIZED")
    assert "who are you" in imported["responseTemplates"]["application/json"]
    assert patched.get("/v1/apps", ACME)[0] == 200


# ---- Lambda


def test_handler_exceptions(unpatched, patched):
    error = unpatched.invoke("ApiFunction", {"raise": "boom"})
    assert error["errorType"] == "Runtime.HandlerError"
    first = patched.invoke("ApiFunction", {})["pid"]
    error = patched.invoke("ApiFunction", {"raise": "boom"})
    assert (error["errorType"], error["errorMessage"]) == ("LookupError", "boom")
    assert "app.py" in error["stackTrace"][-1]
    assert patched.invoke("ApiFunction", {})["pid"] == first


def test_handler_exceptions_kill_the_unpatched_worker(unpatched):
    first = unpatched.invoke("ApiFunction", {})["pid"]
    unpatched.invoke("ApiFunction", {"raise": "boom"})
    assert unpatched.invoke("ApiFunction", {})["pid"] != first


def test_handler_exceptions_stay_private_at_the_gateway(unpatched, patched):
    assert "private detail" in str(unpatched.invoke("ApiFunction", {"path": "/raise"}))
    status, body = patched.get("/v1/raise", ACME)
    assert (status, body) == (502, {"message": "Internal server error"})


def test_tenant_isolation(unpatched, patched):
    shared = [unpatched.invoke("Worker", {}, TenantId=tenant) for tenant in ("acme", "globex")]
    assert shared[0]["pid"] == shared[1]["pid"]
    assert shared[0]["tenant"] is None
    own = [patched.invoke("Worker", {}, TenantId=tenant) for tenant in ("acme", "globex", "acme")]
    assert [worker["tenant"] for worker in own] == ["acme", "globex", "acme"]
    assert own[0]["pid"] == own[2]["pid"] != own[1]["pid"]


@pytest.mark.parametrize(
    ("function", "options"),
    [("Worker", {}), ("ApiFunction", {"TenantId": "acme"}), ("Worker", {"TenantId": "a\tb"})],
    ids=["isolated without tenant", "pooled with tenant", "malformed tenant"],
)
def test_tenant_id_is_required_exactly_where_it_belongs(patched, function, options):
    with pytest.raises(ClientError) as refused:
        patched.invoke(function, {}, **options)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"


def test_tenant_id_is_not_asked_for_unpatched(unpatched):
    assert unpatched.invoke("Worker", {})["tenant"] is None


def test_function_properties(unpatched, patched):
    def properties(stack):
        client = stack.aws("lambda")
        name = stack.outputs["Dispatcher"]
        return (
            client.get_function_concurrency(FunctionName=stack.outputs["ApiFunction"]).get(
                "ReservedConcurrentExecutions"
            ),
            client.get_function_recursion_config(FunctionName=name)["RecursiveLoop"],
            "TenancyConfig" in client.get_function_configuration(FunctionName=stack.outputs["Worker"]),
        )

    assert properties(unpatched) == (None, "Terminate", False)
    assert properties(patched) == (7, "Allow", True)


def test_artifacts_are_unpacked_once(unpatched, patched):
    unpacked = unpatched.invoke("Worker", {}, TenantId="acme")["code"]
    assert "ministack-lambda-" in unpacked
    codes = {patched.invoke("Worker", {}, TenantId=tenant)["code"] for tenant in ("acme", "globex")}
    assert len(codes) == 1
    assert "ministack-lambda-" not in codes.pop()


def test_handlers_see_the_runtime_only(unpatched, patched):
    assert unpatched.invoke("ApiFunction", {})["sees_pytest"] is True
    seen = patched.invoke("ApiFunction", {})
    assert (seen["sees_pytest"], seen["sees_boto3"]) == (False, True)


def test_silent_handlers_do_not_wait_for_their_log(unpatched, patched):
    def fastest(stack):
        times = []
        for _ in range(10):
            started = time.perf_counter()
            stack.invoke("ApiFunction", {})
            times.append(time.perf_counter() - started)
        return min(times)

    assert fastest(patched) < fastest(unpatched)


def test_embedded_metrics(unpatched, patched):
    def metrics(stack):
        stack.invoke("ApiFunction", {"metric": "Seen"})
        return [
            metric["MetricName"]
            for metric in stack.aws("cloudwatch").list_metrics(Namespace="pipe")["Metrics"]
        ]

    assert metrics(unpatched) == []
    assert metrics(patched) == ["Seen"]


def test_ref_of_a_secret_is_its_arn(unpatched, patched):
    assert not unpatched.outputs["SecretRef"].startswith("arn:")
    assert patched.outputs["SecretRef"].startswith("arn:aws:secretsmanager:")
    value = patched.aws("secretsmanager").get_secret_value(SecretId=patched.outputs["SecretRef"])
    assert len(value["SecretString"]) == 40


# ---- IAM


def test_policy_variables(unpatched, patched):
    def send(stack, tenant):
        call = ["sqs", "send_message", {"QueueUrl": stack.outputs["AcmeBox"], "MessageBody": "hello"}]
        return stack.probe(call, role="OpenRole", tenant=tenant)

    assert send(unpatched, "acme") == ["AccessDenied"]
    assert send(patched, "acme") == ["ok"]
    assert send(patched, "globex") == ["AccessDenied"]


def test_leading_keys(unpatched, patched):
    table = unpatched.outputs["Table"]
    assert unpatched.probe(put(table, "T#acme#P"), role="OpenRole", tenant="acme") == [
        "AccessDeniedException"
    ]
    table = patched.outputs["Table"]
    own = [put(table, "T#acme#P"), get(table, "T#acme#P"), batch(table, "T#acme#P"), query(table, "T#acme#P")]
    assert patched.probe(*own, role="OpenRole", tenant="acme") == ["ok"] * 4
    foreign = [
        put(table, "T#globex#P"),
        get(table, "T#globex#P"),
        get(table, "T#acme2#P"),
        batch(table, "T#acme#P", "T#globex#P"),
        query(table, "T#globex#P"),
        query(table, "T#globex#P", index=True),
        transaction(table, "T#acme#P", "T#globex#P"),
        ["dynamodb", "scan", {"TableName": table}],
    ]
    assert patched.probe(*foreign, role="OpenRole", tenant="acme") == ["AccessDeniedException"] * len(foreign)
    assert patched.probe(get(table, "T#acme#P"), role="OpenRole") == ["AccessDeniedException"]


def batch(table: str, *keys: str) -> list:
    return [
        "dynamodb",
        "batch_get_item",
        {"RequestItems": {table: {"Keys": [{"pk": {"S": key}, "sk": {"S": "x"}} for key in keys]}}},
    ]


def query(table: str, key: str, *, index: bool = False) -> list:
    request = {
        "TableName": table,
        "KeyConditionExpression": "#k = :k",
        "ExpressionAttributeNames": {"#k": "gsi1pk" if index else "pk"},
        "ExpressionAttributeValues": {":k": {"S": key}},
    }
    return ["dynamodb", "query", {**request, **({"IndexName": "gsi1"} if index else {})}]


def transaction(table: str, *keys: str) -> list:
    puts = [{"Put": put(table, key)[2]} for key in keys]
    return ["dynamodb", "transact_write_items", {"TransactItems": puts}]


def test_principal_arn_of_a_session_is_its_role(unpatched, patched):
    table = unpatched.outputs["Table"]
    refused = unpatched.probe(get(table, "T#acme#P"), role="TenantRole", tenant="acme")
    assert refused == ["AssumeRole: AccessDenied"]
    table = patched.outputs["Table"]
    assert patched.probe(get(table, "T#acme#P"), role="TenantRole", tenant="acme") == ["ok"]
    extra_tag = patched.probe(get(table, "T#acme#P"), role="TenantRole", tenant="acme", admin="yes")
    untagged = patched.probe(get(table, "T#acme#P"), role="TenantRole")
    assert extra_tag == untagged == ["AssumeRole: AccessDenied"]


def encrypt(stack, context: dict) -> list:
    request = {"KeyId": stack.outputs["KeyId"], "Plaintext": "token"}
    return ["kms", "encrypt", {**request, **({"EncryptionContext": context} if context else {})}]


def test_encryption_context(unpatched, patched):
    assert unpatched.probe(encrypt(unpatched, {"tenant": "acme"})) == ["AccessDeniedException"]
    (sealed,) = patched.probe(encrypt(patched, {"tenant": "acme"}))
    assert sealed.startswith("hex:")
    assert patched.probe(encrypt(patched, {})) == ["AccessDeniedException"]

    def open_as(tenant, context):
        call = ["kms", "decrypt", {"CiphertextBlob": sealed, "EncryptionContext": context}]
        return patched.probe(call, role="OpenRole", tenant=tenant)

    assert open_as("acme", {"tenant": "acme"}) == ["hex:" + b"token".hex()]
    assert open_as("globex", {"tenant": "acme"}) == ["AccessDeniedException"]
    assert open_as("globex", {"tenant": "globex"}) == ["InvalidCiphertextException"]


def test_schedule_group_in_policies(unpatched, patched):
    def create(stack):
        target = {
            "Arn": stack.outputs["InboxArn"],
            "RoleArn": stack.outputs["SchedulerRole"],
            "Input": "group",
        }
        request = {
            "Name": "by-policy",
            "GroupName": stack.outputs["Group"],
            "ScheduleExpression": "rate(1 day)",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": target,
        }
        return stack.probe(["scheduler", "create_schedule", request])

    assert create(unpatched) == ["AccessDeniedException"]
    assert create(patched) == ["ok"]


# ---- Scheduler


def naive(moment: datetime) -> str:
    return f"at({moment.strftime('%Y-%m-%dT%H:%M:%S')})"


def test_universal_target_is_delivered(unpatched, patched):
    patched.schedule("universal", when=naive(datetime.now(UTC)))
    patched.await_inbox("universal")

    unpatched.schedule("universal", when=naive(datetime.now(UTC)))
    control = {"Arn": unpatched.outputs["InboxArn"], "Input": "control"}
    unpatched.schedule("control", when=naive(datetime.now(UTC)), target=control)
    assert "universal" not in [*unpatched.await_inbox("control"), *unpatched.inbox()]


def test_universal_target_needs_its_role(patched):
    patched.schedule("forbidden", when=naive(datetime.now(UTC)), role="IdleRole")
    patched.schedule("allowed", when=naive(datetime.now(UTC)))
    assert "forbidden" not in [*patched.await_inbox("allowed"), *patched.inbox()]
    assert "forbidden" in patched.cloud.log.read_text()


def test_time_zones(unpatched, patched):
    # Auckland's wall clock is ahead of UTC: read as UTC, a moment just past lies hours in the future
    auckland = naive(datetime.now(ZoneInfo("Pacific/Auckland")))
    patched.schedule("auckland", when=auckland, ScheduleExpressionTimezone="Pacific/Auckland")
    patched.await_inbox("auckland")

    here = {"Arn": unpatched.outputs["InboxArn"]}
    unpatched.schedule(
        "auckland",
        when=auckland,
        ScheduleExpressionTimezone="Pacific/Auckland",
        target={**here, "Input": "auckland"},
    )
    unpatched.schedule("utc", when=naive(datetime.now(UTC)), target={**here, "Input": "utc"})
    assert "auckland" not in [*unpatched.await_inbox("utc"), *unpatched.inbox()]


def test_wrong_expressions_are_refused(unpatched, patched):
    unpatched.schedule("wrong", when="every(5 minutes)")
    for expression, options in (
        ("every(5 minutes)", {}),
        ("rate(1 day)", {"ScheduleExpressionTimezone": "Mars/Olympus"}),
    ):
        with pytest.raises(ClientError) as refused:
            patched.schedule("wrong", when=expression, **options)
        assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_a_bucket_that_wants_tls(unpatched, patched):
    """The usual deny of what is not TLS, on an emulator that speaks HTTP on the loopback."""
    statement = {"Action": "s3:GetObject", "Resource": "arn:aws:s3:::tls-only/*"}
    deny = {**statement, "Sid": "TlsOnly", "Effect": "Deny", "Principal": "*"}
    deny["Condition"] = {"Bool": {"aws:SecureTransport": "false"}}

    def reads(stack):
        s3, iam, env = stack.aws("s3"), stack.aws("iam"), stack.cloud.env
        s3.create_bucket(Bucket="tls-only")
        s3.put_object(Bucket="tls-only", Key="x", Body=b"x")
        s3.put_bucket_policy(
            Bucket="tls-only", Policy=json.dumps({"Version": "2012-10-17", "Statement": [deny]})
        )
        # The root user stands above policies.
        allow = {"Version": "2012-10-17", "Statement": [{**statement, "Effect": "Allow"}]}
        iam.create_user(UserName="reader")
        iam.put_user_policy(UserName="reader", PolicyName="read", PolicyDocument=json.dumps(allow))
        key = iam.create_access_key(UserName="reader")["AccessKey"]
        reader = boto3.client(
            "s3",
            endpoint_url=env["AWS_ENDPOINT_URL"],
            region_name=env["AWS_REGION"],
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
        )
        return reader.get_object(Bucket="tls-only", Key="x")["Body"].read()

    with pytest.raises(ClientError, match="explicit deny"):
        reads(unpatched)
    assert reads(patched) == b"x"
