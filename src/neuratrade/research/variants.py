"""A plan with other settings in its DNA: how a trial comes to differ from the plan it began with.

A setting is set where it counts: a value of one asset would hide the strategy's own, so it is taken away. A
combination the strategy refuses is refused here with the strategy's own words, before anything runs.
"""

from collections.abc import Mapping
from decimal import Decimal
from difflib import get_close_matches

from msgspec.structs import replace

from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.intent import EntryType, Lane
from neuratrade.core.strategies.dna import AssetDna, Distance, Dna, ExitDna, StrategyDna, Target
from neuratrade.core.strategies.registry import build_strategy, default_settings
from neuratrade.research.plan import BacktestPlan
from neuratrade.research.space import EXIT_SETTINGS, Value, settings_of

_MINUTES = ("max_hold_time_minutes", "entry_expiry_minutes", "timeframe_minutes")
_FURTHEST = {setting.name: setting.high for setting in EXIT_SETTINGS}
_CONFIDENCE = ("confidence_floor", "confidence_cap")


def with_values(plan: BacktestPlan, strategy: str, values: Mapping[str, Value]) -> BacktestPlan:
    """`plan` with these settings of one strategy.

    Raises UsageError for an unknown strategy or name, a value out of its range, and a combination the
    strategy refuses; the message is the reason.
    """
    return replace(plan, dna=dna_with(plan.dna, strategy, values))


def dna_with(dna: Dna, strategy: str, values: Mapping[str, Value]) -> Dna:
    """`dna` with these settings of one strategy. Raises like `with_values`."""
    for name, value in values.items():
        _check(strategy, name, value)
    values = {name: value if isinstance(value, str) else _shortest(value) for name, value in values.items()}
    traded = dna.assets_of(strategy)
    if not traded:
        raise UsageError(f"no asset of this DNA trades {strategy}; name it under one of the entries")
    shared = {setting.name for setting in EXIT_SETTINGS}
    numbers = {name: value for name, value in values.items() if name not in shared}
    settings = _settings(dna.strategies.get(strategy) or default_settings(strategy), values, numbers)
    if settings.confidence_floor > settings.confidence_cap:
        raise UsageError(
            f"confidence_floor ({settings.confidence_floor}) is above confidence_cap "
            f"({settings.confidence_cap})"
        )
    _check_hold(traded, values)
    assets = {name: _without(asset, strategy, set(numbers)) for name, asset in dna.assets.items()}
    changed = replace(dna, strategies={**dna.strategies, strategy: settings}, assets=assets, sha256="")
    try:
        build_strategy(strategy, changed)
    except ValueError as error:
        raise UsageError(str(error)) from None
    return changed


def _check(strategy: str, name: str, value: Value) -> None:
    settings = settings_of(strategy)
    setting = settings.get(name)
    if setting is None:
        near = get_close_matches(name, settings, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(settings)}"
        raise UsageError(f"{strategy} has no setting {name!r}; {hint}")
    if setting.options:
        if value not in setting.options:
            raise UsageError(f"{name}: found {value}; allowed is {'|'.join(setting.options)}")
        return
    whole = "a whole number" if setting.whole else "a number"
    if (
        not isinstance(value, Decimal)
        or not value.is_finite()
        or not setting.low <= value <= setting.high
        or (setting.whole and value != value.to_integral_value())
    ):
        raise UsageError(f"{name}: found {value}; allowed is {whole} from {setting.low} to {setting.high}")


def _settings(before: StrategyDna, values: Mapping[str, Value], numbers: Mapping[str, Value]) -> StrategyDna:
    changes: dict[str, object] = {
        "parameters": {**before.parameters, **numbers},
        "exit": _exit(before.exit, values),
    }
    for name in _MINUTES:
        if name in values:
            changes[name] = int(values[name])
    for name in _CONFIDENCE:
        if name in values:
            changes[name] = values[name]
    if "order_type" in values:
        changes["order_type"] = EntryType(str(values["order_type"]))
    if "lane" in values:
        changes["lane"] = Lane(str(values["lane"]))
    return replace(before, **changes)


def _exit(before: ExitDna, values: Mapping[str, Value]) -> ExitDna:
    stop, targets = before.stop, before.targets
    if "stop_atr" in values:
        stop = Distance(atr=Decimal(values["stop_atr"]))
    if "stop_pct" in values:
        stop = Distance(pct=Decimal(values["stop_pct"]))
    if "target_atr" in values:
        targets = tuple(
            Target(Distance(atr=reach), rung.fraction)
            for reach, rung in zip(_ladder(targets, Decimal(values["target_atr"])), targets, strict=True)
        )
    if "target_pct" in values:
        targets = tuple(
            Target(Distance(pct=reach), rung.fraction)
            for reach, rung in zip(_ladder(targets, Decimal(values["target_pct"])), targets, strict=True)
        )
    _check_ladder(targets)
    trailing = Decimal(values["trailing_pct"]) if "trailing_pct" in values else before.trailing_pct
    return ExitDna(stop, targets, trailing)


def _ladder(targets: tuple[Target, ...], nearest: Decimal) -> list[Decimal]:
    """Distances of a ladder whose nearest rung is moved; the others keep their proportion to it."""
    reach = [rung.distance.atr or rung.distance.pct or Decimal(0) for rung in targets]
    return [nearest if place == 0 else _rounded(nearest * far / reach[0]) for place, far in enumerate(reach)]


def _check_ladder(targets: tuple[Target, ...]) -> None:
    for unit, name in (("atr", "target_atr"), ("pct", "target_pct")):
        furthest = max((getattr(rung.distance, unit) or Decimal(0) for rung in targets), default=Decimal(0))
        high = _FURTHEST[name]
        if furthest > high:
            raise UsageError(
                f"{name}: the furthest target would lie at {furthest}; allowed is {high} at most"
            )


def _rounded(reach: Decimal) -> Decimal:
    return _shortest(reach.quantize(Decimal("0.000001")))


def _shortest(value: Decimal) -> Decimal:
    """A number without zeros behind it: 30 and 30.0 are one setting, and must have one hash."""
    return value.quantize(Decimal(1)) if value == value.to_integral_value() else value.normalize()


def _check_hold(traded: tuple[AssetDna, ...], values: Mapping[str, Value]) -> None:
    """A holding time above the asset's own changes nothing; two such trials would be one."""
    longest = max(asset.max_hold_time_minutes for asset in traded)
    wanted = values.get("max_hold_time_minutes")
    if wanted is not None and int(wanted) > longest:
        raise UsageError(
            f"max_hold_time_minutes: found {wanted}, but no asset is held longer than {longest} minutes; "
            "raise the asset's own limit or stay below it"
        )


def _without(asset: AssetDna, strategy: str, names: set[str]) -> AssetDna:
    own = asset.thresholds.get(strategy)
    if own is None or not names & set(own):
        return asset
    kept = {name: value for name, value in own.items() if name not in names}
    thresholds = {key: inner for key, inner in asset.thresholds.items() if key != strategy}
    return replace(asset, thresholds={**thresholds, strategy: kept} if kept else thresholds)
