"""The paper venue on bars: every doubt is decided against the trader, and no fill comes from nowhere."""

from decimal import Decimal
from typing import TypedDict, Unpack

import pytest

from neuratrade.core.engine.fold import apply
from neuratrade.core.engine.state import DeskState
from neuratrade.core.model import facts as f
from neuratrade.core.model.events import VenueSnapshot
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import EntryType
from neuratrade.core.model.market import NS_PER_MS, NS_PER_SECOND
from neuratrade.core.model.orders import (
    Fill,
    Liquidity,
    OrderRequest,
    OrderRole,
    OrderType,
    Side,
    TimeInForce,
)
from neuratrade.venues.paper.costs import PaperCosts
from neuratrade.venues.paper.exchange import PaperExchange
from tests.simulation.hand import Hand
from tests.simulation.world import ACCOUNT, FREE, INSTRUMENTS, PERP, SPOT, T0, D, bar, intent

Price = Decimal | int | str
BUY, SELL = Side.BUY, Side.SELL


class Terms(TypedDict, total=False):
    """What an order may say."""

    coid: str
    side: Side
    kind: OrderType
    quantity: Decimal | int | str
    role: OrderRole
    in_force: TimeInForce
    limit: Decimal | int | str
    stop: Decimal | int | str
    expires_ns: int
    instrument: Instrument


class Venue:
    """The exchange with its clock: `run` lets all that is due by a moment happen."""

    def __init__(self, costs: PaperCosts = FREE, cash: Decimal | int = 100_000) -> None:
        self.exchange = PaperExchange(ACCOUNT, INSTRUMENTS, D(cash), costs)
        self.heard: list[f.VenueEvent] = []

    def run(self, until_ns: int) -> None:
        while (due_ns := self.exchange.next_due_ns) is not None and due_ns <= until_ns:
            event = self.exchange.run_next()
            if event is not None:
                assert not isinstance(event, VenueSnapshot | f.Liquidated)
                assert event.at_ns >= (self.heard[-1].at_ns if self.heard else 0)
                self.heard.append(event)

    def live(
        self, index: int, open_: Price, high: Price, low: Price, close: Price, volume: int = 1000
    ) -> None:
        """One whole minute of the perpetual."""
        minute = bar(index, open_, high, low, close, volume)
        self.exchange.open_bar(minute)
        self.run(minute.close_ns - NS_PER_SECOND)
        self.exchange.range_bar(minute, minute.close_ns - NS_PER_SECOND)
        self.run(minute.close_ns - 1)
        self.exchange.shut_bar(minute)

    def send(self, at_ns: int = T0, **terms: Unpack[Terms]) -> str:
        wanted = order(**terms)
        self.exchange.submit(wanted, at_ns)
        return wanted.client_order_id

    @property
    def fills(self) -> list[Fill]:
        return [event.fill for event in self.heard if isinstance(event, f.OrderFilled)]

    @property
    def ends(self) -> list[str]:
        return [type(event).__name__ for event in self.heard]


def order(**terms: Unpack[Terms]) -> OrderRequest:
    """A market order to buy 1 of the perpetual, unless said otherwise."""
    kind = terms.get("kind", OrderType.MARKET)
    usual = TimeInForce.IOC if kind is OrderType.MARKET else TimeInForce.GTC
    limit, stop = terms.get("limit"), terms.get("stop")
    return OrderRequest(
        client_order_id=terms.get("coid", "o"),
        account_id="paper",
        instrument=terms.get("instrument", PERP).key,
        side=terms.get("side", BUY),
        order_type=kind,
        quantity=D(terms.get("quantity", 1)),
        role=terms.get("role", OrderRole.ENTRY),
        bracket_id="b",
        time_in_force=terms.get("in_force", usual),
        limit_price=None if limit is None else D(limit),
        stop_price=None if stop is None else D(stop),
        expires_ns=terms.get("expires_ns"),
    )


def prices_of(venue: Venue) -> list[Decimal]:
    return [fill.price for fill in venue.fills]


def test_a_market_order_fills_at_the_open_it_meets() -> None:
    venue = Venue()
    venue.send()
    venue.live(0, 100, 105, 95, 102)
    assert prices_of(venue) == [100]
    assert venue.ends == ["OrderAccepted", "OrderFilled"]
    assert all(fill.paper_trade for fill in venue.fills)


