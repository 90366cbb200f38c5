"""Each layer has a case in which it alone keeps a proposal out, or alone makes it smaller."""

from decimal import Decimal
from typing import NamedTuple

import msgspec
import pytest

from neuratrade.core.model.account import Account, AccountKind
from neuratrade.core.model.approval import Verdict
from neuratrade.core.model.facts import TradingState
from neuratrade.core.model.intent import DefinedRisk, Direction, EntryType, Hedged, Lane, Stop, TakeProfit
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_SECOND
from neuratrade.core.model.regime import Regime
from neuratrade.core.risk.gate import LAYER_NAMES
from neuratrade.core.risk.posture import Phase, Posture, Profile
from tests.unit.risk.builders import (
    ACCOUNT,
    BINARY,
    INTENT,
    LOT,
    NOTHING,
    NOW_NS,
    Changes,
    answer,
    blocking,
    clamping,
    instrument_with,
    intent_with,
    limits_with,
    report_of,
    view_with,
)


class Case(NamedTuple):
    """What to change of the valid intent, view and limits, and what the layer then says."""

    layer: str
    reason: str
    intent: Changes = NOTHING
    view: Changes = NOTHING
    limits: Changes = NOTHING


class SizeCase(NamedTuple):
    """What to change, and the quantity the layer leaves of the one unit asked for."""

    layer: str
    left: str
    intent: Changes = NOTHING
    view: Changes = NOTHING
    limits: Changes = NOTHING


def of_intent(layer: str, reason: str, **changes: object) -> Case:
    return Case(layer, reason, intent=changes)


def of_view(layer: str, reason: str, **changes: object) -> Case:
    return Case(layer, reason, view=changes)


READ_ONLY = msgspec.structs.replace(ACCOUNT, account=Account("main", "paper", "USD", AccountKind.READ_ONLY))
TARGET = TakeProfit(Decimal(104))
LIQUIDATED_AT_99 = {"maintenance_margin": Decimal("0.005"), "liquidation_price": Decimal(99)}
CHEAP_OUTCOME = instrument_with(BINARY, price_ceiling=Decimal(101), lot=LOT, min_quantity=LOT)
LOSS_NS = NOW_NS - 5 * NS_PER_MINUTE + 1

