"""The template as CloudFormation would see it: SAM translated, parameters filled in, references resolved.

Physical names follow CloudFormation's own scheme (`<stack>-<logical id>-<suffix>`), so that conditions on
role names can be evaluated.
"""

import copy
import functools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT, REGION, STACK = "123456789012", "eu-central-1", "lantern-test"
PARAMETERS = {
    "Stage": "test",
    "PublicBaseUrl": "https://lantern.example",
    "AlertDomain": "mail.lantern.example",
}

_ARNS = {
    "AWS::DynamoDB::Table": "dynamodb:{region}:{account}:table/{name}",
    "AWS::IAM::Role": "iam::{account}:role/{name}",
    "AWS::KMS::Key": "kms:{region}:{account}:key/{name}",
    "AWS::Lambda::Function": "lambda:{region}:{account}:function:{name}",
    "AWS::S3::Bucket": "s3:::{name}",
    "AWS::SNS::Topic": "sns:{region}:{account}:{name}",
    "AWS::SQS::Queue": "sqs:{region}:{account}:{name}",
    "AWS::SecretsManager::Secret": "secretsmanager:{region}:{account}:secret:{name}",
}


def source() -> dict[str, Any]:
    """The template as written."""
    return yaml_parse((ROOT / "template.yaml").read_text())


@functools.cache
def _translated() -> dict[str, Any]:
    template = source()
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        for key in ("CodeUri", "ContentUri"):
            if isinstance(properties.get(key), str):
                properties[key] = {"Bucket": "artifacts", "Key": properties[key]}
    with mock.patch.dict("os.environ", {"AWS_DEFAULT_REGION": REGION}):
        return Translator({}, Parser()).translate(template, parameter_values=dict(PARAMETERS))


def translated() -> dict[str, Any]:
    """The template after the SAM transform, a fresh copy."""
    return copy.deepcopy(_translated())


def arn(logical_id: str, resource_type: str) -> str:
    """The ARN a resource gets in this rendering."""
    pattern = _ARNS.get(resource_type, "unknown:{region}:{account}:{name}")
    return "arn:aws:" + pattern.format(region=REGION, account=ACCOUNT, name=physical_name(logical_id))


def physical_name(logical_id: str) -> str:
    """The name CloudFormation would make up."""
    return f"{STACK}-{logical_id}-A1B2C3"


def rendered() -> dict[str, Any]:
    """Every resource with its intrinsic functions resolved."""
    template = translated()
    parameters = {
        name: PARAMETERS.get(name, spec.get("Default")) for name, spec in template["Parameters"].items()
    }
    return _Resolver(template, parameters).resolve(template["Resources"])


def role(resources: Mapping[str, Any], logical_id: str) -> Mapping[str, Any]:
    """The properties of an IAM role by logical id."""
    found = resources[logical_id]
    assert found["Type"] == "AWS::IAM::Role", logical_id
    properties: Mapping[str, Any] = found["Properties"]
    return properties


class _Resolver:
    def __init__(self, template: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
        self._template = template
        self._parameters = parameters
        self._pseudo = {
            "AWS::AccountId": ACCOUNT,
            "AWS::Region": REGION,
            "AWS::Partition": "aws",
            "AWS::StackName": STACK,
            "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{STACK}/a1b2c3",
            "AWS::URLSuffix": "amazonaws.com",
        }

    def resolve(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self.resolve(item) for item in node]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            (key, value), *_ = node.items()
            match key:
                case "Ref":
                    return self._ref(value)
                case "Fn::GetAtt":
                    parts = value if isinstance(value, list) else value.split(".")
                    return self._get_att(*parts)
                case "Fn::Sub":
                    return self._sub(value)
                case "Fn::If":
                    return self.resolve(value[1] if self._condition(value[0]) else value[2])
                case "Fn::Join":
                    return str(self.resolve(value[0])).join(str(v) for v in self.resolve(value[1]))
        return {key: self.resolve(value) for key, value in node.items()}

    def _ref(self, name: str) -> Any:
        if name in self._pseudo:
            return self._pseudo[name]
        if name in self._parameters:
            return self._parameters[name]
        resource = self._template["Resources"][name]
        if resource["Type"] in ("AWS::SecretsManager::Secret", "AWS::SNS::Topic"):
            return arn(name, resource["Type"])
        return physical_name(name)

    def _get_att(self, name: str, attribute: str) -> str:
        kind = self._template["Resources"][name]["Type"]
        if attribute == "Arn":
            return arn(name, kind)
        if attribute == "StreamArn":
            return arn(name, kind) + "/stream/2026-01-01T00:00:00.000"
        return f"{physical_name(name)}.{attribute}"

    def _sub(self, value: Any) -> str:
        text, variables = (value, {}) if isinstance(value, str) else (value[0], value[1])

        def replace(match: re.Match[str]) -> str:
            name = match[1]
            if name in variables:
                return str(self.resolve(variables[name]))
            if "." in name:
                return self._get_att(*name.split(".", 1))
            return str(self._ref(name))

        return re.sub(r"\$\{([A-Za-z0-9:.]+)\}", replace, text)

    def _condition(self, name: str) -> bool:
        return self._evaluate(self._template["Conditions"][name])

    def _evaluate(self, node: Any) -> bool:
        (key, value), *_ = node.items()
        if key == "Fn::Not":
            return not self._evaluate(value[0])
        if key == "Fn::Equals":
            left, right = self.resolve(value)
            return bool(left == right)
        raise NotImplementedError(key)