def test_a_market_order_sent_while_no_bar_is_lived_waits_for_the_next_open() -> None:
    venue = Venue()
    venue.send()
    venue.run(T0 + 30 * NS_PER_SECOND)
    assert venue.ends == ["OrderRejected"], "nothing was ever quoted: there is no market"
    venue.live(0, 100, 105, 95, 102)
    venue.send(T0 + 60 * NS_PER_SECOND, coid="p")
    venue.run(T0 + 61 * NS_PER_SECOND)
    venue.live(5, 110, 111, 109, 110)
    assert prices_of(venue) == [110]


def test_a_bar_passed_while_idle_leaves_the_venue_as_living_through_it_would() -> None:
    lived, passed = Venue(), Venue()
    for venue in (lived, passed):
        venue.live(0, 100, 105, 95, 102)
        venue.send(T0 + 10 * NS_PER_SECOND, quantity=60)
        venue.live(1, 102, 103, 101, 101)
        assert venue.exchange.is_idle
    lived.live(2, 101, 108, 100, 107)
    passed.exchange.pass_bar(bar(2, 101, 108, 100, 107, 1000))
    assert lived.exchange.equity() == passed.exchange.equity() != 100_000
    for venue in (lived, passed):
        venue.send(T0 + 181 * NS_PER_SECOND, coid="p", quantity=60)
        assert not venue.exchange.is_idle
        venue.run(T0 + 182 * NS_PER_SECOND)
        assert venue.exchange.orders, "the market is shut until the next bar opens"
        venue.live(4, 107, 107, 90, 95)
    assert passed.heard == lived.heard
    assert prices_of(passed) == [102, 107]


def test_an_immediate_order_that_waited_does_not_rest_after_its_first_chance() -> None:
    venue = Venue(PaperCosts(latency_ms=50, spread_fraction=D(0), slippage_bps=D(0)))
    venue.live(0, 100, 105, 95, 102)
    venue.send(T0 + 60 * NS_PER_SECOND, quantity=10)
    venue.run(T0 + 61 * NS_PER_SECOND)
    venue.live(5, 110, 111, 109, 110, volume=20)
    assert [fill.quantity for fill in venue.fills] == [2]
    assert venue.ends[-1] == "OrderCancelled"
    assert venue.exchange.orders == {}


@pytest.mark.parametrize(
    ("side", "limit", "prices", "filled"),
    [
        (BUY, 98, (100, 101, "97.9", 99), [98]),
        (BUY, 98, (100, 101, 98, 99), []),
        (BUY, 98, (97, 101, 96, 99), [97]),
        (SELL, 102, (100, "102.1", 99, 101), [102]),
        (SELL, 102, (100, 102, 99, 101), []),
        (SELL, 102, (103, 104, 99, 101), [103]),
    ],
)
def test_a_resting_limit_fills_when_the_price_goes_through_it_or_opens_better(
    side: Side, limit: int, prices: tuple[Price, Price, Price, Price], filled: list[int]
) -> None:
    venue = Venue()
    venue.live(0, 100, 100, 100, 100)
    venue.send(T0 + 60 * NS_PER_SECOND, side=side, kind=OrderType.LIMIT, limit=limit)
    venue.run(T0 + 61 * NS_PER_SECOND)
    venue.live(2, *prices)
    assert prices_of(venue) == filled


def test_a_limit_touched_at_the_open_does_not_fill_where_it_must_be_gone_through() -> None:
    venue = Venue()
    venue.live(0, 100, 100, 100, 100)
    venue.send(T0 + 60 * NS_PER_SECOND, kind=OrderType.LIMIT, limit=98)
    venue.run(T0 + 61 * NS_PER_SECOND)
    venue.live(2, 98, 99, 98, 99)
    assert venue.fills == []


@pytest.mark.parametrize(
    ("side", "stop", "prices", "filled"),
    [
        (SELL, 95, (100, 101, 95, 99), [95]),
        (SELL, 95, (100, 101, "95.1", 99), []),
        (SELL, 95, (92, 101, 90, 99), [92]),
        (BUY, 105, (100, 105, 99, 101), [105]),
        (BUY, 105, (107, 108, 99, 101), [107]),
    ],
)
def test_a_stop_fills_at_its_level_or_worse_at_the_open_that_jumped_it(
    side: Side, stop: int, prices: tuple[Price, Price, Price, Price], filled: list[int]
) -> None:
    venue = Venue()
    venue.live(0, 100, 100, 100, 100)
    venue.send(T0 + 60 * NS_PER_SECOND, side=side, kind=OrderType.STOP, stop=stop, role=OrderRole.STOP)
    venue.run(T0 + 61 * NS_PER_SECOND)
    venue.live(2, *prices)
    assert prices_of(venue) == filled


