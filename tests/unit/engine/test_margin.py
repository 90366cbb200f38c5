"""Margin of an account: what positions tie up together, and where a position or an entry is liquidated."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from neuratrade.core.engine.judging import gate_view
from neuratrade.core.engine.margin import liquidation_of_entry, liquidation_of_position, maintenance_needed
from neuratrade.core.engine.state import AccountState
from neuratrade.core.model.account import Lot, MarginMode, Position
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import Direction, OpenIntent
from neuratrade.core.risk.view import AccountView
from tests.simulation.hand import Hand
from tests.simulation.world import ACCOUNT, FUTURE, PERP, D, intent

KEPT = replace(PERP, maintenance_margin=D("0.02"))
BIG = replace(FUTURE, maintenance_margin=D("0.03"))
EURO = replace(KEPT, asset="DAX/EUR", base="DAX", quote="EUR", multiplier=D(10))
CONTRACTS = {item.key: item for item in (KEPT, BIG, EURO)}


def account(
    cash: D | int | str, margin: MarginMode = MarginMode.CROSS, **held: tuple[D | int | str, D | int | str]
) -> AccountState:
    """An account with positions: quantity and price by the base of their contract."""
    keys = {item.base: item.key for item in CONTRACTS.values()}
    positions = {
        keys[base]: Position(D(quantity), lots=[Lot(D(quantity), D(price))])
        for base, (quantity, price) in held.items()
    }
    return AccountState(replace(ACCOUNT, margin=margin), {"USDT": D(cash)}, positions=positions)


# what has to be kept


def test_what_has_to_be_kept_is_the_maintenance_share_of_every_position_in_the_accounts_currency() -> None:
    held = account(1000, BTC=("-2", 100), ES=(3, 200), DAX=("0.5", 80))
    prices = {PERP.key: D(110), FUTURE.key: D(190), EURO.key: D(90)}
    needed = maintenance_needed(held, CONTRACTS, prices, {"EUR": D("1.1")})
    perp, future, euro = 2 * 110 * D("0.02"), 3 * 190 * 50 * D("0.03"), D("0.5") * 90 * 10 * D("0.02")
    assert needed == perp + future + euro * D("1.1")


def test_a_price_of_one_side_goes_before_the_price_of_its_instrument() -> None:
    held = account(1000)
    held.positions[f"{PERP.key}/LONG"] = Position(D(2), lots=[Lot(D(2), D(100))])
    prices = {PERP.key: D(100), f"{PERP.key}/LONG": D(200)}
    assert maintenance_needed(held, CONTRACTS, prices, {}) == 2 * 200 * D("0.02")


def test_without_a_price_or_a_rate_nobody_knows_what_has_to_be_kept() -> None:
    assert maintenance_needed(account(1000, BTC=(1, 100)), CONTRACTS, {}, {}) is None
    assert maintenance_needed(account(1000, DAX=(1, 100)), CONTRACTS, {EURO.key: D(100)}, {}) is None


def test_what_is_flat_unknown_or_paid_in_full_has_nothing_to_be_kept_and_hides_no_other() -> None:
    held = account(1000, BTC=(0, 100), ES=(1, 100))
    held.positions = {"GONE@test": Position(D(1), lots=[Lot(D(1), D(1))]), **held.positions}
    assert maintenance_needed(held, CONTRACTS, {FUTURE.key: D(100)}, {}) == 100 * 50 * D("0.03")
    assert maintenance_needed(held, {FUTURE.key: FUTURE}, {FUTURE.key: D(100)}, {}) == 0


# positions


@pytest.mark.parametrize("quantity", ["0.5", "1", "-0.5"])
def test_an_isolated_position_of_any_size_is_liquidated_on_its_losing_side(quantity: str) -> None:
    held = account(1000, MarginMode.ISOLATED, BTC=(quantity, 100))
    at = D(95) / D("0.98") if D(quantity) > 0 else D(105) / D("1.02")
    assert liquidation_of_position(held, CONTRACTS, PERP.key) == at


@pytest.mark.parametrize("quantity", [7, -7])
def test_with_cross_margin_other_positions_and_other_currencies_count(quantity: int) -> None:
    held = account(2000, DAX=(quantity, 100), ES=(-1, 100))
    prices, rates = {EURO.key: D(100), FUTURE.key: D(104)}, {"EUR": D("1.25")}
    level = liquidation_of_position(held, CONTRACTS, EURO.key, prices, rates)
    assert level is not None
    # Of 2000, 200 are lost on the future; the rest, with what the move makes, is all that has to be kept.
    equity = D(1800) + quantity * 10 * (level - 100) * D("1.25")
    kept = 104 * 50 * D("0.03") + 7 * 10 * level * D("1.25") * D("0.02")
    assert abs(equity - kept) < Decimal("1e-18")


def test_a_position_without_a_price_is_taken_at_its_cost() -> None:
    held = account(100, BTC=(2, 100))
    # 100 + 2 (P - 100) = 0.02 * 2 P
    assert liquidation_of_position(held, CONTRACTS, PERP.key) == D(100) / D("1.96")


def test_what_no_price_above_zero_liquidates_has_no_liquidation_price() -> None:
    assert liquidation_of_position(account(200, BTC=(2, 100)), CONTRACTS, PERP.key) is None
    assert liquidation_of_position(account(201, BTC=(2, 100)), CONTRACTS, PERP.key) is None


def test_of_what_is_not_held_not_known_or_not_convertible_nothing_is_said() -> None:
    assert liquidation_of_position(account(100), CONTRACTS, PERP.key) is None
    assert liquidation_of_position(account(100, BTC=(0, 100)), CONTRACTS, PERP.key) is None
    assert liquidation_of_position(account(100, BTC=(2, 100)), {}, PERP.key) is None
    assert liquidation_of_position(account(100, DAX=(2, 100)), CONTRACTS, EURO.key) is None


# entries


def view(
    equity: D | int | str | None, gross: D | int | str = 0, margin: MarginMode = MarginMode.CROSS
) -> AccountView:
    hand = Hand()
    seen = gate_view(hand.state, intent(), hand.engine.config, hand.engine.markets, hand.now_ns).account
    assert seen is not None
    return replace(
        seen,
        account=replace(ACCOUNT, margin=margin),
        equity=None if equity is None else D(equity),
        gross_notional=D(gross),
    )


def entry(quantity: D | int | str | None, direction: Direction = Direction.LONG) -> OpenIntent:
    stop = 95 if direction is Direction.LONG else 105
    asked = intent(direction=direction, stop=stop, targets=())
    return replace(asked, quantity=None if quantity is None else D(quantity))


def liquidated_at(
    asked: OpenIntent, seen: AccountView, rate: D | int | str = 1, contract: Instrument = KEPT
) -> Decimal | None:
    return liquidation_of_entry(asked, contract, seen, D(rate), D(2))


def test_an_entry_with_isolated_margin_answers_for_itself() -> None:
    seen = view(None, margin=MarginMode.ISOLATED)
    assert liquidated_at(entry(1), seen) == D(95) / D("0.98")
    assert liquidated_at(entry(1, Direction.SHORT), seen) == D(105) / D("1.02")


def test_an_entry_with_cross_margin_is_backed_by_equity_over_all_that_is_held_with_it() -> None:
    # 500 over a notional of 800, of which 300 are held already: margin 0.625.
    assert liquidated_at(entry(5), view(500, 300)) == D("37.5") / D("0.98")
    assert liquidated_at(entry(5, Direction.SHORT), view(500, 300)) == D("162.5") / D("1.02")


def test_the_notional_of_an_entry_counts_in_the_accounts_currency() -> None:
    assert liquidated_at(entry(5), view(500), rate="1.25") == D(20) / D("0.98")


def test_no_more_is_entered_than_the_leverage_allows() -> None:
    assert liquidated_at(entry(50), view(500)) == liquidated_at(entry(10), view(500)) == D(50) / D("0.98")
    assert liquidated_at(entry(None), view(500)) == D(50) / D("0.98")


def test_what_is_held_already_counts_also_where_it_is_beyond_the_leverage() -> None:
    assert liquidated_at(entry(1), view(500, 2000)) == D(75) / D("0.98")


def test_what_equity_pays_in_full_is_never_liquidated_as_a_long_and_at_double_as_a_short() -> None:
    assert liquidated_at(entry(4), view(500)) is None
    assert liquidated_at(entry(5), view(500)) is None
    assert liquidated_at(entry(4, Direction.SHORT), view(500)) == D(200) / D("1.02")


@pytest.mark.parametrize("equity", [None, 0, -5])
def test_without_equity_nothing_is_said_of_an_entry(equity: int | None) -> None:
    assert liquidated_at(entry(1), view(equity)) is None


def test_an_entry_in_a_contract_that_nobody_liquidates_has_no_liquidation_price() -> None:
    assert liquidated_at(entry(1), view(500), contract=PERP) is None


def test_a_liquidation_price_may_be_however_small() -> None:
    assert liquidation_of_position(account(199, BTC=(2, 100)), CONTRACTS, PERP.key) == D(1) / D("1.96")


def test_however_little_equity_there_is_an_entry_is_backed_by_it() -> None:
    assert liquidated_at(entry("0.01"), view("0.5")) == D(50) / D("0.98")
