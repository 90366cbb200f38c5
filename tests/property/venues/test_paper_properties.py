"""Every fill of the paper venue lies where the market was, and on the trader's worse side of it."""

from hypothesis import given
from hypothesis import strategies as st

from neuratrade.core.model.market import Bar
from neuratrade.core.model.orders import OrderRole, OrderType, Side, TimeInForce
from neuratrade.venues.paper.costs import PaperCosts
from tests.simulation.world import PERP, D, bar
from tests.unit.venues.test_paper_bars import Terms, Venue

prices = st.integers(900, 1100).map(lambda ticks: D(ticks) / 10)
minutes = st.lists(
    st.tuples(prices, prices, prices, prices, st.sampled_from([0, 7, 1000])), min_size=2, max_size=8
)
costs = st.builds(
    PaperCosts,
    latency_ms=st.sampled_from([0, 50, 2500]),
    spread_fraction=st.sampled_from([D(0), D("0.002")]),
    slippage_bps=st.sampled_from([D(0), D(5)]),
    participation_fraction=st.sampled_from([D("0.1"), D(1)]),
    through=st.booleans(),
)


def made(rows: list[tuple[D, D, D, D, int]]) -> list[Bar]:
    bars = []
    for index, (one, two, three, four, volume) in enumerate(rows):
        low, first, last, high = sorted((one, two, three, four))
        opens, closes = (first, last) if index % 2 else (last, first)
        bars.append(bar(index, opens, high, low, closes, volume))
    return bars


@given(
    minutes, costs, st.sampled_from(Side), prices, st.sampled_from(["limit", "stop", "market"]), st.booleans()
)
def test_every_fill_is_inside_its_bar_and_never_better_than_the_market(
    rows: list[tuple[D, D, D, D, int]], unkind: PaperCosts, side: Side, level: D, kind: str, entry: bool
) -> None:
    venue = Venue(unkind)
    bars = made(rows)
    first = bars[0]
    venue.live(0, first.open, first.high, first.low, first.close)
    terms: Terms = {"side": side, "quantity": 3, "role": OrderRole.ENTRY if entry else OrderRole.EXIT}
    if kind == "market":
        terms |= {"kind": OrderType.MARKET, "in_force": TimeInForce.IOC}
    elif kind == "limit":
        terms |= {"kind": OrderType.LIMIT, "limit": level}
    else:
        terms |= {"kind": OrderType.STOP, "stop": level}
    venue.send(first.close_ns, **terms)
    for index, minute in enumerate(bars[1:], start=1):
        venue.live(index, minute.open, minute.high, minute.low, minute.close, int(minute.volume))
    total = D(0)
    for fill in venue.fills:
        minute = next(item for item in bars if item.open_ns <= fill.at_ns < item.close_ns)
        sign = side.sign
        worst = minute.high * (unkind.spread_fraction + unkind.slippage_bps / 5000) + PERP.tick
        assert minute.low - worst <= fill.price <= minute.high + worst
        assert minute.volume > 0
        assert fill.quantity <= minute.volume * unkind.participation_fraction
        if kind == "limit":
            assert (level - fill.price) * sign >= 0, "worse than its limit"
        # Where a bar without volume triggered it, a stop waits as a market order for the next one.
        if kind == "stop" and fill is venue.fills[0] and all(item.volume for item in bars):
            assert (fill.price - level) * sign >= 0, "better than its stop"
        total += fill.quantity
    assert total <= 3
    assert [event.at_ns for event in venue.heard] == sorted(event.at_ns for event in venue.heard)
