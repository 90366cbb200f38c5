"""Barchart's JERQ server on loopback: login, streams, snapshots, books, volumes and the beat of its clock.

What is told comes from a tape, in the wire form of DDF. Commands are taken as at the venue: one login a
connection, symbols with the letters of what is wanted, nothing answered for a symbol it does not have. Frames
may be torn: messages cut across them, and several in one, as a stream over TCP may be relayed.
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Self

from aiohttp import WSMsgType, web

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.market import NS_PER_DAY, NS_PER_MINUTE, Quote
from neuratrade.rehearsal import jerq_words as words
from neuratrade.rehearsal.faults import Act, FaultKind, Troubles
from neuratrade.rehearsal.jerq_words import Listing
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.server import Frame, Hub, Simulator
from neuratrade.rehearsal.tape import Print, Tape

USER, PASSWORD, TOKEN = "rehearsal", "opens-nothing", "a.token.of-a-rehearsal"
CLOCK = "_TIMESTAMP_"
BEAT_S = 1.0
LOGIN_S = 10.0
STREAM, SNAPSHOT, VOLUMES, BOOK_STREAM, BOOK = "S", "s", "c", "B", "b"
LARGEST_PIECE = 40


class JerqSimulator(Simulator):
    """JERQ at `/jerq`. listings: by the key of a contract. tape: of another simulator, or one of its own.

    delay_minutes: by how much what it tells is late, zero for the present. torn: the seed of how frames are
    cut, None for one message a frame. logins, commands: what was said to it, without secrets.
    """

    name = "barchart"

    def __init__(
        self,
        engine: MatchingEngine,
        troubles: Troubles,
        now_ns: Callable[[], int],
        listings: Mapping[str, Listing],
        *,
        tape: Tape | None = None,
        delay_minutes: int = 0,
        torn: int | None = None,
    ) -> None:
        super().__init__(engine, troubles, now_ns)
        self.tape = tape or Tape(engine, troubles, now_ns)
        self.hub = Hub(troubles)
        self.logins = 0
        self.refused = 0
        self.commands: list[str] = []
        self._listings = dict(listings)
        self._keys = {listing.symbol: key for key, listing in listings.items()}
        self._late_ns = delay_minutes * NS_PER_MINUTE
        self._torn = torn
        self._beating: asyncio.Task[None] | None = None
        self.tape.on_book.append(self._on_book)
        self.tape.on_print.append(self._on_print)

    @property
    def url(self) -> str:
        """What a client is given as the host."""
        return self.ws_base

    def routes(self) -> list[web.RouteDef]:
        """One path."""
        return [web.get("/jerq", self._serve)]

    def act_of(self, request: web.Request) -> Act:
        """It only tells."""
        return Act.DATA

    def trouble_answer(self, status: int) -> web.Response:
        """Status alone."""
        return web.Response(status=status)

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self._beating = asyncio.create_task(self._beat())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)
        await super().__aexit__()

    def tell(self, frame: bytes, topic: str) -> None:
        """Tells who asked for a topic, unless the plan has the stream silent."""
        if not self.troubles.is_on(FaultKind.SILENT_STREAM):
            self.hub.publish(frame, topic)
        elif self.hub.is_asked(topic):
            self.troubles.during(FaultKind.SILENT_STREAM)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            self.tell(words.clock(self.now_ns), CLOCK)

    # the market

    def _on_book(self, key: str) -> None:
        listing, quote = self._listings.get(key), self.engine.quotes.get(key)
        if listing is None or quote is None:
            return
        at_ns = quote.at_ns - self._late_ns
        sides = (quote.bid, int(quote.bid_size), quote.ask, int(quote.ask_size))
        self.tell(words.top(listing, *sides, at_ns), _topic(STREAM, listing))
        if self.hub.is_asked(_topic(BOOK_STREAM, listing)):
            ladder = self.tape.ladder(key)
            self.tell(words.depth(listing, ladder.bids, ladder.asks, at_ns), _topic(BOOK_STREAM, listing))

    def _on_print(self, item: Print) -> None:
        listing = self._listings.get(item.symbol)
        if listing is not None:
            told = words.trade(listing, item.price, int(item.quantity), item.at_ns - self._late_ns)
            self.tell(told, _topic(STREAM, listing))

    def _snapshot(self, listing: Listing) -> bytes:
        key = self._keys[listing.symbol]
        quote = self.engine.quotes.get(key) or Quote(key, self.now_ns, None, None, ZERO, ZERO)
        at_ns = quote.at_ns - self._late_ns
        told = {
            "symbol": listing.symbol,
            "name": listing.name,
            "exchange": listing.exchange,
            "basecode": listing.unit,
            "pointvalue": f"{listing.point_value:.1f}",
            "tickincrement": words.coded(self.engine.contracts[key].tick, listing.unit),
            "ddfexchange": listing.code,
            "lastupdate": words.digits(at_ns, words.CHICAGO),
            "bid": _coded(quote.bid, listing),
            "bidsize": None if quote.bid is None else int(quote.bid_size),
            "ask": _coded(quote.ask, listing),
            "asksize": None if quote.ask is None else int(quote.ask_size),
            "mode": "I" if self._late_ns else "R",
        }
        return words.element("QUOTE", told, self._sessions(listing, key, at_ns))

    def _sessions(self, listing: Listing, key: str, at_ns: int) -> str:
        prints = self.tape.prints(key)
        today: dict[str, object] = {
            "day": words.day_code(at_ns, listing.zone),
            "session": "G",
            "timestamp": words.digits(at_ns, listing.zone),
        }
        if prints:
            # Of trades alone: the candles of a tape grow from quotes too.
            prices, last = [item.price for item in prints], prints[-1]
            today |= {
                "open": _coded(prices[0], listing),
                "high": _coded(max(prices), listing),
                "low": _coded(min(prices), listing),
                "last": _coded(last.price, listing),
                "tradesize": int(last.quantity),
                "volume": int(sum((item.quantity for item in prints), ZERO)),
                "numtrades": len(prints),
                "tradetime": words.digits(last.at_ns - self._late_ns, listing.zone),
            }
        before = {"day": words.day_code(at_ns - NS_PER_DAY, listing.zone), "session": "G"}
        parts = (
            words.element("SESSION", {**today, "id": "combined"}),
            words.element("SESSION", {**before, "id": "previous"}),
        )
        return "".join(part[1:].decode().strip() for part in parts)

    def _book(self, listing: Listing) -> bytes:
        ladder = self.tape.ladder(self._keys[listing.symbol])
        told: dict[str, object] = {"symbol": listing.symbol, "basecode": listing.unit}
        for side, levels in (("ask", ladder.asks), ("bid", ladder.bids)):
            told[f"{side}count"] = len(levels)
            told[f"{side}prices"] = (
                ",".join(words.coded(level.price, listing.unit) for level in levels) or None
            )
            told[f"{side}sizes"] = ",".join(str(int(level.quantity)) for level in levels) or None
        return words.element("BOOK", told)

    def _volumes(self, listing: Listing) -> bytes:
        key = self._keys[listing.symbol]
        sums: dict[Decimal, Decimal] = {}
        for item in self.tape.prints(key):
            sums[item.price] = sums.get(item.price, ZERO) + item.quantity
        rows = (f"{words.coded(price, listing.unit)},{int(size)}" for price, size in sums.items())
        tick = words.coded(self.engine.contracts[key].tick, listing.unit)
        told = {
            "symbol": listing.symbol,
            "basecode": listing.unit,
            "tickincrement": tick,
            "data": ":".join(rows) or None,
        }
        return words.element("CV", told)

    # connections

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = _Socket(self._torn)
        await socket.prepare(request)
        await socket.send_str("+++\n")
        if not await self._log_in(socket):
            self.refused += 1
            await socket.send_str("- Login failed.\n")
            await socket.close()
            return socket
        self.logins += 1
        await socket.send_str("+ Login successful.\n")
        topics: set[str] = set()
        await self.hub.serve(
            socket,
            lambda frame: self._hear(frame, topics, socket),
            is_over=lambda: socket.has_left,
            topics=topics,
            public=True,
        )
        return socket

    async def _log_in(self, socket: web.WebSocketResponse) -> bool:
        try:
            message = await socket.receive(timeout=LOGIN_S)
        except TimeoutError:
            return False
        if message.type is not WSMsgType.TEXT:
            return False
        return message.data in (f"LOGIN {USER}:{PASSWORD} VERSION=4\r\n", f"TOKEN {TOKEN} VERSION=4\r\n")

    def _hear(self, frame: Frame, topics: set[str], socket: "_Socket") -> list[Frame]:
        said: list[Frame] = []
        for line in str(frame).splitlines():
            verb, _, what = line.strip().partition(" ")
            self.commands.append(f"{verb} {what}".strip())
            if verb == "LOGOUT":
                socket.has_left = True
            for part in what.split(",") if verb in ("GO", "STOP") else ():
                name, _, letters = part.partition("=")
                if name == CLOCK:
                    (topics.add if verb == "GO" else topics.discard)(CLOCK)
                elif name in self._keys:
                    said += self._ask(verb, self._listings[self._keys[name]], letters, topics)
        return said

    def _ask(self, verb: str, listing: Listing, letters: str, topics: set[str]) -> list[Frame]:
        answers = {SNAPSHOT: self._snapshot, VOLUMES: self._volumes, BOOK: self._book}
        said: list[Frame] = []
        for letter in letters:
            if letter in (STREAM, BOOK_STREAM):
                (topics.add if verb == "GO" else topics.discard)(_topic(letter, listing))
            elif verb == "GO" and letter in answers:
                said.append(answers[letter](listing))
        return said


class _Socket(web.WebSocketResponse):
    """A connection whose frames may be torn. What is kept back goes with the next one."""

    def __init__(self, seed: int | None) -> None:
        super().__init__()
        self.has_left = False
        self._dice = None if seed is None else random.Random(seed)  # noqa: S311 - how frames are cut
        self._held = b""

    async def send_bytes(self, data: bytes, compress: int | None = None) -> None:
        """One frame, or the pieces of a stream."""
        if self._dice is None:
            await super().send_bytes(data)
            return
        self._held += data
        while len(self._held) > LARGEST_PIECE:
            length = self._dice.randint(1, 2 * len(self._held))
            piece, self._held = self._held[:length], self._held[length:]
            await super().send_bytes(piece)


def _topic(letter: str, listing: Listing) -> str:
    return f"{letter} {listing.symbol}"


def _coded(price: Decimal | None, listing: Listing) -> str | None:
    return None if price is None else words.coded(price, listing.unit)
