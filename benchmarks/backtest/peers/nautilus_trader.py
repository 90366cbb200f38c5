"""The reference work in nautilus_trader: risk engine on, an OCO bracket, nothing logged.

Like our own figure it is the run alone: data are read and wrapped, and the engine is set up, before the clock
starts.
"""

from typing import Any

import nautilus_trader  # type: ignore[import-not-found, unused-ignore]
import numpy as np
import pandas as pd
from nautilus_trader.backtest.config import BacktestEngineConfig
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.config import LoggingConfig, StrategyConfig
from nautilus_trader.indicators.averages import MovingAverageType
from nautilus_trader.indicators.momentum import RelativeStrengthIndex
from nautilus_trader.model.currencies import BTC, USDT
from nautilus_trader.model.data import BarType
from nautilus_trader.model.enums import AccountType, ContingencyType, OmsType, OrderSide
from nautilus_trader.model.identifiers import Venue
from nautilus_trader.model.objects import Money, Quantity
from nautilus_trader.persistence.wranglers import BarDataWrangler
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy

from benchmarks.backtest.peers.outcome import asked, tell, timed
from benchmarks.backtest.rule import (
    BUY_BELOW,
    CASH,
    HOLD_BARS,
    NS_PER_BAR,
    PERIOD,
    STOP_FRACTION,
    TARGET_FRACTION,
)

CONTRACT = TestInstrumentProvider.btcusdt_binance()
BARS = BarType.from_str("BTCUSDT.BINANCE-1-MINUTE-LAST-EXTERNAL")
VENUE = Venue("BINANCE")


class Reference(Strategy):  # type: ignore[misc, unused-ignore]
    """The rule; nautilus' RSI lies between 0 and 1."""

    def __init__(self) -> None:
        super().__init__(StrategyConfig())
        self.rsi = RelativeStrengthIndex(PERIOD, MovingAverageType.WILDER)
        self.before, self.bars, self.entered, self.closed = 1.0, 0, 0, 0

    def on_start(self) -> None:
        """Begins to listen."""
        self.register_indicator_for_bars(BARS, self.rsi)
        self.subscribe_bars(BARS)

    def on_bar(self, bar: Any) -> None:
        """One bar."""
        self.bars += 1
        before, self.before = self.before, self.rsi.value
        if not self.portfolio.is_flat(CONTRACT.id):
            if self.bars - self.entered >= HOLD_BARS:
                self.cancel_all_orders(CONTRACT.id)
                self.close_all_positions(CONTRACT.id)
        elif self.rsi.initialized and self.rsi.value < BUY_BELOW / 100 <= before:
            self.entered, close = self.bars, float(bar.close)
            bracket = self.order_factory.bracket(
                instrument_id=CONTRACT.id,
                order_side=OrderSide.BUY,
                quantity=Quantity.from_str("1.000000"),
                sl_trigger_price=CONTRACT.make_price(close * (1 - STOP_FRACTION)),
                tp_price=CONTRACT.make_price(close * (1 + TARGET_FRACTION)),
                contingency_type=ContingencyType.OCO,
            )
            self.submit_order_list(bracket)

    def on_position_closed(self, _: Any) -> None:
        """Counts."""
        self.closed += 1


def _engine(bars: list[Any]) -> tuple[Any, Reference]:
    engine = BacktestEngine(
        BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True), run_analysis=False)
    )
    engine.add_venue(
        venue=VENUE,
        oms_type=OmsType.HEDGING,
        account_type=AccountType.CASH,
        base_currency=None,
        starting_balances=[Money(CASH, USDT), Money(0, BTC)],
    )
    engine.add_instrument(CONTRACT)
    engine.add_data(bars)
    strategy = Reference()
    engine.add_strategy(strategy)
    return engine, strategy


def main() -> None:
    """Measures in this process: one run, as it takes long enough to be warm."""
    path, _ = asked()
    data = np.load(path)
    closed_at = pd.to_datetime(data["ts"] + NS_PER_BAR, utc=True)
    names = ("open", "high", "low", "close", "volume")
    frame = pd.DataFrame({name: data[name] for name in names}, index=closed_at)
    frame.index.name = "timestamp"
    engine, strategy = _engine(BarDataWrangler(BARS, CONTRACT).process(frame))
    times, _ = timed(engine.run, 0)
    account = engine.cache.account_for_venue(VENUE)
    held = float(account.balance_total(BTC) or 0)
    equity = float(account.balance_total(USDT)) + held * float(data["close"][-1])
    tell("nautilus_trader", nautilus_trader.__version__, **times, trades=strategy.closed, final_equity=equity)


if __name__ == "__main__":
    main()
