"""What one JERQ connection says, as ticks: frames to messages, those to whole tops of books and trades.

A top that tells one side keeps the other. Whether data is late is said by the mode of a symbol's snapshot.
The minutes in each message are the delay its exchange imposes on whoever has no right to the present, and
count only until a snapshot was seen: the recorded log is of the present, mode R, and has 15 in every message.
What cannot be read, or cannot be true, is left out and counted; it never costs what follows.
"""

from collections.abc import Callable
from decimal import Decimal

from msgspec import UNSET

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.feeds.barchart.ddf import parse
from neuratrade.feeds.barchart.ddf_messages import (
    Clock,
    Header,
    Snapshot,
    Top,
    Trade,
    Unreadable,
    Value,
)
from neuratrade.feeds.barchart.ddf_split import Broken, Splitter
from neuratrade.feeds.barchart.ddf_times import DdfTimes
from neuratrade.feeds.barchart.transport import (
    UNKNOWN_DELAY,
    ClockTick,
    QuoteTick,
    Tally,
    Tick,
    TradeTick,
)

PRESENT = "R"
"""The mode of a snapshot that is of the present."""
AHEAD_NS = 60 * NS_PER_SECOND
"""What is further ahead of our clock than this is no market data: one such time would end all bars before."""

AHEAD = "times ahead of this machine's clock by more than a minute"
NO_PRICE = "trades without a price"
NOT_ASKED = "data that nobody asked for"
LATE_TRADES = "trades that do not tell the price of their time"
ANSWERS = "answers of the server"
ONE_SIDE = "one side of a book whose other side was never told"
NO_BOOK = "snapshots without a book"
OTHERS = {
    "Element": "values of the day",
    "Range": "refreshes of the day",
    "Depth": "books",
    "Profile": "volumes by price",
}


class _Unused(Exception):
    """Lawful, and of no use here."""


class _Market:
    """What is known of one symbol."""

    __slots__ = ("ask", "ask_size", "bid", "bid_size", "mode")

    def __init__(self) -> None:
        self.mode = ""
        self.bid: Value = UNSET
        self.ask: Value = UNSET
        self.bid_size: Value = None
        self.ask_size: Value = None


class JerqReader:
    """Reads one connection. names: symbols by their names on the wire. now_ns: this machine's clock."""

    def __init__(self, names: dict[str, str], tally: Tally, now_ns: Callable[[], int]) -> None:
        self._names = names
        self._tally = tally
        self._now_ns = now_ns
        self._splitter = Splitter()
        self._times = DdfTimes()
        self._markets = {name: _Market() for name in names}

    def ticks(self, frame: str | bytes) -> list[Tick]:
        """What a frame completes, in order."""
        text = frame if isinstance(frame, str) else frame.decode("latin-1")
        now_ns = self._now_ns()
        found: list[Tick] = []
        for part in self._splitter.feed(text):
            if isinstance(part, Broken):
                self._tally.leave_out(str(part))
                continue
            try:
                tick: Tick | None = self._tick(part, now_ns)
            except Unreadable as error:
                self._tally.leave_out(error.kind)
                continue
            except _Unused as lawful:
                tick = None
                self._tally.unused[str(lawful)] += 1
            self._tally.messages += 1
            if tick is not None:
                found.append(tick)
        return found

    def _tick(self, text: str, now_ns: int) -> Tick:
        if text[0] in "+-":
            raise _Unused(ANSWERS)
        message = parse(text)
        if isinstance(message, Clock):
            return ClockTick(self._times.of_server(message.local_ns, now_ns))
        market = self._markets.get(message.symbol)
        if market is None:
            raise _Unused(NOT_ASKED)
        if isinstance(message, Top):
            return self._top(message, market, now_ns)
        if isinstance(message, Trade):
            return self._trade(message, market, now_ns)
        if isinstance(message, Snapshot):
            return self._snapshot(message, market, now_ns)
        raise _Unused(OTHERS[type(message).__name__])

    def _top(self, message: Top, market: _Market, now_ns: int) -> QuoteTick:
        at_ns = self._at_ns(message, now_ns)
        if message.bid is not UNSET:
            market.bid = message.bid
        if message.ask is not UNSET:
            market.ask = message.ask
        if message.bid_size is not UNSET:
            market.bid_size = message.bid_size
        if message.ask_size is not UNSET:
            market.ask_size = message.ask_size
        if market.bid is UNSET or market.ask is UNSET:
            raise _Unused(ONE_SIDE)
        return self._quote(message.symbol, market, at_ns, message.delay_minutes, message.session)

    def _trade(self, message: Trade, market: _Market, now_ns: int) -> TradeTick:
        if not message.in_sequence:
            raise _Unused(LATE_TRADES)
        if not message.price:
            raise Unreadable(NO_PRICE)
        return TradeTick(
            self._names[message.symbol],
            message.price,
            message.size or ZERO,
            self._at_ns(message, now_ns),
            self._delay(market, message.delay_minutes),
            message.session,
        )

    def _snapshot(self, message: Snapshot, market: _Market, now_ns: int) -> QuoteTick:
        at_ns = None
        if message.updated_local_ns is not None:
            at_ns = self._not_ahead(self._times.of_server(message.updated_local_ns, now_ns), now_ns)
        market.mode = message.mode or "?"
        market.bid, market.bid_size = message.bid or None, message.bid_size
        market.ask, market.ask_size = message.ask or None, message.ask_size
        if market.bid is None and market.ask is None:
            raise _Unused(NO_BOOK)
        return self._quote(message.symbol, market, at_ns, 0, "")

    def _quote(self, name: str, market: _Market, at_ns: int | None, minutes: int, session: str) -> QuoteTick:
        bid = market.bid if isinstance(market.bid, Decimal) else None
        ask = market.ask if isinstance(market.ask, Decimal) else None
        return QuoteTick(
            self._names[name],
            bid,
            ask,
            (market.bid_size or ZERO) if bid is not None else ZERO,
            (market.ask_size or ZERO) if ask is not None else ZERO,
            at_ns,
            self._delay(market, minutes),
            session,
        )

    def _delay(self, market: _Market, minutes: int) -> int:
        if market.mode == PRESENT:
            return 0
        return minutes or (UNKNOWN_DELAY if market.mode else 0)

    def _at_ns(self, message: Header, now_ns: int) -> int | None:
        if message.local_ns is None:
            return None
        return self._not_ahead(self._times.of_exchange(message.local_ns, message.exchange, now_ns), now_ns)

    def _not_ahead(self, at_ns: int, now_ns: int) -> int:
        if at_ns > now_ns + AHEAD_NS:
            raise Unreadable(AHEAD)
        return at_ns
