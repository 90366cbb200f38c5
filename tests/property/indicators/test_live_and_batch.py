"""Live, batch and the plain Python reading of a step agree to the last bit, whatever is thrown at them."""

import copy
import pickle
from types import ModuleType

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from neuratrade.core import regime
from neuratrade.core.indicators import average, divergence, momentum, trend, volatility, volume, window
from neuratrade.core.indicators.kernel import LARGEST_INPUT, StepFunction
from neuratrade.core.indicators.native import STEPS, NativeProvider
from neuratrade.core.indicators.provider import BAR_COLUMNS, IndicatorProvider, LiveIndicators
from neuratrade.core.indicators.registry import DEFINITIONS, cells_of, definition_of, indicator
from neuratrade.core.indicators.spec import IndicatorSpec
from neuratrade.core.indicators.ta_lib import TaLibProvider
from neuratrade.core.regime import REGIMES, RegimeDetector, RegimeParams, detect_regimes
from tests.property.indicators.markets import markets, specs, table

NATIVE = NativeProvider()
MODULES: tuple[ModuleType, ...] = (average, divergence, momentum, trend, volatility, volume, window, regime)
UNUSABLE = (np.nan, np.inf, -np.inf, 1e300, -1.0, 0.0)


@st.composite
def hostile_tables(draw: st.DrawFn, shortest: int = 0) -> NDArray[np.float64]:
    """Bars with some cells overwritten by what broken feeds send."""
    bars = table(draw(markets(shortest=shortest)))
    for _ in range(draw(st.integers(0, 4)) if len(bars) else 0):
        row, column = draw(st.integers(0, len(bars) - 1)), draw(st.integers(0, len(BAR_COLUMNS) - 1))
        bars[row, column] = draw(st.sampled_from(UNUSABLE))
    return bars


def _feed(live: LiveIndicators, bars: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    return [live.update(*row[:5], session=row[5]).copy() for row in bars.tolist()]


@pytest.mark.parametrize("provider", [NATIVE, TaLibProvider()], ids=["native", "talib"])
@given(data=st.data())
def test_a_live_set_gives_the_bits_of_each_batch(provider: IndicatorProvider, data: st.DataObject) -> None:
    names = list(DEFINITIONS) if provider is NATIVE else ["sma", "macd", "atr", "adx", "bollinger", "obv"]
    chosen = [data.draw(specs(name)) for name in names]
    bars = data.draw(hostile_tables(shortest=1))
    live = provider.live(chosen)
    rows = np.array(_feed(live, bars))
    for spec in chosen:
        batch = provider.batch(spec, bars)
        start = live.position(spec)
        assert rows[:, start : start + batch.shape[1]].tobytes() == batch.tobytes(), spec


@given(data=st.data())
def test_a_set_restored_half_way_goes_on_with_the_same_bits(data: st.DataObject) -> None:
    chosen = [data.draw(specs(name)) for name in DEFINITIONS]
    bars = data.draw(hostile_tables(shortest=1))
    half = data.draw(st.integers(0, len(bars) - 1))
    whole = NATIVE.live(chosen)
    before = _feed(whole, bars[:half])
    kept = whole.snapshot()
    copies = [NATIVE.live(chosen), copy.deepcopy(whole), pickle.loads(pickle.dumps(whole))]
    copies[0].restore(kept)
    rest = np.array(_feed(whole, bars[half:]))
    assert len(before) + len(rest) == len(bars)
    for other in copies:
        assert np.array(_feed(other, bars[half:])).tobytes() == rest.tobytes()


@pytest.mark.parametrize("name", DEFINITIONS)
@settings(max_examples=40)
@given(data=st.data())
def test_a_value_does_not_depend_on_later_bars(name: str, data: st.DataObject) -> None:
    spec, bars = data.draw(specs(name)), data.draw(hostile_tables())
    cut = data.draw(st.integers(0, len(bars)))
    assert NATIVE.batch(spec, bars[:cut]).tobytes() == NATIVE.batch(spec, bars)[:cut].tobytes()


@pytest.fixture
def interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps call plain Python routines instead of compiled ones; what is compiled was so before."""
    assert all(step.address for step in (*STEPS.values(), regime.regime))
    for module in MODULES:
        for name, value in list(vars(module).items()):
            if hasattr(value, "py_func"):
                monkeypatch.setattr(module, name, value.py_func)


def _interpret(
    step: StepFunction, cells: int, params: tuple[float, ...], bars: NDArray[np.float64], outputs: int
) -> NDArray[np.float64]:
    """Run a step as Python on arrays of exactly the declared sizes: a write beyond them raises IndexError."""
    state, values = np.zeros(cells), np.array(params)
    out = np.full((len(bars), outputs), np.nan)
    for row, bar in zip(out, bars, strict=True):
        step(state, values, bar, row)
    return out


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("name", DEFINITIONS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(data=st.data())
def test_a_compiled_step_does_what_its_python_says_within_its_declared_state(
    name: str, data: st.DataObject
) -> None:
    spec = data.draw(specs(name))
    bars = table(data.draw(markets()))
    outputs = len(definition_of(spec).outputs)
    plain = _interpret(STEPS[name].function, cells_of(spec), spec.params, bars, outputs)
    assert plain.tobytes() == NATIVE.batch(spec, bars).tobytes()


SMALL_REGIME = RegimeParams(
    atr_period=3, adx_period=3, window=12, crash_bars=4, crash_sigmas=1.5, crash_floor=0.01, crash_hold=3
)


@given(data=st.data())
def test_a_live_regime_equals_the_batch_also_restored_half_way(data: st.DataObject) -> None:
    bars = data.draw(hostile_tables(shortest=1))
    codes = detect_regimes(bars, SMALL_REGIME)
    half = data.draw(st.integers(0, len(bars) - 1))
    detector = RegimeDetector(SMALL_REGIME)
    live = [detector.update(*row[:5]) for row in bars[:half].tolist()]
    later = pickle.loads(pickle.dumps(detector))
    live += [later.update(*row[:5]) for row in bars[half:].tolist()]
    assert live == [REGIMES[code] for code in codes]


@pytest.mark.usefixtures("interpreted")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(data=st.data())
def test_the_compiled_regime_step_does_what_its_python_says(data: st.DataObject) -> None:
    bars = table(data.draw(markets()))
    runner = regime._runner(SMALL_REGIME)
    values = tuple(float(value) for value in runner._params[:-1])
    plain = _interpret(regime.regime.function, runner.state.size, values, bars, 1)
    assert plain.tobytes() == runner.run(bars).tobytes()


@pytest.mark.parametrize("name", DEFINITIONS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 2 * LARGEST_INPUT])
def test_an_unusable_bar_gives_nan_and_leaves_no_trace(name: str, value: float) -> None:
    spec: IndicatorSpec = indicator(name)
    steps = np.sin(np.arange(200.0) / 7.0) + np.arange(200.0) % 5
    clean = np.column_stack([100 + steps, 102 + steps, 98 + steps, 101 + steps, 10 + steps, np.zeros(200)])
    broken = np.insert(clean, 150, clean[150], axis=0)
    for column in definition_of(spec).inputs:
        hurt = broken.copy()
        hurt[150, BAR_COLUMNS.index(column)] = value
        found = NATIVE.batch(spec, hurt)
        assert np.isnan(found[150]).all()
        assert np.delete(found, 150, axis=0).tobytes() == NATIVE.batch(spec, clean).tobytes()
