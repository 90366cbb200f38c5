"""Dead man's switches, and brackets of coins at Alpaca: none is played, and the suite sees them asked for.

A simulator that took one and left out what it does to what is held would teach that it is safe. So it is
refused here. The native brackets that are played are in `test_native`.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from tests.contract.venues.stand import NEVER, Stand, on_stand, warped

Ask = Callable[[Any, str], Awaitable[Any]]
SWITCHES: dict[str, Ask] = {
    "binanceusdm": lambda exchange, _: exchange.fapiprivate_post_countdowncancelall(
        {"symbol": "BTCUSDT", "countdownTime": "60000"}
    ),
    "kraken": lambda exchange, _: exchange.cancel_all_orders_after(60_000),
    "okx": lambda exchange, _: exchange.cancel_all_orders_after(60_000),
}


def words_seen(stand: Stand) -> list[bytes]:
    """Words that no request of a desk may have; from now on they are not counted."""
    seen = [word for word in NEVER for item in stand.asked if word in item.whole]
    stand.asked.clear()
    return seen


@pytest.mark.parametrize("name", list(SWITCHES))
@warped
async def test_what_is_not_played_is_refused_and_would_be_seen(name: str) -> None:
    async with on_stand(name) as stand:
        adapter: Any = stand.venue
        ask = SWITCHES[name]
        with pytest.raises(Exception) as caught:  # noqa: PT011 - one of ccxt's, by its name
            await ask(adapter._exchange, adapter._symbols[stand.contract.key])
        assert "BaseError" in {kind.__name__ for kind in type(caught.value).__mro__}
        assert not stand.simulator.engine.orders
        assert words_seen(stand)


@warped
async def test_a_bracket_at_alpaca_is_refused_and_would_be_seen() -> None:
    body = {
        "symbol": "BTC/USD", "qty": "0.5", "side": "buy", "type": "limit", "time_in_force": "gtc",
        "limit_price": "99", "order_class": "bracket", "client_order_id": "a",
        "take_profit": {"limit_price": "110"}, "stop_loss": {"stop_price": "95"},
    }  # fmt: skip
    async with on_stand("alpaca") as stand:
        adapter: Any = stand.venue
        with pytest.raises(Exception, match="order_class"):
            await adapter._rest.call("POST", "/v2/orders", body=msgspec.json.encode(body))
        assert not stand.simulator.engine.orders
        assert words_seen(stand)
