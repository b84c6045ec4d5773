"""What people read when they are asked: plain, friendly, the same words on the page, in Slack and in mail."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lantern.domain.nudges import NudgeAnswer, NudgeKind, Silence


@dataclass(frozen=True, slots=True)
class Question:
    """A question about `{app}`: its title, and why it is asked."""

    title: str
    why: str


QUESTIONS: Final[Mapping[NudgeKind, Question]] = {
    "still_need": Question(
        "Do you still need {app}?",
        "It still has access to your account. If you no longer need it, we remove that access.",
    ),
    "what_for": Question(
        "What do you use {app} for?",
        "It is new to us. A short answer helps us to keep the tools that people use, and keep them safe.",
    ),
    "use_instead": Question(
        "Could you use {alternative} instead of {app}?",
        "Checked and approved here, for the same kind of work: {alternative}.",
    ),
    "delete_account": Question(
        "Please delete your {app} account",
        "It should no longer hold anything of ours. Delete the account in its settings, then tell us here.",
    ),
    "fewer_scopes": Question(
        "Could you reconnect {app} with fewer permissions?",
        "It may do more than it needs. Disconnect it, connect it again and leave out what you do not use.",
    ),
    "acknowledge": Question(
        "Please read how we use AI tools",
        "It is short. Confirm once you have read it.",
    ),
    "rotate": Question(
        "Please renew your {app} keys and passwords",
        "Its maker reported a security incident; nothing you did caused it. Create new keys, change the "
        "password, and sign out of old sessions.",
    ),
}
NAMED: Final = "Keep it"
LABELS: Final[Mapping[NudgeAnswer, str]] = {
    "keep": NAMED,
    "revoke": "Remove its access",
    "switch": "Switch and remove the old access",
    "deleted": "I have deleted it",
    "reconnected": "I have reconnected it",
    "acknowledged": "I have read it",
    "rotated": "I have renewed them",
    "not_mine": "I don’t know it: remove its access",
}
NEXT: Final[Mapping[NudgeAnswer, str]] = {
    "keep": "You can keep it. We will not ask again before {until}.",
    "revoke": "Its access is being removed, usually within minutes. Your account there stays as it is.",
    "switch": "Thank you for switching. The old access is being removed, usually within minutes.",
    "deleted": "Thank you. We will look again shortly whether the access is gone.",
    "reconnected": "Thank you. We will look again shortly at what it may do now.",
    "acknowledged": "Thank you. That is all.",
    "rotated": "Thank you. That is all you had to do.",
    "not_mine": "Thank you for telling us. Its access is being removed, usually within minutes.",
}
SILENT: Final[Mapping[Silence, str]] = {
    "keep": "If you do not answer by {due}, nothing changes.",
    "revoke": "If you do not answer by {due}, its access is removed. You can always connect it again.",
    "escalate": "If you do not answer by {due}, the people who look after it here will decide.",
}
NO_ANSWER: Final = "No answer from {who} about {app}"
ESCALATED: Final = "Nothing was changed. Please talk to them, or decide for them."
MORE_SILENT: Final = "More colleagues have not answered about their tools"
REVIEW: Final = (
    "Tools have access to the accounts of colleagues. Say which may stay; it takes a few minutes. "
    "What nobody decides on is {outcome}."
)
REVIEW_NOW: Final = "Review now"
REVIEWER: Final = (
    "You get this because you are asked to review. The address is yours alone: do not forward it."
)
DECIDE: Final = "Decide"
APPROVE: Final = "May we go on? {title}: {who}"
NOTHING_YET: Final = "Nothing is done before you approve it."
PLEASE_DECIDE: Final = "It takes a minute. You can set conditions and an end."
LATE: Final = "It has waited too long, and nobody has decided. Please do, or ask who should."
BECAUSE: Final[Mapping[str, str]] = {
    "manager": "You get this because the directory names you as their manager.",
    "owner": "You get this because you look after this tool here.",
    "escalate_to": "You get this because you are named as who decides when nobody else does.",
    "reviewer": "You get this because you decide on requests for tools.",
    "nobody": "",
}
CAN_OF: Final = "What {app} can do with the account of {who}"
ANSWER: Final = "Answer"
CAN: Final = "What {app} can do with your account"
FROM: Final = "From whoever looks after it"
ON_PAGE: Final = "Please answer this one on its page: press Answer."
REASON_LABEL: Final = "What do you use it for?"
WHO: Final = "You get this because it concerns your work account. At most {cap} of these reach you a week."
NO_ACCESS_KNOWN: Final = "We do not know what it can access."
NOTHING: Final = "It has no access of its own: it knows what you type or upload there."
NOTHING_OF_OTHERS: Final = "It has no access of its own: it knows what people type or upload there."
SIGN_IN_OF_OTHERS: Final = "It only knows who signs in."
SIGN_IN: Final = "It only knows who you are when you sign in."
