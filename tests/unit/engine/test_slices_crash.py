"""A crash at any fact of a sliced entry, against a venue that lives through it: nothing lost or doubled."""

import pytest
from msgspec.structs import replace

from neuratrade.core.engine.fold import apply
from neuratrade.core.engine.state import DeskState
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import EntryType, Execution, Iceberg, Twap, Vwap
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.orders import OrderRole
from neuratrade.venues.paper.costs import PaperCosts
from tests.simulation.invariants import check_ledger, check_replay, check_same_books
from tests.simulation.random_world import Act, Plan, Run
from tests.simulation.world import CASH, INSTRUMENTS, D, bar, intent

S = NS_PER_SECOND
LAST = D("100.2")


def plan_of(execution: Execution, kind: EntryType, quantity: int) -> Plan:
    """Twelve calm minutes; the entry in the second of them, everything closed in the last ones."""
    plan = Plan(PaperCosts(latency_ms=400, participation_fraction=D("0.5"), spread_fraction=D(0)))
    proposal = replace(
        intent(quantity=quantity, order_type=kind, trigger="100.5", targets=((120, 1),), expiry_s=500),
        execution=execution,
    )
    for index in range(14):
        acts = [Act("open", "a", 0.0, proposal)] if index == 1 else []
        if index >= 9:
            acts = [Act("resume", "", 0.0), Act("close_all", f"bye{index}", 0.0)]
        prices = ("100", "100.6", "99.8", LAST)
        plan.slices.append((acts, [bar(index, *prices, volume=8 if index < 9 else 10_000)]))
    return plan


PLANS = [
    plan_of(Twap(5, 240 * S), EntryType.MARKET, 10),
    plan_of(Twap(4, 180 * S), EntryType.LIMIT, 24),
    plan_of(Vwap((D(1), D(3), D(2)), 120 * S), EntryType.MARKET, 9),
    plan_of(Iceberg(D(3)), EntryType.LIMIT, 10),
]


@pytest.mark.parametrize("plan", PLANS, ids=["twap", "twap of limits", "vwap", "iceberg"])
def test_a_crash_at_any_fact_of_a_sliced_entry_loses_and_doubles_nothing(plan: Plan) -> None:
    whole = Run(plan).live()
    facts = whole.recorder.facts
    planned = [fact.request for fact in facts if isinstance(fact, f.OrderPlanned)]
    assert len([request for request in planned if request.role is OrderRole.ENTRY]) >= 3
    most = next(fact for fact in facts if isinstance(fact, f.IntentJudged) and fact.approved).quantity
    assert most in (9, 10, 24)
    for cut in range(1, len(facts)):
        state = DeskState()
        for fact in facts[:cut]:
            apply(state, f.decode_fact(f.encode_fact(fact)))
        run = Run(plan, state).live()
        after = [*facts[:cut], *run.recorder.facts]
        where = f"cut after fact {cut}, {facts[cut - 1]}"
        assert run.state.brackets == {}, where
        assert run.exchange.orders == {}, where
        check_replay(after, run.state)
        check_same_books(run.state.accounts["paper"], run.exchange.account)
        fills = [fact.fill for fact in after if isinstance(fact, f.OrderFilled)]
        assert len({fill.trade_id for fill in fills}) == len(fills)
        check_ledger(run.state.accounts["paper"], INSTRUMENTS, CASH, fills, LAST)
        entered = sum((fill.quantity for fill in fills if fill.side.sign > 0), D(0))
        assert entered <= most, where


@pytest.mark.parametrize("plan", PLANS, ids=["twap", "twap of limits", "vwap", "iceberg"])
def test_without_a_crash_all_of_it_is_entered(plan: Plan) -> None:
    closed = [fact for fact in Run(plan).live().recorder.facts if isinstance(fact, f.BracketClosed)]
    judged = [fact for fact in Run(plan).live().recorder.facts if isinstance(fact, f.IntentJudged)]
    assert [fact.entered for fact in closed] == [judged[0].quantity]
