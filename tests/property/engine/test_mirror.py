"""Short is long in a mirror: mirrored prices give mirrored fills and the very same money."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import Direction, EntryType, OpenIntent, Stop
from neuratrade.core.model.market import Bar
from neuratrade.core.model.orders import Fill
from neuratrade.hands.recorder import MemoryRecorder
from neuratrade.hands.simulated import SimulatedDesk
from neuratrade.venues.paper.costs import PaperCosts
from neuratrade.venues.paper.exchange import PaperExchange
from tests.simulation.world import ACCOUNT, CASH, PERP, D, bar, desk_engine, intent, run_started, warm_up

AXIS = D(200)
FREE = replace(PERP, maker_fee_bps=D(0), taker_fee_bps=D(0))
"""Fees are shares of the price, and a share has no mirror image: there are none here."""

steps = st.lists(
    st.tuples(
        st.integers(-30, 30), st.integers(0, 25), st.integers(0, 25), st.sampled_from([0, 5, 40, 1000])
    ),
    min_size=4,
    max_size=25,
)
proposals = st.builds(
    intent,
    trigger=st.integers(980, 1020).map(lambda ticks: D(ticks) / 10),
    stop=st.integers(900, 975).map(lambda ticks: D(ticks) / 10),
    targets=st.sampled_from([(("103", "1"),), (("102", "0.5"), ("104", "0.5")), (("103", "0.3"),), ()]),
    order_type=st.sampled_from(EntryType),
    trail=st.none(),
    hold_s=st.sampled_from([None, 150]),
    quantity=st.integers(1, 8),
)


def path(moves: list[tuple[int, int, int, int]]) -> list[Bar]:
    bars, price = [], D(100)
    for index, (move, up, down, volume) in enumerate(moves):
        close = price + D(move) / 10
        high, low = max(price, close) + D(up) / 10, min(price, close) - D(down) / 10
        bars.append(bar(index, price, high, low, close, volume))
        price = close
    return bars


def mirrored(minute: Bar) -> Bar:
    open_, close = AXIS - minute.open, AXIS - minute.close
    return replace(minute, open=open_, high=AXIS - minute.low, low=AXIS - minute.high, close=close)


def mirrored_intent(proposal: OpenIntent) -> OpenIntent:
    stop = proposal.stop_price
    assert stop is not None
    rungs = tuple(replace(rung, price=AXIS - rung.price) for rung in proposal.take_profits)
    return replace(
        proposal,
        direction=Direction.SHORT,
        trigger_price=AXIS - proposal.trigger_price,
        protection=Stop(AXIS - stop),
        take_profits=rungs,
    )


def lived(proposal: OpenIntent, bars: list[Bar], contract: Instrument) -> tuple[list[Fill], MemoryRecorder]:
    costs = PaperCosts(spread_fraction=D(0), slippage_bps=D(0), participation_fraction=D("0.1"))
    engine = desk_engine(instruments=[contract])
    exchange = PaperExchange(ACCOUNT, {contract.key: contract}, CASH, costs)
    recorder = MemoryRecorder()
    desk = SimulatedDesk(engine, exchange, recorder, None)
    desk.take(replace(run_started(), instruments=(contract,)))
    warm_up(engine)
    desk.take(e.IntentArrived(proposal, proposal.created_ns))
    for minute in bars:
        desk.bars([minute])
    return [fact.fill for fact in recorder.facts if isinstance(fact, f.OrderFilled)], recorder


def told(fill: Fill, axis: Decimal | None) -> tuple[str, Decimal, Decimal, int]:
    side = fill.side if axis is None else fill.side.opposite
    return side.value, fill.quantity, fill.price if axis is None else axis - fill.price, fill.at_ns


def ends(desk: MemoryRecorder) -> list[tuple[f.CloseReason, Decimal, int]]:
    closed = (fact for fact in desk.facts if isinstance(fact, f.BracketClosed))
    return [(fact.reason, fact.pnl, fact.unprotected_ms) for fact in closed]


@given(proposals, steps)
@settings(max_examples=60)
def test_mirrored_prices_give_mirrored_fills_and_the_same_profit(
    proposal: OpenIntent, moves: list[tuple[int, int, int, int]]
) -> None:
    bars = path(moves)
    long_fills, long_desk = lived(proposal, bars, FREE)
    short_fills, short_desk = lived(mirrored_intent(proposal), [mirrored(item) for item in bars], FREE)
    assert [told(fill, None) for fill in long_fills] == [told(fill, AXIS) for fill in short_fills]
    assert ends(long_desk) == ends(short_desk)
