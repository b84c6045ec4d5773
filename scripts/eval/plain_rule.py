"""The rule anybody would write first: a token "ai" or "gpt" in the name, or a `.ai` domain."""

import re
from typing import Final

_TOKEN: Final = re.compile(r"(?<![a-z])(?:ai|gpt)(?![a-z])|gpt", re.IGNORECASE)


def plain_rule(name: str, domain: str | None) -> bool:
    """Say whether the plain rule calls an app AI."""
    return bool(_TOKEN.search(name)) or (domain or "").endswith(".ai")
