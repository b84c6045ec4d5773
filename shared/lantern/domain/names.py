"""Names as people and attackers write them: one normal form, tokens, look-alike skeletons, edit distance."""

import re
import unicodedata
from itertools import islice

MAX_NAME = 200
MAX_TOKENS = 14


def word_set(text: str) -> frozenset[str]:
    """Return the words of a list written as prose."""
    return frozenset(text.split())


# Words that say nothing about which product it is: editions, platforms, legal forms, plumbing.
GENERIC_WORDS = word_set("""
    a ab ad ads add addon ag ai alpha an and android api app application apps assistant auth auto automation
    beta bot business bv by calendar chat chrome client cloud co com companion company connect connector corp
    corporation desktop dev docs drive edition email enterprise eu exchange express extension files for forms
    free from gmail gmbh google hq hub in inbox inc integration io ios kg kk labs limited llc login lp ltd mac
    macos mail marketplace meet meeting meetings microsoft mobile net nl notes notetaker oauth official office
    office365 on online or org outlook oy pbc personal plc plugin plus premium pro prod production pte pty pvt
    sa saml sandbox sarl sas service services sheets sign slack slides software spa srl sso staging standard
    starter suite sync team teams technologies technology test the tool tools uk ui us version web webapp
    windows with workspace
""")
LEADING_WORDS = word_set("the my get try use app www login new sign connect in with to")

_SEPARATORS = re.compile(
    r"\s[-–—·/]+\s|[|:•(\[{–—]|\s(?:for|by|from|via|powered by|with|in|on)\s", re.IGNORECASE
)
_INVITATION = re.compile(r"^(?:sign[ -]in|log ?in|continue|connect) (?:with|to|using) ", re.IGNORECASE)
_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_a-zA-Z]+")
_DOMAIN = re.compile(r"^[a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+)*\.[a-z]{2,10}$")
_PLUS = re.compile(r"(?<=\w)\+")
_VERSION = re.compile(r"^(?:v\d*|\d{1,4})$")


def _pairs(letters: str, readings: str) -> dict[str, str]:
    """Pair letters with their readings, which one space separates; an empty reading drops the letter."""
    return dict(zip(letters, readings.split(" "), strict=True))


# Letters that Unicode decomposition does not take apart, then sounds: "Яндекс" is "yandex".
_SOUNDS = str.maketrans(
    _pairs("øłđðþæœıħ", "o l d d th ae oe i h")
    | _pairs("абвгдежзийклмнопр", "a b v g d e zh z i y k l m n o p r")
    | _pairs("стуфхцчшщъыьэюяіє", "s t u f kh ts ch sh shch  y  e yu ya i ye")
    | _pairs("αβγδεζηθικλμνξοπρσςτυφχψω", "a v g d e z i th i k l m n x o p r s s t y f ch ps o")
)

# What a letter looks like, not how it sounds: the usual confusables of Latin brand names
# (a small subset of Unicode TS #39 confusables), plus digits and signs written for letters.
_LOOKS = str.maketrans(
    dict(zip("аеорсухіјѕԁһкмтвнԛԝӏґԍ", "aeopcyxijsdhkmtbhqwlrg", strict=True))
    | dict(zip("αβεικνορτυχγω", "abeikvoptuxyw", strict=True))
    | dict(zip("ɑɡɩʀʏᴀᴄᴇᴏᴘᴛøłđı", "agiryaceoptoldi", strict=True))
    | dict(zip("0134578|!$@€", "oleastbllsae", strict=True))
)


def clean(name: str) -> str:
    """Return `name` as it is shown: compatibility forms folded, invisible characters dropped, cut."""
    folded = unicodedata.normalize("NFKC", name[: MAX_NAME * 4])
    visible = "".join(
        " " if char.isspace() else char
        for char in folded
        if char.isspace() or unicodedata.category(char) not in {"Cf", "Cc", "Co"}
    )
    return " ".join(visible.split())[:MAX_NAME]


def has_hidden_characters(name: str) -> bool:
    """Say whether `name` holds zero-width or direction-changing characters, which no honest product needs."""
    return any(unicodedata.category(char) == "Cf" and char != "\u00ad" for char in name[: MAX_NAME * 4])


def _without_accents(text: str) -> str:
    if text.isascii():
        return text
    return "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))


def fold(text: str) -> str:
    """Return `text` in lower case, without accents, transliterated to Latin where it has a common reading."""
    lowered = text.casefold()
    if lowered.isascii():
        return lowered
    return _without_accents(lowered.replace("кс", "x")).translate(_SOUNDS)