def test_a_stop_moved_inside_a_bar_never_fills_at_that_bars_open() -> None:
    venue = Venue()
    minute = bar(0, 100, 110, 99, 109)
    venue.exchange.open_bar(minute)
    coid = venue.send(side=SELL, kind=OrderType.STOP, stop=90, role=OrderRole.STOP)
    late_ns = minute.close_ns - NS_PER_SECOND
    venue.run(late_ns)
    venue.exchange.range_bar(minute, late_ns)
    venue.exchange.amend(coid, D(1), D(105), late_ns)
    venue.run(minute.close_ns)
    assert prices_of(venue) == [105], "the low may have come after the high: it is a stop, at its level"


def test_an_exit_sent_inside_a_bar_never_gets_that_bars_better_open() -> None:
    venue = Venue()
    minute = bar(0, 111, 112, 104, 110)
    venue.exchange.open_bar(minute)
    late_ns = minute.close_ns - NS_PER_SECOND
    venue.exchange.range_bar(minute, late_ns)
    sell: Terms = {
        "in_force": TimeInForce.IOC,
        "side": SELL,
        "kind": OrderType.LIMIT,
        "limit": 108,
        "role": OrderRole.TARGET,
    }
    venue.send(late_ns, **sell)
    venue.run(minute.close_ns)
    assert prices_of(venue) == [108]


def test_an_entry_that_arrives_inside_a_bar_waits_for_the_next() -> None:
    venue = Venue()
    minute = bar(0, 100, 105, 95, 102)
    venue.exchange.open_bar(minute)
    venue.exchange.range_bar(minute, minute.close_ns - NS_PER_SECOND)
    venue.send(minute.close_ns - NS_PER_SECOND, kind=OrderType.LIMIT, limit=99)
    venue.run(minute.close_ns)
    assert venue.fills == []
    venue.live(1, 98, 99, 97, 98)
    assert prices_of(venue) == [98]


def test_stops_come_before_limits_on_one_bar() -> None:
    venue = Venue()
    venue.live(0, 100, 100, 100, 100)
    at_ns = T0 + 60 * NS_PER_SECOND
    venue.send(at_ns, coid="limit", side=SELL, kind=OrderType.LIMIT, limit=105, role=OrderRole.TARGET)
    venue.send(at_ns, coid="stop", side=SELL, kind=OrderType.STOP, stop=95, role=OrderRole.STOP)
    venue.run(at_ns + NS_PER_SECOND)
    venue.live(2, 100, 106, 94, 100)
    assert [fill.client_order_id for fill in venue.fills] == ["stop", "limit"]


def test_all_orders_of_a_side_share_what_a_bar_gives() -> None:
    venue = Venue(PaperCosts(spread_fraction=D(0), slippage_bps=D(0), participation_fraction=D("0.1")))
    venue.exchange.open_bar(bar(0, 100, 101, 99, 100, volume=100))
    venue.send(coid="one", quantity=7)
    venue.send(coid="two", quantity=7)
    venue.send(coid="other", quantity=7, side=SELL)
    venue.run(T0 + NS_PER_SECOND)
    taken = {fill.client_order_id: fill.quantity for fill in venue.fills}
    assert taken == {"one": 7, "two": 3, "other": 7}
    assert venue.ends.count("OrderCancelled") == 1


def test_a_resting_order_takes_its_share_of_each_bar_until_it_is_whole() -> None:
    venue = Venue(PaperCosts(spread_fraction=D(0), slippage_bps=D(0), participation_fraction=D("0.1")))
    venue.live(0, 100, 100, 100, 100)
    venue.send(T0 + 60 * NS_PER_SECOND, kind=OrderType.LIMIT, limit=98, quantity=25)
    venue.run(T0 + 61 * NS_PER_SECOND)
    for index in (2, 3, 4):
        venue.live(index, 97, 98, 96, 97, volume=100)
    assert [fill.quantity for fill in venue.fills] == [10, 10, 5]


def test_a_bar_without_volume_fills_nothing() -> None:
    venue = Venue()
    venue.send()
    venue.live(0, 100, 100, 100, 100, volume=0)
    assert venue.fills == []
    assert venue.ends == ["OrderAccepted", "OrderCancelled"]


