"""A desk on a venue that lends: what is owed is held, guarded, valued and called in like any position."""

from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import pytest
from msgspec.structs import replace

from neuratrade.core.engine.state import state_bytes
from neuratrade.core.model import facts as f
from neuratrade.core.model.account import Account
from neuratrade.core.model.events import VenueSnapshot
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.orders import OrderRole, Side
from neuratrade.research.backtest import run_backtest
from neuratrade.research.columns import Columns
from neuratrade.research.plan import BacktestPlan, Carry
from neuratrade.venues.paper.costs import PaperCosts
from neuratrade.venues.paper.exchange import PaperExchange
from tests.kept_runs import KeptRun, keep
from tests.property.research.test_skipping import books, facts_but_marks, first_difference
from tests.unit.research.small_desk import BTC, bars, plan

D = Decimal
SPOT = replace(BTC, kind=InstrumentKind.SPOT)


def market(contract: Instrument) -> dict[str, Columns]:
    (whole,) = bars(14).values()
    parts = (getattr(whole, name) for name in Columns.__slots__ if name != "instrument")
    return {contract.key: Columns(contract, *parts)}


def lent(contract: Instrument = SPOT, *, lends: bool = True, short: bool = True) -> BacktestPlan:
    base = plan()
    assets = {name: replace(asset, allow_short=short) for name, asset in base.dna.assets.items()}
    return replace(
        base,
        dna=replace(base.dna, assets=assets),
        account=Account("backtest", contract.venue, contract.quote),
        instruments=(contract,),
        costs=PaperCosts(lends=lends),
        carry=Carry(borrow_fraction_per_year=D("0.05")),
    )


def both_ways(world: BacktestPlan, columns: dict[str, Columns]) -> KeptRun:
    """The run that skips, which is the one that lives through every bar."""
    skipped, lived = keep(world, columns), keep(world, columns, skip=False)
    assert first_difference(facts_but_marks(skipped), facts_but_marks(lived)) == ""
    assert books(skipped) == books(lived)
    return skipped


def holdings(facts: Sequence[f.Fact]) -> list[Decimal]:
    """Units held after each fill."""
    held, found = D(0), []
    for fact in facts:
        if isinstance(fact, f.OrderFilled | f.Liquidated):
            held += fact.fill.quantity * fact.fill.side.sign
            found.append(held)
    return found


def last_with_a_short(world: BacktestPlan, columns: dict[str, Columns]) -> int:
    """The close of the bar that first saw a short."""
    for fact in keep(world, columns).facts:
        if isinstance(fact, f.OrderFilled) and fact.fill.side is Side.SELL:
            place = int(np.searchsorted(columns[SPOT.key].ts, fact.at_ns, side="right")) - 1
            return int(columns[SPOT.key].close_ns[place])
    raise AssertionError("nothing was sold short")


def test_without_lending_a_short_is_refused_and_never_held() -> None:
    facts = both_ways(lent(lends=False), market(SPOT)).facts
    assert min(holdings(facts)) >= 0
    assert any(isinstance(fact, f.OrderRejected) and fact.reason.startswith("needs ") for fact in facts)


def test_with_it_shorts_are_opened_guarded_and_bought_back_and_the_books_hold() -> None:
    columns = market(SPOT)
    run = both_ways(lent(), columns)
    assert min(holdings(run.facts)) < 0 < max(holdings(run.facts))
    shorts = [
        fact
        for fact in run.facts
        if isinstance(fact, f.OrderPlanned)
        and fact.request.role is OrderRole.STOP
        and fact.request.side is Side.BUY
    ]
    assert shorts
    result = run_backtest(lent(), columns)
    assert {trade.direction for trade in result.trades} == {"LONG", "SHORT"}
    assert {trade.reason for trade in result.trades if trade.direction == "SHORT"} >= {"TP", "SL"}
    assert float(result.equity.value[-1]) == pytest.approx(float(result.final_equity), abs=1e-6)
    (account,) = run.engine.state.accounts.values()
    assert account.balances["BTC"] == holdings(run.facts)[-1] == 0
    assert result.final_equity == account.balances["USDT"]
    earned = sum(trade.pnl for trade in result.trades) + result.carry
    assert earned == pytest.approx(result.final_equity - lent().cash, abs=D("1e-18"))
    assert result.carry < 0


