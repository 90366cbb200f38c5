"""Bars come out complete, on their grid, and what is missing or late is said."""

from decimal import Decimal

import pytest

from neuratrade.core.bars.aggregate import BarBuilder, Finding, FindingKind, GapPolicy, ThinPolicy
from neuratrade.core.model.market import NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE, NS_PER_SECOND, Bar, Trade

KEY = "BTC/USDT@paper"
FIVE = 5 * NS_PER_MINUTE


def base(minute: int, prices: tuple[int, int, int, int] = (10, 12, 9, 11), volume: str = "1") -> Bar:
    first, high, low, last = (Decimal(price) for price in prices)
    return Bar(KEY, NS_PER_MINUTE, minute * NS_PER_MINUTE, first, high, low, last, Decimal(volume))


def flat(open_ns: int, span_ns: int, price: int, volume: int = 1, instrument: str = KEY) -> Bar:
    level = Decimal(price)
    return Bar(instrument, span_ns, open_ns, level, level, level, level, Decimal(volume))


def trade(second: float, price: int, quantity: str = "1") -> Trade:
    return Trade(KEY, round(second * NS_PER_SECOND), Decimal(price), Decimal(quantity))


def test_five_minutes_make_a_bar_the_moment_the_fifth_is_known() -> None:
    builder = BarBuilder(KEY, FIVE)
    parts = [
        base(0, (10, 15, 9, 11)),
        base(1),
        base(2, (11, 12, 3, 4)),
        base(3),
        base(4, (8, 9, 7, 8), "0.5"),
    ]
    assert [builder.add_bar(part) for part in parts[:4]] == [[], [], [], []]
    whole = Bar(KEY, FIVE, 0, Decimal(10), Decimal(15), Decimal(3), Decimal(8), Decimal("4.5"))
    assert builder.add_bar(parts[4]) == [whole]
    assert builder.take_findings() == []


def test_the_partial_last_bar_never_comes_out() -> None:
    builder = BarBuilder(KEY, FIVE)
    assert [bar for minute in range(9) for bar in builder.add_bar(base(minute))] == builder_of_one()
    assert builder.advance(9 * NS_PER_MINUTE) == []


def builder_of_one() -> list[Bar]:
    return [Bar(KEY, FIVE, 0, Decimal(10), Decimal(12), Decimal(9), Decimal(11), Decimal(5))]


def test_a_bar_the_data_began_inside_never_comes_out() -> None:
    builder = BarBuilder(KEY, FIVE)
    done = [bar for minute in range(2, 10) for bar in builder.add_bar(base(minute))]
    assert [bar.open_ns for bar in done] == [FIVE]
    assert builder.take_findings() == [Finding(FindingKind.BEGUN_INSIDE, KEY, 0)]


def test_trades_from_a_time_known_to_be_whole_make_the_first_bar() -> None:
    trades = [trade(1, 10), trade(61, 11)]
    unknown = BarBuilder(KEY, NS_PER_MINUTE)
    known = BarBuilder(KEY, NS_PER_MINUTE, complete_from_ns=0)
    assert [bar for item in trades for bar in unknown.add_trade(item)] == []
    assert [bar.close for item in trades for bar in known.add_trade(item)] == [Decimal(10)]


def test_a_missing_base_bar_is_said_and_the_bar_comes_out_when_time_has_passed_it() -> None:
    builder = BarBuilder(KEY, FIVE)
    for minute in (0, 1, 3):
        assert builder.add_bar(base(minute)) == []
    assert [bar.volume for bar in builder.add_bar(base(5))] == [Decimal(3)]
    assert builder.take_findings() == [Finding(FindingKind.THIN, KEY, 0, 2)]


def test_a_bar_with_missing_base_bars_can_be_dropped() -> None:
    builder = BarBuilder(KEY, FIVE, thin=ThinPolicy.DROP)
    assert [bar for minute in (0, 1, 3, 4) for bar in builder.add_bar(base(minute))] == []
    assert builder.take_findings() == [Finding(FindingKind.THIN, KEY, 0, 1)]


def test_empty_spans_are_said_and_by_default_give_no_bar() -> None:
    builder = BarBuilder(KEY, NS_PER_MINUTE)
    assert [bar.open_ns for minute in (0, 4) for bar in builder.add_bar(base(minute))] == [
        0,
        4 * NS_PER_MINUTE,
    ]
    assert builder.take_findings() == [Finding(FindingKind.EMPTY, KEY, NS_PER_MINUTE, 3)]


