"""A simulated exchange in a test's hand: coins, a stock and a perpetual, and a clock that is set."""

from collections.abc import Callable, Coroutine, Mapping
from decimal import Decimal
from functools import wraps
from typing import Any, ParamSpec

from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.market import NS_PER_SECOND, Quote
from neuratrade.core.model.orders import OrderType, Side, TimeInForce
from neuratrade.rehearsal.matching import MatchingEngine, Rules
from neuratrade.rehearsal.orders import Change, SimOrder, Ticket
from neuratrade.rehearsal.stages import STAGES
from neuratrade.rehearsal.warp import run_warped

D = Decimal
BEGIN_NS = 1_750_000_000 * NS_PER_SECOND
BTC = STAGES["alpaca"]().contract
ETH = Instrument(
    "ETH/USD", "alpaca", InstrumentKind.SPOT, "ETH", "USD",
    tick=D("0.01"), lot=D("0.001"), min_quantity=D("0.001"), min_notional=D(1),
    maker_fee_bps=D(15), taker_fee_bps=D(25), fee_in_base=True,
)  # fmt: skip
AAPL = Instrument(
    "AAPL", "alpaca", InstrumentKind.EQUITY, "AAPL", "USD",
    tick=D("0.01"), lot=D(1), min_quantity=D(1), min_notional=D(1),
)  # fmt: skip
PERP = Instrument(
    "BTC/USDT:USDT", "test", InstrumentKind.PERPETUAL, "BTC", "USDT",
    tick=D("0.1"), lot=D("0.001"), min_quantity=D("0.001"), min_notional=D(5),
    maker_fee_bps=D(2), taker_fee_bps=D(5), initial_margin=D("0.1"),
)  # fmt: skip
RICH = {"USD": D(1_000_000), "USDT": D(100_000)}

P = ParamSpec("P")


def warped(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Runs an asynchronous test on a loop whose time jumps."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        run_warped(test(*args, **kwargs))

    return run


class Floor:
    """A matching engine, what it told, and short words for orders and quotes."""

    def __init__(
        self,
        *contracts: Instrument,
        balances: Mapping[str, Decimal] | None = None,
        rules: Rules | None = None,
    ) -> None:
        self.now_ns = BEGIN_NS
        self.told: list[Change] = []
        self.engine = MatchingEngine(
            contracts or (BTC,), RICH if balances is None else balances, lambda: self.now_ns, rules
        )
        self.engine.listen(self.told.append)
        self._contract = (contracts or (BTC,))[0]
        self._count = 0

    def quote(self, bid: str | None, ask: str | None, size: str = "10", key: str = "") -> None:
        """The market stands at these prices, with so much on each side."""
        low, high = (None if price is None else D(price) for price in (bid, ask))
        self.engine.quote(Quote(key or self._contract.key, self.now_ns, low, high, D(size), D(size)))

    def ticket(self, side: Side, quantity: str, **terms: Any) -> Ticket:
        """An order of a name of its own; a limit order where a limit alone is given, and so on."""
        self._count += 1
        limit, stop = terms.pop("limit", None), terms.pop("stop", None)
        kinds = {
            (False, False): OrderType.MARKET, (True, False): OrderType.LIMIT,
            (False, True): OrderType.STOP, (True, True): OrderType.STOP_LIMIT,
        }  # fmt: skip
        return Ticket(
            terms.pop("name", f"order-{self._count}"),
            terms.pop("symbol", self._contract.key),
            side,
            kinds[limit is not None, stop is not None],
            D(quantity),
            None if limit is None else D(limit),
            None if stop is None else D(stop),
            **terms,
        )

    def buy(self, quantity: str, **terms: Any) -> SimOrder:
        """Places a purchase."""
        return self.engine.place(self.ticket(Side.BUY, quantity, **terms))

    def sell(self, quantity: str, **terms: Any) -> SimOrder:
        """Places a sale."""
        return self.engine.place(self.ticket(Side.SELL, quantity, **terms))

    def kinds(self) -> list[str]:
        """What was told so far."""
        return [change.kind.value for change in self.told]


IOC = TimeInForce.IOC
