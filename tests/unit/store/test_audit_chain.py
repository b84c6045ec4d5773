"""The audit chain: whatever is done to it, the verifier names the first bad entry."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from lantern.domain.audit import AuditEntry, AuditEvent, AuditHead, canonical, chain, digest, verify

NOW = datetime(2026, 3, 14, tzinfo=UTC)
events = st.builds(
    AuditEvent,
    actor=st.text(max_size=10),
    action=st.sampled_from(["app.decided", "job.approved"]),
    subject=st.text(max_size=10),
    detail=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
)
chains = st.lists(events, min_size=2, max_size=12).map(lambda found: chain(AuditHead(), found, NOW))
index = st.integers(0, 10**6)


def head_of(entries: tuple[AuditEntry, ...]) -> AuditHead:
    return AuditHead(entries[-1].seq, entries[-1].hash)


@given(chains, index)
def test_a_chain_written_in_pieces_is_sound(entries: tuple[AuditEntry, ...], cut: int) -> None:
    cut %= len(entries)
    more = chain(head_of(entries), [AuditEvent("a", "b", "c")], NOW)

    assert verify(entries, head=head_of(entries)) is None
    assert verify([*entries, *more], head=head_of(more)) is None
    after = AuditHead(entries[cut].seq, entries[cut].hash)
    assert verify(entries[cut + 1 :], after=after, head=head_of(entries)) is None


@given(chains, index)
def test_a_deleted_entry_is_named(entries: tuple[AuditEntry, ...], at: int) -> None:
    at %= len(entries)

    assert verify(entries[:at] + entries[at + 1 :], head=head_of(entries)) == at + 1


@given(chains, index, st.sampled_from(["actor", "action", "subject"]))
def test_an_edited_entry_is_named(entries: tuple[AuditEntry, ...], at: int, field: str) -> None:
    at %= len(entries)
    edited = replace(entries[at], **{field: getattr(entries[at], field) + "!"})
    assert verify((*entries[:at], edited, *entries[at + 1 :]), head=head_of(entries)) == at + 1

    later = replace(entries[at], at=entries[at].at + timedelta(seconds=1))
    assert verify((*entries[:at], later, *entries[at + 1 :]), head=head_of(entries)) == at + 1

    detail = replace(entries[at], detail={**entries[at].detail, "more": "than was"})
    assert verify((*entries[:at], detail, *entries[at + 1 :]), head=head_of(entries)) == at + 1


@given(chains, index)
def test_an_edit_with_its_hash_made_right_again_breaks_the_next_link_or_the_head(
    entries: tuple[AuditEntry, ...], at: int
) -> None:
    at %= len(entries)
    edited = replace(entries[at], actor=entries[at].actor + "!")
    edited = replace(edited, hash=digest(edited))

    found = verify((*entries[:at], edited, *entries[at + 1 :]), head=head_of(entries))

    assert found == min(at + 2, len(entries))


@given(chains, index)
def test_swapped_entries_are_named(entries: tuple[AuditEntry, ...], at: int) -> None:
    at %= len(entries) - 1
    swapped = [*entries]
    swapped[at], swapped[at + 1] = swapped[at + 1], swapped[at]
    assert verify(swapped, head=head_of(entries)) == at + 1

    renumbered = [*entries]
    renumbered[at] = replace(entries[at + 1], seq=at + 1)
    renumbered[at + 1] = replace(entries[at], seq=at + 2)
    assert verify(renumbered, head=head_of(entries)) == at + 1


@given(chains, index)
def test_a_chain_cut_off_at_its_end_is_noticed_by_the_head(
    entries: tuple[AuditEntry, ...], keep: int
) -> None:
    keep %= len(entries)

    assert verify(entries[:keep]) is None
    assert verify(entries[:keep], head=head_of(entries)) == keep + 1


@given(chains, index, st.lists(events, min_size=1, max_size=12))
def test_a_fork_is_named(entries: tuple[AuditEntry, ...], at: int, others: list[AuditEvent]) -> None:
    at %= len(entries)
    base = AuditHead(entries[at - 1].seq, entries[at - 1].hash) if at else AuditHead()
    fork = chain(base, [AuditEvent("forger", "x", "y"), *others], NOW)
    forked = entries[:at] + fork

    # The forger made every hash right; only the head, kept elsewhere, tells.
    assert verify(forked) is None
    assert verify(forked, head=head_of(entries)) in range(at + 1, len(entries) + 2)
    # Both branches stored side by side: the second entry of a number is named.
    both = sorted([*entries, *fork], key=lambda entry: entry.seq)
    assert verify(both) in (at + 1, at + 2)


def test_entries_beyond_the_head_are_named() -> None:
    entries = chain(AuditHead(), [AuditEvent("a", "b", "c")] * 3, NOW)

    assert verify(entries, head=AuditHead(2, entries[1].hash)) == 3


def test_the_canonical_form_does_not_depend_on_order_or_time_zone() -> None:
    def entry(detail: dict[str, str], at: datetime) -> AuditEntry:
        return chain(AuditHead(), [AuditEvent("äctor", "b", "c", detail)], at)[0]

    east = NOW.astimezone(timezone(timedelta(hours=9)))
    same: Callable[[AuditEntry, AuditEntry], bool] = lambda a, b: a.hash == b.hash  # noqa: E731
    assert same(entry({"a": "1", "b": "2"}, NOW), entry({"b": "2", "a": "1"}, east))
    assert canonical(entry({}, NOW)) == (
        b'{"action":"b","actor":"\\u00e4ctor","at":"2026-03-14T00:00:00.000000+00:00",'
        b'"detail":{},"seq":1,"subject":"c"}'
    )
