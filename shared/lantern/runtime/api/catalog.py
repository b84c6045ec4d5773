"""The catalog: what it says of products, and the tenant's own entries."""

from dataclasses import asdict, replace
from datetime import datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from lantern.domain.catalog import Kind
from lantern.domain.catalog_schema import Category, IdProvider, ProductEntry, said_of
from lantern.domain.overlay import OverlayEntry
from lantern.runtime.api.app_risk import IdentificationAnswer
from lantern.runtime.api.paging import ListOf, PageQuery
from lantern.runtime.api.routing import Call, Reply, Route
from lantern.runtime.api.validation import Answer, Question, Strict, choice_error
from lantern.runtime.preconditions import revision_etag
from lantern.services import catalog_entries, catalog_lookup
from lantern.services.catalog_entries import Author, Check, Draft
from lantern.services.catalog_lookup import Asked, FoundBy, FoundProduct, Source

_OWN_ID = r"^[a-z0-9]+([-_][a-z0-9]+)*$"
EntryId = Annotated[str, StringConstraints(pattern=_OWN_ID, max_length=60)]


class ProductBody(ProductEntry):
    """What an entry says of a product; the same rules as for shipped entries."""

    model_config = ConfigDict(strict=True)


class EntryBody(Strict):
    """What an entry is to say."""

    replaces: EntryId | None = Field(
        None, description="Id of the product that it corrects, or takes back; null for a new product."
    )
    product: ProductBody | None = Field(
        None, description="What is known of the product; null takes back the one in `replaces`."
    )
    note: str = Field("", max_length=2_000, description="Why; kept with the entry.")


class NewEntryBody(EntryBody):
    """An entry to add."""

    id: EntryId | None = Field(None, description="Id of the entry, and of a new product; made where null.")


class EntryProductAnswer(Answer):
    """What an entry says of a product."""

    name: str
    vendor: str
    category: Category
    kind: Kind
    aliases: list[str]
    domains: list[str]
    ids: dict[str, list[str]] = Field(description="Client, app or extension ids by provider.")
    common: bool = Field(description="The name is an ordinary word or a person's name too.")
    namesake: bool = Field(description="Another product is known to have this name as well.")
    hosts_others: bool = Field(description="Strangers publish under its domains.")
    well_known: bool = Field(description="Most people mean this product by its name.")
    protected: bool = Field(description="Look-alikes of it are searched.")


class EntryAnswer(Answer):
    """An entry of the tenant's own."""

    id: str
    product_id: str = Field(description="The product it is about: `replaces`, else its own id.")
    replaces: str | None
    product: EntryProductAnswer | None = Field(description="Null for a product that was taken back.")
    note: str
    by: str = Field(description="Who wrote it last.")
    at: datetime


class EntryList(ListOf[EntryAnswer]):
    """Entries."""


class ProductQuery(Question):
    """What is at hand of an app; at least one of name, domain and client_id."""

    name: str | None = Field(None, min_length=1, max_length=200, description="As the app calls itself.")
    domain: str | None = Field(None, min_length=1, max_length=253, description="A host or URL of it.")
    client_id: str | None = Field(
        None, min_length=1, max_length=200, description="Its client, app or extension id at a provider."
    )
    provider: IdProvider | None = Field(None, description="Whose id it is; any provider's where absent.")

    @model_validator(mode="after")
    def _something(self) -> "ProductQuery":
        if self.name is None and self.domain is None and self.client_id is None:
            raise choice_error(("name", "domain", "client_id"), "Send name, domain or client_id.")
        return self


class ProductAnswer(Answer):
    """A product of the catalog."""

    id: str
    name: str
    vendor: str
    category: str
    kind: Kind
    domains: list[str]
    common: bool = Field(description="The name is an ordinary word or a person's name too.")
    hosts_others: bool = Field(description="Strangers publish under its domains.")
    well_known: bool = Field(description="Most people mean this product by its name.")
    protected: bool = Field(description="Look-alikes of it are searched.")
    found_by: FoundBy
    source: Source = Field(description="Who says so: the release, the operators, or an entry of the tenant.")


class ProductsAnswer(Answer):
    """What the catalog says."""

    identification: IdentificationAnswer = Field(description="What an app like this would be taken for.")
    data: list[ProductAnswer] = Field(description="Every product found, the strongest evidence first.")


def _entry(entry: OverlayEntry) -> EntryAnswer:
    said = said_of(entry.listing) if entry.listing else None
    shown = EntryProductAnswer.model_fields
    return EntryAnswer(
        id=entry.id,
        product_id=entry.product_id,
        replaces=entry.replaces,
        product=EntryProductAnswer.model_validate({n: said[n] for n in shown}) if said else None,
        note=entry.note,
        by=entry.by,
        at=entry.at,
    )


def _product(found: FoundProduct) -> ProductAnswer:
    product = found.product
    return ProductAnswer(
        id=product.id,
        name=product.name,
        vendor=product.vendor,
        category=product.category,
        kind=product.kind,
        domains=list(product.domains),
        common=product.common,
        hosts_others=product.hosts_others,
        well_known=product.well_known,
        protected=product.protected,
        found_by=found.found_by,
        source=found.source,
    )


