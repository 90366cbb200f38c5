"""Whatever is proposed: the gate answers, tightening never admits more, no size breaks a cap."""

from collections.abc import Iterable
from decimal import Decimal
from functools import cache
from typing import TypeVar

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from neuratrade.core.model.account import Account, AccountKind
from neuratrade.core.model.approval import Verdict
from neuratrade.core.model.decimals import is_multiple
from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.facts import TradingState
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.intent import (
    DefinedRisk,
    Direction,
    EntryType,
    Hedged,
    Lane,
    OpenIntent,
    Stop,
    TakeProfit,
)
from neuratrade.core.model.regime import Regime
from neuratrade.core.risk.case import lay_out
from neuratrade.core.risk.gate import LAYER_NAMES, Judgement, judge
from neuratrade.core.risk.limits import (
    CEILING_NAMES,
    CEILINGS,
    DEFAULTS,
    NAMES,
    TIGHTER_WHEN_HIGHER,
    Limits,
    operator_limit,
)
from neuratrade.core.risk.posture import Phase, Posture, Profile
from neuratrade.core.risk.view import AccountView, GateView
from tests.unit.risk.builders import BINARY, FUTURE, INTENT, NOW_NS, SPOT, VIEW

T = TypeVar("T")
SMALL = Decimal("1e-12")
LARGE = Decimal("1e12")
TIGHTER_WHEN_LARGER = {
    "confidence",
    "stop_min_atr",
    "cost_multiple",
    "kelly_min_outcomes",
    "lane_cooldown_ns",
}
"""Every other limit is tighter the smaller it is."""

wild = st.one_of(
    st.sampled_from([Decimal(0), SMALL, LARGE, -SMALL, -LARGE, Decimal(1), Decimal("0.5"), Decimal("1E+12")]),
    st.decimals(min_value=-LARGE, max_value=LARGE, places=12, allow_nan=False, allow_infinity=False),
)
above_zero = st.one_of(
    st.sampled_from([SMALL, LARGE, Decimal(1), Decimal("0.01")]),
    st.decimals(min_value=SMALL, max_value=LARGE, places=12, allow_nan=False, allow_infinity=False),
)
spans = st.one_of(st.sampled_from([0, 1, -1]), st.integers(min_value=-(10**19), max_value=10**19))


@cache
def maybe(values: st.SearchStrategy[Decimal]) -> st.SearchStrategy[Decimal | None]:
    return st.one_of(st.none(), values)


@st.composite
def wild_instruments(draw: st.DrawFn) -> Instrument:
    base = draw(st.sampled_from([SPOT, FUTURE, BINARY]))
    return msgspec.structs.replace(
        base,
        kind=draw(st.sampled_from(InstrumentKind)),
        tick=draw(above_zero),
        lot=draw(above_zero),
        min_quantity=draw(wild),
        min_notional=draw(wild),
        multiplier=draw(st.one_of(st.just(Decimal(50)), wild)),
        maker_fee_bps=draw(wild),
        taker_fee_bps=draw(wild),
        initial_margin=draw(wild),
        price_ceiling=draw(maybe(wild)),
    )


@st.composite
def wild_intents(draw: st.DrawFn) -> OpenIntent:
    protection = draw(
        st.one_of(
            st.builds(Stop, wild, maybe(wild)),
            st.builds(DefinedRisk, wild),
            st.builds(Hedged, st.just("leg"), st.just("plan"), wild),
        )
    )
    return msgspec.structs.replace(
        INTENT,
        direction=draw(st.sampled_from(Direction)),
        trigger_price=draw(wild),
        protection=protection,
        take_profits=tuple(draw(st.lists(st.builds(TakeProfit, wild, wild), max_size=3))),
        confidence=draw(wild),
        created_ns=draw(spans),
        ttl_ns=draw(spans),
        order_type=draw(st.sampled_from(EntryType)),
        lane=draw(st.sampled_from(Lane)),
        quantity=draw(maybe(wild)),
        entry_expiry_ns=draw(st.one_of(st.none(), spans)),
        max_hold_ns=draw(st.one_of(st.none(), spans)),
    )


