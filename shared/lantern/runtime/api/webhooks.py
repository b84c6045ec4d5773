"""Outgoing webhooks: endpoints, what was sent to them, and findings as OCSF events."""

from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from lantern.domain import ocsf
from lantern.domain.messages import Delivery
from lantern.domain.webhooks import EVENT_TYPES, Endpoint
from lantern.runtime.api.alerts import use_of
from lantern.runtime.api.paging import ListOf, PageQuery, page_of
from lantern.runtime.api.routing import Call, Reply, Route
from lantern.runtime.api.validation import Answer, Strict
from lantern.runtime.preconditions import revision_etag
from lantern.services import queries_findings
from lantern.services.outreach import settings as setting

EventType = Literal[EVENT_TYPES]  # type: ignore[valid-type] # made of the kinds there are
Payload = Literal["lantern", "ocsf"]

_ENDPOINT = "/v1/webhook-endpoints/{endpoint_id}"


class EndpointAnswer(Answer):
    """An endpoint, without its address and secret."""

    id: str
    host: str = Field(description="Host of its address; the address itself is not shown again.")
    description: str
    events: list[str] = Field(description="Wanted types; empty means all.")
    payload: Payload
    status: Literal["enabled", "disabled"]
    disabled_because: Literal["failing", "gone", "asked"] | None
    failing_since: datetime | None
    overlap_until: datetime | None = Field(description="Until when the secret before signs too.")
    created_at: datetime
    created_by: str


class EndpointList(ListOf[EndpointAnswer]):
    """All endpoints."""


class SecretAnswer(EndpointAnswer):
    """An endpoint at the only moment when its secret is known."""

    secret: str | None = Field(
        description="Shown once. Null where a repeated request is answered again: rotate then."
    )


class EndpointBody(Strict):
    """A new endpoint."""

    url: str = Field(min_length=1, max_length=2_000, description="https, a public name, port 443 or 8443.")
    description: str = Field("", max_length=200)
    events: list[EventType] = Field([], max_length=50, description="Wanted types; empty means all.")
    payload: Payload = Field("lantern", description="Our own events, or OCSF 1.5 Detection Findings.")


class EndpointChange(Strict):
    """What an endpoint is to be."""

    url: str | None = Field(None, min_length=1, max_length=2_000, description="Absent: stays as it is.")
    description: str = Field("", max_length=200)
    events: list[EventType] = Field([], max_length=50)
    payload: Payload = "lantern"
    enabled: bool = Field(default=True, description="Enabling forgets that it was failing.")


class AttemptAnswer(Answer):
    """One try."""

    at: datetime
    outcome: Literal["sent", "retry", "refused"]
    status: int | None
    detail: str


class DeliveryRow(Answer):
    """An event on its way, or arrived."""

    id: str = Field(description="The `webhook-id` that the receiver sees.")
    type: str
    subject_id: str
    state: Literal["pending", "sent", "failed", "withdrawn"]
    created_at: datetime
    next_at: datetime | None
    tries: int


class DeliveryList(ListOf[DeliveryRow]):
    """Events, newest first."""


class DeliveryAnswer(DeliveryRow):
    """One event, whole."""

    attempts: list[AttemptAnswer]
    event: dict[str, Any]


class OcsfEvent(Answer):
    """A Detection Finding (class 2004) of OCSF 1.5; its further members are as schema.ocsf.io has them."""

    model_config = ConfigDict(extra="allow", frozen=True)

    class_uid: int
    type_uid: int
    activity_id: int
    time: int
    severity_id: int
    message: str = Field(description="Holds names that anybody may have chosen.")


class OcsfList(ListOf[OcsfEvent]):
    """Findings as OCSF events."""


def _fields(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "id": endpoint.id,
        "host": endpoint.host,
        "description": endpoint.description,
        "events": list(endpoint.events),
        "payload": endpoint.payload,
        "status": endpoint.status,
        "disabled_because": endpoint.why or None,
        "failing_since": endpoint.failing_since,
        "overlap_until": endpoint.overlap_until,
        "created_at": endpoint.created_at,
        "created_by": endpoint.created_by,
    }


