"""Connectors: which providers can be connected, what each permission is for, and what each can act on."""

from typing import Any

from pydantic import Field

from lantern.connectors.protocol import ActionKind, Feature
from lantern.domain.errors import InvalidInputError, NotFoundError
from lantern.domain.inventory import Provider
from lantern.runtime.api.paging import ListOf, PageQuery, page_of
from lantern.runtime.api.routing import Call, Reply, Route
from lantern.runtime.api.validation import Answer
from lantern.services import connectors
from lantern.services.connectors import ConnectorFacts, Onboarding


class FeatureAnswer(Answer):
    """One thing a connector does."""

    feature: Feature
    permissions: list[str] = Field(description="All of these, as the provider names them.")
    required: bool = Field(description="Whether a connection is refused without them.")
    lost: list[str] = Field(description="What is lost without each of the permissions.")
    apart: bool = Field(
        description="The consent does not ask for it: an administrator gives it by hand where it is wanted."
    )


class ActAnswer(Answer):
    """One kind of act."""

    kind: ActionKind
    permissions: list[str]
    everyone: bool = Field(description="It touches the whole organisation and needs an approval of its own.")
    undo: str | None = Field(description="How it is taken back; null where it cannot be.")


class ConnectorAnswer(Answer):
    """One provider that can be connected."""

    provider: Provider
    title: str
    onboarding: Onboarding = Field(
        description="`consent` at the provider, or a `form` of what was made there."
    )
    push: str | None = Field(description="How it tells of changes by itself; null where it is only asked.")
    features: list[FeatureAnswer]
    acts: list[ActAnswer]


class ConnectorList(ListOf[ConnectorAnswer]):
    """All providers that can be connected."""


def _answer(facts: ConnectorFacts) -> ConnectorAnswer:
    return ConnectorAnswer.model_validate(facts, from_attributes=True)


def list_connectors(call: Call[PageQuery, None]) -> Reply:
    """Providers, by name."""
    rows, cursor = page_of(call, connectors.all_connectors(), lambda one: (one.provider,))
    return Reply(ConnectorList(data=[_answer(facts) for facts in rows], next_cursor=cursor))


def get_connector(call: Call[Any, None]) -> Reply:
    """One provider."""
    provider = call.path["provider"]
    try:
        return Reply(_answer(connectors.connector(provider)))
    except InvalidInputError:
        raise NotFoundError("connector", provider) from None


ROUTES = (
    Route(
        method="GET",
        path="/v1/connectors",
        operation="listConnectors",
        tag="Connections",
        summary="Providers that can be connected",
        description=(
            "For each feature the permissions it takes and what is lost without them; for each kind of act "
            "what it takes, whether it touches everybody and how it is taken back. The same for every tenant."
        ),
        handler=list_connectors,
        scope="read",
        query=PageQuery,
        answer=ConnectorList,
    ),
    Route(
        method="GET",
        path="/v1/connectors/{provider}",
        operation="getConnector",
        tag="Connections",
        summary="One provider that can be connected",
        description="Features, permissions and acts of one provider.",
        handler=get_connector,
        scope="read",
        answer=ConnectorAnswer,
    ),
)
