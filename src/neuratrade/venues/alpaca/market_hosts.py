"""Where Alpaca's market data comes from. Data only: no order can be sent to any of these.

The list of assets is kept by the trading API alone, so it is read from the paper one, which is a sandbox.
Keys are never sent over a connection that others can read, except to this machine.
"""

from urllib.parse import urlsplit

import msgspec

from neuratrade.core.model.errors import Refused
from neuratrade.feeds.loopback import is_loopback
from neuratrade.venues.hosts import check_trading_host

DATA_HOSTS = frozenset(
    {
        "data.alpaca.markets",
        "stream.data.alpaca.markets",
        "data.sandbox.alpaca.markets",
        "stream.data.sandbox.alpaca.markets",
    }
)


class DataHosts(msgspec.Struct, frozen=True):
    """Scheme and host of the REST data, of the streams, and of the list of assets."""

    rest: str = "https://data.alpaca.markets"
    stream: str = "wss://stream.data.alpaca.markets"
    assets: str = "https://paper-api.alpaca.markets"


PRODUCTION = DataHosts()


def loopback(base: str) -> DataHosts:
    """All three at one simulator. base: `http://127.0.0.1:PORT`."""
    return DataHosts(base, base.replace("http", "ws", 1), base)


def check_data_hosts(hosts: DataHosts) -> DataHosts:
    """The hosts, where data may be read from them. Raises Refused, with the reason, elsewhere."""
    for url in (hosts.rest, hosts.stream):
        parts = urlsplit(url)
        host = parts.hostname or ""
        if is_loopback(host):
            continue
        if host not in DATA_HOSTS:
            raise Refused(
                f"{host or url} serves no market data of Alpaca's; data is read from its data hosts only"
            )
        if parts.scheme not in ("https", "wss"):
            raise Refused(f"{url}: keys are not sent over a connection that is not encrypted")
    check_trading_host(hosts.assets)
    return hosts
