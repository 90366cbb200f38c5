"""From what was typed to a plan and its bars: the one way in for backtests, searches and promotions.

Whatever cannot be run is refused here, before anything is, with the words that would be right. What a user
did not say takes a default that errs against the strategy, and shows in the report.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
from msgspec.structs import replace

from neuratrade.app.dna import load_dna
from neuratrade.core.indicators.choice import Library
from neuratrade.core.model.account import Account
from neuratrade.core.model.decimals import BASIS_POINTS
from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_HOUR, NS_PER_SECOND
from neuratrade.core.risk.limits import DEFAULTS, Limits, with_limit
from neuratrade.core.strategies.dna import AssetDna, Dna
from neuratrade.core.strategies.registry import default_settings, kind_of
from neuratrade.feeds.catalogue import Catalogue
from neuratrade.research.columns import Columns
from neuratrade.research.data import Gaps, Selection, load_columns
from neuratrade.research.plan import DEFAULT_CASH, BacktestPlan, Carry
from neuratrade.research.space import Value, settings_of
from neuratrade.research.variants import with_values
from neuratrade.venues.paper.costs import PaperCosts

HOLD_MINUTES = 240
"""Longest holding time where neither a DNA nor a parameter says one."""
FUNDING_EVERY_NS = 8 * NS_PER_HOUR
_LARGEST_BPS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a user typed. strategy: a name of the registry, or a DNA file. data: a dataset or a file.

    fees: basis points, `10` or `maker/taker`; empty takes the instrument's own. parameters, limits:
    `NAME=VALUE`. since, until: ISO dates or times; a time without a zone is UTC.
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
    funding_bps: str = ""
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
    """A plan that can be run, and the bars it runs on. strategy: empty where a DNA names several."""

    plan: BacktestPlan
    columns: dict[str, Columns]
    strategy: str
    notes: tuple[str, ...]
    digest: str


def prepare(ask: Ask, catalogue: Catalogue) -> Prepared:
    """Reads and checks everything. Raises UsageError that names what to change."""
    start_ns, end_ns = moment(ask.since, "--from"), moment(ask.until, "--to")
    if start_ns is not None and end_ns is not None and start_ns >= end_ns:
        raise UsageError(f"--from {ask.since} does not lie before --to {ask.until}")
    dna = _dna_file(ask)
    strategy = "" if dna is not None else _known(ask.strategy)
    chosen = Selection(
        timeframe=ask.timeframe,
        until_ns=end_ns,
        symbols=ask.symbols,
        gaps=_gaps(ask.gaps),
        asset=ask.asset,
        venue=ask.venue,
    )
    loaded = load_columns(_source(ask.data), catalogue, chosen)
    contracts = tuple(_with_fees(bars.instrument, ask) for bars in loaded.columns.values())
    columns = {
        item.key: _on_terms(bars, item) for item, bars in zip(contracts, loaded.columns.values(), strict=True)
    }
    values = parse_values(strategy, ask.parameters) if strategy else _none_for(ask)
    plan = BacktestPlan(
        dna=_dna_for(strategy, contracts, values, long_only=ask.long_only)
        if dna is None
        else _cut(dna, contracts),
        account=_account(contracts),
        instruments=contracts,
        cash=amount(ask.cash, "--cash", above=Decimal(0)) if ask.cash else DEFAULT_CASH,
        costs=_costs(ask),
        carry=_carry(ask),
        limits=_limits(ask.limits, DEFAULTS if dna is None else dna.risk.tighten(DEFAULTS)),
        indicators=_library(ask.indicators),
        start_ns=start_ns,
        end_ns=end_ns,
    )
    if strategy and values:
        plan = with_values(plan, strategy, values)
    return Prepared(plan, columns, strategy, loaded.notes, loaded.digest)


def moment(text: str, option: str) -> int | None:
    """A time from text, ns UTC; None for none. Raises UsageError."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{option} {text!r}: write a date such as 2025-03-01 or a time such as 2025-03-01T12:00Z"
        ) from None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return int(at.timestamp()) * NS_PER_SECOND


