"""Three-valued logic: the truth tables, and what must hold for every condition and every set of facts."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lantern.domain.rules.conditions import (
    All,
    AnyOf,
    Compare,
    Decided,
    Not,
    check_of,
    comparisons,
    deciding_fields,
    from_data,
    settle,
    to_data,
    with_params,
)

_RANK = {False: 0, None: 1, True: 2}
_TRUTHS = (True, False, None)

LEAVES = st.one_of(
    st.builds(
        Compare,
        st.sampled_from(["app.risk", "activity.idle_days"]),
        st.sampled_from(["gt", "lte"]),
        st.integers(0, 3),
    ),
    st.builds(
        Compare,
        st.just("app.status"),
        st.sampled_from(["eq", "ne"]),
        st.sampled_from(["approved", "restricted"]),
    ),
    st.builds(Compare, st.just("app.lookalike_of"), st.just("exists"), st.booleans()),
    st.builds(
        Compare,
        st.just("grant.scopes"),
        st.just("contains_any"),
        st.lists(st.sampled_from(["a", "b", "c"]), min_size=1).map(tuple),
    ),
    st.builds(
        Compare,
        st.just("grant.scope_severity"),
        st.just("at_least"),
        st.sampled_from(["low", "medium", "high"]),
    ),
)
NODES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: All(tuple(parts))),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: AnyOf(tuple(parts))),
        st.builds(Not, inner),
    ),
    max_leaves=8,
)
FACTS = st.fixed_dictionaries(
    {},
    optional={
        "app.risk": st.none() | st.integers(0, 4),
        "app.status": st.none() | st.sampled_from(["approved", "restricted", "unreviewed"]),
        "app.lookalike_of": st.none() | st.sampled_from(["", "ChatGPT"]),
        "activity.idle_days": st.none() | st.integers(0, 4),
        "grant.scopes": st.none() | st.lists(st.sampled_from(["a", "b", "c"])).map(tuple),
        "grant.scope_severity": st.none() | st.sampled_from(["none", "low", "medium", "high"]),
    },
)


@pytest.mark.parametrize("outcomes", list(product(_TRUTHS, repeat=3)))
def test_groups_follow_kleene(outcomes):
    parts = tuple(Decided(outcome) for outcome in outcomes)

    assert check_of(All(parts))({}) is min(outcomes, key=_RANK.__getitem__)
    assert check_of(AnyOf(parts))({}) is max(outcomes, key=_RANK.__getitem__)


@pytest.mark.parametrize(("inner", "outer"), [(True, False), (False, True), (None, None)])
def test_not_keeps_unknown(inner, outer):
    assert check_of(Not(Decided(inner)))({}) is outer


@given(NODES, FACTS, st.data())
def test_an_unknown_never_turns_an_answer_into_its_opposite(node, facts, data):
    answer = check_of(node)(facts)
    hidden = data.draw(st.sets(st.sampled_from(sorted(facts)))) if facts else set()

    less = check_of(node)({name: value for name, value in facts.items() if name not in hidden})

    assert less is answer or less is None


@given(NODES, FACTS, st.sets(st.sampled_from(["app", "grant", "activity"])))
def test_weighing_some_entities_first_changes_nothing(node, facts, known):
    settled = settle(node, facts, frozenset(known))
    rest = {name: value for name, value in facts.items() if name.partition(".")[0] not in known}

    assert check_of(settled)(rest) is check_of(node)(facts)
    assert not any(leaf.field.partition(".")[0] in known for leaf in comparisons(settled))


@given(NODES)
def test_conditions_survive_the_compiled_form(node):
    again = from_data(to_data(node))

    assert to_data(again) == to_data(node)


@given(NODES, FACTS)
def test_the_deciding_facts_alone_decide(node, facts):
    answer = check_of(node)(facts)
    decided = deciding_fields(node, facts)

    assert decided
    if answer is not None:
        assert check_of(node)(decided) is answer


def test_parameters_are_filled_in_everywhere():
    leaf = Compare("app.risk", "gt", None, "limit")
    node = All((leaf, AnyOf((Not(leaf), Decided(None)))))

    filled = with_params(node, {"limit": 7})

    assert [(leaf.value, leaf.param) for leaf in comparisons(filled)] == [(7, None), (7, None)]
    with pytest.raises(KeyError):
        with_params(node, {})


def test_a_condition_weighed_in_part_is_not_data():
    with pytest.raises(TypeError):
        to_data(Decided(True))
