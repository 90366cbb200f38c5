"""The commands of research as the command line declares them; what they do is imported when one is used."""

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]


def declare(app: typer.Typer) -> None:
    """Adds the commands to the program."""
    app.command(epilog="Example: neuratrade backtest rsi_rule --data BTCUSDT_1m.parquet --html report.html")(
        backtest
    )
    app.command(epilog="Example: neuratrade backtests --json")(backtests)


def backtest(
    strategy: Annotated[str, typer.Argument(help="A strategy's name, or a DNA file (.yaml).")],
    *,
    data: Annotated[str, typer.Option(help="A dataset (see `data list`) or a file of bars or trades.")],
    since: Annotated[
        str, typer.Option("--from", help="First day or time; what lies before is history.")
    ] = "",
    until: Annotated[str, typer.Option("--to", help="Last day or time.")] = "",
    params: Annotated[list[str] | None, typer.Option(help="NAME=VALUE, several by commas.")] = None,
    limit: Annotated[list[str] | None, typer.Option(help="A limit of the gate, NAME=VALUE.")] = None,
    cash: Annotated[str, typer.Option(help="What it starts with; default 100000.")] = "",
    fees: Annotated[str, typer.Option(help="Basis points, or maker/taker; default the instrument's.")] = "",
    spread: Annotated[str, typer.Option(help="Basis points of the price; default 2.")] = "",
    slippage: Annotated[str, typer.Option(help="Basis points when taking; default 1.")] = "",
    latency: Annotated[int | None, typer.Option(min=0, max=60_000, help="Milliseconds; default 50.")] = None,
    participation: Annotated[
        str, typer.Option(help="Share of a bar's volume we may take; default 0.1.")
    ] = "",
    funding: Annotated[str, typer.Option(help="Basis points every 8 hours, perpetuals.")] = "",
    borrow: Annotated[str, typer.Option(help="Percent a year for what is sold short.")] = "",
    symbol: Annotated[list[str] | None, typer.Option(help="Only this asset; may be given again.")] = None,
    timeframe: Annotated[str, typer.Option(help="Bars to use; default the finest there are.")] = "",
    gaps: Annotated[str, typer.Option(help="Where bars are missing: skip, fill or fail.")] = "skip",
    asset: Annotated[str, typer.Option(help="What a bare file holds, such as BTC/USDT.")] = "",
    venue: Annotated[str, typer.Option(help="Where a bare file was recorded.")] = "",
    long_only: Annotated[bool, typer.Option("--long-only", help="Never sell short.")] = False,
    html: Annotated[str, typer.Option(help="Write the report to this file.")] = "",
    audit: Annotated[bool, typer.Option("--audit", help="Look for look-ahead instead of trading.")] = False,
    every_bar: Annotated[bool, typer.Option("--every-bar", help="Live through every bar; slow.")] = False,
    keep: Annotated[bool, typer.Option(help="Keep the result for `backtests`.")] = True,
    as_json: Json = False,
) -> None:
    """A strategy on recorded data.

    The gate, the brackets and the books are those of the desk; every departure from its defaults is printed.
    """
    from neuratrade.app.kernels import choose_cache

    choose_cache()
    from neuratrade.app.backtesting import Ask
    from neuratrade.interfaces.cli.backtest import run_backtest_command

    ask = Ask(
        strategy=strategy,
        data=data,
        since=since,
        until=until,
        parameters=tuple(params or ()),
        limits=tuple(limit or ()),
        cash=cash,
        fees=fees,
        spread_bps=spread,
        slippage_bps=slippage,
        latency_ms=latency,
        participation=participation,
        funding_bps=funding,
        borrow_pct=borrow,
        symbols=tuple(symbol or ()),
        timeframe=timeframe,
        gaps=gaps,
        asset=asset,
        venue=venue,
        long_only=long_only,
    )
    run_backtest_command(ask, html, audited=audit, every_bar=every_bar, keep=keep, as_json=as_json)


def backtests(as_json: Json = False) -> None:
    """The backtests kept so far."""
    from neuratrade.interfaces.cli.backtest import list_backtests

    list_backtests(as_json=as_json)
