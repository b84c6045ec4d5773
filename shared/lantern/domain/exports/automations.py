"""Apps that run things on their own: automation platforms, and the AI they visibly call.

A platform is recognised by what the catalog says of it, by a permission that only it holds, or by its name.
What an automation does inside is in no export; what can be seen is an AI product in its name, a permission
to an AI service, and whether the platform is AI itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from lantern.domain.catalog import CatalogLookup
from lantern.domain.identification import Identification
from lantern.domain.names import key, segments, words

_CATEGORIES: Final = frozenset({"automation", "workflow_automation", "integration_platform"})
_PRODUCTS: Final = frozenset(
    {
        "zapier", "zapier-agents", "make", "n8n", "workato", "tray-io", "ifttt", "pipedream", "bardeen",
        "relay-app", "gumloop", "lindy", "activepieces", "microsoft-power-automate", "google-apps-script",
        "google-workspace-studio", "workspace-studio", "google-workspace-flows", "relevance-ai", "uipath",
        "automation-anywhere", "mulesoft", "boomi", "celigo", "parabola", "retool", "airplane", "node-red",
        "huginn", "stackstorm", "latenode", "albato", "integrately", "pabbly", "snaplogic", "torq", "tines",
    }
)  # fmt: skip
# Names as their makers write them, for what the catalog does not have; whole names or their beginnings only.
_NAMES: Final = {
    key(name): name
    for name in (
        "Zapier", "Make.com", "Integromat", "n8n", "n8n.io", "Workato", "Tray.io", "IFTTT", "Pipedream",
        "Power Automate", "Microsoft Power Automate", "Microsoft Flow", "Power Platform", "Logic Apps",
        "Azure Logic Apps", "Google Apps Script", "Apps Script", "Workspace Studio",
        "Google Workspace Studio", "Workspace Flows", "Google Workspace Flows", "Activepieces", "UiPath",
        "Automation Anywhere", "MuleSoft", "Boomi", "Celigo", "Parabola", "Bardeen", "Relay.app", "Gumloop",
        "Tines", "Torq", "SnapLogic", "Pabbly Connect", "Albato", "Latenode", "Node-RED",
    )
}  # fmt: skip
# Only code that runs as an Apps Script can ask for these.
_SCRIPT_SCOPES: Final = (
    "https://www.googleapis.com/auth/script.external_request",
    "https://www.googleapis.com/auth/script.scriptapp",
    "https://www.googleapis.com/auth/script.container.ui",
    "https://www.googleapis.com/auth/script.send_mail",
)
_AI_SCOPES: Final = (
    ("https://www.googleapis.com/auth/generative-language", "Gemini API", "may call"),
    ("https://www.googleapis.com/auth/cloud-platform", "Vertex AI", "may call"),
    ("https://www.googleapis.com/auth/aiplatform", "Vertex AI", "may call"),
    ("https://www.googleapis.com/auth/dialogflow", "Dialogflow", "may call"),
)
_LONGEST_NAME: Final = 4


@dataclass(frozen=True, slots=True)
class Automation:
    """What shows that an app is an automation, and which AI it visibly calls (none: not visible)."""

    platform: str
    evidence: str
    calls: tuple[str, ...]


def automation_of(
    name: str, identified: Identification, scopes: Iterable[str], catalog: CatalogLookup
) -> Automation | None:
    """Say whether an app is an automation platform, or a script that runs on one.

    Args:
        name: the app's name as the provider shows it.
        identified: what identification said.
        scopes: its permissions.
        catalog: where AI products in its name are looked up.
    """
    held = tuple(scope.casefold() for scope in scopes)
    found = _platform(name, identified, held)
    if found is None:
        return None
    platform, evidence = found
    return Automation(platform, evidence, (*_by_scope(held), *_by_name(name, identified, catalog)))


def _platform(name: str, identified: Identification, held: tuple[str, ...]) -> tuple[str, str] | None:
    product = identified.product or identified.vendor or name
    if identified.product_id in _PRODUCTS:
        return product, f"The catalog knows {product} as an automation platform."
    if identified.category in _CATEGORIES:
        return product, f"The catalog's category of {product} is {identified.category}."
    script = next((scope for scope in held if scope.startswith(_SCRIPT_SCOPES)), None)
    if script:
        short = script.rpartition("/")[2]
        return "Google Apps Script", f"It holds {short}, which only an Apps Script can ask for."
    tokens = words(name)
    beginnings = ("".join(tokens[:length]) for length in range(_LONGEST_NAME, 0, -1))
    for part in (key(name), *map(key, segments(name)[:1]), *beginnings):
        if known := _NAMES.get(part):
            return known, f"Its name begins with {known}."
    return None


def _by_scope(held: tuple[str, ...]) -> tuple[str, ...]:
    found = (f"{service} ({verb}: {prefix.rpartition('/')[2]})" for prefix, service, verb in _AI_SCOPES
             if any(scope.startswith(prefix) for scope in held))  # fmt: skip
    return tuple(dict.fromkeys(found))


def _by_name(name: str, identified: Identification, catalog: CatalogLookup) -> tuple[str, ...]:
    """AI products that the name mentions beside the platform, and the platform where it is AI itself."""
    found: list[str] = []
    if identified.verdict == "ai" and identified.product:
        found.append(f"{identified.product} (is AI itself)")
    elif identified.verdict == "embedded_ai" and identified.product:
        found.append(f"{identified.product} (has AI steps of its own)")
    tokens = words(name)
    for length in range(_LONGEST_NAME, 0, -1):
        for start in range(len(tokens) - length + 1):
            hits = catalog.by_name("".join(tokens[start : start + length]))
            found += [
                f"{hit.product.name} (named)"
                for hit in hits
                if hit.strength == "exact"
                and hit.product.kind == "ai"
                and not hit.product.common
                and hit.product.id != identified.product_id
            ]
    return tuple(dict.fromkeys(found))
