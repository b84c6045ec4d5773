"""The IAM wall: every call the product makes is allowed, the same call on another tenant is not.

Policies are those of the rendered template; they are evaluated by an implementation that is independent of
the emulators. The last test weakens them one by one: each weakening must let something through.
"""

import copy
import fnmatch
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from lantern.domain.work import ROUTES as WORK
from lantern.runtime.api.application import ROUTES as API
from lantern.runtime.api.routing import Router
from lantern.services.people.links import PATHS
from scripts.local_cloud.iam_simulate import Decision, simulate
from tests.isolation.account import FUNCTIONS, RESOURCES, Account
from tests.isolation.iam import (
    KEYS,
    OTHER,
    STRANGER,
    TAG,
    TENANT,
    TENANT_ROLES,
    Access,
    accesses,
    arn,
    policies,
    request,
)
from tests.support import rendered

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("lived")]
"""With the stack tests: the evaluator is a development tool that npm delivers."""


def denied(wanted: list[Access], resources: Mapping[str, Any] = RESOURCES) -> list[Access]:
    """Those that AWS would refuse."""
    decisions = simulate([request(access, resources) for access in wanted])
    return [a for a, d in zip(wanted, decisions, strict=True) if d is not Decision.ALLOWED]


def allowed(wanted: list[Access], resources: Mapping[str, Any] = RESOURCES) -> list[Access]:
    """Those that AWS would let through."""
    refused = set(denied(wanted, resources))
    return [access for access in wanted if access not in refused]


@pytest.fixture(scope="module")
def seen(lived: Account) -> list[Access]:
    return accesses(lived.calls)


@pytest.fixture(scope="module")
def on_tenants(seen: list[Access]) -> list[Access]:
    return [access for access in seen if access.role in TENANT_ROLES]


def test_the_product_was_used_by_every_function(lived: Account, on_tenants: list[Access]):
    assert {call.function for call in lived.calls} == set(FUNCTIONS)
    assert {access.role for access in on_tenants} == set(TENANT_ROLES)
    kinds = {key.split("#")[2] for access in on_tenants for key in access.keys or ()}
    assert len(kinds) > 8, kinds


def test_every_operation_and_every_page_was_used(lived: Account):
    router = Router(API)
    operations = {router.match(*one)[0].operation for one in lived.asked if one[1].startswith("/v1/")}
    assert {route.operation for route in API} - operations == set()
    pages = {(method, f"/{kind}/{{token}}") for kind in set(PATHS.values()) for method in ("GET", "POST")}
    assert pages - lived.asked == set()


def test_every_kind_of_work_was_done(lived: Account):
    done = {json.loads(call.params["Payload"])["kind"] for call in lived.calls if call.operation == "Invoke"}
    assert set(WORK) - done == set()


def test_everything_the_product_does_is_allowed(seen: list[Access]):
    assert denied(seen) == []


def test_nothing_of_it_is_allowed_on_another_tenant(on_tenants: list[Access]):
    foreign = [access.of(OTHER) for access in on_tenants]
    assert all(a != b for a, b in zip(foreign, on_tenants, strict=True))
    assert allowed(foreign) == []


SENDER = f"arn:aws:ses:{rendered.REGION}:{rendered.ACCOUNT}:identity/mail.lantern.example"
"""The identity that alerts are mailed from."""