@pytest.mark.parametrize(("side", "price"), [(BUY, "100.2"), (SELL, "99.8")])
def test_spread_and_slippage_are_always_against_the_trader(side: Side, price: str) -> None:
    costs = PaperCosts(spread_fraction=D("0.002"), slippage_bps=D(10), participation_fraction=D(1))
    venue = Venue(costs)
    venue.send(side=side)
    venue.live(0, 100, 100, 100, 100)
    assert prices_of(venue) == [D(price)]


def test_a_price_between_ticks_is_rounded_against_the_trader() -> None:
    costs = PaperCosts(spread_fraction=D(0), slippage_bps=D(1), participation_fraction=D(1))
    venue = Venue(costs)
    venue.send(coid="b")
    venue.send(coid="s", side=SELL)
    venue.live(0, 100, 100, 100, 100)
    assert prices_of(venue) == [D("100.1"), D("99.9")]


def test_makers_and_takers_pay_their_fee_in_its_currency() -> None:
    venue = Venue()
    venue.send(quantity=2)
    venue.live(0, 100, 100, 100, 100)
    venue.send(T0 + 60 * NS_PER_SECOND, coid="m", kind=OrderType.LIMIT, limit=98, quantity=2)
    venue.run(T0 + 61 * NS_PER_SECOND)
    venue.live(2, 99, 99, 97, 98)
    taker, maker = venue.fills
    assert (taker.liquidity, taker.fee, taker.fee_currency) == (Liquidity.TAKER, D("0.1"), "USDT")
    assert (maker.liquidity, maker.fee, maker.fee_currency) == (Liquidity.MAKER, D("0.0392"), "USDT")


def test_spot_takes_the_fee_of_a_buy_in_base_and_of_a_sale_in_quote() -> None:
    venue = Venue()
    venue.exchange.open_bar(bar(0, 100, 100, 100, 100, instrument=SPOT))
    venue.send(instrument=SPOT)
    venue.run(T0 + NS_PER_SECOND)
    sold: Terms = {"coid": "s", "side": SELL, "quantity": "0.99", "role": OrderRole.EXIT, "instrument": SPOT}
    venue.send(T0 + NS_PER_SECOND, **sold)
    venue.run(T0 + 2 * NS_PER_SECOND)
    bought, sale = venue.fills
    assert (bought.fee, bought.fee_currency) == (D("0.001"), "ETH")
    assert (sale.fee, sale.fee_currency) == (D("0.099"), "USDT")
    assert venue.exchange.account.balances == {"USDT": D("99998.901"), "ETH": D("0.009")}


def test_requests_arrive_after_half_the_latency_and_answers_after_the_other_half() -> None:
    venue = Venue(PaperCosts(latency_ms=80))
    venue.exchange.open_bar(bar(0, 100, 100, 100, 100))
    venue.send()
    venue.run(T0 + 80 * NS_PER_MS - 1)
    assert venue.heard == []
    venue.run(T0 + 80 * NS_PER_MS)
    assert {event.at_ns for event in venue.heard} == {T0 + 80 * NS_PER_MS}
    assert venue.fills[0].at_ns == T0 + 40 * NS_PER_MS


def test_an_order_good_till_a_date_expires_then() -> None:
    venue = Venue()
    venue.live(0, 100, 100, 100, 100)
    until_ns = T0 + 90 * NS_PER_SECOND
    resting: Terms = {
        "expires_ns": until_ns,
        "kind": OrderType.LIMIT,
        "limit": 90,
        "in_force": TimeInForce.GTD,
    }
    venue.send(T0 + 60 * NS_PER_SECOND, **resting)
    venue.run(until_ns + 25 * NS_PER_MS)
    assert venue.ends == ["OrderAccepted", "OrderExpired"]
    assert venue.heard[-1].at_ns == until_ns + 25 * NS_PER_MS


def test_a_client_id_the_venue_has_changes_nothing() -> None:
    venue = Venue()
    venue.exchange.open_bar(bar(0, 100, 100, 100, 100))
    venue.send()
    venue.send()
    venue.run(T0 + NS_PER_SECOND)
    venue.send(T0 + NS_PER_SECOND)
    venue.run(T0 + 2 * NS_PER_SECOND)
    assert len(venue.fills) == 1
    assert venue.ends == ["OrderAccepted", "OrderFilled"]


