"""Deploy the template: `python -m scripts.build.deploy --local`, or `--stage dev` for AWS.

The same steps serve both: make artifacts, upload what is new, apply a change set. Locally the wheels
are this machine's and the address is the local cloud's; for AWS the standard AWS environment decides
account and region.
"""

import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from scripts.build.artifacts import ROOT, make_artifact, verify
from scripts.build.bucket import bucket_name, ensure_bucket, upload
from scripts.build.stacks import Deployment, DeploymentError, apply_template
from scripts.build.targets import HOST, LAMBDA, Target
from scripts.build.template import load_template, local_references, replace_reference
from scripts.local_cloud import cloud as local_cloud

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_s3 import S3Client

LOCAL_STAGE = "local"
_STAGE_PARAMETER = "Stage"
_ADDRESS_PARAMETER = "PublicBaseUrl"


@dataclass(frozen=True, slots=True)
class Clients:
    """Where to deploy: two AWS clients, the account and region they act in, how the API is reached there.

    `address` finds the API's own address in the outputs of a stack, given the stage; None where the stack
    has no API. `fixed` says that the API is reached in no other way, so that nobody chooses the address.
    """

    s3: "S3Client"
    cloudformation: "CloudFormationClient"
    account: str
    region: str
    address: Callable[[Mapping[str, str], str], str | None]
    fixed: bool = False


def clients_for(session: boto3.Session) -> Clients:
    """Make the clients of a session; the account is asked for, so wrong credentials fail here."""
    account = session.client("sts").get_caller_identity()["Account"]
    s3, cloudformation = session.client("s3"), session.client("cloudformation")
    return Clients(
        s3,
        cloudformation,
        account=account,
        region=s3.meta.region_name,
        address=lambda outputs, _stage: outputs.get("ApiUrl"),
    )


