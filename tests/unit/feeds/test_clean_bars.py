"""The one-pass look at bars lets through exactly what the rules, one by one, find nothing wrong with."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from neuratrade.feeds.layout import SeriesKind
from neuratrade.feeds.problems import Problems
from neuratrade.feeds.rows import Rows
from neuratrade.feeds.rules import RowRules, has_clean_numbers

cells = st.one_of(
    st.integers(1, 3).map(float), st.sampled_from([0.0, -1.0, float("nan"), float("inf"), -float("inf")])
)
rows = st.tuples(*[st.one_of(st.integers(1, 3).map(float), cells)] * 5)
T0 = 1_747_094_400_000_000_000
MINUTE = 60_000_000_000


def framed(values: list[tuple[float, ...]], ts: list[int]) -> pl.DataFrame:
    names = ["open", "high", "low", "close", "volume"]
    return pl.DataFrame(values, dict.fromkeys(names, pl.Float64), orient="row").with_columns(
        pl.Series("ts", ts, pl.Int64)
    )


@given(values=st.lists(rows, min_size=1, max_size=3))
def test_numbers_are_clean_exactly_when_no_rule_is_broken(values: list[tuple[float, ...]]) -> None:
    frame = framed(values, [T0 + MINUTE * place for place in range(len(values))])
    problems = Problems()
    rules = RowRules(SeriesKind.BARS, problems, MINUTE)
    rules._judge_ranges(rules._judge_numbers(Rows(frame, 1)))
    assert has_clean_numbers(frame) == (problems.count == 0)


@given(
    steps=st.lists(st.sampled_from([1, 1, 1, 1, 2, 0, -1]), min_size=1, max_size=8),
    cut=st.integers(0, 8),
    off=st.sampled_from([0, 0, 0, 1]),
)
def test_times_are_judged_the_same_in_one_piece_and_in_two(steps: list[int], cut: int, off: int) -> None:
    ts, at = [], T0 + off
    for step in steps:
        at += step * MINUTE
        ts.append(at)
    frame = framed([(1.0, 1.0, 1.0, 1.0, 1.0)] * len(ts), ts)
    found = []
    for pieces in ([frame], [frame[:cut], frame[cut:]]):
        problems = Problems()
        rules = RowRules(SeriesKind.BARS, problems, MINUTE)
        row = 1
        for piece in pieces:
            rules.judge(Rows(piece, row))
            row += piece.height
        found.append((sorted((item.row, item.message) for item in problems.listed), rules.missing_bars))
    assert found[0] == found[1]
    if any(step < 1 for step in steps[1:]) or off:
        assert found[0][0]