def attacks() -> list[Access]:
    """Requests of a tenant's session that no policy may let through."""
    table, found = arn("TenantTable"), []
    for role in TENANT_ROLES:
        own = Access(role, "dynamodb:GetItem", table, (f"T#{TENANT}#APP",), TENANT)
        foreign = replace(own, keys=(f"T#{OTHER}#APP",))
        found += [
            foreign,
            replace(own, keys=(f"T#{TENANT}#APP", f"T#{OTHER}#APP"), action="dynamodb:BatchGetItem"),
            replace(own, keys=None),
            replace(own, keys=(f"T#{TENANT}x#APP",)),
            replace(own, tag=None),
            replace(own, tag=None, keys=("T##APP",)),
            replace(own, keys=(f"X#{TENANT}#APP",)),
            replace(own, action="dynamodb:Scan", keys=None),
            replace(own, action="dynamodb:PartiQLSelect"),
            replace(own, action="dynamodb:DeleteTable", keys=None),
            replace(own, resource=arn("PlatformTable")),
            replace(own, resource=f"{table}/index/gsi2", action="dynamodb:Query"),
            *(
                replace(own, resource=f"{table}/index/gsi1", action="dynamodb:Query", keys=keys)
                for keys in (foreign.keys, (f"T#{TENANT}x#APP",), None)
            ),
            *(replace(foreign, action=f"dynamodb:{verb}Item") for verb in ("Put", "Update", "Delete")),
        ]
    outreach = Access("TenantOutreachRole", "", table, (f"T#{TENANT}#APP",), TENANT)
    found += [replace(outreach, action=f"dynamodb:{verb}Item") for verb in ("Delete", "BatchWrite", "Update")]
    key = arn("TenantSecretsKey")
    context = (("kms:EncryptionContext:connection", "con_1"), ("kms:EncryptionContext:tenant", TENANT))
    opened = Access("TenantWorkerRole", "kms:Decrypt", key, None, TENANT, context)
    opened_by_outreach = replace(opened, role="TenantOutreachRole")
    sealed = replace(opened, role="OnboardingFunctionRole", action="kms:Encrypt", tag=None)
    found += [
        opened.of(OTHER),
        replace(opened, tag=None),
        replace(opened, context=()),
        replace(opened, context=context[:1]),
        replace(opened, context=context[1:]),
        replace(opened, role="TenantDataRole"),
        replace(opened, action="kms:Encrypt"),
        replace(sealed, action="kms:Decrypt"),
        replace(sealed, context=context[1:]),
        replace(sealed, context=context[:1]),
        replace(opened, role=STRANGER),
        replace(opened, role=STRANGER, tag=None),
        replace(sealed, role=STRANGER),
        replace(opened, role=STRANGER, action="kms:Encrypt"),
        *(
            replace(opened, role="TenantDataRole", action="kms:Encrypt", **weaker)
            for weaker in ({"tag": None}, {"context": ()}, {"context": context[:1]}, {"context": context[1:]})
        ),
        replace(opened, role="TenantDataRole", action="kms:Encrypt").of(OTHER),
        opened_by_outreach.of(OTHER),
        replace(opened_by_outreach, tag=None),
        replace(opened_by_outreach, action="kms:Encrypt"),
        *(
            Access(f"{name}FunctionRole", "ses:SendEmail", SENDER, context=(("ses:FromAddress", address),))
            for name in FUNCTIONS
            for address in ("alerts@mail.lantern.example", "ceo@mail.lantern.example")
            if (name, address) != ("Outreach", "alerts@mail.lantern.example")
        ),
        Access(
            "OutreachFunctionRole",
            "ses:SendEmail",
            SENDER.replace("mail.lantern", "other"),
            context=(("ses:FromAddress", "alerts@mail.lantern.example"),),
        ),
        *(replace(opened, role=f"{name}FunctionRole", tag=None) for name in FUNCTIONS),
        *(replace(sealed, role=f"{name}FunctionRole") for name in FUNCTIONS if name != "Onboarding"),
    ]
    return found + _assumptions() + _publications() + _uploads() + _reaches()


_MAY_CALL = {
    ("HintsDispatcher", "Discovery"),
    ("HintsDispatcher", "Scoring"),
    ("HintsDispatcher", "Outreach"),
    ("RunsDispatcher", "Discovery"),
    ("RunsDispatcher", "Scoring"),
    ("RunsDispatcher", "Remediation"),
}
_MAY_SEND = {
    ("Router", "HintsQueue"),
    ("Router", "RunsQueue"),
    ("Router", "StreamDeadLetters"),
    ("Webhooks", "HintsQueue"),
    ("Webhooks", "RunsQueue"),
    ("Discovery", "HintsQueue"),
    ("Discovery", "RunsQueue"),
    ("Api", "RunsQueue"),
    ("Remediation", "RunsQueue"),
    ("Outreach", "HintsQueue"),
}
_MAY_READ = {
    *((name, "OAuth") for name in ("Onboarding", "Discovery", "Remediation")),
    ("Discovery", "Mail"),
    ("Webhooks", "Push"),
    ("Api", "Signing"),
}


