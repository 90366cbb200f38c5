"""Coded prices are exact, whatever their unit; what cannot be one is refused."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from neuratrade.feeds.barchart.ddf_messages import Unreadable
from neuratrade.feeds.barchart.ddf_prices import DECIMALS, FRACTIONS, price, size
from neuratrade.rehearsal.jerq_words import coded

D = Decimal


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("1257", "2", "125.875"), ("11015", "3", "110.9375"), ("11031", "4", "110.96875"),
        ("11063", "5", "110.984375"), ("110127", "6", "110.9921875"), ("110255", "7", "110.99609375"),
        ("5", "2", "0.625"), ("-1104", "2", "-110.5"), ("690025", "8", "690025"), ("25003", "9", "2500.3"),
        ("690025", "A", "6900.25"), ("3", "A", "0.03"), ("-3725", "A", "-37.25"),
        ("1085432", "D", "10.85432"),
        ("12345678", "F", "1.2345678"), ("6900.5", "2", "6900.5"), (".5", "A", "0.5"), ("-7.", "8", "-7"),
    ],
)  # fmt: skip
def test_a_price_is_what_its_unit_says(text: str, unit: str, expected: str) -> None:
    assert price(text, unit) == D(expected)


def test_nothing_told_is_not_the_same_as_nothing_there() -> None:
    assert price("", "A") is UNSET
    assert price("-", "A") is None
    assert size("") is UNSET
    assert size("-") is None


@pytest.mark.parametrize(
    "text", ["1e9", "NaN", "Infinity", "--1", "1.2.3", "+5", " 5", "٣", "0x1", "9" * 40, "."]
)
def test_what_is_no_number_is_no_price(text: str) -> None:
    with pytest.raises(Unreadable):
        price(text, "A")


@pytest.mark.parametrize(("text", "unit"), [("119", "2"), ("1132", "4"), ("110256", "7")])
def test_a_fraction_of_more_than_a_whole_is_refused(text: str, unit: str) -> None:
    with pytest.raises(Unreadable):
        price(text, unit)


@pytest.mark.parametrize("unit", ["1", "0", "G", "a", "Z", "", "é"])
def test_a_unit_that_is_unknown_is_never_guessed(unit: str) -> None:
    with pytest.raises(Unreadable):
        price("690025", unit)


@given(st.sampled_from([*FRACTIONS, *DECIMALS]), st.integers(-(10**9), 10**9))
def test_whatever_can_be_coded_comes_back_to_the_last_digit(unit: str, steps: int) -> None:
    grid = D(1) / FRACTIONS[unit][1] if unit in FRACTIONS else D(1).scaleb(-DECIMALS[unit])
    assert price(coded(grid * steps, unit), unit) == grid * steps
