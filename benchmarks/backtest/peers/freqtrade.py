"""The reference work in freqtrade's own backtest, with a strategy file and settings made for it.

Markets are given instead of asked of the exchange, so nothing goes out. A take-profit is a return net of fees
there; the time exit is a return table that lets go of everything after an hour. What is timed is `backtest`,
without reading data and reckoning signals.
"""

import json
import logging
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from freqtrade.commands.optimize_commands import (  # type: ignore[import-not-found, unused-ignore]
    setup_optimize_configuration,
)
from freqtrade.enums import RunMode  # type: ignore[import-not-found, unused-ignore]
from freqtrade.exchange import Exchange  # type: ignore[import-not-found, unused-ignore]
from freqtrade.optimize.backtesting import (  # type: ignore[import-not-found, unused-ignore]
    Backtesting,
)

from benchmarks.backtest.peers.outcome import asked, tell, timed
from benchmarks.backtest.rule import (
    BUY_BELOW,
    CASH,
    FEE_FRACTION,
    HOLD_BARS,
    PERIOD,
    STOP_FRACTION,
    TARGET_FRACTION,
)

PAIR = "BTC/USDT"
NET_TARGET = (1 + TARGET_FRACTION) * (1 - FEE_FRACTION) / (1 + FEE_FRACTION) - 1
STRATEGY = f'''
import talib.abstract as ta
from freqtrade.strategy import IStrategy


class Reference(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1m"
    stoploss = -{STOP_FRACTION}
    minimal_roi = {{"0": {NET_TARGET!r}, "{HOLD_BARS}": -1}}
    use_exit_signal = False
    startup_candle_count = 0

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod={PERIOD})
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        below = dataframe["rsi"] < {BUY_BELOW}
        dataframe["enter_long"] = (below & (dataframe["rsi"].shift(1) >= {BUY_BELOW})).astype(int)
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe

    def custom_stake_amount(self, pair, current_time, current_rate, *given, **named):
        return current_rate
'''
SETTINGS = {
    "stake_currency": "USDT",
    "stake_amount": 30000,
    "max_open_trades": 1,
    "dry_run": True,
    "dry_run_wallet": CASH,
    "tradable_balance_ratio": 1.0,
    "trading_mode": "spot",
    "timeframe": "1m",
    "fee": FEE_FRACTION,
    "dataformat_ohlcv": "feather",
    "exchange": {"name": "binance", "pair_whitelist": [PAIR]},
    "pairlists": [{"method": "StaticPairList"}],
    "entry_pricing": {"price_side": "same", "use_order_book": False},
    "exit_pricing": {"price_side": "same", "use_order_book": False},
}
MARKET = {
    "id": "BTCUSDT",
    "symbol": PAIR,
    "base": "BTC",
    "quote": "USDT",
    "baseId": "BTC",
    "quoteId": "USDT",
    "type": "spot",
    **dict.fromkeys(("active", "spot", "percentage"), True),
    **dict.fromkeys(("margin", "swap", "future", "option", "contract"), False),
    **dict.fromkeys(("settle", "settleId", "linear", "inverse", "contractSize"), None),
    "taker": FEE_FRACTION,
    "maker": FEE_FRACTION,
    "precision": {"amount": 1e-6, "price": 1e-2},
    "limits": {
        name: {"min": None, "max": None} for name in ("leverage", "amount", "price", "cost", "market")
    },
    "info": {},
}


async def _given_markets(self: Any, reload: bool = False) -> None:
    self._api_async.set_markets([MARKET])


def _prepared(folder: Path, data: Any) -> Any:
    """A freqtrade folder with data, settings and strategy; its backtest, ready."""
    market_data, strategies = folder / "data" / "binance", folder / "strategies"
    market_data.mkdir(parents=True)
    strategies.mkdir()
    columns = {name: data[name] for name in ("open", "high", "low", "close", "volume")}
    dates = pd.to_datetime(data["ts"], utc=True).as_unit("ms")
    pd.DataFrame({"date": dates, **columns}).to_feather(market_data / "BTC_USDT-1m.feather")
    (strategies / "reference.py").write_text(STRATEGY)
    settings = folder / "config.json"
    settings.write_text(json.dumps(SETTINGS))
    wanted = {
        "config": [str(settings)],
        "user_data_dir": str(folder),
        "datadir": str(market_data),
        "strategy": "Reference",
        "export": "none",
        "backtest_cache": "none",
        "timerange": "",
    }
    Exchange._api_reload_markets = _given_markets  # noqa: SLF001 - the only place markets come from
    return Backtesting(setup_optimize_configuration(wanted, RunMode.BACKTEST))


def main() -> None:
    """Measures in this process: one run, as it takes long enough to be warm."""
    path, _ = asked()
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        work = _prepared(Path(folder), np.load(path))
        candles, _ = work.load_bt_data()
        (strategy,) = work.strategylist
        work._set_strategy(strategy)  # noqa: SLF001 - what its own `backtest_one_strategy` begins with
        signals = work.strategy.advise_all_indicators(candles)
        frame = next(iter(signals.values()))
        begin, end = frame["date"].iloc[0].to_pydatetime(), frame["date"].iloc[-1].to_pydatetime()
        times, found = timed(lambda: work.backtest(signals, begin, end), 0)
    trades, equity = len(found["results"]), float(found["final_balance"])
    tell("freqtrade", version("freqtrade"), **times, trades=trades, final_equity=equity)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
