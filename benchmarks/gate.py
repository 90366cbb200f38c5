"""What one judgement of the gate costs, every layer reporting: approved and clamped, or refused by several.

Every judgement sees other prices, ages and amounts, as on a desk, so that nothing remembered from the one
before makes it look cheap. Signing is not the gate's own work: the row with a signature stands beside those
without. Values are processor time, medians over rounds: what else the machine does meanwhile decides nothing.
"""

from collections.abc import Callable
from decimal import Decimal
from statistics import median
from time import thread_time_ns

import msgspec

from neuratrade.core.model.account import Account
from neuratrade.core.model.approval import Signer
from neuratrade.core.model.facts import TradingState
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.intent import Direction, OpenIntent, Stop, TakeProfit
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.regime import Regime
from neuratrade.core.risk.gate import LAYER_NAMES, judge
from neuratrade.core.risk.limits import DEFAULTS
from neuratrade.core.risk.view import AccountView, GateView
from neuratrade.store.keys import Ed25519Signer

JUDGEMENTS = 200
ROUNDS = 25
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
ACCOUNT = AccountView(
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
)
VIEW = GateView(
    now_ns=NOW_NS,
    instrument=CONTRACT,
    account=ACCOUNT,
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


def _moments(view: GateView) -> list[GateView]:
    """The view again and again, with other market values and another equity each time."""
    return [
        msgspec.structs.replace(
            view,
            price=Decimal("64220.01") + step / Decimal(100),
            price_age_ns=NS_PER_SECOND + step * 1_234_567,
            atr=Decimal("210.337719") + step / Decimal(10_000),
            volume_24h=Decimal("1873000211.55") + step * 1_711,
            spread_fraction=Decimal("0.0001") + step / Decimal(10**8),
            account=msgspec.structs.replace(ACCOUNT, equity=EQUITY + step / Decimal(1_000)),
        )
        for step in range(JUDGEMENTS)
    ]


def _judging(view: GateView, signer: Signer | None, *, approved: bool) -> Callable[[], None]:
    moments = _moments(view)
    if any(judge(INTENT, moment, DEFAULTS, signer).approved is not approved for moment in moments):
        raise RuntimeError("the benchmark's own proposal is not judged as it says")

    def work() -> None:
        for moment in moments:
            judge(INTENT, moment, DEFAULTS, signer)

    return work


def microseconds_each(work: Callable[[], None]) -> float:
    """Median over rounds of the processor time `work` takes for each of its judgements."""
    work()
    rounds = []
    for _ in range(ROUNDS):
        start = thread_time_ns()
        work()
        rounds.append((thread_time_ns() - start) / JUDGEMENTS / 1000)
    return round(median(rounds), 4)


def run() -> dict[str, object]:
    """Rows {name, value, unit, target}; target is the most the value may be."""
    layers = f"all {len(LAYER_NAMES)} layers reporting"
    measured = (
        (f"gate, approved with {layers}", _judging(VIEW, None, approved=True), TARGET_US),
        (f"gate, refused with {layers}", _judging(REFUSED, None, approved=False), TARGET_US),
        (f"gate, approved and signed with {layers}", _judging(VIEW, Ed25519Signer(), approved=True), None),
    )
    return {
        "rows": [
            {"name": name, "value": microseconds_each(work), "unit": "us", "target": target}
            for name, work, target in measured
        ]
    }
