"""Compiling the kernels a desk needs, once, into a folder that can be written, with progress shown."""

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

import neuratrade
from neuratrade.core.strategies.port import Strategy

_ALWAYS = "atr"
"""The gate's own indicator."""


def choose_cache() -> None:
    """Says where compiled kernels are kept. Call before numba is imported.

    That is beside the package where it can be written, else the user's cache folder; numba finds either by
    itself. Where neither can be written it is a temporary folder.
    """
    package = Path(neuratrade.__file__).parent
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() raises where there is no home at all
    writable = os.access(package, os.W_OK) or os.access(home, os.W_OK)
    if "NUMBA_CACHE_DIR" not in os.environ and not writable:
        os.environ["NUMBA_CACHE_DIR"] = str(Path(tempfile.gettempdir()) / f"neuratrade-kernels-{os.getuid()}")


def prepare_kernels(strategies: Sequence[Strategy], progress: Callable[[str, int, int], None]) -> None:
    """Compiles what these strategies need and is not compiled yet.

    The first start of a machine takes seconds, later ones load what was kept.
    """
    from neuratrade.core.indicators.native import compile_kernels
    from neuratrade.core.regime import RegimeDetector

    names = {spec.name for strategy in strategies for spec in strategy.indicators}
    compile_kernels(progress, tuple(sorted(names | {_ALWAYS})), batch=False)
    RegimeDetector().update(1.0, 1.0, 1.0, 1.0, 1.0)
    for strategy in strategies:
        progress(strategy.name, 0, 0)
        nothing = np.full(len(strategy.indicators) * 4, np.nan)
        strategy.entry(nothing, nothing, 1.0, strategy.assets[0])
