"""A call to AWS as IAM sees it: actions on resources, with the condition keys that AWS would fill in."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from scripts.local_cloud.iam_simulate import IamRequest
from tests.isolation.account import BUCKETS, RESOURCES, Call
from tests.support import rendered

TENANT, OTHER = "aaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbb"
KEYS, TAG = "dynamodb:LeadingKeys", "aws:PrincipalTag/tenant"
_SES = f"arn:aws:ses:{rendered.REGION}:{rendered.ACCOUNT}"
TENANT_ROLES = ("TenantDataRole", "TenantWorkerRole", "TenantOutreachRole")


@dataclass(frozen=True)
class Access:
    """One action by one role on one resource; tenants' ids are replaced by `TENANT`."""

    role: str
    action: str
    resource: str
    keys: tuple[str, ...] | None = None
    tag: str | None = None
    context: tuple[tuple[str, str], ...] = ()

    def of(self, tenant: str) -> "Access":
        """The same request, for keys and secrets of another tenant."""
        return replace(
            self,
            keys=None if self.keys is None else tuple(k.replace(TENANT, tenant) for k in self.keys),
            context=tuple((k, v.replace(TENANT, tenant)) for k, v in self.context),
            resource=self.resource.replace(TENANT, tenant),
        )


def arn(logical: str) -> str:
    """The rendered ARN of a resource."""
    return rendered.arn(logical, RESOURCES[logical]["Type"])


def accesses(calls: list[Call]) -> list[Access]:
    """What IAM would decide about these calls, without repetitions."""
    return list(dict.fromkeys(access for call in calls for access in _accesses(call)))


def _accesses(call: Call) -> Iterator[Access]:
    base = Access(call.role, "", "", tag=TENANT if call.tenant else None)
    if call.service == "dynamodb":
        for action, table, keys in _items(call.operation, call.params):
            # A key stands for all keys of its kind: the first three parts of it, tenant included.
            known = tuple(sorted({"#".join(_anonymous(call, key).split("#")[:3]) for key in keys}))
            yield replace(base, action=f"dynamodb:{action}", resource=table, keys=known)
        return
    asked = replace(base, **_other(call))
    yield asked
    # Some calls make AWS ask for a second permission.
    if call.service == "sesv2" and call.params.get("ConfigurationSetName"):
        name = call.params["ConfigurationSetName"]
        yield replace(asked, resource=f"{_SES}:configuration-set/{name}")
    if call.service == "sts" and call.params.get("Tags"):
        yield replace(asked, action="sts:TagSession")
    if call.service == "scheduler" and "Target" in call.params:
        passed = (("iam:PassedToService", "scheduler.amazonaws.com"),)
        resource = call.params["Target"]["RoleArn"]
        yield replace(base, action="iam:PassRole", resource=resource, context=passed)


def _anonymous(call: Call, key: str) -> str:
    tenant = call.tenant or (key.split("#")[1] if key.startswith("T#") else None)
    return key.replace(tenant, TENANT) + ("#" if key.count("#") < 2 else "") if tenant else key


def _table(name: str) -> str:
    logical = next(t for t in ("TenantTable", "PlatformTable") if rendered.physical_name(t) == name)
    return arn(logical)


