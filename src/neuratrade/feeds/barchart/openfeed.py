"""Openfeed, Barchart's protobuf protocol over WebSocket: login, subscriptions, liveness, its ends.

One connection a login. Being logged in elsewhere ends it for good: to come back would throw the other one
out, which would come back as well. So does a login that was once taken and is now refused. Credentials travel
in the first message, so nothing is sent in the clear beyond this machine, and no error or note repeats them.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from enum import StrEnum

import aiohttp
import msgspec

from neuratrade.core.model.errors import NeuraTradeError, Retryable, Terminal, UsageError
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.feeds.barchart.hosts import check_url
from neuratrade.feeds.barchart.openfeed_reader import Reader
from neuratrade.feeds.barchart.openfeed_wire import Message, messages_of, protos
from neuratrade.feeds.barchart.transport import UNKNOWN_DELAY, Opened, Tally, Tick
from neuratrade.feeds.clock import Clock

URL = "wss://openfeed.aws.barchart.com/ws"
VERSION = 1
"""Of the protocol: lengths before messages."""
CLIENT = "neuratrade"
SILENT_S = 15.0
"""Barchart's own client for JavaScript gives a connection up after as long without a message."""
ANSWER_S = 20.0
"""How long a login, and then all subscriptions, may take to be answered."""
MOST_BYTES = 4 * 2**20
"""Of a frame."""
MOST_WORDS = 200


class Service(StrEnum):
    """Which prices are asked for."""

    REAL_TIME = "REAL_TIME"
    DELAYED = "DELAYED"


class Login(msgspec.Struct, frozen=True):
    """Who asks: a name with a password, or a token that was issued."""

    username: str = ""
    password: str = ""
    jwt: str = ""

    def __repr__(self) -> str:
        return "Login(...)"

    def hidden(self, text: str) -> str:
        """A text of the venue's without what is secret, and short."""
        for secret in (self.password, self.jwt):
            if secret:
                text = text.replace(secret, "***")
        return "".join(letter for letter in text if letter.isprintable())[:MOST_WORDS]


