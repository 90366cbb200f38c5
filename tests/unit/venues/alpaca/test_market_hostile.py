"""Frames of Alpaca's streams that make no sense: left out, counted and told of once; the good ones go on."""

import struct
from typing import Any

import msgspec
import pytest

from neuratrade.core.model.market import NS_PER_MINUTE, Trade
from neuratrade.feeds.live.source import SourceOpened
from neuratrade.venues.alpaca.market_reader import MOST_REMEMBERED, Codec, Reader
from neuratrade.venues.alpaca.market_wire import WireTrade, moment
from tests.unit.rehearsal.exchange import BEGIN_NS, BTC, D, warped
from tests.unit.venues.alpaca.market_stage import clock, frame_of, scripted, told_by

AT = moment(BEGIN_NS)
GOOD = {"T": "t", "S": "BTC/USD", "p": 100.5, "s": 1, "t": AT, "i": 7, "tks": "B"}
EXPECTED = Trade(BTC.key, BEGIN_NS, D("100.5"), D(1), aggressor_buy=True)
QUOTE = {"T": "q", "S": "BTC/USD", "bp": 100, "bs": 1, "ap": 101, "as": 1, "t": AT}
NAN, INFINITE = float("nan"), float("inf")


def trade(**terms: Any) -> dict[str, Any]:
    return GOOD | {"i": 1} | terms


def quote(**terms: Any) -> dict[str, Any]:
    return QUOTE | terms


def raw(text: str) -> str:
    """A frame with one broken message before a good one."""
    return f"[{text},{msgspec.json.encode(GOOD).decode()}]"


FRAMES: dict[str, Any] = {
    "nothing": "",
    "no json": "<html>504</html>",
    "truncated": msgspec.json.encode([GOOD])[:-9].decode(),
    "an object": "{}",
    "a number": "7",
    "null": "null",
    "deep": "[" * 100_000,
    "deep and closed": "[" * 50_000 + "]" * 50_000,
    "nan": '[{"T":"t","S":"BTC/USD","p":NaN,"s":1,"t":"' + AT + '"}]',
    "a lone surrogate": '[{"T":"t","S":"\\ud800","p":1}]',
    "bytes that are neither": b"\xff\xfe\x00[",
    "msgpack in a stream of json": msgspec.msgpack.encode([GOOD]),
}
MESSAGES: dict[str, Any] = {
    "no kind": {"S": "BTC/USD", "p": 1},
    "a kind that is a list": {"T": ["t"]},
    "an unknown kind": {"T": "zz", "S": "BTC/USD"},
    "a list": [1, 2],
    "null": None,
    "text": "t",
    "no price": {"T": "t", "S": "BTC/USD", "s": 1, "t": AT},
    "a price that is true": trade(p=True),
    "a price of words": trade(p="much"),
    "a price that is nan as text": trade(p="NaN"),
    "a price that signals nan": trade(p="sNaN"),
    "an infinite price as text": trade(p="-Infinity"),
    "a price of zero": trade(p=0),
    "a price below zero": trade(p=-1),
    "a price beyond all": trade(p="1e400"),
    "a price of too many digits": trade(p="1." + "1" * 5_000),
    "a quantity of zero": trade(s=0),
    "a quantity below zero": trade(s=-5),
    "a time that is a number": trade(t=1750000000),
    "a time of words": trade(t="today"),
    "a time without a zone": trade(t=AT[:-1]),
    "a time of no day": trade(t="2025-02-30T00:00:00Z"),
    "a time before 1970": trade(t="1969-12-31T23:59:59Z"),
    "a time far ahead": trade(t="2300-01-01T00:00:00Z"),
    "a time a little too far ahead": trade(t=moment(BEGIN_NS + 2 * NS_PER_MINUTE)),
    "a symbol that is a number": trade(S=7),
    "a symbol nobody asked for": trade(S="ETH/USD"),
    "a bid below zero": quote(bp=-1),
    "an ask that is nan": quote(ap="NaN"),
    "a size below zero": quote(bs=-1),
    "a size beyond all": quote(**{"as": "9e99"}),
    "news among prices": {"T": "n", "id": 1, "headline": "x", "created_at": AT},
    "a correction": {"T": "c", "S": "BTC/USD", "oi": 1, "op": 1, "os": 1, "ci": 2, "cp": 2, "cs": 1, "t": AT},
    "a cancellation": {"T": "x", "S": "BTC/USD", "i": 7, "p": 1, "s": 1, "a": "C", "t": AT},
    "a bar": {"T": "b", "S": "BTC/USD", "o": 1, "h": 1, "l": 1, "c": 1, "v": 1, "t": AT},
}
PACKED: dict[str, Any] = {
    "a price that is nan": trade(p=NAN),
    "an infinite price": trade(p=INFINITE),
    "bytes for a price": trade(p=b"1"),
    "a time of no length": trade(t=msgspec.msgpack.Ext(-1, b"123")),
    "a time of another kind": trade(t=msgspec.msgpack.Ext(5, b"1234")),
    "a time after all": trade(t=msgspec.msgpack.Ext(-1, struct.pack(">Iq", 2**32 - 1, 2**62))),
    "a time before all": trade(t=msgspec.msgpack.Ext(-1, struct.pack(">Iq", 2**32 - 1, -(2**62)))),
    "a symbol of bytes": trade(S=b"\xff\xff"),
}