def _reaches() -> list[Access]:
    """Workers, queues and secrets that are no business of a function's."""

    def by(name: str, action: str, logical: str) -> Access:
        return Access(f"{name}FunctionRole", action, arn(logical))

    of_type = {kind: [n for n, r in RESOURCES.items() if r["Type"] == f"AWS::{kind}"] for kind in _REACHED}
    return [
        *(
            by(name, "lambda:InvokeFunction", f"{worker}Function")
            for name in FUNCTIONS
            for worker in FUNCTIONS
            if (name, worker) not in _MAY_CALL
        ),
        *(
            by(name, "sqs:SendMessage", queue)
            for name in FUNCTIONS
            for queue in of_type["SQS::Queue"]
            if (name, queue) not in _MAY_SEND
        ),
        *(
            by(name, "secretsmanager:GetSecretValue", secret)
            for name in FUNCTIONS
            for secret in of_type["SecretsManager::Secret"]
            if not any(name == who and kind in secret for who, kind in _MAY_READ)
        ),
    ]


_REACHED = ("SQS::Queue", "SecretsManager::Secret")


def _uploads() -> list[Access]:
    """Another tenant's part of the bucket, and what a role does not need of its own."""
    bucket = arn("DropsBucket")
    own = Access("TenantDataRole", "s3:PutObject", f"{bucket}/{TENANT}/imp_1", tag=TENANT)
    needed = {("TenantDataRole", "Put"), ("TenantWorkerRole", "Get"), ("TenantWorkerRole", "Delete")}
    found = []
    for role in TENANT_ROLES:
        for verb in ("Put", "Get", "Delete"):
            one = replace(own, role=role, action=f"s3:{verb}Object")
            foreign = (f"{bucket}/{OTHER}/imp_1", f"{bucket}/{TENANT}x/imp_1", f"{bucket}/imp_1")
            found += [replace(one, resource=place) for place in foreign]
            found += [replace(one, tag=None), replace(one, tag=None, resource=f"{bucket}//imp_1")]
            found += [] if (role, verb) in needed else [one]
        found.append(replace(own, role=role, action="s3:ListBucket", resource=bucket))
    found += [
        replace(own, role=f"{name}FunctionRole", action=f"s3:{verb}Object", tag=None)
        for name in FUNCTIONS
        for verb in ("Put", "Get", "Delete")
    ]
    return found


def _publications() -> list[Access]:
    """What operators publish holds for all tenants: nobody else may write it, judges may read it alone."""
    table = arn("PlatformTable")
    written = [
        Access(f"{name}FunctionRole", f"dynamodb:{verb}Item", table, ("CATALOG",))
        for name in FUNCTIONS
        for verb in ("Put", "Update", "Delete")
    ]
    mixed = [replace(one, keys=("CATALOG", "KEY#any#")) for one in written]
    unnamed = [replace(one, keys=None) for one in written]
    read = [
        Access(f"{name}FunctionRole", "dynamodb:GetItem", table, keys)
        for name in ("Discovery", "Scoring")
        for keys in (("KEY#any#",), ("TENANT",), ("CATALOGX",), ("CATALOG", "TENANT"), None)
    ]
    queried = [
        Access(f"{name}FunctionRole", "dynamodb:Query", table, ("CATALOG",))
        for name in FUNCTIONS
        if name != "Housekeeping"
    ]
    return [*written, *mixed, *unnamed, *read, *queried]


_MAY_ASSUME = {
    "TenantDataRole": {"Api", "Onboarding", "People", "Scoring", "Housekeeping"},
    "TenantWorkerRole": {"Discovery", "Remediation"},
    "TenantOutreachRole": {"Outreach"},
}


def _assume(function: str, role: str, *tags: tuple[str, str]) -> Access:
    context = tuple((f"aws:RequestTag/{name}", value) for name, value in tags)
    return Access(f"{function}FunctionRole", "sts:AssumeRole", arn(role), context=context)


def _assumptions() -> list[Access]:
    """Sessions that no trust policy may give: the wrong function, no tag, a tag too many, an odd tag."""
    found = []
    for role, functions in _MAY_ASSUME.items():
        found.append(replace(_assume("", role, ("tenant", TENANT)), role=STRANGER))
        found += [_assume(other, role, ("tenant", TENANT)) for other in set(FUNCTIONS) - functions]
        for function in sorted(functions):
            found += [
                _assume(function, role),
                _assume(function, role, ("tenant", "*")),
                _assume(function, role, ("tenant", "")),
                _assume(function, role, ("tenant", TENANT), ("role", "admin")),
                _assume(function, role, ("customer", TENANT)),
            ]
    return found


