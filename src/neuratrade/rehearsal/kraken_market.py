"""What Kraken tells everybody over REST: time, assets, pairs, ticker, candles, book, trades."""

from collections.abc import Callable, Mapping

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_SECOND
from neuratrade.rehearsal import kraken_words as words
from neuratrade.rehearsal.tape import Tape, plain

Params = dict[str, str]


class KrakenError(Exception):
    """An answer of Kraken's that says no, in its words."""


class KrakenMarket:
    """The public methods, by name. pairs: by contract key."""

    def __init__(self, tape: Tape, pairs: Mapping[str, words.Pair], now_ns: Callable[[], int]) -> None:
        self._tape = tape
        self._pairs = pairs
        self._now_ns = now_ns
        self.methods: dict[str, Callable[[Params], object]] = {
            "Time": self._time,
            "SystemStatus": self._status,
            "Assets": self._assets,
            "AssetPairs": lambda _: {pair.key: words.pair_row(pair) for pair in pairs.values()},
            "Ticker": self._ticker,
            "OHLC": self._candles,
            "Depth": self._depth,
            "Trades": self._public_trades,
        }

    def _status(self, _: Params) -> object:
        return {"status": "online", "timestamp": words.stamp(self._now_ns())[:-8] + "Z"}

    def pair(self, params: Params) -> words.Pair:
        """The pair a request names, by any of its names. Raises KrakenError where there is none."""
        wanted = params.get("pair", "")
        for pair in self._pairs.values():
            if wanted in (pair.key, pair.altname, pair.wsname):
                return pair
        raise KrakenError("EQuery:Unknown asset pair")

    def _time(self, _: Params) -> object:
        return {"unixtime": self._now_ns() // NS_PER_SECOND, "rfc1123": words.stamp(self._now_ns())}

    def _assets(self, _: Params) -> object:
        names = {name for pair in self._pairs.values() for name in (pair.contract.base, pair.contract.quote)}
        return {
            words.asset_code(name): {
                "aclass": "currency",
                "altname": words.altname(name),
                "decimals": 10,
                "display_decimals": 5,
                "status": "enabled",
            }
            for name in sorted(names)
        }

    def _ticker(self, params: Params) -> object:
        wanted = [self.pair({"pair": name}) for name in params.get("pair", "").split(",") if name]
        rows: dict[str, object] = {}
        for pair in wanted or self._pairs.values():
            day, ladder = self._tape.day(pair.contract.key), self._tape.ladder(pair.contract.key)
            if day is None or not ladder.bids or not ladder.asks:
                continue
            price = [plain(value, pair.digits) for value in (day.last, day.vwap, day.low, day.high, day.open)]
            sides = [
                [plain(top.price, pair.digits), plain(top.quantity, 0), plain(top.quantity, 3)]
                for top in (ladder.asks[0], ladder.bids[0])
            ]
            volume = plain(day.volume, 8)
            rows[pair.key] = {
                "a": sides[0],
                "b": sides[1],
                "c": [price[0], plain(ZERO, 8)],
                "v": [volume, volume],
                "p": [price[1], price[1]],
                "t": [day.trades, day.trades],
                "l": [price[2], price[2]],
                "h": [price[3], price[3]],
                "o": price[4],
            }
        return rows

    def _candles(self, params: Params) -> object:
        pair, minutes = self.pair(params), int(params.get("interval", "1"))
        since = int(float(params.get("since") or 0))
        bars = self._tape.bars(pair.contract.key, minutes * NS_PER_MINUTE)[-720:]
        rows = [
            [
                bar.open_ns // NS_PER_SECOND,
                *(plain(value, pair.digits) for value in (bar.open, bar.high, bar.low, bar.close, bar.close)),
                plain(bar.volume, 8),
                1,
            ]
            for bar in bars
            if bar.open_ns // NS_PER_SECOND > since
        ]
        return {pair.key: rows, "last": bars[-2].open_ns // NS_PER_SECOND if len(bars) > 1 else 0}

    def _depth(self, params: Params) -> object:
        pair = self.pair(params)
        ladder, count = self._tape.ladder(pair.contract.key), int(params.get("count") or 100)
        now_s = self._now_ns() // NS_PER_SECOND
        return {
            pair.key: {
                name: [
                    [plain(level.price, pair.digits), plain(level.quantity, 3), now_s]
                    for level in side[:count]
                ]
                for name, side in (("asks", ladder.asks), ("bids", ladder.bids))
            }
        }

    def _public_trades(self, params: Params) -> object:
        pair = self.pair(params)
        since_ns = int(float(params.get("since") or 0))
        if since_ns < 10**12:
            since_ns *= NS_PER_SECOND
        prints = self._tape.prints(pair.contract.key, since_ns)[: int(params.get("count") or 1000)]
        rows = [
            [
                plain(item.price, pair.digits),
                plain(item.quantity, 8),
                item.at_ns / NS_PER_SECOND,
                "b" if item.buys else "s",
                "m",
                "",
                item.number,
            ]
            for item in prints
        ]
        return {pair.key: rows, "last": str(prints[-1].at_ns if prints else since_ns)}
