"""Bars of a live market are whole, in order, and asked for where the connection did not stand."""

from decimal import Decimal

import pytest

from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_SECOND, Bar, Trade
from neuratrade.feeds.live.minutes import MOST_MISSING, Minutes
from tests.unit.rehearsal.exchange import BTC

M, S = NS_PER_MINUTE, NS_PER_SECOND


class Venue:
    """Bars by their minute; asks: what was asked for."""

    def __init__(self, *minutes: int) -> None:
        self.known = list(minutes)
        self.asks: list[tuple[int, int]] = []

    async def history(self, instrument: Instrument, bars: int, before_ns: int) -> list[Bar]:
        self.asks.append((bars, before_ns // M))
        found = [bar_of(minute, 7) for minute in self.known if (minute + 1) * M <= before_ns]
        return found[-bars:]


def bar_of(minute: int, price: int) -> Bar:
    value = Decimal(price)
    return Bar(BTC.key, M, minute * M, value, value, value, value, Decimal(1))


def trade(minute: int, second: float, price: int) -> Trade:
    return Trade(BTC.key, minute * M + round(second * S), Decimal(price), Decimal(1))


async def test_a_minute_that_was_heard_whole_is_made_of_its_trades_and_nobody_is_asked() -> None:
    venue, minutes = Venue(), Minutes(BTC, 10 * M)
    minutes.opened(10 * M)
    for second, price in ((1, 5), (20, 9), (59, 6)):
        minutes.take(trade(10, second, price))
    (bar,) = await minutes.ended_by(11 * M, venue.history)
    assert bar == Bar(BTC.key, M, 10 * M, *map(Decimal, (5, 9, 5, 6, 3)))
    assert venue.asks == []


async def test_a_trade_of_the_next_minute_does_not_cost_the_bar() -> None:
    venue, minutes = Venue(), Minutes(BTC, 10 * M)
    minutes.opened(10 * M)
    minutes.take(trade(10, 1, 5))
    minutes.take(trade(11, 0.5, 8))
    assert [bar.open for bar in await minutes.ended_by(11 * M, venue.history)] == [5]
    assert [bar.open for bar in await minutes.ended_by(12 * M, venue.history)] == [8]


async def test_a_torn_minute_and_those_missed_before_are_asked_for_together() -> None:
    venue, minutes = Venue(8, 9, 10, 11, 12), Minutes(BTC, 9 * M)
    minutes.opened(12 * M + 30 * S)
    minutes.take(trade(12, 40, 99))
    bars = await minutes.ended_by(13 * M, venue.history)
    assert bars == [bar_of(minute, 7) for minute in (9, 10, 11, 12)]
    assert venue.asks == [(4, 13)]
    minutes.take(trade(13, 1, 5))
    assert [bar.close for bar in await minutes.ended_by(14 * M, venue.history)] == [5]
    assert len(venue.asks) == 1


async def test_a_connection_that_was_lost_tears_its_minute() -> None:
    venue, minutes = Venue(10), Minutes(BTC, 10 * M)
    minutes.opened(10 * M)
    minutes.take(trade(10, 1, 5))
    minutes.lost()
    minutes.take(trade(10, 30, 6))
    minutes.opened(10 * M + 40 * S)
    assert [bar.close for bar in await minutes.ended_by(11 * M, venue.history)] == [7]


async def test_a_bar_the_venue_does_not_have_yet_is_asked_for_once_more() -> None:
    venue, minutes = Venue(9), Minutes(BTC, 9 * M)
    minutes.opened(10 * M + 1)
    assert [bar.open_ns // M for bar in await minutes.ended_by(11 * M, venue.history)] == [9]
    venue.known.append(10)
    minutes.take(trade(11, 5, 3))
    bars = await minutes.ended_by(12 * M, venue.history)
    assert [bar.open_ns // M for bar in bars] == [10]
    venue.known.append(11)
    assert [bar.open_ns // M for bar in await minutes.ended_by(13 * M, venue.history)] == [11]


async def test_a_venue_that_fails_is_asked_again_for_all_of_it() -> None:
    minutes = Minutes(BTC, 9 * M)

    async def fails(instrument: Instrument, bars: int, before_ns: int) -> list[Bar]:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await minutes.ended_by(11 * M, fails)
    venue = Venue(9, 10, 11)
    assert [bar.open_ns // M for bar in await minutes.ended_by(12 * M, venue.history)] == [9, 10, 11]


async def test_a_minute_without_trades_has_no_bar_and_asks_nobody() -> None:
    venue, minutes = Venue(), Minutes(BTC, 10 * M)
    minutes.opened(10 * M)
    assert await minutes.ended_by(11 * M, venue.history) == []
    minutes.take(trade(11, 3, 4))
    assert [bar.close for bar in await minutes.ended_by(12 * M, venue.history)] == [4]
    assert venue.asks == []


async def test_no_more_is_asked_for_than_a_venue_can_be_expected_to_tell() -> None:
    venue, minutes = Venue(), Minutes(BTC, None)
    await minutes.ended_by(1_000_000 * M, venue.history)
    assert venue.asks == [(MOST_MISSING, 1_000_000)]