@st.composite
def wild_views(draw: st.DrawFn) -> GateView:
    account = AccountView(
        account=Account("main", "paper", "USD", draw(st.sampled_from(AccountKind))),
        state=draw(st.sampled_from(TradingState)),
        state_reason="held back",
        equity=draw(maybe(wild)),
        day_start_equity=draw(wild),
        session_peak=draw(wild),
        peak_24h=draw(wild),
        gross_notional=draw(wild),
        instrument_notional=draw(wild),
        open_brackets=draw(st.integers(-1, 10**9)),
        trades_today=draw(st.integers(-1, 10**9)),
        lane_session_losses=draw(st.integers(-1, 10**9)),
        lane_last_loss_ns=draw(st.one_of(st.none(), spans)),
        profile=draw(st.sampled_from(Profile)),
        posture=draw(st.sampled_from(Posture)),
        phase=draw(st.sampled_from(Phase)),
        unknown_orders=draw(st.integers(-1, 3)),
    )
    return GateView(
        now_ns=draw(spans),
        instrument=draw(st.one_of(st.none(), wild_instruments())),
        account=draw(st.one_of(st.none(), st.just(account))),
        already_seen=draw(st.booleans()),
        blacklisted=draw(st.booleans()),
        session_open=draw(st.booleans()),
        warm=draw(st.booleans()),
        price=draw(maybe(wild)),
        price_age_ns=draw(st.one_of(st.none(), spans)),
        spread_fraction=draw(maybe(wild)),
        atr=draw(maybe(wild)),
        volume_24h=draw(maybe(wild)),
        min_volume_24h=draw(wild),
        regime=draw(st.sampled_from(Regime)),
        win_rate=draw(maybe(wild)),
        win_rate_outcomes=draw(st.integers(-1, 10**9)),
        size_factor=draw(wild),
        conversion=draw(maybe(wild)),
        conversion_age_ns=draw(st.one_of(st.none(), spans)),
        maintenance_margin=draw(maybe(wild)),
        liquidation_price=draw(maybe(wild)),
    )


@st.composite
def near_limits(draw: st.DrawFn) -> Limits:
    """Limits of any size that can be written, the ones of zero among them."""
    value = st.one_of(
        st.sampled_from([Decimal(0), Decimal("1e-18"), Decimal("1e18")]),
        st.decimals(min_value=0, max_value=10**6, places=6),
    )
    names = draw(st.lists(st.sampled_from(NAMES), max_size=6, unique=True))
    changed: dict[str, object] = {}
    for name in names:
        number = draw(value)
        changed[name] = int(number) if isinstance(getattr(DEFAULTS, name), int) else number
    return msgspec.structs.replace(DEFAULTS, **changed)


@cache
def two_places(low: str, high: str) -> st.SearchStrategy[Decimal]:
    return st.decimals(min_value=Decimal(low), max_value=Decimal(high), places=2)


@cache
def mostly(usual: tuple[str, str], rare: tuple[str, str]) -> st.SearchStrategy[Decimal]:
    """Nearly always from the usual range: with so many layers, else nothing would ever be approved."""
    return st.integers(0, 29).flatmap(lambda roll: two_places(*(rare if roll == 0 else usual)))


def usually(value: T, others: Iterable[T]) -> st.SearchStrategy[T]:
    """This value, but now and then one of the others."""
    rare = st.sampled_from(list(others))
    return st.integers(0, 29).flatmap(lambda roll: rare if roll == 0 else st.just(value))


