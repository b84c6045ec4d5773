"""What the exports at hand cannot say, in sentences: the counterpart of a run's coverage."""

from collections.abc import Iterable, Iterator

from lantern.domain.exports.census import NOT_TOLD, Census
from lantern.domain.exports.judge import JudgedApp


def limits_of(census: Census, apps: list[JudgedApp], of_formats: Iterable[str]) -> tuple[str, ...]:
    """Every limit once: what is missing here first, then what the formats can never say."""
    return tuple(
        dict.fromkeys((*_of_people(census), *_of_grants(census), *_of_apps(census, apps), *of_formats))
    )


def _of_people(census: Census) -> Iterator[str]:
    people = [person for person in census.people if person.kind == "user"]
    if not any(person.listed for person in people):
        yield (
            "No list of people was given: people without any app are not counted, and how large the "
            "organisation is stays unknown."
        )
    unknown = sum(person.status is None for person in people)
    if unknown:
        yield (
            f"Whether {_of(unknown, len(people))} people still work there is not known; their grants are "
            "not counted as grants of people who left."
        )
    if any(person.admin is None for person in people):
        yield "Who is an administrator is not known for everybody."
    nameless = sum("@" not in person.label for person in people)
    if nameless:
        yield f"{_of(nameless, len(people))} people are known by an id only; a file of users would name them."
    if any(person.kind == "group" for person in census.people):
        yield "Apps that were given to groups: who is in a group is not known."


def _of_grants(census: Census) -> Iterator[str]:
    dated = used = untold = 0
    for held in census.grants():
        dated += held.granted_on is not None
        used += held.last_used is not None
        untold += held.permissions == NOT_TOLD
    total = census.grant_count
    if total and used < total:
        yield (
            "The last use is not known for any grant: nothing can be called stale."
            if not used
            else f"The last use is not known for {_of(total - used, total)} grants: not called stale."
        )
    if total and dated < total:
        yield f"When access was given is not known for {_of(total - dated, total)} grants."
    if untold:
        yield f"What {_of(untold, total)} grants allow is not told."
    if total:
        yield "An export is one moment: what was added, removed or widened since is not known."


def _of_apps(census: Census, apps: list[JudgedApp]) -> Iterator[str]:
    nameless = [one for one in apps if one.app.provider == "entra" and not one.app.described]
    if nameless:
        yield (
            f"{_of(len(nameless), len(apps))} apps are known by their object id only; add the file of "
            "servicePrincipals."
        )
    if roles := census.unnamed_roles():
        yield (
            f"{roles:,} app permissions are known by id only, and taken as risky; add the "
            "servicePrincipals of the APIs that define them."
        )
    if any(one.app.verified_publisher is None for one in apps):
        yield "Whether the publisher of an app is verified is not known for every app."


def _of(part: int, whole: int) -> str:
    return f"all {whole:,}" if part == whole else f"{part:,} of {whole:,}"
