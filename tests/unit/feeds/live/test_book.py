"""The mirror of a book: what it refuses, what it forgets, and what it keeps while it waits."""

import doctest
from decimal import Decimal

import pytest

from neuratrade.feeds.live import book
from neuratrade.feeds.live.book import MOST_KEPT, BookChange, BookMirror, BookSnapshot, Level, Outcome
from neuratrade.feeds.live.book_rules import BinanceSpotRule, KrakenRule, OkxRule

D = Decimal
ONE = D(1)


def spot(most_levels: int = 100, *, whole: bool = True) -> BookMirror:
    """One level a side, 99 and 101, after change 10."""
    mirror = BookMirror("BTC/USDT@binance", BinanceSpotRule(most_levels))
    mirror.restart(BookSnapshot(0, [(D(99), ONE)], [(D(101), ONE)], last=10, whole=whole))
    return mirror


def change(number: int, bids: list[Level], asks: list[Level] | None = None) -> BookChange:
    """One change of a spot book."""
    return BookChange(number, bids, asks or [], first=number, last=number)


HOSTILE: dict[str, Level] = {
    "a price that is no number": (D("NaN"), ONE),
    "a price that signals": (D("sNaN"), ONE),
    "a quantity that is no number": (D(98), D("NaN")),
    "an endless price": (D("Infinity"), ONE),
    "an endless quantity": (D(98), D("Infinity")),
    "a price of nothing": (D(0), ONE),
    "a price below nothing": (D(-98), ONE),
    "a quantity below nothing": (D(98), D(-1)),
    "a price with a million digits": (D("1e-1000000"), ONE),
    "a quantity with a million digits": (D(98), D("1e999999")),
    "bids above asks": (D(102), ONE),
}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_book_with_a_level_that_cannot_be_is_lost_and_says_why(hostile: str) -> None:
    mirror = spot()
    assert mirror.apply(change(11, [HOSTILE[hostile]])) is Outcome.LOST
    assert mirror.quote() is None
    assert mirror.reason
    assert len(mirror.reason) < 100
    snapshot = BookSnapshot(0, [HOSTILE[hostile]], [(D(101), ONE)], last=20)
    assert mirror.restart(snapshot) is Outcome.LOST


def test_a_locked_book_is_a_book() -> None:
    mirror = spot()
    assert mirror.apply(change(11, [(D(101), ONE)])) is Outcome.CHANGED


def test_what_waits_for_a_snapshot_is_bounded_and_the_oldest_goes_first() -> None:
    mirror = BookMirror("BTC/USDT@binance", BinanceSpotRule())
    for number in range(1, MOST_KEPT + 3):
        assert mirror.apply(change(number, [])) is Outcome.KEPT
    assert mirror.kept == MOST_KEPT
    assert mirror.restart(BookSnapshot(0, [], [], last=1)) is Outcome.LOST, "change 2 is gone"
    assert mirror.restart(BookSnapshot(0, [], [], last=2)) is Outcome.CHANGED
    assert mirror.kept == 0


def test_a_change_that_cannot_be_taken_does_not_block_a_newer_snapshot() -> None:
    mirror = spot()
    assert mirror.apply(change(11, [(D("NaN"), ONE)])) is Outcome.LOST
    assert mirror.restart(BookSnapshot(0, [(D(98), ONE)], [], last=10)) is Outcome.LOST
    assert mirror.restart(BookSnapshot(0, [(D(98), ONE)], [], last=11)) is Outcome.CHANGED


def test_a_change_that_begins_before_the_last_one_ended_is_no_next_one() -> None:
    mirror = spot()
    overlapping = BookChange(0, [], [], first=10, last=12)
    assert mirror.apply(overlapping) is Outcome.CHANGED, "the first after a snapshot may hold its number"
    assert mirror.apply(BookChange(0, [], [], first=12, last=14)) is Outcome.LOST


def test_levels_above_the_bound_are_forgotten_and_knowledge_ends_where_they_were() -> None:
    mirror = spot(most_levels=2)
    mirror.apply(change(11, [(D(98), ONE), (D(97), ONE)]))
    assert mirror.bids.top(9) == [(D(99), ONE), (D(98), ONE)]
    assert mirror.apply(change(12, [(D(99), D(0))])) is Outcome.CHANGED
    assert mirror.apply(change(13, [(D(98), D(0))])) is Outcome.LOST, "97 stands there, but it was forgotten"


def test_what_a_partial_snapshot_did_not_show_is_not_known() -> None:
    mirror = spot(whole=False)
    assert mirror.apply(change(11, [(D(90), ONE)])) is Outcome.CHANGED
    assert mirror.apply(change(12, [(D(99), D(0))])) is Outcome.LOST, "between 99 and 90 there may be others"


def test_an_empty_side_of_a_whole_book_is_a_quote_without_it() -> None:
    mirror = spot()
    mirror.apply(change(11, [(D(99), D(0))]))
    quote = mirror.quote()
    assert quote is not None
    assert (quote.bid, quote.bid_size, quote.ask) == (None, D(0), D(101))


def test_a_mirror_that_is_told_of_a_loss_drops_what_came_before_it() -> None:
    mirror = spot()
    mirror.lose("the connection was cut")
    assert (mirror.quote(), mirror.reason, mirror.losses) == (None, "the connection was cut", 1)
    mirror.apply(change(50, []))
    mirror.lose("cut again")
    assert (mirror.kept, mirror.losses) == (0, 1), "it was lost all the while"


def test_a_mirror_whose_venue_sends_the_snapshot_in_the_stream_drops_what_comes_before_it() -> None:
    for rule in (KrakenRule(), OkxRule()):
        mirror = BookMirror("BTC/USD@kraken", rule)
        assert mirror.apply(change(1, [(D(99), ONE)])) is Outcome.DROPPED
        assert mirror.kept == 0


def test_okx_may_repeat_its_number_and_begin_to_count_anew() -> None:
    mirror = BookMirror("BTC/USDT@okx", OkxRule())
    mirror.restart(BookSnapshot(0, [(D(99), ONE)], [], last=10))
    for before, last in ((10, 15), (15, 15), (15, 3), (3, 5)):
        assert mirror.apply(BookChange(0, [], [], last=last, before=before)) is Outcome.CHANGED
    assert mirror.apply(BookChange(0, [], [], last=9, before=7)) is Outcome.LOST


def test_the_example_in_the_docstring_is_true() -> None:
    assert doctest.testmod(book).failed == 0
