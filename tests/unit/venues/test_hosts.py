"""Orders go to this machine and to official sandboxes; every other host is refused, and told why."""

import pytest

from neuratrade.core.model.errors import Refused
from neuratrade.feeds.clock import SystemClock
from neuratrade.venues.alpaca.rest import Keys
from neuratrade.venues.alpaca.venue import AlpacaVenue
from neuratrade.venues.ccxt.wire import Wire
from neuratrade.venues.hosts import SANDBOXES, check_trading_host

REFUSED = {
    "https://api.alpaca.markets": "api.alpaca.markets",
    "https://API.ALPACA.MARKETS/v2": "api.alpaca.markets",
    "https://api.binance.com": "api.binance.com",
    "https://api.kraken.com": "api.kraken.com",
    "https://paper-api.alpaca.markets.evil.example": "paper-api.alpaca.markets.evil.example",
    "https://paper-api.alpaca.markets@evil.example": "evil.example",
    "https://localhost.evil.example": "localhost.evil.example",
    "https://127.0.0.1.evil.example": "127.0.0.1.evil.example",
    "https://127.0.0.1@api.alpaca.markets": "api.alpaca.markets",
    "http://0.0.0.0:1": "0.0.0.0",
    "http://10.0.0.1": "10.0.0.1",
    "http://192.168.1.5:8080": "192.168.1.5",
    "http://[::]:1": "::",
    "http://2130706433": "2130706433",
    "paper-api.alpaca.markets": "paper-api.alpaca.markets",
    "": "",
}


@pytest.mark.parametrize("url", REFUSED)
def test_a_host_that_may_trade_money_is_refused_with_the_reason(url: str) -> None:
    with pytest.raises(Refused) as caught:
        check_trading_host(url)
    assert str(caught.value) == (
        f"orders are not sent to {REFUSED[url]}: the steps that allow trading with money (readiness, "
        "promotion) are not built yet; use a sandbox, a rehearsal (neuratrade rehearse) or paper mode"
    )


@pytest.mark.parametrize(
    "url",
    [
        *(f"https://{host}" for host in sorted(SANDBOXES)),
        "https://PAPER-API.alpaca.markets/v2",
        "http://127.0.0.1:8080",
        "http://127.9.9.9",
        "ws://[::1]:80/stream",
        "http://localhost:1",
    ],
)
def test_sandboxes_and_this_machine_are_let_pass(url: str) -> None:
    assert check_trading_host(url) == url


@pytest.mark.parametrize("host", sorted(SANDBOXES))
@pytest.mark.parametrize("scheme", ["http", "ws", "ftp"])
def test_nothing_leaves_this_machine_in_the_clear(scheme: str, host: str) -> None:
    with pytest.raises(Refused, match=f"not sent to {host} in the clear"):
        check_trading_host(f"{scheme}://{host}")


def test_a_rehearsal_elsewhere_than_on_this_machine_is_refused() -> None:
    with pytest.raises(Refused, match="in the clear"):
        Wire("testnet.binance.vision", trades=True)


def test_an_adapter_for_a_host_that_trades_money_does_not_start() -> None:
    with pytest.raises(Refused, match=r"orders are not sent to api\.alpaca\.markets"):
        AlpacaVenue("main", [], Keys("k", "s"), SystemClock(), "https://api.alpaca.markets")
