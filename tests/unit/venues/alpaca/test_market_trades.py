"""Which trades of Alpaca's tell a price, and how numbers and times of both codecs become ours."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuratrade.core.model.market import NS_PER_SECOND, Trade
from neuratrade.rehearsal.alpaca_words import At, as_json, as_msgpack
from neuratrade.venues.alpaca.market_reader import Codec, Reader
from neuratrade.venues.alpaca.market_wire import Unsound, WireTrade, moment, ns_of
from tests.unit.rehearsal.exchange import AAPL, BEGIN_NS, D, warped
from tests.unit.venues.alpaca.market_stage import clock

GOOD = {"T": "t", "S": "AAPL", "i": 1, "x": "V", "p": 161.2958, "s": 100, "t": moment(BEGIN_NS), "z": "C"}


def told(reader: Reader, **terms: Any) -> Any:
    (message,) = reader.messages(msgspec.json.encode([GOOD | terms]).decode())
    assert isinstance(message, WireTrade)
    return reader.piece(message, AAPL.key)


@pytest.mark.parametrize(
    "conditions", [None, [], ["@"], ["@", "I"], ["@", "F", "T", "I"], ["X"], [" "], ["O"]]
)
@warped
async def test_a_trade_at_the_price_of_the_market_is_told(conditions: list[str] | None) -> None:
    reader = Reader(Codec.JSON, clock(), lambda _: None)
    assert told(reader, c=conditions) == Trade(AAPL.key, BEGIN_NS, D("161.2958"), D(100), None)


@pytest.mark.parametrize("letter", list("479CGHMNPQRUVWZ"))
@warped
async def test_a_trade_at_another_price_moves_nothing(letter: str) -> None:
    notes: list[str] = []
    reader = Reader(Codec.JSON, clock(), notes.append)
    assert told(reader, c=["@", letter]) is None
    assert sum(reader.left_out.values()) == len(notes) == 1


@pytest.mark.parametrize(("tape", "is_told"), [("A", False), ("B", False), ("C", True)])
@warped
async def test_one_letter_means_an_average_on_two_tapes_and_a_bunch_on_the_third(
    tape: str, is_told: bool
) -> None:
    assert (told(Reader(Codec.JSON, clock(), lambda _: None), c=["B"], z=tape) is not None) is is_told


@given(st.decimals("0.000000001", "999999.99", places=9), st.integers(0, 4_000_000_000 * NS_PER_SECOND))
def test_numbers_and_times_survive_both_codecs(price: Decimal, at_ns: int) -> None:
    said = [GOOD | {"p": price, "t": At(at_ns)}]
    for frame, decode in ((as_json(said), msgspec.json.decode), (as_msgpack(said), msgspec.msgpack.decode)):
        (wire,) = decode(frame, type=list[WireTrade])  # type: ignore[arg-type]
        assert wire.price == price
        assert ns_of(wire.at) == at_ns


@pytest.mark.parametrize(
    ("text", "at_ns"),
    [
        ("2023-04-06T11:54:21.670905508Z", 1_680_782_061_670_905_508),
        ("2023-04-06T11:54:21.6Z", 1_680_782_061_600_000_000),
        ("2023-04-06T11:54:21Z", 1_680_782_061_000_000_000),
        ("2023-04-06T11:54:21.6709055081234Z", 1_680_782_061_670_905_508),
    ],
)
def test_times_of_any_length_are_read(text: str, at_ns: int) -> None:
    assert ns_of(text) == at_ns


@pytest.mark.parametrize(
    "text",
    [
        "", "Z", "2023-04-06", "2023-04-06T11:54:21+02:00", "2023-04-06T11:54:21.Z9Z", "2023-04-06T11:54:61Z",
        "0000-00-00T00:00:00Z", "2023-04-06T11:54:21.5",
    ],
)  # fmt: skip
def test_what_is_no_time_in_utc_is_refused(text: str) -> None:
    with pytest.raises(Unsound):
        ns_of(text)


@pytest.mark.parametrize(
    ("data", "at_ns"),
    [
        ((1_680_782_061).to_bytes(4), 1_680_782_061 * NS_PER_SECOND),
        ((670_905_508 << 34 | 1_680_782_061).to_bytes(8), 1_680_782_061_670_905_508),
        ((670_905_508).to_bytes(4) + (1_680_782_061).to_bytes(8), 1_680_782_061_670_905_508),
    ],
)
def test_the_three_lengths_of_a_packed_time_are_read(data: bytes, at_ns: int) -> None:
    assert ns_of(msgspec.msgpack.Ext(-1, data)) == at_ns
