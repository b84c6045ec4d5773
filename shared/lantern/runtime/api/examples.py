"""A body for every operation that takes one, as documentation: each is a request that somebody would send."""

from collections.abc import Mapping
from typing import Any, Final

_APP = "app_3k9v0c2m8q1td"
_OTHER_APP = "app_7h2n5p0s4r6ja"
_PRINCIPAL = "pri_1f6o8b3u5d0k2m9q"
_PERSON = "per_4t7a0e2g6i8l1n3p"
_MANAGER = "per_9s0d3f5h7j1k2m4o"
_GRANT = "gr_1f6o8b3u5d0k2m9q.3k9v0c2m8q1td"
_FINDING = "fnd_06f2m8s1k4v7c0b5n3q9t6d2ha"

_PRODUCT: Final[Mapping[str, Any]] = {"name": "Acme Notes", "category": "ai_meeting", "kind": "ai"}
_CHANNEL: Final[Mapping[str, Any]] = {
    "kind": "email",
    "name": "Security team",
    "to": ["security@acme.example"],
    "minimum": "medium",
    "instant": "high",
    "digest": "daily",
    "digest_at": "09:00",
}
_WEIGHTS: Final[Mapping[str, Any]] = {"weights": {"reach": 50}}
_RULE: Final[Mapping[str, Any]] = {
    "id": "own-mail-undecided",
    "title": "{app.name} reads mail and nobody decided about it",
    "why": "Somebody here must answer for every app that reads mail.",
    "runbook": "Ask whoever holds it, then decide about the app.",
    "severity": "medium",
    "stage": "observe",
    "triggers": ["daily"],
    "subject": "app",
    "params": {"holders": {"about": "Least holders", "default": 1, "min": 1, "max": 99}},
    "where": {
        "all": [
            {"field": "app.data_classes", "contains": "mail"},
            {"field": "app.status", "eq": "unreviewed"},
            {"field": "app.holders", "gte": "$holders"},
        ]
    },
    "tests": [
        {
            "name": "reads mail",
            "given": {"app": {"data_classes": ["mail"], "status": "unreviewed", "holders": 2}},
            "expect": True,
        },
        {
            "name": "decided",
            "given": {"app": {"data_classes": ["mail"], "status": "approved", "holders": 2}},
            "expect": False,
        },
        {
            "name": "not classed",
            "given": {"app": {"data_classes": None, "status": "unreviewed", "holders": 2}},
            "expect": "unknown",
        },
    ],
}

EXAMPLES: Final[Mapping[str, Mapping[str, Any]]] = {
    "startConnection": {"provider": "google"},
    "openUpload": {
        "kind": "logs",
        "content_type": "application/gzip",
        "size": 52_428_800,
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "source": "proxy-berlin",
    },
    "setAppStatus": {"status": "not_allowed", "note": "Trains on what it is given."},
    "setRiskOverride": {
        "score": 20,
        "note": "Runs in a sandbox without customer data.",
        "until": "2027-06-30T00:00:00Z",
    },
    "setRiskWeights": _WEIGHTS,
    "previewRiskWeights": _WEIGHTS,
    "addCatalogEntry": {"id": "acme-notes", "product": _PRODUCT, "note": "Our own tool."},
    "setCatalogEntry": {"product": _PRODUCT, "note": "Renamed."},
    "revokeGrants": {"app_id": _APP, "reason": "Not allowed since June.", "dry_run": True},
    "revokeGrant": {"reason": "Not used since spring."},
    "requestJob": {
        "kind": "revoke_scopes",
        "grant_ids": [_GRANT],
        "scopes": ["https://www.googleapis.com/auth/drive"],
        "reason": "Reads one folder; needs no more.",
    },
    "acknowledgeFinding": {"reason": "Talking to the owner this week."},
    "resolveFinding": {"resolution": "accepted", "reason": "Contract is signed."},
    "snoozeFinding": {"until": "2027-02-01T08:00:00Z", "reason": "The vendor fixes it in January."},
    "exceptFinding": {
        "reason": "The pilot team needs it.",
        "owner": "head-of-sales@acme.example",
        "until": "2027-06-30T00:00:00Z",
    },
    "reopenFinding": {"reason": "The contract was not renewed."},
    "judgeFinding": {"verdict": "false_positive", "reason": "It is our own app."},
    "decideFindings": {
        "finding_ids": [_FINDING],
        "decision": "snooze",
        "read_at": "2027-01-11T09:30:00Z",
        "until": "2027-02-01T08:00:00Z",
        "reason": "The vendor fixes it in January.",
    },
    "addRule": _RULE,
    "setRule": _RULE,
    "setRuleSettings": {"stage": "enforce", "severity": "high", "params": {"days": 45}},
    "previewPolicy": {"rule_id": "stale-grant", "settings": {"stage": "enforce", "params": {"days": 45}}},
    "startPlaybookRun": {"app_id": _APP, "reason": "Not allowed since June.", "dry_run": True},
    "offboardPerson": {"reason": "Last day was Friday.", "dry_run": True},
    "raiseIncident": {
        "vendor_id": "openai",
        "occurred_at": "2027-01-08T00:00:00Z",
        "summary": "Refresh tokens of an integration were stolen.",
        "dry_run": True,
    },
    "createNudge": {"kind": "still_need", "principal_id": _PRINCIPAL, "app_id": _APP, "silence": "revoke"},
    "requestTool": {"person_id": _PERSON, "name": "Acme Notes", "reason": "Minutes of customer calls."},
    "decideRequest": {
        "decision": "approve",
        "scope": "person",
        "until": "2027-06-30T00:00:00Z",
        "conditions": "No customer names.",
        "note": "Enjoy.",
    },
    "createCampaign": {
        "name": "Who reads mail, first quarter",
        "scope": {"app_ids": [_APP, _OTHER_APP], "data_classes": ["mail"]},
        "review_by": "manager",
        "due_at": "2027-03-31T00:00:00Z",
    },
    "decideCampaignItems": {
        "decisions": [{"grant_id": _GRANT, "decision": "keep", "reason": "In daily use."}]
    },
    "setGuidance": {"weekly_nudges": 2, "answer_days": 7, "escalate_to": [_MANAGER]},
    "setAlertSettings": {
        "time_zone": "Europe/Berlin",
        "quiet_hours": {"start": "19:00", "end": "08:00"},
        "language": "en",
    },
    "addAlertChannel": _CHANNEL,
    "setAlertChannel": {**_CHANNEL, "daily_cap": 5},
    "addWebhookEndpoint": {
        "url": "https://siem.acme.example/lantern",
        "events": ["finding.opened"],
        "payload": "ocsf",
    },
    "setWebhookEndpoint": {"description": "The SIEM.", "events": ["finding.opened"], "enabled": True},
    "issueKey": {"name": "SIEM export", "scopes": ["read"]},
}
"""By operation."""