def amount(text: str, option: str, *, above: Decimal | None = None, most: Decimal | None = None) -> Decimal:
    """A number from text, zero or above. above: it must be more than that; most: the largest allowed."""
    try:
        value = Decimal(text)
    except ArithmeticError:
        raise UsageError(f"{option} {text!r} is not a number") from None
    floor_broken = value <= above if above is not None and value.is_finite() else False
    if not value.is_finite() or value < 0 or floor_broken:
        least = "zero or above" if above is None else f"above {above}"
        raise UsageError(f"{option} {text}: give a number {least}")
    if most is not None and value > most:
        raise UsageError(f"{option} {text}: give at most {most}")
    return value


def parse_values(strategy: str, texts: tuple[str, ...]) -> dict[str, Value]:
    """Settings of a strategy from `NAME=VALUE`, several in one text by commas. Raises UsageError."""
    settings = settings_of(strategy)
    values: dict[str, Value] = {}
    for part in (item.strip() for text in texts for item in text.split(",") if item.strip()):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not value:
            raise UsageError(f"--params {part!r}: write NAME=VALUE, for example {next(iter(settings))}=14")
        if name in values:
            raise UsageError(f"--params names {name} twice; keep one")
        setting = settings.get(name)
        if setting is not None and setting.options:
            values[name] = value
            continue
        try:
            values[name] = Decimal(value)
        except ArithmeticError:
            raise UsageError(f"--params {name}: {value!r} is not a number") from None
    return values


def _none_for(ask: Ask) -> dict[str, Value]:
    if ask.parameters:
        raise UsageError("--params go with a strategy's name; in a DNA file, write them there")
    return {}


def _source(data: str) -> str | Path:
    path = Path(data).expanduser()
    return path if path.exists() else data


def _dna_file(ask: Ask) -> Dna | None:
    path = Path(ask.strategy).expanduser()
    return load_dna(path) if path.suffix in (".yaml", ".yml") else None


def _known(name: str) -> str:
    try:
        return kind_of(name).name
    except ValueError as error:
        raise UsageError(f"{error}; or name a DNA file that ends in .yaml") from None


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
        contract = replace(contract, commission=amount(ask.commission, "--commission (a unit)"))
    if not ask.fees:
        return contract
    maker, _, taker = ask.fees.partition("/")
    most = Decimal(_LARGEST_BPS)
    maker_bps = amount(maker.strip(), "--fees (basis points)", most=most)
    taker_bps = amount(taker.strip(), "--fees (basis points)", most=most) if taker else maker_bps
    return replace(contract, maker_fee_bps=maker_bps, taker_fee_bps=taker_bps)


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
    most = Decimal(_LARGEST_BPS)
    changes: dict[str, object] = {}
    if ask.spread_bps:
        changes["spread_fraction"] = (
            amount(ask.spread_bps, "--spread (basis points)", most=most) / BASIS_POINTS
        )
    if ask.slippage_bps:
        changes["slippage_bps"] = amount(ask.slippage_bps, "--slippage (basis points)", most=most)
    if ask.impact_bps:
        changes["impact_bps"] = amount(ask.impact_bps, "--impact (basis points)", most=most)
    if ask.latency_ms is not None:
        changes["latency_ms"] = ask.latency_ms
    if ask.participation:
        share = amount(ask.participation, "--participation", above=Decimal(0), most=Decimal(1))
        changes["participation_fraction"] = share
    return msgspec.structs.replace(PaperCosts(), **changes)


def _carry(ask: Ask) -> Carry:
    most = Decimal(_LARGEST_BPS)
    funding = ask.funding_bps.removeprefix("-")
    sign = -1 if ask.funding_bps.startswith("-") else 1
    return Carry(
        amount(funding, "--funding (basis points)", most=most) / BASIS_POINTS * sign
        if funding
        else Decimal(0),
        FUNDING_EVERY_NS,
        amount(ask.borrow_pct, "--borrow (percent a year)", most=most) / 100
        if ask.borrow_pct
        else Decimal(0),
    )


def _limits(texts: tuple[str, ...], limits: Limits) -> Limits:
    """Limits of this run: in a backtest ceilings too are parameters, and every departure is printed."""
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--limit {text!r}: write NAME=VALUE, for example confidence=0.9")
        limits = with_limit(limits, name.strip(), value.strip())
    return limits