def key(name: str) -> str:
    """Return the form in which names are compared: folded letters and digits ("Otter.ai" → "otterai")."""
    return "".join(char for char in fold(_spelled_out(clean(name))) if char.isalnum())


def _spelled_out(name: str) -> str:
    """Signs that are words: "Disney+" is "Disney Plus", and not Disney."""
    return _PLUS.sub(" plus ", name.replace("&", " and "))


def readings(name: str) -> tuple[str, ...]:
    """Return the keys a name may be known under: its own, and for other scripts how else it may be spelled.

    "Копилот" sounds "kopilot" and "Перплексити" "perplexiti": the Latin originals have a c and a y there.
    """
    own = key(name)
    if not any("\u0370" <= char <= "\u052f" for char in name[: MAX_NAME * 4]):  # Greek and Cyrillic
        return (own,)
    hard = own.replace("dzh", "j").replace("kh", "h").replace("k", "c")
    soft = f"{own[:-1]}y" if own.endswith("i") else own
    both = f"{hard[:-1]}y" if hard.endswith("i") else hard
    return tuple(dict.fromkeys((own, hard, soft, both)))


def words(text: str) -> tuple[str, ...]:
    """Return the folded words of a name, also those joined by capitals ("ChatGPT Pro" → chat, gpt, pro)."""
    return tuple(word for word, _ in pieces(text))


def pieces(text: str) -> tuple[tuple[str, bool], ...]:
    """Return the words of a name, each with whether it stands apart from the one before."""
    plain = _without_accents(_spelled_out(clean(text)).replace("'", "").replace("’", ""))
    found: list[tuple[str, bool]] = []
    end = -1
    for match in islice(_WORDS.finditer(plain), MAX_TOKENS):
        found.append((fold(match.group()), match.start() != end))
        end = match.end()
    return tuple(found)


def segments(name: str) -> tuple[str, ...]:
    """Return the parts of a decorated name: "Fathom | Notes for Zoom" → ("Fathom", "Notes", "Zoom")."""
    return tuple(
        part
        for part in (piece.strip(" -,.)]}") for piece in _SEPARATORS.split(_INVITATION.sub("", clean(name))))
        if part
    )


def written_domains(name: str) -> tuple[str, ...]:
    """Return what in a name is written like a domain ("Otter.ai Notetaker" → "otter.ai")."""
    found = (part.strip(",;:()[]|\"'") for part in clean(name).lower().split()[:MAX_TOKENS])
    return tuple(dict.fromkeys(part for part in found if _DOMAIN.match(part)))


def is_generic(word: str) -> bool:
    """Say whether a word tells nothing about the product: an edition, a platform, a legal form, a version."""
    return word in GENERIC_WORDS or _VERSION.match(word) is not None


def skeleton(name: str) -> str:
    """Return what a name looks like at a glance, so that a "СhatGРТ" in Cyrillic meets the original."""
    lowered = clean(name).casefold().translate(_LOOKS)
    looks = "".join(char for char in _without_accents(lowered) if char.isalnum())
    return looks.replace("rn", "m").replace("vv", "w").replace("i", "l")


def mixed_scripts(name: str) -> bool:
    """Say whether a word of the name mixes Latin with Cyrillic or Greek letters."""
    for word in clean(name).split():
        scripts = {
            unicodedata.name(char, "").split(" ", 1)[0]
            for char in word
            if char.isalpha() and not char.isascii()
        }
        if any(char.isascii() and char.isalpha() for char in word) and scripts & {
            "CYRILLIC",
            "GREEK",
            "ARMENIAN",
        }:
            return True
    return False


def deletions(text: str) -> frozenset[str]:
    """Return `text` and every form with one character removed: two texts one edit apart share a member."""
    return frozenset({text, *(text[:at] + text[at + 1 :] for at in range(len(text)))})


def within_one_edit(left: str, right: str) -> bool:
    """Say whether one insertion, deletion, substitution or swap of neighbours turns `left` into `right`."""
    if left == right:
        return True
    if len(left) > len(right):
        left, right = right, left
    if len(right) - len(left) > 1:
        return False
    at = next((i for i, char in enumerate(left) if char != right[i]), len(left))
    if len(left) < len(right):
        return left[at:] == right[at + 1 :]
    swapped = left[at + 1 : at + 2] == right[at] and left[at] == right[at + 1 : at + 2]
    return left[at + 1 :] == right[at + 1 :] or (swapped and left[at + 2 :] == right[at + 2 :])
