"""What of a ccxt exchange is used here, and how one is made: numbers as strings, our clock, our session.

ccxt sets the decimal context of its thread to round half up. What runs inside `own_numbers`, and tasks begun
there, keep that to themselves: arithmetic of the desk must not depend on whether ccxt was called before.
"""

import asyncio
import decimal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from neuratrade.feeds.clock import Clock
from neuratrade.venues.ccxt.lazy import exchange_class
from neuratrade.venues.ccxt.spacing import Spacing
from neuratrade.venues.ccxt.wire import Wire

Order = Mapping[str, Any]
Trade = Mapping[str, Any]
Params = Mapping[str, Any]
NS_PER_MS, NS_PER_SECOND = 1_000_000, 1_000_000_000
TIMEOUT_MS = 30_000


class Keys(msgspec.Struct, frozen=True):
    """Who asks. Never shown. password: the passphrase some venues give beside."""

    key_id: str
    secret: str
    password: str = ""

    def __repr__(self) -> str:
        """Without what is secret."""
        return "Keys(…)"


class Exchange(Protocol):
    """A ccxt exchange, as far as it is used."""

    id: str
    has: dict[str, Any]
    urls: dict[str, Any]
    options: dict[str, Any]
    markets: dict[str, dict[str, Any]] | None
    currencies: dict[str, Any] | None
    clients: dict[str, Any]
    number: type[str] | type[Decimal]
    trades: dict[str, Sequence[Trade]]
    bidsasks: dict[str, Mapping[str, Any]]
    tickers: dict[str, Mapping[str, Any]]

    def set_sandbox_mode(self, enabled: bool) -> None:
        """Turns to the venue's own sandbox."""

    async def load_markets(self, reload: bool = False) -> dict[str, dict[str, Any]]:
        """Reads the markets, once where they are not wanted anew."""

    def set_markets(self, markets: object, currencies: object = None) -> object:
        """Takes markets another instance read."""

    def amount_to_precision(self, symbol: str, amount: str) -> str:
        """An amount on the market's grid."""

    def price_to_precision(self, symbol: str, price: str) -> str:
        """A price on the market's grid."""

    async def create_order(
        self, symbol: str, type: str, side: str, amount: str, price: str | None, params: Params
    ) -> Order:
        """Sends one order."""

    async def cancel_order(self, id: str, symbol: str, params: Params) -> Order:
        """Cancels one order."""

    async def fetch_order(self, id: str, symbol: str, params: Params) -> Order:
        """One order."""

    async def fetch_orders(
        self, symbol: str, since: int | None = None, limit: int | None = None
    ) -> Sequence[Order]:
        """Orders, open or not."""

    async def fetch_open_orders(
        self,
        symbol: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Params = ...,
    ) -> Sequence[Order]:
        """Orders of which more can come."""

    async def fetch_closed_orders(
        self,
        symbol: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Params = ...,
    ) -> Sequence[Order]:
        """Orders that are over."""

    async def fetch_my_trades(
        self, symbol: str, since: int | None = None, limit: int | None = None, params: Params = ...
    ) -> Sequence[Trade]:
        """Executions."""

    async def fetch_order_trades(self, id: str, symbol: str) -> Sequence[Trade]:
        """Executions of one order."""

    async def fetch_balance(self) -> Mapping[str, Any]:
        """Money."""

    async def fetch_positions(self) -> Sequence[Mapping[str, Any]]:
        """Derivatives held."""

    async def fetch_time(self) -> object:
        """What time it is there."""

    async def load_time_difference(self) -> object:
        """Measures how far the venue's clock is off."""

    async def watch_orders(self) -> Sequence[Order]:
        """Orders that changed."""

    async def watch_my_trades(self) -> Sequence[Trade]:
        """Executions that came."""

    async def fetch_ohlcv(
        self, symbol: str, timeframe: str, since: int | None = None, limit: int | None = None
    ) -> Sequence[Sequence[Any]]:
        """Candles, oldest first."""

    async def watch_trades(
        self, symbol: str, since: int | None = None, limit: int | None = None, params: Params = ...
    ) -> Sequence[Trade]:
        """Public trades of a market."""

    async def watch_trades_for_symbols(
        self, symbols: Sequence[str], since: int | None = None, limit: int | None = None, params: Params = ...
    ) -> Sequence[Trade]:
        """Public trades of several markets."""

    async def watch_bids_asks(self, symbols: Sequence[str]) -> Mapping[str, Any]:
        """The best prices of several markets."""

    async def watch_order_book(self, symbol: str) -> Mapping[str, Any]:
        """The book of a market."""

    async def watch_ticker(self, symbol: str) -> Mapping[str, Any]:
        """The last and the best prices of a market."""

    def client(self, url: str) -> Any:
        """The connection to an address."""

    def handle_message(self, client: object, message: object) -> object:
        """Takes a frame."""

    async def close(self) -> None:
        """Ends its streams."""


