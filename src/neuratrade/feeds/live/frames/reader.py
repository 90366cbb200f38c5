"""Frames of one venue as pieces: trades once and in order, quotes that never go back, books that are whole.

A frame that cannot be read is counted, told once for each kind, and ends nothing: the stream goes on, and a
book that missed a change by it says so by its own rule.
"""

from collections import Counter
from collections.abc import Callable, Mapping

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.market import Quote, Trade
from neuratrade.feeds.live.book import BookMirror, BookSnapshot, Level, Outcome, SyncRule, is_level
from neuratrade.feeds.live.frames.heard import BestHeard, BookHeard, Decoder, Heard, TradeHeard
from neuratrade.feeds.live.source import BookLost, Piece

MOST_KINDS = 20
LONGEST = 120
OTHERS = "others"


class FrameReader:
    """Reads one connection. instruments: by the venue's symbol; others are not read.

    rule_of: how the book of a symbol is kept. note: is told, once for each kind, of frames that could not be
    read. hostile: how many there were of each kind.
    """

    def __init__(
        self,
        decoder: Decoder,
        instruments: Mapping[str, str],
        rule_of: Callable[[str], SyncRule],
        note: Callable[[str], None],
    ) -> None:
        self._decoder = decoder
        self._instruments = instruments
        self._note = note
        self._trades: dict[str, int] = {}
        self._bests: dict[str, int] = {}
        self.mirrors = {symbol: BookMirror(key, rule_of(symbol)) for symbol, key in instruments.items()}
        self.hostile: Counter[str] = Counter()

    def read(self, frame: str | bytes, received_ns: int) -> list[Piece]:
        """What a frame tells."""
        pieces: list[Piece] = []
        try:
            for heard in self._decoder.decode(frame, received_ns):
                piece = self._piece(heard)
                if piece is not None:
                    pieces.append(piece)
        except Exception as error:  # noqa: BLE001 - a frame is anything; none may end the stream
            self._count(error)
        return pieces

    def take(self, heard: BookHeard) -> Piece | None:
        """A snapshot that was asked for beside the stream."""
        return self._book(heard)

    def cut(self, reason: str) -> None:
        """The connection was lost: every book begins anew."""
        for mirror in self.mirrors.values():
            mirror.lose(reason)
        self._bests.clear()

    @property
    def wanting(self) -> list[str]:
        """Symbols whose book is not whole: a snapshot is to be asked for, or the subscription anew."""
        return [symbol for symbol, mirror in self.mirrors.items() if not mirror.is_whole]

    def _piece(self, heard: Heard) -> Piece | None:
        if heard.symbol not in self._instruments:
            return None
        match heard:
            case TradeHeard():
                return self._trade(heard)
            case BestHeard():
                return self._best(heard)
            case BookHeard():
                return self._book(heard)

    def _trade(self, heard: TradeHeard) -> Trade | None:
        _check((heard.price, heard.quantity))
        if not heard.quantity:
            raise ValueError("a trade of nothing")
        if heard.number <= self._trades.get(heard.symbol, -1):
            return None
        self._trades[heard.symbol] = heard.number
        key = self._instruments[heard.symbol]
        return Trade(key, heard.at_ns, heard.price, heard.quantity, heard.aggressor_buy)

    def _best(self, heard: BestHeard) -> Quote | None:
        for side in (heard.bid, heard.ask):
            if side is not None:
                _check(side)
        if heard.number:
            if heard.number <= self._bests.get(heard.symbol, 0):
                return None
            self._bests[heard.symbol] = heard.number
        bid, ask = heard.bid or (None, ZERO), heard.ask or (None, ZERO)
        return Quote(self._instruments[heard.symbol], heard.at_ns, bid[0], ask[0], bid[1], ask[1])

    def _book(self, heard: BookHeard) -> Piece | None:
        mirror, told = self.mirrors[heard.symbol], heard.told
        outcome = mirror.restart(told) if isinstance(told, BookSnapshot) else mirror.apply(told)
        if outcome is Outcome.LOST:
            return BookLost(mirror.instrument, mirror.reason)
        return mirror.quote() if outcome is Outcome.CHANGED else None

    def _count(self, error: Exception) -> None:
        kind = f"{type(error).__name__}: {error}"[:LONGEST]
        if kind not in self.hostile and len(self.hostile) >= MOST_KINDS:
            kind = OTHERS
        self.hostile[kind] += 1
        if self.hostile[kind] == 1:
            self._note(f"a frame could not be read and was left out ({kind})")


def _check(level: Level) -> None:
    if not is_level(level):
        raise ValueError("no price, or no quantity")