REFUSING = (
    of_intent("ttl", "older than its time to live", created_ns=NOW_NS - 15 * NS_PER_SECOND - 1),
    of_intent("ttl", "dated in the future", created_ns=NOW_NS + 2 * NS_PER_SECOND + 1),
    of_intent("ttl", "its entry would end before it begins", entry_expiry_ns=-1),
    of_view("duplicate", "this intent id was judged before", already_seen=True),
    of_view("instrument", "price outside the contract's bounds", instrument=instrument_with(price_floor=98)),
    of_view(
        "instrument", "price outside the contract's bounds", instrument=instrument_with(price_ceiling=104)
    ),
    of_view("session", "the market's session is closed", session_open=False),
    of_view(
        "session",
        "the contract has to be flat before its entry would end",
        instrument=instrument_with(flat_by_ns=NOW_NS + 15 * NS_PER_SECOND),
    ),
    of_view("blacklist", "the operator excluded this asset", blacklisted=True),
    of_view("account", "the account is read-only by type", account=READ_ONLY),
    of_view(
        "trading_state", "a governor's words", state=TradingState.REDUCING, state_reason="a governor's words"
    ),
    of_view("trading_state", "a person's words", state=TradingState.HALTED, state_reason="a person's words"),
    of_view("warm_up", "indicators are not warm yet", warm=False),
    of_view("stale_data", "the last price is too old", price_age_ns=90 * NS_PER_SECOND + 1),
    of_view("conversion", "the conversion rate is too old", conversion_age_ns=15 * NS_PER_MINUTE + 1),
    of_view("conversion", "the conversion rate is not known", conversion_age_ns=None),
    of_view("unknown_orders", "an order in this instrument is in doubt", unknown_orders=1),
    of_view(
        "opposite",
        "the venue nets it against a position the other way, and neither could be left then",
        opposed=True,
    ),
    of_intent("confidence", "confidence is too low", confidence=Decimal("0.7499")),
    of_intent("protection", "the stop is on the wrong side of the entry", protection=Stop(Decimal(102))),
    of_intent(
        "protection",
        "a target is on the wrong side of the entry",
        take_profits=(TARGET, TakeProfit(Decimal(99))),
    ),
    of_intent("protection", "the targets share out more than there is", take_profits=(TARGET, TARGET)),
    of_intent(
        "protection",
        "the targets share out more than there is",
        take_profits=(TARGET, TakeProfit(Decimal(105), Decimal(0))),
    ),
    Case(
        "protection",
        "the stop is on the wrong side of the entry",
        {"protection": Stop(Decimal(100)), "trigger_price": Decimal(100)},
        {"price": Decimal(101), "atr": Decimal(1)},
        {"stop_min_atr": Decimal(0)},
    ),
    of_intent(
        "protection",
        "a target is on the wrong side of the entry",
        take_profits=(TARGET, TakeProfit(Decimal(100), Decimal("0.1"))),
    ),
    of_intent(
        "protection",
        "the targets share out more than there is",
        take_profits=(TARGET, TakeProfit(Decimal(105), Decimal("-0.1"))),
    ),
    of_intent(
        "protection",
        "a hedged leg can only be opened with its basket",
        protection=Hedged("b", "sell", Decimal(2)),
    ),
    of_intent(
        "protection", "only a binary outcome limits its own loss", protection=DefinedRisk(Decimal(100))
    ),
    of_view("protection", "the market has passed the stop", price=Decimal(98)),
    Case(
        "stop_distance",
        "the stop is too far away",
        {"protection": Stop(Decimal("94.99"))},
        {"atr": Decimal(2)},
    ),
    Case("stop_atr", "the stop lies inside the noise", view={"atr": Decimal("6.667")}),
    Case("stop_atr", "the stop is too many true ranges away", view={"atr": Decimal("0.399")}),
    of_view("liquidation", "the stop lies beyond the liquidation price", **LIQUIDATED_AT_99),
    Case(
        "liquidation",
        "the stop lies beyond the liquidation price",
        {
            "direction": Direction.SHORT,
            "protection": Stop(Decimal(102)),
            "take_profits": (TakeProfit(Decimal(96)),),
        },
        {"maintenance_margin": Decimal("0.005"), "liquidation_price": Decimal("101.99")},
    ),
    Case(
        "liquidation",
        "a margined position without a stop ends in liquidation",
        {"protection": DefinedRisk(Decimal(100)), "take_profits": ()},
        {"instrument": CHEAP_OUTCOME, **LIQUIDATED_AT_99},
        {"stop_max_atr": Decimal(100)},
    ),
    of_view("fat_finger", "entry price is far from the market", price=Decimal("105.27")),
    of_intent(
        "cost", "the target hardly pays for the round trip", take_profits=(TakeProfit(Decimal("100.13")),)
    ),
    of_view("slippage", "expected slippage is too high", spread_fraction=Decimal("0.00201")),
    of_view("volume", "24 h volume is too low", min_volume_24h=Decimal(100_000_001)),
    of_view("regime", "the regime is not known", regime=Regime.UNKNOWN),
    of_view("trades_per_day", "enough trades for today", trades_today=5),
    Case("trades_per_day", "enough trades for today", {"lane": Lane.SCALP}, {"trades_today": 50}),
    of_view("concurrent", "too many open brackets", open_brackets=3),
    of_view("daily_loss", "the day has lost enough", day_start_equity=Decimal("10204.09")),
    of_view("session_drawdown", "the session has fallen enough", session_peak=Decimal("10121.46")),
    Case(
        "drawdown_24h",
        "24 h drawdown is too deep",
        view={"peak_24h": Decimal(10_100)},
        limits={"drawdown_24h_fraction": Decimal("0.0099")},
    ),
    of_view("loss_streak", "this lane lost too often in a row today", lane_session_losses=2),
    of_view("lane_cooldown", "the lane lost just now", lane_last_loss_ns=LOSS_NS),
    of_view(
        "lot",
        "what quantity leaves is below the venue's minimum",
        instrument=instrument_with(min_quantity=Decimal("1.001")),
    ),
    of_view(
        "lot",
        "what quantity leaves is below the venue's minimum",
        instrument=instrument_with(min_notional=Decimal("100.01")),
    ),
    of_view(
        "lot",
        "what quantity leaves is below the venue's minimum",
        instrument=instrument_with(lot=Decimal("1.5")),
    ),
)

CLAMPING = (
    SizeCase("risk_per_trade", "0.478", limits={"risk_per_trade_fraction": Decimal("0.0001")}),
    SizeCase("atr_size", "0.5", limits={"atr_risk_fraction": Decimal("0.00005")}),
    SizeCase("kelly", "0.478", limits={"uncalibrated_risk_fraction": Decimal("0.0001")}),
    SizeCase("position_cap", "0.5", limits={"position_fraction": Decimal("0.005")}),
    SizeCase("position_cap", "0.25", view={"instrument_notional": Decimal(975)}),
    SizeCase("leverage", "0.5", limits={"leverage": Decimal("0.005")}),
    SizeCase("leverage", "0.25", view={"gross_notional": Decimal(19_975)}),
    SizeCase("usd_caps", "0.5", limits={"order_usd": Decimal(50)}),
    SizeCase("usd_caps", "0.25", view={"gross_notional": Decimal(975)}, limits={"total_usd": Decimal(1_000)}),
    SizeCase("liquidity", "0.5", limits={"volume_24h_share_fraction": Decimal("0.0000005")}),
    SizeCase("regime_size", "0.5", view={"regime": Regime.HIGH_VOLATILITY}),
    SizeCase("posture", "0.5", view={"phase": Phase.GROWTH}),
    SizeCase("posture", "0.5", view={"posture": Posture.DEFENSIVE}),
    SizeCase("posture", "0.5", {"confidence": Decimal("0.8")}, {"profile": Profile.LOW}),
    SizeCase("risk_budget", "0.5", view={"size_factor": Decimal("0.5")}),
    SizeCase("risk_budget", "0.75", view={"peak_24h": Decimal("10126.5822")}),
)
ALONE_OTHERWISE = {"quantity"}
"""The quantity asked for is the proposer's own bound: shown below, since nothing overrides it."""


