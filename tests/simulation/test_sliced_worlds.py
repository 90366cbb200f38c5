"""Seeded worlds in which entries are cut into slices: the same rules hold, and no approval is overdrawn."""

import random

import pytest
from msgspec.structs import replace

from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import EntryType, Execution, Iceberg, OpenIntent, Twap, Vwap
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.orders import OrderRole
from tests.simulation.invariants import check_order_of_time, check_replay, check_same_books
from tests.simulation.random_world import Act, Plan, Run, make_plan
from tests.simulation.world import INSTRUMENTS, D


def sliced_plan(seed: int, length: int) -> Plan:
    """A wild plan whose market and limit entries are cut into slices."""
    rng, plan = random.Random(seed), make_plan(seed, length)
    plan.slices = [([_sliced(rng, act) for act in acts], bars) for acts, bars in plan.slices]
    return plan


def _sliced(rng: random.Random, act: Act) -> Act:
    proposal = act.proposal
    if not isinstance(proposal, OpenIntent) or proposal.order_type is EntryType.STOP:
        return act
    quantity = proposal.quantity or D(1)
    span_ns = rng.choice((20, 44, 200)) * NS_PER_SECOND
    choices: list[Execution] = [Twap(rng.randint(2, 8), span_ns), Vwap((D(1), D(3), D(2)), span_ns)]
    if proposal.order_type is EntryType.LIMIT:
        shown = INSTRUMENTS[proposal.instrument].round_quantity(quantity / rng.randint(2, 5))
        choices.append(Iceberg(shown))
    return replace(act, proposal=replace(proposal, execution=rng.choice(choices)))


@pytest.mark.parametrize("seed", range(100, 120))
def test_a_wild_world_of_slices_leaves_nothing_open_and_overdraws_no_approval(seed: int) -> None:
    run = Run(sliced_plan(seed, 80)).live()
    facts = run.recorder.facts
    assert run.state.brackets == {}
    assert run.state.orders == {}
    assert run.exchange.orders == {}
    check_replay(facts, run.state)
    check_order_of_time(facts)
    check_same_books(run.state.accounts["paper"], run.exchange.account)
    approved = {
        fact.envelope.bracket_id: fact.quantity
        for fact in facts
        if isinstance(fact, f.IntentJudged) and fact.envelope is not None
    }
    for fact in facts:
        if isinstance(fact, f.BracketClosed):
            assert fact.entered <= approved[fact.bracket_id]


def test_the_worlds_enter_in_several_slices_and_end_entries_for_many_reasons() -> None:
    reasons: set[str] = set()
    most = 0
    for seed in range(100, 120):
        facts = Run(sliced_plan(seed, 80)).live().recorder.facts
        reasons |= {fact.reason for fact in facts if isinstance(fact, f.EntryEnded)}
        entries = [
            fact.request.bracket_id
            for fact in facts
            if isinstance(fact, f.OrderPlanned) and fact.request.role is OrderRole.ENTRY
        ]
        most = max(most, *(entries.count(name) for name in set(entries)))
    assert most >= 5
    assert len(reasons) >= 6
