"""`catalog show`; publications and `catalog scopes` are in modules of their own."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, get_args

import typer

from lantern.domain import names
from lantern.domain.catalog import Product
from lantern.domain.inventory import ConsentProvider
from lantern.services.catalog import Catalog
from lantern.services.domains import registrable_domain
from scripts.admin_cli import catalog_scopes, overlays, vendors
from scripts.admin_cli.errors import CliError
from scripts.admin_cli.terminal import inert
from scripts.admin_cli.verbs import Desk, verb
from scripts.build.checkout import shipped_catalog

app = typer.Typer(no_args_is_help=True, help="The catalog of products and vendors, and of permissions.")
app.command("scopes")(catalog_scopes.scopes)
app.add_typer(overlays.app, name="overlay")
app.add_typer(vendors.app, name="vendor")
verb(app, "publish")(overlays.publish)


@verb(app, "show")
def show(
    desk: Desk,
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT", help="A name, a product id, a domain or URL, or a provider's client id."
        ),
    ],
) -> None:
    """Show what this checkout's catalog knows under a name, id or domain, and how it was found."""
    with Catalog(shipped_catalog()) as catalog:
        found = _found(catalog, what)
        near = [] if found else [hit.product for hit in catalog.brands_near(names.skeleton(what))]
        revision = catalog.revision
    if not found:
        hint = f" Close to it: {', '.join(inert(p.name) for p in near)}." if near else ""
        raise CliError(
            f"The catalog knows nothing under {inert(what, 80)!r}.{hint}",
            "Try the vendor's domain; entries are in shared/lantern/content/catalog.",
        )
    data = [{**asdict(product), "found_by": how} for product, how in found.values()]

    def draw() -> None:
        for product, how in found.values():
            facts = {**asdict(product), "domains": ", ".join(product.domains), "found by": how}
            desk.out.facts(facts.items())
            desk.out.line("")
        desk.out.remark(f"catalog revision {revision}")

    desk.out.result({"revision": revision, "data": data}, draw)


def _found(catalog: Catalog, what: str) -> dict[str, tuple[Product, str]]:
    """Products by id, each with the first way in which it was found."""
    found: dict[str, tuple[Product, str]] = {}
    for product, how in _hits(catalog, what.strip()):
        found.setdefault(product.id, (product, how))
    return found


def _hits(catalog: Catalog, what: str) -> Iterator[tuple[Product, str]]:
    product = catalog.by_product(what.lower())
    if product is not None:
        yield product, "product id"
    for provider in (*get_args(ConsentProvider), "chrome"):
        owner = catalog.by_id(provider, what)
        if owner is not None:
            yield owner, f"{provider} id"
    host = what.lower().partition("://")[2] or what.lower()
    host = host.partition("/")[0].partition(":")[0]
    for candidate in dict.fromkeys((host, registrable_domain(host))):
        if candidate and "." in candidate:
            for one in catalog.by_domain(candidate):
                yield one, f"domain {candidate}"
    for hit in catalog.by_name(names.key(what)):
        yield hit.product, f"name ({hit.strength})"
