"""A notice in words: a title, a section per app, person or connection, and what is only counted."""

from functools import cached_property

from lantern.domain.alerts import AlertChannel, AlertSettings
from lantern.domain.messages import Button, Message, Section
from lantern.domain.noise import Concern, Notice
from lantern.services.outreach.wording import texts
from lantern.store.tenant import TenantStore


class Composer:
    """Composes the messages of one pass; names of apps are read once, and only if something is told."""

    def __init__(self, store: TenantStore, settings: AlertSettings) -> None:
        self._store = store
        self._settings = settings
        self._texts = texts(settings.language)

    @cached_property
    def _names(self) -> dict[str, str]:
        return {row.app_id: row.name for row in self._store.apps.summary()}

    def compose(self, channel: AlertChannel, notice: Notice) -> Message:
        """The message of a notice."""
        said = self._texts["alerts"]
        total = len(notice.concerns) + notice.more
        title = said["title"][notice.kind]["one" if total == 1 else "many"].format(count=total)
        url = self._settings.console_url
        return Message(
            purpose="digest" if notice.kind == "digest" else "alert",
            title=title,
            text=self._counts(notice),
            sections=(
                *(self._section(group_id, concerns) for group_id, concerns in notice.groups()),
                *((Section(more=notice.more),) if notice.more else ()),
            ),
            buttons=(Button(self._texts["open"], url=f"{url}/findings"),) if url else (),
            footer=said["footer"].format(channel=channel.name),
            severity=max((one.severity for one in notice.concerns), key=lambda level: level.rank).value,
            language=self._settings.language,
        )

    def _section(self, group_id: str, concerns: tuple[Concern, ...]) -> Section:
        items = tuple(f"{self._texts['severity'][one.severity.value]}: {one.title}" for one in concerns)
        return Section(title=self._names.get(group_id, ""), items=items)

    def _counts(self, notice: Notice) -> str:
        names = self._texts["severity"]
        return ", ".join(f"{count} {names[level.value].lower()}" for level, count in notice.levels)
