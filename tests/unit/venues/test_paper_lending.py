"""A paper venue that lends: what is not owned may be sold while the account can answer for it."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from msgspec.structs import replace

from neuratrade.core.model import facts as f
from neuratrade.core.model.events import VenueSnapshot
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.orders import OrderRole, OrderType, Side
from neuratrade.venues.paper.costs import PaperCosts
from neuratrade.venues.paper.exchange import PaperExchange
from neuratrade.venues.paper.refusals import objection
from tests.simulation.world import ACCOUNT, FREE, PERP, SPOT, T0, D, bar
from tests.unit.venues.test_paper_bars import order

LENDS = replace(FREE, latency_ms=0, lends=True)
FREE_OF_FEES = {"maker_fee_bps": D(0), "taker_fee_bps": D(0), "fee_in_base": False}
LENT = replace(SPOT, initial_margin=D("0.5"), maintenance_margin=D("0.2"), **FREE_OF_FEES)
MARGINED = replace(PERP, initial_margin=D("0.5"), **FREE_OF_FEES)
PRICES = {LENT.key: D(100), MARGINED.key: D(100)}


class Lender:
    """An exchange with 1000 in cash at which both contracts cost 100, and what it said."""

    def __init__(self, costs: PaperCosts = LENDS, lent: Instrument = LENT) -> None:
        self.instruments = {lent.key: lent, MARGINED.key: MARGINED}
        self.exchange = PaperExchange(ACCOUNT, self.instruments, D(1000), costs)
        self.heard: list[object] = []
        self.minute = 0
        self.live(100)

    def live(self, price: int, reach: int | None = None, volume: int = 10_000) -> None:
        """A minute of both contracts at one price. reach: how far up the lent one went."""
        bars = [
            replace(bar(self.minute, price, price, price, price, volume), instrument=key)
            for key in self.instruments
        ]
        bars[0] = replace(bars[0], high=D(reach or price))
        for one in bars:
            self.exchange.open_bar(one)
        self._run(bars[0].close_ns - NS_PER_SECOND)
        for one in bars:
            self.exchange.range_bar(one, one.close_ns - NS_PER_SECOND)
        self._run(bars[0].close_ns - 1)
        for one in bars:
            self.exchange.shut_bar(one)
        self.minute += 1

    def _run(self, until_ns: int) -> None:
        while (due_ns := self.exchange.next_due_ns) is not None and due_ns <= until_ns:
            event = self.exchange.run_next()
            if event is not None:
                self.heard.append(event)

    def trade(
        self, side: Side, quantity: str, contract: Instrument = LENT, role: OrderRole = OrderRole.ENTRY
    ) -> list[str]:
        """Sends a market order and lives a minute; why it was refused, if it was."""
        before = len(self.heard)
        coid = f"o{self.minute}"
        wanted = order(coid=coid, side=side, quantity=quantity, instrument=contract, role=role)
        self.exchange.submit(wanted, T0 + self.minute * 60 * NS_PER_SECOND)
        self.live(100)
        return [event.reason for event in self.heard[before:] if isinstance(event, f.OrderRejected)]

    @property
    def balances(self) -> dict[str, Decimal]:
        return self.exchange.account.balances


def test_a_venue_lends_nothing_unless_it_was_told_to() -> None:
    assert PaperCosts().lends is False
    venue = Lender(FREE)
    assert venue.trade(Side.SELL, "1") == [f"needs 1 {LENT.base}, has 0"]


def test_what_is_sold_and_not_there_is_owed_until_it_is_bought_back() -> None:
    venue = Lender()
    assert venue.trade(Side.SELL, "4") == []
    assert venue.balances == {"USDT": 1400, LENT.base: -4}
    assert venue.exchange.equity() == 1000
    venue.live(120)
    assert venue.exchange.equity() == 920
    assert venue.trade(Side.BUY, "4", role=OrderRole.EXIT) == []
    assert venue.balances == {"USDT": 1000, LENT.base: 0}


@pytest.mark.parametrize(("quantity", "taken"), [("20", True), ("20.01", False)])
def test_a_short_is_taken_while_equity_covers_its_initial_margin(quantity: str, *, taken: bool) -> None:
    said = Lender().trade(Side.SELL, quantity)
    assert said == ([] if taken else ["a margin of 1000.500 beside 0 is more than the equity of 1000 allows"])


def test_the_margin_of_shorts_and_of_derivatives_is_one() -> None:
    venue = Lender()
    assert venue.trade(Side.SELL, "12") == []
    assert venue.trade(Side.BUY, "8", MARGINED) == []
    (said,) = venue.trade(Side.BUY, "1", MARGINED)
    assert said.startswith("a margin of 50.0 beside 1000.0 is more than the equity of 1000")
    (said,) = venue.trade(Side.SELL, "1")
    assert "beside 1000.0 is more" in said


def test_what_is_owned_is_sold_without_margin_and_only_the_rest_is_borrowed() -> None:
    venue = Lender()
    assert venue.trade(Side.BUY, "10") == []
    assert venue.balances == {"USDT": 0, LENT.base: 10}
    (said,) = venue.trade(Side.SELL, "30.01")
    assert said.startswith("a margin of 1000.500 beside 0 ")
    assert venue.trade(Side.SELL, "30") == []
    assert venue.balances[LENT.base] == -20


@pytest.mark.parametrize(
    ("other", "bought", "refused"),
    [
        # Of 1400 in cash 400 would buy the short back and 200 are its margin.
        (LENT, "8", False),
        (LENT, "8.01", True),
    ],
)
def test_what_a_short_brought_in_buys_nothing(other: Instrument, bought: str, *, refused: bool) -> None:
    venue = Lender()
    venue.trade(Side.SELL, "4")
    said = venue.trade(Side.BUY, bought, other)
    assert said == (["needs 801.00 USDT, has 800.00"] if refused else [])


def test_the_venue_says_what_is_owed_in_its_snapshot() -> None:
    venue = Lender()
    venue.trade(Side.SELL, "4")
    venue.exchange.take_snapshot(T0)
    venue.live(100)
    (snapshot,) = [event for event in venue.heard if isinstance(event, VenueSnapshot)]
    assert snapshot.positions == {LENT.key: D(-4)}
    assert snapshot.balances == {"USDT": D(1400), LENT.base: D(-4)}


def test_a_stop_buys_back_what_is_owed() -> None:
    venue = Lender()
    venue.trade(Side.SELL, "4")
    stop = order(
        coid="s",
        side=Side.BUY,
        kind=OrderType.STOP,
        quantity="4",
        stop="110",
        role=OrderRole.STOP,
        instrument=LENT,
    )
    venue.exchange.submit(stop, T0 + 2 * 60 * NS_PER_SECOND)
    venue.live(100, reach=111)
    assert venue.balances == {"USDT": 960, LENT.base: 0}


@pytest.mark.parametrize(("price", "closed"), [(124, False), (126, True)])
def test_a_short_is_bought_back_once_equity_is_below_its_maintenance(price: int, *, closed: bool) -> None:
    # 20 short at 100: at 125 equity is 500, and 0.2 of the 2500 owed have to be kept.
    venue = Lender()
    venue.trade(Side.SELL, "20")
    venue.live(price)
    venue.live(price)
    ended = [event for event in venue.heard if isinstance(event, f.Liquidated)]
    assert bool(ended) is closed
    assert venue.balances[LENT.base] == (0 if closed else -20)
    if closed:
        (one,) = ended
        assert (one.fill.side, one.fill.quantity, one.fill.price) == (Side.BUY, D(20), D(price))


def test_a_contract_without_maintenance_is_never_called_in() -> None:
    venue = Lender(lent=replace(LENT, maintenance_margin=None))
    venue.trade(Side.SELL, "20")
    venue.live(400)
    assert venue.balances[LENT.base] == -20
    assert venue.exchange.equity() == -5000


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda wanted: replace(wanted, quantity=D("0.00000001")), "is not a multiple of the lot"),
        (lambda wanted: replace(wanted, quantity=D(10**12)), "a margin of"),
        (lambda wanted: replace(wanted, quantity=LENT.lot), "is below the minimum of"),
    ],
)
def test_lending_lifts_no_other_rule(change: Callable[..., object], said: str) -> None:
    venue = Lender()
    wanted = change(order(side=Side.SELL, instrument=LENT))
    refused = objection(wanted, venue.exchange.account, venue.instruments, PRICES, LENDS)  # type: ignore[arg-type]
    assert refused is not None
    assert said in refused
    no_price = objection(
        order(side=Side.SELL, instrument=LENT), venue.exchange.account, venue.instruments, {}, LENDS
    )
    assert no_price == "no market: nothing was quoted yet"
