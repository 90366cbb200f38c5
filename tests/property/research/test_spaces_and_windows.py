"""Whatever the range: values lie on its grid and inside it. Whatever the windows: they share nothing."""

from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from neuratrade.core.model.errors import UsageError
from neuratrade.research.space import Range, space_of
from neuratrade.research.windows import Windows, cut

DAY = 86_400 * 10**9
levels = st.decimals(min_value=1, max_value=99, places=2)


@given(levels, levels, st.decimals(min_value="0.01", max_value=50, places=2), st.floats(-200, 200))
def test_every_value_of_a_range_is_on_its_grid_inside_it_and_survives_a_float(
    one: Decimal, two: Decimal, step: Decimal, drawn: float
) -> None:
    low, high = sorted((one, two))
    (dimension,) = space_of("rsi_rule", {"buy_level_points": f"{low}:{high}:{step}"}).dimensions
    assert isinstance(dimension, Range)
    assert low <= dimension.high <= high < dimension.high + step
    value = dimension.nearest(drawn)
    assert low <= value <= high
    assert (value - low) % step == 0
    assert dimension.nearest(float(value)) == value
    assert (
        abs(Decimal(drawn) - value) <= step / 2 + Decimal("1e-9")
        or not low <= Decimal(drawn) <= high - step / 2
    )


@given(
    st.integers(1, 20),
    st.integers(1, 10),
    st.integers(0, 5),
    st.booleans(),
    st.integers(0, 200),
    st.integers(0, 90),
    st.integers(0, 3 * 24),
)
def test_windows_share_no_test_day_and_no_training_reaches_its_test(
    train: int, test: int, more: int, anchored: bool, embargo: int, days: int, hold_hours: int
) -> None:
    step = test + more if more else 0
    windows = Windows(
        train_days=train, test_days=test, step_days=step, anchored=anchored, embargo_bars=embargo
    )
    hold, span, begin = hold_hours * DAY // 24, DAY // 96, 17
    try:
        found = cut(windows, begin, begin + days * DAY, hold, span)
    except UsageError:
        assert days < train + test or hold + embargo * span >= train * DAY
        return
    assert found
    for window in found:
        assert window.train_start_ns < window.train_end_ns
        assert window.train_end_ns + hold + embargo * span == window.test_start_ns
        assert window.test_end_ns - window.test_start_ns == test * DAY
        assert begin <= window.train_start_ns
        assert window.test_end_ns <= begin + days * DAY
        assert not anchored or window.train_start_ns == begin
    for before, after in pairwise(found):
        assert before.test_end_ns <= after.test_start_ns
    assert found[-1].test_end_ns + (step or test) * DAY > begin + days * DAY
