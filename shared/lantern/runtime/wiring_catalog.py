"""The catalog as every tenant sees it: the compiled file of this release under the operators' entries."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import lantern.content
from lantern.runtime import wiring_platform
from lantern.runtime.clock import CLOCK

if TYPE_CHECKING:
    from lantern.services.catalog_layers import OperatorCatalog


def content_directory() -> Path:
    """Where the compiled knowledge of this release lies."""
    chosen = wiring_platform.settings().content_dir
    return Path(chosen) if chosen else Path(lantern.content.__path__[0]) / "_compiled"


@cache
def operator_catalog() -> "OperatorCatalog":
    """The catalog of this process; the file is opened, and the table asked, at first use."""
    from lantern.services.catalog import Catalog
    from lantern.services.catalog_layers import OperatorCatalog

    shipped = Catalog(content_directory() / "catalog.sqlite")
    return OperatorCatalog(shipped, wiring_platform.platform_store().catalog.current, CLOCK.monotonic)


def reset() -> None:
    """Forget everything, so that the next use reads the environment anew."""
    operator_catalog.cache_clear()
