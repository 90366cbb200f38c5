"""Compiled steps, and the two loops that drive them.

An indicator is one step: `step(state, params, bar, out)`. Live trading calls it once a bar, a backtest loops
it over arrays; both loops below call the very same machine code through its address, so live and batch cannot
differ by a bit. A formula written twice, once for arrays and once for live, is how backtests come to promise
what trading does not keep.

The loops also guard the state. A bar whose needed inputs are not usable (nan, infinite, beyond 1e100, or a
negative volume) never reaches the step: the outputs of that bar are nan and the state stays as it was, as if
the bar had not been. One bad tick can therefore not poison a recursive average for ever.

This module and the step files are the only ones that import numba. numba caches compiled code in files; the
app chooses the folder (NUMBA_CACHE_DIR) before the first import.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from hashlib import sha256
from types import FunctionType
from typing import Any, Final, Protocol, TypeAlias, TypeVar, cast

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

Cells: TypeAlias = NDArray[np.float64]
"""A run of float64. In compiled code a bare pointer: index it, never slice it or ask for its length."""

StepFunction: TypeAlias = Callable[[Cells, Cells, Cells, Cells], None]

OPEN: Final = 0
HIGH: Final = 1
LOW: Final = 2
CLOSE: Final = 3
VOLUME: Final = 4
SESSION: Final = 5
BAR_WIDTH: Final = 6

LARGEST_INPUT: Final = 1e100
"""Beyond this, squares inside the steps would overflow, and an infinity never leaves a recursive state."""


class _Callback(Protocol):
    @property
    def address(self) -> int: ...


_Function = TypeVar("_Function", bound=Callable[..., object])
_STEP_SIGNATURE: Final = "void(CPointer(float64), CPointer(float64), CPointer(float64), CPointer(float64))"


def _meaning(function: FunctionType) -> str:
    """Digest of the code of `function` and of every kernel and constant it refers to."""
    code = function.__code__
    parts = [code.co_code.hex(), repr(code.co_consts)]
    for name in code.co_names:
        value = function.__globals__.get(name)
        called = getattr(value, "py_func", None)
        if isinstance(called, FunctionType):
            parts.append(f"{name}={_meaning(called)}")
        elif isinstance(value, int | float):
            parts.append(f"{name}={value!r}")
    return sha256("\n".join(parts).encode()).hexdigest()


def _name_by_meaning(function: Callable[..., object]) -> None:
    # numba compiles anew when the file of a function changes, but not when a routine it calls in another
    # file does: after an update of that file alone, old formulas would go on trading. Its cache goes by name.
    if isinstance(function, FunctionType):
        function.__qualname__ = f"{function.__name__}_{_meaning(function)[:16]}"


def kernel(function: _Function) -> _Function:
    """Compile a routine that steps share. IEEE arithmetic as written: no reordering, x / 0 is inf or nan."""
    _name_by_meaning(function)
    return cast(_Function, numba.njit(cache=True, fastmath=False, error_model="numpy")(function))


class Step:
    """A step kernel: compiled on first use, then called by address."""

    def __init__(self, function: StepFunction) -> None:
        self.function = function
        self._compiled: object = None

    @cached_property
    def address(self) -> int:
        """Address of the machine code; compiles it, or loads it from numba's cache, the first time."""
        _name_by_meaning(self.function)
        decorate = numba.cfunc(_STEP_SIGNATURE, cache=True, fastmath=False, error_model="numpy")
        compiled = cast(_Callback, decorate(self.function))
        self._compiled = compiled  # the code lives as long as this object
        return compiled.address


def step(function: StepFunction) -> Step:
    """Mark `function(state, params, bar, out)` as the step kernel of an indicator.

    state: all zeros before the first bar; only the step writes it, and it holds everything the step
    remembers.
    params: the values of the spec, in the order of the registry. bar: one bar, by OPEN ... SESSION.
    out: filled with nan before each call; the step writes it once it is warm.
    """
    return Step(function)


def _type_call(
    _typing: object, _address: object, _state: object, _params: object, _bar: object, _out: object
) -> tuple[object, Callable[..., object]]:
    def generate(context: Any, builder: Any, _signature: object, arguments: Sequence[Any]) -> object:
        cells = ir.PointerType(ir.DoubleType())
        function = ir.FunctionType(ir.VoidType(), [cells] * 4)
        target = builder.inttoptr(arguments[0], function.as_pointer())
        builder.call(target, [builder.inttoptr(argument, cells) for argument in arguments[1:]])
        return context.get_dummy_value()

    return types.void(*[types.intp] * 5), generate