def test_no_attack_is_let_through():
    assert allowed(attacks()) == []


def test_who_must_can_assume():
    wanted = [_assume(f, role, ("tenant", TENANT)) for role, fs in _MAY_ASSUME.items() for f in fs]
    assert denied(wanted) == []


# --- nothing that is not needed ---------------------------------------------------------------------

OPERATOR = "OperatorRole"
"""People assume it through `scripts/admin.py`, whose own tests say what that needs."""
UNUSED = {
    # (role, action): why it is granted although nothing here makes AWS ask for it.
    ("SchedulerRole", "sqs:SendMessage"): "EventBridge Scheduler sends; the stack test sees it",
    ("HousekeepingFunctionHourlyRole", "lambda:InvokeFunction"): "EventBridge Scheduler invokes",
    ("RemediationFunctionRole", "sqs:SendMessage"): "a job that outlasts its invocation hands itself on",
}


def _granted() -> Iterator[tuple[str, str, str]]:
    """(role, action, resource) of every allow statement written in the template."""
    for name, resource in RESOURCES.items():
        if resource["Type"] == "AWS::IAM::Role" and name != OPERATOR:
            for policy in policies(name):
                for statement in policy["Statement"]:
                    for action in _listed(statement["Action"]):
                        for target in _listed(statement["Resource"]):
                            yield name, action, target.replace(f"${{{TAG}}}", TENANT)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_nothing_is_granted_that_nothing_uses(seen: list[Access]):
    used = {(access.role, access.action) for access in seen}
    granted = {(role, action) for role, action, _ in _granted()}
    assert granted - used == set(UNUSED)


UNUSED_RESOURCES = {
    # (role, action, logical id): why it is granted on this resource although nothing here uses it there.
    ("RouterFunctionRole", "sqs:SendMessage", "StreamDeadLetters"): "the mapping sends what it gives up",
    ("WebhooksFunctionRole", "sqs:SendMessage", "RunsQueue"): "a push that names no account reads the feed",
    **{
        (f"{worker}FunctionRole", "secretsmanager:GetSecretValue", f"{provider}OAuthSecret"): (
            "the workers here read Google and Slack; one line reads whichever secret a connection needs"
        )
        for worker in ("Discovery", "Remediation")
        for provider in ("Entra", "GitHub", "Salesforce")
    },
}


def test_nothing_is_granted_where_nothing_uses_it(seen: list[Access]):
    used = {(access.role, access.action, access.resource) for access in seen}
    idle = {
        (role, action, target)
        for role, action, target in _granted()
        if (role, action) not in UNUSED
        and not any(r == role and a == action and fnmatch.fnmatchcase(at, target) for r, a, at in used)
    }
    assert {(role, action, _logical(target)) for role, action, target in idle} == set(UNUSED_RESOURCES)


def _logical(target: str) -> str:
    return target.rsplit(":", 1)[1].removesuffix("-A1B2C3").rsplit("-", 1)[1]


# --- each weakening is noticed ----------------------------------------------------------------------

Weaken = Callable[[dict[str, Any]], None]


def _own_keys(resources: dict[str, Any], role: str) -> dict[str, Any]:
    """The statement on the table; `<role>/index` names the one on the index."""
    role, _, index = role.partition("/")
    inline = resources[role]["Properties"]["Policies"][1 if index else 0]
    (statement,) = inline["PolicyDocument"]["Statement"]
    return statement


def _condition(role: str, operator: str, key: str | None = None, value: Any = None) -> Weaken:
    def weaken(resources: dict[str, Any]) -> None:
        condition = _own_keys(resources, role)["Condition"]
        if key is None:
            del condition[operator]
        elif value is None:
            del condition[operator][key]
        else:
            condition[operator][key] = value

    return weaken


def _grant(role: str, **changes: Any) -> Weaken:
    return lambda resources: _own_keys(resources, role).update(changes)


def _drops(role: str, **changes: Any) -> Weaken:
    def weaken(resources: dict[str, Any]) -> None:
        inline = resources[role]["Properties"]["Policies"][-1]
        assert inline["PolicyName"] == "own-drops"
        inline["PolicyDocument"]["Statement"][0].update(changes)

    return weaken


