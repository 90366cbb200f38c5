"""Ends and rolls of futures contracts as instants."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from neuratrade.core.model.futures import PRODUCTS, Contract, instrument_of
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.feeds.calendars import TradingCalendar
from neuratrade.feeds.contracts import flat_by_ns, front_contracts, roll_from_ns, rolls_of

TODAY = date(2026, 11, 22)


def at(ns: int) -> str:
    return datetime.fromtimestamp(ns / NS_PER_SECOND, UTC).isoformat()


def future(contract: Contract, venue: str = "tradovate") -> Instrument:
    margin = Decimal("0.06")
    return instrument_of(
        contract, venue, commission=Decimal("2.25"), initial_margin=margin, maintenance_margin=margin
    )


def test_an_index_contract_is_flat_an_hour_before_the_close_on_the_day_before_it_expires() -> None:
    assert at(flat_by_ns(Contract("ES", 2026, 12))) == "2026-12-17T21:00:00+00:00"
    assert at(roll_from_ns(Contract("ES", 2026, 12))) == "2026-12-13T23:00:00+00:00"


def test_gold_is_flat_two_business_days_before_anybody_can_be_given_notice() -> None:
    # First notice is Monday 30 November 2026; Thursday is Thanksgiving.
    assert at(flat_by_ns(Contract("GC", 2026, 12))) == "2026-11-25T21:00:00+00:00"
    assert at(roll_from_ns(Contract("GC", 2026, 12))) == "2026-11-22T23:00:00+00:00"


def test_both_happen_while_the_market_is_open_for_every_contract_to_come() -> None:
    for code, product in PRODUCTS.items():
        calendar = TradingCalendar(product.calendar)
        contract, _ = front_contracts(code, date(2015, 1, 5))
        while contract.year < 2035:
            assert calendar.is_open(flat_by_ns(contract)), contract
            assert calendar.is_open(roll_from_ns(contract)), contract
            assert roll_from_ns(contract) < flat_by_ns(contract)
            contract = contract.next()


def test_the_next_contract_is_still_far_from_its_own_end_when_it_is_rolled_into() -> None:
    contract = Contract("GC", 2026, 2)
    while contract.year < 2034:
        month_ns = int(timedelta(days=20).total_seconds()) * NS_PER_SECOND
        assert roll_from_ns(contract.next()) - roll_from_ns(contract) > month_ns
        contract = contract.next()


def test_a_contract_is_rolled_where_its_successor_is_traded_too() -> None:
    front, following = front_contracts("ES", TODAY)
    other = Contract("NQ", 2026, 12)
    found = rolls_of([future(front), future(following), future(other)], TODAY)
    assert list(found) == ["ESZ6@tradovate"]
    assert found["ESZ6@tradovate"].successor == "ESH7@tradovate"
    assert found["ESZ6@tradovate"].from_ns == roll_from_ns(front)


def test_contracts_of_two_venues_are_not_mixed() -> None:
    front, following = front_contracts("ES", TODAY)
    assert rolls_of([future(front), future(following, "elsewhere")], TODAY) == {}