_call_step = cast(Callable[[int, int, int, int, int], None], intrinsic(_type_call))
"""Call a step by its address, with the addresses of state, params, bar and out; compiled code only."""


@kernel
def _usable(needed: int, bar: Cells) -> bool:
    for column in range(BAR_WIDTH):
        if needed >> column & 1:
            if not abs(bar[column]) <= LARGEST_INPUT:
                return False
            if column == VOLUME and bar[column] < 0.0:
                return False
    return True


@kernel
def usable_rows(needed: int, bars: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of `bars` (n, BAR_WIDTH) have usable values in all needed columns: shape (n,)."""
    found = np.empty(bars.shape[0], dtype=np.bool_)
    for i in range(bars.shape[0]):
        found[i] = _usable(needed, bars[i])
    return found


@kernel
def advance_set(  # noqa: PLR0917 - compiled code takes arguments by place
    table: NDArray[np.int64],
    state: Cells,
    params: Cells,
    bar: Cells,
    row: Cells,
    open: float,
    high: float,
    low: float,
    close: float,
    volume: float,
    session: float,
) -> None:
    """Advance many indicators by one bar; `row` gets all their outputs side by side.

    bar: BAR_WIDTH cells to lay the bar out in: filled here, one cell costs a nanosecond instead of fifty.
    table: one row an indicator, (address, needed columns as bits, its offset in state, in params, in row).
    """
    bar[OPEN] = open
    bar[HIGH] = high
    bar[LOW] = low
    bar[CLOSE] = close
    bar[VOLUME] = volume
    bar[SESSION] = session
    row[:] = np.nan
    for i in range(table.shape[0]):
        if _usable(table[i, 1], bar):
            _call_step(
                table[i, 0],
                state.ctypes.data + 8 * table[i, 2],
                params.ctypes.data + 8 * table[i, 3],
                bar.ctypes.data,
                row.ctypes.data + 8 * table[i, 4],
            )


@kernel
def advance_column(
    table: NDArray[np.int64], state: Cells, params: Cells, bars: NDArray[np.float64], out: NDArray[np.float64]
) -> None:
    """Advance the first indicator of `table` over bars (n, BAR_WIDTH), into out (n, outputs)."""
    out[:, :] = np.nan
    for i in range(bars.shape[0]):
        if _usable(table[0, 1], bars[i]):
            _call_step(
                table[0, 0],
                state.ctypes.data,
                params.ctypes.data,
                bars.ctypes.data + 8 * BAR_WIDTH * i,
                out.ctypes.data + 8 * out.shape[1] * i,
            )


class Runner:
    """Steps laid side by side on one stream of bars: their state, parameters and row of outputs.

    parts: (step, needed columns as bits, cells of state, parameters, number of outputs) for each.
    """

    def __init__(self, parts: Sequence[tuple[Step, int, int, Sequence[float], int]]) -> None:
        table, cells, values, width = [], 0, list[float](), 0
        for step_, needed, size, params, outputs in parts:
            table.append((step_.address, needed, cells, len(values), width))
            cells += size
            values.extend(params)
            width += outputs
        self._table = np.array(table, dtype=np.int64).reshape(-1, 5)
        self._params = np.array([*values, 0.0])
        self._bar = np.zeros(BAR_WIDTH)
        self.state: Cells = np.zeros(cells)
        self.row: Cells = np.full(width, np.nan)

    def update(
        self, open: float, high: float, low: float, close: float, volume: float, *, session: float = 0.0
    ) -> Cells:
        """Take one closed bar; `row`, overwritten by the next update."""
        advance_set(
            self._table,
            self.state,
            self._params,
            self._bar,
            self.row,
            open,
            high,
            low,
            close,
            volume,
            float(session),  # an int would be another signature, compiled anew
        )
        return self.row

    def run(self, bars: NDArray[np.float64]) -> NDArray[np.float64]:
        """Take many bars (n, BAR_WIDTH), C-contiguous, with the first step alone: shape (n, outputs)."""
        out = np.empty((len(bars), len(self.row)))
        advance_column(self._table, self.state, self._params, bars, out)
        return out

    def snapshot(self) -> Cells:
        """A copy of everything the steps remember."""
        return self.state.copy()

    def restore(self, snapshot: Cells) -> None:
        """Continue as if the bars behind `snapshot` had just come. Raises ValueError for another set's."""
        if snapshot.shape != self.state.shape:
            raise ValueError(
                f"snapshot of {snapshot.size} cells does not fit a state of {self.state.size}; "
                "restore it into a set made from the same specs and parameters"
            )
        self.state[:] = snapshot
        self.row[:] = np.nan
