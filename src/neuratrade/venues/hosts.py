"""Where orders may go today: this machine and the official sandboxes, nowhere else.

Until readiness and promotion can say that a desk may trade money, an adapter for a host that trades money
does not start. Beyond this machine nothing is sent in the clear: keys could be read on the way.
"""

from urllib.parse import urlsplit

from neuratrade.core.model.errors import Refused
from neuratrade.feeds.loopback import is_loopback

SANDBOXES = frozenset(
    {
        "paper-api.alpaca.markets",
        "testnet.binance.vision",
        "ws-api.testnet.binance.vision",
        "stream.testnet.binance.vision",
        "testnet.binancefuture.com",
        "demo-fapi.binance.com",
        "api-testnet.bybit.com",
        "demo-futures.kraken.com",
        "demo.tradovateapi.com",
    }
)

ENCRYPTED = frozenset({"https", "wss"})


def check_trading_host(url: str) -> str:
    """The URL, where orders may be sent to it. Raises Refused with the reason elsewhere."""
    asked = urlsplit(url)
    host = asked.hostname or ""
    if is_loopback(host):
        return url
    if host in SANDBOXES:
        if asked.scheme in ENCRYPTED:
            return url
        raise Refused(f"orders are not sent to {host} in the clear ({asked.scheme}): give its https address")
    raise Refused(
        f"orders are not sent to {host or url}: the steps that allow trading with money (readiness, "
        "promotion) are not built yet; use a sandbox, a rehearsal (neuratrade rehearse) or paper mode"
    )
