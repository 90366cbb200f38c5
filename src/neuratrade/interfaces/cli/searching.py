"""optimize, walkforward, promote: looking for settings, and for reasons not to believe them."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from neuratrade.core.model.errors import Retryable, UsageError
from neuratrade.interfaces.cli.backtest import progress
from neuratrade.interfaces.cli.output import (
    FAILED,
    INTERRUPTED,
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


class Search(NamedTuple):
    """What is searched and how, as typed."""

    space: tuple[str, ...]
    objective: str
    constraint: str
    min_trades: int
    trials: int
    seed: int
    storage: str
    jobs: int | None


def optimise_command(ask: "Ask", search: Search, *, cluster: bool, as_json: bool) -> None:
    """Searches and prints the best. An interrupted search keeps its trials; the same command goes on."""
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
        print_json(_optimised(found))
    else:
        _notes(prepared.notes)
        _print_optimised(found, search)
    if found.interrupted:
        sys.exit(INTERRUPTED)


def walkforward_command(ask: "Ask", search: Search, windows: "Windows", html: str, *, as_json: bool) -> None:
    """Walks forward and prints every window, the stitched run and how stable the choices were."""
    from neuratrade.research.trials import TrialLog
    from neuratrade.research.walkforward import walkforward

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
    if html and found.stitched is not None:
        from neuratrade.research.metrics import confidence, measure
        from neuratrade.research.report import write_report

        title = f"{ask.strategy}, walk-forward, out of sample"
        result = found.stitched
        write_report(
            result,
            measure(result),
            Path(html).expanduser(),
            confidence=confidence(result),
            data_sha256={ask.data: prepared.digest},
            title=title,
            notes=(*prepared.notes, *found.notes),
        )
    if as_json:
        print_json(_walked(found))
    else:
        _notes(prepared.notes)
        _print_walked(found, search)
    if found.interrupted:
        sys.exit(INTERRUPTED)


def promote_command(
    ask: "Ask", champion: str, thresholds: tuple[str, ...], who: str, as_of: str, *, as_json: bool
) -> None:
    """Judges a challenger; exits 1 when it does not pass."""
    from neuratrade.app.challenging import challenge
    from neuratrade.app.looking import home_in_use

    home = home_in_use()
    try:
        with progress("challenge", quiet=as_json) as tell:
            found = challenge(ask, champion, thresholds, who=who, as_of=as_of, home=home.root, progress=tell)
    except KeyboardInterrupt:
        raise Retryable("stopped before the end: the try is counted, nothing was decided") from None
    if as_json:
        print_json(_challenged(found))
    else:
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
    from neuratrade.research.objective import objective_of
    from neuratrade.research.optimise import Question
    from neuratrade.research.space import parse_given, space_of

    texts = [part for text in search.space for part in text.split(",") if part.strip()]
    return Question(
        plan=prepared.plan,
        space=space_of(prepared.strategy, parse_given(texts)),
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


def _print_optimised(found: "Optimised", search: Search) -> None:
    out = console()
    out.print(found.told)
    ranked = sorted(
        (item for item in found.trials if item.value is not None and item.duplicate_of is None),
        key=lambda item: (bool(item.broken), -(item.value or 0.0)),
    )
    names = list(ranked[0].values) if ranked else []
    columns = ("trial", *names, search.objective, "return", "drawdown", "trades", "not held")
    listed = table(f"best of {len(found.trials)} trials", *columns, right=columns[:-1])
    for item in ranked[:SHOWN]:
        listed.add_row(*_row(item, names))
    out.print(listed)
    out.print(
        styled("not yet a strategy:", "yellow"),
        "the best of many is partly luck; `neuratrade walkforward` and `neuratrade promote` say how much",
    )


def _row(item: "TrialDone", names: list[str]) -> list[str]:
    scores = item.scores
    return [
        str(item.number),
        *(str(item.values[name]) for name in names),
        f"{item.value:.3f}",
        f"{scores.get('total_return', float('nan')):.2%}",
        f"{scores.get('max_drawdown', float('nan')):.2%}",
        f"{scores.get('trades', float('nan')):.0f}",
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
    columns = ("test from", "to", "chosen", "in sample", "out of sample", "return", "trades")
    listed = table(f"windows, {search.objective}", *columns, right=columns[3:])
    for item in found.windows:
        chosen = "nothing" if item.chosen is None else ", ".join(f"{k}={v}" for k, v in item.chosen.items())
        out_scores = item.out_of_sample
        listed.add_row(
            when(item.window.test_start_ns)[:10],
            when(item.window.test_end_ns)[:10],
            chosen,
            _figure(item.in_sample.get(search.objective)),
            _figure(out_scores.get(search.objective)),
            f"{out_scores.get('total_return', 0.0):.2%}",
            f"{out_scores.get('trades', 0.0):.0f}",
        )
    out.print(listed)
    for name in ("total_return", "sharpe", "max_drawdown", "trades"):
        out.print(f"out of sample, {name}: {_figure(found.scores.get(name))}")
    out.print(f"kept of what training promised: {_figure(found.kept)}")
    moved = table("how far the choices moved (0 is stable)", "setting", "spread", "values", right=("spread",))
    for setting in found.stability:
        moved.add_row(setting.name, f"{setting.spread:.2f}", ", ".join(setting.values))
    out.print(moved)
    for note in found.notes:
        print_note(note)


def _figure(value: float | None) -> str:
    return "-" if value is None or value != value else f"{value:.3f}"  # noqa: PLR0124 - nan is not itself


def _challenged(found: "Challenge") -> dict[str, object]:
    return {
        "passed": found.decision.passed,
        "grants": found.decision.grants,
        "checks": found.decision.checks,
        "departures": found.decision.departures,
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