def _items(operation: str, params: Mapping[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
    """(action, resource, partition keys) of a request; a transaction is authorized item by item."""
    if operation == "TransactWriteItems":
        for item in params["TransactItems"]:
            ((kind, body),) = item.items()
            yield (
                f"{kind.removesuffix('Item')}Item",
                _table(body["TableName"]),
                [(body.get("Key") or body["Item"])["pk"]["S"]],
            )
    elif operation == "BatchGetItem":
        for table, request in params["RequestItems"].items():
            yield operation, _table(table), [key["pk"]["S"] for key in request["Keys"]]
    elif operation == "BatchWriteItem":
        for table, requests in params["RequestItems"].items():
            bodies = [body for request in requests for body in request.values()]
            yield operation, _table(table), [(b.get("Key") or b["Item"])["pk"]["S"] for b in bodies]
    elif operation == "Query":
        index = f"/index/{params['IndexName']}" if params.get("IndexName") else ""
        values = params["ExpressionAttributeValues"].values()
        # The partition key is the value that looks like one; every other value is a sort key.
        keys = [v["S"] for v in values if v.get("S", "").startswith(("T#", "TENANT"))]
        yield operation, _table(params["TableName"]) + index, keys[:1]
    else:
        key = params.get("Key") or params["Item"]
        yield operation, _table(params["TableName"]), [key["pk"]["S"]]


def _other(call: Call) -> dict[str, Any]:
    params, region, account = call.params, rendered.REGION, rendered.ACCOUNT
    match call.service, call.operation:
        case "sqs", operation:
            return {"action": f"sqs:{operation}", "resource": _queue(params["QueueUrl"])}
        case "kms", operation:
            context = {f"kms:EncryptionContext:{k}": v for k, v in params["EncryptionContext"].items()}
            tenant = params["EncryptionContext"]["tenant"]
            known = tuple(sorted((k, TENANT if v == tenant else "con_any") for k, v in context.items()))
            return {"action": f"kms:{operation}", "resource": arn("TenantSecretsKey"), "context": known}
        case "secretsmanager", operation:
            logical = _secret(params["SecretId"])
            return {"action": f"secretsmanager:{operation}", "resource": arn(logical)}
        case "sts", operation:
            tags = tuple((f"aws:RequestTag/{t['Key']}", TENANT) for t in params["Tags"])
            return {"action": f"sts:{operation}", "resource": params["RoleArn"], "context": tags}
        case "scheduler", operation:
            resource = f"arn:aws:scheduler:{region}:{account}:schedule/lantern-test/schedule"
            return {"action": f"scheduler:{operation}", "resource": resource}
        case "sesv2", "GetSuppressedDestination":
            return {"action": "ses:GetSuppressedDestination", "resource": "*"}
        case "sesv2", operation:
            sender = params["FromEmailAddress"].rpartition("<")[2].rstrip(">")
            resource = f"{_SES}:identity/{sender.partition('@')[2]}"
            return {
                "action": f"ses:{operation}",
                "resource": resource,
                "context": (("ses:FromAddress", sender),),
            }
        case "lambda", "Invoke":
            logical = params["FunctionName"].split("-")[-2]
            return {"action": "lambda:InvokeFunction", "resource": arn(logical)}
        case "s3", operation:
            bucket = next(b for b in BUCKETS if rendered.physical_name(b).lower() == params["Bucket"])
            prefix = TENANT if bucket == "DropsBucket" else params["Key"].split("/")[0]
            return {"action": f"s3:{operation}", "resource": f"{arn(bucket)}/{prefix}/object"}
    raise AssertionError(f"{call.service} {call.operation} is not known here")


def _secret(identifier: str) -> str:
    """The logical id of a secret, by what the account named it (`oauth/google`, `mail/google`, `signing`)."""
    kind, slash, rest = identifier.rpartition(":")[2].partition("/")
    if not slash:
        return "SigningSecret"
    provider = {"github": "GitHub"}.get(name := rest.rsplit("-", 1)[0], name.capitalize())
    return f"{provider}{ {'oauth': 'OAuth', 'push': 'Push', 'mail': 'Mail'}[kind] }Secret"


def _queue(url: str) -> str:
    return f"arn:aws:sqs:{rendered.REGION}:{rendered.ACCOUNT}:{url.rpartition('/')[2]}"


# --- requests ---------------------------------------------------------------------------------------


STRANGER = "Stranger"
"""A role of the account that its identity policies let do anything: only resource policies stop it."""
_ANYTHING = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["kms:*", "sts:*"], "Resource": "*"}],
}


def policies(role: str, resources: Mapping[str, Any] = RESOURCES) -> list[Mapping[str, Any]]:
    """The inline policies of a role."""
    if role == STRANGER:
        return [_ANYTHING]
    return [inline["PolicyDocument"] for inline in resources[role]["Properties"].get("Policies", [])]


def session(role: str) -> str:
    """A session of a role, as AWS names it."""
    return f"arn:aws:sts::{rendered.ACCOUNT}:assumed-role/{rendered.physical_name(role)}/session"


def request(access: Access, resources: Mapping[str, Any] = RESOURCES) -> IamRequest:
    """What AWS would evaluate for an access, under the policies of `resources`."""
    context: dict[str, Any] = {_known(key): value for key, value in access.context}
    context["aws:PrincipalArn"] = (
        f"arn:aws:iam::{rendered.ACCOUNT}:role/{rendered.physical_name(access.role)}"
    )
    if access.tag is not None:
        context[TAG] = access.tag
    tags = [key.partition("/")[2] for key, _ in access.context if key.startswith("aws:RequestTag/")]
    if tags:
        context["aws:TagKeys"] = tags
    if access.keys is not None:
        context[KEYS] = list(access.keys)
    return IamRequest(
        principal=session(access.role),
        action=access.action,
        resource=access.resource,
        identity_policies=policies(access.role, resources),
        context=context,
        resource_policy=_resource_policy(access, resources),
    )


def _known(text: str) -> str:
    """Encryption contexts under a name that the evaluator knows.

    It drops `kms:EncryptionContext:<key>` as a key that KMS does not have: of names with a variable part it
    knows those with a slash only. The condition operators do the same with either name.
    """
    return text.replace("kms:EncryptionContext:", "aws:RequestTag/kms-encryption-context-")


def _resource_policy(access: Access, resources: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if access.action.startswith("kms:"):
        return json.loads(_known(json.dumps(resources["TenantSecretsKey"]["Properties"]["KeyPolicy"])))
    if access.action.startswith("sts:"):
        logical = access.resource.rsplit("/", 1)[1].split("-")[-2]
        return resources[logical]["Properties"]["AssumeRolePolicyDocument"]
    return None
