"""From what was typed to a plan and its bars: the one way in for backtests, searches and promotions.

Whatever cannot be run is refused here, before anything is, with the words that would be right. What a user
did not say takes a default that errs against the strategy, and shows in the report.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import msgspec
from msgspec.structs import replace

from neuratrade.app.carrying import carry_notes, carry_of, typed_carry
from neuratrade.app.dna import load_dna
from neuratrade.app.typed import amount, moment, parse_limits, parse_values
from neuratrade.core.indicators.choice import Library
from neuratrade.core.model.account import Account
from neuratrade.core.model.decimals import BASIS_POINTS
from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.risk.limits import DEFAULTS
from neuratrade.core.strategies.dna import AssetDna, Dna
from neuratrade.core.strategies.registry import default_settings, kind_of
from neuratrade.feeds.catalogue import Catalogue
from neuratrade.feeds.rules import iso_of
from neuratrade.research.columns import Columns
from neuratrade.research.data import Gaps, Selection, load_columns
from neuratrade.research.plan import DEFAULT_CASH, GATE_SPAN_NS, BacktestPlan
from neuratrade.research.space import Value
from neuratrade.research.variants import with_values
from neuratrade.venues.paper.costs import PaperCosts

HOLD_MINUTES = 240
"""Longest holding time where neither a DNA nor a parameter says one."""
MOST_CASH = Decimal(10) ** 12
"""Above it the floats of an equity curve no longer hold a cent of every sum."""
MOST_LATENCY_MS = 60_000
_LARGEST_BPS = 10_000
_LARGEST_MOVE_BPS = 5_000
"""Of what moves a price against us: spread and slippage together must leave a price above zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a user typed. strategy: a name of the registry, or a DNA file. data: a dataset or a file.

    fees: basis points, `10` or `maker/taker`; empty takes the instrument's own. parameters, limits:
    `NAME=VALUE`. since, until: ISO dates or times; a time without a zone is UTC. funding: basis points, a
    file of recorded rates, or `INSTRUMENT=FILE`. borrow_pct: percent a year; empty lends nothing.
    """

    strategy: str
    data: str
    since: str = ""
    until: str = ""
    parameters: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    cash: str = ""
    fees: str = ""
    spread_bps: str = ""
    slippage_bps: str = ""
    impact_bps: str = ""
    commission: str = ""
    latency_ms: int | None = None
    participation: str = ""
    funding: tuple[str, ...] = ()
    borrow_pct: str = ""
    symbols: tuple[str, ...] = ()
    timeframe: str = ""
    gaps: str = Gaps.SKIP.value
    asset: str = ""
    venue: str = ""
    long_only: bool = False
    indicators: str = Library.NATIVE.value


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan that can be run, and the bars it runs on.

    strategy: empty where a DNA names several. notes: what to know about the data and the run. own_fees: those
    of them that say which fees were asked for instead of an instrument's own. digest: SHA-256 of the bars.
    """

    plan: BacktestPlan
    columns: dict[str, Columns]
    strategy: str
    notes: tuple[str, ...]
    own_fees: tuple[str, ...]
    digest: str


