"""The address by which a reader of a channel's e-mails ends them."""

from lantern.services.unsubscribing import SOURCE


def address_of(site: str, token: str | None) -> str:
    """The address that a token stands for; empty where there is no token, or no public address of ours."""
    return f"{site}/webhooks/{SOURCE}/{token}" if site and token else ""
