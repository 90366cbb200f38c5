"""A DNA as the text of a DNA file: what the desk reads when it starts.

The text is canonical: one DNA has one text, every number as it is (never an exponent), every setting named,
so that the SHA-256 of the file names the DNA and a diff of two versions shows what changed. What a file
cannot say is refused: a DNA that came back as another would be the worst outcome.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.strategies.dna import LIMIT_KEYS, AssetDna, Dna, ExitDna, StrategyDna
from neuratrade.core.strategies.registry import default_settings

_KEY_OF_LIMIT = {limit: key for key, limit in LIMIT_KEYS.items()}


def dna_text(dna: Dna) -> bytes:
    """The file. `dna.sha256` is left out, since it is that of the bytes.

    Raises UsageError for a DNA without assets, for numbers that are none, and for settings a file cannot say.
    """
    if not dna.assets:
        raise UsageError("a DNA without assets trades nothing; name one, such as BTC/USDT")
    lines = [f"version: {dna.version}", f"last_updated: {_moment(dna.last_updated_ns)}", "entry:"]
    for asset in dna.assets.values():
        lines += _asset(asset)
    lines.append("strategies:" if dna.strategies else "strategies: {}")
    for settings in dna.strategies.values():
        lines += _strategy(settings)
    lines += _risk(dna)
    lines.append("learning:")
    buckets = [
        f"    - {{confidence_from: {_number(b.confidence_from)}, confidence_to: {_number(b.confidence_to)}, "
        f"win_rate_pct: {_number(b.win_rate_pct)}, sample_count: {b.sample_count}}}"
        for b in dna.calibration
    ]
    lines += ["  confidence_calibration:", *buckets] if buckets else ["  confidence_calibration: []"]
    return ("\n".join(lines) + "\n").encode()


def _asset(asset: AssetDna) -> Iterator[str]:
    yield f"  {asset.asset}:"
    yield f"    strategies: [{', '.join(asset.strategies)}]"
    yield f"    min_volume_24h: {_number(asset.min_volume_24h)}"
    yield f"    max_hold_time_minutes: {asset.max_hold_time_minutes}"
    yield f"    allow_short: {str(asset.allow_short).lower()}"
    if asset.thresholds:
        yield "    thresholds:"
        for strategy, own in asset.thresholds.items():
            yield f"      {strategy}: {_block(own)}"


def _strategy(settings: StrategyDna) -> Iterator[str]:
    default = default_settings(settings.name)
    if settings.entry_expiry_minutes is None and default.entry_expiry_minutes is not None:
        raise UsageError(
            f"{settings.name}: a DNA file cannot say that entries rest without end; "
            f"give entry_expiry_minutes (the default is {default.entry_expiry_minutes})"
        )
    yield f"  {settings.name}:"
    yield f"    timeframe_minutes: {settings.timeframe_minutes}"
    yield f"    lane: {settings.lane}"
    yield f"    order_type: {settings.order_type}"
    yield f"    confidence_floor: {_number(settings.confidence_floor)}"
    yield f"    confidence_cap: {_number(settings.confidence_cap)}"
    for name in ("max_hold_time_minutes", "entry_expiry_minutes"):
        if getattr(settings, name) is not None:
            yield f"    {name}: {getattr(settings, name)}"
    yield f"    parameters: {_block(settings.parameters)}"
    yield from _exit(settings.exit)


def _exit(exit: ExitDna) -> Iterator[str]:
    yield "    exit:"
    name, value = ("stop_pct", exit.stop.pct) if exit.stop.atr is None else ("stop_atr", exit.stop.atr)
    yield f"      {name}: {_number(value)}"
    yield "      targets:"
    for rung in exit.targets:
        unit, reach = ("pct", rung.distance.pct) if rung.distance.atr is None else ("atr", rung.distance.atr)
        yield f"        - {{distance_{unit}: {_number(reach)}, fraction: {_number(rung.fraction)}}}"
    if exit.trailing_pct is not None:
        yield f"      trailing_pct: {_number(exit.trailing_pct)}"


def _risk(dna: Dna) -> Iterator[str]:
    yield "risk:"
    for limit, value in dna.risk.limits.items():
        if limit not in _KEY_OF_LIMIT:
            raise UsageError(f"a DNA file has no key for the limit {limit!r}; leave it to the desk's limits")
        yield f"  {_KEY_OF_LIMIT[limit]}: {_number(value)}"
    yield f"  blacklist: [{', '.join(dna.risk.blacklist)}]"


def _block(values: dict[str, Decimal]) -> str:
    return f"{{{', '.join(f'{name}: {_number(value)}' for name, value in values.items())}}}"


def _number(value: Decimal | None) -> str:
    if value is None or not value.is_finite():
        raise UsageError(f"{value} is no number a DNA file can hold")
    return f"{value:f}" if value else "0"


def _moment(at_ns: int) -> str:
    try:
        at = datetime.fromtimestamp(at_ns // NS_PER_SECOND, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(f"{at_ns} ns is no time a DNA file can hold") from error
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
