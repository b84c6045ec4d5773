"""The pages of the consent flow: self-contained HTML without scripts, everything escaped."""

import base64
import functools
import hashlib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import jinja2

from lantern.connectors import manifests
from lantern.connectors.protocol import Manifest
from lantern.domain.consent import Refusal
from lantern.services.pages.wording import ADMINISTRATORS, ANYBODY, TITLES, WORDINGS

_HERE: Final = Path(__file__).parent
_NAME_LIMIT: Final = 80

NOTHING_KEPT: Final = "Nothing was connected and Lantern kept nothing of this sign-in."
AS_BEFORE: Final = "Nothing was changed; what was connected before still is."


@dataclass(frozen=True, slots=True)
class Page:
    """An answer for a browser: status, headers, HTML (or nothing)."""

    status: int
    headers: Mapping[str, str]
    body: str

    def __repr__(self) -> str:
        # The body of one page holds a key.
        return f"Page({self.status})"


@functools.cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )


@functools.cache
def _headers() -> Mapping[str, str]:
    style = hashlib.sha256(_environment().get_template("style.css").render().encode()).digest()
    allowed = base64.b64encode(style).decode()
    return {
        "Content-Type": "text/html; charset=utf-8",
        "Cache-Control": "no-store",
        "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{allowed}'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    }


def inert(text: str, limit: int = _NAME_LIMIT) -> str:
    """A name somebody else chose, for one line of text: no control, format or bidi characters, cut short."""
    kept = "".join(" " if char.isspace() else char for char in text[: 20 * limit])
    kept = "".join(char for char in kept if unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Cn"})
    kept = " ".join(kept.split())
    return kept if len(kept) <= limit else kept[: limit - 1] + "…"


def _page(template: str, status: int, **values: object) -> Page:
    return Page(status, _headers(), _environment().get_template(template).render(**values))


def shown(
    template: str, status: int, *, cookie: str | None = None, form: bool = False, **values: object
) -> Page:
    """A page of one of this package's templates.

    Args:
        template: its file name; it gets `values` and fails where it asks for others.
        status: HTTP status.
        cookie: a `Set-Cookie` header.
        form: whether the page has a form that is sent to us; no other page may send one.
        values: what the template shows.
    """
    page = _page(template, status, reference="", **values)
    headers = dict(page.headers)
    if form:
        policy = headers["Content-Security-Policy"]
        headers["Content-Security-Policy"] = policy.replace("form-action 'none'", "form-action 'self'")
    if cookie is not None:
        headers["Set-Cookie"] = cookie
    return Page(status, headers, page.body)


def title(provider: str) -> str:
    """The name people know a provider by."""
    return TITLES.get(provider, "the provider")


def connected(
    provider: str,
    organisation: str,
    *,
    key: str | None,
    new: bool,
    lost: Sequence[str],
    api: str,
    reference: str,
) -> Page:
    """The consent worked.

    `key` is shown on this page and never again; `lost` says what left-out optional permissions cost.
    """
    return _page(
        "connected.html",
        200,
        title="Connected",
        provider=title(provider),
        push=provider in manifests.providers() and manifests.manifest(provider).push is not None,
        organisation=inert(organisation) or "Your organisation",
        key=key,
        new=new,
        lost=tuple(lost),
        api=api,
        reference=inert(reference),
    )


def refused(
    provider: str,
    refusal: Refusal,
    *,
    again: str | None,
    reference: str,
    lost: Sequence[str] = (),
    known: bool = False,
) -> Page:
    """The consent did not work: why, and what to do. `known`: something was connected before."""
    wording = WORDINGS[refusal]
    names = {"provider": title(provider), "admin": ADMINISTRATORS.get(provider, ANYBODY)}
    return _page(
        "refused.html",
        wording.status,
        title=wording.title.format(**names),
        happened=wording.happened.format(**names),
        steps=tuple(step.format(**names) for step in wording.steps),
        lost=tuple(lost),
        again=again if wording.again else None,
        kept=AS_BEFORE if known else NOTHING_KEPT,
        reference=inert(reference),
    )


def form(manifest: Manifest, *, state: str, action: str, cookie: str) -> Page:
    """The fields of a provider that is connected without a consent page of its own.

    The state is in the form and its browser's secret in the cookie: nobody can post for somebody else.
    """
    wanted = tuple(
        f"{need.lost_without[:1].upper()}{need.lost_without[1:]}" for need in manifest.scopes if need.required
    )
    shown = _page(
        "form.html",
        200,
        title=f"Connect {title(manifest.provider)}",
        provider=title(manifest.provider),
        admin=ADMINISTRATORS.get(manifest.provider, ANYBODY),
        fields=manifest.form,
        needs=manifest.scopes,
        wanted=wanted,
        state=state,
        action=action,
        reference="",
    )
    policy = shown.headers["Content-Security-Policy"].replace("form-action 'none'", "form-action 'self'")
    return Page(200, {**shown.headers, "Content-Security-Policy": policy, "Set-Cookie": cookie}, shown.body)


def away(address: str, cookie: str) -> Page:
    """Send the browser to the provider, with the secret it must bring back."""
    headers = dict(_headers()) | {"Location": address, "Set-Cookie": cookie}
    return Page(302, headers, "")
