"""The `neuratrade` command: one file a group of commands, each imported only when it is used."""

from typing import Annotated

import typer

from neuratrade import __version__
from neuratrade.interfaces.cli import researching
from neuratrade.interfaces.cli.ending import end_with
from neuratrade.interfaces.cli.interrupting import keep_interrupts

app = typer.Typer(
    name="neuratrade",
    help="An autonomous trading desk: agents, rules and people propose, deterministic hands dispose.",
    epilog="Example: neuratrade run --speed max --json",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Plain help costs half the time of a drawn one, and fits any width.
    rich_markup_mode=None,
)
intent_app = typer.Typer(help="Propose a trade, or see the form a proposal has.", no_args_is_help=True)
audit_app = typer.Typer(help="Prove that the journal is whole.", no_args_is_help=True)
data_app = typer.Typer(help="Check, import, download and list recorded market data.", no_args_is_help=True)
quarantine_app = typer.Typer(
    help="What is at a venue and nobody can explain.", invoke_without_command=True, no_args_is_help=False
)
app.add_typer(intent_app, name="intent", epilog="Example: neuratrade intent submit idea.json")
app.add_typer(audit_app, name="audit", epilog="Example: neuratrade audit verify --json")
app.add_typer(data_app, name="data", epilog="Example: neuratrade data list")
app.add_typer(quarantine_app, name="quarantine", epilog="Example: neuratrade quarantine --json")

researching.declare(app)

Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]
Kind = Annotated[str, typer.Option(help="bars, trades or quotes.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; journaled.")]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"neuratrade {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """NeuraTrade."""


@app.command(
    epilog="Example: neuratrade run --speed max --json, or: neuratrade run --venue kraken --mode paper"
)
def run(  # noqa: PLR0917 - an option of the command each
    speed: Annotated[
        str, typer.Option(help="Engine seconds a second, or `max`; default: the data in 90 seconds.")
    ] = "auto",
    data: Annotated[str, typer.Option(help="Dataset to replay (see `data list`).")] = "",
    venue: Annotated[
        str, typer.Option(help="Trade live public data of kraken, binance, okx, alpaca ... instead.")
    ] = "",
    symbols: Annotated[str, typer.Option(help="Of the venue, with commas; default: BTC and ETH.")] = "",
    mode: Annotated[str, typer.Option(help="paper: no order leaves this machine.")] = "paper",
    dna: Annotated[str, typer.Option(help="Strategy DNA file instead of the configured one.")] = "",
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over with a fresh paper account.")] = False,
    as_json: Json = False,
) -> None:
    """Trade on paper: the recorded market, or a venue's live one.

    Goes on where it was stopped; after a run that ended it starts over with a fresh account.
    """
    from neuratrade.interfaces.cli.run import Wanted, run_desk

    run_desk(Wanted(speed, data, dna, venue, symbols, mode, fresh), as_json=as_json)


@app.command(epilog="Example: neuratrade status --json")
def status(as_json: Json = False) -> None:
    """How the desk stands: state, equity, limits used, counts."""
    from neuratrade.interfaces.cli.look import show_status

    show_status(as_json=as_json)


@app.command(epilog="Example: neuratrade positions")
def positions(as_json: Json = False) -> None:
    """What is held, with its stop and targets."""
    from neuratrade.interfaces.cli.look import show_positions

    show_positions(as_json=as_json)


@app.command(epilog="Example: neuratrade orders --json")
def orders(as_json: Json = False) -> None:
    """Orders that may still fill."""
    from neuratrade.interfaces.cli.look import show_orders

    show_orders(as_json=as_json)


@app.command(epilog="Example: neuratrade why 3f2a --json")
def why(
    wanted: Annotated[
        str, typer.Argument(metavar="ID", help="Intent, bracket or order id, or its beginning.")
    ] = "",
    last: Annotated[int, typer.Option(min=1, help="List the newest decisions instead.")] = 10,
    refused: Annotated[bool, typer.Option("--refused", help="List refusals only.")] = False,
    as_json: Json = False,
) -> None:
    """Why a decision was taken or refused.

    Shows every layer's answer to it; without an ID lists the newest decisions.
    """
    from neuratrade.interfaces.cli.why import list_decisions, show_decision

    if wanted:
        show_decision(wanted, as_json=as_json)
    else:
        list_decisions(last, refused_only=refused, as_json=as_json)


@app.command(epilog="Example: neuratrade rehearse --plans 20 --seed 1 --json")
def rehearse(
    venues: Annotated[str, typer.Option(help="Only these, by comma; default: all that can be.")] = "",
    plans: Annotated[int, typer.Option(help="How many plans of faults to play.")] = 10,
    seed: Annotated[int, typer.Option(help="Of the first plan; the others follow it.")] = 1,
    faults: Annotated[str, typer.Option(help="Only these kinds, by comma, e.g. `5xx,stream cut`.")] = "",
    jobs: Annotated[int | None, typer.Option(help="Processes; default: one a processor.")] = None,
    as_json: Json = False,
) -> None:
    """Practise going live, without money.

    The live desk trades on simulated venues that fail as real ones do: orders are sent over loopback in the
    venues' own protocols, with throw-away keys. What was doubled, lost or unprotected is judged from the
    venue's books. No network, no account.
    """
    from neuratrade.interfaces.cli.rehearsing import rehearse_command

    rehearse_command(venues, plans, seed, faults, jobs, as_json=as_json)


@app.command(epilog="Example: neuratrade whatif --limit confidence=0.9 --limit trades_per_day=3")
def whatif(
    limit: Annotated[list[str], typer.Option(help="NAME=VALUE; may be given several times.")],
    as_json: Json = False,
) -> None:
    """The last run again under other limits.

    Shows what would have been traded, refused and earned.
    """
    from neuratrade.interfaces.cli.whatif import show_whatif

    show_whatif(limit, as_json=as_json)


@app.command(epilog='Example: neuratrade halt --reason "news" --policy flatten_all')
def halt(
    reason: Reason = "asked on the command line",
    policy: Annotated[
        str, typer.Option(help="cancel_entries, close_perps or flatten_all.")
    ] = "cancel_entries",
    as_json: Json = False,
) -> None:
    """Stop new exposure, whether a desk runs or not."""
    from neuratrade.interfaces.cli.operate import halt_desk

    halt_desk(reason, policy, as_json=as_json)


@app.command(epilog='Example: neuratrade resume --reason "checked by hand"')
def resume(reason: Reason, as_json: Json = False) -> None:
    """Let the desk trade again; peaks and counters stay."""
    from neuratrade.interfaces.cli.operate import resume_desk

    resume_desk(reason, as_json=as_json)


@app.command(epilog='Example: neuratrade flatten --reason "going on holiday"')
def flatten(reason: Reason, as_json: Json = False) -> None:
    """Leave everything that is ours, and halt."""
    from neuratrade.interfaces.cli.operate import flatten_desk

    flatten_desk(reason, as_json=as_json)


@app.command(epilog='Example: neuratrade limit trades_per_day 8 --reason "quiet week"')
def limit(
    name: Annotated[str, typer.Argument(help="Name of the limit (see `status`).")],
    value: Annotated[str, typer.Argument(help="Its new value.")],
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Change a limit of the running desk.

    Hard ceilings can only be tightened.
    """
    from neuratrade.interfaces.cli.operate import change_limit

    change_limit(name, value, reason, as_json=as_json)


