"""The API as a whole: all routes, its document, its pages, and the Lambda's way in."""

import json
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from lantern.runtime.api import (
    access_requests,
    activity,
    alert_deliveries,
    alerts,
    app_risk,
    apps,
    assets,
    audit,
    campaigns,
    catalog,
    connections,
    connectors,
    evidence,
    finding_bulk,
    finding_decisions,
    findings,
    grants,
    guidance,
    imports,
    incidents,
    ingest,
    jobs,
    keys,
    mail_headers,
    nudges,
    offboarding,
    openapi,
    persons,
    playbook_runs,
    playbooks,
    policies,
    principals,
    risk,
    rules,
    runs,
    tenant,
    vendor_changes,
    vendor_reach,
    vendors,
    webhooks,
)
from lantern.runtime.api.gateway import Event, Response
from lantern.runtime.api.gateway import handle as handle_event
from lantern.runtime.api.routing import PublicPage, PublicRoute, Route, Router
from lantern.runtime.api.tools import Tools

ROUTES: Final[tuple[Route, ...]] = (
    *tenant.ROUTES,
    *connectors.ROUTES,
    *connections.ROUTES,
    *mail_headers.ROUTES,
    *runs.ROUTES,
    *imports.ROUTES,
    *ingest.ROUTES,
    *apps.ROUTES,
    *app_risk.ROUTES,
    *activity.ROUTES,
    *catalog.ROUTES,
    *assets.ROUTES,
    *vendors.ROUTES,
    *vendor_reach.ROUTES,
    *vendor_changes.ROUTES,
    *risk.ROUTES,
    *principals.ROUTES,
    *persons.ROUTES,
    *grants.ROUTES,
    *findings.ROUTES,
    *finding_decisions.ROUTES,
    *finding_bulk.ROUTES,
    *rules.ROUTES,
    *policies.ROUTES,
    *jobs.ROUTES,
    *playbooks.ROUTES,
    *playbook_runs.ROUTES,
    *offboarding.ROUTES,
    *incidents.ROUTES,
    *nudges.ROUTES,
    *access_requests.ROUTES,
    *campaigns.ROUTES,
    *guidance.ROUTES,
    *audit.ROUTES,
    *evidence.ROUTES,
    *keys.ROUTES,
    *alerts.ROUTES,
    *alert_deliveries.ROUTES,
    *webhooks.ROUTES,
)


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document of this API."""
    return openapi.document(ROUTER)


def document_text() -> str:
    """The document as it is committed: stable order, one member a line."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


@cache
def _compact() -> PublicPage:
    return PublicPage(json.dumps(document(), separators=(",", ":")))


@cache
def _docs() -> PublicPage:
    # Few processes ever show the page: the others do without the template library.
    from lantern.runtime.api import docs

    return PublicPage(docs.render(document()), {"Content-Security-Policy": docs.policy()})


@cache
def _rule_schema() -> PublicPage:
    from lantern.domain.rules.authoring import page_schema

    return PublicPage(json.dumps(page_schema(), separators=(",", ":")))


ROUTER: Final = Router(
    ROUTES,
    public=(
        PublicRoute(
            path="/v1/openapi.json",
            operation="getOpenApi",
            summary="This document",
            description="The OpenAPI 3.1 document of the API; needs no key.",
            media_type="application/json",
            render=_compact,
        ),
        PublicRoute(
            path="/v1/rules.schema.json",
            operation="getRuleSchema",
            summary="What a rule may say",
            description=(
                "JSON Schema (2020-12) of a rule's page with every field, operator, trigger and response, "
                "each with a sentence; for editors. Needs no key."
            ),
            media_type="application/json",
            render=_rule_schema,
        ),
        PublicRoute(
            path="/docs",
            operation="getDocs",
            summary="The API for people",
            description="This document as a page; needs no key and loads nothing from elsewhere.",
            media_type="text/html; charset=utf-8",
            render=_docs,
        ),
    ),
)


def handle(event: Event, tools: Callable[[], Tools]) -> Response:
    """Answer one API Gateway REST proxy event."""
    return handle_event(event, ROUTER, tools)
