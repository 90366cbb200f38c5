"""Rows and bars for strategy tests; no market is pretended, only the numbers a rule looks at."""

from decimal import Decimal

import numpy as np

from neuratrade.core.model.market import NS_PER_MINUTE, Bar
from neuratrade.core.strategies.dna import AssetDna, Dna
from neuratrade.core.strategies.port import Row
from neuratrade.core.strategies.registry import KINDS, build_strategy
from neuratrade.core.strategies.rule import RuleStrategy

BTC = "BTC/USDT"
ETH = "ETH/USDT"


def row(*values: float) -> Row:
    """ATR first, then the strategy's own values."""
    return np.array(values, dtype=np.float64)


def bar(close: str, asset: str = BTC) -> Bar:
    price = Decimal(close)
    return Bar(f"{asset}@paper", 15 * NS_PER_MINUTE, 0, price, price, price, price, Decimal(1))


def asset_dna(
    name: str = BTC, *, allow_short: bool = True, thresholds: dict[str, dict[str, Decimal]] | None = None
) -> AssetDna:
    return AssetDna(name, tuple(KINDS), 120, allow_short=allow_short, thresholds=thresholds or {})


def built(name: str, *assets: AssetDna) -> RuleStrategy:
    every = assets or (asset_dna(),)
    return build_strategy(name, Dna(1, 0, {asset.asset: asset for asset in every}, {}))
