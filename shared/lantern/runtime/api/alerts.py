"""Alerts: settings and channels to people."""

import re
from dataclasses import replace
from datetime import datetime, time
from typing import Annotated, Any, Literal

from pydantic import Field

from lantern.domain.alerts import AlertChannel, AlertSettings, QuietHours
from lantern.domain.channel_health import ChannelHealth
from lantern.domain.errors import InvalidInputError
from lantern.domain.rules.vocabulary import Severity
from lantern.runtime.api.findings import SeverityName
from lantern.runtime.api.paging import ListOf, PageQuery, page_of
from lantern.runtime.api.routing import Call, Reply, Route
from lantern.runtime.api.validation import Answer, Strict
from lantern.runtime.preconditions import revision_etag
from lantern.services.outreach import settings as setting
from lantern.services.outreach.wording import remedy

Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", description="Local time, HH:MM.")]
Kind = Literal["slack", "teams", "email"]
Rhythm = Literal["none", "daily", "weekly"]
Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_DAYS: tuple[Day, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class QuietBody(Strict):
    """When people are left alone; critical findings are told all the same."""

    start: Clock
    end: Clock
    weekends: bool = Field(default=False, description="Saturday and Sunday are quiet as a whole.")


class QuietAnswer(Answer):
    """When people are left alone; critical findings are told all the same."""

    start: str
    end: str
    weekends: bool


class AlertSettingsBody(Strict):
    """Settings of alerts."""

    time_zone: str = Field("UTC", max_length=64, description='IANA name, such as "Europe/Berlin".')
    quiet_hours: QuietBody | None = None
    language: str = Field("en", pattern="^[a-z]{2}$", description="English where we have no such texts.")
    console_url: str = Field("", max_length=300, description="Where your people look at findings; for links.")


class SettingsAnswer(Answer):
    """Settings of alerts."""

    time_zone: str
    quiet_hours: QuietAnswer | None
    language: str
    console_url: str


class ChannelBody(Strict):
    """A channel to people."""

    kind: Kind
    name: str = Field(min_length=1, max_length=80)
    to: list[str] = Field(
        [],
        max_length=20,
        description="One Slack channel or person by id, or e-mail addresses; none for Teams.",
    )
    connection_id: str | None = Field(None, description="The Slack connection whose bot speaks.")
    url: str | None = Field(
        None,
        max_length=2_000,
        description="Address of the Teams workflow; write-only. Absent in a change: stays as it is.",
    )
    minimum: SeverityName = Field("medium", description="Findings below are never told here.")
    instant: SeverityName = Field("high", description="From here on told at once, below in digests.")
    digest: Rhythm = "daily"
    digest_at: Clock = "09:00"
    digest_day: Day = "monday"
    daily_cap: int = Field(5, ge=1, le=50, description="Messages a local day; critical ones come on top.")
    enabled: bool = True


class HealthAnswer(Answer):
    """Whether a channel works."""

    state: Literal["untried", "working", "failing", "broken"] = Field(
        description="failing: a message is tried again; broken: one reached nobody, and waits."
    )
    since: datetime | None = Field(description="Since when nothing arrives.")
    sent_at: datetime | None = Field(description="When a message last arrived, to the hour.")
    detail: str = Field(description="What was answered last, a short word.")
    remedy: str = Field(description="What to do about it, in the language of the settings.")
    next_at: datetime | None = Field(description="When a broken channel is tried again at the latest.")


class ChannelAnswer(Answer):
    """A channel to people; never its secret address."""

    id: str
    kind: Kind
    name: str
    to: list[str]
    connection_id: str | None
    minimum: SeverityName
    instant: SeverityName
    digest: Rhythm
    digest_at: str
    digest_day: Day
    daily_cap: int
    enabled: bool
    unsubscribed: list[str] = Field(description="E-mail addresses that no longer want any.")
    health: HealthAnswer


class ChannelList(ListOf[ChannelAnswer]):
    """All channels."""


class QueuedAnswer(Answer):
    """What is on its way."""

    delivery_ids: list[str]


def use_of(call: Call[Any, Any]) -> setting.Setting:
    """Who asks, when, and with what."""
    tools, tenant_id = call.tools, call.caller.tenant_id
    return setting.Setting(
        store=call.store,
        by=call.caller.actor,
        now=tools.now(),
        random=tools.random,
        seal=lambda secret_id, text: tools.seal(tenant_id, secret_id, text),
        platform=tools.platform,
    )


def _time(text: str) -> time:
    hour, minute = re.split(":", text)
    return time(int(hour), int(minute))


def _settings(settings: AlertSettings) -> Reply:
    quiet = settings.quiet_hours
    body = SettingsAnswer(
        time_zone=settings.time_zone,
        quiet_hours=None
        if quiet is None
        else QuietAnswer(start=f"{quiet.start:%H:%M}", end=f"{quiet.end:%H:%M}", weekends=quiet.weekends),
        language=settings.language,
        console_url=settings.console_url,
    )
    return Reply(body, etag=revision_etag(settings.rev))


def get_settings(call: Call[Any, None]) -> Reply:
    """Settings of alerts."""
    return _settings(call.store.alerts.settings())


def set_settings(call: Call[Any, AlertSettingsBody]) -> Reply:
    """Set them."""
    before, asked = call.store.alerts.settings(), call.body
    call.check_revision(revision_etag(before.rev))
    quiet = asked.quiet_hours
    wanted = AlertSettings(
        time_zone=asked.time_zone,
        quiet_hours=None
        if quiet is None
        else QuietHours(_time(quiet.start), _time(quiet.end), quiet.weekends),
        language=asked.language,
        console_url=asked.console_url.rstrip("/"),
        rev=before.rev,
    )
    return _settings(setting.save_settings(use_of(call), wanted))


def _health(health: ChannelHealth, channel: AlertChannel, language: str) -> HealthAnswer:
    empty = not channel.addresses()
    detail = "nobody_left" if empty else health.detail
    return HealthAnswer(
        state="broken" if empty else health.state,
        since=health.since,
        sent_at=health.sent_at,
        detail=detail,
        remedy=remedy(detail, language),
        next_at=health.probe_at,
    )


def _answer(channel: AlertChannel, health: ChannelHealth, language: str) -> ChannelAnswer:
    return ChannelAnswer(
        id=channel.id,
        kind=channel.kind,
        name=channel.name,
        to=list(channel.to),
        connection_id=channel.connection_id or None,
        minimum=channel.minimum.value,
        instant=channel.instant.value,
        digest=channel.digest,
        digest_at=f"{channel.digest_at:%H:%M}",
        digest_day=_DAYS[channel.digest_day],
        daily_cap=channel.daily_cap,
        enabled=channel.enabled,
        unsubscribed=list(channel.unsubscribed),
        health=_health(health, channel, language),
    )


def _asked(body: ChannelBody) -> AlertChannel:
    return AlertChannel(
        id="",
        kind=body.kind,
        name=body.name,
        to=tuple(dict.fromkeys(body.to)),
        connection_id=body.connection_id or "",
        minimum=Severity(body.minimum),
        instant=Severity(body.instant),
        digest=body.digest,
        digest_at=_time(body.digest_at),
        digest_day=_DAYS.index(body.digest_day),
        daily_cap=body.daily_cap,
        enabled=body.enabled,
    )


def _reply(call: Call[Any, Any], channel: AlertChannel) -> Reply:
    settings, health = call.store.alerts.standing((channel.id,))
    answer = _answer(channel, health[channel.id], settings.language)
    return Reply(answer, etag=revision_etag(channel.rev))


def list_channels(call: Call[PageQuery, None]) -> Reply:
    """Channels, in the order of their ids."""
    channels, cursor = page_of(call, call.store.alerts.channels(), lambda one: (one.id,))
    settings, health = call.store.alerts.standing([channel.id for channel in channels])
    answers = [_answer(channel, health[channel.id], settings.language) for channel in channels]
    return Reply(ChannelList(data=answers, next_cursor=cursor))


def get_channel(call: Call[Any, None]) -> Reply:
    """One channel."""
    return _reply(call, setting.channel(call.store, call.path["channel_id"]))


def _current(call: Call[Any, Any]) -> AlertChannel:
    found = setting.channel(call.store, call.path["channel_id"])
    call.check_revision(revision_etag(found.rev))
    return found


def add_channel(call: Call[Any, ChannelBody]) -> Reply:
    """A new channel."""
    made = setting.add_channel(use_of(call), _asked(call.body), call.body.url)
    return replace(_reply(call, made), status=201, location=f"/v1/alerts/channels/{made.id}")


def change_channel(call: Call[Any, ChannelBody]) -> Reply:
    """Change a channel; its kind stays."""
    before = _current(call)
    if call.body.kind != before.kind:
        raise InvalidInputError("kind", "A channel's kind stays: add another channel.")
    wanted = replace(
        _asked(call.body),
        id=before.id,
        created_at=before.created_at,
        unsubscribed=tuple(to for to in before.unsubscribed if to in call.body.to),
        links=before.links,
        rev=before.rev,
    )
    return _reply(call, setting.change_channel(use_of(call), wanted, call.body.url))


def remove_channel(call: Call[Any, None]) -> Reply:
    """Forget a channel."""
    setting.remove_channel(use_of(call), _current(call))
    return Reply(status=204)


def try_channel(call: Call[Any, None]) -> Reply:
    """Send a test message."""
    channel = setting.channel(call.store, call.path["channel_id"])
    made = setting.try_channel(use_of(call), channel)
    answer = QueuedAnswer(delivery_ids=[one.id for one in made])
    return Reply(answer, status=202, location=f"/v1/alerts/channels/{channel.id}/deliveries")


_CHANNEL = "/v1/alerts/channels/{channel_id}"
ROUTES = (
    Route(
        method="GET",
        path="/v1/alerts/settings",
        operation="getAlertSettings",
        tag="Alerts",
        summary="Settings of alerts",
        description="Time zone, quiet hours, language.",
        handler=get_settings,
        scope="read",
        answer=SettingsAnswer,
        etag=True,
    ),
    Route(
        method="PUT",
        path="/v1/alerts/settings",
        operation="setAlertSettings",
        tag="Alerts",
        summary="Set the settings of alerts",
        description="Quiet hours hold for every channel; critical findings are told all the same.",
        handler=set_settings,
        scope="admin",
        body=AlertSettingsBody,
        answer=SettingsAnswer,
        if_match=True,
        etag=True,
    ),
    Route(
        method="GET",
        path="/v1/alerts/channels",
        operation="listAlertChannels",
        tag="Alerts",
        summary="Channels to people",
        description="Slack, Microsoft Teams and e-mail.",
        handler=list_channels,
        scope="read",
        query=PageQuery,
        answer=ChannelList,
    ),
    Route(
        method="POST",
        path="/v1/alerts/channels",
        operation="addAlertChannel",
        tag="Alerts",
        summary="Add a channel",
        description="E-mails go to the domains of your connections only.",
        handler=add_channel,
        scope="admin",
        body=ChannelBody,
        answer=ChannelAnswer,
        status=201,
        etag=True,
        problems=("conflict",),
    ),
    Route(
        method="GET",
        path=_CHANNEL,
        operation="getAlertChannel",
        tag="Alerts",
        summary="One channel",
        description="Where it leads and what it is told.",
        handler=get_channel,
        scope="read",
        answer=ChannelAnswer,
        etag=True,
    ),
    Route(
        method="PUT",
        path=_CHANNEL,
        operation="setAlertChannel",
        tag="Alerts",
        summary="Change a channel",
        description="As a whole; its kind stays, and its secret address where none is sent.",
        handler=change_channel,
        scope="admin",
        body=ChannelBody,
        answer=ChannelAnswer,
        if_match=True,
        etag=True,
        problems=("conflict",),
    ),
    Route(
        method="DELETE",
        path=_CHANNEL,
        operation="removeAlertChannel",
        tag="Alerts",
        summary="Remove a channel",
        description="What is still to be sent there is dropped.",
        handler=remove_channel,
        scope="admin",
        status=204,
        if_match=True,
    ),
    Route(
        method="POST",
        path=f"{_CHANNEL}/test",
        operation="testAlertChannel",
        tag="Alerts",
        summary="Send a test message",
        description="To everybody the channel reaches.",
        handler=try_channel,
        scope="admin",
        answer=QueuedAnswer,
        status=202,
    ),
)