def prepare(ask: Ask, catalogue: Catalogue) -> Prepared:
    """Reads and checks everything, what was typed before any data. Raises UsageError that names what to
    change.
    """
    start_ns, end_ns = moment(ask.since, "--from"), moment(ask.until, "--to")
    if start_ns is not None and end_ns is not None and start_ns >= end_ns:
        raise UsageError(f"--from {ask.since} does not lie before --to {ask.until}")
    dna = _dna_file(ask)
    strategy = "" if dna is not None else _known(ask.strategy)
    values = parse_values(strategy, ask.parameters) if strategy else _none_for(ask)
    cash = amount(ask.cash, "--cash", above=Decimal(0), most=MOST_CASH) if ask.cash else DEFAULT_CASH
    costs, carry, library = _costs(ask), typed_carry(ask.funding, ask.borrow_pct), _library(ask.indicators)
    limits = parse_limits(ask.limits, DEFAULTS if dna is None else dna.risk.tighten(DEFAULTS))
    loaded = load_columns(_source(ask.data), catalogue, _selection(ask, end_ns))
    own = tuple(bars.instrument for bars in loaded.columns.values())
    contracts = tuple(_with_fees(item, ask) for item in own)
    columns = {
        item.key: _on_terms(bars, item) for item, bars in zip(contracts, loaded.columns.values(), strict=True)
    }
    _check_start(ask, start_ns, columns)
    lends = carry.borrow is not None
    plan = BacktestPlan(
        dna=_cut(dna, contracts)
        if dna is not None
        else _dna_for(strategy, contracts, values, long_only=ask.long_only),
        account=_account(contracts),
        instruments=contracts,
        cash=cash,
        costs=replace(costs, lends=lends and any(not item.is_derivative for item in contracts)),
        carry=carry_of(carry, contracts),
        limits=limits,
        indicators=library,
        gate_span_ns=_gate_span_ns(columns),
        start_ns=start_ns,
        end_ns=end_ns,
    )
    if strategy and values:
        plan = with_values(plan, strategy, values)
    fees = tuple(_own_fees(own, contracts))
    notes = (*loaded.notes, *fees, *carry_notes(plan, columns, lends=lends))
    return Prepared(plan, columns, strategy, notes, fees, loaded.digest)


def _selection(ask: Ask, end_ns: int | None) -> Selection:
    if not all(symbol.strip() for symbol in ask.symbols):
        raise UsageError("--symbol '': give an asset such as BTC/USDT, or leave it out for all there are")
    return Selection(
        timeframe=ask.timeframe,
        until_ns=end_ns,
        symbols=ask.symbols,
        gaps=_gaps(ask.gaps),
        asset=ask.asset,
        venue=ask.venue,
    )


def _none_for(ask: Ask) -> dict[str, Value]:
    if ask.parameters:
        raise UsageError("--params go with a strategy's name; in a DNA file, write them there")
    if ask.long_only:
        raise UsageError("--long-only goes with a strategy's name; in a DNA file, write allow_short: false")
    return {}


def _source(data: str) -> str | Path:
    if not data.strip():
        raise UsageError("--data '': give a dataset (see `neuratrade data list`) or a file of bars or trades")
    path = Path(data).expanduser()
    return path if path.exists() else data


def _dna_file(ask: Ask) -> Dna | None:
    path = Path(ask.strategy).expanduser()
    return load_dna(path) if path.suffix in (".yaml", ".yml") else None


def _known(name: str) -> str:
    try:
        return kind_of(name).name
    except ValueError as error:
        raise UsageError(f"{error} (or give a DNA file, whose name ends in .yaml)") from None


def _gaps(text: str) -> Gaps:
    try:
        return Gaps(text)
    except ValueError:
        raise UsageError(f"--gaps {text!r}: choose {', '.join(Gaps)}") from None


def _library(text: str) -> Library:
    try:
        return Library(text)
    except ValueError:
        raise UsageError(f"--indicators {text!r}: choose {', '.join(Library)}") from None


def _with_fees(contract: Instrument, ask: Ask) -> Instrument:
    if ask.commission:
        each = amount(ask.commission, "--commission (a unit)", most=MOST_CASH)
        contract = replace(contract, commission=each)
    if not ask.fees:
        return contract
    parts = [part.strip() for part in ask.fees.split("/")]
    if len(parts) > 2 or not all(parts):
        raise UsageError(f"--fees {ask.fees!r}: write basis points, such as 10, or maker/taker, such as 2/5")
    fees = [amount(part, "--fees (basis points)", most=Decimal(_LARGEST_BPS)) for part in parts]
    return replace(contract, maker_fee_bps=fees[0], taker_fee_bps=fees[-1])


