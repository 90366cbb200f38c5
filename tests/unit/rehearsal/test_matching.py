"""The matching engine keeps an exchange's rules, so that no desk is praised for what no exchange allows."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.orders import Side
from neuratrade.rehearsal.matching import MOST_LEVELS, Rules
from neuratrade.rehearsal.orders import ChangeKind, Reason, Rejected, Status
from tests.unit.rehearsal.exchange import AAPL, BEGIN_NS, IOC, PERP, D, Floor

FREE = Rules(locks_sales=False)


def prices(floor: Floor) -> list[Decimal]:
    return [done.price for done in floor.engine.executions]


def refused(floor: Floor, side: Side, quantity: str, **terms: Any) -> Reason:
    """Why an order is not taken; and then nothing happened."""
    before = (
        dict(floor.engine.account.balances),
        list(floor.engine.orders),
        dict(floor.engine.by_client_id),
        len(floor.told),
    )
    with pytest.raises(Rejected) as caught:
        floor.engine.place(floor.ticket(side, quantity, **terms))
    after = (
        floor.engine.account.balances,
        list(floor.engine.orders),
        floor.engine.by_client_id,
        len(floor.told),
    )
    assert after == before
    return caught.value.reason


# what is filled, and at which price


def test_what_rests_is_filled_at_its_limit_when_the_other_side_comes_and_not_before() -> None:
    floor = Floor()
    floor.quote("100", "101")
    order = floor.buy("1", limit="99.5")
    floor.quote("99.4", "99.51")
    assert order.filled == 0
    floor.quote("98", "99")
    assert order.status is Status.FILLED
    (done,) = order.executions
    assert (done.price, done.is_maker) == (D("99.5"), True)


def test_a_sale_that_rests_is_filled_at_its_limit_too() -> None:
    floor = Floor(balances={"BTC": D(1)})
    floor.quote("100", "101")
    order = floor.sell("1", limit="102")
    floor.quote("101.99", "102.5")
    assert order.filled == 0
    floor.quote("103", "104")
    assert [(done.price, done.is_maker) for done in order.executions] == [(D(102), True)]


def test_what_rests_is_filled_by_no_more_than_is_there() -> None:
    floor = Floor()
    floor.quote("100", "101")
    order = floor.buy("1", limit="99")
    for filled in ("0.4", "0.8", "1"):
        floor.quote("98", "99", size="0.4")
        assert order.filled == D(filled)
    assert [done.total for done in order.executions] == [D("0.4"), D("0.8"), D(1)]
    assert floor.kinds() == ["accepted", "traded", "traded", "traded"]


def test_a_limit_that_crosses_takes_at_the_market_and_not_at_its_limit() -> None:
    floor = Floor()
    floor.quote("100", "101")
    order = floor.buy("1", limit="105")
    assert [(done.price, done.is_maker) for done in order.executions] == [(D(101), False)]


def test_a_large_order_walks_up_tick_by_tick_and_what_finds_nobody_is_gone() -> None:
    floor = Floor()
    floor.quote("100", "101", size="1")
    order = floor.buy("9")
    assert prices(floor) == [D(101) + D("0.01") * level for level in range(MOST_LEVELS)]
    assert (order.filled, order.status) == (D(MOST_LEVELS), Status.CANCELLED)
    floor.quote("100", "101", size="100")
    assert order.filled == D(MOST_LEVELS)


def test_a_large_limit_order_walks_no_further_than_its_limit_and_rests_there() -> None:
    floor = Floor()
    floor.quote("100", "101", size="1")
    order = floor.buy("9", limit="101.02")
    assert prices(floor) == [D("101"), D("101.01"), D("101.02")]
    assert (order.status, order.remaining) == (Status.PARTIAL, D(6))
    floor.quote("100", "100.5", size="100")
    assert prices(floor)[3:] == [D("101.02")]
    assert order.executions[-1].is_maker


def test_a_large_sale_walks_down() -> None:
    floor = Floor(balances={"BTC": D(5)})
    floor.quote("100", "101", size="2")
    floor.sell("5")
    assert prices(floor) == [D(100), D("99.99"), D("99.98")]


def test_an_immediate_order_never_rests() -> None:
    floor = Floor()
    floor.quote("100", "101", size="1")
    part = floor.buy("3", limit="101", time_in_force=IOC)
    none = floor.buy("3", limit="100.5", time_in_force=IOC)
    assert (part.status, part.filled) == (Status.EXPIRED, D(1))
    assert (none.status, none.filled) == (Status.EXPIRED, D(0))
    floor.quote("90", "91", size="100")
    assert (part.filled, none.filled) == (D(1), D(0))


def test_a_thin_book_gives_its_share() -> None:
    floor = Floor()
    floor.quote("100", "101", size="1")
    floor.engine.share = D("0.001")
    order = floor.buy("1")
    assert [done.quantity for done in order.executions] == [D("0.001")] * MOST_LEVELS


@pytest.mark.parametrize("side", Side)
def test_a_market_order_that_finds_an_empty_side_is_gone(side: Side) -> None:
    floor = Floor(balances={"USD": D(1000), "BTC": D(1)})
    floor.quote(*((("100", None)) if side is Side.BUY else (None, "101")))
    order = floor.engine.place(floor.ticket(side, "1"))
    assert (order.status, order.filled) == (Status.CANCELLED, D(0))


# stops


@pytest.mark.parametrize(
    ("side", "stop", "short_of_it", "reaches_it"),
    [
        (Side.SELL, "99", ("99.01", "99.02"), ("99", "99.5")),
        (Side.BUY, "102", ("101", "101.99"), ("99", "102")),
    ],
)
def test_a_stop_triggers_at_its_price_and_on_its_side(
    side: Side, stop: str, short_of_it: tuple[str, str], reaches_it: tuple[str, str]
) -> None:
    floor = Floor(balances={"USD": D(1000), "BTC": D(1)})
    floor.quote("100", "101")
    order = floor.engine.place(floor.ticket(side, "1", stop=stop))
    floor.quote(*short_of_it)
    assert (order.is_conditional, order.filled) == (True, D(0))
    floor.quote(*reaches_it)
    assert order.status is Status.FILLED
    assert prices(floor) == [D(stop)]
    assert not order.executions[0].is_maker
    assert floor.kinds() == ["accepted", "triggered", "traded"]


def test_a_stop_with_a_limit_that_the_market_jumps_over_rests_at_its_limit() -> None:
    floor = Floor(balances={"BTC": D(1)})
    floor.quote("100", "101")
    order = floor.sell("1", stop="99", limit="98.5")
    floor.quote("97", "98")
    assert (order.triggered, order.is_conditional, order.filled) == (True, False, D(0))
    floor.quote("98.4", "98.6")
    assert order.filled == 0
    floor.quote("99.5", "99.6")
    assert [(done.price, done.is_maker) for done in order.executions] == [(D("98.5"), True)]


def test_a_stop_with_a_limit_takes_at_the_market_when_it_triggers_within_it() -> None:
    floor = Floor(balances={"BTC": D(1)})
    floor.quote("100", "101")
    order = floor.sell("1", stop="99", limit="98")
    floor.quote("98.7", "98.8")
    assert [(done.price, done.is_maker) for done in order.executions] == [(D("98.7"), False)]


def test_an_immediate_stop_is_gone_once_it_triggered() -> None:
    floor = Floor(balances={"BTC": D(1)})
    floor.quote("100", "101")
    order = floor.sell("1", stop="99", limit="98.5", time_in_force=IOC)
    assert order.is_conditional
    floor.quote("97", "98")
    assert order.status is Status.EXPIRED


@pytest.mark.parametrize(("side", "stop"), [(Side.SELL, "100"), (Side.BUY, "101")])
def test_a_stop_that_is_reached_already_is_refused_or_triggered_as_the_exchange_has_it(
    side: Side, stop: str
) -> None:
    funds = {"USD": D(1000), "BTC": D(1)}
    strict = Floor(balances=funds)
    strict.quote("100", "101")
    assert refused(strict, side, "1", stop=stop) is Reason.WOULD_TRIGGER
    mild = Floor(balances=funds, rules=Rules(refuses_crossed_stops=False))
    mild.quote("100", "101")
    assert mild.engine.place(mild.ticket(side, "1", stop=stop)).status is Status.FILLED


def test_stops_meet_a_quote_before_what_rests() -> None:
    floor = Floor(balances={"USD": D(1000), "BTC": D(1)})
    floor.quote("100", "101")
    rests = floor.buy("1", limit="98")
    stop = floor.sell("1", stop="99")
    floor.quote("97", "98")
    assert stop.executions[0].number < rests.executions[0].number


# refusals


@pytest.mark.parametrize(
    ("quantity", "terms", "reason"),
    [
        ("1", {"symbol": "DOGE/USD@alpaca"}, Reason.UNKNOWN_SYMBOL),
        ("0.0000001", {}, Reason.GRID),
        ("0.0000015", {}, Reason.GRID),
        ("0", {}, Reason.GRID),
        ("-1", {}, Reason.GRID),
        ("1", {"limit": "99.999"}, Reason.GRID),
        ("1", {"limit": "0"}, Reason.GRID),
        ("1", {"stop": "-5"}, Reason.GRID),
        ("0.000001", {"limit": "99"}, Reason.MINIMUM),
        ("0.000001", {}, Reason.MINIMUM),
        ("20000", {"limit": "99"}, Reason.BALANCE),
        ("20000", {}, Reason.BALANCE),
        ("1", {"reduce_only": True}, Reason.NOT_REDUCING),
        ("1", {"name": "taken"}, Reason.DUPLICATE),
    ],
)
def test_what_no_exchange_takes_is_refused_with_its_reason_and_changes_nothing(
    quantity: str, terms: dict[str, Any], reason: Reason
) -> None:
    floor = Floor()
    floor.quote("100", "101")
    floor.buy("0.1", limit="50", name="taken")
    assert refused(floor, Side.BUY, quantity, **terms) is reason


def test_a_client_id_stays_taken_when_its_order_is_over() -> None:
    floor = Floor()
    floor.quote("100", "101")
    floor.buy("1", name="once")
    assert refused(floor, Side.BUY, "1", name="once") is Reason.DUPLICATE


def test_a_market_order_without_a_market_is_refused() -> None:
    assert refused(Floor(), Side.BUY, "1") is Reason.NO_MARKET


def test_two_sales_of_the_same_thing_are_never_open_together_where_the_balance_is_locked() -> None:
    floor = Floor(balances={"BTC": D(1)})
    floor.quote("100", "101")
    stop = floor.sell("0.7", stop="90", limit="89")
    assert refused(floor, Side.SELL, "0.4", limit="110") is Reason.BALANCE
    assert floor.engine.free("BTC") == D("0.3")
    floor.sell("0.3", limit="110")
    floor.engine.cancel(stop.order_id)
    floor.sell("0.7")
    mild = Floor(balances={"BTC": D(1)}, rules=FREE)
    mild.quote("100", "101")
    mild.sell("1", stop="90")
    mild.sell("1", limit="110")


def test_money_that_purchases_hold_is_not_there_twice() -> None:
    floor = Floor(balances={"USD": D(100)})
    floor.quote("100", "101")
    first = floor.buy("0.6", limit="100")
    assert refused(floor, Side.BUY, "0.5", limit="100") is Reason.BALANCE
    floor.engine.cancel(first.order_id)
    floor.buy("0.5", limit="100")


def test_nothing_is_sold_short_where_nothing_is_lent() -> None:
    floor = Floor(AAPL)
    floor.quote("100", "101")
    assert refused(floor, Side.SELL, "1") is Reason.BALANCE
    lending = Floor(AAPL, rules=Rules(lends=True))
    lending.quote("100", "101")
    lending.sell("1")
    assert lending.engine.account.balances["AAPL"] == -1


def test_a_position_needs_its_margin() -> None:
    floor = Floor(PERP, balances={"USDT": D(100)})
    floor.quote("100", "100.1")
    assert refused(floor, Side.BUY, "11", limit="100") is Reason.BALANCE
    floor.buy("9", limit="100.1")
    assert refused(floor, Side.SELL, "2") is Reason.BALANCE
    floor.sell("9", reduce_only=True)
    assert floor.engine.account.position(PERP.key) == 0


# orders that may only reduce


def test_a_reducing_order_takes_no_more_than_is_held() -> None:
    floor = Floor(PERP)
    floor.quote("100", "100.1")
    floor.buy("1")
    order = floor.sell("3", reduce_only=True)
    assert order.filled == 1
    assert not order.is_live
    assert floor.engine.account.position(PERP.key) == 0


def test_a_reducing_order_adds_to_nothing_when_the_position_has_turned() -> None:
    floor = Floor(PERP)
    floor.quote("100", "100.1")
    floor.buy("1")
    stop = floor.sell("1", stop="95", reduce_only=True)
    floor.sell("3")
    assert floor.engine.account.position(PERP.key) == -2
    floor.quote("94", "94.1")
    assert stop.filled == 0
    assert floor.engine.account.position(PERP.key) == -2


def test_a_reducing_order_needs_a_position_on_the_other_side() -> None:
    floor = Floor(PERP)
    floor.quote("100", "100.1")
    assert refused(floor, Side.SELL, "1", reduce_only=True) is Reason.NOT_REDUCING
    floor.buy("1")
    assert refused(floor, Side.BUY, "1", reduce_only=True) is Reason.NOT_REDUCING


# the life of an order


def test_an_order_is_cancelled_once() -> None:
    floor = Floor()
    floor.quote("100", "101")
    order = floor.buy("1", limit="99")
    assert floor.engine.cancel(order.order_id).status is Status.CANCELLED
    for number in (order.order_id, 10**9):
        with pytest.raises(Rejected) as caught:
            floor.engine.cancel(number)
        assert caught.value.reason is Reason.UNKNOWN_ORDER
    assert floor.engine.free("USD") == floor.engine.account.balances["USD"]


def test_an_amended_stop_triggers_at_its_new_price_for_its_new_quantity() -> None:
    floor = Floor(balances={"BTC": D(2)})
    floor.quote("100", "101")
    order = floor.sell("1", stop="95")
    floor.engine.amend(order.order_id, D(2), None, D(99))
    assert floor.told[-1].kind is ChangeKind.AMENDED
    floor.quote("98.9", "99.5")
    assert order.filled == 2


def test_an_amended_limit_that_crosses_takes_at_the_market() -> None:
    floor = Floor()
    floor.quote("100", "101")
    order = floor.buy("1", limit="99")
    floor.engine.amend(order.order_id, D(1), D(105), None)
    assert [(done.price, done.is_maker) for done in order.executions] == [(D(101), False)]


@pytest.mark.parametrize(
    ("quantity", "limit", "reason"),
    [
        ("0.5", "99", Reason.GRID),
        ("1.5", "99.001", Reason.GRID),
        ("50", "99", Reason.BALANCE),
        ("1.5", "9000", Reason.BALANCE),
    ],
)
def test_terms_that_cannot_be_leave_the_order_as_it_was(quantity: str, limit: str, reason: Reason) -> None:
    floor = Floor(balances={"USD": D(1000)})
    floor.quote("100", "101")
    order = floor.buy("1", limit="99")
    floor.quote("98", "99", size="0.5")
    floor.quote("100", "101")
    before, told = msgspec.structs.astuple(order), len(floor.told)
    with pytest.raises(Rejected) as caught:
        floor.engine.amend(order.order_id, D(quantity), D(limit), None)
    assert caught.value.reason is reason
    assert msgspec.structs.astuple(order) == before
    assert len(floor.told) == told


def test_an_order_that_is_over_takes_no_new_terms() -> None:
    floor = Floor()
    floor.quote("100", "101")
    order = floor.buy("1")
    with pytest.raises(Rejected):
        floor.engine.amend(order.order_id, D(2), D(99), None)


def test_an_order_ends_at_its_time() -> None:
    floor = Floor()
    floor.quote("100", "101")
    order = floor.buy("1", limit="99", expires_ns=BEGIN_NS + 10 * NS_PER_SECOND)
    floor.now_ns = BEGIN_NS + 10 * NS_PER_SECOND - 1
    floor.engine.expire()
    assert order.is_live
    floor.now_ns += 1
    floor.engine.expire()
    assert (order.status, floor.kinds()[-1]) == (Status.EXPIRED, "expired")


def test_what_is_told_late_still_tells_how_it_stood() -> None:
    floor = Floor()
    floor.quote("100", "101", size="1")
    floor.buy("2")
    assert [change.order.filled for change in floor.told] == [D(0), D(1), D(2)]


def test_fees_are_paid_in_what_the_contract_says() -> None:
    floor = Floor()
    floor.quote("100", "100")
    floor.buy("1")
    floor.sell("0.5", limit="101")
    floor.quote("102", "103")
    bought, sold = floor.engine.executions
    assert (bought.fee, bought.fee_currency) == (D("0.0025"), "BTC")
    assert (sold.fee, sold.fee_currency) == (D("50.5") * 15 / 10_000, "USD")
    assert floor.engine.account.balances["BTC"] == D("0.4975")


def test_a_position_realises_what_its_entry_price_says_also_when_it_turns() -> None:
    floor = Floor(PERP, balances={"USDT": D(10_000)})
    for price, side, quantity in (("100", Side.BUY, "1"), ("110", Side.BUY, "1"), ("120", Side.SELL, "5")):
        floor.quote(price, price)
        floor.engine.place(floor.ticket(side, quantity))
    fees = sum((done.fee for done in floor.engine.executions), D(0))
    held = floor.engine.account.positions[PERP.key]
    assert (held.quantity, held.entry_price) == (D(-3), D(120))
    assert floor.engine.account.balances["USDT"] == 10_000 + 30 - fees


def test_orders_share_a_quote_and_the_next_one_is_new() -> None:
    floor = Floor()
    floor.quote("100", "101", size="5")
    first, second = (floor.buy("3", limit="99") for _ in range(2))
    floor.quote("98", "99", size="4")
    assert [first.filled, second.filled] == [3, 1]
    floor.quote("98", "99", size="4")
    assert second.filled == 3


def test_what_one_order_took_of_a_level_the_next_one_does_not_find_there() -> None:
    floor = Floor()
    floor.quote("100", "101", size="5")
    assert floor.buy("5").average_price == D(101)
    assert floor.buy("5").average_price == D("101.01")


def test_a_derivative_cannot_be_enlarged_beyond_its_margin() -> None:
    floor = Floor(PERP, balances={"USDT": D(100)})
    floor.quote("100", "100.1")
    order = floor.buy("1", limit="99")
    with pytest.raises(Rejected) as refused:
        floor.engine.amend(order.order_id, D(11), D(99), None)
    assert refused.value.reason is Reason.BALANCE
    assert order.quantity == 1
    assert floor.engine.amend(order.order_id, D(10), D(99), None).quantity == 10
