"""A challenger against the champion: both over the same last days, judged by the promotion gate, settled.

The trial is counted before it runs, so that one that fails or is stopped counts too. Passing writes a new
version of the DNA beside the old one, and grants the next step of the ladder; what trades stays as it is.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from neuratrade.app.backtesting import Ask, Prepared, prepare
from neuratrade.app.dna import default_dna, load_dna
from neuratrade.app.typed import amount, moment, parse_values
from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.market import NS_PER_DAY
from neuratrade.core.strategies.dna import Dna
from neuratrade.feeds.catalogue import Catalogue
from neuratrade.feeds.clock import WALL
from neuratrade.research.backtest import check_timeframes, run_backtest
from neuratrade.research.metrics import measure
from neuratrade.research.metrics.returns import daily_returns
from neuratrade.research.plan import BacktestPlan
from neuratrade.research.promotion import Decision, Evidence, judge_challenger, limits_of
from neuratrade.research.result import BacktestResult
from neuratrade.research.trials import TrialLog
from neuratrade.research.variants import dna_with
from neuratrade.research.versions import Version, Versions

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a challenge came to.

    version: written when it passed. folder: where versions and refusals are. notes: about the data.
    """

    decision: Decision
    evidence: Evidence
    challenger: BacktestResult
    champion: BacktestResult
    version: Version | None
    folder: Path
    notes: tuple[str, ...]


def challenge(
    ask: Ask,
    champion_file: str,
    thresholds: tuple[str, ...],
    *,
    who: str,
    as_of: str,
    home: Path,
    progress: Progress | None = None,
) -> Challenge:
    """Runs both over the window and settles it. ask: the data, and a strategy with the settings challenged.

    champion_file: a DNA file, empty for the shipped one. as_of: ISO time the window must be fresh at; empty
    for now. Raises UsageError for what cannot be run.
    """
    # All that was typed is checked before anything runs: a try that cannot be settled must not be counted.
    limits = limits_of(_pairs(thresholds))
    as_of_ns = moment(as_of, "--as-of")
    if not who.strip():
        raise UsageError("--who '': say who proposes it; it is kept with the decision")
    champion = load_dna(Path(champion_file).expanduser()) if champion_file else default_dna()
    values = parse_values(ask.strategy, ask.parameters)
    if not values:
        raise UsageError("a challenger differs in something: give --params NAME=VALUE")
    challenger = dna_with(champion, ask.strategy, values)
    prepared = prepare(dataclasses.replace(ask, parameters=()), Catalogue(home / "data"))
    end_ns = max(int(bars.close_ns[-1]) for bars in prepared.columns.values())
    start_ns = window_begins(end_ns, limits.days)
    plans = [_plan(prepared, dna, start_ns) for dna in (challenger, champion)]
    for plan in plans:
        check_timeframes(plan, next(iter(prepared.columns.values())).span_ns)
    log = TrialLog(home / "research" / "trials.sqlite")
    (trial,) = log.begin(start_ns, end_ns, [plans[0].strategy_sha256], who)
    ours, theirs = (run_backtest(plan, prepared.columns, progress=progress) for plan in plans)
    metrics = measure(ours)
    if metrics.sharpe_per_day is not None:
        log.end(trial, metrics.sharpe_per_day)
    evidence = Evidence(
        challenger=plans[0].strategy_sha256,
        daily=_daily(ours),
        trades=len(ours.trades),
        max_drawdown=metrics.max_drawdown,
        tried=log.tried(start_ns, end_ns),
        end_ns=end_ns,
        as_of_ns=WALL.now_ns() if as_of_ns is None else as_of_ns,
        champion=champion.sha256,
        champion_daily=_daily(theirs),
    )
    decision = judge_challenger(evidence, limits)
    others = (*(f"{name} {said}" for name, said in plans[0].departures.items()), *prepared.own_fees)
    decision = replace(decision, departures=(*decision.departures, *others))
    folder = home / "research" / "versions"
    version = Versions(folder).settle(challenger, champion, evidence, decision, who)
    return Challenge(decision, evidence, ours, theirs, version, folder, prepared.notes)


def window_begins(end_ns: int, days: int) -> int:
    """The midnight (UTC) from which there are so many days to the end, the last of them perhaps not whole."""
    return ((end_ns - 1) // NS_PER_DAY - days + 1) * NS_PER_DAY


def _plan(prepared: Prepared, dna: Dna, start_ns: int) -> BacktestPlan:
    """The plan of a whole DNA over the window, with the costs that were asked for."""
    there = {item.asset for item in prepared.plan.instruments}
    assets = {name: asset for name, asset in dna.assets.items() if name in there}
    if not assets:
        raise UsageError(f"the DNA trades {', '.join(dna.assets)}, the data holds {', '.join(sorted(there))}")
    limits = dna.risk.tighten(prepared.plan.limits)
    return replace(prepared.plan, dna=replace(dna, assets=assets), limits=limits, start_ns=start_ns)


def _daily(result: BacktestResult) -> tuple[float, ...]:
    curve = result.equity
    return tuple(daily_returns(curve.at_ns, curve.value, float(result.plan.cash)).fraction.tolist())


def _pairs(texts: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = (piece.strip() for piece in text.partition("="))
        if not equals:
            raise UsageError(f"--threshold {text!r}: write NAME=VALUE, for example min_sharpe=2")
        if name in found:
            raise UsageError(f"--threshold names {name} twice; keep one")
        amount(value, f"--threshold {name}")
        found[name] = value
    return found
