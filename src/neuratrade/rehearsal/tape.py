"""Market data of a simulated exchange: its book, its public trades and candles, from what is played to it.

The book has as many levels as a taking order may walk, each of the size it would find there, so what a client
sees is what it gets. Own executions are public trades with the number they have privately, as on a real
exchange. Candles are those that are played; where none are, they grow from quotes and public trades. A symbol
that the plan silences is told of no more, and caught up with in one step afterwards.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import NamedTuple

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_DAY, NS_PER_MINUTE, Bar, BookLevel, Quote, Trade
from neuratrade.core.model.orders import Side
from neuratrade.rehearsal.faults import FaultKind, Troubles
from neuratrade.rehearsal.matching import MOST_LEVELS, MatchingEngine
from neuratrade.rehearsal.orders import Change, ChangeKind

MOST_KEPT = 5_000
"""How many public trades, and how many candles, are kept of a symbol."""


Played = Quote | Trade | Bar


class Ladder(NamedTuple):
    """A book: bids from the highest, asks from the lowest."""

    bids: tuple[BookLevel, ...] = ()
    asks: tuple[BookLevel, ...] = ()


class Print(NamedTuple):
    """One public trade. number: unique at the exchange. buys: whether the taker bought."""

    number: int
    symbol: str
    price: Decimal
    quantity: Decimal
    buys: bool
    at_ns: int


class Day(NamedTuple):
    """The last 24 hours. volume: base units or contracts; turnover: quote currency per multiplier."""

    open: Decimal
    high: Decimal
    low: Decimal
    last: Decimal
    volume: Decimal
    turnover: Decimal
    trades: int

    @property
    def vwap(self) -> Decimal:
        """Mean price by volume, or the last one."""
        return self.turnover / self.volume if self.volume else self.last


class Tape:
    """What is public at one exchange. Told of: `on_book(symbol)`, `on_print(print)`, `on_bar(bar)`."""

    def __init__(self, engine: MatchingEngine, troubles: Troubles, now_ns: Callable[[], int]) -> None:
        self._engine = engine
        self._troubles = troubles
        self._now_ns = now_ns
        self._prints: dict[str, list[Print]] = {}
        self._bars: dict[str, list[Bar]] = {}
        self._played: set[str] = set()
        self.on_book: list[Callable[[str], None]] = []
        self.on_print: list[Callable[[Print], None]] = []
        self.on_bar: list[Callable[[Bar], None]] = []
        engine.watch(self._quoted)
        engine.listen(self._changed)

    def play(self, item: Played) -> None:
        """The market goes on. A bar of a time that is there already takes its place."""
        if isinstance(item, Quote):
            self._engine.quote(item)
        elif isinstance(item, Trade):
            number = self._engine.next_number()
            self._print(
                Print(
                    number,
                    item.instrument,
                    item.price,
                    item.quantity,
                    item.aggressor_buy is not False,
                    item.at_ns,
                )
            )
        else:
            if item.instrument not in self._played:
                self._played.add(item.instrument)
                self._bars.pop(item.instrument, None)
            self._bar(item)

    def ladder(self, symbol: str) -> Ladder:
        """The book of a symbol now."""
        quote = self._engine.quotes.get(symbol)
        if quote is None:
            return Ladder()
        contract, share = self._engine.contracts[symbol], self._engine.share
        return Ladder(
            _side(contract, quote.bid, quote.bid_size * share, -contract.tick),
            _side(contract, quote.ask, quote.ask_size * share, contract.tick),
        )

    def prints(self, symbol: str, since_ns: int = 0) -> list[Print]:
        """Public trades, oldest first."""
        return [item for item in self._prints.get(symbol, []) if item.at_ns >= since_ns]

    def bars(self, symbol: str, span_ns: int) -> list[Bar]:
        """Candles of a span, oldest first, the last one perhaps incomplete."""
        return _gather(self._bars.get(symbol, []), span_ns)

    def last_bar(self, symbol: str, span_ns: int) -> Bar | None:
        """The newest candle of a span, perhaps incomplete."""
        bars = self._bars.get(symbol, [])
        if not bars:
            return None
        open_ns = bars[-1].open_ns - bars[-1].open_ns % span_ns
        tail = next((place for place, bar in enumerate(reversed(bars)) if bar.open_ns < open_ns), len(bars))
        return _gather(bars[len(bars) - tail :], span_ns)[-1]

    def day(self, symbol: str) -> Day | None:
        """The last 24 hours of a symbol, None where it has no market."""
        quote = self._engine.quotes.get(symbol)
        prints = self._prints.get(symbol)
        last = prints[-1].price if prints else None if quote is None else quote.mid
        if last is None:
            return None
        begin_ns = self._now_ns() - NS_PER_DAY
        bars = [bar for bar in self._bars.get(symbol, []) if bar.open_ns >= begin_ns]
        return Day(
            open=bars[0].open if bars else last,
            high=max([bar.high for bar in bars] + [last]),
            low=min([bar.low for bar in bars] + [last]),
            last=last,
            volume=sum((bar.volume for bar in bars), ZERO),
            turnover=sum((bar.volume * bar.close for bar in bars), ZERO),
            trades=len(self.prints(symbol, begin_ns)),
        )

    def _quoted(self, quote: Quote) -> None:
        if quote.mid is not None:
            self._grow(quote.instrument, quote.mid, ZERO)
        if not self._is_silent(quote.instrument):
            for told in self.on_book:
                told(quote.instrument)

    def _changed(self, change: Change) -> None:
        done = change.execution
        if change.kind is ChangeKind.TRADED and done is not None:
            buys = (done.side is Side.BUY) is not done.is_maker
            self._print(Print(done.number, done.symbol, done.price, done.quantity, buys, done.at_ns))

    def _print(self, item: Print) -> None:
        prints = self._prints.setdefault(item.symbol, [])
        prints.append(item)
        del prints[:-MOST_KEPT]
        self._grow(item.symbol, item.price, item.quantity)
        if not self._is_silent(item.symbol):
            for told in self.on_print:
                told(item)

    def _grow(self, symbol: str, price: Decimal, quantity: Decimal) -> None:
        if symbol in self._played:
            return
        now_ns = self._now_ns()
        open_ns = now_ns - now_ns % NS_PER_MINUTE
        bars = self._bars.get(symbol)
        last = bars[-1] if bars and bars[-1].open_ns == open_ns else None
        self._bar(
            Bar(
                symbol,
                NS_PER_MINUTE,
                open_ns,
                last.open if last else price,
                max(last.high, price) if last else price,
                min(last.low, price) if last else price,
                price,
                (last.volume if last else ZERO) + quantity,
            )
        )

    def _bar(self, bar: Bar) -> None:
        bars = self._bars.setdefault(bar.instrument, [])
        if bars and bars[-1].open_ns == bar.open_ns:
            bars.pop()
        bars.append(bar)
        del bars[:-MOST_KEPT]
        if not self._is_silent(bar.instrument):
            for told in self.on_bar:
                told(bar)

    def _is_silent(self, symbol: str) -> bool:
        first = next(iter(self._engine.contracts), None)
        return symbol == first and self._troubles.during(FaultKind.SILENT_SYMBOL)


def changed(before: Iterable[BookLevel], after: Iterable[BookLevel]) -> list[BookLevel]:
    """What became of one side of a book; a level that is gone has quantity zero."""
    now = {level.price: level.quantity for level in after}
    then = {level.price: level.quantity for level in before}
    gone = [BookLevel(price, ZERO) for price in then if price not in now]
    return gone + [BookLevel(price, size) for price, size in now.items() if then.get(price) != size]


def decimals(step: Decimal) -> int:
    """How many digits a grid has after its point."""
    exponent = step.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def plain(value: Decimal, digits: int | None = None) -> str:
    """A number as text without exponent. digits: after the point, as many as it has where None."""
    return f"{value:f}" if digits is None else f"{value:.{digits}f}"


def _side(contract: Instrument, best: Decimal | None, size: Decimal, step: Decimal) -> tuple[BookLevel, ...]:
    quantity = contract.round_quantity(size)
    if best is None or quantity <= 0:
        return ()
    prices = [best + step * place for place in range(MOST_LEVELS)]
    return tuple(BookLevel(price, quantity) for price in prices if contract.admits_price(price))


def _gather(bars: list[Bar], span_ns: int) -> list[Bar]:
    gathered: list[Bar] = []
    for bar in bars:
        open_ns = bar.open_ns - bar.open_ns % span_ns
        if gathered and gathered[-1].open_ns == open_ns:
            last = gathered[-1]
            gathered[-1] = Bar(
                bar.instrument,
                span_ns,
                open_ns,
                last.open,
                max(last.high, bar.high),
                min(last.low, bar.low),
                bar.close,
                last.volume + bar.volume,
            )
        else:
            gathered.append(
                Bar(bar.instrument, span_ns, open_ns, bar.open, bar.high, bar.low, bar.close, bar.volume)
            )
    return gathered
