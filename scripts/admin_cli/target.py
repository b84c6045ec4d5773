"""Which deployment a command is about, and the way into it.

Locally that is the running local cloud; on AWS a stage's stack, entered through its OperatorRole with
the operator's own credentials. Everything a verb touches comes from the stack's outputs.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from lantern.domain import ids
from lantern.domain.findings import Finding
from lantern.domain.work import Queue
from lantern.services.queue import WorkQueue
from lantern.store.platform import PlatformStore
from lantern.store.session import TenantSessions
from lantern.store.tenant import TenantStore
from scripts.admin_cli.errors import UNREACHABLE, CliError, bad_input
from scripts.local_cloud import cloud as local_cloud

LOCAL_STAGE: Final = "local"
_STAGE: Final = re.compile(r"[a-z][a-z0-9]{1,11}")
_NEEDED: Final = (
    "TenantTable", "PlatformTable", "TenantDataRole", "OperatorRole", "HintsQueue", "HintsDeadLetters",
    "RunsQueue", "RunsDeadLetters", "StreamDeadLetters",
)  # fmt: skip
_CONFIG: Final = Config(
    connect_timeout=3, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 4}
)


@dataclass(frozen=True, slots=True)
class Where:
    """What the command line says about where to act."""

    local: bool = False
    stage: str | None = None
    profile: str | None = None
    region: str | None = None


class Backend:
    """One deployment: its stores and queues.

    Args:
        stage: its name, part of its API keys.
        label: how to name it to a person.
        outputs: the stack's outputs.
        client: makes an AWS client of the operator's role by service name.
        operator: the opaque id under which the audit log knows the operator.
        endpoint_url: where AWS is reached elsewhere than at its own address.
        region: AWS region.
    """

    def __init__(
        self,
        *,
        stage: str,
        label: str,
        outputs: Mapping[str, str],
        client: Callable[[str], Any],
        operator: str,
        region: str,
        endpoint_url: str | None = None,
    ) -> None:
        missing = [name for name in _NEEDED if not outputs.get(name)]
        if missing:
            raise CliError(
                f"{label} was deployed from an older template: it has no output {', '.join(missing)}.",
                "Deploy it again, then repeat this command.",
                UNREACHABLE,
            )
        self.stage = stage
        self.label = label
        self.outputs = outputs
        self.client = client
        self.operator = operator
        self._region = region
        self._endpoint_url = endpoint_url

    @cached_property
    def platform(self) -> PlatformStore:
        """The platform table."""
        return PlatformStore(self.client("dynamodb"), self.outputs["PlatformTable"])

    @cached_property
    def _sessions(self) -> TenantSessions:
        return TenantSessions(
            self.client("sts"),
            self.outputs["TenantDataRole"],
            self.outputs["TenantTable"],
            self._region,
            endpoint_url=self._endpoint_url,
        )

    def tenant(self, tenant_id: str) -> TenantStore:
        """A tenant's store, on credentials that reach no other tenant."""
        return TenantStore(self._sessions.get(tenant_id), finding_type=Finding)

    @cached_property
    def sqs(self) -> Any:
        """SQS."""
        return self.client("sqs")

    @cached_property
    def queue(self) -> WorkQueue:
        """The work queues."""
        urls: Mapping[Queue, str] = {"hints": self.outputs["HintsQueue"], "runs": self.outputs["RunsQueue"]}
        return WorkQueue(self.sqs, urls)


def connect(where: Where) -> Backend:
    """The deployment the command line names.

    Raises:
        CliError: it is not clear which, it is not there, or it does not let us in.
    """
    if where.local and where.stage:
        raise bad_input("--local", "cannot go with --stage.", "Leave out one of them.")
    if where.stage is None:
        if where.profile or where.region:
            raise bad_input("--stage", "is missing.", "Name the stage to act on, for example --stage prod.")
        return _local(asked=where.local)
    if not _STAGE.fullmatch(where.stage):
        raise bad_input(
            "--stage", f"{where.stage!r} is no stage.", "A stage is 2 to 12 characters of [a-z0-9]."
        )
    return _aws(where, where.stage)


def _local(*, asked: bool) -> Backend:
    directory = Path(os.environ.get("LOCAL_CLOUD_DIR", local_cloud.DEFAULT_DIR))
    cloud = local_cloud.status(directory)
    if cloud is None:
        raise CliError(
            "No local cloud is running." if asked else "No stage was named and no local cloud is running.",
            "Start the local cloud (`make up`)." if asked else "Use --stage NAME, or start it (`make up`).",
            UNREACHABLE if asked else 2,
        )
    env = cloud.env
    session = boto3.Session(
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        region_name=env["AWS_REGION"],
    )
    return enter(session, LOCAL_STAGE, f"the local cloud at {cloud.endpoint}", cloud.endpoint)


def _aws(where: Where, stage: str) -> Backend:
    session = boto3.Session(profile_name=where.profile, region_name=where.region)
    if session.region_name is None:
        raise bad_input(
            "--region", "is missing.", "Name the stage's AWS region, for example --region eu-central-1."
        )
    return enter(session, stage, f"stage {stage} in {session.region_name}", None)


def enter(session: boto3.Session, stage: str, label: str, endpoint_url: str | None) -> Backend:
    """Read a stage's outputs with the operator's own credentials and go in through its OperatorRole.

    Raises:
        CliError: no such stack, or an older one.
    """

    def own(service: str) -> Any:
        return session.client(service, endpoint_url=endpoint_url, config=_CONFIG)

    outputs = _outputs(own("cloudformation"), f"lantern-{stage}", label)
    caller = str(own("sts").get_caller_identity()["Arn"])
    operator = ids.derived_id("opr", caller)
    make = _role_clients(own("sts"), outputs, caller, operator, session.region_name, endpoint_url) or own
    return Backend(
        stage=stage,
        label=label,
        outputs=outputs,
        client=make,
        operator=operator,
        region=session.region_name,
        endpoint_url=endpoint_url,
    )


def _role_clients(
    sts: Any, outputs: Mapping[str, str], caller: str, operator: str, region: str, endpoint_url: str | None
) -> Callable[[str], Any] | None:
    """Clients of the OperatorRole; None where the caller is it already (a profile with `role_arn`)."""
    role = outputs.get("OperatorRole")
    if not role or f":assumed-role/{role.rpartition('/')[2]}/" in caller:
        return None
    # The session name is the id the audit log has: CloudTrail tells which person stood behind it.
    given = sts.assume_role(RoleArn=role, RoleSessionName=operator)["Credentials"]
    inside = boto3.Session(
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
        region_name=region,
    )
    return lambda service: inside.client(service, endpoint_url=endpoint_url, config=_CONFIG)


def _outputs(cloudformation: Any, stack: str, label: str) -> dict[str, str]:
    try:
        found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        remedy = "Check --stage, --profile and --region; `make up` or `make deploy STAGE=…` creates it."
        raise CliError(f"There is no stack {stack} in {label}.", remedy, UNREACHABLE) from None
    return {item["OutputKey"]: item["OutputValue"] for item in found.get("Outputs", [])}