def _own_fees(before: Sequence[Instrument], after: Sequence[Instrument]) -> Iterator[str]:
    """What was asked for instead of an instrument's own fees: no limit, but a departure all the same."""
    for own, ours in zip(before, after, strict=True):
        if _fees(own) != _fees(ours):
            yield f"{ours.key}: fees {_fees(ours)} as asked for, instead of the instrument's own {_fees(own)}"


def _fees(item: Instrument) -> str:
    each = f" and {item.commission} a unit" if item.commission else ""
    return f"{item.maker_fee_bps} bps maker, {item.taker_fee_bps} bps taker{each}"


def _check_start(ask: Ask, start_ns: int | None, columns: Mapping[str, Columns]) -> None:
    last_ns = max(int(bars.close_ns[-1]) for bars in columns.values())
    if start_ns is not None and start_ns >= last_ns:
        raise UsageError(
            f"--from {ask.since}: the data ends at {iso_of(last_ns)}; give an earlier start, or data that "
            "goes on longer"
        )


def _on_terms(bars: Columns, contract: Instrument) -> Columns:
    return Columns(contract, bars.span_ns, bars.ts, bars.open, bars.high, bars.low, bars.close, bars.volume)


def _dna_for(
    strategy: str, contracts: tuple[Instrument, ...], values: dict[str, Value], *, long_only: bool
) -> Dna:
    asked = values.get("max_hold_time_minutes")
    hold = max(HOLD_MINUTES, int(asked) if isinstance(asked, Decimal) and asked.is_finite() else 0)
    assets = {
        item.asset: AssetDna(item.asset, (strategy,), hold, allow_short=not long_only) for item in contracts
    }
    return Dna(1, 0, assets, {strategy: default_settings(strategy)})


def _gate_span_ns(columns: Mapping[str, Columns]) -> int:
    """The gate's own bars, or the next longer ones that can be made of those there are; then a departure."""
    span_ns = next(iter(columns.values())).span_ns
    return -(-GATE_SPAN_NS // span_ns) * span_ns


def _cut(dna: Dna, contracts: tuple[Instrument, ...]) -> Dna:
    """The DNA for the assets there is data of."""
    there = {item.asset for item in contracts}
    assets = {name: asset for name, asset in dna.assets.items() if name in there}
    if not assets:
        held = ", ".join(sorted(there))
        raise UsageError(f"the DNA trades {', '.join(dna.assets)}, the data holds {held}: nothing to run")
    return replace(dna, assets=assets)


def _account(contracts: tuple[Instrument, ...]) -> Account:
    quotes = sorted({item.quote for item in contracts})
    if len(quotes) > 1:
        raise UsageError(f"the data mixes quote currencies {', '.join(quotes)}; choose with --symbol")
    return Account("backtest", contracts[0].venue, quotes[0])


def _costs(ask: Ask) -> PaperCosts:
    most = Decimal(_LARGEST_MOVE_BPS)
    changes: dict[str, object] = {}
    if ask.spread_bps:
        spread = amount(ask.spread_bps, "--spread (basis points)", most=most)
        changes["spread_fraction"] = spread / BASIS_POINTS
    if ask.slippage_bps:
        changes["slippage_bps"] = amount(ask.slippage_bps, "--slippage (basis points)", most=most)
    if ask.impact_bps:
        changes["impact_bps"] = amount(ask.impact_bps, "--impact (basis points)", most=most)
    if ask.latency_ms is not None:
        if not 0 <= ask.latency_ms <= MOST_LATENCY_MS:
            raise UsageError(f"--latency {ask.latency_ms}: give milliseconds from 0 to {MOST_LATENCY_MS}")
        changes["latency_ms"] = ask.latency_ms
    if ask.participation:
        share = amount(ask.participation, "--participation", above=Decimal(0), most=Decimal(1))
        changes["participation_fraction"] = share
    return msgspec.structs.replace(PaperCosts(), **changes)
