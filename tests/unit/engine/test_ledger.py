"""The ledger lot by lot: what a fee in kind takes, and what becomes of a holding that another takes over."""

from decimal import Decimal

import pytest

from neuratrade.core.engine.ledger import book_fill, take_over
from neuratrade.core.engine.state import AccountState
from neuratrade.core.model.account import Lot, Position
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import Direction
from neuratrade.core.model.orders import Fill, Liquidity, Side
from tests.simulation.world import ACCOUNT, FUTURE, SPOT, D


def empty() -> AccountState:
    return AccountState(ACCOUNT, {"USDT": D(1000)}, positions={}, hour_peaks=[], lanes={})


def holding(*lots: tuple[int | str, int | str], realised: int = 0) -> Position:
    """A position of (quantity, price) lots, oldest first."""
    kept = [Lot(D(quantity), D(price), at) for at, (quantity, price) in enumerate(lots)]
    return Position(sum((lot.quantity for lot in kept), D(0)), lots=kept, realised=D(realised))


def lots(position: Position) -> list[tuple[Decimal, Decimal]]:
    return [(lot.quantity, lot.price) for lot in position.lots]


def trade(
    account: AccountState,
    item: Instrument,
    side: Side,
    quantity: int | str,
    price: int | str,
    fee: int | str = 0,
    currency: str = "USDT",
) -> Position:
    """Books one execution; the position after it."""
    fill = Fill(
        "t", "c", "paper", item.key, side, D(quantity), D(price), D(fee), currency, Liquidity.TAKER, 7
    )
    book_fill(account, item, fill, Direction.LONG)
    return account.positions[item.key]


# fees in kind


def test_a_fee_in_kind_comes_off_what_was_just_bought() -> None:
    account = empty()
    trade(account, SPOT, Side.BUY, 2, 100)
    position = trade(account, SPOT, Side.BUY, 3, 110, "0.5", "ETH")
    assert lots(position) == [(D(2), D(100)), (D("2.5"), D(110))]
    assert position.quantity == account.balances["ETH"] == D("4.5")


def test_a_fee_in_kind_that_is_more_than_was_just_bought_comes_off_what_was_bought_before_it() -> None:
    account = empty()
    trade(account, SPOT, Side.BUY, 2, 100)
    position = trade(account, SPOT, Side.BUY, 1, 110, "1.5", "ETH")
    assert lots(position) == [(D("1.5"), D(100))]
    assert position.quantity == D("1.5")


def test_a_fee_in_kind_that_takes_all_there_is_leaves_no_lot() -> None:
    account = empty()
    position = trade(account, SPOT, Side.BUY, 1, 100, 1, "ETH")
    assert (lots(position), position.quantity) == ([], D(0))


def test_a_fee_in_kind_beyond_all_there_is_is_owed() -> None:
    account = empty()
    position = trade(account, SPOT, Side.BUY, 1, 100, "1.25", "ETH")
    assert (lots(position), position.quantity) == ([(D("-0.25"), D(0))], D("-0.25"))


def test_a_fee_in_kind_on_what_is_short_makes_it_shorter_and_touches_no_lot_that_was_sold() -> None:
    account = empty()
    position = trade(account, SPOT, Side.SELL, 2, 100, "0.5", "ETH")
    assert lots(position) == [(D(-2), D(100)), (D("-0.5"), D(0))]


def test_a_fee_of_a_derivative_comes_off_the_money_whatever_its_currency_is_called() -> None:
    account = empty()
    position = trade(account, FUTURE, Side.BUY, 2, 100, "0.5", "ES")
    assert lots(position) == [(D(2), D(100))]
    assert account.balances["ES"] == D("-0.5")


# one holding takes over another


def test_what_is_taken_over_where_nothing_is_held_stays_as_it_is() -> None:
    account, moved = empty(), holding((2, 100), (1, 110), realised=5)
    take_over(account, FUTURE, "new", moved)
    assert account.positions == {"new": moved}
    assert account.balances == {"USDT": D(1000)}


def test_what_is_taken_over_on_the_same_side_stands_behind_what_was_there_and_earns_nothing() -> None:
    account = empty()
    account.positions["new"] = holding((1, 90), realised=3)
    take_over(account, FUTURE, "new", holding((2, 100), (1, 110), realised=5))
    kept = account.positions["new"]
    assert lots(kept) == [(D(1), D(90)), (D(2), D(100)), (D(1), D(110))]
    assert (kept.quantity, kept.realised) == (D(4), D(8))
    assert account.balances["USDT"] == 1000


@pytest.mark.parametrize("item", [FUTURE, SPOT])
def test_opposite_holdings_close_each_other_oldest_first_and_only_a_derivative_pays_what_that_earned(
    item: Instrument,
) -> None:
    account = empty()
    account.positions["new"] = holding((-2, 120), (-2, 115), realised=3)
    take_over(account, item, "new", holding((1, 100), (2, "107.5"), realised=5))
    kept = account.positions["new"]
    # The one of 100 and one of 107.5 close the two of 120, the other of 107.5 closes one of 115.
    earned = (D(20) + D("12.5") + D("7.5")) * item.multiplier
    assert lots(kept) == [(D(-1), D(115))]
    assert (kept.quantity, kept.realised) == (D(-1), 3 + 5 + earned)
    assert account.balances["USDT"] == 1000 + (earned if item.is_derivative else 0)
