"""The commands of research as the command line declares them; what they do is imported when one is used."""

from collections.abc import Mapping
from inspect import signature
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from neuratrade.app.backtesting import Ask

Made = TypeVar("Made")

Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]
Data = Annotated[str, typer.Option(help="A dataset (see `data list`) or a file of bars or trades.")]
Since = Annotated[
    str, typer.Option("--from", help="First day or time (UTC); what lies before only warms indicators.")
]
Until = Annotated[str, typer.Option("--to", help="Up to this day (at its 00:00) or time, UTC.")]
Params = Annotated[
    list[str] | None,
    typer.Option("--params", help="Settings of the strategy, NAME=VALUE, several by commas."),
]
Limits = Annotated[
    list[str] | None, typer.Option("--limit", help="A limit of the gate for this run, NAME=VALUE.")
]
Cash = Annotated[str, typer.Option(help="What it starts with; default 100000.")]
Fees = Annotated[str, typer.Option(help="Basis points, or maker/taker; default the instrument's.")]
Spread = Annotated[str, typer.Option("--spread", help="Basis points of the price; default 2.")]
Slippage = Annotated[str, typer.Option("--slippage", help="Basis points when taking; default 1.")]
Impact = Annotated[
    str, typer.Option("--impact", help="Basis points that taking a bar's whole volume would cost more.")
]
Commission = Annotated[str, typer.Option(help="Quote currency per unit or contract, each way.")]
Latency = Annotated[
    int | None, typer.Option("--latency", min=0, max=60_000, help="Milliseconds; default 50.")
]
Participation = Annotated[str, typer.Option(help="Share of a bar's volume we may take; default 0.1.")]
Funding = Annotated[
    list[str] | None,
    typer.Option(help="Basis points that longs pay every 8 hours, or FILE or INSTRUMENT=FILE of rates."),
]
Borrow = Annotated[
    str, typer.Option("--borrow", help="Lends what is owned (spot) for shorts, at percent a year.")
]
Symbols = Annotated[list[str] | None, typer.Option("--symbol", help="Only this asset; may be given again.")]
Timeframe = Annotated[str, typer.Option(help="Bars to use; default the finest there are.")]
Gaps = Annotated[str, typer.Option(help="Where bars are missing: skip, fill or fail.")]
Asset = Annotated[str, typer.Option(help="What a bare file holds, such as BTC/USDT.")]
Venue = Annotated[str, typer.Option(help="Where a bare file was recorded.")]
LongOnly = Annotated[bool, typer.Option("--long-only", help="Never sell short.")]
Name = Annotated[str, typer.Argument(help="A strategy's name.")]
Space = Annotated[
    list[str] | None,
    typer.Option(help="NAME=LOW:HIGH[:STEP] or NAME=A|B; several by commas. Default: all parameters."),
]
Goal = Annotated[str, typer.Option(help="sharpe, sortino, calmar, total_return or expectancy.")]
Constraint = Annotated[str, typer.Option(help="Such as 'max_drawdown <= 0.1'.")]
LeastTrades = Annotated[int, typer.Option(min=1, help="A trial with fewer trades cannot win.")]
Trials = Annotated[int, typer.Option(min=1, max=100_000, help="Different settings to try.")]
Seed = Annotated[int, typer.Option(help="The same seed tries the same settings.")]
Storage = Annotated[str, typer.Option(help="File or URL of the study; default in the desk's home.")]
Jobs = Annotated[int | None, typer.Option(min=1, max=256, help="Processes; default one a core.")]


def declare(app: typer.Typer) -> None:
    """Adds the commands to the program."""
    for command, example in (
        (backtest, "neuratrade backtest rsi_rule --data BTCUSDT_1m.parquet --html report.html"),
        (backtests, "neuratrade backtests --json"),
        (parity, "neuratrade parity --data imported --json"),
        (optimize, "neuratrade optimize rsi_rule --data imported --space buy_level_points=20:40 --trials 50"),
        (walkforward, "neuratrade walkforward rsi_rule --data imported --train-days 20 --test-days 5"),
        (promote, "neuratrade promote rsi_rule --params buy_level_points=25 --data imported --who anna"),
    ):
        app.command(epilog=f"Example: {example}")(command)


def _ask(typed: Mapping[str, object]) -> "Ask":
    """What was typed to be run, once the heavy half may be imported."""
    from neuratrade.app.kernels import choose_cache

    choose_cache()
    from neuratrade.app.backtesting import Ask

    return _picked(Ask, typed)


def _picked(kind: type[Made], typed: Mapping[str, object]) -> Made:
    """A `kind` made of the options that are named like its fields; one that nobody gave keeps its default.

    typed: the parameters of a command, by name.
    """
    fields = signature(kind).parameters
    given = {name: value for name, value in typed.items() if name in fields and value is not None}
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()})


def backtest(
    strategy: Annotated[str, typer.Argument(help="A strategy's name, or a DNA file (.yaml).")],
    *,
    data: Data,
    since: Since = "",
    until: Until = "",
    parameters: Params = None,
    limits: Limits = None,
    cash: Cash = "",
    fees: Fees = "",
    spread_bps: Spread = "",
    slippage_bps: Slippage = "",
    impact_bps: Impact = "",
    commission: Commission = "",
    latency_ms: Latency = None,
    participation: Participation = "",
    funding: Funding = None,
    borrow_pct: Borrow = "",
    symbols: Symbols = None,
    timeframe: Timeframe = "",
    gaps: Gaps = "skip",
    asset: Asset = "",
    venue: Venue = "",
    long_only: LongOnly = False,
    indicators: Annotated[str, typer.Option(help="Who computes them: native or talib.")] = "native",
    html: Annotated[str, typer.Option(help="Write the report to this file.")] = "",
    audit: Annotated[bool, typer.Option("--audit", help="Look for look-ahead instead of trading.")] = False,
    every_bar: Annotated[bool, typer.Option("--every-bar", help="Live through every bar; slow.")] = False,
    keep: Annotated[bool, typer.Option(help="Keep the result for `backtests`.")] = True,
    as_json: Json = False,
) -> None:
    """A strategy on recorded data.

    The gate, the brackets and the books are those of the desk; every departure from its defaults is printed.
    """
    ask = _ask(locals())
    from neuratrade.interfaces.cli.backtest import run_backtest_command

    run_backtest_command(ask, html, audited=audit, every_bar=every_bar, keep=keep, as_json=as_json)


