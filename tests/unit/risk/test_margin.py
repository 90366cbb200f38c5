"""Where an isolated position is liquidated: the price at which its margin is what the venue wants kept."""

from decimal import Decimal
from fractions import Fraction

import pytest

from neuratrade.core.model.intent import Direction
from neuratrade.core.risk.margin import liquidation_price

D = Decimal


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("initial", ["0.01", "0.1", "0.5"])
@pytest.mark.parametrize("maintenance", ["0", "0.004", "0.05"])
def test_at_the_liquidation_price_the_margin_left_is_the_maintenance_margin(
    direction: Direction, initial: str, maintenance: str
) -> None:
    price = liquidation_price(D("64213.57"), direction, D(initial), D(maintenance))
    assert price is not None
    entry = Fraction("64213.57")
    left = Fraction(initial) * entry + direction.sign * (Fraction(price) - entry)
    assert abs(left - Fraction(maintenance) * Fraction(price)) < Fraction(1, 10**18)


def test_ten_times_leverage_is_liquidated_a_little_before_a_tenth() -> None:
    assert liquidation_price(D(100), Direction.LONG, D("0.1"), D("0.01")) == D(90) / D("0.99")
    assert liquidation_price(D(100), Direction.SHORT, D("0.1"), D("0.01")) == D(110) / D("1.01")


def test_a_long_that_is_paid_in_full_is_never_liquidated() -> None:
    assert liquidation_price(D(100), Direction.LONG, D(1), D("0.01")) is None
    assert liquidation_price(D(100), Direction.SHORT, D(1), D(0)) == 200


@pytest.mark.parametrize(("initial", "kept"), [("0", "0"), ("1.01", "0"), ("0.1", "1"), ("0.1", "-0.01")])
def test_margins_that_are_no_fractions_are_refused(initial: str, kept: str) -> None:
    with pytest.raises(ValueError, match="margins are fractions of notional"):
        liquidation_price(D(100), Direction.LONG, D(initial), D(kept))
