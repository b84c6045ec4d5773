"""Trust: who the app and its vendor are, and what is known against them.

What a vendor does matters as far as the app reaches something: these factors are multiplied by `damage`,
what is held against the app itself (imitation, abuse) is not.
"""

import math

from lantern.domain.risk.exposure import UNKNOWN, Case
from lantern.domain.risk.model import NEW_DAYS, WEEK, Judgement, RiskInput

_NO_KNOWN_INCIDENT = 0.2
_OLD_VENDOR_YEARS = 5
_REVIEW = "Review the app and set its status"


def _what_it_is(app: RiskInput) -> float:
    found = app.identification
    known_good = {"ai": 1.0, "embedded_ai": 0.6, "not_ai": 0.0, "unknown": 0.7}[found.verdict]
    doubt = 0.7 * (1 - found.confidence) if found.verdict == "not_ai" else 0.0
    return max(known_good, doubt)


def judge_identity(case: Case) -> Judgement:
    """What it is: AI sends what it reads to a model."""
    app = case.app
    found = app.identification
    name = found.product or found.vendor or "an AI tool"
    said = {
        "ai": f"It is {name}: what it reads may be sent to a model",
        "embedded_ai": f"It is {name}, an ordinary product with AI features",
        "not_ai": f"It is {name}, which is not AI",
        "unknown": "It is not known what this app is",
    }[found.verdict]
    return _what_it_is(app), f"{said} (confidence {found.confidence:.2f})", _REVIEW


def judge_publisher(case: Case) -> Judgement:
    """Whether the provider has verified the publisher."""
    app = case.app
    if app.verified_publisher is None:
        share, said = UNKNOWN, "It is not known whether the publisher is verified"
        return share * case.harm, said, "Verify the publisher"
    if app.verified_publisher:
        return 0.0, "The provider has verified the publisher", None
    return case.harm, "The provider has not verified the publisher", "Prefer a verified publisher"


_TRAINING: dict[tuple[bool | None, bool | None], tuple[float, str]] = {
    (False, False): (0.0, "The vendor does not train models on customer data by default"),
    (False, None): (0.2, "The vendor does not train on business data; of consumer accounts it is not known"),
    (False, True): (0.4, "The vendor trains on the data of consumer accounts, not on that of business ones"),
    (None, False): (0.3, "The vendor does not train on consumer data; of business accounts it is not known"),
    (None, None): (0.5, "It is not known whether the vendor trains models on customer data"),
    (None, True): (0.7, "The vendor trains on consumer data; of business accounts it is not known"),
    (True, False): (0.9, "The vendor trains models on the data of business customers by default"),
    (True, None): (1.0, "The vendor trains models on the data of business customers by default"),
    (True, True): (1.0, "The vendor trains models on customer data by default"),
}  # fmt: skip


def judge_training(case: Case) -> Judgement:
    """What the vendor does with the data, as far as the app is AI."""
    app = case.app
    vendor = app.vendor
    business = vendor.trains_on_business_data if vendor else None
    consumer = vendor.trains_on_consumer_data if vendor else None
    share, said = _TRAINING[business, consumer]
    remedy = "Use a business plan whose terms exclude training, and get that in writing"
    return share * _what_it_is(app) * case.harm, said, remedy


# What assurance there may be: attribute, what it is worth, how it is called.
_ASSURANCE: tuple[tuple[str, float, str], ...] = (
    ("audited", 0.6, "SOC 2 or ISO 27001"),
    ("dpa", 0.15, "a data processing agreement"),
    ("subprocessors_published", 0.15, "published sub-processors"),
    ("iso42001", 0.1, "ISO 42001"),
)


def judge_assurance(case: Case) -> Judgement:
    """What assurance the vendor gives: audits, agreements, sub-processors."""
    app = case.app
    answers = {title: getattr(app.vendor, name, None) for name, _, title in _ASSURANCE}
    share = sum(
        worth * {True: 0.0, False: 1.0, None: UNKNOWN}[answers[title]] for _, worth, title in _ASSURANCE
    )
    known = [title for title, holds in answers.items() if holds]
    lacks = [title for title, holds in answers.items() if holds is False]
    parts = (
        f"The vendor has {', '.join(known)}" if known else "No assurance of the vendor is known",
        f"it has not: {', '.join(lacks)}" if lacks else "",
    )
    said = "; ".join(part for part in parts if part)
    return share * case.harm, said, "Ask the vendor for its audit report and agreements"


def judge_incidents(case: Case) -> Judgement:
    """What happened at the vendor in public; old incidents count less."""
    app = case.app
    incidents = app.vendor.incidents if app.vendor else ()
    if not incidents:
        said = "No public incident of the vendor is known to Lantern"
        return _NO_KNOWN_INCIDENT * case.harm, said, "Ask the vendor about past incidents"
    left = math.prod(1 - 0.7 * grave * max(0.3, 1 - 0.25 * years) for _, grave, years in incidents)
    latest = min(incidents, key=lambda one: (one[2], one[0]))[0]
    more = f" and {len(incidents) - 1} more" if len(incidents) > 1 else ""
    share = max(_NO_KNOWN_INCIDENT, 1 - left)
    return share * case.harm, f"{latest}{more}", "Ask the vendor what was done since"


def judge_ownership(case: Case) -> Judgement:
    """Where the vendor has its seat, and how long it exists."""
    app = case.app
    vendor = app.vendor
    transfer = vendor.transfer if vendor else None
    years = vendor.years if vendor else None
    seat = {"adequate": 0.0, "partly": 0.2, "other": 1.0, None: UNKNOWN}[transfer]
    young = UNKNOWN if years is None else max(0.0, 1 - years / _OLD_VENDOR_YEARS)
    said = {
        "adequate": "The EU or a country whose data protection the EU holds adequate",
        "partly": "A country whose data protection the EU holds adequate within a framework",
        "other": "A country without an adequacy decision of the EU",
        None: "It is not known where the vendor has its seat",
    }[transfer]
    where = f" ({vendor.country})" if vendor and vendor.country else ""
    age = "" if years is None else f"; the vendor exists for about {years} years"
    remedy = "Agree on standard contractual clauses, or on keeping data in the EU"
    return (0.7 * seat + 0.3 * young) * case.harm, f"{said}{where}{age}", remedy


def judge_look_alike(case: Case) -> Judgement:
    """Imitation of a known brand."""
    app = case.app
    if app.look_alike is None:
        return 0.0, "It does not imitate a known brand", None
    remedy = "Revoke it and block it unless the vendor confirms it"
    return app.look_alike.confidence, app.look_alike.sentence, remedy


def judge_abuse(case: Case) -> Judgement:
    """Public reports of abuse."""
    app = case.app
    if app.abuse is None:
        return 0.0, "It is not on the list of apps known to be abused", None
    remedy = "Find out who consented and when, revoke it, and reset the account if nobody can explain it"
    return app.abuse.confidence, app.abuse.sentence, remedy


def judge_newness(case: Case) -> Judgement:
    """How new it is here."""
    app = case.app
    if app.age_days is None:
        return UNKNOWN, "It is not known since when it is here", "Nothing to do: this passes with time"
    if app.age_days >= NEW_DAYS:
        return 0.0, f"It was first seen {NEW_DAYS} days ago or earlier", None
    # It passes week by week: a night on which nothing happened judges no app anew.
    weeks = app.age_days // WEEK
    ago = f"{weeks} weeks ago" if weeks > 1 else "a week ago" if weeks else "less than a week ago"
    return 1 - weeks * WEEK / NEW_DAYS, f"It was first seen {ago}", "Nothing to do: this passes with time"