def backtests(as_json: Json = False) -> None:
    """The backtests kept so far."""
    from neuratrade.app.kernels import choose_cache

    choose_cache()
    from neuratrade.interfaces.cli.backtest import list_backtests

    list_backtests(as_json=as_json)


def parity(
    *,
    data: Data,
    symbols: Symbols = None,
    timeframe: Timeframe = "",
    asset: Asset = "",
    venue: Venue = "",
    as_json: Json = False,
) -> None:
    """Our indicators beside TA-Lib's, on recorded data.

    Exits 1 when one of them differs.
    """
    from neuratrade.app.kernels import choose_cache

    choose_cache()
    from neuratrade.interfaces.cli.backtest import compare_indicators

    compare_indicators(data, tuple(symbols or ()), timeframe, asset, venue, as_json=as_json)


def optimize(
    strategy: Name,
    *,
    data: Data,
    space: Space = None,
    objective: Goal = "sharpe",
    constraint: Constraint = "",
    min_trades: LeastTrades = 30,
    trials: Trials = 50,
    seed: Seed = 0,
    storage: Storage = "",
    jobs: Jobs = None,
    cluster: Annotated[bool, typer.Option("--cluster", help="Run the trials on Ray.")] = False,
    since: Since = "",
    until: Until = "",
    parameters: Params = None,
    limits: Limits = None,
    cash: Cash = "",
    fees: Fees = "",
    slippage_bps: Slippage = "",
    funding: Funding = None,
    borrow_pct: Borrow = "",
    symbols: Symbols = None,
    gaps: Gaps = "skip",
    asset: Asset = "",
    venue: Venue = "",
    as_json: Json = False,
) -> None:
    """Search the settings of a strategy.

    Interrupted, it keeps its trials; the same command goes on from there.
    """
    typed = locals()
    ask = _ask(typed)
    from neuratrade.interfaces.cli.searching import Search, optimise_command

    optimise_command(ask, _picked(Search, typed), cluster=cluster, as_json=as_json)


def walkforward(
    strategy: Name,
    *,
    data: Data,
    train_days: Annotated[int, typer.Option(min=1, help="Days to train on.")] = 30,
    test_days: Annotated[int, typer.Option(min=1, help="Days to test on, behind them.")] = 10,
    step_days: Annotated[int, typer.Option(min=0, help="Days between tests; 0: one test.")] = 0,
    anchored: Annotated[bool, typer.Option("--anchored", help="Always train from the start.")] = False,
    embargo_bars: Annotated[int, typer.Option(min=0, help="Bars left out before a test.")] = 0,
    space: Space = None,
    objective: Goal = "sharpe",
    constraint: Constraint = "",
    min_trades: LeastTrades = 10,
    trials: Trials = 20,
    seed: Seed = 0,
    storage: Storage = "",
    jobs: Jobs = None,
    since: Since = "",
    until: Until = "",
    parameters: Params = None,
    limits: Limits = None,
    cash: Cash = "",
    fees: Fees = "",
    slippage_bps: Slippage = "",
    funding: Funding = None,
    borrow_pct: Borrow = "",
    symbols: Symbols = None,
    gaps: Gaps = "skip",
    asset: Asset = "",
    venue: Venue = "",
    html: Annotated[str, typer.Option(help="Write the report of the stitched tests here.")] = "",
    as_json: Json = False,
) -> None:
    """Optimise on one window, test on the next, and again.

    What is joined from the tests is what the search would have earned.
    """
    typed = locals()
    ask = _ask(typed)
    from neuratrade.interfaces.cli.searching import Search, walkforward_command
    from neuratrade.research.windows import Windows

    search, windows = _picked(Search, typed), _picked(Windows, typed)
    walkforward_command(ask, search, windows, html, as_json=as_json)


def promote(
    strategy: Name,
    *,
    data: Data,
    parameters: Params = None,
    who: Annotated[str, typer.Option(help="Who proposes it; kept with the decision.")] = "a person",
    champion: Annotated[str, typer.Option(help="DNA file it challenges; default the shipped one.")] = "",
    threshold: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE of the promotion gate, such as days=30.")
    ] = None,
    as_of: Annotated[str, typer.Option(help="Time at which the data must be fresh; default now.")] = "",
    limits: Limits = None,
    cash: Cash = "",
    fees: Fees = "",
    slippage_bps: Slippage = "",
    funding: Funding = None,
    borrow_pct: Borrow = "",
    symbols: Symbols = None,
    gaps: Gaps = "skip",
    asset: Asset = "",
    venue: Venue = "",
    as_json: Json = False,
) -> None:
    """Judge a challenger against the champion.

    Passing writes a new DNA version and grants one step of the ladder; exits 1 when it does not pass.
    """
    ask = _ask(locals())
    from neuratrade.interfaces.cli.searching import promote_command

    promote_command(ask, champion, tuple(threshold or ()), who, as_of, as_json=as_json)
