"""The recorded log of Barchart's, and the literal messages of its own parser's tests."""

from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from neuratrade.feeds.barchart.ddf import parse
from neuratrade.feeds.barchart.ddf_messages import Element, Kind, Range, Snapshot, Top, Trade
from neuratrade.feeds.barchart.ddf_split import Splitter
from neuratrade.feeds.barchart.ddf_times import DdfTimes
from neuratrade.feeds.barchart.jerq_reader import JerqReader
from neuratrade.feeds.barchart.transport import QuoteTick, Tally, TradeTick

D = Decimal
BEGUN_MS = 1624900329804
"""When the log was begun: its name."""


@pytest.fixture(scope="module")
def log(shared_data: Path) -> bytes:
    return (shared_data / f"fixtures/barchart/ddf/{BEGUN_MS}.ddf").read_bytes()


@pytest.mark.shared
def test_every_message_of_the_log_is_read(log: bytes) -> None:
    found = [parse(text) for text in Splitter().feed(log.decode("latin-1"))]
    kinds = Counter(type(message).__name__ for message in found)
    assert kinds == {"Snapshot": 1, "Top": 124, "Trade": 78}
    assert sum(isinstance(item, Trade) and item.in_sequence for item in found) == 4
    first = found[0]
    assert isinstance(first, Snapshot)
    assert (first.bid, first.ask, first.last, first.volume) == (
        D("684.32"), D("684.48"), D("684.49"), D(14608361),
    )  # fmt: skip


@pytest.mark.shared
def test_the_zones_of_the_server_and_of_nasdaq_are_those_in_which_the_log_begins_when_its_name_says(
    log: bytes,
) -> None:
    times, begun_ns = DdfTimes(), BEGUN_MS * 1_000_000
    snapshot, *rest = (parse(text) for text in Splitter().feed(log.decode("latin-1")))
    assert isinstance(snapshot, Snapshot)
    assert snapshot.updated_local_ns is not None
    told = [times.of_server(snapshot.updated_local_ns, begun_ns)]
    for message in rest:
        assert isinstance(message, Top | Trade)
        assert message.local_ns is not None
        told.append(times.of_exchange(message.local_ns, message.exchange, begun_ns))
    late_s = [(at_ns - begun_ns) / 1e9 for at_ns in told]
    assert -1 < min(late_s) <= max(late_s) < 10


@pytest.mark.shared
def test_the_log_is_of_the_present_though_each_message_names_the_delay_of_its_exchange(log: bytes) -> None:
    tally = Tally()
    ticks = JerqReader({"TSLA": "TSLA"}, tally, lambda: BEGUN_MS * 1_000_000).ticks(log)
    quotes = [tick for tick in ticks if isinstance(tick, QuoteTick)]
    trades = [tick for tick in ticks if isinstance(tick, TradeTick)]
    assert (len(quotes), len(trades)) == (125, 4)
    assert {tick.delay_minutes for tick in quotes} == {tick.delay_minutes for tick in trades} == {0}
    assert not tally.unreadable
    assert tally.unused == {"trades that do not tell the price of their time": 74}
    assert (trades[0].price, trades[0].size) == (D("684.31"), D(145))


LITERAL = {
    "\x012SIRI,Z AQ15394,3,1I": ("SIRI", D("3.94"), D(3), "1", "I"),
    "\x012SIRI,Z AQ15395,2998262,1W": ("SIRI", D("3.95"), D(2998262), "1", "W"),
    "\x012TSLA,Z\x02AQ1521201,3,TI\x03": ("TSLA", D("212.01"), D(3), "T", "I"),
}


@pytest.mark.parametrize("text", LITERAL)
def test_trades_out_of_sequence_are_told_as_such(text: str) -> None:
    found = parse(text)
    assert isinstance(found, Trade)
    assert not found.in_sequence
    assert (found.symbol, found.price, found.size, found.day, found.session) == LITERAL[text]


def test_a_settlement_and_a_range_of_the_day_are_read() -> None:
    settled = parse("\x012AAPL,0\x02AQ1510885,D0M \x03\x14PHWQT@\x04$")
    assert isinstance(settled, Element)
    assert (settled.kind, settled.value) == (Kind.SETTLEMENT, D("108.85"))
    day = parse("\x012$M1LX,6\x02AI10,20200,20500,20100,20400,,,,,,,,,,540600,8 \x03")
    assert isinstance(day, Range)
    assert (day.open, day.high, day.low, day.last, day.volume) == (D(202), D(205), D(201), D(204), D(540600))
    assert (day.day, day.session) == ("8", " ")
