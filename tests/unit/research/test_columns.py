"""Columns are the bars of a file: cut without a copy, counted by their closes, decimal as written."""

from decimal import Decimal

import numpy as np

from neuratrade.research.columns import Columns
from tests.unit.research.small_desk import BEGIN_NS, BTC, SPAN_NS, bars


def whole() -> Columns:
    return bars(1)[BTC.key]


def test_a_bar_closes_one_span_after_it_opens() -> None:
    assert whole().close_ns.tolist() == (whole().ts + SPAN_NS).tolist()
    assert len(whole()) == 96


def test_a_bar_counts_as_closed_from_the_instant_of_its_close() -> None:
    columns = whole()
    first_close = BEGIN_NS + SPAN_NS
    asked = (first_close - 1, first_close, first_close + 1, first_close + SPAN_NS, 0, 2**62)
    assert [columns.closed_by(at_ns) for at_ns in asked] == [0, 1, 1, 2, 0, 96]


def test_gaps_count_bars_and_not_time() -> None:
    columns = whole()
    kept = np.array([place not in (3, 4, 5) for place in range(96)])
    holed = Columns(BTC, SPAN_NS, *(getattr(columns, name)[kept] for name in Columns.__slots__[2:]))
    assert holed.closed_by(BEGIN_NS + 6 * SPAN_NS) == 3
    assert holed.closed_by(BEGIN_NS + 7 * SPAN_NS) == 4


def test_a_part_is_a_view_of_the_same_bars() -> None:
    columns = whole()
    part = columns.part(10, 13)
    assert (len(part), part.instrument, part.span_ns) == (3, BTC, SPAN_NS)
    assert all(
        np.shares_memory(getattr(part, name), getattr(columns, name)) for name in Columns.__slots__[2:]
    )
    assert part.bar(0) == columns.bar(10)
    assert len(columns.part(5, 5)) == 0


def test_prices_are_the_shortest_decimal_that_reads_back() -> None:
    column = np.array([0.1, 1e-7, 67000.1, 1e16])
    bar = Columns(BTC, SPAN_NS, np.arange(4), column, column, column, column, column)
    assert [bar.bar(place).close for place in range(4)] == [
        Decimal("0.1"), Decimal("1e-7"), Decimal("67000.1"), Decimal("1e16"),
    ]  # fmt: skip
    made = whole().bar(2)
    assert (made.instrument, made.span_ns, made.open_ns) == (BTC.key, SPAN_NS, BEGIN_NS + 2 * SPAN_NS)
    assert float(made.high) == whole().high[2] >= whole().low[2] == float(made.low)
    assert float(made.volume) == whole().volume[2]