def _reply(entry: OverlayEntry) -> Reply:
    return Reply(_entry(entry), etag=revision_etag(entry.rev))


def _author(call: Call[Any, Any]) -> Author:
    return Author(call.caller.actor, call.tools.now())


def _check(call: Call[Any, Any]) -> Check:
    return lambda entry: call.check_revision(revision_etag(entry.rev))


def _draft(body: EntryBody) -> Draft:
    return Draft(body.product, body.replaces, body.note)


def list_entries(call: Call[PageQuery, None]) -> Reply:
    """The tenant's entries."""
    asked = call.query
    page = catalog_entries.listing(call.store, after=call.position(asked.cursor), limit=asked.limit)
    position = None if page.position is None else str(page.position[0])
    return Reply(EntryList(data=[_entry(e) for e in page.rows], next_cursor=call.cursor(position)))


def add_entry(call: Call[Any, NewEntryBody]) -> Reply:
    """A new entry."""
    entry = catalog_entries.create(
        call.store,
        call.tools.catalog().layer().catalog,
        _draft(call.body),
        _author(call),
        entry_id=call.body.id,
        random=call.tools.random,
    )
    return replace(_reply(entry), status=201, location=f"/v1/catalog/entries/{entry.id}")


def get_entry(call: Call[Any, None]) -> Reply:
    """One entry."""
    return _reply(catalog_entries.entry(call.store, call.path["entry_id"]))


def put_entry(call: Call[Any, EntryBody]) -> Reply:
    """Change an entry."""
    entry = catalog_entries.update(
        call.store,
        call.tools.catalog().layer().catalog,
        call.path["entry_id"],
        _draft(call.body),
        _author(call),
        _check(call),
    )
    return _reply(entry)


def delete_entry(call: Call[Any, None]) -> Reply:
    """Take an entry away."""
    gone = catalog_entries.remove(call.store, call.path["entry_id"], _author(call), _check(call))
    return Reply(_entry(gone))


def find_products(call: Call[ProductQuery, None]) -> Reply:
    """What the catalog says."""
    asked = call.query
    question = Asked(asked.name or "", asked.domain or "", asked.client_id or "", asked.provider or "")
    answered = catalog_lookup.look_up(call.store, call.tools.catalog(), question)
    return Reply(
        ProductsAnswer(
            identification=IdentificationAnswer.model_validate(asdict(answered.identification)),
            data=[_product(found) for found in answered.products],
        )
    )


ROUTES = (
    Route(
        method="GET",
        path="/v1/catalog/products",
        operation="findProducts",
        tag="Catalog",
        summary="What the catalog says",
        description=(
            "Looks a name, a domain or a provider's id up in the shipped catalog, the operators' entries and "
            "the tenant's own. Operators' entries show within 5 minutes of their publication."
        ),
        handler=find_products,
        scope="read",
        query=ProductQuery,
        answer=ProductsAnswer,
    ),
    Route(
        method="GET",
        path="/v1/catalog/entries",
        operation="listCatalogEntries",
        tag="Catalog",
        summary="The tenant's own entries",
        description="Every product the tenant added, corrected or took back, in the order of ids.",
        handler=list_entries,
        scope="read",
        query=PageQuery,
        answer=EntryList,
    ),
    Route(
        method="POST",
        path="/v1/catalog/entries",
        operation="addCatalogEntry",
        tag="Catalog",
        summary="Add or correct a product",
        description=(
            "The entry wins over what is shipped; the apps it touches are judged again, no others. "
            "It is audited. A tenant has at most 1,000 entries."
        ),
        handler=add_entry,
        scope="write",
        body=NewEntryBody,
        answer=EntryAnswer,
        status=201,
        etag=True,
        problems=("conflict",),
    ),
    Route(
        method="GET",
        path="/v1/catalog/entries/{entry_id}",
        operation="getCatalogEntry",
        tag="Catalog",
        summary="One entry",
        description="What it says, who wrote it last, and why.",
        handler=get_entry,
        scope="read",
        answer=EntryAnswer,
        etag=True,
    ),
    Route(
        method="PUT",
        path="/v1/catalog/entries/{entry_id}",
        operation="setCatalogEntry",
        tag="Catalog",
        summary="Change an entry",
        description="Replaces all that it says; apps it touched or touches are judged again. It is audited.",
        handler=put_entry,
        scope="write",
        body=EntryBody,
        answer=EntryAnswer,
        if_match=True,
        etag=True,
        problems=("conflict",),
    ),
    Route(
        method="DELETE",
        path="/v1/catalog/entries/{entry_id}",
        operation="removeCatalogEntry",
        tag="Catalog",
        summary="Remove an entry",
        description="What is shipped holds again; apps it touched are judged again. It is audited.",
        handler=delete_entry,
        scope="write",
        answer=EntryAnswer,
        if_match=True,
    ),
)
