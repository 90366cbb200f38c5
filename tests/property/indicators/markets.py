"""Bars made by hypothesis: prices from 1e-6 to 1e6 with at most nine significant digits, and three tempers.

STEADY stays within a factor of ten, as one asset does. TICKING moves by a few of its smallest units around a
large price, so that ties are common and everything cancels. WILD may be anywhere from 1e-6 to 1e6 at any bar.
"""

from typing import Final

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from neuratrade.core.indicators.provider import bar_table
from neuratrade.core.indicators.registry import DEFINITIONS, indicator
from neuratrade.core.indicators.spec import IndicatorSpec
from tests.property.indicators.oracles import Bars

STEADY: Final = "steady"
TICKING: Final = "ticking"
WILD: Final = "wild"
TEMPERS: Final = (STEADY, TICKING, WILD)

_LONGEST_PERIOD = 9


def _price(digits: int, exponent: int) -> float:
    return float(f"{digits}e{exponent}")


@st.composite
def prices(draw: st.DrawFn, temper: str, count: int) -> list[float]:
    if temper == WILD:
        numbers = draw(st.lists(st.integers(0, 12 * 900_000_000 - 1), min_size=count, max_size=count))
        return [_price(100_000_000 + number // 12, number % 12 - 14) for number in numbers]
    exponent = draw(st.integers(-14, -3))
    low, high = (100_000_000, 999_999_999) if temper == STEADY else (999_999_900, 999_999_912)
    numbers = draw(st.lists(st.integers(low, high), min_size=count, max_size=count))
    return [_price(digits, exponent) for digits in numbers]


@st.composite
def markets(draw: st.DrawFn, temper: str = "", shortest: int = 0, longest: int = 40) -> Bars:
    """Bars of three prices each, any of which may be the close; volumes are zero one time in four."""
    count = draw(st.integers(shortest, longest))
    quotes = draw(prices(temper or draw(st.sampled_from(TEMPERS)), 3 * count))
    traded = draw(st.lists(st.integers(0, 999_999_999), min_size=count, max_size=count))
    days = draw(st.integers(0, 2**count - 1))
    return Bars(
        open=quotes[1::3],
        high=[max(quotes[3 * i : 3 * i + 3]) for i in range(count)],
        low=[min(quotes[3 * i : 3 * i + 3]) for i in range(count)],
        close=quotes[0::3],
        volume=[_price(digits, -4) if digits % 4 else 0.0 for digits in traded],
        session=[float((days >> i).bit_count()) for i in range(count)],
    )


@st.composite
def specs(draw: st.DrawFn, name: str) -> IndicatorSpec:
    """A spec of indicator `name` with short windows, so that short series warm it up."""
    definition = DEFINITIONS[name]
    values: dict[str, float] = {}
    least = 0.0
    for parameter in definition.parameters:
        if not parameter.whole:
            values[parameter.name] = draw(st.sampled_from([0.5, 1.0, 2.0, 2.5, 3.0]))
            continue
        rises = parameter.name in definition.ascending
        lowest = int(max(parameter.lowest, least + 1 if rises else 0))
        values[parameter.name] = draw(st.integers(lowest, max(lowest, _LONGEST_PERIOD)))
        least = values[parameter.name] if rises else least
    return indicator(name, **values)


def table(bars: Bars) -> NDArray[np.float64]:
    columns = {name: np.array(values, dtype=np.float64) for name, values in bars._asdict().items()}
    return bar_table(**columns)
