"""The policy evaluator knows a tenant's own keys, and each weakened policy lets an attack through."""

import copy

import pytest

from scripts.local_cloud.iam_simulate import Decision, IamRequest, SimulationError, simulate

pytestmark = pytest.mark.stack

TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/tenants"
SESSION = "arn:aws:sts::123456789012:assumed-role/TenantRole/acme"
KEYS = "dynamodb:LeadingKeys"
TAG = "aws:PrincipalTag/tenant"

OWN_KEYS = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["dynamodb:GetItem", "dynamodb:BatchGetItem"],
            "Resource": [TABLE, f"{TABLE}/index/*"],
            "Condition": {
                "ForAllValues:StringLike": {KEYS: ["T#${aws:PrincipalTag/tenant}#*"]},
                "Null": {KEYS: "false", TAG: "false"},
            },
        }
    ],
}


def request(policy=OWN_KEYS, *, keys=("T#acme#P",), tag="acme", action="dynamodb:GetItem", **options):
    context = {} if tag is None else {TAG: tag}
    if keys is not None:
        context[KEYS] = list(keys)
    return IamRequest(SESSION, action, TABLE, [policy], context, **options)


def weakened(**conditions):
    policy = copy.deepcopy(OWN_KEYS)
    policy["Statement"][0]["Condition"].update(conditions)
    return policy


def test_a_tenant_reaches_its_own_keys_only():
    decisions = simulate(
        [
            request(),
            request(keys=["T#acme#P", "T#acme#Q"], action="dynamodb:BatchGetItem"),
            request(keys=["T#globex#P"]),
            request(keys=["T#acme#P", "T#globex#P"], action="dynamodb:BatchGetItem"),
            request(keys=["T#acme2#P"]),
            request(keys=None),
            request(tag=None),
            request(action="dynamodb:Scan", keys=None),
        ]
    )
    assert decisions == [Decision.ALLOWED] * 2 + [Decision.IMPLICITLY_DENIED] * 6


@pytest.mark.parametrize(
    ("policy", "attack"),
    [
        (weakened(Null={TAG: "false"}), {"keys": None}),
        (weakened(**{"ForAllValues:StringLike": {KEYS: ["T#*"]}}), {"keys": ["T#globex#P"]}),
        (
            weakened(**{"ForAllValues:StringLike": {KEYS: ["T#${aws:PrincipalTag/tenant}*"]}}),
            {"keys": ["T#acme2#P"]},
        ),
    ],
    ids=["without Null on the keys", "without the tag", "without the separator"],
)
def test_each_weakened_policy_lets_an_attack_through(policy, attack):
    assert simulate([request(**attack), request(policy, **attack)]) == [
        Decision.IMPLICITLY_DENIED,
        Decision.ALLOWED,
    ]


def test_session_policies_and_explicit_denials():
    everything = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"}],
    }
    denial = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Deny", "Action": "dynamodb:GetItem", "Resource": TABLE}],
    }
    own, foreign = (
        request(everything, session_policy=OWN_KEYS),
        request(everything, session_policy=OWN_KEYS, keys=["T#globex#P"]),
    )
    denied = IamRequest(SESSION, "dynamodb:GetItem", TABLE, [everything, denial], {TAG: "acme"})
    assert simulate([own, foreign, denied]) == [
        Decision.ALLOWED,
        Decision.IMPLICITLY_DENIED,
        Decision.EXPLICITLY_DENIED,
    ]


def test_a_malformed_policy_is_an_error_not_a_denial():
    with pytest.raises(SimulationError):
        simulate([request({"Version": "2012-10-17", "Statement": [{"Effect": "Maybe"}]})])


def test_nothing_to_simulate():
    assert simulate([]) == []
