"""What a refused consent says to the person in front of it: data, in words for a tired administrator."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lantern.domain.consent import Refusal


@dataclass(frozen=True, slots=True)
class Wording:
    """One refusal: HTTP status, title, what happened, and steps; `{provider}` and `{admin}` are filled in.

    `again` offers to start over.
    """

    status: int
    title: str
    happened: str
    steps: tuple[str, ...]
    again: bool = True


ADMINISTRATORS: Final[Mapping[str, str]] = {
    "google": "a super administrator of your Google Workspace (admin.google.com, Account, Admin roles, "
    "Super Admin lists them)",
    "entra": "a Global Administrator or Privileged Role Administrator of your Microsoft Entra ID "
    "(entra.microsoft.com, Roles and admins lists them)",
    "okta": "a super administrator of your Okta organisation (Admin Console, Security, Administrators lists "
    "them)",
    "slack": "an owner of your Slack workspace or Enterprise organisation",
    "github": "an owner of your GitHub organisation (the organisation's People page lists them)",
    "salesforce": "a System Administrator of your Salesforce organisation",
}
"""Whom to ask, per provider."""

ANYBODY: Final = "an administrator of your organisation"

TITLES: Final[Mapping[str, str]] = {
    "google": "Google Workspace",
    "entra": "Microsoft Entra ID",
    "okta": "Okta",
    "slack": "Slack",
    "github": "GitHub",
    "salesforce": "Salesforce",
}
"""Providers by the names people know them by."""

_STALE: Final = Wording(
    400,
    "This sign-in can no longer be finished",
    "It was already used, is older than ten minutes, or was begun in another browser.",
    ("Start again and finish within ten minutes, in one browser and with cookies allowed.",),
)
_FOREIGN: Final = Wording(
    400,
    "This answer does not belong to the question Lantern asked",
    "What came back was not what Lantern sent you away with, so it was thrown away unread.",
    (
        "Start again from a page or link you trust.",
        "If it happens again, tell your Lantern operator the reference below.",
    ),
)
_OURS: Final = Wording(
    503,
    "Something on our side is not working",
    "Your consent was fine; Lantern could not finish its part.",
    ("Wait a few minutes, then start again. Doing it twice does no harm.",),
)

WORDINGS: Final[Mapping[Refusal, Wording]] = {
    "unknown_provider": Wording(
        404,
        "Lantern cannot connect this",
        "There is no such provider here.",
        ("Check the address you were given.",),
        again=False,
    ),
    "state_missing": _STALE,
    "state_unknown": _STALE,
    "state_expired": _STALE,
    "other_browser": _STALE,
    "other_provider": _FOREIGN,
    "other_issuer": _FOREIGN,
    "other_redirect_uri": _FOREIGN,
    "repeated_parameter": _FOREIGN,
    "code_missing": _FOREIGN,
    "code_refused": Wording(
        400,
        "{provider} did not accept the sign-in",
        "{provider} handed out a code and did not take it back:",
        ("Start again; do not use the browser's Back button on the way.",),
    ),
    "entry_refused": Wording(
        400,
        "{provider} did not accept what you entered",
        "Lantern tried what you entered and got this answer:",
        ("Start again and check each value; nothing you entered was kept.",),
    ),
    "declined": Wording(
        400,
        "You said no, and that is fine",
        "{provider} reports that the consent was not given.",
        (
            "If it was a mistake, start again.",
            "If you are not sure what Lantern may see, ask the person who sent you here.",
        ),
    ),
    "provider_refused": Wording(
        400,
        "{provider} did not let you through",
        "{provider} sent you back with an error before or after it asked you.",
        (
            "An administrator may have to install or allow Lantern there: see the guide for {provider}.",
            "Then start again.",
        ),
    ),
    "missing_permissions": Wording(
        400,
        "Some necessary permissions were left out",
        "Lantern cannot do its work without these:",
        ("Start again and leave every box ticked.",),
    ),
    "consumer_account": Wording(
        403,
        "This is a private account",
        "The account you chose does not belong to an organisation, so Lantern has nothing to look at.",
        ("Start again and choose your work account.", "If you have none that may do this, ask {admin}."),
    ),
    "not_administrator": Wording(
        403,
        "This needs an administrator",
        "The account you chose may not look at the accounts of your organisation.",
        (
            "Ask {admin} to open the same address.",
            "If you are one with another account, start again with that.",
        ),
    ),
    "awaits_approval": Wording(
        403,
        "An administrator has to agree first",
        "{provider} passed your request on; until it is granted, nothing is connected.",
        ("Ask {admin} to grant the request and then to open the same address here.",),
        again=False,
    ),
    "other_organisation": Wording(
        409,
        "This is another organisation",
        "The account you chose does not belong to the organisation this link was made for, or that "
        "organisation is connected elsewhere already.",
        (
            "Start again from the link, with an account of the right organisation.",
            "If the organisation is the right one, tell your Lantern operator the reference below.",
        ),
        again=False,
    ),
    "link_invalid": Wording(
        410,
        "This link does not work any more",
        "Links work once and for 24 hours.",
        ("Ask the colleague who sent it for a new one.",),
        again=False,
    ),
    "suspended": Wording(
        403,
        "Your Lantern account is paused",
        "While it is paused nothing can be connected or read.",
        ("Ask your Lantern operator to resume it, then start again.",),
        again=False,
    ),
    "disconnecting": Wording(
        409,
        "The old connection is still being taken down",
        "Somebody asked Lantern to disconnect this organisation a moment ago.",
        ("Wait a few minutes, then start again.",),
    ),
    "provider_unavailable": Wording(
        503,
        "{provider} is not answering",
        "Lantern could not reach {provider} to finish.",
        ("Wait a few minutes, then start again.",),
    ),
    "internal": _OURS,
}
