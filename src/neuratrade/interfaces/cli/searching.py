"""optimize, walkforward, promote: looking for settings, and for reasons not to believe them."""

import dataclasses
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from neuratrade.core.model.errors import UsageError
from neuratrade.interfaces.cli.backtest import print_departures, progress
from neuratrade.interfaces.cli.interrupting import end_interrupted, interruptible
from neuratrade.interfaces.cli.output import (
    FAILED,
    console,
    print_json,
    print_note,
    styled,
    table,
    when,
)

if TYPE_CHECKING:
    from neuratrade.app.backtesting import Ask, Prepared
    from neuratrade.app.challenging import Challenge
    from neuratrade.research.optimise import Optimised, Progress, Question
    from neuratrade.research.study import TrialDone
    from neuratrade.research.walkforward import WalkForward
    from neuratrade.research.windows import Windows

SHOWN = 10
_KEPT = "finished trials are kept; run the same command again to go on"
_SHARES = ("total_return", "annual_return", "max_drawdown", "win_rate")
"""Figures that are fractions, and read as percent."""


class Search(NamedTuple):
    """What is searched and how, as typed."""

    objective: str
    constraint: str
    min_trades: int
    trials: int
    seed: int
    storage: str
    jobs: int | None = None
    space: tuple[str, ...] = ()


def optimise_command(ask: "Ask", search: Search, *, cluster: bool, as_json: bool) -> None:
    """Searches and prints the best. An interrupted search keeps its trials; the same command goes on."""
    with interruptible(_KEPT, as_json=as_json):
        from neuratrade.research.optimise import optimise
        from neuratrade.research.trials import TrialLog

        prepared, folder = _prepared(ask)
        with _searching(quiet=as_json) as tell:
            found = optimise(
                _question(prepared, search),
                prepared.columns,
                trials=search.trials,
                storage=_storage(search.storage, folder),
                processes=search.jobs,
                cluster=cluster,
                log=TrialLog(folder / "trials.sqlite"),
                progress=tell,
            )
    if as_json:
        print_json({**_optimised(found), "departures": prepared.plan.departures, "notes": prepared.notes})
    else:
        _notes(prepared.notes)
        print_departures(prepared.plan.departures)
        _print_optimised(found, ask, search)
    if found.interrupted:
        end_interrupted(found.told.removeprefix("stopped; "), as_json=as_json)


def walkforward_command(ask: "Ask", search: Search, windows: "Windows", html: str, *, as_json: bool) -> None:
    """Walks forward and prints every window, the stitched run and how stable the choices were."""
    with interruptible(_KEPT, as_json=as_json):
        from neuratrade.research.report import check_place
        from neuratrade.research.trials import TrialLog
        from neuratrade.research.walkforward import walkforward

        page = Path(html).expanduser() if html else None
        if page is not None:
            check_place(page)
        prepared, folder = _prepared(ask)
        with progress("walk-forward", quiet=as_json) as tell:
            found = walkforward(
                _question(prepared, search),
                prepared.columns,
                windows,
                trials=search.trials,
                storage=_storage(search.storage, folder),
                processes=search.jobs,
                log=TrialLog(folder / "trials.sqlite"),
                progress=None
                if tell is None
                else lambda window, of, told: tell((window - 1) * told.wanted + told.done, of * told.wanted),
            )
        if page is not None:
            _write_walk(found, page, ask, prepared)
    if as_json:
        print_json({**_walked(found), "departures": prepared.plan.departures, "data_notes": prepared.notes})
    else:
        _notes(prepared.notes)
        print_departures(prepared.plan.departures)
        _print_walked(found, search)
        if page is not None and found.stitched is not None:
            console().print(f"report: {page}")
    if found.interrupted:
        end_interrupted(f"{len(found.windows)} windows are done; {_KEPT}", as_json=as_json)


def _write_walk(found: "WalkForward", page: Path, ask: "Ask", prepared: "Prepared") -> None:
    """The report of the tests joined; none where no window was finished."""
    from neuratrade.research.metrics import confidence, measure
    from neuratrade.research.report import write_report

    result = found.stitched
    if result is None:
        return
    early = ("interrupted: these are the windows done until then",) if found.interrupted else ()
    write_report(
        result,
        measure(result),
        page,
        confidence=confidence(result),
        data_sha256={ask.data: prepared.digest},
        title=f"{ask.strategy}, walk-forward, out of sample",
        notes=[note for note in (*prepared.notes, *found.notes, *early) if note not in result.notes],
    )


