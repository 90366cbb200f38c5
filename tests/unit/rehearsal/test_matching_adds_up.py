"""Whatever is asked of the exchange, in whatever market, its books add up to the executions it tells of."""

from collections import defaultdict
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from neuratrade.core.model.decimals import ZERO, is_multiple
from neuratrade.core.model.orders import OrderType, Side, TimeInForce
from neuratrade.rehearsal.orders import Execution, Rejected, Status, Ticket
from tests.unit.rehearsal.exchange import BTC, PERP, D, Floor

START = {"USD": D(1000), "BTC": D(3), "USDT": D(500)}
prices = st.integers(9_900, 10_100).map(lambda cents: D(cents) / 100)
quotes = st.tuples(st.just("quote"), prices, st.integers(0, 50), st.integers(0, 3000))
orders = st.tuples(
    st.just("place"),
    st.builds(
        Ticket,
        client_id=st.integers(0, 40).map(str),
        symbol=st.sampled_from([BTC.key, PERP.key]),
        side=st.sampled_from(Side),
        order_type=st.just(OrderType.LIMIT),
        quantity=st.integers(1, 4000).map(lambda units: D(units) / 1000),
        limit_price=st.none() | prices.map(lambda price: round(price, 1)),
        stop_price=st.none() | prices.map(lambda price: round(price, 1)),
        time_in_force=st.sampled_from([TimeInForce.GTC, TimeInForce.IOC]),
        reduce_only=st.booleans(),
    ),
)
changes = st.tuples(st.sampled_from(["cancel", "amend"]), st.integers(0, 60), st.integers(1, 4000), prices)
acts = st.lists(quotes | orders | orders | changes, min_size=5, max_size=60)


def perform(floor: Floor, act: tuple[object, ...]) -> None:
    engine = floor.engine
    try:
        match act:
            case ("quote", Decimal() as bid, int(cents), int(size)):
                for contract in (BTC, PERP):
                    at = [str(round(price, 1)) for price in (bid, bid + D(cents) / 100)]
                    floor.quote(at[0], at[1], str(D(size) / 1000), contract.key)
            case ("place", Ticket() as ticket):
                engine.place(ticket)
            case ("cancel", int(number), *_):
                engine.cancel(number)
            case ("amend", int(number), int(units), Decimal() as price):
                order = engine.orders.get(number)
                stop = None if order is None or order.stop_price is None else round(price, 1)
                limit = None if order is None or order.limit_price is None else round(price, 1)
                engine.amend(number, D(units) / 1000, limit, stop)
            case _:
                raise AssertionError(act)
    except Rejected:
        pass


def owned_after(executions: list[Execution]) -> dict[str, Decimal]:
    """What the owned things and their money must come to."""
    found = defaultdict(lambda: ZERO, START)
    for done in executions:
        if done.symbol == BTC.key:
            found["BTC"] += done.quantity * done.side.sign
            found["USD"] -= done.quantity * done.side.sign * done.price
            found[done.fee_currency] -= done.fee
    return found


@given(acts)
def test_books_add_up_over_any_orders_and_quotes(performed: list[tuple[object, ...]]) -> None:
    floor = Floor(BTC, PERP, balances=START)
    engine, account = floor.engine, floor.engine.account
    for act in performed:
        perform(floor, act)
        assert account.balances["BTC"] >= 0
        assert engine.free("BTC") >= 0

    expected = owned_after(engine.executions)
    assert {name: account.balances[name] for name in ("BTC", "USD")} == {
        name: expected[name] for name in ("BTC", "USD")
    }
    margined = [done for done in engine.executions if done.symbol == PERP.key]
    held = sum((done.quantity * done.side.sign for done in margined), ZERO)
    assert account.position(PERP.key) == held
    paid = sum((done.quantity * done.side.sign * done.price + done.fee for done in margined), ZERO)
    entry = account.positions[PERP.key].entry_price if margined else ZERO
    # Entry prices are means of 28 digits.
    assert abs(account.balances["USDT"] - (START["USDT"] - paid + held * entry)) < D("1e-18")


@given(acts)
def test_every_order_and_execution_is_what_it_may_be(performed: list[tuple[object, ...]]) -> None:
    floor = Floor(BTC, PERP, balances=START)
    for act in performed:
        before = floor.engine.account.position(PERP.key)
        seen = len(floor.engine.executions)
        perform(floor, act)
        if act[0] == "place" and isinstance(act[1], Ticket) and act[1].reduce_only:
            after = floor.engine.account.position(PERP.key)
            assert before * after >= 0
            assert abs(after) <= abs(before) or len(floor.engine.executions) == seen
    numbers = [done.number for done in floor.engine.executions]
    assert numbers == sorted(set(numbers))
    for order in floor.engine.orders.values():
        contract = floor.engine.contracts[order.ticket.symbol]
        assert order.filled == sum((done.quantity for done in order.executions), ZERO)
        assert order.value == sum((done.quantity * done.price for done in order.executions), ZERO)
        assert order.filled <= order.quantity
        assert (order.remaining == 0) is (order.status is Status.FILLED)
        if order.executions:
            assert order.executions[-1].total == order.filled
        if order.is_live:
            assert order.limit_price is not None or order.is_conditional
            assert order.ticket.time_in_force is TimeInForce.GTC or order.is_conditional
        for done in order.executions:
            assert is_multiple(done.quantity, contract.lot)
    told = [change.execution for change in floor.told if change.execution is not None]
    assert told == floor.engine.executions
