"""backtest, backtests: a strategy on recorded data, its report, and the results kept so far."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from neuratrade.app.kernels import choose_cache
from neuratrade.core.model.errors import UsageError
from neuratrade.interfaces.cli.interrupting import interruptible
from neuratrade.interfaces.cli.output import (
    FAILED,
    console,
    money,
    print_json,
    print_note,
    styled,
    table,
    when,
)

if TYPE_CHECKING:
    from neuratrade.app.backtesting import Ask, Prepared
    from neuratrade.research.audit import Audit
    from neuratrade.research.metrics import Confidence, Metrics
    from neuratrade.research.refused import LayerWorth
    from neuratrade.research.result import BacktestResult

WIDE = 110
"""Columns from which on a listing shows everything."""


def run_backtest_command(
    ask: "Ask", html: str, *, audited: bool, every_bar: bool, keep: bool, as_json: bool
) -> None:
    """Runs a backtest and prints what it came to. Raises UsageError for what cannot be run."""
    choose_cache()
    from neuratrade.app.backtesting import prepare
    from neuratrade.app.looking import home_in_use
    from neuratrade.feeds.catalogue import Catalogue

    if audited and html:
        raise UsageError("--audit looks for look-ahead and trades nothing: leave --html out, or --audit")
    home = home_in_use()
    began = time.perf_counter()
    with interruptible("nothing was kept; run the same command again", as_json=as_json):
        prepared = prepare(ask, Catalogue(home.root / "data"))
        if audited:
            _audit(prepared, as_json=as_json)
            return
        folder = home.root / "backtests" if keep else None
        _run(ask, prepared, folder, html, began, every_bar=every_bar, as_json=as_json)


def _run(
    ask: "Ask",
    prepared: "Prepared",
    folder: Path | None,
    html: str,
    began: float,
    *,
    every_bar: bool,
    as_json: bool,
) -> None:
    from neuratrade.research.backtest import run_backtest
    from neuratrade.research.metrics import confidence, measure
    from neuratrade.research.refused import refused_outcomes, worth_of_layers
    from neuratrade.research.report import check_place, write_report
    from neuratrade.research.stored import Results, stored_of

    page = Path(html).expanduser() if html else None
    if page is not None:
        check_place(page)
    with progress("backtest", quiet=as_json) as tell:
        result = run_backtest(prepared.plan, prepared.columns, skip=not every_bar, progress=tell)
    metrics, sure = measure(result), confidence(result)
    layers = worth_of_layers(refused_outcomes(result))
    kept: Path | None = None
    if folder is not None:
        kept = Results(folder).keep(stored_of(result, metrics, ask.data, prepared.digest, time.time_ns()))
    if page is not None:
        write_report(
            result,
            metrics,
            page,
            confidence=sure,
            layers=layers,
            data_sha256={ask.data: prepared.digest},
            notes=[note for note in prepared.notes if note not in result.notes],
        )
    if as_json:
        print_json(document(result, metrics, sure, layers, prepared, time.perf_counter() - began))
        return
    for note in all_notes(prepared, result):
        print_note(note)
    _print(result, metrics, sure, layers)
    if page is not None:
        console().print(f"report: {page}")
    if kept is not None:
        console().print(f"kept: {kept.name} (see `neuratrade backtests`)")


def all_notes(prepared: "Prepared", result: "BacktestResult") -> list[str]:
    """What to know about the data and the run, each once."""
    return list(dict.fromkeys((*prepared.notes, *result.notes)))


def document(
    result: "BacktestResult",
    metrics: "Metrics",
    sure: "Confidence",
    layers: "tuple[LayerWorth, ...]",
    prepared: "Prepared",
    whole_s: float,
) -> dict[str, object]:
    """What `--json` prints."""
    return {
        "trades": len(result.trades),
        "final_equity": result.final_equity,
        "total_return": metrics.total_return,
        "sharpe": metrics.sharpe,
        "max_drawdown": metrics.max_drawdown,
        "profit_factor": metrics.profit_factor,
        "win_rate": metrics.win_rate,
        "refused": len(result.refused),
        "refused_by": result.refused_by,
        "fees": result.fees,
        "carry": result.carry,
        "run_s": round(result.run_s, 4),
        "whole_s": round(whole_s, 4),
        "bars": result.bars,
        "bars_lived_through": result.stepped,
        "unprotected_ms_max": result.unprotected_ms_max,
        "halted": result.halted,
        "strategy_sha256": result.plan.strategy_sha256,
        "data_sha256": prepared.digest,
        "departures": result.plan.departures,
        "notes": all_notes(prepared, result),
        "metrics": metrics,
        "confidence": sure,
        "layers": layers,
    }


def _print(
    result: "BacktestResult", metrics: "Metrics", sure: "Confidence", layers: "tuple[LayerWorth, ...]"
) -> None:
    out = console()
    currency = result.plan.account.currency
    first, last = (int(result.equity.at_ns[place]) for place in (0, -1))
    out.print(f"{', '.join(result.plan.dna.strategies)} on {', '.join(result.columns)}")
    out.print(f"{when(first)} to {when(last)}: {result.bars:,} bars in {result.run_s:.2f} s")
    print_departures(result.plan.departures)
    figures = table("what it came to", "figure", "value", right=("value",))
    for label, value in _figures(result, metrics, sure, currency):
        figures.add_row(label, value)
    out.print(figures)
    if layers:
        _print_layers(layers)
    if result.halted:
        out.print(styled("the desk stood still at the end", "yellow"), result.halted)


def print_departures(found: dict[str, str]) -> None:
    """What a run was allowed that a desk is not by default, a line each."""
    for name, change in found.items():
        console().print(styled("departs from the defaults", "yellow"), f"{name}: {change}")


def _figures(
    result: "BacktestResult", m: "Metrics", sure: "Confidence", currency: str
) -> Iterator[tuple[str, str]]:
    yield "final equity", f"{money(result.final_equity)} {currency}"
    yield "total return", _percent(m.total_return)
    yield "annual return", _percent(m.annual_return)
    between = sure.sharpe
    interval = f"  ({between.low:.2f} to {between.high:.2f})" if between is not None else ""
    yield "Sharpe, 95 % interval", f"{_plain(m.sharpe)}{interval}"
    yield "Sortino", _plain(m.sortino)
    yield "max drawdown", _percent(m.max_drawdown)
    yield "trades", str(m.trades)
    yield "win rate", _percent(m.win_rate)
    yield "profit factor", _plain(m.profit_factor)
    yield "average trade", _percent(m.average_trade, places=3)
    yield "exposure", _percent(m.exposure)
    yield "fees", f"{money(result.fees)} {currency}"
    yield "funding and borrow", f"{money(result.carry)} {currency}"
    yield "refused proposals", str(len(result.refused))
    yield "longest unprotected", f"{result.unprotected_ms_max} ms"


def _print_layers(layers: "tuple[LayerWorth, ...]") -> None:
    columns = ("layer", "refused", "alone", "those alone would have earned", "each", "earned its place")
    listed = table("what the gate kept out", *columns, right=columns[1:5])
    words = {True: "yes", False: "no", None: "not known"}
    for item in layers:
        earned = "-" if not item.known else percent_of(item.sum_fraction)
        listed.add_row(
            item.layer,
            str(item.blocked),
            str(item.alone),
            earned,
            _percent(item.mean_fraction, places=3),
            words[item.earned_its_place],
        )
    console().print(listed)


def percent_of(value: float) -> str:
    """A fraction as percent, signed."""
    return f"{value:+.2%}"


def _percent(value: float | None, places: int = 2) -> str:
    return "-" if value is None else f"{value:.{places}%}"


def _plain(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _audit(prepared: "Prepared", *, as_json: bool) -> None:
    from neuratrade.research.audit import audit

    with progress("audit", quiet=as_json) as tell:
        found = audit(prepared.plan, prepared.columns, progress=tell)
    if as_json:
        print_json({"clean": found.clean, "audit": found})
    else:
        _print_audit(found)
    if not found.clean:
        sys.exit(FAILED)


def _print_audit(found: "Audit") -> None:
    out = console()
    verdict = styled("clean", "green") if found.clean else styled("it sees the future", "red")
    out.print("look-ahead:", verdict, f"({found.checked:,} values held against truncated data)")
    for item in found.look_ahead:
        out.print(
            f"  {item.strategy} on {item.instrument}: {item.name} at {when(item.bar_ns)} is "
            f"{item.with_future:g} with later bars and {item.without:g} without"
        )
    columns = (
        "strategy",
        "instrument",
        "indicator",
        "warm-up, bars",
        "settled after, bars",
        "off until then",
    )
    listed = table("warm-up", *columns, right=columns[3:])
    for warm in found.warm_up:
        settled = "not seen" if warm.settled_bars is None else str(warm.settled_bars)
        listed.add_row(
            warm.strategy,
            warm.instrument,
            warm.name,
            str(warm.declared_bars),
            settled,
            f"{warm.worst_fraction:.2%}",
        )
    out.print(listed)
    for warm in found.warm_up:
        if warm.settled_bars is None and warm.worst_fraction:
            out.print(
                styled("never settled:", "yellow"),
                f"{warm.name} of {warm.strategy} on {warm.instrument} hangs on where the data begins",
            )


def list_backtests(*, as_json: bool) -> None:
    """Prints the kept results, newest first."""
    from neuratrade.app.looking import home_in_use
    from neuratrade.research.stored import Results

    found, broken = Results(home_in_use().root / "backtests").all()
    for problem in broken:
        print_note(problem)
    if as_json:
        print_json(found)
        return
    if not found:
        console().print("no backtest was kept yet; see `neuratrade backtest --help`")
        return
    out = console()
    wide = out.width >= WIDE
    columns = ("run", "strategy", "version", "data", "trades", "return", "Sharpe", "drawdown")
    listed = table("backtests", *columns, *(("from", "to") if wide else ()), right=columns[4:])
    for item in found:
        period = (when(item.first_ns)[:10], when(item.last_ns)[:10])
        listed.add_row(
            when(item.at_ns)[: 16 if wide else 10],
            ", ".join(item.strategies),
            item.strategy_sha256[:8],
            Path(item.data).name,
            str(item.metrics.trades),
            _percent(item.metrics.total_return),
            _plain(item.metrics.sharpe),
            _percent(item.metrics.max_drawdown),
            *(period if wide else ()),
        )
    out.print(listed)


def compare_indicators(
    data: str, symbols: tuple[str, ...], timeframe: str, asset: str, venue: str, *, as_json: bool
) -> None:
    """Prints native against TA-Lib, an indicator a line; exits 1 when one differs."""
    from neuratrade.app.looking import home_in_use
    from neuratrade.feeds.catalogue import Catalogue
    from neuratrade.research.data import Selection, load_columns
    from neuratrade.research.parity import parity_report

    chosen = Selection(timeframe=timeframe, symbols=symbols, asset=asset, venue=venue)
    path = Path(data).expanduser()
    loaded = load_columns(path if path.exists() else data, Catalogue(home_in_use().root / "data"), chosen)
    found = {key: parity_report(bars) for key, bars in loaded.columns.items()}
    agree = all(item.agrees for items in found.values() for item in items)
    if as_json:
        print_json({"agree": agree, "parity": found})
    else:
        columns = ("instrument", "indicator", "output", "bars", "largest difference", "verdict")
        listed = table("native against TA-Lib", *columns, right=columns[3:5])
        for key, items in found.items():
            for item in items:
                largest = f"{item.max_absolute:.3g}"
                listed.add_row(key, item.indicator, item.output, str(item.bars), largest, item.verdict)
        console().print(listed)
    if not agree:
        sys.exit(FAILED)


class Tell(Protocol):
    """Draws how far something is; `word` follows the bar."""

    def __call__(self, done: int, total: int, word: str = "") -> None: ...


@contextmanager
def progress(what: str, *, quiet: bool) -> Iterator[Tell | None]:
    """A bar on stderr while something long runs; nothing where nobody looks."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[word]}"),
    )
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as drawn:
        task = drawn.add_task(what, total=None, word="")

        def tell(done: int, total: int, word: str = "") -> None:
            drawn.update(task, completed=done, total=total, word=word)

        yield tell
