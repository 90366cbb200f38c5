"""Frames that are none: each is counted, told once, and the stream goes on behind it."""

import zlib
from collections.abc import Callable
from typing import Any

import pytest

from neuratrade.core.model.market import Quote, Trade
from neuratrade.feeds.live.book_rules import BinanceSpotRule, KrakenRule, OkxRule
from neuratrade.feeds.live.frames.binance import BinanceDecoder
from neuratrade.feeds.live.frames.kraken import KrakenDecoder
from neuratrade.feeds.live.frames.okx import OkxDecoder
from neuratrade.feeds.live.frames.reader import MOST_KINDS, FrameReader
from neuratrade.feeds.live.source import BookLost

VENUES: dict[str, tuple[Callable[[], Any], Any, str]] = {
    "binance": (BinanceDecoder, BinanceSpotRule(), "BTCUSDT"),
    "kraken": (KrakenDecoder, KrakenRule(), "BTC/USD"),
    "okx": (OkxDecoder, OkxRule(), "BTC-USDT"),
}
NOISE: list[str | bytes] = [
    "",
    "not json",
    "{",
    "[]",
    "null",
    "1",
    '"text"',
    "{}",
    b"\xff\xfe\x00",
    "[" * 5000,
    '{"a":' * 5000,
    "\x00",
    '{"stream":1,"data":2,"channel":3,"arg":4}',
]
GOOD = {
    "binance": (
        '{"stream":"btcusdt@trade","data":{"e":"trade","E":2,"s":"BTCUSDT","t":%d,"p":"1.50","q":"2","T":1,'
        '"m":true,"M":true}}'
    ),
    "kraken": (
        '{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"sell","price":1.50,"qty":2,'
        '"ord_type":"market","trade_id":%d,"timestamp":"1970-01-01T00:00:00.001000Z"}]}'
    ),
    "okx": (
        '{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"%d",'
        '"px":"1.50","sz":"2","side":"sell","ts":"1","count":"1"}]}'
    ),
}
ODD = {
    "binance": [
        '{"stream":"btcusdt@trade","data":{"s":"BTCUSDT","t":1,"p":"NaN","q":"2","T":1,"m":true}}',
        '{"stream":"btcusdt@trade","data":{"s":"BTCUSDT","t":1,"p":"-1","q":"2","T":1,"m":true}}',
        '{"stream":"btcusdt@trade","data":{"s":"BTCUSDT","t":1,"p":"1","q":"0","T":1,"m":true}}',
        '{"stream":"btcusdt@trade","data":{"s":"BTCUSDT","t":1,"p":"1","q":"Infinity","T":1,"m":true}}',
        '{"stream":"btcusdt@trade","data":{"s":"BTCUSDT","t":1,"p":"1","q":"1","T":-1,"m":true}}',
        '{"stream":"btcusdt@trade","data":{"s":"BTCUSDT","t":1,"p":"1","q":"1","T":1e99,"m":true}}',
        '{"stream":"btcusdt@trade","data":{"s":"BTCUSDT","t":1,"p":"1","q":"1","T":1,"m":"yes"}}',
        '{"stream":"btcusdt@trade","data":{"s":"BTCUSDT","t":99999999999999999999,"p":"1","q":"1","T":1,"m":true}}',
        '{"stream":"btcusdt@bookTicker","data":{"u":1,"s":"BTCUSDT","b":"x","B":"1","a":"2","A":"1"}}',
        '{"stream":"btcusdt@bookTicker","data":{"u":1,"s":"BTCUSDT","b":"1e99999","B":"1","a":"2","A":"1"}}',
        '{"stream":"btcusdt@bookTicker","data":{"u":1,"b":"1","B":"1","a":"2","A":"1"}}',
        '{"stream":"btcusdt@depth","data":{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":1,"u":2,"b":[["1"]],"a":[]}}',
        '{"stream":"btcusdt@depth","data":{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":"1","u":2,"b":[],"a":[]}}',
        '{"s":"BTCUSDT","b":"1"}',
    ],
    "kraken": [
        '{"channel":"trade","type":"update","data":{}}',
        '{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD"}]}',
        '{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"maybe","price":1,"qty":1,'
        '"trade_id":1,"timestamp":"1970-01-01T00:00:01Z"}]}',
        '{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","price":0,"qty":1,'
        '"trade_id":1,"timestamp":"1970-01-01T00:00:01Z"}]}',
        '{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","price":1,"qty":-1,'
        '"trade_id":1,"timestamp":"1970-01-01T00:00:01Z"}]}',
        '{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","price":1,"qty":1,'
        '"trade_id":1,"timestamp":"1970-01-01T00:00:01"}]}',
        '{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","price":1,"qty":1,'
        '"trade_id":1,"timestamp":"1960-01-01T00:00:01Z"}]}',
        '{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","price":1,"qty":1,'
        '"trade_id":1,"timestamp":"soon"}]}',
        '{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":null}]}',
        '{"channel":"book","type":"rumour","data":[]}',
        '{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","bids":[[1,2]],"asks":[],"checksum":1}]}',
        '{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","bids":[],"asks":[]}]}',
    ],
    "okx": [
        '{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":{}}',
        '{"arg":{"channel":"trades"},"data":[{"instId":"BTC-USDT"}]}',
        '{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"x","px":"1",'
        '"sz":"2","side":"buy","ts":"1"}]}',
        '{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"1","px":"",'
        '"sz":"2","side":"buy","ts":"1"}]}',
        '{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"1","px":"1",'
        '"sz":"-2","side":"buy","ts":"1"}]}',
        '{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"1","px":"1",'
        '"sz":"2","side":"buy","ts":"1e30"}]}',
        '{"arg":{"channel":"tickers","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","bidPx":"one",'
        '"bidSz":"1","askPx":"2","askSz":"1","ts":"1"}]}',
        '{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"rumour","data":[]}',
        '{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":[{"bids":[],"asks":[],"ts":"1"}]}',
        '{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":[{"bids":[["1"]],"asks":[],'
        '"ts":"1","seqId":2,"prevSeqId":1}]}',
        '{"arg":{"channel":"bbo-tbt","instId":"BTC-USDT"},"data":[{"bids":"none","asks":[],"ts":"1"}]}',
        '{"arg":{"channel":"books","instId":"BTC-USDT"}}',
    ],
}


