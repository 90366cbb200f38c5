"""One exchange through ccxt: its markets, its time and its bars, asked for with patience.

Only the module of the one exchange is imported, and only when it is asked for: the package's own `import
ccxt` loads more than a hundred. ccxt's throttler keeps the exchange's rate; on top of it a question that the
network, or a limit, did not let through is asked again, later each time and never for ever. Nothing here
places an order.
"""

import json
import re
import sys
import time
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

from neuratrade.core.model.errors import Retryable, Terminal, UsageError
from neuratrade.core.model.market import NS_PER_MS

ATTEMPTS = 6
"""Times a question is asked: with the waits below, about two minutes of trouble are sat out."""

FIRST_WAIT_S, LONGEST_WAIT_S = 2.0, 60.0
LONGEST_ASKED_WAIT_S = 120.0
"""A `Retry-After` beyond this is a ban: told to the person rather than waited for in silence."""

_NO_USE_ASKING_AGAIN = {
    400: "it does not understand the question",
    401: "it wants a key",
    403: "it does not let this address in",
    404: "it has no such address",
    405: "it has no such address",
    410: "it has no such address any more",
    451: "it does not serve the country this address is in",
}
_DEFAULT_PAGE = 500

T = TypeVar("T")


class Exchange:
    """The public side of one exchange.

    name: as ccxt calls it. url: another address for its API (a mirror, a test server); empty is its own.
    wait, rng: how waiting is done, and its jitter. Raises UsageError where ccxt is not installed or has no
    such exchange.
    """

    def __init__(
        self,
        name: str,
        url: str = "",
        wait: Callable[[float], None] = time.sleep,
        rng: Random | None = None,
    ) -> None:
        self.name = name
        self._client: Any = _class_of(name)({"enableRateLimit": True, "timeout": 20_000})
        self._errors: Any = sys.modules["ccxt.base.errors"]
        self._wait = wait
        self._rng = rng or Random()  # noqa: S311 - jitter
        if url:
            self._client.urls["api"] = _moved(self._client.urls["api"], url)
        if not self._client.has.get("fetchOHLCV") or self._client.has["fetchOHLCV"] == "emulated":
            raise UsageError(f"exchange {name}: gives out no bars; record or import them")

    def close(self) -> None:
        """Gives its connections back."""
        self._client.session.close()

    def check_timeframe(self, timeframe: str) -> None:
        """Raises UsageError naming the timeframes it has, when this is none of them."""
        known = self._client.timeframes or {}
        if timeframe not in known:
            raise UsageError(
                f"exchange {self.name}: has no bars of {timeframe!r}; it has {', '.join(known) or 'none'}"
            )

    def market(self, symbol: str) -> Mapping[str, object]:
        """What ccxt knows about a market by its unified symbol, such as `BTC/USDT` or `BTC/USDT:USDT`.

        Raises UsageError naming the nearest when there is none.
        """
        markets = self._ask("its markets", self._client.load_markets)
        if symbol in markets:
            found: Mapping[str, object] = markets[symbol]
            return found
        near = get_close_matches(symbol.upper(), list(markets), n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UsageError(f"exchange {self.name}: has no market {symbol!r}{hint}")

    def tick_of(self, precision: object) -> str | None:
        """A precision as ccxt gives it, as the step it stands for; None where that is no fixed step."""
        if not isinstance(precision, int | float) or not precision > 0:
            return "1" if precision == 0 and self._client.precisionMode == _DECIMAL_PLACES else None
        if self._client.precisionMode == _TICK_SIZE:
            return repr(precision)
        return f"1e-{int(precision)}" if self._client.precisionMode == _DECIMAL_PLACES else None

    def now_ns(self) -> int:
        """The time there where it says, else here; the earlier of both."""
        here_ns = time.time_ns()
        if not self._client.has.get("fetchTime"):
            return here_ns
        there_ms = self._ask("its time", self._client.fetch_time)
        return min(here_ns, there_ms * NS_PER_MS) if isinstance(there_ms, int) else here_ns

    def page_rows(self, symbol: str) -> int:
        """How many bars it gives in one answer."""
        known = self._client.feature_value(symbol, "fetchOHLCV", "limit", None)
        return known if isinstance(known, int) and known > 0 else _DEFAULT_PAGE

    def bars(self, symbol: str, timeframe: str, since_ns: int, limit: int) -> list[list[object]]:
        """Rows of ts (ms), open, high, low, close, volume from `since_ns` on; the last may be forming."""
        rows = self._ask(
            f"bars of {symbol}",
            lambda: self._client.fetch_ohlcv(symbol, timeframe, since_ns // NS_PER_MS, limit),
        )
        if not isinstance(rows, list) or self._holds_what_was_not_read(len(rows), since_ns // NS_PER_MS):
            raise Terminal(
                f"exchange {self.name}: answered the question for bars of {symbol} with something else than "
                f"bars ({str(self._client.last_http_response)[:80]!r}); is this its address?"
            )
        return [row[:6] for row in rows]

    def _holds_what_was_not_read(self, read: int, since_ms: int) -> bool:
        """Whether an answer holds more than the rows read from it: ccxt drops in silence what has no time.

        An answer that is no bars at all would else count as one that says there are none.
        """
        try:
            rows = _longest_list(json.loads(self._client.last_http_response))
        except (TypeError, ValueError):
            return True
        if rows is None or len(rows) <= read:
            return rows is None
        if not isinstance(rows[0], list | dict):
            return read == 0
        try:
            times = [self._client.parse_ohlcv(row)[0] for row in rows]
        except Exception:  # noqa: BLE001 - what ccxt makes of a row it cannot read is any exception
            return read == 0
        readable = all(isinstance(at, int) for at in times)
        return not readable or (read == 0 and any(at >= since_ms for at in times))

    def _ask(self, what: str, question: Callable[[], T]) -> T:
        for attempt in range(1, ATTEMPTS + 1):
            self._client.last_response_headers = None
            try:
                return question()
            except self._errors.OperationFailed as error:
                wait_s = self._wait_after(error, attempt, what)
            except self._errors.BaseError as error:
                raise Terminal(f"exchange {self.name}: refused {what}: {_short(error)}") from error
            except Exception as error:  # what ccxt makes of an answer it cannot read is any exception
                said = f"{type(error).__name__}: {_short(error)}"
                raise Terminal(
                    f"exchange {self.name}: answered the question for {what} with something that cannot be "
                    f"read ({said}); is this its address?"
                ) from error
            self._wait(wait_s)
        raise AssertionError("the last attempt raises")

    def _wait_after(self, error: Exception, attempt: int, what: str) -> float:
        """Seconds to wait before asking again. Raises when there is no use in it, or it was asked enough."""
        status = re.search(r" ([45]\d\d) ", str(error))
        reason = _NO_USE_ASKING_AGAIN.get(int(status[1])) if status else None
        if reason:
            raise Terminal(f"exchange {self.name}: refused {what}: {reason} ({_short(error)})") from error
        asked_s = self._asked_wait_s()
        if asked_s > LONGEST_ASKED_WAIT_S:
            raise Retryable(
                f"exchange {self.name}: asks to be left alone for {asked_s:.0f} s; "
                f"run the same command after that"
            ) from error
        if attempt == ATTEMPTS:
            raise Retryable(
                f"exchange {self.name}: did not answer the question for {what} in {ATTEMPTS} attempts "
                f"({_short(error)}); run the same command again later"
            ) from error
        longest_s = min(FIRST_WAIT_S * 2 ** (attempt - 1), LONGEST_WAIT_S)
        return asked_s + self._rng.uniform(longest_s / 2, longest_s)

    def _asked_wait_s(self) -> float:
        headers = self._client.last_response_headers or {}
        try:
            return max(float(headers.get("Retry-After", 0)), 0.0)
        except ValueError:
            return 0.0


_DECIMAL_PLACES, _TICK_SIZE = 2, 4
"""ccxt's names for how an exchange states its precisions."""


def _class_of(name: str) -> Callable[[dict[str, object]], Any]:
    spec = find_spec("ccxt")
    if spec is None or not spec.submodule_search_locations:
        raise UsageError("downloading needs ccxt: pip install 'neuratrade[ccxt]'")
    folder = spec.submodule_search_locations[0]
    known = sorted(path.stem for path in Path(folder).glob("[a-z]*.py"))
    if name not in known:
        near = get_close_matches(name.lower(), known, n=1, cutoff=0.5)
        hint = (
            f"; did you mean {near[0]!r}?"
            if near
            else f"; ccxt knows {len(known)}, such as binance or kraken"
        )
        raise UsageError(f"exchange {name!r}: there is none of that name{hint}")
    module = _module_alone(folder, name)
    made: Callable[[dict[str, object]], Any] = getattr(module, name)
    return made


def _module_alone(folder: str, name: str) -> ModuleType:
    """One module of the package without running the package's own first lines, which import all of them."""
    if "ccxt" in sys.modules or f"ccxt.{name}" in sys.modules:
        return import_module(f"ccxt.{name}")
    package = ModuleType("ccxt")
    package.__path__ = [folder]
    sys.modules["ccxt"] = package
    try:
        return import_module(f"ccxt.{name}")
    finally:
        # Whoever imports ccxt after us gets the real one.
        del sys.modules["ccxt"]


def _longest_list(answer: object) -> list[object] | None:
    """The longest list anywhere in an answer: its rows, however they are wrapped."""
    if isinstance(answer, list):
        return answer
    if not isinstance(answer, dict):
        return None
    found = [inner for inner in map(_longest_list, answer.values()) if inner is not None]
    return max(found, key=len, default=None)


def _moved(addresses: object, url: str) -> object:
    """The same addresses at another host."""
    if isinstance(addresses, dict):
        return {name: _moved(address, url) for name, address in addresses.items()}
    if not isinstance(addresses, str):
        return addresses
    base = urlsplit(url)
    if base.scheme not in ("http", "https") or not base.netloc:
        raise UsageError(f"url {url!r}: write it as https://host or http://host:port")
    return urlunsplit((base.scheme, base.netloc, urlsplit(addresses).path, "", ""))


def _short(error: Exception) -> str:
    return (str(error).strip().partition("\n")[0] or type(error).__name__)[:200]