def make_exchange(
    name: str,
    wire: Wire,
    clock: Clock,
    keys: Keys | None,
    options: Mapping[str, Any],
    *,
    limited: bool = False,
) -> Exchange:
    """An instance of ccxt's class, streams included. limited: whether its requests are spaced out, as
    ccxt has it.

    Raises UsageError where ccxt is not installed or knows no such exchange with streams.
    """
    config: dict[str, Any] = {
        "session": wire,
        "enableRateLimit": limited,
        "timeout": TIMEOUT_MS,
        "options": {**options, "maxRetriesOnFailure": 0},
    }
    if keys is not None:
        config |= {"apiKey": keys.key_id, "secret": keys.secret, "password": keys.password}
    made: Any = exchange_class(name, streams=True)(config)
    made.number = str
    made.timeout_on_exit = 0
    # Our session has its own; ccxt would read all certificates again for every instance.
    made.ssl_context = False
    made.milliseconds = lambda: clock.now_ns() // NS_PER_MS
    made.seconds = lambda: clock.now_ns() // NS_PER_SECOND
    if limited:
        _space(made, clock)
    exchange: Exchange = made
    return exchange


def _space(made: Any, clock: Clock) -> None:
    """Lets requests, and what is said on each connection, leave one after the other by our clock."""
    each_ns = round(float(made.rateLimit) * NS_PER_MS)
    connect = made.client
    made.throttle = Spacing(clock, each_ns)

    def client(url: str) -> Any:
        connection = connect(url)
        if not isinstance(connection.throttle, Spacing):
            connection.throttle = Spacing(clock, each_ns)
        return connection

    made.client = client


def tap(
    exchange: Exchange, hear: Callable[[object], None], forgive: Callable[[Exception], None] | None = None
) -> None:
    """Lets `hear` see each frame before the exchange takes it.

    A frame that ccxt stumbles over would end its reading of the connection, and nobody would hear of it until
    a ping goes unanswered. Here all who wait on the connection are told at once; or `forgive` is, and the
    stream goes on without the frame.
    Futures that ccxt makes for callers who never come are looked at, or each lost stream would fill the log.
    """
    take, connect = exchange.handle_message, exchange.client
    seen: set[int] = set()

    def handle_message(client: object, message: object) -> object:
        hear(message)
        taken: object = None
        try:
            taken = take(client, message)
        except Exception as error:  # noqa: BLE001 - it stumbles over anything
            if forgive is None:
                client.reject(error)  # type: ignore[attr-defined]
            else:
                forgive(error)
        if getattr(client, "lastPong", None) is not None:
            # The connection counts its pongs by the machine's clock, whatever clock the exchange is given.
            client.lastPong = type(exchange).milliseconds()  # type: ignore[attr-defined]
        return taken

    def client(url: str) -> Any:
        made = connect(url)
        if id(made) not in seen:
            seen.add(id(made))
            promise = made.future

            def future(name: str) -> Any:
                promised = promise(name)
                promised.add_done_callback(_look_at)
                return promised

            made.future = future
        return made

    exchange.handle_message = handle_message  # type: ignore[method-assign]
    exchange.client = client  # type: ignore[method-assign]


def _look_at(promised: asyncio.Future[object]) -> None:
    if not promised.cancelled():
        promised.exception()


@contextmanager
def own_numbers() -> Iterator[None]:
    """Keeps what ccxt does to the decimal context inside."""
    with decimal.localcontext():
        yield