def test_empty_spans_can_be_flat_bars_at_the_last_close_without_volume() -> None:
    builder = BarBuilder(KEY, NS_PER_MINUTE, gaps=GapPolicy.FLAT)
    done = [bar for minute in (0, 3) for bar in builder.add_bar(base(minute))]
    assert [bar.open_ns // NS_PER_MINUTE for bar in done] == [0, 1, 2, 3]
    assert done[1] == flat(NS_PER_MINUTE, NS_PER_MINUTE, 11, 0)
    assert [finding.kind for finding in builder.take_findings()] == [FindingKind.EMPTY]


def test_time_alone_ends_a_bar_and_passes_empty_spans_once() -> None:
    builder = BarBuilder(KEY, NS_PER_MINUTE, gaps=GapPolicy.FLAT, complete_from_ns=0)
    assert builder.advance(10 * NS_PER_MINUTE) == []
    builder = BarBuilder(KEY, NS_PER_MINUTE, gaps=GapPolicy.FLAT, complete_from_ns=0)
    builder.add_trade(trade(30, 10))
    assert builder.advance(NS_PER_MINUTE - 1) == []
    assert [bar.open_ns for bar in builder.advance(NS_PER_MINUTE)] == [0]
    assert [bar.open_ns for bar in builder.advance(3 * NS_PER_MINUTE + 1)] == [
        NS_PER_MINUTE,
        2 * NS_PER_MINUTE,
    ]
    assert builder.advance(3 * NS_PER_MINUTE + 2) == []
    assert [bar.open_ns for bar in builder.add_trade(trade(241, 11))] == [3 * NS_PER_MINUTE]


def test_a_trade_after_its_bar_was_closed_is_said_and_changes_nothing() -> None:
    builder = BarBuilder(KEY, NS_PER_MINUTE, complete_from_ns=0)
    builder.add_trade(trade(1, 10))
    first = builder.add_trade(trade(61, 20))
    assert builder.add_trade(trade(59, 99)) == []
    assert builder.add_trade(trade(121, 30)) == [flat(NS_PER_MINUTE, NS_PER_MINUTE, 20, 1)]
    assert first[0].high == 10
    assert builder.late == 1
    assert builder.take_findings() == [Finding(FindingKind.LATE, KEY, 0)]


def test_a_base_bar_that_comes_twice_counts_once() -> None:
    builder = BarBuilder(KEY, FIVE)
    done = [bar for minute in (0, 1, 1, 2, 3, 4) for bar in builder.add_bar(base(minute))]
    assert done == builder_of_one()
    assert builder.take_findings() == [Finding(FindingKind.DUPLICATE, KEY, NS_PER_MINUTE)]


def test_a_base_bar_out_of_order_inside_an_open_bar_finds_its_place() -> None:
    builder = BarBuilder(KEY, FIVE, complete_from_ns=0)
    parts = {minute: base(minute, (minute + 1, 20, 1, minute + 2)) for minute in range(5)}
    done = [bar for minute in (1, 0, 3, 2, 4) for bar in builder.add_bar(parts[minute])]
    assert [(bar.open, bar.close) for bar in done] == [(Decimal(1), Decimal(6))]
    assert builder.take_findings() == []


def test_of_trades_at_one_instant_the_first_opens_and_the_last_closes() -> None:
    builder = BarBuilder(KEY, NS_PER_MINUTE, complete_from_ns=0)
    for price in (10, 30, 20):
        builder.add_trade(trade(5, price))
    bar = builder.advance(NS_PER_MINUTE)[0]
    assert [bar.open, bar.high, bar.low, bar.close] == [Decimal(price) for price in (10, 30, 10, 20)]
    assert bar.volume == 3


def test_days_can_begin_at_the_hour_of_a_session() -> None:
    offset = 22 * NS_PER_HOUR
    builder = BarBuilder(KEY, NS_PER_DAY, offset_ns=offset)
    hours = [flat(hour * NS_PER_HOUR, NS_PER_HOUR, hour + 1, 1) for hour in range(24 + 22)]
    done = [bar for hour in hours for bar in builder.add_bar(hour)]
    assert [(bar.open_ns, bar.open, bar.close, bar.volume) for bar in done] == [
        (offset, Decimal(23), Decimal(46), Decimal(24))
    ]


def test_weeks_begin_on_mondays() -> None:
    week = 7 * NS_PER_DAY
    monday = 20_220 * NS_PER_DAY  # 2025-05-12
    builder = BarBuilder(KEY, week)
    days = [flat(monday + day * NS_PER_DAY, NS_PER_DAY, 1, 1) for day in range(-1, 7)]
    done = [bar for day in days for bar in builder.add_bar(day)]
    assert len(done) == 1
    assert done[0].open_ns == monday
    assert done[0].volume == 7


def test_volume_is_summed_without_rounding_at_any_scale() -> None:
    builder = BarBuilder(KEY, NS_PER_MINUTE, complete_from_ns=0)
    quantities = ["1e30", "1e-30", "123456789.123456789"]
    for quantity in quantities:
        builder.add_trade(trade(1, 10, quantity))
    assert str(builder.advance(NS_PER_MINUTE)[0].volume) == (
        "1000000000000000000000123456789.123456789000000000000000000001"
    )


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (flat(0, NS_PER_MINUTE, 1, instrument="ETH/USDT@paper"), "a bar of ETH/USDT@paper in bars of"),
        (flat(0, 2 * NS_PER_MINUTE, 1), "does not fit"),
        (flat(1, NS_PER_MINUTE, 1), "does not fit"),
        (flat(0, 10 * NS_PER_MINUTE, 1), "does not fit"),
    ],
)
def test_bars_that_cannot_be_parts_of_the_bar_are_refused(bad: Bar, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BarBuilder(KEY, FIVE).add_bar(bad)


def test_a_trade_of_another_instrument_is_refused() -> None:
    with pytest.raises(ValueError, match="a trade of X@y in bars of"):
        BarBuilder(KEY, FIVE).add_trade(Trade("X@y", 0, Decimal(1), Decimal(1)))


def test_a_span_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="above zero"):
        BarBuilder(KEY, 0)