def test_an_asset_that_may_not_be_sold_short_is_not() -> None:
    assert min(holdings(both_ways(lent(short=False), market(SPOT)).facts)) >= 0


def test_a_fee_in_base_leaves_no_more_owed_than_cannot_be_bought() -> None:
    contract = replace(SPOT, fee_in_base=True, taker_fee_bps=D(30), maker_fee_bps=D(30), lot=D("0.00001"))
    run = both_ways(lent(contract), market(contract))
    assert min(holdings(run.facts)) < 0
    (account,) = run.engine.state.accounts.values()
    (position,) = account.positions.values()
    assert position.quantity == account.balances["BTC"]
    assert not run.engine.state.brackets
    # Each round leaves less than may be sent by itself.
    rounds = sum(isinstance(fact, f.BracketClosed) for fact in run.facts)
    assert abs(position.quantity) <= rounds * contract.min_quantity


def test_a_snapshot_of_what_is_owed_agrees_with_the_books_and_one_that_owes_less_does_not() -> None:
    columns = market(SPOT)
    world = replace(lent(), end_ns=last_with_a_short(lent(), columns))
    run = keep(world, columns)
    (account,) = run.engine.state.accounts.values()
    assert account.balances["BTC"] < 0
    exchange = PaperExchange(world.account, {SPOT.key: SPOT}, world.cash, world.costs)
    exchange.restore(run.engine.state)
    exchange.take_snapshot(run.engine.state.now_ns)
    seen = [exchange.run_next() for _ in range(2)]
    (snapshot,) = [event for event in seen if isinstance(event, VenueSnapshot)]
    assert snapshot.positions == {SPOT.key: account.balances["BTC"]}
    before = state_bytes(run.engine.state)
    facts = told_twice(run, snapshot)
    assert not any(isinstance(fact, f.Quarantined) for fact in facts)
    again = keep(world, columns)
    assert before == state_bytes(again.engine.state)
    owed = {SPOT.key: snapshot.positions[SPOT.key] / 2}
    facts = told_twice(again, replace(snapshot, positions=owed))
    assert any(isinstance(fact, f.Quarantined) for fact in facts)


def told_twice(run: KeptRun, snapshot: VenueSnapshot) -> list[f.Fact]:
    """One difference proves nothing; what two snapshots say, some seconds apart, counts."""
    facts: list[f.Fact] = []
    for seconds in (1, 5, 9):
        at_ns = snapshot.at_ns + seconds * 10**9
        facts += run.engine.step(replace(snapshot, at_ns=at_ns, asked_ns=at_ns)).facts
    return facts


def test_a_short_whose_price_jumps_is_called_in_by_the_venue_and_the_desk_knows() -> None:
    contract = replace(SPOT, initial_margin=D("0.5"), maintenance_margin=D("0.45"))
    columns = market(contract)
    whole = columns[contract.key]
    place = int(np.searchsorted(whole.close_ns, last_with_a_short(lent(contract), columns))) + 1
    # Ten times the price in a bar that nobody trades in, so that no stop helps.
    prices = [np.where(np.arange(len(whole)) < place, column, column * 10) for column in
              (whole.open, whole.high, whole.low, whole.close)]  # fmt: skip
    volume = np.where(np.arange(len(whole)) == place, 0.0, whole.volume)
    opened, high, low, close = prices
    jumped = {contract.key: Columns(contract, whole.span_ns, whole.ts, opened, high, low, close, volume)}
    run = both_ways(
        replace(lent(contract), limits=replace(lent().limits, position_fraction=D("0.9"))), jumped
    )
    (called,) = [fact for fact in run.facts if isinstance(fact, f.Liquidated)]
    assert called.fill.side is Side.BUY
    assert [fact.reason.value for fact in run.facts if isinstance(fact, f.BracketClosed)].count(
        "LIQUIDATED"
    ) == 1
    (account,) = run.engine.state.accounts.values()
    assert account.balances["BTC"] == 0
