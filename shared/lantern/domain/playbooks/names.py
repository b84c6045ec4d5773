"""The ids of the shipped playbooks, for rules that name one in `respond`."""

from typing import Final

NAMES: Final = (
    "abandoned-ai-app",
    "abused-app",
    "assign-owner",
    "departed-employee",
    "extension-removal",
    "over-scoped-app",
    "restricted-app",
    "rotate-credential",
    "stale-grant-clean-up",
    "unsanctioned-app",
    "vendor-incident",
)
