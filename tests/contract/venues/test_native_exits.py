"""Native brackets and dead man's switches: no simulator plays them, and the suite would see them asked for.

A simulator that took a native bracket and left out what its legs do on a partial fill would teach that they
protect. So it is refused here, and what is told of them in `docs/venues.md` stays unproven.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from tests.contract.venues.stand import NEVER, Stand, on_stand, warped

Ask = Callable[[Any, str], Awaitable[Any]]
LEGS = {"stopLoss": {"triggerPrice": "95"}, "takeProfit": {"triggerPrice": "110"}}
OTOCO = {
    "symbol": "BTCUSDT", "workingType": "LIMIT", "workingSide": "BUY", "workingPrice": "99",
    "workingQuantity": "0.5", "workingTimeInForce": "GTC", "pendingSide": "SELL", "pendingQuantity": "0.5",
    "pendingAboveType": "LIMIT_MAKER", "pendingAbovePrice": "110", "pendingBelowType": "STOP_LOSS",
    "pendingBelowStopPrice": "95",
}  # fmt: skip
BRACKETS: dict[str, Ask] = {
    "binance": lambda exchange, _: exchange.private_post_orderlist_otoco(OTOCO),
    "kraken": lambda exchange, symbol: exchange.create_order(
        symbol, "limit", "buy", "0.5", "99", {"close": {"ordertype": "stop-loss", "price": "95"}}
    ),
    "okx": lambda exchange, symbol: exchange.create_order(symbol, "limit", "buy", "0.5", "99", LEGS),
}
SWITCHES: dict[str, Ask] = {
    "binanceusdm": lambda exchange, _: exchange.fapiprivate_post_countdowncancelall(
        {"symbol": "BTCUSDT", "countdownTime": "60000"}
    ),
    "kraken": lambda exchange, _: exchange.cancel_all_orders_after(60_000),
    "okx": lambda exchange, _: exchange.cancel_all_orders_after(60_000),
}
ASKED = [*(("bracket", name) for name in BRACKETS), *(("switch", name) for name in SWITCHES)]


def words_seen(stand: Stand) -> list[bytes]:
    """Words that no request of a desk may have; from now on they are not counted."""
    seen = [word for word in NEVER for item in stand.asked if word in item.whole]
    stand.asked.clear()
    return seen


@pytest.mark.parametrize(("what", "name"), ASKED)
@warped
async def test_what_is_not_played_is_refused_and_would_be_seen(what: str, name: str) -> None:
    async with on_stand(name) as stand:
        adapter: Any = stand.venue
        ask = (BRACKETS if what == "bracket" else SWITCHES)[name]
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