class OpenfeedTransport:
    """Openfeed over one connection at a time. note: told the first time something was left out.

    Raises Refused for a URL that is neither encrypted nor on this machine, UsageError where the message
    classes are not installed.
    """

    def __init__(
        self,
        clock: Clock,
        login: Login,
        *,
        url: str = URL,
        service: Service = Service.REAL_TIME,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._clock = clock
        self._login = login
        self._url = check_url(url)
        self._service = service
        self._note = note
        self._tally = Tally(note)
        self._protos = protos()
        self._taken = False
        self._opened = False
        self._talk: _Talk | None = None

    @property
    def name(self) -> str:
        """`openfeed`."""
        return "openfeed"

    @property
    def tally(self) -> Tally:
        """What was counted so far, over all connections."""
        return self._tally

    async def ticks(self, symbols: Sequence[str]) -> AsyncGenerator[Tick]:
        """See `BarchartTransport`. The first time, a symbol that is refused ends it with UsageError;
        afterwards only if all are.
        """
        delay = UNKNOWN_DELAY if self._service is Service.DELAYED else 0
        reader = Reader(symbols, delay, self._tally, self._clock)
        async with aiohttp.ClientSession() as session:
            try:
                socket = await session.ws_connect(
                    self._url, max_msg_size=MOST_BYTES, timeout=aiohttp.ClientWSTimeout(ws_close=1.0)
                )
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                raise Retryable(f"Openfeed cannot be reached: {type(error).__name__}") from error
            talk = _Talk(self._protos.api, self._protos.market, socket, self._service)
            try:
                talk.token = await self._log_in(talk)
                self._taken = True
                await talk.subscribe(symbols)
                self._talk = talk
                async for tick in self._heard(talk, reader, symbols):
                    yield tick
            finally:
                self._talk = None
                await socket.close()

    async def subscribe_again(self, symbol: str) -> None:
        """Leaves a symbol and asks for it anew; the answer comes with the data."""
        talk = self._talk
        if talk is None:
            raise Retryable("no connection of Openfeed stands")
        try:
            await talk.subscribe([symbol], leave=True)
            await talk.subscribe([symbol])
        except (ConnectionError, aiohttp.ClientError) as error:
            raise Retryable(f"Openfeed could not be asked: {type(error).__name__}") from error

    # the dialogue

    async def _log_in(self, talk: "_Talk") -> str:
        await talk.log_in(self._login)
        until_ns = self._clock.now_ns() + round(ANSWER_S * NS_PER_SECOND)
        while self._clock.now_ns() < until_ns:
            for message in messages_of(await talk.frame(), self._tally):
                self._check_logout(message)
                if message.WhichOneof("data") == "loginResponse":
                    answer = message.loginResponse
                    # A status that is missing is a success if there is a token, as for Barchart's client.
                    if answer.status.result in (0, talk.api.SUCCESS) and answer.token:
                        return str(answer.token)
                    raise self._refusal(answer.status)
        raise Retryable("Openfeed did not answer the login")

    async def _heard(self, talk: "_Talk", reader: Reader, symbols: Sequence[str]) -> AsyncGenerator[Tick]:
        asked = dict.fromkeys(symbols)
        refused: dict[str, str] = {}
        is_open = False
        until_ns = self._clock.now_ns() + round(ANSWER_S * NS_PER_SECOND)
        while True:
            for message in messages_of(await talk.frame(), self._tally):
                self._check_logout(message)
                if message.WhichOneof("data") != "subscriptionResponse":
                    for tick in reader.ticks(message):
                        # What comes before the others are granted is of the present as well.
                        yield tick
                    continue
                answer = message.subscriptionResponse
                if answer.unsubscribe:
                    continue
                asked.pop(answer.symbol, None)
                if answer.status.result in (0, talk.api.SUCCESS):
                    refused.pop(answer.symbol, None)
                    reader.granted(answer.symbol, answer.marketId, answer.status.service)
                else:
                    refused[answer.symbol] = self._words(answer.status)
                    self._check_refused(refused, symbols)
                if not is_open and not asked:
                    is_open = self._opened = True
                    yield Opened()
            if not is_open and self._clock.now_ns() >= until_ns:
                raise Retryable(f"Openfeed did not answer for {', '.join(asked)}")

    def _check_logout(self, message: Message) -> None:
        if message.WhichOneof("data") == "logoutResponse":
            raise self._refusal(message.logoutResponse.status, "logged out")

    def _check_refused(self, refused: dict[str, str], symbols: Sequence[str]) -> None:
        told = "; ".join(f"{symbol}: {words}" for symbol, words in refused.items())
        if not self._opened or len(refused) == len(symbols):
            raise UsageError(f"Openfeed does not give {told}")
        self._note(f"Openfeed does not give {told}")

    def _refusal(self, status: Message, what: str = "the login was refused") -> NeuraTradeError:
        api = self._protos.api
        told = f"Openfeed: {what} ({self._words(status)})"
        if status.result == api.DUPLICATE_LOGIN:
            return Terminal(
                f"{told}: these credentials were used by another program; it is left alone and nothing is "
                "connected anew. Stop it, or give this desk credentials of its own, and begin again"
            )
        never = (
            api.JWT_EXPIRED, api.JWT_INVALID, api.INVALID_CREDENTIALS, api.INSUFFICIENT_PRIVILEGES,
            api.AUTHENTICATION_REQUIRED,
        )  # fmt: skip
        if status.result not in never:
            return Retryable(told)
        if self._taken:
            return Terminal(f"{told}: they were taken before; renew them and begin again")
        return UsageError(f"{told}: check the credentials and what they give access to")

    def _words(self, status: Message) -> str:
        values = self._protos.api.Result
        name = values.Name(status.result) if status.result in values.values() else f"result {status.result}"
        said = self._login.hidden(status.message)
        return f"{name}: {said}" if said else str(name)


class _Talk:
    """What is said over one connection. token: of the login, with every request."""

    def __init__(
        self,
        api: Message,
        market: Message,
        socket: aiohttp.ClientWebSocketResponse,
        service: Service,
    ) -> None:
        self.api = api
        self.token = ""
        self._market = market
        self._socket = socket
        self._service = service
        self._asked = 0

    async def log_in(self, login: Login) -> None:
        """Asks to be let in."""
        request = self.api.OpenfeedGatewayRequest()
        body = request.loginRequest
        body.correlationId = self._next()
        body.username, body.password, body.jwt = login.username, login.password, login.jwt
        body.clientVersion = CLIENT
        body.protocolVersion = VERSION
        await self._socket.send_bytes(request.SerializeToString())

    async def subscribe(self, symbols: Sequence[str], *, leave: bool = False) -> None:
        """Asks for quotes and trades of symbols, or for no more of them."""
        request = self.api.OpenfeedGatewayRequest()
        body = request.subscriptionRequest
        body.correlationId = self._next()
        body.token = self.token
        body.service = self._market.Service.Value(self._service.value)
        body.unsubscribe = leave
        for symbol in symbols:
            item = body.requests.add()
            item.symbol = symbol
            item.subscriptionType.extend([self.api.QUOTE, self.api.TRADES])
        await self._socket.send_bytes(request.SerializeToString())

    async def frame(self) -> object:
        """The next frame of data. Raises Retryable where the connection ended or fell silent."""
        try:
            received = await self._socket.receive(timeout=SILENT_S)
        except TimeoutError:
            raise Retryable(f"Openfeed said nothing for {SILENT_S:.0f} s") from None
        if received.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT):
            return received.data
        raise Retryable(f"Openfeed ended the connection ({self._socket.close_code})")

    def _next(self) -> int:
        self._asked += 1
        return self._asked
