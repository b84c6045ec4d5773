"""The administrators' part, consent: Google makes the tenant, links of its key add the other providers."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from scripts.demo import browser
from scripts.demo.api import Api
from scripts.demo.waiting import DemoFailedError
from scripts.instance.instance import Instance
from scripts.instance.progress import Progress
from scripts.instance.providers import PROVIDERS, Provider

FIRST: Final = "google"


@dataclass(frozen=True, slots=True)
class Consent:
    """One consent: at which provider, and when the page that confirms it was there."""

    provider: str
    title: str
    given: datetime


def consent(instance: Instance, progress: Progress) -> tuple[Api, tuple[Consent, ...]]:
    """Consent at every provider; returns the API with the key from the first page, and the consents in order.

    What was consented to first is read while the next page is still open.

    Raises:
        DemoFailedError: a page was not what it should be.
    """
    first = next(one for one in PROVIDERS if one.key == FIRST)
    with progress.step(f"an administrator of Harbourline gives consent in a browser: {first.title}"):
        given = datetime.now(UTC)
        made = browser.connect(f"{instance.api_url}/connect/{FIRST}")
    if made.key is None:
        raise DemoFailedError("the page after the first consent shows no key")
    api, consents = Api(instance.api_url, made.key), [Consent(FIRST, first.title, given)]
    for one in PROVIDERS:
        if one.key == FIRST or one.key not in instance.simulators:
            continue
        how = "by link" if one.secret else "by link and form"
        with progress.step(f"{one.title}, {how}"):
            consents.append(_add(instance, api, one))
    return api, tuple(consents)


def _add(instance: Instance, api: Api, one: Provider) -> Consent:
    """One more connection of the tenant: the link that its key gets leads to the provider, or to the form."""
    link = api.call("POST", "/v1/connections", body={"provider": one.key}).body["url"]
    given = datetime.now(UTC)
    entered = None if one.secret else _created(instance, api, one)
    opened = browser.connect(link, entered)
    if opened.key is not None:
        raise DemoFailedError(f"{one.title} became a tenant of its own")
    return Consent(one.key, one.title, given)


def _created(instance: Instance, api: Api, one: Provider) -> dict[str, str]:
    """What the administrator enters: at the provider, a client is created with what Lantern says it needs."""
    said = api.get(f"/v1/connectors/{one.key}")
    needed = {scope for part in (*said["features"], *said["acts"]) for scope in part["permissions"]}
    fields: dict[str, str] = instance.simulators[one.key].control("form", scopes=sorted(needed))
    return fields