@pytest.mark.parametrize(
    ("terms", "word"),
    [
        ({"quantity": "0.0005"}, "lot"),
        ({"kind": OrderType.LIMIT, "limit": "99.95"}, "tick"),
        ({"kind": OrderType.STOP, "stop": "100.01"}, "tick"),
        ({"quantity": "0.001"}, "minimum"),
        ({"quantity": 100_000}, "margin"),
        ({"instrument": SPOT, "quantity": 2000}, "needs"),
        ({"instrument": SPOT, "side": SELL}, "needs"),
    ],
    ids=str,
)
def test_a_venue_refuses_what_is_off_the_grid_too_small_or_not_paid_for(terms: Terms, word: str) -> None:
    venue = Venue()
    for contract in (PERP, SPOT):
        venue.exchange.open_bar(bar(0, 100, 100, 100, 100, instrument=contract))
    venue.send(**terms)
    venue.run(T0 + NS_PER_SECOND)
    (refused,) = venue.heard
    assert isinstance(refused, f.OrderRejected)
    assert word in refused.reason


def test_an_amend_off_the_grid_or_below_what_was_filled_is_refused() -> None:
    venue = Venue()
    venue.exchange.open_bar(bar(0, 100, 100, 100, 100))
    stop = venue.send(side=SELL, kind=OrderType.STOP, stop=95, role=OrderRole.STOP)
    for quantity, level in (("1", "95.05"), ("0.0001", "95"), ("0", "95"), ("1", "-5")):
        venue.exchange.amend(stop, D(quantity), D(level), T0)
    venue.run(T0 + NS_PER_SECOND)
    assert venue.ends == ["OrderAccepted", *["RequestRejected"] * 4]
    assert venue.exchange.orders[stop].stop_price == 95


def test_seeded_rejects_hit_the_same_orders_every_time_and_never_an_exit() -> None:
    def refused(seed: int) -> set[str]:
        venue = Venue(PaperCosts(reject_fraction=D("0.5"), seed=seed, participation_fraction=D(1)))
        venue.exchange.open_bar(bar(0, 100, 100, 100, 100))
        for number in range(40):
            venue.send(coid=f"{number}")
        venue.send(coid="exit", side=SELL, role=OrderRole.EXIT)
        venue.run(T0 + NS_PER_SECOND)
        return {event.client_order_id for event in venue.heard if isinstance(event, f.OrderRejected)}

    assert refused(1) == refused(1)
    assert refused(1) != refused(2)
    assert 8 < len(refused(1)) < 32
    assert "exit" not in refused(1) | refused(2)


def test_a_look_up_tells_all_that_became_of_an_order_and_of_none() -> None:
    venue = Venue()
    venue.exchange.open_bar(bar(0, 100, 100, 100, 100))
    resting = venue.send(coid="r", side=SELL, kind=OrderType.STOP, stop=95, role=OrderRole.STOP)
    done = venue.send(coid="d")
    venue.run(T0 + NS_PER_SECOND)
    venue.heard.clear()
    for coid in (resting, done, "never"):
        venue.exchange.look_up(coid, T0 + NS_PER_SECOND)
    venue.run(T0 + 2 * NS_PER_SECOND)
    assert venue.ends == [
        "OrderAccepted",
        "OrderAmended",
        "OrderFilled",
        "OrderCancelled",
        "OrderNotFound",
    ]
    over = venue.heard[3]
    assert isinstance(over, f.OrderCancelled)
    assert over.filled == 1


def restored(hand: Hand) -> Venue:
    state = DeskState()
    for fact in hand.facts:
        apply(state, fact)
    venue = Venue()
    venue.exchange.restore(state)
    return venue


def test_a_stop_that_was_triggered_before_a_restart_is_still_at_market_after_it() -> None:
    hand = Hand()
    hand.enter(intent())
    hand.fill(OrderRole.STOP, "0.4", 95)
    venue = restored(hand)
    venue.live(1, 100, 101, 99, 100)
    assert prices_of(venue) == [100]
    assert venue.fills[0].quantity == D("0.6")


def test_an_order_good_till_a_date_still_expires_after_a_restart() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT, trigger=90, stop=85, expiry_s=90))
    hand.accept(OrderRole.ENTRY)
    venue = restored(hand)
    venue.run(T0 + 91 * NS_PER_SECOND)
    assert venue.ends == ["OrderExpired"]