def _gain(role: str, action: str, resource: str) -> Weaken:
    """One statement more, for what a role has no business with."""

    def weaken(resources: dict[str, Any]) -> None:
        statement = {"Effect": "Allow", "Action": action, "Resource": resource}
        document = {"Version": "2012-10-17", "Statement": [statement]}
        resources[role]["Properties"]["Policies"].append({"PolicyName": "more", "PolicyDocument": document})

    return weaken


def _mails(**changes: Any) -> Weaken:
    """The statement by which outreach mails, changed; without a part where that is None."""

    def weaken(resources: dict[str, Any]) -> None:
        for inline in resources["OutreachFunctionRole"]["Properties"]["Policies"]:
            for statement in inline["PolicyDocument"]["Statement"]:
                if statement["Action"] == "ses:SendEmail":
                    kept = {**statement, **changes}
                    statement.clear()
                    statement.update({key: value for key, value in kept.items() if value is not None})

    return weaken


def _key_policy(sid: str, operator: str, key: str | None = None) -> Weaken:
    def weaken(resources: dict[str, Any]) -> None:
        found = resources["TenantSecretsKey"]["Properties"]["KeyPolicy"]["Statement"]
        condition = next(s for s in found if s["Sid"] == sid)["Condition"]
        if key is None:
            del condition[operator]
        else:
            del condition[operator][key]

    return weaken


