"""Compiling the kernels once, into a folder that can be written, with progress for whoever waits."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import neuratrade


def prepare_kernels(progress: Callable[[str, int, int], None]) -> None:
    """Compiles what is not compiled yet. The first start of a machine takes seconds, later ones load a cache.

    The cache lies beside the package where that can be written, else in the user's cache folder; numba
    finds either by itself. Where neither can be written it goes to a temporary folder.
    """
    package = Path(neuratrade.__file__).parent
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() raises where there is no home at all
    writable = os.access(package, os.W_OK) or os.access(home, os.W_OK)
    if "NUMBA_CACHE_DIR" not in os.environ and not writable:
        os.environ["NUMBA_CACHE_DIR"] = str(Path(tempfile.gettempdir()) / f"neuratrade-kernels-{os.getuid()}")
    from neuratrade.core.indicators.native import compile_kernels
    from neuratrade.core.regime import RegimeDetector

    compile_kernels(progress)
    RegimeDetector().update(1.0, 1.0, 1.0, 1.0, 1.0)