def local_clients(cloud: local_cloud.LocalCloud) -> Clients:
    """Make clients for a local cloud, whatever the AWS environment says."""
    access: dict[str, Any] = {
        "endpoint_url": cloud.endpoint,
        "region_name": cloud.env["AWS_REGION"],
        "aws_access_key_id": cloud.env["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": cloud.env["AWS_SECRET_ACCESS_KEY"],
    }
    session = boto3.Session()
    return Clients(
        session.client("s3", **access),
        session.client("cloudformation", **access),
        account=local_cloud.ACCOUNT_ID,
        region=cloud.env["AWS_REGION"],
        address=lambda outputs, stage: (
            cloud.rest_api_url(outputs["ApiId"], stage) if "ApiId" in outputs else None
        ),
        fixed=True,
    )


def deploy(
    clients: Clients,
    target: Target,
    *,
    template: Path,
    stack: str,
    parameters: Mapping[str, str],
    report: Callable[[str], None],
) -> Deployment:
    """Build, upload and apply a template; its folder is where its references point.

    A stack whose functions have to know the API's address (`PublicBaseUrl`), and was not told one, gets
    the API's own in a second pass.

    Raises:
        DeploymentError: the stack did not reach the template.
        RuntimeError: the artifacts could not be built or do not run on the target.
    """
    body = load_template(template)
    bucket = bucket_name(clients.account, clients.region)
    if ensure_bucket(clients.s3, bucket, account=clients.account, region=clients.region):
        report(f"created bucket {bucket}")
    references = local_references(body)
    if target is LAMBDA:
        verify(template.parent, [uri for _, _, uri in references])
    keys: dict[str, str] = {}
    for resource, name, uri in references:
        if uri not in keys:
            keys[uri] = _upload_artifact(clients, bucket, template.parent, uri, target, report)
        replace_reference(body, resource, name, {"Bucket": bucket, "Key": keys[uri]})
    text = json.dumps(body, indent=1).encode()
    key = f"templates/{hashlib.sha256(text).hexdigest()}.json"
    upload(clients.s3, bucket, key, text, account=clients.account)

    def apply(values: Mapping[str, str]) -> Deployment:
        return apply_template(
            clients.cloudformation,
            stack=stack,
            template_url=f"{clients.s3.meta.endpoint_url}/{bucket}/{key}",
            declared=frozenset(body.get("Parameters") or {}),
            parameters=values,
            report=report,
            poll_s=0.1 if target is HOST else 2.0,
        )

    first = apply(parameters)
    address = _missing_address(clients, first, parameters)
    if address is None:
        return first
    report(f"the API is at {address}")
    second = apply({**parameters, _ADDRESS_PARAMETER: address})
    return replace(second, changed=first.changed or second.changed)


def _missing_address(clients: Clients, deployment: Deployment, given: Mapping[str, str]) -> str | None:
    """The API's own address, where the stack has to be told: it is known only once the API exists."""
    current = deployment.parameters.get(_ADDRESS_PARAMETER)
    chosen = _ADDRESS_PARAMETER in given or (bool(current) and not clients.fixed)
    if current is None or chosen:
        return None
    address = clients.address(deployment.outputs, deployment.parameters.get(_STAGE_PARAMETER, ""))
    return address if address != current else None


def _upload_artifact(
    clients: Clients, bucket: str, project: Path, uri: str, target: Target, report: Callable[[str], None]
) -> str:
    artifact = make_artifact(project, uri, target)
    key = f"artifacts/{artifact.digest}.zip"
    if upload(clients.s3, bucket, key, artifact.content, account=clients.account):
        report(f"uploaded {uri} ({len(artifact.content) / 1e6:.1f} MB)")
    return key


def stage_parameters(template: Path, stage: str, given: list[str]) -> dict[str, str]:
    """Merge `deploy/<stage>.json` and `KEY=VALUE` texts (these win); `Stage` is set if the template has it.

    Raises:
        ValueError: a text is not KEY=VALUE, or the file is not a flat JSON object.
    """
    parameters: dict[str, str] = {}
    if _STAGE_PARAMETER in (load_template(template).get("Parameters") or {}):
        parameters[_STAGE_PARAMETER] = stage
    file = template.parent / "deploy" / f"{stage}.json"
    if file.exists():
        values = json.loads(file.read_text())
        if not isinstance(values, dict):
            raise ValueError(f"{file} must be a JSON object of parameters")
        parameters.update({str(name): str(value) for name, value in values.items()})
    for text in given:
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise ValueError(f"--parameter takes KEY=VALUE, not {text!r}")
        parameters[name] = value
    return parameters


@contextmanager
def _progress(console: Console, title: str) -> Iterator[Callable[[str], None]]:
    """On a terminal show the latest step beside a spinner, elsewhere print every step."""
    if not console.is_terminal:
        yield lambda text: console.print(text, markup=False, highlight=False)
        return
    with console.status(title) as spinner:
        yield lambda text: spinner.update(f"{title}: {text}")


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="deploy", description="Deploy the template.")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--local", action="store_true", help="to the local cloud (make up)")
    where.add_argument("--stage", help="to AWS, as this stage")
    parser.add_argument("--stack", help="the stack's name (lantern-<stage>)")
    parser.add_argument("--template", type=Path, default=ROOT / "template.yaml")
    parser.add_argument("--parameter", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--profile", help="an AWS profile")
    parser.add_argument("--region", help="an AWS region")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
    return parser.parse_args(arguments)


def _clients(options: argparse.Namespace) -> Clients:
    if not options.local:
        return clients_for(boto3.Session(profile_name=options.profile, region_name=options.region))
    cloud = local_cloud.status(Path(os.environ.get("LOCAL_CLOUD_DIR", local_cloud.DEFAULT_DIR)))
    if cloud is None:
        raise DeploymentError("no local cloud is running (make up)")
    return local_clients(cloud)


def main(arguments: list[str]) -> int:
    """Deploy as the command line says and return the exit code."""
    options = _arguments(arguments)
    console = Console(stderr=True)
    stage = LOCAL_STAGE if options.local else options.stage
    stack = options.stack or f"lantern-{stage}"
    started = time.monotonic()
    try:
        with _progress(console, f"deploying {stack}") as report:
            deployment = deploy(
                _clients(options),
                HOST if options.local else LAMBDA,
                template=options.template.resolve(),
                stack=stack,
                parameters=stage_parameters(options.template, stage, options.parameter),
                report=report,
            )
    except (RuntimeError, ValueError, FileNotFoundError, ClientError, BotoCoreError) as error:
        console.print(str(error), style="red", markup=False)
        return 1
    if options.json:
        outcome = {"stack": stack, "changed": deployment.changed, "outputs": deployment.outputs}
        print(json.dumps(outcome, indent=2))
        return 0
    verdict = "is deployed" if deployment.changed else "has not changed"
    console.print(f"[bold]{stack}[/bold] {verdict} ({time.monotonic() - started:.1f} s)")
    for name, value in sorted(deployment.outputs.items()):
        print(f"{name}={value}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
