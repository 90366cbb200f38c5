"""What a desk was told of prices is kept as it was told, and its deeds are counted by when they were done."""

from decimal import Decimal

import pytest

from neuratrade.core.model.events import FeedStalled
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_SECOND, Bar, Quote, Trade
from neuratrade.rehearsal.heard import Heard
from tests.unit.rehearsal.exchange import BEGIN_NS, BTC, ETH, D

S = NS_PER_SECOND


def quote(at_s: float, key: str = BTC.key) -> Quote:
    return Quote(key, BEGIN_NS + round(at_s * S), D(100), D(101), D(1), D(1))


def stalled(at_s: float, key: str = BTC.key, *, stalls: bool = True) -> tuple[FeedStalled, int]:
    at_ns = BEGIN_NS + round(at_s * S)
    return FeedStalled(at_ns, key, stalls), at_ns


def test_the_newest_price_is_as_old_as_it_was_told() -> None:
    heard = Heard(BTC.key)
    assert heard.price_age_ns(BEGIN_NS) is None
    close_ns = BEGIN_NS + 40 * S
    price = Decimal(100)
    heard.take_history(
        [Bar(BTC.key, NS_PER_MINUTE, BEGIN_NS - NS_PER_MINUTE, price, price, price, price, price)]
    )
    heard.take(quote(10), BEGIN_NS + 10 * S)
    heard.take(quote(20, ETH.key), BEGIN_NS + 20 * S)
    heard.take(Trade(BTC.key, BEGIN_NS + 30 * S, D(100), D(1)), BEGIN_NS + 30 * S)
    late = Bar(BTC.key, NS_PER_MINUTE, close_ns - NS_PER_MINUTE, price, price, price, price, price)
    heard.take([late], BEGIN_NS + 41 * S)
    ages = [heard.price_age_ns(BEGIN_NS + at_s * S) for at_s in (-1, 0, 9, 10, 29, 30, 39, 45)]
    assert ages == [None, 0, 9 * S, 0, 19 * S, 0, 9 * S, 5 * S]
    assert heard.counts == {"quotes": 1, "trades": 1, "bars": 1}


def test_a_stall_lasts_from_its_first_word_to_the_first_that_ends_it() -> None:
    heard = Heard(BTC.key)
    for word in (
        stalled(5, stalls=False),
        stalled(10),
        stalled(12),
        stalled(13, ETH.key, stalls=False),
        stalled(20, stalls=False),
        stalled(30),
    ):
        heard.take(*word)
    seen = [heard.is_stalled(BEGIN_NS + at_s * S) for at_s in (5, 9, 10, 19, 20, 29, 30, 900)]
    assert seen == [False, False, True, True, False, False, True, True]
    heard.down(BEGIN_NS + 40 * S)
    heard.down(BEGIN_NS + 50 * S)
    assert not heard.is_stalled(BEGIN_NS + 40 * S)
    told = heard.silence([], BEGIN_NS + 60 * S)
    assert told.stalls == 2
    assert told.seconds == pytest.approx(20.0)


def test_a_stall_that_lasts_is_counted_to_the_end() -> None:
    heard = Heard(BTC.key)
    heard.take(*stalled(10))
    assert heard.silence([], BEGIN_NS + 25 * S).seconds == pytest.approx(15.0)
