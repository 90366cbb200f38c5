"""TA-Lib as the second provider: our names where it has them, and everything else it offers as
`ta_<function>`.

`IndicatorSpec("ta_cci", (14.0,))` is TA-Lib's CCI, its parameters in TA-Lib's order. The library is optional
and is imported only when a provider is made. Unusable bars are left out, exactly as the native kernels do.

TA-Lib's stream functions read a bounded window; an EMA or a Wilder average over such a window is not the one
over the whole history, so live would drift from batch. The live set therefore keeps the whole history and
computes the newest
row from all of it: exact, at a cost that grows with the history (about a millisecond for each year of minutes
and indicator). Backtests use `batch`; a desk that needs speed uses the native provider.
"""

from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Final, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from neuratrade.core.indicators.kernel import BAR_WIDTH, usable_rows
from neuratrade.core.indicators.provider import BAR_COLUMNS, RowLayout, check_bars, column_bits
from neuratrade.core.indicators.registry import DEFINITIONS, definition_of
from neuratrade.core.indicators.spec import Definition, IndicatorSpec, Parameter, unknown_name

PREFIX: Final = "ta_"

_Columns: TypeAlias = Mapping[str, NDArray[np.float64]]
_Arrays: TypeAlias = Sequence[NDArray[np.float64]]


def _directional(ta: ModuleType, bars: _Columns, period: int) -> _Arrays:
    ranges = (bars["high"], bars["low"], bars["close"])
    strength = ta.ADX(*ranges, period)
    lines = (ta.PLUS_DI(*ranges, period), ta.MINUS_DI(*ranges, period))
    return (strength, *(np.where(np.isnan(strength), np.nan, line) for line in lines))


_OURS: Final[dict[str, Callable[..., _Arrays]]] = {
    "sma": lambda ta, bars, period: (ta.SMA(bars["close"], period),),
    "ema": lambda ta, bars, period: (ta.EMA(bars["close"], period),),
    "rsi": lambda ta, bars, period: (ta.RSI(bars["close"], period),),
    "macd": lambda ta, bars, fast, slow, signal: ta.MACD(bars["close"], fast, slow, signal),
    "atr": lambda ta, bars, period: (ta.ATR(bars["high"], bars["low"], bars["close"], period),),
    "bollinger": lambda ta, bars, period, width: ta.BBANDS(bars["close"], period, width, width),
    "stochastic": lambda ta, bars, period, smooth, signal: ta.STOCH(
        bars["high"], bars["low"], bars["close"], period, smooth, 0, signal, 0
    ),
    "obv": lambda ta, bars: (ta.OBV(bars["close"], bars["volume"]),),
    "adx": _directional,
}


def _values(parameters: Sequence[Parameter], params: Sequence[float]) -> list[float]:
    return [int(v) if parameter.whole else v for parameter, v in zip(parameters, params, strict=True)]


