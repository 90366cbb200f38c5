"""Putting the engine together from configuration, DNA and data: the same way for a run and for a what-if."""

from dataclasses import dataclass
from decimal import Decimal

import msgspec

from neuratrade.app.config import Config
from neuratrade.app.markets import LIVE, Market, RecordedMarket
from neuratrade.app.trading_day import trading_days
from neuratrade.core.bars.timeframe import timeframe_of
from neuratrade.core.engine.config import EngineConfig
from neuratrade.core.engine.supervision import LIVE_EVERY_NS, PAPER_EVERY_NS
from neuratrade.core.indicators.choice import Library, provider_of
from neuratrade.core.model.account import Account, AccountKind
from neuratrade.core.model.approval import Signer
from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.facts import RunStarted
from neuratrade.core.model.market import NS_PER_MINUTE
from neuratrade.core.model.venue_rules import PAPER_RULES
from neuratrade.core.risk.limits import NAMES, Limits, limits_of
from neuratrade.core.risk.posture import Phase, Posture, Profile
from neuratrade.core.strategies.dna import Dna
from neuratrade.core.strategies.registry import build_strategies
from neuratrade.feeds.catalogue import Catalogue
from neuratrade.feeds.dataset import Dataset
from neuratrade.feeds.layout import SeriesKind
from neuratrade.feeds.replay import ReplayFeed
from neuratrade.hands.strategy_guard import GuardedStrategy, Report, tell_stderr
from neuratrade.hands.trades import TradedMarkets
from neuratrade.venues.paper.costs import PaperCosts

GATE_SPAN_NS = 15 * NS_PER_MINUTE
"""Timeframe of the true range that the gate judges stops by."""


@dataclass(frozen=True, slots=True)
class Setup:
    """Everything that decides how a replay goes. Written into `RunStarted`, and read back from it."""

    account: Account
    operator_id: str
    cash: Decimal
    data: str
    costs: PaperCosts
    dna: Dna
    limits: Limits
    profile: Profile
    boldest: Posture
    phase: Phase
    day_zone: str
    day_begins: str
    indicators: Library = Library.NATIVE

    @classmethod
    def from_config(cls, config: Config, dna: Dna, market: Market) -> "Setup":
        """The setup of a new run."""
        block = config.account
        venue = market.instruments[0].venue
        account = Account(block.account_id, venue, _currency(config, market), AccountKind(block.kind))
        limits = dna.risk.tighten(config.tightened())
        return cls(
            account=account,
            operator_id=config.operator_id,
            cash=block.cash,
            data=market.name,
            costs=config.paper.costs(),
            dna=dna,
            limits=limits,
            profile=Profile(config.risk.profile),
            boldest=Posture(config.risk.boldest),
            phase=Phase(config.risk.phase),
            day_zone=config.day.zone,
            day_begins=config.day.begins,
            indicators=Library(config.indicators),
        )

    @classmethod
    def from_run(cls, started: RunStarted) -> "Setup":
        """The setup of a run that was journaled. Raises UsageError when it was no replay."""
        config = started.config
        if "dna" not in config or config["data"].startswith(LIVE):
            raise UsageError(f"run {started.run_id} was no replay of recorded data: it cannot be repeated")
        return cls(
            account=started.account,
            operator_id=config["operator_id"],
            cash=started.cash,
            data=config["data"],
            costs=msgspec.json.decode(config["costs"], type=PaperCosts),
            dna=msgspec.json.decode(config["dna"], type=Dna),
            limits=limits_of(started.limits),
            profile=Profile(config["profile"]),
            boldest=Posture(config["boldest"]),
            phase=Phase(config["phase"]),
            day_zone=config["day_zone"],
            day_begins=config["day_begins"],
            indicators=Library(config.get("indicators", Library.NATIVE)),
        )

    def as_config(self) -> dict[str, str]:
        """What `RunStarted.config` holds."""
        return {
            "operator_id": self.operator_id,
            "data": self.data,
            "costs": msgspec.json.encode(self.costs).decode(),
            "dna": msgspec.json.encode(self.dna).decode(),
            "dna_sha256": self.dna.sha256,
            "profile": self.profile.value,
            "boldest": self.boldest.value,
            "phase": self.phase.value,
            "day_zone": self.day_zone,
            "day_begins": self.day_begins,
            "indicators": self.indicators.value,
        }

    def limits_text(self) -> dict[str, str]:
        """Every limit by name, as text."""
        return {name: str(getattr(self.limits, name)) for name in NAMES}


