"""What one judgement of the gate costs, every layer reporting: approved and clamped, or refused by several.

Values are medians over rounds, so that one busy moment of the machine does not decide.
"""

from collections.abc import Callable
from decimal import Decimal
from statistics import median
from time import perf_counter_ns

import msgspec

from neuratrade.core.model.account import Account
from neuratrade.core.model.facts import TradingState
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.intent import Direction, OpenIntent, Stop, TakeProfit
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.regime import Regime
from neuratrade.core.risk.gate import judge
from neuratrade.core.risk.limits import DEFAULTS
from neuratrade.core.risk.view import AccountView, GateView

JUDGEMENTS = 500
ROUNDS = 9
TARGET_US = 60.0
NOW_NS = 1_770_000_000 * NS_PER_SECOND

CONTRACT = Instrument(
    asset="BTC/USDT",
    venue="paper",
    kind=InstrumentKind.SPOT,
    base="BTC",
    quote="USDT",
    tick=Decimal("0.01"),
    lot=Decimal("0.00001"),
    min_quantity=Decimal("0.00001"),
    min_notional=Decimal(5),
    maker_fee_bps=Decimal(2),
    taker_fee_bps=Decimal(5),
)
INTENT = OpenIntent(
    intent_id="6f1c2f0e-5f0a-4c55-9a43-0d6a4f1b7c11",
    account_id="main",
    operator_id="operator",
    instrument=CONTRACT.key,
    direction=Direction.LONG,
    trigger_price=Decimal("64213.57"),
    protection=Stop(Decimal("63800.11")),
    take_profits=(
        TakeProfit(Decimal("64900.25"), Decimal("0.5")),
        TakeProfit(Decimal("65400.75"), Decimal("0.5")),
    ),
    confidence=Decimal("0.85"),
    strategy_ref="benchmark",
    created_ns=NOW_NS,
)
EQUITY = Decimal("98213.4471")
VIEW = GateView(
    now_ns=NOW_NS,
    instrument=CONTRACT,
    account=AccountView(
        account=Account("main", "paper", "USDT"),
        state=TradingState.RUNNING,
        state_reason="",
        equity=EQUITY,
        day_start_equity=Decimal("98500.12"),
        session_peak=Decimal("98731.9"),
        peak_24h=Decimal("99120.03"),
        gross_notional=Decimal("6421.357"),
        instrument_notional=Decimal(0),
        open_brackets=1,
        trades_today=2,
        lane_session_losses=1,
        lane_last_loss_ns=NOW_NS - 3_600 * NS_PER_SECOND,
    ),
    already_seen=False,
    blacklisted=False,
    session_open=True,
    warm=True,
    price=Decimal("64220.01"),
    price_age_ns=NS_PER_SECOND,
    spread_fraction=Decimal("0.0001"),
    atr=Decimal("210.337719"),
    volume_24h=Decimal("1873000211.55"),
    min_volume_24h=Decimal(1_000_000),
    regime=Regime.HIGH_VOLATILITY,
    win_rate=Decimal("0.57"),
    win_rate_outcomes=120,
)
REFUSED = msgspec.structs.replace(VIEW, already_seen=True, warm=False, regime=Regime.CRASH)


def _judging(view: GateView, approved: bool) -> Callable[[], None]:
    if judge(INTENT, view, DEFAULTS, None).approved is not approved:
        raise RuntimeError("the benchmark's own proposal is not judged as it says")

    def work() -> None:
        for _ in range(JUDGEMENTS):
            judge(INTENT, view, DEFAULTS, None)

    return work


def microseconds_each(work: Callable[[], None]) -> float:
    """Median over rounds of the time `work` takes for each of its judgements."""
    work()
    rounds = []
    for _ in range(ROUNDS):
        start = perf_counter_ns()
        work()
        rounds.append((perf_counter_ns() - start) / JUDGEMENTS / 1000)
    return round(median(rounds), 4)


def run() -> dict[str, object]:
    """Rows {name, value, unit, target}; target is the most the value may be."""
    measured = (
        ("gate, approved with all layers reporting", _judging(VIEW, approved=True)),
        ("gate, refused with all layers reporting", _judging(REFUSED, approved=False)),
    )
    return {
        "rows": [
            {"name": name, "value": microseconds_each(work), "unit": "us", "target": TARGET_US}
            for name, work in measured
        ]
    }
