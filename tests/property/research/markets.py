"""Random markets, and random plans to trade them by: everything a backtest may meet, from one seed."""

from decimal import Decimal
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from neuratrade.core.model.account import Account, PositionMode
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.intent import EntryType
from neuratrade.core.model.market import NS_PER_HOUR, NS_PER_MINUTE, NS_PER_MS, NS_PER_SECOND
from neuratrade.core.regime import RegimeParams
from neuratrade.core.risk.limits import DEFAULTS, Limits
from neuratrade.core.risk.posture import Posture
from neuratrade.core.strategies.dna import AssetDna, Distance, Dna, ExitDna, StrategyDna, Target
from neuratrade.core.strategies.registry import KINDS, default_settings
from neuratrade.research.columns import Columns
from neuratrade.research.funding import RecordedFunding
from neuratrade.research.plan import BacktestPlan, Carry
from neuratrade.venues.paper.costs import PaperCosts

D = Decimal
Draw = np.random.Generator
KINDS_OF_CONTRACT = (InstrumentKind.PERPETUAL, InstrumentKind.SPOT, InstrumentKind.FUTURE)


class Market(NamedTuple):
    """Bars, and how they are to be traded."""

    plan: BacktestPlan
    columns: dict[str, Columns]


def market(seed: int) -> Market:
    """One to three instruments, some with holes in them, and strategies, limits and costs of every kind."""
    return _market(np.random.default_rng(seed), np.random.default_rng([seed, 1]), only_lent=False)


def lending_market(seed: int) -> Market:
    """The same where most of what is traded is owned, shorts of it are borrowed, and rules are loose."""
    return _market(np.random.default_rng(seed), np.random.default_rng([seed, 2]), only_lent=True)


def _market(draw: Draw, more: Draw, *, only_lent: bool) -> Market:
    count, length = int(draw.integers(1, 4)), int(draw.integers(1500, 4000))
    every = [_columns(draw, f"A{number}/USDT", length) for number in range(count)]
    lends = only_lent or bool(more.random() < 0.6)
    if lends:
        every = [_lent(more, bars, only=only_lent) for bars in every]
    names = tuple(name for name in KINDS if draw.random() < 0.6) or ("rsi_rule",)
    hold = _one(draw, 30, 240)
    shorts = bool(draw.random() < 0.7) or only_lent
    assets = {
        bars.instrument.asset: AssetDna(bars.instrument.asset, names, hold, allow_short=shorts)
        for bars in every
    }
    plan = BacktestPlan(
        dna=Dna(1, 0, assets, {name: _strategy(draw, name) for name in names}),
        account=Account("a", "v", "USDT", mode=_mode(draw, every)),
        instruments=tuple(bars.instrument for bars in every),
        cash=D(_one(draw, 1000, 100_000)),
        costs=replace(_costs(draw), lends=lends),
        carry=_carry(draw, more, every, borrowed=only_lent),
        limits=_limits(draw) if not only_lent else _bold(_limits(draw)),
        regime=RegimeParams(window=100, crash_bars=30),
        gate_span_ns=5 * NS_PER_MINUTE,
        assumed_volume_24h=D(10**9) if draw.random() < 0.8 else None,
        boldest=Posture.AGGRESSIVE if draw.random() < 0.2 else Posture.BALANCED,
        start_ns=int(every[0].ts[int(draw.integers(0, 700))]) if draw.random() < 0.5 else None,
    )
    return Market(plan, {bars.instrument.key: bars for bars in every})


def _one(draw: Draw, *choices: int) -> int:
    return choices[int(draw.integers(0, len(choices)))]


def _text(draw: Draw, *choices: str) -> Decimal:
    return D(choices[int(draw.integers(0, len(choices)))])


