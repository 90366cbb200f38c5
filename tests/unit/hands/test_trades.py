"""Markets that come as ticks: bars are made of trades, and quotes where there are none."""

from decimal import Decimal

from neuratrade.core.bars.aggregate import BarBuilder
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import EntryType
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_SECOND, Bar, Trade
from neuratrade.hands.recorder import MemoryRecorder
from neuratrade.hands.simulated import SimulatedDesk
from neuratrade.hands.trades import TradedMarkets
from tests.simulation.world import (
    FREE,
    PERP,
    T0,
    D,
    WatchedExchange,
    desk_engine,
    intent,
    run_started,
    warm_up,
)


def markets(*, quotes: bool = True) -> TradedMarkets:
    without_quotes = {PERP.key} if quotes else set()
    return TradedMarkets(
        {PERP.key: PERP},
        {PERP.key},
        without_quotes,
        span_ns=NS_PER_MINUTE,
        spread_fraction=D("0.0002"),
    )


def trade(second: float, price: int | str, quantity: int | str = 5) -> Trade:
    return Trade(PERP.key, T0 + int(second * NS_PER_SECOND), D(price), D(quantity))


class TickDesk:
    def __init__(self) -> None:
        self.engine = desk_engine()
        self.recorder = MemoryRecorder()
        exchange = WatchedExchange(costs=FREE)
        self.desk = SimulatedDesk(self.engine, exchange, self.recorder, None, markets=markets())
        self.desk.take(run_started())
        warm_up(self.engine)

    def closed(self) -> list[f.BracketClosed]:
        return [fact for fact in self.recorder.facts if isinstance(fact, f.BracketClosed)]


def test_bars_of_trades_are_those_of_the_builder_and_come_when_their_span_has_ended() -> None:
    made, expected = markets(), BarBuilder(PERP.key, NS_PER_MINUTE)
    seen: list[Bar] = []
    wanted: list[Bar] = []
    for second in range(0, 300, 7):
        tick = trade(second, 100 + second % 5)
        seen += made.ended_by(tick.at_ns)
        made.take(tick)
        wanted += expected.add_trade(tick)
    assert seen == wanted
    # The data began inside the first minute and ended inside the last: neither is a whole bar.
    assert len(seen) == 3
    assert all(bar.close_ns % NS_PER_MINUTE == 0 for bar in seen)


def test_a_trade_stands_for_a_quote_around_it_on_the_tick_grid_and_no_larger_than_it_was() -> None:
    quote = markets().quote_of(trade(1, "100.00", "0.3"))
    assert quote is not None
    assert quote.bid is not None
    assert quote.ask is not None
    assert quote.bid < D("100.00") < quote.ask
    assert quote.bid % PERP.tick == quote.ask % PERP.tick == 0
    assert quote.bid_size == quote.ask_size == D("0.3")


def test_where_real_quotes_come_none_are_made() -> None:
    assert markets(quotes=False).quote_of(trade(1, 100)) is None


def test_a_bracket_lives_on_trades_alone_and_leaves_at_its_target() -> None:
    world = TickDesk()
    world.desk.tick(trade(1, 100))
    proposal = intent(quantity=1, order_type=EntryType.MARKET, stop=95, targets=((105, 1),), at_ns=T0)
    judged = world.desk.judge(e.IntentArrived(proposal, T0 + NS_PER_SECOND))
    assert judged is not None
    assert judged.approved, [layer for layer in judged.layers if layer.verdict.blocks]
    for second, price in ((2, 100), (3, 102), (4, 106), (5, 106), (6, 106)):
        world.desk.tick(trade(second, price))
    (closed,) = world.closed()
    assert closed.reason is f.CloseReason.TP
    assert closed.exit_price >= Decimal(105)


def test_equity_is_marked_once_a_second_however_many_ticks_come() -> None:
    world = TickDesk()
    world.desk.tick(trade(1, 100, 2000))
    proposal = intent(quantity=1000, order_type=EntryType.MARKET, stop=95, targets=((120, 1),), at_ns=T0)
    world.desk.judge(e.IntentArrived(proposal, T0 + NS_PER_SECOND))
    before = len(world.recorder.facts)
    for tenth in range(1, 41):
        world.desk.tick(trade(1 + tenth / 10, 100 + tenth % 7, 2000))
    marks = [fact for fact in world.recorder.facts[before:] if isinstance(fact, f.Marked)]
    assert 2 <= len(marks) <= 4