def _reply(endpoint: Endpoint) -> Reply:
    return Reply(EndpointAnswer(**_fields(endpoint)), etag=revision_etag(endpoint.rev))


def _with_secret(endpoint: Endpoint, secret: str) -> Reply:
    fields = _fields(endpoint)
    return Reply(
        SecretAnswer(**fields, secret=secret),
        etag=revision_etag(endpoint.rev),
        replay=SecretAnswer(**fields, secret=None),
    )


def _current(call: Call[Any, Any]) -> Endpoint:
    found = setting.endpoint(call.store, call.path["endpoint_id"])
    call.check_revision(revision_etag(found.rev))
    return found


def list_endpoints(call: Call[PageQuery, None]) -> Reply:
    """Endpoints, in the order of their ids."""
    rows, cursor = page_of(call, call.store.alerts.endpoints(), lambda one: (one.id,))
    data = [EndpointAnswer(**_fields(one)) for one in rows]
    return Reply(EndpointList(data=data, next_cursor=cursor))


def add_endpoint(call: Call[Any, EndpointBody]) -> Reply:
    """A new endpoint."""
    asked = call.body
    made, secret = setting.add_endpoint(
        use_of(call),
        asked.url,
        description=asked.description,
        events=tuple(asked.events),
        payload=asked.payload,
    )
    return replace(_with_secret(made, secret), status=201, location=_ENDPOINT.format(endpoint_id=made.id))


def get_endpoint(call: Call[Any, None]) -> Reply:
    """One endpoint."""
    return _reply(setting.endpoint(call.store, call.path["endpoint_id"]))


def change_endpoint(call: Call[Any, EndpointChange]) -> Reply:
    """Change an endpoint."""
    before, asked = _current(call), call.body
    wanted = replace(
        before,
        description=asked.description,
        events=tuple(asked.events),
        payload=asked.payload,
        status="enabled" if asked.enabled else "disabled",
        why="" if asked.enabled else (before.why or "asked"),
        failing_since=before.failing_since if before.status == "enabled" else None,
    )
    return _reply(setting.change_endpoint(use_of(call), wanted, asked.url))


def remove_endpoint(call: Call[Any, None]) -> Reply:
    """Forget an endpoint."""
    setting.remove_endpoint(use_of(call), _current(call))
    return Reply(status=204)


def rotate(call: Call[Any, None]) -> Reply:
    """The next secret."""
    changed, secret = setting.rotate(use_of(call), _current(call))
    return _with_secret(changed, secret)


def try_endpoint(call: Call[Any, None]) -> Reply:
    """Send a test event."""
    endpoint = setting.endpoint(call.store, call.path["endpoint_id"])
    return _sent(endpoint, setting.try_endpoint(use_of(call), endpoint))


def _row(found: Delivery) -> dict[str, Any]:
    return {
        "id": found.id,
        "type": found.event_type,
        "subject_id": found.subject_id,
        "state": found.state,
        "created_at": found.created_at,
        "next_at": found.next_at,
        "tries": found.tries,
    }


def _delivery(found: Delivery) -> DeliveryAnswer:
    attempts = [
        AttemptAnswer(at=one.at, outcome=one.outcome, status=one.status, detail=one.detail)
        for one in found.attempts
    ]
    return DeliveryAnswer(**_row(found), attempts=attempts, event=setting.event(found))


def _sent(endpoint: Endpoint, made: Delivery) -> Reply:
    where = f"{_ENDPOINT}/deliveries/{made.id}".format(endpoint_id=endpoint.id)
    return Reply(_delivery(made), status=202, location=where)


def list_deliveries(call: Call[PageQuery, None]) -> Reply:
    """What was sent to an endpoint."""
    asked = call.query
    endpoint = setting.endpoint(call.store, call.path["endpoint_id"])
    page = call.store.deliveries.page(endpoint.id, asked.limit, call.position(asked.cursor))
    data = [DeliveryRow(**_row(found)) for found in page.items]
    return Reply(DeliveryList(data=data, next_cursor=call.cursor(page.cursor)))


def get_delivery(call: Call[Any, None]) -> Reply:
    """One event."""
    endpoint_id, name = call.path["endpoint_id"], call.path["delivery_id"]
    return Reply(_delivery(setting.delivered(call.store, endpoint_id, name)))


