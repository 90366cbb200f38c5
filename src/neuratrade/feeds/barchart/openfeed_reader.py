"""Openfeed's market data into ticks: which symbol, which price, whether it is of the present.

Prices come as whole numbers over a denominator, of the message or of the instrument's definition. A book is
told whole: a side that is not there is gone. A trade that was agreed upon elsewhere, or that the venue says
does not make the last price, is none of the present. Openfeed says that prices are delayed, never by how
much.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact, InvalidOperation
from functools import lru_cache

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.market import NS_PER_DAY
from neuratrade.feeds.barchart.openfeed_wire import Message, protos
from neuratrade.feeds.barchart.transport import UNKNOWN_DELAY, ClockTick, QuoteTick, Tally, Tick, TradeTick
from neuratrade.feeds.clock import Clock

_EXACT = Context(prec=40, traps=[Inexact, InvalidOperation])
AHEAD_NS = NS_PER_DAY
"""A time further in the future is none."""


class Unsound(ValueError):
    """A message that can be read and cannot be true."""


@dataclass(slots=True)
class _Market:
    """What is known of one market. Denominators: 0 where nobody said."""

    symbol: str
    price_den: int = 0
    trade_den: int = 0
    book_den: int = 0


class Reader:
    """Ticks of the symbols that were asked for. delay_minutes: of the service that was asked for."""

    def __init__(self, symbols: Sequence[str], delay_minutes: int, tally: Tally, clock: Clock) -> None:
        self._wanted = frozenset(symbols)
        self._delays = dict.fromkeys(symbols, delay_minutes)
        self._tally = tally
        self._clock = clock
        self._markets: dict[int, _Market] = {}

    def granted(self, symbol: str, market_id: int, service: int) -> None:
        """A subscription stands. service: the one that is granted, as Openfeed numbers them."""
        self._served(symbol, service)
        if market_id and symbol in self._wanted:
            self._market(market_id, symbol)

    def ticks(self, message: Message) -> Iterator[Tick]:
        """What a message of market data tells. Never raises for what came."""
        kind = message.WhichOneof("data")
        body = getattr(message, kind)
        try:
            match kind:
                case "marketUpdate":
                    yield from self._update(body)
                case "marketSnapshot":
                    yield from self._snapshot(body)
                case "instrumentDefinition":
                    self._define(body)
                case "heartBeat":
                    yield ClockTick(self._time(body.transactionTime))
                case _:
                    self._tally.unused[kind] += 1
                    return
        except Unsound as error:
            self._tally.leave_out(str(error))
            return
        self._tally.messages += 1

    # who

    def _define(self, body: Message) -> None:
        names = [item.symbol for item in body.symbols if item.vendor in ("Barchart", "")]
        names += [item.longSymbol for item in body.symbols if item.vendor in ("Barchart", "")]
        names += [body.subscriptionSymbol, body.symbol]
        symbol = next((name for name in names if name in self._wanted), None)
        known = self._markets.get(body.marketId)
        if known is None and symbol is None:
            raise Unsound("definitions of markets that were not asked for")
        market = known or self._market(body.marketId, symbol or "")
        for value in (body.priceDenominator, body.quantityDenominator, body.bidOfferQuantityDenominator):
            if value < 0:
                raise Unsound("denominators that are none")
        market.price_den = body.priceDenominator or market.price_den
        market.trade_den = body.quantityDenominator or market.trade_den
        market.book_den = body.bidOfferQuantityDenominator or market.book_den

    def _market(self, market_id: int, symbol: str) -> _Market:
        market = self._markets.setdefault(market_id, _Market(symbol))
        market.symbol = symbol
        return market

    def _of(self, body: Message) -> _Market:
        market = self._markets.get(body.marketId)
        if market is None:
            if body.symbol not in self._wanted:
                raise Unsound("data of markets that were not asked for")
            market = self._market(body.marketId, body.symbol)
        return market

    def _served(self, symbol: str, service: int) -> None:
        if service == 0 or symbol not in self._wanted:
            return
        market = protos().market
        present = (market.REAL_TIME, market.REAL_TIME_SNAPSHOT)
        # Delayed data is not made present by having been asked for as such, nor by a word that is not known.
        self._delays[symbol] = 0 if service in present and not self._delays[symbol] else UNKNOWN_DELAY

    # what

    def _update(self, body: Message) -> Iterator[Tick]:
        market = self._of(body)
        den = body.priceDenominator or market.price_den
        kind = body.WhichOneof("data")
        if body.regional:
            self._tally.unused["quotes and trades of one participant"] += 1
        elif kind == "bbo":
            yield from self._book(market, body.bbo, den, body.transactionTime)
        elif kind == "trades":
            for entry in body.trades.trades:
                yield from self._trade(market, entry, den, body.transactionTime)
        elif kind == "index":
            yield from self._index(market, body.index, den, body.transactionTime)
        elif kind == "clearBook":
            at_ns = self._time(body.clearBook.transactionTime or body.transactionTime)
            yield self._quote(market, None, None, ZERO, ZERO, at_ns)
        else:
            self._tally.unused[kind or "updates of unknown kinds"] += 1

    def _snapshot(self, body: Message) -> Iterator[Tick]:
        market = self._of(body)
        self._served(market.symbol, body.service)
        den = body.priceDenominator or market.price_den
        if body.HasField("bbo"):
            yield from self._book(market, body.bbo, den, body.transactionTime)
        if body.HasField("index"):
            yield from self._index(market, body.index, den, body.transactionTime)

    def _book(self, market: _Market, body: Message, den: int, sent: int) -> Iterator[Tick]:
        if body.regional:
            self._tally.unused["quotes and trades of one participant"] += 1
            return
        size_den = market.book_den or market.trade_den or 1
        sizes = []
        sides = []
        for price, quantity in (
            (body.bidPrice, body.bidQuantity),
            (body.offerPrice, body.offerQuantity),
        ):
            if quantity < 0:
                raise Unsound("sizes below zero")
            sides.append(_ratio(price, den) if price or quantity else None)
            sizes.append(_ratio(quantity, size_den))
        bid, ask = sides
        if bid is not None and ask is not None and bid > ask:
            raise Unsound("books whose bid is above the ask")
        yield self._quote(market, bid, ask, sizes[0], sizes[1], self._time(body.transactionTime or sent))

    def _quote(
        self,
        market: _Market,
        bid: Decimal | None,
        ask: Decimal | None,
        bid_size: Decimal,
        ask_size: Decimal,
        at_ns: int | None,
    ) -> QuoteTick:
        return QuoteTick(market.symbol, bid, ask, bid_size, ask_size, at_ns, self._delays[market.symbol])

    def _trade(self, market: _Market, entry: Message, den: int, sent: int) -> Iterator[Tick]:
        if entry.WhichOneof("data") != "trade":
            self._tally.unused["corrections of trades"] += 1
            return
        trade = entry.trade
        if trade.doesNotUpdateLast or trade.blockTrade:
            self._tally.unused["trades that do not make the last price"] += 1
            return
        if trade.quantity < 0:
            raise Unsound("sizes below zero")
        api = protos().market
        yield TradeTick(
            market.symbol,
            _ratio(trade.price, den),
            _ratio(trade.quantity, market.trade_den or 1),
            self._time(trade.transactionTime or sent),
            self._delays[market.symbol],
            trade.session,
            {api.BID: True, api.OFFER: False}.get(trade.side),
        )

    def _index(self, market: _Market, body: Message, den: int, sent: int) -> Iterator[Tick]:
        """An index has no sizes; its last value is a trade of none."""
        at_ns = self._time(body.transactionTime or sent)
        if body.bid and body.offer:
            bid, ask = _ratio(body.bid, den), _ratio(body.offer, den)
            yield self._quote(market, bid, ask, ZERO, ZERO, at_ns)
        if body.last:
            delay = self._delays[market.symbol]
            yield TradeTick(market.symbol, _ratio(body.last, den), ZERO, at_ns, delay)

    def _time(self, at_ns: int) -> int | None:
        if at_ns == 0:
            return None
        if not 0 < at_ns < self._clock.now_ns() + AHEAD_NS:
            raise Unsound("times that are none")
        return at_ns


@lru_cache(maxsize=64)
def _denominator(value: int) -> tuple[Decimal, int | None]:
    """A denominator, and its power where it is one of ten."""
    digits = str(value)
    return Decimal(value), len(digits) - 1 if digits.strip("0") == "1" and digits[0] == "1" else None


def _ratio(value: int, denominator: int) -> Decimal:
    """A price or size, exact. Raises Unsound for a denominator that is none."""
    if denominator <= 0:
        raise Unsound("numbers without a denominator")
    below, power = _denominator(denominator)
    if power is not None:
        return Decimal(value).scaleb(-power)
    try:
        return _EXACT.divide(Decimal(value), below)
    except (Inexact, InvalidOperation):
        raise Unsound("prices that are no decimals") from None
