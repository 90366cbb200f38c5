"""One intent and one view that every layer approves, and the few words to change them.

The intent asks for one unit where each size layer allows more, so that whatever a test changes shows alone.
"""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

import msgspec

from neuratrade.core.model.account import Account
from neuratrade.core.model.approval import LayerReport, Verdict
from neuratrade.core.model.facts import TradingState
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.intent import DefinedRisk, Direction, OpenIntent, Stop, TakeProfit
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.regime import Regime
from neuratrade.core.risk.case import Case, lay_out
from neuratrade.core.risk.gate import Judgement, judge
from neuratrade.core.risk.limits import DEFAULTS, Limits
from neuratrade.core.risk.view import AccountView, GateView

Changes = Mapping[str, object]

NOTHING: Changes = MappingProxyType({})

NOW_NS = 1_770_000_000 * NS_PER_SECOND
LOT = Decimal("0.001")

SPOT = Instrument(
    asset="SOL/USD",
    venue="paper",
    kind=InstrumentKind.SPOT,
    base="SOL",
    quote="USD",
    tick=Decimal("0.01"),
    lot=LOT,
    min_quantity=LOT,
    min_notional=Decimal(5),
    maker_fee_bps=Decimal(2),
    taker_fee_bps=Decimal(5),
)
FUTURE = Instrument(
    asset="ES",
    venue="paper",
    kind=InstrumentKind.FUTURE,
    base="ES",
    quote="USD",
    tick=Decimal("0.25"),
    lot=Decimal(1),
    min_quantity=Decimal(1),
    min_notional=Decimal(0),
    multiplier=Decimal(50),
    taker_fee_bps=Decimal("0.1"),
    maker_fee_bps=Decimal("0.1"),
    initial_margin=Decimal("0.05"),
)
BINARY = Instrument(
    asset="RAIN-2026",
    venue="paper",
    kind=InstrumentKind.BINARY,
    base="RAIN",
    quote="USD",
    tick=Decimal("0.01"),
    lot=Decimal(1),
    min_quantity=Decimal(1),
    min_notional=Decimal(1),
    price_ceiling=Decimal(1),
)

INTENT = OpenIntent(
    intent_id="6f1c2f0e-5f0a-4c55-9a43-0d6a4f1b7c11",
    account_id="main",
    operator_id="operator",
    instrument=SPOT.key,
    direction=Direction.LONG,
    trigger_price=Decimal(100),
    protection=Stop(Decimal(98)),
    take_profits=(TakeProfit(Decimal(104)),),
    confidence=Decimal("0.9"),
    strategy_ref="rule",
    created_ns=NOW_NS - NS_PER_SECOND,
    quantity=Decimal(1),
)
ACCOUNT = AccountView(
    account=Account("main", "paper", "USD"),
    state=TradingState.RUNNING,
    state_reason="",
    equity=Decimal(10_000),
    day_start_equity=Decimal(10_000),
    session_peak=Decimal(10_000),
    peak_24h=Decimal(10_000),
    gross_notional=Decimal(0),
    instrument_notional=Decimal(0),
    open_brackets=0,
    trades_today=0,
    lane_session_losses=0,
    lane_last_loss_ns=None,
)
VIEW = GateView(
    now_ns=NOW_NS,
    instrument=SPOT,
    account=ACCOUNT,
    already_seen=False,
    blacklisted=False,
    session_open=True,
    warm=True,
    price=Decimal(100),
    price_age_ns=NS_PER_SECOND,
    spread_fraction=Decimal("0.0002"),
    atr=Decimal(1),
    volume_24h=Decimal(100_000_000),
    min_volume_24h=Decimal(1_000_000),
    regime=Regime.TREND,
    win_rate=None,
    win_rate_outcomes=0,
)


def intent_with(**changes: object) -> OpenIntent:
    """The valid intent with these fields changed."""
    return msgspec.structs.replace(INTENT, **changes)


def view_with(**changes: object) -> GateView:
    """The valid view with these fields changed; fields of the account may stand beside those of the view."""
    own = {name: value for name, value in changes.items() if name in VIEW.__struct_fields__}
    of_account = {name: value for name, value in changes.items() if name not in own}
    if of_account:
        own["account"] = msgspec.structs.replace(ACCOUNT, **of_account)
    return msgspec.structs.replace(VIEW, **own)


def limits_with(**changes: object) -> Limits:
    """The default limits with these changed."""
    return msgspec.structs.replace(DEFAULTS, **changes)


def instrument_with(contract: Instrument = SPOT, **changes: object) -> Instrument:
    """A contract with these fields changed."""
    return msgspec.structs.replace(contract, **changes)


def answer(intent: OpenIntent = INTENT, view: GateView = VIEW, limits: Limits = DEFAULTS) -> Judgement:
    """The gate's unsigned answer."""
    return judge(intent, view, limits, None)


def case_of(intent: OpenIntent = INTENT, view: GateView = VIEW, limits: Limits = DEFAULTS) -> Case:
    """The proposal as the layers get it."""
    return lay_out(intent, view, limits)


def report_of(judgement: Judgement, layer: str) -> LayerReport:
    """What one layer said."""
    return next(report for report in judgement.layers if report.name == layer)


def blocking(judgement: Judgement) -> list[str]:
    """The layers that keep it out."""
    return [report.name for report in judgement.refusals]


def clamping(judgement: Judgement) -> list[str]:
    """The layers that made it smaller."""
    return [report.name for report in judgement.layers if report.verdict is Verdict.RESIZE]


def binary_bet(direction: Direction, price: str, **changes: object) -> OpenIntent:
    """A bet on the binary outcome, protected by what it can lose at most."""
    sign = Decimal(direction.sign)
    bet = intent_with(
        instrument=BINARY.key,
        direction=direction,
        trigger_price=Decimal(price),
        protection=DefinedRisk(Decimal(100)),
        take_profits=(TakeProfit(Decimal(price) + sign * Decimal("0.04")),),
        quantity=None,
    )
    return msgspec.structs.replace(bet, **changes)
