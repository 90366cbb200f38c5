"""The indicators there are: one row each, with inputs, outputs, defaults, ranges, warm-up and size of state.

Formulas live in the step files; `native.STEPS` joins them to these rows. See docs/how-to/add-an-indicator.md.
"""

from typing import Final

from neuratrade.core.indicators.spec import (
    Definition,
    IndicatorSpec,
    Parameter,
    check_params,
    unknown_name,
)

LONGEST: Final = 10_000
"""The longest window in bars: a week of minutes. Longer ones belong on a longer timeframe."""


def _bars(name: str, default: int, lowest: int = 1, highest: int = LONGEST) -> Parameter:
    return Parameter(name, default, lowest, highest)


def _times(name: str, default: float, highest: float = 100.0) -> Parameter:
    return Parameter(name, default, 0.01, highest, whole=False)


_CLOSE = ("close",)
_VOLUME = ("volume",)
_RANGE = ("high", "low", "close")
_TRADED = ("high", "low", "close", "volume")

DEFINITIONS: Final[dict[str, Definition]] = {
    definition.name: definition
    for definition in (
        Definition("sma", _CLOSE, ("sma",), (_bars("period", 20),), lambda n: n - 1, lambda n: 5 + n),
        Definition("ema", _CLOSE, ("ema",), (_bars("period", 20),), lambda n: n - 1, lambda n: 3),
        Definition("rsi", _CLOSE, ("rsi",), (_bars("period", 14, 2),), lambda n: n, lambda n: 4),
        Definition(
            "macd",
            _CLOSE,
            ("line", "signal", "histogram"),
            (_bars("fast", 12, 2), _bars("slow", 26, 3), _bars("signal", 9)),
            lambda fast, slow, signal: slow + signal - 2,
            lambda fast, slow, signal: 10,
            ascending=("fast", "slow"),
        ),
        Definition("atr", _RANGE, ("atr",), (_bars("period", 14),), lambda n: n, lambda n: 3),
        Definition(
            "bollinger",
            _CLOSE,
            ("upper", "middle", "lower"),
            (_bars("period", 20, 2), _times("deviations", 2.0)),
            lambda n, width: n - 1,
            lambda n, width: 5 + n,
        ),
        Definition(
            "stochastic",
            _RANGE,
            ("k", "d"),
            (_bars("period", 14), _bars("smooth", 3), _bars("signal", 3)),
            lambda n, smooth, signal: n + smooth + signal - 3,
            lambda n, smooth, signal: 2 * (2 + n) + 10 + smooth + signal,
        ),
        Definition("obv", ("close", "volume"), ("obv",), (), lambda: 0, lambda: 4),
        Definition(
            "vwap", _TRADED, ("vwap",), (_bars("period", 60),), lambda n: n - 1, lambda n: 2 * (5 + n)
        ),
        Definition("session_vwap", (*_TRADED, "session"), ("vwap",), (), lambda: 0, lambda: 6),
        Definition(
            "adx",
            _RANGE,
            ("adx", "plus_di", "minus_di"),
            (_bars("period", 14, 2),),
            lambda n: 2 * n - 1,
            lambda n: 9,
        ),
        Definition(
            "supertrend",
            _RANGE,
            ("line", "direction"),
            (_bars("period", 10), _times("multiplier", 3.0)),
            lambda n, multiplier: n,
            lambda n, multiplier: 6,
        ),
        Definition(
            "ichimoku",
            _RANGE,
            ("tenkan", "kijun", "senkou_a", "senkou_b", "chikou"),
            (_bars("tenkan", 9), _bars("kijun", 26), _bars("senkou", 52), _bars("shift", 26)),
            lambda tenkan, kijun, senkou, shift: senkou - 1 + shift,
            lambda tenkan, kijun, senkou, shift: 2 * (6 + tenkan + kijun + senkou) + 3 * (3 + shift),
            ascending=("tenkan", "kijun", "senkou"),
        ),
        Definition(
            "zscore", _CLOSE, ("zscore",), (_bars("period", 20, 2),), lambda n: n - 1, lambda n: 2 + n
        ),
        Definition(
            "volume_spike", _VOLUME, ("ratio",), (_bars("period", 20, 2),), lambda n: n - 1, lambda n: 5 + n
        ),
        Definition(
            "rsi_divergence",
            _CLOSE,
            ("bullish", "bearish"),
            (_bars("period", 14, 2), _bars("wing", 5), _bars("reach", 60)),
            lambda n, wing, reach: wing + max(n, wing),
            lambda n, wing, reach: 4 + 2 * (2 + 2 * wing + 1) + 6,
        ),
    )
}


def definition_of(spec: IndicatorSpec) -> Definition:
    """The definition of `spec`. Raises ValueError for an unknown name (naming the nearest) or parameter."""
    definition = DEFINITIONS.get(spec.name)
    if definition is None:
        raise unknown_name("indicator", spec.name, tuple(DEFINITIONS))
    check_params(definition, spec.params)
    return definition


def indicator(name: str, *params: float, **named: float) -> IndicatorSpec:
    """A checked spec with defaults filled in: `indicator("macd")`, `indicator("rsi", 7)`, `indicator("macd",
    fast=8)`.

    Raises ValueError for an unknown name or parameter (with the nearest valid one) and for a value out of
    range.
    """
    definition = DEFINITIONS.get(name)
    if definition is None:
        raise unknown_name("indicator", name, tuple(DEFINITIONS))
    values = {parameter.name: parameter.default for parameter in definition.parameters}
    for key in named:
        if key not in values:
            raise unknown_name(f"parameter of indicator {name!r}", key, tuple(values))
    given = [parameter.name for parameter in definition.parameters[: len(params)]]
    if twice := [key for key in given if key in named]:
        raise ValueError(f"{', '.join(twice)} of indicator {name!r} is given twice, by position and by name")
    filled = tuple((values | named)[parameter.name] for parameter in definition.parameters[len(params) :])
    spec = IndicatorSpec(name, tuple(float(value) for value in (*params, *filled)))
    check_params(definition, spec.params)
    return spec


def warm_up_of(spec: IndicatorSpec) -> int:
    """Usable bars before the first one that has all outputs of `spec`."""
    return int(definition_of(spec).warm_up(*spec.params))


def cells_of(spec: IndicatorSpec) -> int:
    """float64 cells of state that `spec` needs."""
    return int(definition_of(spec).cells(*spec.params))
