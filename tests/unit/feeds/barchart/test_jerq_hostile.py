"""Frames that are none: each is counted by kind and told once, and the stream goes on behind it."""

import random
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuratrade.feeds.barchart import ddf, ddf_prices, ddf_split, ddf_times, ddf_xml, jerq_reader
from neuratrade.feeds.barchart.jerq_reader import JerqReader
from neuratrade.feeds.barchart.transport import QuoteTick, Tally, TradeTick
from neuratrade.rehearsal import jerq_words as words
from tests.unit.feeds.barchart.ddf_dice import Dice

NOW_NS = int(datetime(2026, 11, 20, 16, tzinfo=UTC).timestamp()) * 10**9
STAMP = words.stamp(NOW_NS, words.CHICAGO)
GOOD = b"\x012ESZ6,7\x02AM10690050,2,KG\x03" + STAMP + b"\n"


def message(body: str, head: str = "\x012ESZ6,7\x02AM10") -> bytes:
    return f"{head}{body}".encode("latin-1") + b"\x03" + STAMP + b"\n"


LATER = words.stamp(NOW_NS + 61 * 10**9, words.CHICAGO)
NEVER = b"\x14" + bytes(64 + part for part in (26, 3, 8, 2, 30, 0)) + b"\x00\x00"
HOSTILE: dict[str, tuple[bytes, str]] = {
    "cut in its head": (b"\x012ES", ddf_split.CUT_SHORT),
    "cut in its price": (b"\x012ESZ6,7\x02AM106900", ddf_split.CUT_SHORT),
    "cut in its time": (b"\x012ESZ6,7\x02AM10690050,2,KG\x03\x14ZKT", ddf_times.BROKEN),
    "a cut snapshot": (b'%<QUOTE symbol="ESZ6" basecode="A" bid="69', ddf_split.CUT_SHORT),
    "a snapshot that ends early": (b'%<QUOTE symbol="ESZ6" basecode="A">\n', ddf_xml.BROKEN_XML),
    "huge": (b"\x012ESZ6,7\x02AM10" + b"9" * 300_000 + b",2,KG\x03" + STAMP + b"\n", ddf_split.ENDLESS),
    "a huge price": (message("9" * 5_000 + ",2,KG"), ddf_prices.NOT_A_NUMBER),
    "UTF-16": ("\x012ESZ6,7".encode("utf-16") + b"\n", ddf_split.CUT_SHORT),
    "UTF-8 in a symbol": (message("690050,2,KG", "\x012ESZ6Ã©,7\x02AM10"), ddf.BAD_HEADER),
    "letters in a price": (message("69x050,2,KG"), ddf_prices.NOT_A_NUMBER),
    "an exponent": (message("6e9,2,KG"), ddf_prices.NOT_A_NUMBER),
    "not a number": (message("NaN,2,KG"), ddf_prices.NOT_A_NUMBER),
    "letters in a size": (message("690050,2x,KG"), ddf_prices.BAD_SIZE),
    "a negative size": (message("690050,-2,KG"), ddf_prices.BAD_SIZE),
    "no price": (message("-,2,KG"), jerq_reader.NO_PRICE),
    "an unknown unit": (message("690050,2,KG", "\x012ESZ6,7\x02GM10"), ddf_prices.UNKNOWN_UNIT),
    "more than a whole": (message("69009,2,KG", "\x012ESZ6,7\x022M10"), ddf_prices.BAD_FRACTION),
    "an unknown exchange": (message("690050,2,KG", "\x012ESZ6,7\x02A?10"), ddf_times.NO_ZONE),
    "letters in a delay": (message("690050,2,KG", "\x012ESZ6,7\x02AMxx"), ddf.BAD_HEADER),
    "an unknown record": (message("690050,2,KG", "\x019ESZ6,7\x02AM10"), ddf.UNKNOWN_RECORD),
    "an unknown kind": (message("690050,2,KG", "\x012ESZ6,?\x02AM10"), ddf.UNKNOWN_RECORD),
    "an unknown element": (message("690050,Q7KG", "\x012ESZ6,0\x02AM10"), ddf.UNKNOWN_ELEMENT),
    "an unknown session": (message("690050,2,Kg"), ddf.UNKNOWN_SESSION),
    "too few fields": (message("690050,2"), ddf.BAD_FIELDS),
    "too many fields": (message("690050,2,3,4,KG"), ddf.BAD_FIELDS),
    "a short refresh": (message(",1,2,3,KG", "\x012ESZ6,1\x02AM10"), ddf.BAD_FIELDS),
    "an empty element": (message("", "\x012ESZ6,0\x02AM10"), ddf.BAD_FIELDS),
    "a broken level": (message("690050K5,69", "\x013ESZ6,B\x02AM11,"), ddf.BAD_LEVEL),
    "a time that is none": (GOOD.replace(STAMP, b"\x14Z\x7fTJO@@@"), ddf_times.BROKEN),
    "a time that never was": (GOOD.replace(STAMP, NEVER), ddf_times.NEVER_WAS),
    "a time ahead of ours": (GOOD.replace(STAMP, LATER), jerq_reader.AHEAD),
    "a clock that is none": (b"\x01#20269999101530\n", ddf_times.BROKEN),
    "half a clock": (b"\x01#2026\n", ddf_split.CUT_SHORT),
    "rubbish": (b"\x80\xff\x00\x14\x02 rubbish\n", ddf_split.JUNK),
    "an XML bomb": (b'%<!DOCTYPE a [<!ENTITY a "aaa">]><QUOTE symbol="&a;"/>\n', ddf_xml.BROKEN_XML),
    "XML of another kind": (b'%<SECRET symbol="ESZ6" basecode="A"/>\n', ddf_xml.UNKNOWN_XML),
    "a snapshot without a unit": (b'%<QUOTE symbol="ESZ6" bid="690050"/>\n', ddf_xml.INCOMPLETE),
    "uneven sides": (
        b'%<BOOK symbol="ESZ6" basecode="A" bidprices="1,2" bidsizes="1"/>\n', ddf_xml.INCOMPLETE,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_counted_by_kind_told_once_and_costs_no_other_message(name: str) -> None:
    raw, kind = HOSTILE[name]
    notes: list[str] = []
    tally = Tally(notes.append)
    reader = JerqReader({"ESZ6": "ESZ26"}, tally, lambda: NOW_NS)
    ticks = [tick for _ in range(3) for tick in reader.ticks(raw + GOOD)]
    assert [type(tick) for tick in ticks] == [TradeTick] * 3
    assert tally.unreadable[kind] == 3
    assert len([note for note in notes if kind in note]) == 1
    assert tally.messages == 3


def test_a_flood_that_never_ends_is_bounded_and_the_feed_is_there_behind_it() -> None:
    tally = Tally()
    reader = JerqReader({"ESZ6": "ESZ26"}, tally, lambda: NOW_NS)
    assert not reader.ticks(b"\x012ESZ6,7\x02AM10")
    for _ in range(500):
        assert not reader.ticks(b"9" * 4_096)
        assert len(reader._splitter._rest) <= ddf_split.MOST_CHARACTERS
    assert len(reader.ticks(GOOD)) == 1
    assert tally.unreadable == {ddf_split.ENDLESS: 1}


def test_data_of_what_nobody_asked_for_is_counted_and_kept_nowhere() -> None:
    tally = Tally()
    reader = JerqReader({"ESZ6": "ESZ26"}, tally, lambda: NOW_NS)
    for number in range(500):
        assert not reader.ticks(GOOD.replace(b"ESZ6", f"X{number}".encode()))
    assert tally.unused == {jerq_reader.NOT_ASKED: 500}
    assert len(reader._markets) == 1


@given(st.binary(max_size=300))
def test_no_bytes_whatever_stop_the_reader(raw: bytes) -> None:
    reader = JerqReader({"ESZ6": "ESZ26"}, Tally(), lambda: NOW_NS)
    reader.ticks(raw)
    reader.ticks(raw.decode("utf-8", "replace"))
    assert any(isinstance(tick, TradeTick) for tick in reader.ticks(b"\n" * 9 + GOOD + GOOD))


def test_flipped_bytes_of_lawful_messages_stop_nothing() -> None:
    dice, flips = Dice(9), random.Random(9)
    tally = Tally()
    reader = JerqReader({name: name for name in ("ESZ6", "GCZ6", "$VIX", "TSLA")}, tally, lambda: NOW_NS)
    for _ in range(3_000):
        raw = bytearray(dice.message().encode("latin-1") + b"\n")
        for _ in range(flips.randint(0, 3)):
            raw[flips.randrange(len(raw))] = flips.randrange(256)
        for tick in reader.ticks(bytes(raw)):
            assert not isinstance(tick, QuoteTick) or tick.symbol in ("ESZ6", "GCZ6", "$VIX", "TSLA")
    assert len(tally.unreadable) >= 10