@app.command(epilog='Example: neuratrade adopt BTC/USDT@okx --stop 59000 --reason "keep it guarded"')
def adopt(
    instrument: Annotated[str, typer.Argument(metavar="ASSET@VENUE", help="What is held (see `positions`).")],
    stop: Annotated[str, typer.Option(help="Price of the stop that is to guard it.")],
    reason: Reason,
    account: Annotated[str, typer.Option(help="Account, where there are several.")] = "",
    as_json: Json = False,
) -> None:
    """Give a foreign holding into the desk's care, with a stop."""
    from neuratrade.interfaces.cli.strange import adopt_holding

    adopt_holding(instrument, stop, reason, account, as_json=as_json)


@quarantine_app.callback()
def quarantine(context: typer.Context, as_json: Json = False) -> None:
    """What is at a venue and nobody can explain.

    Without a command, lists it: new exposure in it is kept out until it is settled.
    """
    if context.invoked_subcommand is None:
        from neuratrade.interfaces.cli.strange import list_quarantine

        list_quarantine(as_json=as_json)


@quarantine_app.command(
    "lift", epilog='Example: neuratrade quarantine lift USDT --reason "a fee of the bank"'
)
def quarantine_lift(
    reference: Annotated[str, typer.Argument(help="As `quarantine` lists it.")],
    reason: Reason,
    account: Annotated[str, typer.Option(help="Account, where there are several.")] = "",
    as_json: Json = False,
) -> None:
    """Settle one thing by your own word: it is as it should be."""
    from neuratrade.interfaces.cli.strange import lift_quarantine

    lift_quarantine(reference, reason, account, as_json=as_json)