def made(name: str) -> tuple[FrameReader, list[str]]:
    """A reader of one symbol and its complaints."""
    notes: list[str] = []
    decoder, rule, symbol = VENUES[name]
    return FrameReader(decoder(), {symbol: "BTC@venue"}, lambda _: rule, notes.append), notes


def goes_on(reader: FrameReader, name: str, number: int) -> bool:
    """Whether a trade behind is still told."""
    pieces = reader.read(GOOD[name] % number, 5)
    return len(pieces) == 1 and isinstance(pieces[0], Trade) and str(pieces[0].price) == "1.50"


@pytest.mark.parametrize("name", VENUES)
def test_frames_that_are_none_are_counted_told_once_and_end_nothing(name: str) -> None:
    reader, notes = made(name)
    hostile = [*NOISE, *ODD[name]]
    for number, frame in enumerate(hostile):
        for _ in range(2):
            assert reader.read(frame, 5) == [], frame
        assert goes_on(reader, name, number + 1), frame
    assert sum(reader.hostile.values()) == 2 * len(hostile)
    assert len(notes) == len(set(notes)) == len(reader.hostile)
    assert all(len(note) < 200 for note in notes)


@pytest.mark.parametrize("name", VENUES)
def test_kinds_of_bad_frames_are_bounded(name: str) -> None:
    reader, notes = made(name)
    for number in range(200):
        reader.read(GOOD[name].replace("%d", f'"{"x" * number}"'), 5)
        reader.read(" " * number + "x", 5)
        reader.read('{"' + "a" * number, 5)
    assert sum(reader.hostile.values()) == 600
    assert len(reader.hostile) <= MOST_KINDS + 1
    assert len(notes) <= MOST_KINDS + 1


