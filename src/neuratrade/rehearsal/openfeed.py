"""Barchart on loopback: Openfeed's gateway over a tape, with what is known to go wrong there.

One connection a login: a second one gets in, and the first is told so and put out. Nothing is told again to
who was not there, and nobody is told of what was not granted. OnDemand answers on the same port.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from aiohttp import web

from neuratrade.core.model.instrument import Instrument
from neuratrade.feeds.barchart.openfeed_wire import LENGTH, Message, protos
from neuratrade.rehearsal.faults import Act, FaultKind, Troubles
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.ondemand import OnDemand
from neuratrade.rehearsal.server import Frame, Hub, Simulator, respond
from neuratrade.rehearsal.tape import Print, Tape

USERNAME, PASSWORD, APIKEY = "rehearsal", "a-password-of-a-rehearsal", "an-apikey-of-a-rehearsal"
TOKEN = "a-token-of-a-rehearsal"  # noqa: S105 - opens nothing
BEAT_S = 1.0


def framed(*messages: Message | bytes) -> bytes:
    """One frame of messages, each behind its length."""
    bodies = [item if isinstance(item, bytes) else item.SerializeToString() for item in messages]
    return b"".join(len(body).to_bytes(LENGTH) + body for body in bodies)


class OpenfeedSimulator(Simulator):
    """The gateway. symbols: contract keys by Barchart's symbol.

    refused: results of subscriptions by symbol, by Openfeed's name; login_result: of every login. service:
    which one is granted whatever is asked for, None for what is asked for. denominators: of prices, by
    symbol. together: how many messages of data share a frame.
    """

    name = "barchart"

    def __init__(
        self,
        engine: MatchingEngine,
        troubles: Troubles,
        now_ns: Callable[[], int],
        symbols: Mapping[str, str],
    ) -> None:
        super().__init__(engine, troubles, now_ns)
        self.hub = Hub(troubles)
        self.tape = Tape(engine, troubles, now_ns)
        self.api, self.market = protos()
        self.symbols = dict(symbols)
        self.refused: dict[str, str] = {}
        self.login_result = "SUCCESS"
        self.service: str | None = None
        self.denominators: dict[str, int] = {}
        self.together = 1
        self.logins = 0
        self.asked: list[Any] = []
        self.ondemand = OnDemand(engine, self.tape, lambda: self.now_ns, self.symbols, APIKEY)
        self._waiting: dict[str, list[Message]] = {}
        self._over: set[str] = set()
        self._inside: str | None = None
        self._numbers = {symbol: number for number, symbol in enumerate(self.symbols, 1001)}
        self._sequence = 0
        self.tape.on_book.append(self._on_book)
        self.tape.on_print.append(self._on_print)

    def routes(self) -> list[web.RouteDef]:
        """The stream, and OnDemand beside it."""
        return [web.get("/ws", self._stream), *self.ondemand.routes()]

    def act_of(self, request: web.Request) -> Act:
        """Nothing here takes orders."""
        return Act.HISTORY if request.path == "/getHistory.json" else Act.DATA

    def trouble_answer(self, status: int) -> web.Response:
        """The word of the front door; OnDemand's own status is in its bodies."""
        return respond({"status": {"code": status, "message": "Unavailable"}, "results": None}, status)

    @property
    def url(self) -> str:
        """Of the gateway."""
        return f"{self.ws_base}/ws"

    def send(self, frame: Frame) -> None:
        """Tells every connection this, whatever it is."""
        self.hub.publish(frame, "all")

    def log_out(self, result: str, words: str = "") -> None:
        """Puts everybody out, for this reason."""
        message = self.api.OpenfeedGatewayMessage()
        message.logoutResponse.status.result = self.api.Result.Value(result)
        message.logoutResponse.status.message = words
        self.send(framed(message))
        if self._inside is not None:
            self._over.add(self._inside)

    # a connection

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        name = f"connection-{self.requests}"
        topics = {"all", name}
        beat = asyncio.create_task(self._beat(name))
        try:
            await self.hub.serve(
                socket, lambda said: self._hear(name, topics, said), is_over=lambda: name in self._over,
                topics=topics, public=True,
            )  # fmt: skip
        finally:
            beat.cancel()
            await asyncio.gather(beat, return_exceptions=True)
            if self._inside == name:
                self._inside = None
        return socket

    async def _beat(self, name: str) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            for symbol in self._waiting:
                self._flush(symbol)
            message = self.api.OpenfeedGatewayMessage()
            message.heartBeat.transactionTime = self.now_ns
            self._publish(framed(message), name)

    def _publish(self, frame: Frame, topic: str) -> None:
        if not self.troubles.during(FaultKind.SILENT_STREAM):
            self.hub.publish(frame, topic)

    def _hear(self, name: str, topics: set[str], said: Frame) -> Frame | list[Frame] | None:
        request = self.api.OpenfeedGatewayRequest()
        request.ParseFromString(said if isinstance(said, bytes) else said.encode())
        kind = request.WhichOneof("data")
        if kind == "loginRequest":
            return self._log_in(name, request.loginRequest)
        if kind == "subscriptionRequest":
            self.asked.append(request.subscriptionRequest)
            return [self._subscribe(topics, request.subscriptionRequest)]
        if kind == "logoutRequest":
            message = self.api.OpenfeedGatewayMessage()
            message.logoutResponse.status.result = self.api.SUCCESS
            self._over.add(name)
            return framed(message)
        return None

    def _log_in(self, name: str, asked: Message) -> Frame:
        self.logins += 1
        message = self.api.OpenfeedGatewayMessage()
        answer = message.loginResponse
        answer.correlationId = asked.correlationId
        known = (asked.username, asked.password) == (USERNAME, PASSWORD)
        result = self.login_result if known else "INVALID_CREDENTIALS"
        answer.status.result = self.api.Result.Value(result)
        if result == "SUCCESS":
            answer.token = TOKEN
            if self._inside is not None:
                self._put_out(self._inside)
            self._inside = name
        else:
            answer.status.message = f"{asked.username}:{asked.password} was not let in"
            self._over.add(name)
        return framed(message)

    def _put_out(self, name: str) -> None:
        message = self.api.OpenfeedGatewayMessage()
        message.logoutResponse.status.result = self.api.DUPLICATE_LOGIN
        self.hub.publish(framed(message), name)
        self._over.add(name)

    def _subscribe(self, topics: set[str], asked: Message) -> Frame:
        told: list[Message] = []
        for item in asked.requests:
            message = self.api.OpenfeedGatewayMessage()
            answer = message.subscriptionResponse
            answer.correlationId = asked.correlationId
            answer.symbol = item.symbol
            answer.unsubscribe = asked.unsubscribe
            result = "SUCCESS" if item.symbol in self.symbols else "INVALID_SYMBOL"
            if asked.token != TOKEN:
                result = "AUTHENTICATION_REQUIRED"
            result = self.refused.get(item.symbol, result)
            answer.status.result = self.api.Result.Value(result)
            told.append(message)
            if result != "SUCCESS":
                continue
            service = self._served(asked.service)
            answer.status.service = service
            answer.marketId = self._numbers[item.symbol]
            if asked.unsubscribe:
                topics.discard(item.symbol)
                continue
            topics.add(item.symbol)
            told += [self._definition(item.symbol), self._snapshot(item.symbol, service)]
        return framed(*told)

    def _served(self, asked: int) -> int:
        return asked if self.service is None else int(self.market.Service.Value(self.service))

    # what is told

    def _contract(self, symbol: str) -> Instrument:
        return self.engine.contracts[self.symbols[symbol]]

    def _denominator(self, symbol: str) -> int:
        return self.denominators.get(symbol, 10_000)

    def _coded(self, symbol: str, price: Decimal) -> int:
        return int(price * self._denominator(symbol))

    def _definition(self, symbol: str) -> Message:
        message = self.api.OpenfeedGatewayMessage()
        told = message.instrumentDefinition
        contract = self._contract(symbol)
        told.marketId = self._numbers[symbol]
        told.symbol = contract.asset
        told.priceDenominator = self._denominator(symbol)
        told.quantityDenominator = 1
        told.minimumPriceIncrement = float(contract.tick)
        told.contractPointValue = float(contract.multiplier)
        name = told.symbols.add()
        name.vendor, name.symbol, name.longSymbol = "Barchart", symbol, symbol
        return message

    def _snapshot(self, symbol: str, service: int) -> Message:
        message = self.api.OpenfeedGatewayMessage()
        told = message.marketSnapshot
        told.marketId = self._numbers[symbol]
        told.symbol = symbol
        told.service = service
        told.transactionTime = self.now_ns
        self._fill_book(symbol, told.bbo)
        return message

    def _update(self, symbol: str) -> Message:
        message = self.api.OpenfeedGatewayMessage()
        self._sequence += 1
        told = message.marketUpdate
        told.marketId = self._numbers[symbol]
        told.symbol = symbol
        told.marketSequence = self._sequence
        told.transactionTime = self.now_ns
        told.priceDenominator = self._denominator(symbol)
        return message

    def _fill_book(self, symbol: str, told: Message) -> None:
        quote = self.engine.quotes.get(self.symbols[symbol])
        told.transactionTime = self.now_ns
        if quote is not None and quote.bid is not None:
            told.bidPrice, told.bidQuantity = self._coded(symbol, quote.bid), int(quote.bid_size)
        if quote is not None and quote.ask is not None:
            told.offerPrice, told.offerQuantity = self._coded(symbol, quote.ask), int(quote.ask_size)

    def _on_book(self, key: str) -> None:
        for symbol in self._named(key):
            message = self._update(symbol)
            self._fill_book(symbol, message.marketUpdate.bbo)
            self._tell(symbol, message)

    def _on_print(self, item: Print) -> None:
        for symbol in self._named(item.symbol):
            message = self._update(symbol)
            trade = message.marketUpdate.trades.trades.add().trade
            trade.transactionTime = item.at_ns
            trade.price, trade.quantity = self._coded(symbol, item.price), int(item.quantity)
            trade.side = self.market.BID if item.buys else self.market.OFFER
            trade.tradeId = str(item.number).encode()
            self._tell(symbol, message)

    def _named(self, key: str) -> Iterable[str]:
        return [symbol for symbol, contract in self.symbols.items() if contract == key]

    def _tell(self, symbol: str, message: Message) -> None:
        waiting = self._waiting.setdefault(symbol, [])
        waiting.append(message)
        if len(waiting) >= self.together:
            self._flush(symbol)

    def _flush(self, symbol: str) -> None:
        waiting = self._waiting.get(symbol)
        if waiting:
            self._publish(framed(*waiting), symbol)
            waiting.clear()
