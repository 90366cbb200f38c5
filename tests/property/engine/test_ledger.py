"""The ledger: whatever is filled in whatever order, equity is the sum of what happened."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from neuratrade.core.engine.ledger import book_fill
from neuratrade.core.engine.state import AccountState
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import Direction
from neuratrade.core.model.orders import Fill, Liquidity, Side
from tests.simulation.invariants import check_ledger
from tests.simulation.world import ACCOUNT, CASH, FUTURE, INSTRUMENTS, PERP, SPOT, D

amounts = st.integers(1, 10**6).map(lambda lots: D(lots) / 1000)
prices = st.integers(1, 10**7).map(lambda ticks: D(ticks) / 100)
executions = st.lists(
    st.tuples(st.sampled_from([PERP, SPOT, FUTURE]), st.sampled_from(Side), amounts, prices), max_size=40
)


def booked(rows: list[tuple[Instrument, Side, Decimal, Decimal]]) -> tuple[AccountState, list[Fill]]:
    account = AccountState(ACCOUNT, {"USDT": CASH}, positions={}, hour_peaks=[], lanes={})
    fills = []
    for number, (contract, side, quantity, price) in enumerate(rows):
        in_base = contract.fee_in_base and side is Side.BUY
        fee = (quantity if in_base else contract.notional(quantity, price)) / 1000
        currency = contract.base if in_base else contract.quote
        taker = Liquidity.TAKER
        fill = Fill(
            f"t{number}", "c", "paper", contract.key, side, quantity, price, fee, currency, taker, number
        )
        book_fill(account, contract, fill, Direction.LONG)
        fills.append(fill)
    return account, fills


def money_of(fill: Fill) -> Fraction:
    return -fill.side.sign * Fraction(fill.quantity) * Fraction(fill.price) - Fraction(fill.fee)


@given(executions, prices)
def test_equity_is_cash_and_every_fills_money_and_what_is_held(
    rows: list[tuple[Instrument, Side, Decimal, Decimal]], mark: Decimal
) -> None:
    account, fills = booked(rows)
    check_ledger(account, INSTRUMENTS, CASH, fills, mark)


@given(executions)
def test_a_position_that_is_flat_has_no_cost_and_its_profit_is_in_the_balance(
    rows: list[tuple[Instrument, Side, Decimal, Decimal]],
) -> None:
    perps = [row for row in rows if row[0] is PERP]
    account, fills = booked(perps)
    position = account.positions.get(PERP.key)
    if position is None or position.quantity == 0:
        flows = sum(
            (
                -fill.side.sign * Fraction(fill.quantity) * Fraction(fill.price) - Fraction(fill.fee)
                for fill in fills
            ),
            Fraction(0),
        )
        error = abs(Fraction(account.balances["USDT"]) - Fraction(CASH) - flows)
        assert error <= Fraction(1, 10**12) * max(abs(flows), Fraction(1))
        assert position is None or position.cost == 0
