"""A crash at any fact: what the journal holds is enough to go on, guarded, with no fill doubled or lost."""

import pytest

from neuratrade.core.engine.fold import apply
from neuratrade.core.engine.state import DeskState
from neuratrade.core.model import facts as f
from tests.simulation.invariants import check_ledger, check_replay, check_same_books
from tests.simulation.random_world import Plan, Run, make_plan
from tests.simulation.world import CASH, INSTRUMENTS, PRICE


def restart_after(plan: Plan, facts: list[f.Fact]) -> Run:
    state = DeskState()
    for fact in facts:
        apply(state, f.decode_fact(f.encode_fact(fact)))
    return Run(plan, state)


@pytest.mark.parametrize("seed", [12, 18, 20, 22, 26])
def test_a_crash_at_any_fact_ends_guarded_and_then_closed(seed: int) -> None:
    plan = make_plan(seed, 14, calm_end=12)
    facts = Run(plan).live().recorder.facts
    assert len(facts) > 80
    for cut in range(1, len(facts)):
        before = facts[:cut]
        run = restart_after(plan, before)
        run.live()
        assert run.state.brackets == {}, f"cut after fact {cut}, {before[-1]}"
        assert run.exchange.orders == {}, f"cut after fact {cut}, {before[-1]}"
        after = [*before, *run.recorder.facts]
        check_replay(after, run.state)
        account = run.state.accounts["paper"]
        check_same_books(account, run.exchange.account)
        fills = [fact.fill for fact in after if isinstance(fact, f.OrderFilled)]
        assert len({fill.trade_id for fill in fills}) == len(fills)
        check_ledger(account, INSTRUMENTS, CASH, fills, PRICE)


@pytest.mark.parametrize("seed", [10, 29])
def test_right_after_a_restart_everything_held_is_guarded_or_leaving(seed: int) -> None:
    plan = make_plan(seed, 14, calm_end=4)
    facts = Run(plan).live().recorder.facts
    for cut in range(1, len(facts)):
        run = restart_after(plan, facts[:cut])
        run.desk.clock(run.state.now_ns + 6_000_000_000)
        for bracket in run.state.brackets.values():
            leaving = f"exit-KILL:{bracket.bracket_id}" in run.state.timers
            assert bracket.protected or leaving or bracket.exit_reason is not None, f"cut after fact {cut}"
