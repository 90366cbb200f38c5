"""On the simulated desk the venue hears what happens to account and contracts, and closes what cannot pay."""

from collections.abc import Iterable

from msgspec.structs import replace

from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import Direction
from neuratrade.hands.recorder import MemoryRecorder
from neuratrade.hands.simulated import SimulatedDesk
from neuratrade.venues.paper.exchange import PaperExchange
from tests.simulation.world import (
    ACCOUNT,
    FREE,
    FUTURE,
    PERP,
    SPOT,
    D,
    bar,
    desk_engine,
    intent,
    run_started,
    warm_up,
)

THIN = replace(PERP, initial_margin=D("0.01"), maintenance_margin=D("0.02"))


def desk_of(contracts: Iterable[Instrument], cash: int = 100_000) -> SimulatedDesk:
    known = {item.key: item for item in contracts}
    engine = desk_engine(instruments=known.values())
    desk = SimulatedDesk(engine, PaperExchange(ACCOUNT, known, D(cash), FREE), MemoryRecorder(), None)
    desk.take(replace(run_started(cash=D(cash)), instruments=tuple(known.values())))
    warm_up(engine)
    return desk


def enter(desk: SimulatedDesk, item: Instrument, quantity: int = 4, stop: int = 95) -> None:
    proposal = intent(instrument=item, quantity=quantity, stop=stop, targets=((130, 1),))
    desk.take(e.IntentArrived(proposal, desk.now_ns))
    desk.bars([bar(0, 100, 100, 100, 100, instrument=item)])
    assert desk.engine.state.brackets["a"].protected


def test_after_a_split_the_stop_that_the_venue_took_away_rests_again_in_new_terms() -> None:
    desk = desk_of([SPOT])
    enter(desk, SPOT)
    before = desk.engine.equity("paper")
    action = f.CorporateActed(desk.now_ns, "paper", SPOT.key, f.ActionKind.SPLIT, D(2), action_id="s")
    desk.take(action)
    desk.take(action)
    desk.bars([bar(1, 50, 50, 50, 50, instrument=SPOT)])
    bracket = desk.engine.state.brackets["a"]
    (resting,) = desk.exchange.orders.values()
    assert bracket.protected
    assert (resting.remaining, resting.stop_price) == (bracket.held.quantize(SPOT.lot), D("47.5"))
    assert desk.engine.equity("paper") == before == desk.exchange.equity()
    desk.bars([bar(2, 50, 50, 47, 47, instrument=SPOT)])
    assert desk.engine.state.brackets == {}
    assert desk.engine.state.accounts["paper"].balances == desk.exchange.account.balances


def test_after_a_roll_the_stop_rests_in_the_new_contract_and_the_books_agree() -> None:
    desk = desk_of([FUTURE])
    enter(desk, FUTURE)
    successor = replace(FUTURE, asset="ESZ/USDT")
    kind = f.ActionKind.ROLL
    desk.take(
        f.CorporateActed(
            desk.now_ns, "paper", FUTURE.key, kind, amount=D(2), successor=successor, action_id="r"
        )
    )
    desk.bars([bar(1, 102, 102, 102, 102, instrument=successor)])
    (resting,) = desk.exchange.orders.values()
    assert resting.request.instrument == successor.key
    assert resting.stop_price == 97
    assert desk.engine.state.brackets["a"].protected
    assert desk.engine.equity("paper") == desk.exchange.equity()


def test_money_that_comes_and_goes_is_the_venues_too() -> None:
    desk = desk_of([PERP])
    desk.take(f.CashMoved(desk.now_ns, "paper", "USDT", D(-500), "withdrawal"))
    assert desk.exchange.account.balances["USDT"] == 99_500


def test_the_venue_closes_what_equity_cannot_keep_and_the_desk_halts() -> None:
    desk = desk_of([THIN], cash=500)
    enter(desk, THIN, quantity=20, stop=92)
    desk.take(f.CashMoved(desk.now_ns, "paper", "USDT", D(-450), "withdrawal"))
    desk.bars([bar(1, 100, 100, 99, 99, instrument=THIN)])
    desk.bars([bar(2, 99, 99, 99, 99, instrument=THIN)])
    state = desk.engine.state
    assert state.brackets == {}
    assert state.counts.closed_by == {"LIQUIDATED": 1}
    assert (state.trading_state, state.latched) == (f.TradingState.HALTED, True)
    assert state.accounts["paper"].positions == desk.exchange.account.positions
    assert state.accounts["paper"].balances == desk.exchange.account.balances
    assert desk.exchange.orders == {}


def test_a_venue_without_maintenance_margin_liquidates_nothing() -> None:
    desk = desk_of([replace(THIN, maintenance_margin=None)], cash=500)
    enter(desk, PERP, quantity=20, stop=92)
    desk.take(f.CashMoved(desk.now_ns, "paper", "USDT", D(-450), "withdrawal"))
    desk.bars([bar(1, 100, 100, 99, 99)])
    assert desk.engine.state.brackets["a"].intent.direction is Direction.LONG
    assert desk.engine.state.counts.closed_by == {}