@intent_app.command("submit", epilog="Example: neuratrade intent submit idea.json")
def intent_submit(
    file: Annotated[str, typer.Argument(help="A JSON file, or - for standard input.")] = "-",
    timeout: Annotated[float, typer.Option(min=0.1, max=600, help="Seconds to wait for the verdict.")] = 10.0,
    as_json: Json = False,
) -> None:
    """Hand proposals to the running desk and print its verdicts."""
    from neuratrade.interfaces.cli.intent import submit_intents

    submit_intents(file, timeout, as_json=as_json)


@intent_app.command("schema", epilog="Example: neuratrade intent schema > intent.schema.json")
def intent_schema(
    as_json: Annotated[bool, typer.Option("--json", help="Changes nothing: a schema is JSON.")] = False,
) -> None:
    """The JSON Schema of a proposal."""
    from neuratrade.interfaces.cli.intent import print_schema

    print_schema()


@audit_app.command("verify", epilog="Example: neuratrade audit verify --json")
def audit_verify(as_json: Json = False) -> None:
    """Prove the journal, row by row.

    Checks every row, link, seal and checkpoint; exits 1 and names the first that is broken.
    """
    from neuratrade.interfaces.cli.audit import verify_journal

    verify_journal(as_json=as_json)


@data_app.command("check", epilog="Example: neuratrade data check BTCUSDT_1m.parquet")
def data_check(
    file: Annotated[str, typer.Argument(help="Parquet, CSV or Feather file.")],
    timeframe: Annotated[str, typer.Option(help="Such as 1m; found from the data by default.")] = "",
    kind: Kind = "bars",
    as_json: Json = False,
) -> None:
    """Check a file of market data, row by row."""
    from neuratrade.interfaces.cli.data import check_data

    check_data(file, timeframe, kind, as_json=as_json)


@data_app.command("import", epilog="Example: neuratrade data import b.csv --asset SOL/USDT --venue binance")
def data_import(
    file: Annotated[str, typer.Argument(help="Parquet, CSV or Feather file.")],
    asset: Annotated[str, typer.Option(help="Such as BTC/USDT.")],
    venue: Annotated[str, typer.Option(help="Where it was recorded, such as binance.")],
    timeframe: Annotated[str, typer.Option(help="Such as 1m; found from the data by default.")] = "",
    kind: Kind = "bars",
    dataset: Annotated[str, typer.Option(help="Dataset to add it to.")] = "imported",
    as_json: Json = False,
) -> None:
    """Check a file and add it to a dataset, whole or not at all."""
    from neuratrade.interfaces.cli.data import import_data

    import_data(file, asset, venue, timeframe, kind, dataset, as_json=as_json)


@data_app.command(
    "download", epilog="Example: neuratrade data download binance BTC/USDT --from 2025-03-01 --to 2025-04-01"
)
def data_download(  # noqa: PLR0917 - an option of the command each
    exchange: Annotated[str, typer.Argument(help="As ccxt calls it, such as binance.")],
    symbol: Annotated[str, typer.Argument(help="Such as BTC/USDT, or BTC/USDT:USDT for its perpetual.")],
    since: Annotated[str, typer.Option("--from", help="First day (UTC), or a time with its zone.")],
    until: Annotated[str, typer.Option("--to", help="First day no more wanted; default: now.")] = "",
    timeframe: Annotated[str, typer.Option(help="Such as 1m or 4h.")] = "1m",
    dataset: Annotated[str, typer.Option(help="Dataset to add it to.")] = "imported",
    asset: Annotated[str, typer.Option(help="Name to keep it under; default: the symbol.")] = "",
    url: Annotated[str, typer.Option(help="Another address for the exchange, such as a mirror.")] = "",
    as_json: Json = False,
) -> None:
    """Fetch history from an exchange, as far as it is not there yet.

    Needs no key. Interrupted, it keeps what it has; the same command goes on from there.
    """
    from msgspec.structs import replace

    from neuratrade.interfaces.cli.data import download_data, what_to_download

    wanted = replace(what_to_download(symbol, timeframe, since, until), dataset=dataset, asset=asset)
    download_data(exchange, url, wanted, as_json=as_json)


@data_app.command("list", epilog="Example: neuratrade data list --json")
def data_list(as_json: Json = False) -> None:
    """The datasets there are."""
    from neuratrade.interfaces.cli.data import list_data

    list_data(as_json=as_json)


def main() -> None:
    """Entry point: exit codes 0 done, 1 refused or failed, 2 wrong usage; errors on stderr."""
    keep_interrupts()
    end_with(app)
