"""Unmodified ccxt classes turned to a simulator by their URLs alone."""

import contextlib
import re
from collections.abc import AsyncIterator
from typing import Any

from neuratrade.rehearsal.binance_spot import KEY, SECRET
from neuratrade.rehearsal.server import Simulator
from neuratrade.venues.ccxt.lazy import exchange_class

HOST = re.compile(r"^(http|ws)s?://[^/]+")


def turned(urls: Any, simulator: Simulator) -> Any:
    """The same URLs on the simulator's port."""
    if isinstance(urls, str):
        return HOST.sub(lambda found: f"{found[1]}://127.0.0.1:{simulator.port}", urls)
    return {name: turned(url, simulator) for name, url in urls.items()}


@contextlib.asynccontextmanager
async def client(
    simulator: Simulator, name: str, *, streams: bool = False, **config: Any
) -> AsyncIterator[Any]:
    """An instance of ccxt's class for the simulated venue."""
    keys = {"apiKey": KEY, "secret": SECRET, "enableRateLimit": False}
    made = exchange_class(name, streams=streams)({**keys, **config})
    made.urls["api"] = turned(made.urls["api"], simulator)
    made.timeout_on_exit = 0
    try:
        yield made
    finally:
        await made.close()
