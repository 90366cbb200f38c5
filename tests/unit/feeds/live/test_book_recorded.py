"""The mirror on what venues really sent: every best price it gave against the venue's own, every checksum."""

from collections import Counter
from pathlib import Path

import pytest

from neuratrade.feeds.live.book import BookChange, BookMirror, BookSnapshot, Outcome
from neuratrade.feeds.live.book_rules import BinanceFuturesRule, BinanceSpotRule, KrakenRule, OkxRule
from tests.unit.feeds.live.recorded_books import BinanceLog, binance_log, kraken_messages, okx_messages

pytestmark = pytest.mark.shared


def replayed(log: BinanceLog, mirror: BookMirror) -> Counter[str]:
    """How many quotes of a mirror are the venue's, and how many are not."""
    found: Counter[str] = Counter()
    for message in log.messages:
        outcome = mirror.restart(message) if isinstance(message, BookSnapshot) else mirror.apply(message)
        found[outcome.value] += 1
        quote = mirror.quote()
        theirs = log.best_at(mirror.last)
        if quote is not None and theirs is not None:
            ours = (quote.bid, quote.bid_size, quote.ask, quote.ask_size)
            found["same" if ours == theirs else "another"] += 1
    return found


def test_every_quote_of_the_spot_log_is_the_venues_own_until_the_snapshot_is_outrun(
    shared_data: Path,
) -> None:
    folder = shared_data / "book" / "raw"
    log = binance_log(*(folder / f"hftbacktest_spot_btcusdt_2024080{day}.gz" for day in (8, 9)))
    mirror = BookMirror("BTC/USDT@binance", BinanceSpotRule())
    found = replayed(log, mirror)
    assert (found["same"], found["another"], found["lost"]) == (2593, 0, 1)
    assert mirror.reason == "the market ran beyond the levels the snapshot showed"


def test_a_book_whose_numbers_all_fit_is_wrong_beyond_what_its_snapshot_showed(shared_data: Path) -> None:
    folder = shared_data / "book" / "raw"
    log = binance_log(*(folder / f"hftbacktest_spot_btcusdt_2024080{day}.gz" for day in (8, 9)))
    blind = [
        BookSnapshot(item.at_ns, item.bids, item.asks, item.last) if isinstance(item, BookSnapshot) else item
        for item in log.messages
    ]
    found = replayed(log._replace(messages=blind), BookMirror("BTC/USDT@binance", BinanceSpotRule()))
    assert (found["same"], found["another"], found["lost"]) == (6491, 2, 0), "so a mirror has a horizon"


def test_every_quote_of_the_futures_log_is_the_venues_own_until_the_snapshot_is_outrun(
    shared_data: Path,
) -> None:
    log = binance_log(shared_data / "book" / "raw" / "hftbacktest_usdm_btcusdt_20240808.gz")
    found = replayed(log, BookMirror("BTC/USDT:USDT@binanceusdm", BinanceFuturesRule()))
    assert (found["same"], found["another"], found["lost"]) == (4115, 0, 1)


def test_a_change_taken_out_of_the_recorded_log_is_missed(shared_data: Path) -> None:
    log = binance_log(shared_data / "book" / "raw" / "hftbacktest_usdm_btcusdt_20240808.gz")
    begin = next(place for place, item in enumerate(log.messages) if isinstance(item, BookSnapshot))
    for gone in range(begin + 2, begin + 400, 7):
        mirror = BookMirror("BTC/USDT:USDT@binanceusdm", BinanceFuturesRule())
        messages = [*log.messages[:gone], *log.messages[gone + 1 : gone + 3]]
        outcomes = [
            mirror.restart(item) if isinstance(item, BookSnapshot) else mirror.apply(item)
            for item in messages
        ]
        assert outcomes[gone] is Outcome.LOST
        assert mirror.reason.startswith("a change is missing: after ")


def test_every_checksum_kraken_sent_is_that_of_the_mirror(shared_data: Path) -> None:
    mirrors: dict[str, BookMirror] = {}
    proven = 0
    for name, message in kraken_messages(shared_data / "fixtures/kraken/cryptofeed/KRAKEN.ws.50.0.gz"):
        mirror = mirrors.setdefault(name, BookMirror(name, KrakenRule(most_levels=1000)))
        if isinstance(message, BookSnapshot):
            assert mirror.restart(message) is Outcome.CHANGED
        else:
            assert mirror.apply(message) is Outcome.CHANGED, mirror.reason
            proven += 1
    assert (len(mirrors), proven) == (10, 4269)


def test_every_checksum_okx_sent_is_that_of_the_mirror(shared_data: Path) -> None:
    mirrors: dict[str, BookMirror] = {}
    proven = 0
    for name, message in okx_messages(shared_data / "fixtures/okx/cryptofeed/OKX.ws.1.0.gz"):
        mirror = mirrors.setdefault(name, BookMirror(name, OkxRule()))
        outcome = mirror.restart(message) if isinstance(message, BookSnapshot) else mirror.apply(message)
        assert outcome is Outcome.CHANGED, mirror.reason
        proven += 1
    assert (len(mirrors), proven) == (3, 290)


def test_a_kraken_change_that_is_missing_is_found_out_by_the_next_checksum_at_the_top(
    shared_data: Path,
) -> None:
    frames = list(kraken_messages(shared_data / "fixtures/kraken/cryptofeed/KRAKEN.ws.50.0.gz"))
    names = {name for name, _ in frames}
    lost = whole = 0
    for name in sorted(names):
        told = [message for other, message in frames if other == name]
        for gone in range(1, len(told) - 1):
            mirror, true = (BookMirror(name, KrakenRule(most_levels=1000)) for _ in range(2))
            for place, message in enumerate(told[: gone + 2]):
                for book in [true] if place == gone else [true, mirror]:
                    _ = book.restart(message) if isinstance(message, BookSnapshot) else book.apply(message)
            lost += not mirror.is_whole
            whole += mirror.is_whole
            assert not mirror.is_whole or mirror.levels(10) == true.levels(10)
            if gone > 25:
                break
    assert lost > 20
    assert whole > 20, "most of it happens below the top, which no quote shows"


def test_the_mirror_holds_no_more_levels_than_its_rule(shared_data: Path) -> None:
    log = binance_log(shared_data / "book" / "raw" / "hftbacktest_usdm_btcusdt_20240808.gz")
    mirror = BookMirror("BTC/USDT:USDT@binanceusdm", BinanceFuturesRule(most_levels=600))
    wholes = 0
    for message in log.messages:
        if isinstance(message, BookSnapshot):
            mirror.restart(message)
        elif isinstance(message, BookChange):
            mirror.apply(message)
        assert len(mirror.bids.prices) == len(mirror.bids.sizes) <= 600
        assert len(mirror.asks.prices) == len(mirror.asks.sizes) <= 600
        quote, theirs = mirror.quote(), log.best_at(mirror.last)
        if quote is not None and theirs is not None:
            wholes += 1
            assert (quote.bid, quote.ask) == (theirs[0], theirs[2])
    assert wholes > 1000
