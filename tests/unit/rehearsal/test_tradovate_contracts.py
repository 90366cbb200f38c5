"""The contracts a simulated Tradovate lists: names, months, expiries, and which is in front."""

from datetime import date

import pytest

from neuratrade.rehearsal.tradovate_contracts import Contracts
from tests.contract.rehearsal.tradovate_world import BEGIN_NS, ES, GC, future

DAY_NS = 86_400 * 1_000_000_000


def test_the_months_that_follow_are_those_of_the_product() -> None:
    contracts = Contracts([ES, GC], 2026)
    assert [item.name for item in contracts.listed.values()] == [
        "ESZ6", "ESH7", "ESM7", "ESU7", "GCZ6", "GCG7", "GCJ7", "GCM7",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "expires", "intent"),
    [
        ("ESZ6", date(2026, 12, 18), None),
        ("ESH7", date(2027, 3, 19), None),
        ("NQM7", date(2027, 6, 18), None),
        ("GCZ6", date(2026, 12, 29), date(2026, 11, 30)),
        ("GCG7", date(2027, 2, 24), date(2027, 1, 29)),
    ],
)
def test_cash_settles_on_a_third_friday_and_gold_is_delivered(
    name: str, expires: date, intent: date | None
) -> None:
    found = Contracts([future(name, "0.25", 50)], 2026).find(name)
    assert found is not None
    assert (found.expires, found.first_intent) == (expires, intent)


def test_front_is_the_first_that_has_not_expired() -> None:
    contracts = Contracts([ES], 2026)
    before = [row["isFront"] for row in contracts.maturities(BEGIN_NS)]
    after = [row["isFront"] for row in contracts.maturities(BEGIN_NS + 30 * DAY_NS)]
    assert (before, after) == ([True, False, False, False], [False, True, False, False])


def test_two_months_of_a_product_may_be_traded_at_once() -> None:
    contracts = Contracts([ES, future("ESH7", "0.25", 50)], 2026)
    traded = {item.name for item in contracts.listed.values() if item.instrument is not None}
    assert traded == {"ESZ6", "ESH7"}
    assert contracts.roots == ["ES"]
    assert len({item.number for item in contracts.listed.values()}) == len(contracts.listed)


@pytest.mark.parametrize(
    ("forward", "if_expired", "today", "name"),
    [
        (True, False, date(2026, 11, 23), "ESH7"),
        (True, True, date(2026, 12, 18), "ESZ6"),
        (True, True, date(2026, 12, 19), "ESH7"),
        (False, False, date(2026, 11, 23), None),
    ],
)
def test_a_roll_goes_on_by_a_month_where_it_is_wanted(
    forward: bool, if_expired: bool, today: date, name: str | None
) -> None:
    row = Contracts([ES], 2026).roll("ESZ6", forward=forward, if_expired=if_expired, today=today)
    assert (row and row["name"]) == name
