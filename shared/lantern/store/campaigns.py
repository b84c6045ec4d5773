"""Reviews and the grants they are about."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from lantern.domain.campaigns import Campaign, CampaignItem
from lantern.store.documents import Documents, Page, Put
from lantern.store.keys import Key, ttl
from lantern.store.nudges import worklist_key
from lantern.store.records import Versioned

CAMPAIGN_DAYS: Final = 7 * 366
"""As long as the audit log: the decisions are evidence."""
PAGE: Final = 100


class CampaignRepository:
    """Reviews of a tenant; ids are time ids."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._campaigns = Versioned(documents, "campaign", Campaign)
        self._items = Versioned(documents, "campaign_item", CampaignItem)
        self._keys = documents.keys

    def get(self, campaign_id: str) -> Campaign | None:
        """A review; strongly consistent."""
        return self._campaigns.get(self._keys.campaign(campaign_id), consistent=True)

    def op(self, campaign: Campaign) -> Put:
        """The write of a review on its revision, for a transaction."""
        index = None
        if campaign.next_at is not None:
            index = Key(self._keys.due_campaigns(), worklist_key(campaign.next_at, campaign.id))
        return self._campaigns.op(
            self._keys.campaign(campaign.id),
            campaign,
            index=index,
            ttl=ttl(campaign.created_at, CAMPAIGN_DAYS),
        )

    def page(self, limit: int, cursor: str | None = None) -> Page[Campaign]:
        """Reviews, newest first."""
        return self._campaigns.page(self._keys.campaigns(), limit=limit, cursor=cursor, reverse=True)

    def due(self, now: datetime, limit: int = PAGE) -> Iterator[Campaign]:
        """Reviews for which something is to be done by `now`; the worklist may be a moment behind."""
        for campaign in self._campaigns.page(self._keys.due_campaigns(), limit=limit, index=True).items:
            if campaign.next_at is not None and campaign.next_at <= now:
                yield campaign

    def item_op(self, item: CampaignItem, campaign: Campaign) -> Put:
        """The write of a grant under review on its revision, for a transaction."""
        key = self._keys.campaign_item(item.campaign_id, item.id)
        return self._items.op(key, item, ttl=ttl(campaign.created_at, CAMPAIGN_DAYS))

    def plan_items(self, items: Iterable[CampaignItem], campaign: Campaign) -> None:
        """Write the grants of a review that is being built; only for its builder: it overwrites."""
        self._documents.write_all(self.item_op(item, campaign).doc for item in items)

    def items(self, campaign_id: str) -> Iterator[CampaignItem]:
        """All grants under review, in the order of their ids, page by page as consumed."""
        return self._items.all(self._keys.campaign_items(campaign_id), consistent=True)

    def items_page(self, campaign_id: str, limit: int, cursor: str | None = None) -> Page[CampaignItem]:
        """Some grants under review, in the order of their ids."""
        return self._items.page(self._keys.campaign_items(campaign_id), limit=limit, cursor=cursor)

    def items_by_id(self, campaign_id: str, item_ids: Iterable[str]) -> dict[str, CampaignItem]:
        """Grants under review by id, as far as they are; strongly consistent."""
        keys = [self._keys.campaign_item(campaign_id, one) for one in item_ids]
        found = self._documents.batch_get(keys, consistent=True)
        return {doc.key.sk: self._items.decode(doc) for doc in found.values()}
