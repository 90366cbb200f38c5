"""Names, front months and ends of futures contracts, against what the exchange lists."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.futures import (
    PRODUCTS,
    Contract,
    contract_of,
    first_notice_day,
    flat_by,
    front_month,
    last_trading_day,
    roll_day,
)
from neuratrade.feeds.calendars import is_business_day

TODAY = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        ("ESZ6", Contract("ES", 2026, 12)),
        ("ESZ26", Contract("ES", 2026, 12)),
        ("esh7", Contract("ES", 2027, 3)),
        ("MNQU6", Contract("MNQ", 2026, 9)),
        ("GCG7", Contract("GC", 2027, 2)),
        ("ESZ5", Contract("ES", 2025, 12)),
        ("ESH4", Contract("ES", 2034, 3)),
    ],
)
def test_a_symbol_names_one_contract(symbol: str, expected: Contract) -> None:
    assert contract_of(symbol, TODAY) == expected


@pytest.mark.parametrize("symbol", ["", "ES", "ESA6", "ES6", "CLZ6", "ESZ126", "ESZ", "6ES", "ESZ6 ", "ÉSZ6"])
def test_what_names_no_contract_is_refused_with_the_products_there_are(symbol: str) -> None:
    with pytest.raises(UsageError, match="ES"):
        contract_of(symbol, TODAY)


@given(
    code=st.sampled_from(sorted(PRODUCTS)),
    year=st.integers(2021, 2034),
    month=st.integers(1, 12),
)
def test_both_spellings_are_read_back(code: str, year: int, month: int) -> None:
    contract = Contract(code, year, month)
    assert contract_of(contract.long_symbol, TODAY) == contract
    if year >= 2025:
        assert contract_of(contract.symbol, TODAY) == contract


@pytest.mark.parametrize(
    ("symbol", "last"),
    [
        # As listed by the exchange.
        ("ESZ25", date(2025, 12, 19)),
        ("ESH26", date(2026, 3, 20)),
        ("ESM26", date(2026, 6, 18)),  # the third Friday is a holiday
        ("NQU26", date(2026, 9, 18)),
        ("GCZ25", date(2025, 12, 29)),
        ("GCG26", date(2026, 2, 25)),
    ],
)
def test_contracts_end_when_the_exchange_says(symbol: str, last: date) -> None:
    assert last_trading_day(contract_of(symbol, TODAY), is_business_day) == last


@pytest.mark.parametrize(
    ("symbol", "notice"), [("GCZ25", date(2025, 11, 28)), ("GCG26", date(2026, 1, 30)), ("ESZ26", None)]
)
def test_first_notice_is_the_last_business_day_before_delivery(symbol: str, notice: date | None) -> None:
    assert first_notice_day(contract_of(symbol, TODAY), is_business_day) == notice


def test_the_front_month_of_each_day_rolls_before_it_has_to_be_flat() -> None:
    day = date(2020, 1, 1)
    while day < date(2034, 1, 1):
        for code in ("ES", "GC"):
            contract = front_month(code, day, is_business_day)
            assert day < roll_day(contract, is_business_day) <= flat_by(contract, is_business_day)
            notice = first_notice_day(contract, is_business_day)
            assert notice is None or flat_by(contract, is_business_day) < notice
            assert flat_by(contract, is_business_day) < last_trading_day(contract, is_business_day)
        day += timedelta(11)


def test_the_front_month_moves_on_its_roll_day() -> None:
    assert front_month("ES", date(2026, 12, 11), is_business_day).symbol == "ESZ6"
    assert front_month("ES", date(2026, 12, 14), is_business_day).symbol == "ESH7"
    assert front_month("GC", date(2026, 11, 22), is_business_day).symbol == "GCZ6"
    assert front_month("GC", date(2026, 11, 24), is_business_day).symbol == "GCG7"


def test_an_unknown_product_has_no_front_month() -> None:
    with pytest.raises(UsageError, match="product"):
        front_month("CL", TODAY, is_business_day)