class TaLibProvider:
    """`IndicatorProvider` on TA-Lib. Making it raises ValueError when TA-Lib is not installed."""

    def __init__(self) -> None:
        try:
            import talib
            import talib.abstract
        except ImportError as error:
            raise ValueError("TA-Lib is not installed; install neuratrade[talib]") from error
        self._talib: ModuleType = talib
        self._abstract: ModuleType = talib.abstract

    def definition(self, spec: IndicatorSpec) -> Definition:
        """What `spec` reads and gives. Raises ValueError for what TA-Lib does not have."""
        if spec.name in _OURS:
            return definition_of(spec)
        functions = tuple(PREFIX + name.lower() for name in self._talib.get_functions())
        if spec.name not in functions:
            if spec.name in DEFINITIONS:
                raise ValueError(f"TA-Lib has no {spec.name!r}; use the native provider")
            raise unknown_name("TA-Lib indicator", spec.name, (*_OURS, *functions))
        return self._described(spec)

    def live(self, specs: Sequence[IndicatorSpec]) -> "TaLibIndicators":
        """A fresh set for one stream."""
        return TaLibIndicators(self, specs)

    def batch(self, spec: IndicatorSpec, bars: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values of `spec` over `bars` (n, 6), shape (n, outputs). Raises ValueError where TA-Lib refuses."""
        definition = self.definition(spec)
        table = check_bars(bars)
        rows = np.flatnonzero(usable_rows(column_bits(definition.inputs), table))
        columns = {name: np.ascontiguousarray(table[rows, i]) for i, name in enumerate(BAR_COLUMNS)}
        out = np.full((len(table), len(definition.outputs)), np.nan)
        if len(rows):
            out[rows] = np.column_stack(self._compute(spec, definition, columns))
            out[rows[: int(definition.warm_up(*spec.params))]] = np.nan  # candle patterns begin with zeros
        return out

    def _compute(self, spec: IndicatorSpec, definition: Definition, columns: _Columns) -> _Arrays:
        values = _values(definition.parameters, spec.params)
        try:
            if spec.name in _OURS:
                return _OURS[spec.name](self._talib, columns, *values)
            function = self._abstract.Function(spec.name.removeprefix(PREFIX).upper())
            names = [parameter.name for parameter in definition.parameters]
            found = function(dict(columns), **dict(zip(names, values, strict=True)))
        except Exception as error:  # TA-Lib raises nothing narrower
            raise ValueError(f"TA-Lib refuses {spec}: {error}") from error
        return cast(_Arrays, found if isinstance(found, list) else [found])

    def _described(self, spec: IndicatorSpec) -> Definition:
        function = self._abstract.Function(spec.name.removeprefix(PREFIX).upper())
        inputs: list[str] = []
        for value in function.info["input_names"].values():
            inputs.extend(value if isinstance(value, list) else [value])
        if missing := set(inputs) - set(BAR_COLUMNS):
            raise ValueError(
                f"TA-Lib's {spec.name!r} reads {', '.join(sorted(missing))}; bars do not have that"
            )
        defaults = function.info["parameters"]
        if len(spec.params) != len(defaults):
            names = ", ".join(defaults) or "none"
            raise ValueError(f"{spec.name!r} takes the parameters {names}; got {len(spec.params)} values")
        parameters = tuple(
            Parameter(name, default, -np.inf, np.inf, whole=isinstance(default, int))
            for name, default in defaults.items()
        )
        function.parameters = dict(zip(defaults, _values(parameters, spec.params), strict=True))
        lookback = int(function.lookback)
        return Definition(
            name=spec.name,
            inputs=tuple(dict.fromkeys(inputs)),
            outputs=tuple(function.output_names),
            parameters=parameters,
            warm_up=lambda *_: lookback,
            cells=lambda *_: 0,
        )


class TaLibIndicators:
    """A set on one stream of bars, computed anew from the whole history at each bar."""

    def __init__(self, provider: TaLibProvider, specs: Sequence[IndicatorSpec]) -> None:
        self._provider = provider
        self.specs = tuple(dict.fromkeys(specs))
        definitions = [(spec, provider.definition(spec)) for spec in self.specs]
        self.warm_up = max((int(d.warm_up(*spec.params)) for spec, d in definitions), default=0)
        self._layout = RowLayout([(spec, definition.outputs) for spec, definition in definitions])
        self.position = self._layout.position
        self._bars = np.empty((1024, BAR_WIDTH))
        self._seen = 0

    def update(
        self, open: float, high: float, low: float, close: float, volume: float, *, session: float = 0.0
    ) -> NDArray[np.float64]:
        """Take one closed bar; the row of all values."""
        if self._seen == len(self._bars):
            self._bars = np.concatenate([self._bars, np.empty_like(self._bars)])
        self._bars[self._seen] = (open, high, low, close, volume, session)
        self._seen += 1
        bars = self._bars[: self._seen]
        rows = (self._provider.batch(spec, bars)[-1] for spec in self.specs)
        return np.concatenate([np.empty(0), *rows])
