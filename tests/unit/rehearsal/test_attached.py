"""Legs work when their exchange lets them work, for what it lets them work, and end each other as it does."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from neuratrade.core.model.orders import OrderType, Side
from neuratrade.rehearsal.attached import Attachments, Exit, Leg, Opens, Tie
from neuratrade.rehearsal.matching import Rules
from neuratrade.rehearsal.orders import ChangeKind, Reason, Rejected, SimOrder, Status
from tests.unit.rehearsal.exchange import AAPL, BTC, D, Floor

STOP = Leg(OrderType.STOP, stop_price=D(95), client_id="stop")
TARGET = Leg(OrderType.LIMIT, limit_price=D(110), client_id="target", post_only=True)


class Desk:
    """A floor on which an entry of 10 at 99 rests below a market of 100 to 101, with legs."""

    def __init__(self, opens: Opens, *legs: Leg, rules: Rules | None = None, **terms: Any) -> None:
        self.floor = Floor(AAPL, rules=rules or Rules())
        self.attachments = Attachments(self.floor.engine)
        self.floor.quote("100", "101")
        exit_ = Exit(legs or (STOP, TARGET), opens, **terms)
        ticket = self.floor.ticket(Side.BUY, "10", limit="99", name="entry")
        self.entry = self.attachments.place(ticket, exit_, self.floor.engine.place)

    def fill(self, quantity: int) -> None:
        """So much of the entry is filled, and the market goes back."""
        self.floor.quote("98", "99", str(quantity))
        self.floor.quote("100", "101")

    def leg(self, name: str) -> SimOrder:
        """A leg by its id."""
        order = self.floor.engine.find(name)
        assert order is not None
        return order

    def working(self) -> list[tuple[Decimal | None, Decimal]]:
        """Stop and what is left of every stop that works."""
        orders = self.floor.engine.open_orders()
        return [(order.stop_price, order.remaining) for order in orders if order.stop_price is not None]


# when legs begin to work


def test_nothing_works_for_legs_that_wait_for_the_whole_fill_until_the_last_part_came() -> None:
    desk = Desk(Opens.FULL_FILL, tie=Tie.CANCELS)
    desk.fill(4)
    assert desk.entry.filled == 4
    assert desk.working() == []
    assert desk.leg("stop").status is Status.HELD
    desk.fill(6)
    assert desk.working() == [(D(95), D(10))]
    assert desk.leg("target").status is Status.OPEN


@pytest.mark.parametrize("ends_by", ["cancel", "lapse"])
def test_legs_that_wait_for_the_whole_fill_end_with_an_entry_that_ends_before(ends_by: str) -> None:
    desk = Desk(Opens.FULL_FILL, tie=Tie.CANCELS, ends_together=True)
    desk.fill(4)
    getattr(desk.floor.engine, ends_by)(desk.entry.order_id)
    ended = Status.CANCELLED if ends_by == "cancel" else Status.EXPIRED
    assert [desk.leg(name).status for name in ("stop", "target")] == [ended, ended]
    assert desk.floor.engine.open_orders() == []


def test_legs_that_wait_for_the_end_work_for_what_was_filled_by_then() -> None:
    desk = Desk(Opens.FULL_FILL_OR_END, tie=Tie.CANCELS)
    desk.fill(4)
    assert desk.working() == []
    desk.floor.engine.cancel(desk.entry.order_id)
    assert desk.working() == [(D(95), D(4))]
    assert desk.leg("target").quantity == 4


def test_legs_of_an_entry_that_ends_with_nothing_filled_end_with_it() -> None:
    for opens in (Opens.FULL_FILL, Opens.FULL_FILL_OR_END, Opens.FIRST_FILL):
        desk = Desk(opens)
        desk.floor.engine.cancel(desk.entry.order_id)
        assert desk.leg("stop").status is Status.CANCELLED


def test_legs_from_the_first_fill_grow_with_every_further_one() -> None:
    desk = Desk(Opens.FIRST_FILL, STOP)
    desk.fill(4)
    assert desk.working() == [(D(95), D(4))]
    desk.fill(5)
    assert desk.working() == [(D(95), D(9))]
    desk.floor.engine.cancel(desk.entry.order_id)
    assert desk.working() == [(D(95), D(9))]


def test_every_fill_places_legs_of_its_own_where_the_exchange_does_so() -> None:
    desk = Desk(Opens.EACH_FILL, Leg(OrderType.STOP, stop_price=D(95)))
    desk.fill(4)
    desk.fill(5)
    assert desk.working() == [(D(95), D(4)), (D(95), D(5))]
    desk.floor.engine.cancel(desk.entry.order_id)
    assert sum(left for _, left in desk.working()) == 9


def test_an_entry_that_is_filled_at_once_has_its_legs_at_once() -> None:
    for opens in Opens:
        floor = Floor(AAPL)
        attachments = Attachments(floor.engine)
        floor.quote("100", "101")
        ticket = floor.ticket(Side.BUY, "10", limit="101")
        attachments.place(ticket, Exit((Leg(OrderType.STOP, stop_price=D(95)),), opens), floor.engine.place)
        (stop,) = floor.engine.open_orders()
        assert (stop.remaining, stop.ticket.side) == (D(10), Side.SELL)


def test_everybody_hears_of_a_fill_before_the_leg_that_came_of_it() -> None:
    desk = Desk(Opens.EACH_FILL, Leg(OrderType.STOP, stop_price=D(95)))
    desk.fill(4)
    told = [(change.order.order_id == desk.entry.order_id, change.kind) for change in desk.floor.told]
    assert told == [(True, ChangeKind.ACCEPTED), (True, ChangeKind.TRADED), (False, ChangeKind.ACCEPTED)]


# what could not be placed


def test_a_leg_that_the_exchange_cannot_place_leaves_its_part_bare_and_is_named() -> None:
    small = Leg(OrderType.STOP, stop_price=D(95), limit_price=None)
    desk = Desk(Opens.EACH_FILL, small)
    desk.floor.engine.contracts[AAPL.key] = _with_minimum("400")
    desk.fill(4)
    assert desk.working() == []
    assert [(done.quantity, reason) for done, reason in desk.attachments.unplaced] == [(D(4), Reason.MINIMUM)]


def test_a_held_leg_that_cannot_work_any_more_ends_and_takes_the_other_along() -> None:
    desk = Desk(Opens.FULL_FILL, tie=Tie.CANCELS)
    desk.floor.quote("90", "91")
    assert desk.entry.status is Status.FILLED
    family = desk.attachments.family(desk.entry.order_id)
    assert family is not None
    assert family.refused == {desk.leg("stop").order_id: Reason.WOULD_TRIGGER}
    assert [desk.leg(name).status for name in ("stop", "target")] == [Status.EXPIRED, Status.EXPIRED]


def _with_minimum(notional: str) -> Any:
    return msgspec.structs.replace(AAPL, min_notional=D(notional))


# what a leg does to the other


def open_pair(tie: Tie) -> Desk:
    """Both legs of ten work."""
    desk = Desk(Opens.FULL_FILL, tie=tie)
    desk.fill(10)
    return desk


def test_where_one_cancels_the_other_the_first_part_of_a_target_takes_the_whole_stop() -> None:
    desk = open_pair(Tie.CANCELS)
    desk.floor.quote("110", "111", "3")
    assert (desk.leg("target").remaining, desk.leg("target").is_live) == (D(7), True)
    assert desk.leg("stop").status is Status.EXPIRED
    assert desk.working() == []


def test_where_a_fill_reduces_the_other_the_stop_covers_what_is_left() -> None:
    desk = open_pair(Tie.REDUCES)
    desk.floor.quote("110", "111", "3")
    assert desk.working() == [(D(95), D(7))]
    desk.floor.quote("110", "111", "7")
    assert desk.floor.engine.open_orders() == []
    assert desk.leg("stop").filled == 0


@pytest.mark.parametrize("tie", [Tie.CANCELS, Tie.REDUCES])
def test_a_stop_that_sells_everything_leaves_no_target(tie: Tie) -> None:
    desk = open_pair(tie)
    desk.floor.quote("94", "95")
    assert desk.leg("stop").status is Status.FILLED
    assert not desk.leg("target").is_live
    assert desk.floor.engine.account.balances["AAPL"] == 0


@pytest.mark.parametrize("tie", [Tie.CANCELS, Tie.REDUCES])
def test_a_leg_that_is_cancelled_takes_the_other_along(tie: Tie) -> None:
    desk = open_pair(tie)
    desk.floor.engine.cancel(desk.leg("target").order_id)
    assert desk.leg("stop").status is Status.CANCELLED


def test_the_end_of_a_held_leg_ends_the_entry_where_they_end_together() -> None:
    for together in (True, False):
        desk = Desk(Opens.FULL_FILL, STOP, ends_together=together)
        desk.floor.engine.cancel(desk.leg("stop").order_id)
        assert desk.entry.is_live is not together


# money


def test_the_legs_of_one_exit_hold_what_they_sell_once() -> None:
    desk = open_pair(Tie.CANCELS)
    assert desk.floor.engine.free("AAPL") == 0
    with pytest.raises(Rejected, match=Reason.BALANCE.value):
        desk.floor.sell("1", limit="120")


def test_a_pair_for_a_position_is_taken_whole_or_not_at_all() -> None:
    floor = Floor(AAPL, balances={"AAPL": D(10)})
    attachments = Attachments(floor.engine)
    floor.quote("100", "101")
    good = floor.ticket(Side.SELL, "10", stop="95")
    bad = floor.ticket(Side.SELL, "10", limit="100", post_only=True)
    with pytest.raises(Rejected, match=Reason.WOULD_TAKE.value):
        attachments.place_tied([good, bad], Tie.CANCELS, floor.engine.place)
    assert floor.engine.open_orders() == []
    other = floor.ticket(Side.SELL, "10", limit="110", post_only=True)
    family = attachments.place_tied([good, other], Tie.CANCELS, floor.engine.place)
    assert [leg.status for leg in attachments.legs(family)] == [Status.OPEN, Status.OPEN]


def test_a_purchase_that_pays_its_fee_in_coins_cannot_sell_as_many_as_it_bought() -> None:
    floor = Floor(BTC)
    attachments = Attachments(floor.engine)
    floor.quote("100", "101")
    exit_ = Exit((Leg(OrderType.STOP, stop_price=D(95)),), Opens.FULL_FILL)
    entry = attachments.place(floor.ticket(Side.BUY, "1", limit="101"), exit_, floor.engine.place)
    family = attachments.family(entry.order_id)
    assert family is not None
    assert list(family.refused.values()) == [Reason.BALANCE]


# a stop that is reached from the side that gains


@pytest.mark.parametrize(
    ("side", "away", "there"),
    [(Side.SELL, ("100", "101"), ("110", "111")), (Side.BUY, ("100", "101"), ("89", "90"))],
)
def test_a_take_profit_waits_for_the_better_price(
    side: Side, away: tuple[str, str], there: tuple[str, str]
) -> None:
    floor = Floor(AAPL, balances={"AAPL": D(10), "USD": D(10_000)})
    floor.quote(*away)
    stop = "110" if side is Side.SELL else "90"
    order = floor.engine.place(floor.ticket(side, "1", stop=stop, takes_profit=True))
    assert order.is_conditional
    floor.quote(*there)
    assert order.status is Status.FILLED