def _columns(draw: Draw, asset: str, length: int) -> Columns:
    scale = float(_text(draw, "0.0005", "0.0012", "0.003"))
    moves = draw.normal(0, scale, length) * np.exp(draw.normal(0, 0.5, length))
    close = np.round(100 * np.exp(np.cumsum(moves)), 2)
    opened = np.round(np.concatenate(([100.0], close[:-1])) * (1 + draw.normal(0, 0.0002, length)), 2)
    over, under = (np.abs(draw.normal(0, scale / 2, length)) for _ in range(2))
    high = np.maximum(np.round(np.maximum(opened, close) * (1 + over), 2), np.maximum(opened, close))
    low = np.minimum(np.round(np.minimum(opened, close) * (1 - under), 2), np.minimum(opened, close))
    volume = np.round(np.exp(draw.normal(5, 1, length)), 3)
    first_ns = (1_699_920_000 + int(draw.integers(0, 1440)) * 60) * NS_PER_SECOND
    ts = first_ns + np.arange(length, dtype=np.int64) * NS_PER_MINUTE
    prices = (np.asarray(column, dtype=np.float64) for column in (opened, high, low, close, volume))
    whole = Columns(_contract(draw, asset), NS_PER_MINUTE, ts, *prices)
    return _with_holes(draw, whole) if draw.random() < 0.6 else whole


def _with_holes(draw: Draw, bars: Columns) -> Columns:
    kept = draw.random(len(bars)) > 0.002
    for _ in range(int(draw.integers(0, 6))):
        first = int(draw.integers(0, len(bars)))
        kept[first : first + int(draw.integers(1, 200))] = False
    kept[0] = True
    prices = (column[kept] for column in (bars.open, bars.high, bars.low, bars.close, bars.volume))
    return Columns(bars.instrument, bars.span_ns, bars.ts[kept], *prices)


def _contract(draw: Draw, asset: str) -> Instrument:
    kind = KINDS_OF_CONTRACT[int(draw.integers(0, 3))]
    spot, future = kind is InstrumentKind.SPOT, kind is InstrumentKind.FUTURE
    return Instrument(
        asset=asset,
        venue="v",
        kind=kind,
        base=asset.partition("/")[0],
        quote="USDT",
        tick=D("0.01"),
        lot=D("0.001"),
        min_quantity=D("0.001"),
        min_notional=D(5),
        multiplier=D(5) if future else D(1),
        maker_fee_bps=D(2),
        taker_fee_bps=D(5),
        fee_in_base=spot and bool(draw.random() < 0.5),
        initial_margin=D("0.1") if future else D(1),
        maintenance_margin=D("0.01") if not spot and draw.random() < 0.5 else None,
    )


def _mode(draw: Draw, every: list[Columns]) -> PositionMode:
    hedges = draw.random() < 0.2 and all(bars.instrument.is_derivative for bars in every)
    return PositionMode.HEDGE if hedges else PositionMode.NET


def _strategy(draw: Draw, name: str) -> StrategyDna:
    defaults = default_settings(name)
    trail = D("0.003") if draw.random() < 0.4 else None
    exits = replace(defaults.exit, trailing_pct=trail)
    if draw.random() < 0.5:
        ladder = (Target(Distance(pct=D("0.002")), D("0.5")), Target(Distance(pct=D("0.006")), D("0.5")))
        single = (Target(Distance(pct=_text(draw, "0.002", "0.005", "0.01"))),)
        stop = Distance(pct=_text(draw, "0.002", "0.005", "0.01"))
        exits = ExitDna(stop, ladder if draw.random() < 0.4 else single, trailing_pct=trail)
    return replace(
        defaults,
        timeframe_minutes=_one(draw, 1, 5, 15),
        order_type=(EntryType.MARKET, EntryType.LIMIT, EntryType.STOP)[_one(draw, 0, 1, 2)],
        exit=exits,
        max_hold_time_minutes=_one(draw, 10, 60, 240),
        entry_expiry_minutes=_one(draw, 5, 30) if draw.random() < 0.7 else None,
        while_flat=bool(draw.random() < 0.5),
        confidence_floor=D("0.75") if draw.random() < 0.7 else defaults.confidence_floor,
    )


