"""Bars made of a tape at once are those that the engine's builder makes of it trade by trade."""

from decimal import Decimal

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from neuratrade.core.bars.aggregate import BarBuilder
from neuratrade.core.model.market import Bar, Trade
from neuratrade.research.tape import bars_of

SPAN_NS = 60_000_000_000
T0 = 1_747_094_400_000_000_000

steps = st.integers(0, 90_000_000_000)
prices = st.integers(1, 5_000).map(lambda cents: cents / 100)
quantities = st.one_of(
    st.integers(1, 10_000_000).map(lambda lots: lots / 10**8), st.integers(1, 300).map(float)
)
tapes = st.lists(st.tuples(st.one_of(st.just(0), steps), prices, quantities), min_size=1, max_size=60)


@given(tape=tapes)
def test_they_are_the_same_bars_to_the_last_digit(tape: list[tuple[int, float, float]]) -> None:
    frame = pl.DataFrame(tape, ["ts", "price", "quantity"], orient="row").with_columns(
        ts=T0 + pl.col("ts").cum_sum()
    )
    builder = BarBuilder("X", SPAN_NS)
    built: list[Bar] = []
    for at_ns, price, quantity in frame.iter_rows():
        built += builder.add_trade(Trade("X", at_ns, Decimal(str(price)), Decimal(str(quantity))))
    made = bars_of(frame, SPAN_NS)
    expected = [
        (bar.open_ns, *(float(value) for value in (bar.open, bar.high, bar.low, bar.close, bar.volume)))
        for bar in built
    ]
    assert made.rows() == expected


def test_a_volume_is_the_sum_of_what_was_written_and_not_of_what_floats_hold() -> None:
    ts = [T0, T0 + SPAN_NS, T0 + SPAN_NS + 1, T0 + 2 * SPAN_NS]
    tape = pl.DataFrame({"ts": ts, "price": 1.0, "quantity": [1.0, 0.1, 0.2, 1.0]})
    assert bars_of(tape, SPAN_NS)["volume"].to_list() == [0.3]


def test_tiny_and_huge_quantities_together_still_add_up() -> None:
    """No whole number holds both: they are added as they are."""
    ts = [T0, T0 + SPAN_NS, T0 + SPAN_NS + 1, T0 + 2 * SPAN_NS]
    tape = pl.DataFrame({"ts": ts, "price": 1.0, "quantity": [1e9, 1e9, 1e-9, 1.0]})
    assert bars_of(tape, SPAN_NS)["volume"].to_list() == [1e9 + 1e-9]
