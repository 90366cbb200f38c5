"""The reference work in nautilus_trader, as a script of its own: it may live in another environment.

`NAUTILUS_PYTHON` names the interpreter that has it; without that, this one is tried. Same bars, same rule,
its risk engine on, an OCO bracket, nothing logged; like our own figure, without reading data or setting up.
Run with the path of an .npz of the reference columns, it prints version, bars a second and trades as JSON.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

PERIOD, BUY_BELOW, STOP_FRACTION, TARGET_FRACTION, HOLD_BARS = 14, 0.32, 0.005, 0.01, 60
NS_PER_MINUTE = 60_000_000_000
PATIENCE_SECONDS = 600


class Peer(NamedTuple):
    """What the other program did: its version, bars a second, closed trades."""

    version: str
    bars_per_second: float
    trades: int


def measure(columns: dict[str, Any]) -> Peer | str:
    """Runs the peer once over `columns` of the reference series; the reason, where it cannot run."""
    python = os.environ.get("NAUTILUS_PYTHON", sys.executable)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "reference.npz"
        np.savez(data, **columns)
        done = subprocess.run(
            [python, str(Path(__file__)), str(data)],
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    if done.returncode != 0:
        return (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    found = json.loads(done.stdout.strip().splitlines()[-1])
    return Peer(found["version"], found["bars_per_second"], found["trades"])


def _strategy(bar_type: Any, contract: Any) -> Any:
    from nautilus_trader.config import StrategyConfig
    from nautilus_trader.indicators.averages import MovingAverageType
    from nautilus_trader.indicators.momentum import RelativeStrengthIndex
    from nautilus_trader.model.enums import ContingencyType, OrderSide
    from nautilus_trader.model.objects import Quantity
    from nautilus_trader.trading.strategy import Strategy

    class Reference(Strategy):  # type: ignore[misc]
        """The reference rule; nautilus' RSI lies between 0 and 1."""

        def __init__(self) -> None:
            super().__init__(StrategyConfig())
            self.rsi = RelativeStrengthIndex(PERIOD, MovingAverageType.WILDER)
            self.before, self.bars, self.entered, self.closed = 1.0, 0, 0, 0

        def on_start(self) -> None:
            self.register_indicator_for_bars(bar_type, self.rsi)
            self.subscribe_bars(bar_type)

        def on_bar(self, bar: Any) -> None:
            self.bars += 1
            before, self.before = self.before, self.rsi.value
            if not self.portfolio.is_flat(contract.id):
                if self.bars - self.entered >= HOLD_BARS:
                    self.cancel_all_orders(contract.id)
                    self.close_all_positions(contract.id)
            elif self.rsi.initialized and self.rsi.value < BUY_BELOW <= before:
                self.entered, close = self.bars, float(bar.close)
                bracket = self.order_factory.bracket(
                    instrument_id=contract.id,
                    order_side=OrderSide.BUY,
                    quantity=Quantity.from_str("1.000000"),
                    sl_trigger_price=contract.make_price(close * (1 - STOP_FRACTION)),
                    tp_price=contract.make_price(close * (1 + TARGET_FRACTION)),
                    contingency_type=ContingencyType.OCO,
                )
                self.submit_order_list(bracket)

        def on_position_closed(self, _: Any) -> None:
            self.closed += 1

    return Reference()


def main(path: str) -> None:
    """Measures in this process and prints one line of JSON."""
    import time

    import nautilus_trader
    import pandas as pd
    from nautilus_trader.backtest.config import BacktestEngineConfig
    from nautilus_trader.backtest.engine import BacktestEngine
    from nautilus_trader.config import LoggingConfig
    from nautilus_trader.model.currencies import BTC, USDT
    from nautilus_trader.model.data import BarType
    from nautilus_trader.model.enums import AccountType, OmsType
    from nautilus_trader.model.identifiers import Venue
    from nautilus_trader.model.objects import Money
    from nautilus_trader.persistence.wranglers import BarDataWrangler
    from nautilus_trader.test_kit.providers import TestInstrumentProvider

    columns = np.load(path)
    contract = TestInstrumentProvider.btcusdt_binance()
    bar_type = BarType.from_str("BTCUSDT.BINANCE-1-MINUTE-LAST-EXTERNAL")
    closed_at = pd.to_datetime(columns["ts"] + NS_PER_MINUTE, utc=True)
    names = ("open", "high", "low", "close", "volume")
    frame = pd.DataFrame({name: columns[name] for name in names}, index=closed_at)
    frame.index.name = "timestamp"
    bars = BarDataWrangler(bar_type, contract).process(frame)
    engine = BacktestEngine(
        BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True), run_analysis=False)
    )
    engine.add_venue(
        venue=Venue("BINANCE"),
        oms_type=OmsType.HEDGING,
        account_type=AccountType.CASH,
        base_currency=None,
        starting_balances=[Money(10_000_000, USDT), Money(0, BTC)],
    )
    engine.add_instrument(contract)
    engine.add_data(bars)
    strategy = _strategy(bar_type, contract)
    engine.add_strategy(strategy)
    began = time.perf_counter()
    engine.run()
    speed = len(bars) / (time.perf_counter() - began)
    found = {
        "version": nautilus_trader.__version__,
        "bars_per_second": speed,
        "trades": strategy.closed,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
