"""Which address an Okta organisation has: a name an administrator enters, read with suspicion. Pure.

Calls with credentials go to hosts under Okta's own domains only, and nobody but Okta decides what answers
there. A custom domain is asked once, without credentials, which organisation it stands for
(`oauth.OktaConsent`): whoever owns a domain could have it claim to be any organisation.
"""

import re
from typing import Final
from urllib.parse import urlsplit

from lantern.domain.errors import InvalidInputError

FIELD: Final = "address"
_LABEL: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_TOP: Final = re.compile(r"[a-z]{2,63}|xn--[a-z0-9-]{1,59}")
_OKTA: Final = (
    ".okta.com",
    ".oktapreview.com",
    ".okta-emea.com",
    ".okta-gov.com",
    ".okta.mil",
)
# RFC 6761, RFC 6762, RFC 7686, RFC 8375, and names that networks give themselves (ICANN's collision list).
_NOT_PUBLIC: Final = frozenset(
    {
        *("localhost", "local", "internal", "intranet", "private", "corp", "home", "lan", "host", "domain"),
        *("arpa", "test", "example", "invalid", "onion", "alt", "localdomain", "workgroup"),
    }
)
_REMEDY: Final = (
    "enter the host name of your Okta organisation, such as acme.okta.com: no port, no path, no IP address"
)


def host(entered: str) -> str:
    """The host name in what was entered, in lower case; `https://` in front and `/` behind are forgiven.

    An Admin Console address (`acme-admin.okta.com`) becomes the organisation's own.

    Raises:
        InvalidInputError: it is no plain public host name.
    """
    text = entered.strip().lower()
    if not text.isascii() or not text.isprintable() or " " in text:
        raise InvalidInputError(FIELD, _REMEDY)
    if "://" in text:
        parts = urlsplit(text)
        if parts.scheme != "https" or parts.path not in ("", "/") or parts.query or parts.fragment:
            raise InvalidInputError(FIELD, _REMEDY)
        text = parts.netloc
    name = text.removesuffix("/")
    labels = name.split(".")
    if (
        len(name) > 253
        or len(labels) < 2
        or not all(_LABEL.fullmatch(label) for label in labels)
        or not _TOP.fullmatch(labels[-1])
        or labels[-1] in _NOT_PUBLIC
    ):
        raise InvalidInputError(FIELD, _REMEDY)
    first, rest = labels[0], ".".join(labels[1:])
    if is_okta(name) and first.endswith("-admin"):
        return f"{first.removesuffix('-admin')}.{rest}"
    return name


def is_okta(name: str) -> bool:
    """Whether a host name is an organisation's under a domain of Okta's own."""
    return any(
        name.endswith(end) and _LABEL.fullmatch(name.removesuffix(end)) is not None for end in _OKTA
    ) and name.split(".", 1)[0] not in {"www", "login", "developer", "help", "support", "trust", "status"}


def admin_console(base: str) -> str:
    """The Admin Console of the organisation at a base address."""
    parts = urlsplit(base)
    first, dot, rest = parts.netloc.partition(".")
    return f"{parts.scheme}://{first}-admin{dot}{rest}" if dot and is_okta(parts.netloc) else base