def promote_command(
    ask: "Ask", champion: str, thresholds: tuple[str, ...], who: str, as_of: str, *, as_json: bool
) -> None:
    """Judges a challenger; exits 1 when it does not pass."""
    kept = "nothing was decided, and a try that had begun is counted; run the same command again"
    with interruptible(kept, as_json=as_json):
        from neuratrade.app.challenging import challenge
        from neuratrade.app.looking import home_in_use

        home = home_in_use()
        with progress("challenge", quiet=as_json) as tell:
            found = challenge(ask, champion, thresholds, who=who, as_of=as_of, home=home.root, progress=tell)
    if as_json:
        print_json(_challenged(found))
    else:
        _notes(found.notes)
        _print_challenge(found)
    if not found.decision.passed:
        sys.exit(FAILED)


def _prepared(ask: "Ask") -> "tuple[Prepared, Path]":
    from neuratrade.app.backtesting import prepare
    from neuratrade.app.looking import home_in_use, made
    from neuratrade.feeds.catalogue import Catalogue

    home = made(home_in_use())
    prepared = prepare(ask, Catalogue(home.root / "data"))
    if not prepared.strategy:
        raise UsageError("a search varies one strategy: give its name instead of a DNA file")
    folder = home.root / "research"
    folder.mkdir(exist_ok=True)
    return prepared, folder


def _question(prepared: "Prepared", search: Search) -> "Question":
    from neuratrade.research.backtest import check_timeframes
    from neuratrade.research.objective import objective_of
    from neuratrade.research.optimise import Question
    from neuratrade.research.space import parse_given, space_of

    texts = [part for text in search.space for part in text.split(",") if part.strip()]
    space = space_of(prepared.strategy, parse_given(texts))
    if all(dimension.name != "timeframe_minutes" for dimension in space.dimensions):
        check_timeframes(prepared.plan, next(iter(prepared.columns.values())).span_ns)
    return Question(
        plan=prepared.plan,
        space=space,
        objective=objective_of(search.objective, search.constraint, search.min_trades),
        seed=search.seed,
    )


def _storage(text: str, folder: Path) -> str:
    if text:
        return text if "://" in text else f"sqlite:///{Path(text).expanduser()}"
    return f"sqlite:///{folder / 'studies.sqlite'}"


@contextmanager
def _searching(*, quiet: bool) -> Iterator["Callable[[Progress], None] | None"]:
    """A bar that shows the best so far."""
    with progress("optimize", quiet=quiet) as tell:
        if tell is None:
            yield None
            return

        def told(so_far: "Progress") -> None:
            best = "" if so_far.best is None else f"best {so_far.best.value:.3f}"
            tell(so_far.done, so_far.wanted, best)

        yield told


def _notes(notes: tuple[str, ...]) -> None:
    for note in notes:
        print_note(note)


def _optimised(found: "Optimised") -> dict[str, object]:
    return {
        "study": found.study,
        "storage": found.storage,
        "trials": len(found.trials),
        "ran": found.ran,
        "interrupted": found.interrupted,
        "told": found.told,
        "best": found.best,
        "all": found.trials,
    }


def _print_optimised(found: "Optimised", ask: "Ask", search: Search) -> None:
    out = console()
    before = len(found.trials) - found.ran
    earlier = f", {before} from before" if before else ""
    out.print(f"{ask.strategy} on {ask.data}: {found.ran} trials run now{earlier}")
    if found.told and not found.interrupted:
        out.print(found.told)
    ranked = sorted(
        (item for item in found.trials if item.value is not None and item.duplicate_of is None),
        key=lambda item: (bool(item.broken), -(item.value or 0.0)),
    )
    if not ranked:
        why = next((f"; the first: {item.reason}" for item in found.trials if item.reason), "")
        out.print(f"no trial came to a figure yet{why}" if found.trials else "no trial was finished yet")
        return
    names = list(ranked[0].values)
    columns = ("trial", *names, search.objective, "return", "drawdown", "trades", "constraint broken")
    listed = table(f"best of {len(found.trials)} trials", *columns, right=columns[:-1])
    for item in ranked[:SHOWN]:
        listed.add_row(*_row(item, names, search.objective))
    out.print(listed)
    if found.best is not None:
        _print_best(ask, found.best)
    out.print(
        styled("not yet a strategy:", "yellow"),
        "the best of many is partly luck; `neuratrade walkforward` and `neuratrade promote` say how much",
    )


