"""Which deployment a command reaches, and what happens when it cannot."""

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner

from scripts.admin_cli.app import app
from scripts.admin_cli.errors import CliError
from scripts.admin_cli.target import Backend, Where, connect, enter
from tests.unit.scripts.conftest import REGION, client


def deploy(outputs: dict[str, str], stack: str = "lantern-test") -> None:
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    client("cloudformation").create_stack(StackName=stack, TemplateBody=json.dumps(template))


def session() -> boto3.Session:
    return boto3.Session(aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="secret", region_name=REGION)


def test_a_stage_is_entered_through_its_operator_role(outputs: dict[str, str]) -> None:
    deploy(outputs)
    backend = enter(session(), "test", "the stage", None)
    assert backend.outputs["TenantTable"] == "tenant"
    arn = backend.client("sts").get_caller_identity()["Arn"]
    assert arn.endswith(f":assumed-role/lantern-test-OperatorRole-X/{backend.operator}")
    assert backend.operator.startswith("opr_")


def test_who_is_in_the_role_already_stays_in_it(outputs: dict[str, str]) -> None:
    deploy(outputs)
    given = client("sts").assume_role(RoleArn=outputs["OperatorRole"], RoleSessionName="jane")["Credentials"]
    inside = boto3.Session(
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
        region_name=REGION,
    )
    backend = enter(inside, "test", "the stage", None)
    assert backend.client("sts").get_caller_identity()["Arn"].endswith("/jane")
    assert "jane" not in backend.operator, "the audit log holds no names of people"


def test_a_stack_that_is_not_there_or_too_old_is_said(outputs: dict[str, str]) -> None:
    with pytest.raises(CliError, match="no stack lantern-test") as gone:
        enter(session(), "test", "the stage", None)
    assert gone.value.code == 3
    deploy({k: v for k, v in outputs.items() if k != "OperatorRole"})
    with pytest.raises(CliError, match="no output OperatorRole"):
        enter(session(), "test", "the stage", None)


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (Where(local=True, stage="prod"), "--local: cannot go with --stage"),
        (Where(stage="Prod!"), "--stage: 'Prod!' is no stage"),
        (Where(profile="p"), "--stage: is missing"),
        (Where(local=True), "No local cloud is running"),
        (Where(), "No stage was named"),
    ],
)
def test_an_unclear_target_is_refused_in_words(
    where: Where, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LOCAL_CLOUD_DIR", str(tmp_path))
    with pytest.raises(CliError) as refused:
        connect(where)
    assert said in refused.value.message
    assert refused.value.remedy


def test_every_verb_takes_the_target_and_json(backend: Backend) -> None:
    runner = CliRunner(env={"COLUMNS": "200"})
    verbs: list[tuple[str, str]] = []
    for noun in ("tenant", "key", "sync", "queue", "audit", "catalog"):
        group: Any = next(g for g in app.registered_groups if g.name == noun)
        verbs += [(noun, command.name) for command in group.typer_instance.registered_commands]
        for inner in group.typer_instance.registered_groups:
            verbs += [(f"{noun} {inner.name}", c.name) for c in inner.typer_instance.registered_commands]
    verbs.remove(("catalog", "scopes"))  # a filter of JSON lines that knows no deployment
    assert len(verbs) == 22
    for noun, name in verbs:
        text = runner.invoke(app, [*noun.split(), name, "--help"]).stdout
        for option in ("--json", "--local", "--stage", "--profile", "--region"):
            assert option in text, f"{noun} {name} lacks {option}"
