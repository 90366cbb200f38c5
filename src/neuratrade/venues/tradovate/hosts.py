"""Where Tradovate is: one host for logins and orders, orders over a socket of the same host."""

from typing import NamedTuple

from neuratrade.venues.hosts import check_trading_host

DEMO = "https://demo.tradovateapi.com"


class Hosts(NamedTuple):
    """Addresses. rest: what paths are put behind. socket: of the WebSocket for orders and user data."""

    rest: str
    socket: str


def hosts_at(base: str) -> Hosts:
    """Addresses at a scheme and host. Raises Refused for one that trades money."""
    checked = check_trading_host(base).rstrip("/")
    return Hosts(f"{checked}/v1", f"{checked.replace('http', 'ws', 1)}/v1/websocket")
