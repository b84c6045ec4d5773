"""Compiled knowledge of vendors, frameworks, abuse, APIs and scopes: each file is read on first use."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from lantern.domain import ids
from lantern.domain.abuse import AbuseList, AbuseReport
from lantern.domain.compliance import Framework
from lantern.domain.playbooks.loading import Playbooks
from lantern.domain.scopes import DataClass
from lantern.domain.vendor_overlay import VendorLayer
from lantern.domain.vendors import VendorProfile
from lantern.services.playbooks_shipped import books_in
from lantern.services.scopes import Scopes

FORMAT_VERSION: Final = 1
T = TypeVar("T")


class ReferenceDataError(Exception):
    """A compiled file is missing, damaged or of another format."""


@dataclass(frozen=True, slots=True)
class _Vendors:
    format: int
    vendors: tuple[VendorProfile, ...]


@dataclass(frozen=True, slots=True)
class RiskData:
    """What `risk.json` holds. `apis` is provider → API → data classes."""

    format: int
    revision: str
    frameworks: tuple[Framework, ...]
    abuse: tuple[AbuseReport, ...]
    consumer_domains: frozenset[str]
    apis: dict[str, dict[str, tuple[DataClass, ...]]]
    transfers: dict[str, str] = field(default_factory=dict)


class Reference:
    """Look-ups in the compiled knowledge in `directory`; construction reads nothing.

    Raises:
        ReferenceDataError: On first use, when a file cannot be read as one of this format.

    Attributes:
        operators: the version of the operators' publications that it holds; 0 where it is as shipped.
    """

    operators = 0

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.scopes = Scopes(directory)

    @cached_property
    def risk(self) -> RiskData:
        """Frameworks, abuse reports, consumer domains and APIs."""
        data = self._read("risk.json", RiskData)
        if data.format != FORMAT_VERSION:
            raise ReferenceDataError(f"risk.json has format {data.format}, expected {FORMAT_VERSION}")
        return data

    @cached_property
    def abuse(self) -> AbuseList:
        """Apps that were reported."""
        return AbuseList(self.risk.abuse)

    @cached_property
    def books(self) -> Playbooks:
        """The playbooks of this release."""
        return books_in(self._directory)

    def vendor(self, name: str | None) -> VendorProfile | None:
        """The profile of a vendor by the name the catalog gives it; None where nothing is known."""
        return None if name is None else self._vendors.get(name)

    def vendor_by_id(self, vendor_id: str) -> VendorProfile | None:
        """The profile of a vendor by its id."""
        return next((one for one in self._vendors.values() if one.id == vendor_id), None)

    def vendor_id(self, name: str) -> str:
        """The id of a vendor by the name the catalog gives it: its profile's, or one made of the name."""
        profile = self.vendor(name)
        return profile.id if profile else ids.derived_id("ven", name)

    @cached_property
    def _vendors(self) -> dict[str, VendorProfile]:
        data = self._read("vendors.json", _Vendors)
        if data.format != FORMAT_VERSION:
            raise ReferenceDataError(f"vendors.json has format {data.format}, expected {FORMAT_VERSION}")
        return {one.vendor: one for one in data.vendors}

    def _read(self, name: str, kind: type[T]) -> T:
        try:
            return msgspec.json.decode((self._directory / name).read_bytes(), type=kind)
        except (OSError, msgspec.MsgspecError) as error:
            raise ReferenceDataError(f"{name} cannot be read: {error}") from error


class PublishedReference(Reference):
    """A reference with the profiles of vendors as operators publish them; all else is as shipped.

    Args:
        shipped: what the release knows.
        vendors: what operators say of vendors.
        version: the publication that it is of.
    """

    def __init__(self, shipped: Reference, vendors: VendorLayer, version: int) -> None:
        self._shipped = shipped
        self._layer = vendors
        self.scopes = shipped.scopes
        self.operators = version

    @cached_property
    def risk(self) -> RiskData:
        """Frameworks, abuse reports, consumer domains and APIs."""
        return self._shipped.risk

    @cached_property
    def abuse(self) -> AbuseList:
        """Apps that were reported."""
        return self._shipped.abuse

    @cached_property
    def books(self) -> Playbooks:
        """The playbooks of this release."""
        return self._shipped.books

    def vendor(self, name: str | None) -> VendorProfile | None:
        """The profile of a vendor by the name the catalog gives it; None where nothing is known."""
        return self._over(self._shipped.vendor(name))

    def vendor_by_id(self, vendor_id: str) -> VendorProfile | None:
        """The profile of a vendor by its id."""
        return self._over(self._shipped.vendor_by_id(vendor_id))

    def _over(self, profile: VendorProfile | None) -> VendorProfile | None:
        return None if profile is None else self._layer.over(profile, self._shipped.risk.transfers)
