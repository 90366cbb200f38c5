"""The strategies there are, by name. Adding one is a file with its `Kind` and a line here."""

from typing import Final

import msgspec

from neuratrade.core.indicators.spec import unknown_name
from neuratrade.core.strategies.dna import Dna, StrategyDna
from neuratrade.core.strategies.ema_cross import EMA_CROSS
from neuratrade.core.strategies.mean_reversion import MEAN_REVERSION
from neuratrade.core.strategies.momentum import MOMENTUM
from neuratrade.core.strategies.rsi_rule import RSI_RULE
from neuratrade.core.strategies.rule import Kind, RuleStrategy

KINDS: Final[dict[str, Kind]] = {kind.name: kind for kind in (RSI_RULE, EMA_CROSS, MEAN_REVERSION, MOMENTUM)}


def kind_of(name: str) -> Kind:
    """The strategy of that name. Raises ValueError for an unknown one, with the nearest that exists."""
    kind = KINDS.get(name)
    if kind is None:
        raise unknown_name("strategy", name, tuple(KINDS))
    return kind


def default_settings(name: str) -> StrategyDna:
    """What applies to strategy `name` where the DNA says nothing, parameters complete. Raises like
    `kind_of`.
    """
    kind = kind_of(name)
    return msgspec.structs.replace(
        kind.defaults, parameters={parameter.name: parameter.default for parameter in kind.parameters}
    )


def build_strategy(name: str, dna: Dna) -> RuleStrategy:
    """Strategy `name` as `dna` sets it.

    Raises ValueError for an unknown name (with the nearest), for one that no asset of the DNA trades, and
    for parameters that do not fit together.
    """
    kind = kind_of(name)
    return RuleStrategy(kind, dna.strategies.get(name) or default_settings(name), dna.assets_of(name))


def build_strategies(dna: Dna) -> tuple[RuleStrategy, ...]:
    """Every strategy that at least one asset of `dna` trades, in the order of the registry."""
    return tuple(build_strategy(name, dna) for name in KINDS if dna.assets_of(name))
