"""What a strategy is: indicators it needs, one compiled entry rule, and a plan for the bracket.

The entry rule is a kernel over two rows of indicator values, so that live trading calls it once a bar
and a backtest loops the very same compiled code over whole arrays. Everything that needs money types
(levels, confidence) is worked out in `plan`, only on the bars where the rule speaks.
"""

from decimal import Decimal
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from neuratrade.core.indicators.spec import IndicatorSpec
from neuratrade.core.model.intent import Direction, EntryType, Lane, TakeProfit
from neuratrade.core.model.market import Bar
from neuratrade.core.model.regime import Regime

Row = NDArray[np.float64]


class Proposal(msgspec.Struct, frozen=True):
    """What a strategy wants on one bar; the engine makes it an intent with id, account and times.

    stop_price and targets: quote per base, not yet on the tick grid. max_hold_ns: time exit.
    note: one line for people, with the values that decided.
    """

    direction: Direction
    trigger_price: Decimal
    stop_price: Decimal
    take_profits: tuple[TakeProfit, ...]
    confidence: Decimal
    order_type: EntryType = EntryType.LIMIT
    trail_fraction: Decimal | None = None
    max_hold_ns: int | None = None
    entry_expiry_ns: int | None = None
    note: str = ""


class Strategy(Protocol):
    """A pure function of bars and indicators, in two steps.

    name: stable, goes into `strategy_ref`. assets: which assets it speaks for (`BTC/USDT`).
    while_flat: whether it is heard only on assets where nothing of its own is entered or held. span_ns: the
    timeframe of bars it works on. indicators: specs whose outputs, concatenated in this
    order, make one row.
    """

    @property
    def name(self) -> str: ...

    @property
    def lane(self) -> Lane: ...

    @property
    def assets(self) -> tuple[str, ...]: ...

    @property
    def span_ns(self) -> int: ...

    @property
    def while_flat(self) -> bool: ...

    @property
    def indicators(self) -> tuple[IndicatorSpec, ...]: ...

    def entry(self, previous: Row, current: Row, close: float, asset: str) -> int:
        """+1 to go long, -1 to go short, 0 for nothing; calls the compiled rule. nan rows give 0."""
        ...

    def plan(self, signal: int, bar: Bar, current: Row, regime: Regime) -> Proposal | None:
        """The bracket for a signal, or None where the regime vetoes it."""
        ...