def replay(call: Call[Any, None]) -> Reply:
    """Send an event once more."""
    endpoint = setting.endpoint(call.store, call.path["endpoint_id"])
    found = setting.delivered(call.store, endpoint.id, call.path["delivery_id"])
    return _sent(endpoint, setting.replay(use_of(call), endpoint, found))


def list_ocsf(call: Call[PageQuery, None]) -> Reply:
    """Findings as OCSF events."""
    asked, tenant_id = call.query, call.caller.tenant_id
    page = queries_findings.listing(call.store, None, call.position(asked.cursor), asked.limit)
    data = [OcsfEvent(**ocsf.event(one, None, tenant_id, f"{one.id}.{one.rev}")) for one in page.items]
    return Reply(OcsfList(data=data, next_cursor=call.cursor(page.cursor)))


def _route(
    method: Any, path: str, operation: str, handler: Any, summary: str, description: str, **more: Any
) -> Route:
    return Route(
        method=method,
        path=path,
        operation=operation,
        tag="Webhooks",
        summary=summary,
        description=description,
        handler=handler,
        **more,
    )


ROUTES = (
    _route(
        "GET", "/v1/webhook-endpoints", "listWebhookEndpoints", list_endpoints,
        "Webhook endpoints", "Where events go.", scope="read", query=PageQuery, answer=EndpointList,
    ),
    _route(
        "POST", "/v1/webhook-endpoints", "addWebhookEndpoint", add_endpoint, "Add a webhook endpoint",
        "Events are signed as Standard Webhooks has it; the secret is shown once.",
        scope="admin", body=EndpointBody, answer=SecretAnswer, status=201, etag=True,
    ),
    _route(
        "GET", _ENDPOINT, "getWebhookEndpoint", get_endpoint,
        "One webhook endpoint", "Whether it works, and since when not.",
        scope="read", answer=EndpointAnswer, etag=True,
    ),
    _route(
        "PUT", _ENDPOINT, "setWebhookEndpoint", change_endpoint, "Change a webhook endpoint",
        "As a whole; its address stays where none is sent.",
        scope="admin", body=EndpointChange, answer=EndpointAnswer, if_match=True, etag=True,
    ),
    _route(
        "DELETE", _ENDPOINT, "removeWebhookEndpoint", remove_endpoint, "Remove a webhook endpoint",
        "What is still to be sent there is dropped.", scope="admin", status=204, if_match=True,
    ),
    _route(
        "POST", f"{_ENDPOINT}/rotate", "rotateWebhookSecret", rotate, "Rotate the signing secret",
        "The secret before signs too for 24 hours. The new one is shown once.",
        scope="admin", answer=SecretAnswer, if_match=True, etag=True,
    ),
    _route(
        "POST", f"{_ENDPOINT}/test", "testWebhookEndpoint", try_endpoint, "Send a test event",
        "Of type lantern.test.", scope="admin", answer=DeliveryAnswer, status=202, problems=("conflict",),
    ),
    _route(
        "GET", f"{_ENDPOINT}/deliveries", "listWebhookDeliveries", list_deliveries, "Deliveries",
        "Events of the last 90 days, newest first.", scope="read", query=PageQuery, answer=DeliveryList,
    ),
    _route(
        "GET", f"{_ENDPOINT}/deliveries/{{delivery_id}}", "getWebhookDelivery", get_delivery,
        "One delivery", "The event and each attempt.", scope="read", answer=DeliveryAnswer,
    ),
    _route(
        "POST", f"{_ENDPOINT}/deliveries/{{delivery_id}}/replay", "replayWebhookDelivery", replay,
        "Send an event once more", "Under the same id, with the schedule of attempts begun anew.",
        scope="write", answer=DeliveryAnswer, status=202, problems=("conflict",),
    ),
    _route(
        "GET", "/v1/events/ocsf", "listOcsfEvents", list_ocsf, "Findings as OCSF events",
        "The present state of every finding as a Detection Finding (class 2004) of OCSF 1.5.",
        scope="read", query=PageQuery, answer=OcsfList,
    ),
)  # fmt: skip