def _print_best(ask: "Ask", best: "TrialDone") -> None:
    """How to run the best again; what was typed beside settings and data is not repeated, and is said so."""
    typed = [part.strip() for text in ask.parameters for part in text.split(",") if part.strip()]
    params = ",".join([*typed, *(f"{name}={value}" for name, value in best.values.items())])
    out = console()
    out.print(f"the best again: neuratrade backtest {ask.strategy} --data {ask.data} --params {params}")
    if dataclasses.replace(ask, parameters=()) != type(ask)(strategy=ask.strategy, data=ask.data):
        out.print("(with the other options that were given here)")


def _row(item: "TrialDone", names: list[str], objective: str) -> list[str]:
    scores = item.scores
    return [
        str(item.number),
        *(str(item.values[name]) for name in names),
        _figure(objective, item.value),
        _figure("total_return", scores.get("total_return")),
        _figure("max_drawdown", scores.get("max_drawdown")),
        _figure("trades", scores.get("trades")),
        "; ".join(item.broken),
    ]


def _walked(found: "WalkForward") -> dict[str, object]:
    return {
        "windows": [
            {
                "window": item.window,
                "chosen": item.chosen,
                "in_sample": item.in_sample,
                "out_of_sample": item.out_of_sample,
                "trials": item.trials,
            }
            for item in found.windows
        ],
        "scores": found.scores,
        "stability": found.stability,
        "in_sample": found.in_sample,
        "out_of_sample": found.out_of_sample,
        "kept": found.kept,
        "notes": found.notes,
        "interrupted": found.interrupted,
    }


def _print_walked(found: "WalkForward", search: Search) -> None:
    out = console()
    goal = search.objective
    columns = ("test from", "to", "chosen", f"{goal} in training", "in test", "return", "trades")
    listed = table("windows", *columns, right=columns[3:])
    for item in found.windows:
        chosen = "nothing" if item.chosen is None else ", ".join(f"{k}={v}" for k, v in item.chosen.items())
        tested = item.out_of_sample
        listed.add_row(
            when(item.window.test_start_ns)[:10],
            when(item.window.test_end_ns)[:10],
            chosen,
            _figure(goal, item.in_sample.get(goal)),
            _figure(goal, tested.get(goal)),
            _figure("total_return", tested.get("total_return")),
            _figure("trades", tested.get("trades")),
        )
    out.print(listed)
    if found.windows:
        _print_joined(found, goal)
    for note in found.notes:
        print_note(note)


def _print_joined(found: "WalkForward", goal: str) -> None:
    out = console()
    joined = table("all tests joined: out of sample", "figure", "value", right=("value",))
    for name in ("total_return", "sharpe", "max_drawdown", "trades"):
        joined.add_row(name.replace("_", " "), _figure(name, found.scores.get(name)))
    joined.add_row(f"{goal}, mean of trainings", _figure(goal, found.in_sample))
    joined.add_row(f"{goal}, mean of tests", _figure(goal, found.out_of_sample))
    joined.add_row("kept of it", "-" if found.kept is None else f"{found.kept:.0%}")
    out.print(joined)
    moved = table("how far the choices moved (0 is stable)", "setting", "spread", "values", right=("spread",))
    for setting in found.stability:
        moved.add_row(setting.name, f"{setting.spread:.2f}", ", ".join(setting.values))
    out.print(moved)


def _figure(name: str, value: float | None) -> str:
    """A figure as people read it, by its name."""
    if value is None or not math.isfinite(value):
        return "-"
    if name in _SHARES:
        return f"{value:.2%}"
    return f"{value:.0f}" if name == "trades" else f"{value:.3f}"


def _challenged(found: "Challenge") -> dict[str, object]:
    return {
        "passed": found.decision.passed,
        "grants": found.decision.grants,
        "checks": found.decision.checks,
        "departures": found.decision.departures,
        "notes": found.notes,
        "challenger": found.evidence.challenger,
        "champion": found.evidence.champion,
        "tried": found.evidence.tried,
        "version": None if found.version is None else str(found.version.path),
    }


def _print_challenge(found: "Challenge") -> None:
    out = console()
    out.print("promotion:", styled("passed", "green") if found.decision.passed else styled("refused", "red"))
    listed = table("the gate", "check", "passed", "seen", "limit", "what was found")
    for check in found.decision.checks:
        verdict = styled("yes", "green") if check.passed else styled("no", "red")
        listed.add_row(check.name, verdict, check.seen, check.limit, check.told)
    out.print(listed)
    for departure in found.decision.departures:
        out.print(styled("departs from the defaults", "yellow"), departure)
    if found.version is not None:
        out.print(
            f"new version: {found.version.path}; it may go to {found.decision.grants}, nothing trades it yet"
        )
    else:
        out.print(f"the champion stays; the refusal with its reasons is kept in {found.folder}")
