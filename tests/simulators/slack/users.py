"""The `user` object, as Slack's methods and events give it."""

from typing import TYPE_CHECKING, Any

from .model import Member

if TYPE_CHECKING:
    from .world import World


def resource(world: "World", member: Member, *, email: bool) -> dict[str, Any]:
    """A member; deactivated ones lack the flags of roles (reference page of the type)."""
    profile: dict[str, Any] = {
        "real_name": member.real_name,
        "display_name": member.name,
        "team": min(member.teams),
    }
    if email and member.email:
        profile["email"] = member.email
    if member.api_app_id:
        profile |= {"api_app_id": member.api_app_id, "bot_id": "B" + member.id[1:], "always_active": False}
    user: dict[str, Any] = {
        "id": member.id, "team_id": min(member.teams), "name": member.name, "deleted": member.deleted,
        "profile": profile, "is_bot": bool(member.api_app_id), "is_app_user": False,
        "updated": int(member.updated),
    }  # fmt: skip
    if not member.deleted:
        user |= {
            "real_name": member.real_name, "is_admin": member.admin, "is_owner": member.owner,
            "is_primary_owner": member.primary, "is_restricted": bool(member.guest),
            "is_ultra_restricted": member.guest == "single",
        }  # fmt: skip
    if world.enterprise_id:
        user["enterprise_user"] = {
            "id": member.id, "enterprise_id": world.enterprise_id, "enterprise_name": world.name,
            "is_admin": member.org_admin, "is_owner": member.org_owner,
            "is_primary_owner": member.org_owner, "teams": sorted(member.teams),
        }  # fmt: skip
    return user
