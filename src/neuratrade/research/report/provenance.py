"""What would have to be the same for the same result: parameters, digests of strategy and data, the run."""

from collections.abc import Iterator, Mapping

from neuratrade.core.strategies.dna import Distance
from neuratrade.research.plan import BacktestPlan
from neuratrade.research.report.markup import NOTHING, Html, exact, fill, number, percent, table
from neuratrade.research.result import BacktestResult


def provenance_parts(result: BacktestResult, data_sha256: Mapping[str, str]) -> list[Html]:
    """Parameters, digests and the run itself. data_sha256: by a name for the data."""
    plan, currency = result.plan, result.plan.account.currency
    digests = [("Strategies and parameters", _digest(plan.strategy_sha256))]
    digests += [(f"Data {name}", _digest(known)) for name, known in data_sha256.items()]
    where = "only where something could happen" if result.skipped else "at every bar"
    run = [
        ("Cash at the start", f"{number(plan.cash)} {currency}"),
        ("Equity at the end", f"{number(result.final_equity)} {currency}"),
        ("Bars", f"{result.bars:,}; the engine was asked {where}, at {result.stepped:,} instants"),
        ("Time it took", f"{result.run_s:.2f} s"),
        ("Longest time without a stop", f"{result.unprotected_ms_max:,} ms"),
    ]
    heads = ("Strategy", "Parameter", "Value")
    return [
        table("Strategies and their parameters", heads, list(_settings(plan)), "ttn"),
        table("SHA-256", ("Of", "Digest"), digests),
        table("The run", ("What", "Value"), run),
    ]


def _digest(known: str) -> Html:
    return fill('<span class="hash">{}</span>', known)


def _settings(plan: BacktestPlan) -> Iterator[tuple[object, ...]]:
    for name, dna in plan.dna.strategies.items():
        assets = plan.dna.assets_of(name)
        yield name, "timeframe", f"{dna.timeframe_minutes} minutes"
        yield name, "assets", ", ".join(asset.asset for asset in assets) or NOTHING
        yield name, "stop", _distance(dna.exit.stop)
        for target in dna.exit.targets:
            yield name, "target", f"{_distance(target.distance)}, for {percent(target.fraction, 0)} of it"
        if dna.exit.trailing_pct is not None:
            yield name, "trail", percent(dna.exit.trailing_pct)
        for key, value in sorted(dna.parameters.items()):
            yield name, key, exact(value)
        for asset in assets:
            for key, value in sorted(asset.thresholds.get(name, {}).items()):
                yield name, f"{key} for {asset.asset}", exact(value)


def _distance(distance: Distance) -> str:
    if distance.atr is not None:
        return f"{exact(distance.atr)} ATR"
    return f"{percent(distance.pct)} of the price"
