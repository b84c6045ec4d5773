"""Use and decision: who still uses it, who left, what changed, what the organisation decided."""

from lantern.domain.risk.exposure import Case, counted
from lantern.domain.risk.model import AppStatus, Judgement

STATUS: dict[AppStatus, float] = {
    "approved": 0.0,
    "restricted": 0.4,
    "under_review": 0.6,
    "unreviewed": 0.7,
    "not_allowed": 1.0,
}
_UNKNOWN_CHANGE = 0.2


def judge_status(case: Case) -> Judgement:
    """Your decision about it."""
    app = case.app
    said = {
        "approved": "It is approved",
        "restricted": "It is approved with restrictions",
        "under_review": "It is under review",
        "unreviewed": "Nobody has reviewed it",
        "not_allowed": "It is not allowed, and still in use",
    }[app.status]
    remedy = "Revoke it" if app.status == "not_allowed" else "Review it and set its status"
    return STATUS[app.status], said, remedy


def judge_departed(case: Case) -> Judgement:
    """People who left and still hold it."""
    app = case.app
    count = app.departed_holders
    unknown = "It is not known whether leavers still hold it"
    said = unknown if count is None else f"People who left and still hold it: {count}"
    return counted(count, 20) * case.harm, said, "Revoke the grants of people who left"


def judge_stale(case: Case) -> Judgement:
    """Grants nobody uses; all of them idle is a dormant app."""
    app = case.app
    count = app.stale_holders
    said = "It is not known who still uses it" if count is None else f"Holders who do not use it: {count}"
    if count and count >= app.holders:
        said = f"It is dormant: none of its {app.holders} holders uses it"
    return counted(count, 100) * case.harm, said, "Revoke grants that are not used"


def judge_anomaly(case: Case) -> Judgement:
    """Whether its use changed."""
    app = case.app
    change = app.use_change
    if change is None:
        share, said = _UNKNOWN_CHANGE, "It is not known whether its use has changed"
        return share * case.harm, said, "Nothing to do: this passes once five weeks of use are known"
    if change.kind == "steady":
        return 0.0, f"Its use is as usual: {change.last_week} events in the last week", None
    now = f"{change.last_week} events in the last week"
    said = {
        "spike": f"Its use rose to {now}, from about {change.usual_week}",
        "woke": f"It was not used for weeks and woke up: {now}",
    }[change.kind]
    share = {"spike": 1.0, "woke": 0.8}[change.kind]
    return share * case.harm, said, "Find out what it was used for"