@st.composite
def plausible(draw: st.DrawFn) -> tuple[OpenIntent, GateView]:
    """Proposals that are often approved, else refused by a hair, on every kind of instrument."""
    contract, price = draw(
        st.sampled_from([(SPOT, Decimal(100)), (FUTURE, Decimal(5_000)), (BINARY, Decimal("0.4"))])
    )
    direction = draw(st.sampled_from(Direction))
    sign = direction.sign
    trigger = price * (1 + draw(mostly(("-0.5", "0.5"), ("-6", "6"))) / 100)
    stop = trigger * (1 - sign * draw(mostly(("1", "4"), ("0.1", "6"))) / 100)
    target = trigger * (1 + sign * draw(mostly(("3", "9"), ("0.05", "1"))) / 100)
    bets = contract is BINARY and draw(st.booleans())
    intent = msgspec.structs.replace(
        INTENT,
        instrument=contract.key,
        direction=direction,
        trigger_price=trigger,
        protection=DefinedRisk(Decimal(10)) if bets else Stop(stop),
        take_profits=draw(
            st.sampled_from([(), (TakeProfit(target, Decimal("0.5")),), (TakeProfit(target),)])
        ),
        confidence=draw(mostly(("0.75", "1"), ("0.7", "0.8"))),
        order_type=draw(st.sampled_from(EntryType)),
        lane=draw(st.sampled_from([Lane.SCALP, Lane.TACTICAL])),
        quantity=draw(st.one_of(st.none(), two_places("1", "5000"))),
        created_ns=NOW_NS - int(draw(mostly(("0", "15"), ("-3", "17"))) * 10**9),
    )
    equity = draw(two_places("100000", "50000000"))
    assert VIEW.account is not None
    account = msgspec.structs.replace(
        VIEW.account,
        equity=equity,
        session_peak=equity * (1 + draw(mostly(("0", "1"), ("0", "2"))) / 100),
        peak_24h=equity * (1 + draw(mostly(("0", "4"), ("0", "6"))) / 100),
        day_start_equity=equity * (1 + draw(mostly(("-1", "2"), ("0", "3"))) / 100),
        gross_notional=equity * draw(mostly(("0", "0.1"), ("0", "2.1"))),
        instrument_notional=equity * draw(mostly(("0", "0.05"), ("0", "0.12"))),
        open_brackets=int(draw(mostly(("0", "2"), ("0", "4")))),
        trades_today=int(draw(mostly(("0", "4"), ("0", "60")))),
        lane_session_losses=int(draw(mostly(("0", "1"), ("0", "3")))),
        lane_last_loss_ns=draw(st.sampled_from([None, NOW_NS - 400 * 10**9, NOW_NS - 290 * 10**9])),
        profile=draw(usually(Profile.MEDIUM, Profile)),
        posture=draw(usually(Posture.BALANCED, Posture)),
        phase=draw(usually(Phase.MATURE, Phase)),
        unknown_orders=draw(usually(0, (0, 1))),
    )
    view = msgspec.structs.replace(
        VIEW,
        instrument=contract,
        account=account,
        price=price,
        price_age_ns=int(draw(mostly(("0", "60"), ("60", "100"))) * 10**9),
        spread_fraction=draw(mostly(("0", "0.1"), ("0", "0.25"))) / 100,
        atr=price * draw(mostly(("1", "2"), ("0.1", "9"))) / 100,
        volume_24h=draw(mostly(("100000000", "9999999999"), ("900000", "9999999"))),
        regime=draw(st.sampled_from([Regime.TREND, Regime.RANGE, Regime.HIGH_VOLATILITY])),
        win_rate=draw(st.one_of(st.none(), two_places("0", "1"))),
        win_rate_outcomes=draw(st.integers(0, 60)),
        size_factor=draw(st.sampled_from([Decimal(1), Decimal("0.5"), Decimal(3)])),
        conversion=draw(usually(Decimal(1), (Decimal("0.0064"), Decimal("1.08"), Decimal(3)))),
        conversion_age_ns=draw(usually(0, (899 * 10**9, 901 * 10**9))),
        maintenance_margin=draw(st.sampled_from([None, Decimal("0.005")])),
        liquidation_price=draw(usually(None, (trigger * (1 - sign * Decimal("0.02")), price))),
    )
    return intent, view


AMOUNTS = {"order_usd": Decimal(2_500_000), "total_usd": Decimal(100_000_000)}
"""Amounts in which a contract of a quarter of a million fits."""


@st.composite
def plausible_limits(draw: st.DrawFn) -> Limits:
    """Limits scattered around the defaults, looser ones too, so that each of them comes to bind."""
    changed: dict[str, object] = dict(AMOUNTS)
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=5, unique=True)):
        value = getattr(DEFAULTS, name)
        factor = draw(st.sampled_from([Decimal("0.2"), Decimal("0.5"), Decimal(2), Decimal(4), Decimal(50)]))
        changed[name] = int(value * factor) if isinstance(value, int) else value * factor
    return msgspec.structs.replace(DEFAULTS, **changed)


@st.composite
def tightenings(draw: st.DrawFn, limits: Limits) -> tuple[str, Limits]:
    name = draw(st.sampled_from(NAMES))
    value = getattr(limits, name)
    factor = draw(st.sampled_from(["0", "0.1", "0.5", "0.9", "0.99"]))
    if name in TIGHTER_WHEN_LARGER:
        tighter = value * (1 + Decimal(factor)) + (0 if factor == "0" else 1)
    else:
        tighter = value * Decimal(factor)
    return name, msgspec.structs.replace(
        limits, **{name: int(tighter) if isinstance(value, int) else tighter}
    )


def check_shape(judgement: Judgement, intent: OpenIntent, view: GateView) -> None:
    assert tuple(report.name for report in judgement.layers) == LAYER_NAMES
    assert judgement.approved == (not judgement.refusals)
    for report in judgement.layers:
        assert report.observed
        assert report.reason or not report.verdict.blocks
        assert report.quantity is None or (report.quantity.is_finite() and report.quantity >= 0)
    if not judgement.approved:
        assert judgement.quantity == 0
        assert judgement.envelope is None
        return
    assert view.instrument is not None
    assert judgement.envelope is not None
    assert judgement.envelope.max_quantity == judgement.quantity > 0
    assert judgement.envelope.expires_ns >= judgement.envelope.issued_ns
    assert is_multiple(judgement.quantity, view.instrument.lot)
    assert intent.quantity is None or judgement.quantity <= intent.quantity
    for report in judgement.layers:
        assert report.quantity is None or judgement.quantity <= report.quantity