def _trust(role: str, operator: str) -> Weaken:
    def weaken(resources: dict[str, Any]) -> None:
        (statement,) = resources[role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        del statement["Condition"][operator]

    return weaken


def _any_action(resources: dict[str, Any]) -> None:
    found = resources["TenantSecretsKey"]["Properties"]["KeyPolicy"]["Statement"]
    next(s for s in found if s["Sid"] == "Open")["Action"] = "kms:*"


def _principals(sid: str, *principals: str) -> Weaken:
    """A statement of the key's policy that holds for others too."""

    def weaken(resources: dict[str, Any]) -> None:
        found = resources["TenantSecretsKey"]["Properties"]["KeyPolicy"]["Statement"]
        statement = next(s for s in found if s["Sid"] == sid)
        statement["Principal"] = {"AWS": list(principals)}

    return weaken


_ANYBODY = f"arn:aws:iam::{rendered.ACCOUNT}:root"


def _of_function(function: str, action: str, operator: str) -> Weaken:
    """One condition less in a function's statement on the platform table."""

    def weaken(resources: dict[str, Any]) -> None:
        target = arn("PlatformTable")
        for inline in resources[f"{function}FunctionRole"]["Properties"]["Policies"]:
            for statement in inline["PolicyDocument"]["Statement"]:
                if action in _listed(statement["Action"]) and target in _listed(statement["Resource"]):
                    del statement["Condition"][operator]

    return weaken


_LIKE = "ForAllValues:StringLike"
MUTATIONS: dict[str, Weaken] = {
    **{
        f"{role}: {what}": weaken
        for role in TENANT_ROLES
        for what, weaken in {
            "no Null on the keys": _condition(role, "Null", KEYS),
            "no Null at all": _condition(role, "Null"),
            "no LeadingKeys": _condition(role, _LIKE),
            "any key": _condition(role, _LIKE, KEYS, ["*"]),
            "any tenant": _condition(role, _LIKE, KEYS, ["T#*"]),
            "no separator after the tenant": _condition(role, _LIKE, KEYS, ["T#${aws:PrincipalTag/tenant}*"]),
            "one key of many is enough": lambda resources, role=role: _own_keys(resources, role)[
                "Condition"
            ].update({"ForAnyValue:StringLike": _own_keys(resources, role)["Condition"].pop(_LIKE)}),
            "any action": _grant(role, Action="dynamodb:*"),
            "scan": lambda resources, role=role: _own_keys(resources, role).update(
                Action=["dynamodb:Scan"], Condition={}
            ),
            "any table": _grant(role, Resource="*"),
            "no condition": _grant(role, Condition={}),
            "trust: any principal": _trust(role, "ArnLike"),
            "trust: any tag value": _trust(role, "StringLike"),
            "trust: more tags": _trust(role, "ForAllValues:StringEquals"),
        }.items()
    },
    **{
        f"{role}: index, {what}": _condition(f"{role}/index", *change)
        for role in TENANT_ROLES
        for what, change in {
            "no Null": ("Null",),
            "no LeadingKeys": (_LIKE,),
            "any tenant": (_LIKE, KEYS, ["T#*"]),
            "no separator after the tenant": (_LIKE, KEYS, ["T#${aws:PrincipalTag/tenant}*"]),
        }.items()
    },
    **{
        f"{role}: files {what}": _drops(role, **changes)
        for role in ("TenantDataRole", "TenantWorkerRole")
        for what, changes in {
            "of any tenant": {"Resource": f"{arn('DropsBucket')}/*"},
            "without a slash": {"Resource": f"{arn('DropsBucket')}/${{{TAG}}}*"},
            "in any way": {"Action": "s3:*", "Resource": "*"},
        }.items()
    },
    **{
        f"{function} publishes: no {operator}": _of_function(function, "dynamodb:PutItem", operator)
        for function in ("Api", "Onboarding", "Webhooks", "Discovery")
        for operator in ("ForAllValues:StringNotEquals", "Null")
    },
    **{
        f"{function} reads more: no {operator}": _of_function(function, "dynamodb:GetItem", operator)
        for function in ("Scoring", "Discovery")
        for operator in ("ForAllValues:StringEquals", "Null")
    },
    "outreach removes items": _grant(
        "TenantOutreachRole", Action=["dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:Query"]
    ),
    "outreach reads files": _gain("TenantOutreachRole", "s3:GetObject", f"{arn('DropsBucket')}/${{{TAG}}}/*"),
    "outreach mails as anybody": _mails(Condition=None),
    "outreach mails by any identity": _mails(Resource="*"),
    "people mail": _gain("PeopleFunctionRole", "ses:SendEmail", "*"),
    "people send work": _gain("PeopleFunctionRole", "sqs:SendMessage", arn("RunsQueue")),
    "outreach sends jobs": _gain("OutreachFunctionRole", "sqs:SendMessage", arn("RunsQueue")),
    "outreach acts at providers": _gain(
        "OutreachFunctionRole", "secretsmanager:GetSecretValue", arn("GoogleOAuthSecret")
    ),
    "hints begin jobs": _gain(
        "HintsDispatcherFunctionRole", "lambda:InvokeFunction", arn("RemediationFunction")
    ),
    "outreach calls a worker": _gain("OutreachFunctionRole", "lambda:InvokeFunction", "*"),
    "key: the API opens": _principals("Open", arn("TenantDataRole")),
    "key: anybody seals what is a tenant's": _principals("SealOwn", _ANYBODY),
    "key: any context to open": _key_policy("Open", "StringEquals"),
    "key: the API seals for any tenant": _key_policy("SealOwn", "StringEquals"),
    "key: the API seals without a connection": _key_policy(
        "SealOwn", "Null", "kms:EncryptionContext:connection"
    ),
    "key: no connection to open": _key_policy("Open", "Null", "kms:EncryptionContext:connection"),
    "key: any principal to open": _principals("Open", _ANYBODY),
    "key: any role to seal": _key_policy("Seal", "ArnLike"),
    "key: any action": _any_action,
    "key: no context to seal": _key_policy("Seal", "Null"),
    "key: no tenant to seal": _key_policy("Seal", "Null", "kms:EncryptionContext:tenant"),
    "key: no connection to seal": _key_policy("Seal", "Null", "kms:EncryptionContext:connection"),
}


@pytest.fixture(scope="module")
def broken() -> dict[str, int]:
    """How many attacks each weakening lets through; all in one go, because the evaluator starts slowly."""
    worlds, requests = {}, []
    attempts = attacks()
    before = [request(attack) for attack in attempts]
    for name, weaken in MUTATIONS.items():
        resources = copy.deepcopy(RESOURCES)
        weaken(resources)
        # What a weakening does not touch is refused as before: see `test_no_attack_is_let_through`.
        after = (request(attack, resources) for attack in attempts)
        worlds[name] = [now for was, now in zip(before, after, strict=True) if now != was]
        requests += worlds[name]
    decisions = iter(simulate(requests))
    return {name: sum(next(decisions) is Decision.ALLOWED for _ in wanted) for name, wanted in worlds.items()}


@pytest.mark.parametrize("name", sorted(MUTATIONS))
def test_each_weakening_is_noticed(broken: dict[str, int], name: str):
    assert broken[name] > 0
