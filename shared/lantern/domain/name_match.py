"""Finding a catalog product in a display name, however it is decorated, without matching inside words."""

from dataclasses import dataclass, replace

from lantern.domain.catalog import CatalogLookup, NameHit, Product
from lantern.domain.names import LEADING_WORDS, is_generic, key, segments, words

# Confidence of a name match alone: (a distinctive name, a name that is also an ordinary word or a person's).
WHOLE = (0.93, 0.7)
STRIPPED = (0.88, 0.62)
DERIVED = (0.8, 0.55)
SEGMENT = (0.75, 0.45)
VENDOR = (0.8, 0.5)
PREFIX = 0.6
MIN_PREFIX_LENGTH = 5


@dataclass(frozen=True, slots=True)
class NameMatch:
    """The products a name stands for (several where it is ambiguous), how sure, and why in words.

    `ai_edition` tells that the name said "AI" beyond the product's own name ("Trello AI").
    """

    products: tuple[Product, ...]
    confidence: float
    sentence: str
    ai_edition: bool = False


def match_name(name: str, catalog: CatalogLookup) -> NameMatch | None:
    """Return what `name` stands for in the catalog, best reading first, or None.

    The readings in order: the whole name; without generic words, versions, legal forms; the first part of a
    decorated name ("Fathom | Notetaker for Zoom"); a later part that is said to be the maker; a distinctive
    name followed by other words.
    """
    whole = _hit(key(name), catalog)
    if whole:
        return _match(whole, key(name), WHOLE, f"The name is that of {_called(whole)}.")
    parts = segments(name)
    begun = None
    for tokens in dict.fromkeys((words(name), *(words(part) for part in parts[:1]))):
        main = _longest_prefix(tokens, catalog)
        if main is not None and main.confidence != PREFIX:
            return main
        begun = begun or main
    for part in parts[1:3]:
        found = _hit(key(part), catalog)
        if found and _says_who_made_it(name, part):
            return _match(found, key(part), SEGMENT, f"The name mentions {_called(found)}.")
    return begun


def match_publisher(publisher: str, catalog: CatalogLookup) -> tuple[Product, ...]:
    """Return the products of the vendor that `publisher` names, legal forms ignored."""
    tokens = words(publisher)
    while tokens:
        hits = catalog.by_name("".join(tokens))
        vendors = {hit.product.vendor for hit in hits if key(hit.product.vendor) == "".join(tokens)}
        if len(vendors) == 1:
            return tuple(hit.product for hit in hits if hit.product.vendor in vendors)
        vendor_hits = tuple(hit.product for hit in hits if hit.strength == "vendor")
        if vendor_hits:
            return vendor_hits
        if not is_generic(tokens[-1]):
            return ()
        tokens = tokens[:-1]
    return ()


def _says_who_made_it(name: str, part: str) -> bool:
    """Tell "Meeting notes by Otter" and "Notes - Otter", which are Otter, from "X for Slack"."""
    at = name.lower().rfind(part.lower())
    before = name[:at].lower().rstrip().rsplit(" ", 1)[-1] if at > 0 else ""
    return before in {"by", "from", "via"} or before[-1:] in set("-–—|:•·")


def _longest_prefix(tokens: tuple[str, ...], catalog: CatalogLookup) -> NameMatch | None:
    """Try the words as they are, then without a leading "the" or "my"; the longest known beginning wins."""
    match = None
    for start in range(len(tokens)):
        match = match or _prefix_from(tokens[start:], catalog)
        if tokens[start] not in LEADING_WORDS:
            break
    return match


def _prefix_from(tokens: tuple[str, ...], catalog: CatalogLookup) -> NameMatch | None:
    for end in range(len(tokens), 0, -1):
        name_key = "".join(tokens[:end])
        found = _hit(name_key, catalog)
        if not found:
            continue
        rest = tokens[end:]
        if all(is_generic(word) for word in rest):
            match = _match(
                found, name_key, STRIPPED, f"Without additions the name is that of {_called(found)}."
            )
            return replace(match, ai_edition="ai" in rest or "gpt" in rest)
        return _prefix(found, end, name_key)
    return None


def _prefix(hits: tuple[NameHit, ...], length: int, name_key: str) -> NameMatch | None:
    """Take a distinctive AI name with other words behind it as weak evidence, an ordinary one as none."""
    usable = tuple(
        hit for hit in hits if hit.strength == "exact" and not hit.product.common and hit.product.kind == "ai"
    )
    if not usable or len(usable) < len(hits) or (length == 1 and len(name_key) < MIN_PREFIX_LENGTH):
        return None
    return NameMatch(tuple(hit.product for hit in usable), PREFIX, f"The name begins with {_called(usable)}.")


def _hit(name_key: str, catalog: CatalogLookup) -> tuple[NameHit, ...]:
    """Return the strongest hits only: a name of its own beats a shortened one beats the vendor's."""
    hits = catalog.by_name(name_key) if len(name_key) > 1 else ()
    return tuple(hit for hit in hits if hit.strength == hits[0].strength)


def _match(hits: tuple[NameHit, ...], name_key: str, sure: tuple[float, float], sentence: str) -> NameMatch:
    # "Read" is an ordinary word, "Read AI" is not.
    common = any(hit.product.common for hit in hits) and not name_key.endswith(("ai", "gpt"))
    most = {"exact": sure, "derived": DERIVED, "vendor": VENDOR}[hits[0].strength]
    return NameMatch(tuple(hit.product for hit in hits), min(sure[common], most[common]), sentence)


def _called(hits: tuple[NameHit, ...]) -> str:
    names = [f"{hit.product.name} of {hit.product.vendor}" for hit in hits[:3]]
    return " or ".join(names)