async def after(frames: list[Any], codec: Codec) -> tuple[int, int]:
    """How much was left out, and notes told, of frames twice over, with one good trade behind them."""
    async with scripted(codec) as (script, market, notes):
        script.frames = [*frames, *frames, [GOOD]]
        told, lost = await told_by(market)
        assert lost is None, "the stream stands"
        assert told == [SourceOpened(), EXPECTED]
        return sum(market.left_out.values()), len(notes)


@pytest.mark.parametrize("name", FRAMES)
@warped
async def test_a_frame_without_sense_is_left_out(name: str) -> None:
    assert await after([FRAMES[name]], Codec.JSON) == (2, 1)


@pytest.mark.parametrize("codec", list(Codec))
@pytest.mark.parametrize("name", MESSAGES)
@warped
async def test_a_message_without_sense_costs_nothing_but_itself(name: str, codec: Codec) -> None:
    async with scripted(codec) as (script, market, notes):
        script.frames = [[MESSAGES[name], GOOD], [MESSAGES[name]]]
        told, lost = await told_by(market)
        assert lost is None
        assert told == [SourceOpened(), EXPECTED]
        assert sum(market.left_out.values()) == 2
        assert len(notes) == 1
        assert notes[0].isprintable()
        assert len(notes[0]) < 200


@pytest.mark.parametrize("name", PACKED)
@warped
async def test_a_packed_message_without_sense_costs_nothing_but_itself(name: str) -> None:
    assert await after([[PACKED[name]]], Codec.MSGPACK) == (2, 1)


@pytest.mark.parametrize("codec", list(Codec))
@warped
async def test_json_in_text_is_read_in_either_codec(codec: Codec) -> None:
    async with scripted(codec) as (script, market, _):
        script.frames = [frame_of([GOOD], Codec.JSON)]
        assert await told_by(market) == ([SourceOpened(), EXPECTED], None)


@warped
async def test_ten_thousand_strange_kinds_are_one_entry_and_one_note() -> None:
    async with scripted() as (script, market, notes):
        script.frames = [[{"T": f"strange {number}"} for number in range(10_000)]]
        await told_by(market)
        assert market.left_out == {"messages of unknown kind": 10_000}
        assert len(notes) == 1


@warped
async def test_what_is_remembered_of_trades_is_bounded() -> None:
    reader = Reader(Codec.JSON, clock(), lambda _: None)
    for number in range(1, 3 * MOST_REMEMBERED):
        assert reader.piece(WireTrade(D(1), D(1), AT, number=number), BTC.key) is not None
    assert len(reader._known) == len(reader._order) == MOST_REMEMBERED


@warped
async def test_a_frame_too_large_to_hold_ends_the_stream_and_not_the_process() -> None:
    async with scripted() as (script, market, _):
        script.frames = ["[" + " " * (17 * 1024 * 1024) + "]"]
        told, lost = await told_by(market)
        assert told == [SourceOpened()]
        assert "over" in str(lost)