@settings(max_examples=400)
@given(wild_intents(), wild_views(), near_limits())
def test_the_gate_answers_whatever_is_proposed(intent: OpenIntent, view: GateView, limits: Limits) -> None:
    check_shape(judge(intent, view, limits, None), intent, view)


def test_tightening_a_limit_never_admits_a_larger_size() -> None:
    """It would say nothing if all its examples were refused for the same reason: many layers have to."""
    seen: dict[str, int] = {"approved": 0}

    @settings(max_examples=600, database=None)
    @given(plausible(), plausible_limits(), st.data())
    def tighten(proposal: tuple[OpenIntent, GateView], limits: Limits, data: st.DataObject) -> None:
        intent, view = proposal
        before = judge(intent, view, limits, None)
        check_shape(before, intent, view)
        name, tighter = data.draw(tightenings(limits))
        after = judge(intent, view, tighter, None)
        assert after.quantity <= before.quantity, name
        assert before.approved or not after.approved, name
        seen["approved"] += before.approved
        for report in before.layers:
            if report.verdict in (Verdict.REFUSE, Verdict.RESIZE):
                seen[report.name] = seen.get(report.name, 0) + 1

    tighten()
    assert seen["approved"] >= 40, seen
    assert len(seen) >= 22, seen


def test_every_reader_of_the_limits_knows_which_way_each_is_tighter() -> None:
    assert TIGHTER_WHEN_HIGHER == TIGHTER_WHEN_LARGER


NO_EDGE = msgspec.structs.replace(VIEW, win_rate=Decimal("0.2"), win_rate_outcomes=30)


@example((INTENT, NO_EDGE), "kelly_min_outcomes")
@settings(max_examples=60)
@given(plausible(), st.sampled_from(NAMES))
def test_no_single_limit_is_monotone_the_wrong_way(proposal: tuple[OpenIntent, GateView], name: str) -> None:
    """Walks one limit from loose to tight: the size may only fall."""
    intent, view = proposal
    base = msgspec.structs.replace(DEFAULTS, **AMOUNTS)
    value = getattr(base, name)
    factors = [Decimal(text) for text in ("8", "4", "2", "1", "0.7", "0.5", "0.25", "0.1", "0.01", "0")]
    if name in TIGHTER_WHEN_LARGER:
        factors.reverse()
    sizes = []
    for factor in factors:
        number = int(value * factor) if isinstance(value, int) else value * factor
        sizes.append(judge(intent, view, msgspec.structs.replace(base, **{name: number}), None).quantity)
    assert sizes == sorted(sizes, reverse=True)


@settings(max_examples=400)
@given(plausible())
def test_no_size_risks_or_weighs_more_than_the_ceilings_allow(proposal: tuple[OpenIntent, GateView]) -> None:
    intent, view = proposal
    limits = msgspec.structs.replace(DEFAULTS, **AMOUNTS)
    judgement = judge(intent, view, limits, None)
    check_shape(judgement, intent, view)
    if not judgement.approved:
        return
    contract, account = view.instrument, view.account
    assert contract is not None
    assert account is not None
    assert account.equity is not None
    assert view.price is not None
    size, equity, slack = judgement.quantity, account.equity, 1 + Decimal("1e-20")
    case = lay_out(intent, view, limits)
    risk, worth, rate = case.unit_risk, case.unit_notional, view.conversion
    assert rate is not None
    assert risk is not None
    assert size * risk * rate <= equity * Decimal("0.02") * slack
    # Reckoned anew, from where the entry really fills.
    fills_at = intent.trigger_price
    if intent.order_type is not EntryType.LIMIT:
        fills_at = case.entry
        assert (fills_at - view.price) * intent.direction.sign >= 0
    if intent.stop_price is not None:
        lost = abs(fills_at - intent.stop_price) * contract.multiplier * size * rate
        assert lost <= equity * Decimal("0.02")
        assert abs(fills_at - intent.stop_price) <= fills_at * Decimal("0.05")
    notional = contract.notional(size, fills_at) * rate
    assert worth is not None
    assert worth * rate * size >= notional
    margin = contract.initial_margin if contract.kind is InstrumentKind.FUTURE else Decimal(1)
    assert (account.instrument_notional + notional) * margin <= equity * Decimal("0.10") * slack
    assert account.gross_notional + notional <= equity * 2 * slack
    assert account.gross_notional + notional <= limits.total_usd * slack
    assert notional <= limits.order_usd * slack


@settings(max_examples=300)
@given(st.sampled_from(CEILING_NAMES), st.text(max_size=12) | above_zero.map(str))
def test_no_word_of_an_operator_loosens_a_ceiling(name: str, value: str) -> None:
    try:
        changed = operator_limit(DEFAULTS, name, value)
    except UsageError:
        return
    for ceiling in CEILING_NAMES:
        assert getattr(changed, ceiling) <= getattr(CEILINGS, ceiling)
