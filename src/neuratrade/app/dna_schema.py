"""What a DNA file may say: every key, its unit, its range and its default.

The blocks of a strategy are made from the parameters it declares in the registry, so that adding a strategy
adds its settings, with ranges and errors, without a line here. Unknown keys are errors. No value can loosen a
limit: the ranges of `risk` end at the hard ceilings and the desk's defaults. `docs/strategy-dna.md` is the
page for people; a test holds it to this schema.
"""

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, PlainValidator, create_model

from neuratrade.app.dna_values import asset_name, moment, number, switch, whole, whole_decimal, word
from neuratrade.core.model.intent import EntryType, Lane
from neuratrade.core.risk.limits import CEILING_NAMES, DEFAULTS, TIGHTER_WHEN_HIGHER
from neuratrade.core.strategies.dna import LIMIT_KEYS
from neuratrade.core.strategies.registry import KINDS
from neuratrade.core.strategies.rule import Parameter

_SMALLEST = Decimal("0.0001")
_UNITS = {"pct": "fraction", "ratio": "times equity", "count": "count", "usd": "US dollars"}
_PRICE_SHARE = "fraction of the price"
_ATRS = "multiples of ATR(14)"
_WEEK = 7 * 24 * 60
_STOP_WHY = "stop_distance_fraction is a hard ceiling"

Count = Annotated[int, whole(0, 100_000_000, "closed trades")]
Confidence = Annotated[Decimal, number("0", "1", "confidence")]
Minutes = Annotated[int, whole(1, 4 * _WEEK, "minutes")]
PriceShare = Annotated[Decimal, number(_SMALLEST, DEFAULTS.stop_distance_fraction, _PRICE_SHARE, _STOP_WHY)]
AssetName = Annotated[str, PlainValidator(asset_name)]
StrategyName = Annotated[str, word(*KINDS)]
StopAtr = Annotated[
    Decimal, number(DEFAULTS.stop_min_atr, DEFAULTS.stop_max_atr, _ATRS, "the gate admits no other stop")
]


class Block(BaseModel):
    """A block of keys: unknown ones are errors, and what was read cannot change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TargetBlock(Block):
    """One rung of the ladder; its distance either in ATR or as a fraction of the price."""

    distance_atr: Annotated[Decimal, number("0.1", "20", _ATRS)] | None = None
    distance_pct: Annotated[Decimal, number(_SMALLEST, "0.5", _PRICE_SHARE)] | None = None
    fraction: Annotated[Decimal, number("0.01", "1", "fraction of the position")] = Decimal(1)


class ExitBlock(Block):
    """How positions are left; the stop either in ATR or as a fraction of the price."""

    stop_atr: StopAtr | None = None
    stop_pct: PriceShare | None = None
    targets: tuple[TargetBlock, ...]
    trailing_pct: PriceShare | None = None


class BucketBlock(Block):
    """One bucket of `learning.confidence_calibration`."""

    confidence_from: Confidence
    confidence_to: Confidence
    win_rate_pct: Annotated[Decimal, number("0", "1", "fraction of trades that won")]
    sample_count: Count


class LearningBlock(Block):
    """What past trades taught."""

    confidence_calibration: tuple[BucketBlock, ...] = ()


class StrategyBlock(Block):
    """What every strategy can be told; `parameters` are added for each. None: the strategy's own default."""

    timeframe_minutes: Annotated[int, whole(1, 1440, "minutes")] | None = None
    lane: Annotated[str, word(*Lane)] | None = None
    order_type: Annotated[str, word(*EntryType)] | None = None
    confidence_floor: Confidence | None = None
    confidence_cap: Confidence | None = None
    max_hold_time_minutes: Minutes | None = None
    entry_expiry_minutes: Minutes | None = None
    while_flat: Annotated[bool, PlainValidator(switch)] | None = None
    exit: ExitBlock | None = None


class AssetBlock(Block):
    """One asset of `entry`; `thresholds` are added from the registry."""

    strategies: tuple[StrategyName, ...]
    max_hold_time_minutes: Minutes
    min_volume_24h: Annotated[Decimal, number("0", "1000000000000", "quote currency")]
    allow_short: Annotated[bool, PlainValidator(switch)] = True


class RiskBlock(Block):
    """Limits the DNA tightens, added from LIMIT_KEYS, and the assets it excludes."""

    blacklist: tuple[AssetName, ...] = ()


def given(block: BaseModel | None) -> dict[str, Any]:
    """The keys of a block that the file names, by name; none for an absent block."""
    if block is None:
        return {}
    return {name: getattr(block, name) for name in type(block).model_fields if name in block.model_fields_set}


def _made(title: str, base: type[Block], fields: dict[str, Any]) -> type[Block]:
    """A block type with more keys than its base."""
    return create_model(title, __base__=base, **fields)


def _parameter_block(title: str, parameters: tuple[Parameter, ...]) -> type[Block]:
    """A block with one optional number for each parameter."""
    fields: dict[str, Any] = {}
    for item in parameters:
        kind = (
            whole_decimal(int(item.low), int(item.high), item.meaning)
            if item.whole
            else number(item.low, item.high, item.meaning)
        )
        fields[item.name] = (Annotated[Decimal, kind] | None, None)
    return _made(title, Block, fields)


def _limit_field(key: str, name: str) -> tuple[Any, None]:
    """A number on the tight side of the desk's own limit `name`."""
    bound = getattr(DEFAULTS, name)
    ceiling = name in CEILING_NAMES
    why = (
        f"{name} = {bound} is a hard ceiling" if ceiling else f"only an operator may loosen {name} = {bound}"
    )
    unit = _UNITS.get(key.rpartition("_")[2], "fraction")
    if isinstance(bound, int):
        low, high = (bound, 1_000_000) if name in TIGHTER_WHEN_HIGHER else (0, bound)
        return Annotated[int, whole(low, high, unit, why)] | None, None
    if name in TIGHTER_WHEN_HIGHER:
        return Annotated[Decimal, number(bound, "1", unit, why)] | None, None
    return Annotated[Decimal, number("0", bound, unit, why)] | None, None


def _dna_file() -> type[Block]:
    strategies: dict[str, Any] = {}
    thresholds: dict[str, Any] = {}
    for name, kind in KINDS.items():
        every = _parameter_block("parameters", kind.parameters)
        strategies[name] = (_made(name, StrategyBlock, {"parameters": (every | None, None)}) | None, None)
        own = _parameter_block(name, tuple(item for item in kind.parameters if item.per_asset))
        thresholds[name] = (own | None, None)
    asset = _made("asset", AssetBlock, {"thresholds": (_made("thresholds", Block, thresholds) | None, None)})
    limits = {key: _limit_field(key, name) for key, name in LIMIT_KEYS.items()}
    fields: dict[str, Any] = {
        "version": (Annotated[int, whole(1, 1_000_000_000, "revision of this DNA")], ...),
        "last_updated": (Annotated[int, PlainValidator(moment)], ...),
        "entry": (dict[AssetName, asset], ...),  # type: ignore[valid-type]
        "strategies": (_made("strategies", Block, strategies) | None, None),
        "risk": (_made("risk", RiskBlock, limits) | None, None),
        "exit": (ExitBlock | None, None),
        "learning": (LearningBlock | None, None),
    }
    return _made("dna", Block, fields)


DNA_FILE = _dna_file()
"""The schema of the whole file."""