def _currency(config: Config, market: Market) -> str:
    """Of the account: what the file says, or what a live market is quoted in."""
    block, quote = config.account, market.instruments[0].quote
    if not market.name.startswith(LIVE):
        return block.currency
    if "currency" in block.model_fields_set and block.currency != quote:
        raise UsageError(
            f"the account is kept in {block.currency}, but {market.name.removeprefix(LIVE)} quotes these "
            f"markets in {quote}; take symbols quoted in {block.currency}, or leave account.currency out of "
            "the file"
        )
    return quote


def engine_config(
    setup: Setup, market: Market, signer: Signer | None, report: Report = tell_stderr
) -> EngineConfig:
    """The engine's fixed parts for the instruments of a market. report: told of strategies that fail.

    Raises UsageError where a timeframe cannot be made of the market's bars.
    """
    strategies = tuple(GuardedStrategy(item, report) for item in build_strategies(setup.dna))
    span_ns = market.span_ns
    for name, wanted in [("the gate", GATE_SPAN_NS), *((item.name, item.span_ns) for item in strategies)]:
        if wanted % span_ns:
            bars, needed = timeframe_of(span_ns), timeframe_of(wanted)
            raise UsageError(f"{name} needs bars of {needed}; those of {setup.data} are {bars}")
    return EngineConfig(
        account_id=setup.account.account_id,
        operator_id=setup.operator_id,
        instruments={item.key: item for item in market.instruments},
        strategies=strategies,
        dna=setup.dna,
        provider=provider_of(setup.indicators, [spec for item in strategies for spec in item.indicators]),
        signer=signer,
        base_span_ns=span_ns,
        gate_span_ns=GATE_SPAN_NS,
        assumed_spread_fraction=setup.costs.spread_fraction,
        reconcile_every_ns=PAPER_EVERY_NS if setup.account.paper else LIVE_EVERY_NS,
        venue_rules={item.venue: PAPER_RULES for item in market.instruments},
        profile=setup.profile,
        boldest=setup.boldest,
        phase=setup.phase,
        days=trading_days(setup.day_zone, setup.day_begins),
    )


def traded_markets(setup: Setup, dataset: Dataset) -> TradedMarkets:
    """What is to be made of the dataset's trades: bars and quotes of instruments that come without them."""
    known: dict[SeriesKind, set[str]] = {kind: set() for kind in SeriesKind}
    for series in dataset.series:
        known[series.kind].add(series.instrument)
    trades = known[SeriesKind.TRADES]
    return TradedMarkets(
        {item.key: item for item in dataset.instruments},
        without_bars=trades - known[SeriesKind.BARS],
        without_quotes=trades - known[SeriesKind.BARS] - known[SeriesKind.QUOTES],
        span_ns=RecordedMarket(dataset).span_ns,
        spread_fraction=setup.costs.spread_fraction,
    )


def open_data(catalogue: Catalogue, name: str) -> Dataset:
    """The dataset to be replayed. Raises UsageError for an unknown one or one that cannot be traded."""
    dataset = catalogue.open(name)
    spans = {series.span_ns for series in dataset.series if series.kind is SeriesKind.BARS}
    if len(spans) > 1:
        raise UsageError(f"dataset {name} mixes bars of several lengths; a run takes one: split the dataset")
    quotes = {item.quote for item in dataset.instruments}
    if len(quotes) > 1:
        raise UsageError(f"dataset {name} mixes quote currencies {', '.join(sorted(quotes))}; take one a run")
    return dataset


def replay_of(dataset: Dataset, start_ns: int | None, speed: float | None) -> ReplayFeed:
    """The feed over a dataset, from `start_ns` (already known) on."""
    return ReplayFeed((dataset,), start_ns=start_ns, speed=speed)