@pytest.mark.parametrize("name", VENUES)
def test_a_trade_that_comes_twice_is_told_once(name: str) -> None:
    reader, _ = made(name)
    assert goes_on(reader, name, 7)
    assert not goes_on(reader, name, 7)
    assert goes_on(reader, name, 8)


def test_an_impossible_level_loses_the_book_and_nothing_else() -> None:
    reader, notes = made("okx")
    book = (
        '{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"%s","data":[{"bids":[["%s","1","0","1"]],'
    )
    book += '"asks":[],"ts":"1","seqId":%d,"prevSeqId":%d,"checksum":0}]}'
    (quote,) = reader.read(book % ("snapshot", "10", 1, -1), 5)
    assert isinstance(quote, Quote)
    (lost,) = reader.read(book % ("update", "NaN", 2, 1), 5)
    assert isinstance(lost, BookLost)
    assert reader.wanting == ["BTC-USDT"]
    assert reader.read(book % ("update", "11", 3, 2), 5) == []
    (quote,) = reader.read(book % ("snapshot", "12", 9, -1), 5)
    assert isinstance(quote, Quote)
    assert reader.wanting == notes == []


def test_what_belongs_to_no_instrument_of_ours_and_answers_are_passed_over() -> None:
    reader, notes = made("binance")
    assert reader.read(GOOD["binance"].replace("BTCUSDT", "ETHUSDT") % 1, 5) == []
    assert reader.read('{"result":null,"id":1}', 5) == []
    assert reader.read('{"stream":"btcusdt@kline_1m","data":{"e":"kline"}}', 5) == []
    reader, more = made("okx")
    assert reader.read("pong", 5) == reader.read('{"event":"subscribe","arg":{"channel":"trades"}}', 5) == []
    reader, most = made("kraken")
    assert reader.read('{"channel":"heartbeat"}', 5) == reader.read('{"method":"pong"}', 5) == []
    assert notes == more == most == []


def test_trades_that_are_none_of_the_market_are_left_out() -> None:
    reader, notes = made("binance")
    for number, kind in enumerate(("INSURANCE_FUND", "ADL", "NA"), start=1):
        assert reader.read(GOOD["binance"].replace('"M":true', f'"X":"{kind}"') % number, 5) == []
    assert goes_on(reader, "binance", 4)
    assert notes == []


def test_the_trades_a_subscription_begins_with_are_of_the_past() -> None:
    reader, notes = made("kraken")
    assert reader.read(GOOD["kraken"].replace("update", "snapshot") % 7, 5) == []
    assert notes == []


def test_a_book_ticker_that_comes_late_does_not_turn_the_quote_back() -> None:
    reader, _ = made("binance")
    frame = '{"u":%d,"s":"BTCUSDT","b":"%s","B":"1","a":"0.00000000","A":"0.00000000"}'
    (quote,) = reader.read(frame % (5, "10"), 3)
    assert isinstance(quote, Quote)
    assert (str(quote.bid), quote.ask, quote.at_ns) == ("10", None, 3)
    assert reader.read(frame % (4, "9"), 4) == []


def test_krakens_numbers_keep_the_zeros_they_were_sent_with() -> None:
    reader, _ = made("kraken")
    # The checksum is over "451000" + "100000" and so on: a float would have lost the zeros.
    checksum = zlib.crc32(b"4510001000004509002500000")
    level = '{"price":45%03d.0,"qty":%s}'
    frame = '{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD",'
    frame += '"bids":[%s],"asks":[%s],"checksum":%d}]}'
    frame %= (level % (90, "2.500000"), level % (100, "0.100000"), checksum)
    (quote,) = reader.read(frame, 5)
    assert isinstance(quote, Quote), quote
