"""The deployer: parameters, the bucket, failures said in words."""

import json

import boto3
import pytest
from moto import mock_aws

from scripts.build import deploy as deploy_module
from scripts.build.bucket import ensure_bucket, upload
from scripts.build.deploy import deploy, local_clients, main, stage_parameters
from scripts.build.stacks import DeploymentError
from scripts.build.targets import HOST

PARAMETRISED = "Parameters: {Stage: {Type: String}, Size: {Type: Number, Default: 1}}\nResources: {}\n"


def test_parameters_come_from_the_stage_the_file_and_the_command_line(tmp_path):
    template = tmp_path / "template.yaml"
    template.write_text(PARAMETRISED)
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "dev.json").write_text(json.dumps({"Size": 2, "Domain": "a=b"}))
    assert stage_parameters(template, "dev", ["Size=3"]) == {"Stage": "dev", "Size": "3", "Domain": "a=b"}
    assert stage_parameters(template, "prod", []) == {"Stage": "prod"}
    with pytest.raises(ValueError, match="KEY=VALUE"):
        stage_parameters(template, "dev", ["Size"])
    (tmp_path / "deploy" / "dev.json").write_text("[]")
    with pytest.raises(ValueError, match="JSON object"):
        stage_parameters(template, "dev", [])


@pytest.fixture
def s3(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield boto3.client("s3", region_name="eu-west-1")


def test_the_bucket_is_private_encrypted_and_made_once(s3):
    assert ensure_bucket(s3, "b-1", account="123456789012", region="eu-west-1") is True
    assert ensure_bucket(s3, "b-1", account="123456789012", region="eu-west-1") is False
    block = s3.get_public_access_block(Bucket="b-1")["PublicAccessBlockConfiguration"]
    assert set(block.values()) == {True}
    (rule,) = s3.get_bucket_encryption(Bucket="b-1")["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"


def test_content_is_uploaded_once(s3):
    ensure_bucket(s3, "b-1", account="123456789012", region="eu-west-1")
    assert upload(s3, "b-1", "k", b"x", account="123456789012") is True
    assert upload(s3, "b-1", "k", b"x", account="123456789012") is False


def test_without_a_local_cloud_the_command_says_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LOCAL_CLOUD_DIR", str(tmp_path))
    template = tmp_path / "template.yaml"
    template.write_text(PARAMETRISED)
    assert main(["--local", "--template", str(template)]) == 1
    assert "make up" in capsys.readouterr().err


BROKEN = """\
Resources:
  Fine: {Type: AWS::SQS::Queue}
  Broken:
    Type: AWS::Lambda::Url
    Properties: {TargetFunctionArn: nobody, AuthType: NONE}
"""


@pytest.mark.stack
def test_a_failure_names_the_resource_and_the_next_try_starts_afresh(patched, tmp_path):
    def go(body, **parameters):
        (tmp_path / "template.yaml").write_text(body)
        return deploy(
            local_clients(patched.cloud),
            HOST,
            template=tmp_path / "template.yaml",
            stack="broken",
            parameters=parameters,
            report=lambda _step: None,
        )

    with pytest.raises(DeploymentError, match="Broken"):
        go(BROKEN)
    fixed = BROKEN.split("  Broken:", maxsplit=1)[0] + "Outputs: {Url: {Value: !Ref Fine}}\n"
    assert "broken-Fine" in go(fixed).outputs["Url"]
    with pytest.raises(DeploymentError, match="no parameter Nonsense"):
        go(fixed, Nonsense="1")


@pytest.mark.stack
def test_the_command_prints_outputs_as_json(patched, monkeypatch, capsys):
    monkeypatch.setenv("LOCAL_CLOUD_DIR", str(patched.cloud.directory))
    from tests.local_cloud.pipeline import TEMPLATE

    assert main(["--local", "--stack", "pipe", "--template", str(TEMPLATE), "--json"]) == 0
    outcome = json.loads(capsys.readouterr().out)
    assert outcome["outputs"]["ApiId"] == patched.outputs["ApiId"]
    assert deploy_module.LOCAL_STAGE == "local"
