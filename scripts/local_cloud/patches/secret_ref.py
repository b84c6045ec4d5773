"""Gap: `Ref` of a secret returns its name; on AWS it returns its ARN.

A policy or an environment variable built with `Ref` would work locally and fail on AWS, or the other
way round.
"""

from typing import Any

from ministack.services.cloudformation import provisioners

from scripts.local_cloud.patches.seam import private


def apply() -> None:
    """Make the ARN the secret's physical id."""
    handlers = private(provisioners, "_RESOURCE_HANDLERS")["AWS::SecretsManager::Secret"]
    original = dict(handlers)

    def create(logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
        _, attributes = original["create"](logical_id, props, stack_name)
        return attributes["Arn"], attributes

    def update(
        physical_id: str, old: dict[str, Any], new: dict[str, Any], stack: str, logical_id: str | None = None
    ) -> Any:
        _, attributes = original["update"](_name_of(physical_id), old, new, stack, logical_id=logical_id)
        return attributes["Arn"], attributes

    def delete(physical_id: str, props: dict[str, Any]) -> Any:
        return original["delete"](_name_of(physical_id), props)

    handlers.update(create=create, update=update, delete=delete)


def _name_of(physical_id: str) -> str:
    secrets = private(private(provisioners, "_sm"), "_secrets")
    return next(
        (str(name) for name, secret in secrets.items() if secret.get("ARN") == physical_id), physical_id
    )
