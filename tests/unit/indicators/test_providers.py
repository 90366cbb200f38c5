"""The providers: sets, positions, snapshots, and what they refuse."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from neuratrade.core.indicators.kernel import BAR_WIDTH
from neuratrade.core.indicators.native import STEPS, NativeProvider, compile_kernels
from neuratrade.core.indicators.provider import IndicatorProvider, bar_table
from neuratrade.core.indicators.registry import indicator
from neuratrade.core.indicators.spec import IndicatorSpec
from neuratrade.core.indicators.ta_lib import TaLibProvider

NATIVE = NativeProvider()
TALIB = TaLibProvider()
PROVIDERS: list[IndicatorProvider] = [NATIVE, TALIB]
CLOSES = 100.0 + np.sin(np.arange(80.0) / 3.0)
BARS = bar_table(open=CLOSES, high=CLOSES + 1, low=CLOSES - 1, close=CLOSES, volume=np.full(80, 2.0))


@pytest.mark.parametrize("provider", PROVIDERS, ids=["native", "talib"])
def test_a_set_lays_outputs_side_by_side_and_tells_their_places(provider: IndicatorProvider) -> None:
    rsi, macd = indicator("rsi"), indicator("macd")
    live = provider.live([rsi, macd, rsi])
    assert (live.position(rsi), live.position(macd), live.position(macd, "histogram")) == (0, 1, 3)
    assert live.warm_up == 33
    row = [live.update(*bar[:5]).copy() for bar in BARS.tolist()][-1]
    assert row[1] - row[2] == row[3]


@pytest.mark.parametrize("provider", PROVIDERS, ids=["native", "talib"])
def test_a_place_that_is_not_in_the_set_is_refused_with_what_is(provider: IndicatorProvider) -> None:
    live = provider.live([indicator("macd")])
    with pytest.raises(ValueError, match=re.escape("rsi(14) is not in this set; it holds macd(12, 26, 9)")):
        live.position(indicator("rsi"))
    with pytest.raises(ValueError, match="has no output 'hist'; it has line, signal, histogram"):
        live.position(indicator("macd"), "hist")


@pytest.mark.parametrize("provider", PROVIDERS, ids=["native", "talib"])
def test_no_bars_give_no_rows(provider: IndicatorProvider) -> None:
    assert provider.batch(indicator("macd"), BARS[:0]).shape == (0, 3)


@pytest.mark.parametrize("provider", PROVIDERS, ids=["native", "talib"])
def test_a_table_of_another_shape_is_refused(provider: IndicatorProvider) -> None:
    for shape in ((5,), (5, BAR_WIDTH - 1)):
        with pytest.raises(ValueError, match="make them with bar_table"):
            provider.batch(indicator("sma"), np.ones(shape))


def test_an_empty_set_gives_empty_rows() -> None:
    assert NATIVE.live([]).update(1.0, 1.0, 1.0, 1.0, 1.0).shape == (0,)
    assert TALIB.live([]).update(1.0, 1.0, 1.0, 1.0, 1.0).shape == (0,)


def test_columns_of_different_lengths_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="open 80, high 80, low 80, close 79, volume 80"):
        bar_table(open=CLOSES, high=CLOSES, low=CLOSES, close=CLOSES[1:], volume=CLOSES, session=CLOSES)


def test_a_snapshot_of_another_set_is_refused() -> None:
    kept = NATIVE.live([indicator("sma", 5)]).snapshot()
    with pytest.raises(ValueError, match="snapshot of 10 cells does not fit a state of 11"):
        NATIVE.live([indicator("sma", 6)]).restore(kept)


def test_a_table_in_another_memory_order_gives_the_same_values() -> None:
    spec = indicator("adx")
    assert NATIVE.batch(spec, np.asfortranarray(BARS)).tobytes() == NATIVE.batch(spec, BARS).tobytes()


def test_whole_numbers_are_taken_as_prices() -> None:
    live = NATIVE.live([indicator("sma", 1)])
    assert live.update(1, 3, 1, 2, 5).tolist() == [2.0]


def test_compiling_reports_every_kernel_and_then_the_loops() -> None:
    seen: list[tuple[str, int, int]] = []
    compile_kernels(lambda name, done, total: seen.append((name, done, total)))
    assert [name for name, _, _ in seen] == [*STEPS, "loops"]
    assert [done for _, done, _ in seen] == list(range(len(STEPS) + 1))
    assert {total for _, _, total in seen} == {len(STEPS) + 1}


def test_talib_offers_what_we_do_not_have_under_its_own_name() -> None:
    cci = TALIB.batch(IndicatorSpec("ta_cci", (14.0,)), BARS)
    typical = (BARS[-14:, 1] + BARS[-14:, 2] + BARS[-14:, 3]) / 3
    spread = np.abs(typical - typical.mean()).mean()
    assert cci[-1, 0] == pytest.approx((typical[-1] - typical.mean()) / (0.015 * spread), rel=1e-9)
    assert np.isnan(cci[:13]).all()


def test_a_long_talib_stream_still_gives_the_bits_of_the_batch() -> None:
    spec, long = indicator("ema"), np.tile(BARS, (20, 1))
    live = TALIB.live([spec])
    rows = np.array([live.update(*bar[:5]) for bar in long.tolist()])
    assert rows.tobytes() == TALIB.batch(spec, long).tobytes()


def test_a_candle_pattern_is_unknown_until_warm() -> None:
    doji = TALIB.batch(IndicatorSpec("ta_cdldoji"), BARS)
    assert np.isnan(doji[:10]).all()
    assert (doji[10:] == 100.0).all()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (IndicatorSpec("zscore", (3.0,)), "TA-Lib has no 'zscore'; use the native provider"),
        (IndicatorSpec("ta_cc", (3.0,)), "unknown TA-Lib indicator 'ta_cc'; did you mean 'ta_cci'?"),
        (IndicatorSpec("ta_cci"), "'ta_cci' takes the parameters timeperiod; got 0 values"),
        (IndicatorSpec("ta_mavp", (2.0, 30.0, 0.0)), "'ta_mavp' reads periods; bars do not have that"),
        (IndicatorSpec("ta_cci", (1.0,)), "TA-Lib refuses ta_cci(1)"),
    ],
)
def test_what_talib_cannot_compute_is_refused_with_the_reason(spec: IndicatorSpec, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        TALIB.batch(spec, BARS)


def test_a_missing_talib_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "talib", None)
    with pytest.raises(ValueError, match=re.escape("install neuratrade[talib]")):
        TaLibProvider()


def test_a_kernel_is_compiled_anew_when_a_routine_or_constant_in_another_file_changes(tmp_path: Path) -> None:
    called = tmp_path / "called.py"
    (tmp_path / "caller.py").write_text(
        "import numpy as np\n"
        "from called import FACTOR, twice\n"
        "from neuratrade.core.indicators.kernel import Runner, kernel, step\n"
        "@kernel\ndef between(value):\n    return twice(value) * FACTOR\n"
        "@step\ndef scaled(state, params, bar, out):\n    out[0] = between(bar[3])\n"
        "print(Runner([(scaled, 8, 1, (), 1)]).update(0.0, 0.0, 0.0, 1.0, 0.0)[0])\n"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
    printed = []
    for factor, product in ((1.0, "2.0"), (1.0, "3.0"), (10.0, "3.0")):
        called.write_text(
            "from neuratrade.core.indicators.kernel import kernel\n"
            f"FACTOR = {factor}\n@kernel\ndef twice(value):\n    return value * {product}\n"
        )
        run = [sys.executable, str(tmp_path / "caller.py")]
        printed.append(
            subprocess.run(run, env=environment, capture_output=True, text=True, check=True).stdout
        )
    assert printed == ["2.0\n", "3.0\n", "30.0\n"]


def test_checking_a_spec_does_not_load_the_compiler() -> None:
    code = (
        "import sys; from neuratrade.core.indicators.registry import indicator; indicator('rsi'); "
        "from neuratrade.core.indicators.provider import IndicatorProvider; "
        "sys.exit('numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