def _lent(draw: Draw, bars: Columns, *, only: bool) -> Columns:
    """The same bars; where what is traded is owned, on terms it is lent on. only: most is."""
    contract = bars.instrument
    if only and draw.random() < 0.8:
        contract = replace(contract, kind=InstrumentKind.SPOT, multiplier=D(1))
    if contract.is_derivative:
        return bars
    initial = _text(draw, "0.3", "0.5", "1")
    kept = initial - D("0.01") if draw.random() < 0.6 else None
    terms = replace(contract, initial_margin=initial, maintenance_margin=kept)
    return Columns(terms, *(getattr(bars, name) for name in Columns.__slots__ if name != "instrument"))


def _carry(draw: Draw, more: Draw, every: list[Columns], *, borrowed: bool) -> Carry:
    """No costs of holding, a constant rate, recorded rates of some instruments, or both."""
    plain = Carry(D("0.0001"), NS_PER_HOUR, D("0.05")) if draw.random() < 0.5 or borrowed else Carry()
    chosen = [bars for bars in every if more.random() < 0.5]
    return replace(plain, recorded=tuple(_recorded(more, bars) for bars in chosen))


def _recorded(draw: Draw, bars: Columns) -> RecordedFunding:
    """Rates of either sign, some minutes to some hours apart, most of them milliseconds late, with holes."""
    every_ns = _one(draw, 7, 60, 480) * NS_PER_MINUTE
    first_ns = int(bars.ts[0]) // every_ns * every_ns
    due = np.arange(first_ns, int(bars.close_ns[-1]) + every_ns, every_ns, dtype=np.int64)
    due = due[draw.random(len(due)) > 0.1]
    late = np.where(draw.random(len(due)) < 0.7, draw.integers(1, 20, len(due)) * NS_PER_MS, 0)
    rates = tuple(D(str(round(rate, 6))) for rate in draw.normal(0.0, 0.0005, len(due)).tolist())
    return RecordedFunding(bars.instrument.key, "drawn", tuple((due + late).tolist()), rates)


def _limits(draw: Draw) -> Limits:
    limits = replace(
        DEFAULTS,
        stop_min_atr=D(0),
        stop_max_atr=D(1000),
        cost_multiple=D(0),
        volume_24h_share_fraction=D(1000),
        lane_cooldown_ns=0,
        trades_per_day=1000,
        scalp_trades_per_day=1000,
    )
    if draw.random() < 0.7:
        limits = replace(limits, kill_losses=10**6, session_losses=10**6)
    chance = draw.random()
    if chance < 0.4:
        limits = _falls(limits, "0.05", "0.08", "0.06")
    elif chance < 0.7:
        limits = _falls(limits, "0.004", "0.0015", "0.003")
    return _bold(limits) if draw.random() < 0.3 else limits


def _bold(limits: Limits) -> Limits:
    """Sizes that lean on the venue's own rules, and losses that stop nobody."""
    return _falls(
        replace(
            limits,
            order_usd=D(10**9),
            total_usd=D(10**9),
            position_fraction=D(2),
            leverage=D(10),
            risk_per_trade_fraction=D("0.1"),
            uncalibrated_risk_fraction=D("0.05"),
            atr_risk_fraction=D("0.2"),
        ),
        *("0.9", "0.9", "0.9"),
    )


def _falls(limits: Limits, session: str, deep: str, day: str) -> Limits:
    return replace(
        limits,
        session_drawdown_fraction=D(session),
        drawdown_24h_fraction=D(deep),
        daily_loss_fraction=D(day),
    )


def _costs(draw: Draw) -> PaperCosts:
    return PaperCosts(
        latency_ms=_one(draw, 0, 50, 400),
        slippage_bps=D(_one(draw, 0, 1, 2)),
        participation_fraction=_text(draw, "0.001", "0.1", "1"),
        reject_fraction=D("0.1") if draw.random() < 0.2 else D(0),
    )
