"""Evaluate IAM policies as AWS does, with `@cloud-copilot/iam-simulate`.

The emulator's own IAM proves nothing by itself: this is an independent implementation. It is a
development tool only (AGPL) and reaches no artifact. All requests go through one Node.js process.
"""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from scripts.local_cloud.npm import NpmError, install_locked

_HERE = Path(__file__).parent
_TIMEOUT_S = 120

Policy = Mapping[str, Any]


class Decision(StrEnum):
    """What AWS would answer; a request that no statement allows is implicitly denied."""

    ALLOWED = "Allowed"
    EXPLICITLY_DENIED = "ExplicitlyDenied"
    IMPLICITLY_DENIED = "ImplicitlyDenied"


class SimulationError(RuntimeError):
    """A request or a policy is malformed; the message is the tool's."""


@dataclass(frozen=True, slots=True)
class IamRequest:
    """One request: who, what, on which resource, in which context, under which policies.

    `context` holds condition keys with their values, for example `aws:PrincipalTag/tenant` (text) and
    `dynamodb:LeadingKeys` (list); a key that the request does not carry must be absent.
    """

    principal: str
    action: str
    resource: str
    identity_policies: Sequence[Policy]
    context: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    session_policy: Policy | None = None
    resource_policy: Policy | None = None
    account: str = "123456789012"


def simulate(requests: Sequence[IamRequest]) -> list[Decision]:
    """Evaluate requests, in order.

    Raises:
        SimulationError: a request could not be evaluated.
        NpmError: the tool could not be installed or run.
    """
    if not requests:
        return []
    directory = install_locked(_HERE)
    batch = {"directory": str(directory), "requests": [_simulation(request) for request in requests]}
    answers = json.loads(_run(json.dumps(batch)))
    return [_decision(request, answer) for request, answer in zip(requests, answers, strict=True)]


def _simulation(request: IamRequest) -> dict[str, Any]:
    simulation: dict[str, Any] = {
        "request": {
            "principal": request.principal,
            "action": request.action,
            "resource": {"resource": request.resource, "accountId": request.account},
            "contextVariables": {
                key: value if isinstance(value, str) else list(value)
                for key, value in request.context.items()
            },
        },
        "identityPolicies": [
            {"name": f"policy-{number}", "policy": policy}
            for number, policy in enumerate(request.identity_policies)
        ],
        "serviceControlPolicies": [],
        "resourceControlPolicies": [],
    }
    if request.session_policy is not None:
        simulation["sessionPolicy"] = request.session_policy
    if request.resource_policy is not None:
        simulation["resourcePolicy"] = request.resource_policy
    return simulation


def _run(batch: str) -> str:
    command = ["node", str(_HERE / "simulate.mjs")]
    try:
        done = subprocess.run(
            command, input=batch, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except FileNotFoundError as error:
        raise NpmError("node is not installed (Node.js 20 or newer is needed)") from error
    if done.returncode:
        raise SimulationError(done.stderr.strip())
    return done.stdout


def _decision(request: IamRequest, answer: Mapping[str, Any]) -> Decision:
    if "decision" not in answer:
        raise SimulationError(f"{request.action} on {request.resource}: {json.dumps(answer.get('error'))}")
    return Decision(answer["decision"])
