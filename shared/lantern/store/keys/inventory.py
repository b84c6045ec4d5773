"""Keys of the inventory as a whole: assets, apps, people, and what they are judged by."""

from datetime import date

from lantern.store.keys.parts import Key, TenantPrefix, part


class InventoryKeys(TenantPrefix):
    """The keys of what no single connection has."""

    # --- assets ----------------------------------------------------------------------------------
    def asset(self, asset_id: str) -> Key:
        """An asset."""
        return Key(self._pk("ASSET"), part(asset_id))

    def assets_of(self, kind: str) -> str:
        """Index partition of the assets of a kind."""
        return self._pk("ASSET", part(kind))

    def asset_listed(self, kind: str, cid: str, asset_id: str) -> Key:
        """The index entry of an asset."""
        return Key(self.assets_of(kind), f"{part(cid)}#{part(asset_id)}")

    # --- apps ------------------------------------------------------------------------------------
    def apps(self) -> str:
        """Partition of all apps."""
        return self._pk("APP")

    def app(self, app_id: str, aspect: str) -> Key:
        """One aspect of an app: FACTS, RISK, POLICY or OVERRIDE."""
        return Key(self.apps(), f"{part(app_id)}#{aspect}")

    def app_summaries(self) -> str:
        """Partition of the packed apps list."""
        return self._pk("APPS")

    def app_summary(self, number: int) -> Key:
        """One of the 16 parts of the packed apps list."""
        return Key(self.app_summaries(), f"{number:x}")

    def scope_set(self, scope_set_id: str) -> Key:
        """A set of scopes by its content id."""
        return Key(self._pk("SCOPES"), part(scope_set_id))

    # --- catalog ---------------------------------------------------------------------------------
    def catalog(self) -> str:
        """Partition of the tenant's own layer of the catalog."""
        return self._pk("CATALOG")

    def catalog_entries(self) -> Key:
        """All entries of the tenant."""
        return Key(self.catalog(), "ENTRIES")

    def catalog_applied(self) -> Key:
        """The catalog that was last applied to the tenant's apps."""
        return Key(self.catalog(), "APPLIED")

    # --- policy ----------------------------------------------------------------------------------
    def policy(self) -> str:
        """Partition of what the tenant set about rules."""
        return self._pk("POLICY")

    def policy_rules(self) -> Key:
        """Settings and own rules."""
        return Key(self.policy(), "RULES")

    def policy_applied(self) -> Key:
        """The rules by which findings were last brought up to date."""
        return Key(self.policy(), "APPLIED")

    def preview(self, preview_id: str) -> Key:
        """What a proposed change of the policy would do."""
        return Key(self._pk("PREVIEW"), part(preview_id))

    def vendors_seen(self) -> Key:
        """The public profiles of the vendors in use, as last evaluated."""
        return Key(self._pk("VENDORS"), "SEEN")

    # --- people, products, vendors ---------------------------------------------------------------
    def addresses(self, number: int) -> Key:
        """A part of the index of addresses."""
        return Key(self._pk("PEOPLE"), f"A#{number:02x}")

    def persons(self) -> str:
        """Partition of the persons of several accounts."""
        return self._pk("PERSONS")

    def person_part(self, number: int) -> Key:
        """A part of the persons of several accounts."""
        return Key(self.persons(), f"{number:02x}")

    def products(self) -> str:
        """Partition of what was decided about products."""
        return self._pk("PRODUCT")

    def product(self, product_id: str) -> Key:
        """What was decided about a product."""
        return Key(self.products(), part(product_id))

    def vendor_reach(self, name: str) -> Key:
        """A part of what vendors reach, or the state it was computed from."""
        return Key(self._pk("REACH"), part(name))

    # --- risk ------------------------------------------------------------------------------------
    def risk_weights(self) -> Key:
        """The weights that the tenant set."""
        return Key(self._pk("RISK"), "WEIGHTS")

    def posture_days(self) -> str:
        """Partition of the daily posture."""
        return self._pk("POSTURE")

    def posture_day(self, day: date) -> Key:
        """The posture of a day."""
        return Key(self.posture_days(), f"{day:%Y-%m-%d}")