@pytest.mark.parametrize("case", REFUSING, ids=lambda case: f"{case.layer}: {case.reason}")
def test_the_layer_alone_keeps_it_out(case: Case) -> None:
    judgement = answer(intent_with(**case.intent), view_with(**case.view), limits_with(**case.limits))
    assert blocking(judgement) == [case.layer]
    assert report_of(judgement, case.layer).reason == case.reason
    assert not judgement.approved
    assert judgement.quantity == 0
    assert judgement.envelope is None
    assert tuple(report.name for report in judgement.layers) == LAYER_NAMES


@pytest.mark.parametrize("case", CLAMPING, ids=lambda case: f"{case.layer} leaves {case.left}")
def test_the_layer_alone_makes_it_smaller(case: SizeCase) -> None:
    judgement = answer(intent_with(**case.intent), view_with(**case.view), limits_with(**case.limits))
    assert clamping(judgement) == [case.layer]
    assert judgement.approved
    assert judgement.quantity == Decimal(case.left)


def test_the_quantity_asked_for_is_never_exceeded_however_much_the_limits_allow() -> None:
    asked = answer(intent_with(quantity=Decimal("0.5")))
    assert (asked.quantity, clamping(asked)) == (Decimal("0.5"), [])
    assert report_of(asked, "quantity").quantity == Decimal("0.5")
    unasked = answer(intent_with(quantity=None))
    assert (unasked.quantity, clamping(unasked)) == (Decimal(10), ["risk_per_trade", "kelly", "position_cap"])
    assert report_of(unasked, "quantity").quantity is None


def test_what_every_case_starts_from_is_approved_whole_by_every_layer() -> None:
    judgement = answer()
    assert {report.verdict for report in judgement.layers} == {Verdict.APPROVE}
    assert {report.name for report in judgement.layers if report.reason} == {"quantity"}
    assert judgement.quantity == INTENT.quantity
    assert tuple(report.name for report in judgement.layers) == LAYER_NAMES


def test_no_layer_is_without_a_case_in_which_it_decides_alone() -> None:
    decided = {case.layer for case in REFUSING} | {case.layer for case in CLAMPING} | ALONE_OTHERWISE
    assert set(LAYER_NAMES) - decided == set()
    assert decided - set(LAYER_NAMES) == set()
    assert len(LAYER_NAMES) == len(set(LAYER_NAMES))


def test_an_unknown_instrument_is_named_by_its_layer_and_by_those_that_need_it() -> None:
    judgement = answer(view=view_with(instrument=None))
    assert report_of(judgement, "instrument").verdict is Verdict.REFUSE
    assert report_of(judgement, "instrument").observed == INTENT.instrument
    unable = [layer.name for layer in judgement.layers if layer.verdict is Verdict.NOT_EVALUATED]
    assert unable == [
        "cost",
        "risk_per_trade",
        "atr_size",
        "kelly",
        "position_cap",
        "leverage",
        "usd_caps",
        "liquidity",
        "lot",
    ]


def test_an_unknown_account_is_named_by_its_layer_and_by_those_that_need_it() -> None:
    judgement = answer(view=view_with(account=None))
    assert report_of(judgement, "account").reason == "unknown account"
    unable = [layer.name for layer in judgement.layers if layer.verdict is Verdict.NOT_EVALUATED]
    assert "trading_state" in unable
    assert {"trades_per_day", "concurrent", "loss_streak", "lane_cooldown"} < set(unable)


def test_a_crash_takes_the_whole_size_and_the_last_layer_says_so() -> None:
    judgement = answer(view=view_with(regime=Regime.CRASH))
    assert clamping(judgement) == ["regime_size"]
    assert blocking(judgement) == ["lot"]


def test_several_refusals_stand_side_by_side() -> None:
    judgement = answer(
        intent_with(confidence=Decimal("0.1"), order_type=EntryType.MARKET),
        view_with(already_seen=True, regime=Regime.CRASH, open_brackets=9),
    )
    assert blocking(judgement) == ["duplicate", "confidence", "concurrent", "lot"]
    assert tuple(report.name for report in judgement.layers) == LAYER_NAMES
