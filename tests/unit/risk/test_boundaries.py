"""At the limit a proposal is allowed or not exactly as the layer's sentence says, and not one step beyond."""

from decimal import Decimal

import pytest

from neuratrade.core.model.intent import Direction, EntryType, Lane, Stop, TakeProfit
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_SECOND
from tests.unit.risk.builders import (
    NOTHING,
    NOW_NS,
    Changes,
    answer,
    blocking,
    instrument_with,
    intent_with,
    limits_with,
    view_with,
)


def d(text: str) -> Decimal:
    return Decimal(text)


def stop(price: str) -> Changes:
    return {"protection": Stop(d(price))}


# name of the layer, what puts the proposal exactly at the limit, one step beyond, changes that both share
AT_IS_ALLOWED: tuple[tuple[str, Changes, Changes, Changes], ...] = (
    (
        "ttl",
        {"created_ns": NOW_NS - 15 * NS_PER_SECOND},
        {"created_ns": NOW_NS - 15 * NS_PER_SECOND - 1},
        NOTHING,
    ),
    (
        "ttl",
        {"created_ns": NOW_NS + 2 * NS_PER_SECOND},
        {"created_ns": NOW_NS + 2 * NS_PER_SECOND + 1},
        NOTHING,
    ),
    ("ttl", {"entry_expiry_ns": 0}, {"entry_expiry_ns": -1}, NOTHING),
    (
        "session",
        {"instrument": instrument_with(flat_by_ns=NOW_NS + 15 * NS_PER_SECOND + 1)},
        {"instrument": instrument_with(flat_by_ns=NOW_NS + 15 * NS_PER_SECOND)},
        NOTHING,
    ),
    ("stale_data", {"price_age_ns": 90 * NS_PER_SECOND}, {"price_age_ns": 90 * NS_PER_SECOND + 1}, NOTHING),
    (
        "conversion",
        {"conversion_age_ns": 15 * NS_PER_MINUTE},
        {"conversion_age_ns": 15 * NS_PER_MINUTE + 1},
        NOTHING,
    ),
    ("unknown_orders", {"unknown_orders": 0}, {"unknown_orders": 1}, NOTHING),
    ("opposite", {"opposed": False}, {"opposed": True}, NOTHING),
    (
        "liquidation",
        {"liquidation_price": d("97.99")},
        {"liquidation_price": d("98")},
        {"maintenance_margin": d("0.005")},
    ),
    ("confidence", {"confidence": d("0.75")}, {"confidence": d("0.749999999")}, NOTHING),
    ("stop_distance", stop("95"), stop("94.99"), {"atr": Decimal(2)}),
    ("stop_atr", {"atr": d("0.4")}, {"atr": d("0.3999")}, NOTHING),
    ("stop_atr", stop("98.5"), stop("98.51"), {"atr": Decimal(5)}),
    ("fat_finger", {"price": d("95.24")}, {"price": d("95.23")}, stop("95.2")),
    (
        "cost",
        {"take_profits": (TakeProfit(d("100.135")),)},
        {"take_profits": (TakeProfit(d("100.1349")),)},
        NOTHING,
    ),
    ("slippage", {"spread_fraction": d("0.002")}, {"spread_fraction": d("0.0020001")}, NOTHING),
    ("volume", {"volume_24h": d("1000000")}, {"volume_24h": d("999999.99")}, NOTHING),
    ("trades_per_day", {"trades_today": 4}, {"trades_today": 5}, NOTHING),
    ("trades_per_day", {"trades_today": 49}, {"trades_today": 50}, {"lane": Lane.SCALP}),
    ("concurrent", {"open_brackets": 2}, {"open_brackets": 3}, NOTHING),
    ("loss_streak", {"lane_session_losses": 1}, {"lane_session_losses": 2}, NOTHING),
    (
        "lane_cooldown",
        {"lane_last_loss_ns": NOW_NS - 5 * NS_PER_MINUTE},
        {"lane_last_loss_ns": NOW_NS - 5 * NS_PER_MINUTE + 1},
        NOTHING,
    ),
    (
        "lot",
        {"instrument": instrument_with(min_quantity=d("1"))},
        {"instrument": instrument_with(min_quantity=d("1.001"))},
        NOTHING,
    ),
    (
        "lot",
        # A hundred's worth, at a stop 5 % away that is limited 5 % below that.
        {"instrument": instrument_with(min_notional=d("90.25"))},
        {"instrument": instrument_with(min_notional=d("90.26"))},
        NOTHING,
    ),
    ("protection", {"price": d("98.01")}, {"price": d("98")}, NOTHING),
    ("protection", stop("99.99"), stop("100"), {"atr": d("0.02"), "spread_fraction": d("0")}),
    (
        "instrument",
        {"instrument": instrument_with(price_floor=d("97.99"))},
        {"instrument": instrument_with(price_floor=d("98"))},
        NOTHING,
    ),
    (
        "instrument",
        {"instrument": instrument_with(price_ceiling=d("104.01"))},
        {"instrument": instrument_with(price_ceiling=d("104"))},
        NOTHING,
    ),
    # Standing losses keep new exposure out as soon as they are reached.
    (
        "daily_loss",
        {"equity": d("9800.01")},
        {"equity": d("9800")},
        {"session_peak": d("9800"), "peak_24h": d("9800")},
    ),
    ("session_drawdown", {"equity": d("9880.01")}, {"equity": d("9880")}, NOTHING),
    (
        "drawdown_24h",
        {"equity": d("9500.01")},
        {"equity": d("9500")},
        {"session_peak": d("9500"), "day_start_equity": d("9500")},
    ),
)
INTENT_FIELDS = intent_with().__struct_fields__


def layers_against(*changes: Changes) -> list[str]:
    merged = {name: value for change in changes for name, value in change.items()}
    of_intent = {
        name: value for name, value in merged.items() if name in INTENT_FIELDS and name != "instrument"
    }
    of_view = {name: value for name, value in merged.items() if name not in of_intent}
    return blocking(answer(intent_with(**of_intent), view_with(**of_view)))


@pytest.mark.parametrize(("layer", "at", "beyond", "shared"), AT_IS_ALLOWED)
def test_the_last_allowed_value_passes_and_the_next_one_does_not(
    layer: str, at: Changes, beyond: Changes, shared: Changes
) -> None:
    assert layers_against(shared, at) == []
    assert layer in layers_against(shared, beyond)


def test_losing_exactly_nothing_is_no_loss_even_with_a_limit_of_zero_streaks() -> None:
    assert answer(limits=limits_with(session_losses=1)).approved
    assert blocking(answer(limits=limits_with(session_losses=0))) == ["loss_streak"]
    assert blocking(answer(limits=limits_with(daily_loss_fraction=Decimal(0)))) == ["daily_loss"]
    assert blocking(answer(limits=limits_with(drawdown_24h_fraction=Decimal(0)))) == ["drawdown_24h"]


@pytest.mark.parametrize("order_type", [EntryType.MARKET, EntryType.STOP])
def test_what_fills_at_the_market_is_judged_from_the_market(order_type: EntryType) -> None:
    """A trigger beside the market must not make a far stop look near."""
    long = intent_with(trigger_price=Decimal("95.5"), protection=Stop(Decimal("94.9")), order_type=order_type)
    assert blocking(answer(long)) == ["stop_distance", "stop_atr"]
    short = intent_with(
        direction=Direction.SHORT,
        trigger_price=Decimal("104.5"),
        protection=Stop(Decimal("105.1")),
        take_profits=(TakeProfit(Decimal(90)),),
        order_type=order_type,
    )
    assert blocking(answer(short)) == ["stop_distance", "stop_atr"]
    at_its_price = intent_with(trigger_price=Decimal("95.5"), protection=Stop(Decimal("94.9")))
    assert blocking(answer(at_its_price)) == []


def test_a_target_the_market_has_passed_pays_for_nothing() -> None:
    passed = intent_with(
        order_type=EntryType.MARKET, trigger_price=Decimal(96), take_profits=(TakeProfit(Decimal(99)),)
    )
    assert "cost" in blocking(answer(passed, view_with(atr=Decimal(1))))
    resting = intent_with(trigger_price=Decimal(99), take_profits=(TakeProfit(Decimal("99.5")),))
    assert answer(resting).approved


def test_a_trade_without_a_target_is_not_weighed_against_its_costs() -> None:
    assert answer(intent_with(take_profits=())).approved


def test_a_rebate_never_makes_a_target_of_nothing_worth_it() -> None:
    paid = instrument_with(maker_fee_bps=Decimal(-50), taker_fee_bps=Decimal(-50))
    passed = intent_with(
        order_type=EntryType.MARKET, trigger_price=Decimal(96), take_profits=(TakeProfit(Decimal(99)),)
    )
    assert "cost" in blocking(answer(passed, view_with(instrument=paid)))


def test_a_target_at_the_market_gains_nothing_even_where_nothing_costs_anything() -> None:
    free = instrument_with(maker_fee_bps=Decimal(0), taker_fee_bps=Decimal(0))
    view = view_with(instrument=free, spread_fraction=Decimal(0))
    reached = intent_with(
        order_type=EntryType.MARKET, trigger_price=Decimal("99.9"), take_profits=(TakeProfit(Decimal(100)),)
    )
    assert blocking(answer(reached, view)) == ["cost"]


def test_where_no_least_volume_is_set_an_unknown_volume_is_left_to_the_size_layer() -> None:
    judgement = answer(view=view_with(min_volume_24h=Decimal(0), volume_24h=None))
    assert blocking(judgement) == ["liquidity"]


def test_a_crossed_book_lowers_no_cost() -> None:
    target = (TakeProfit(Decimal("100.10")),)
    assert blocking(
        answer(intent_with(take_profits=target), view_with(spread_fraction=Decimal("-0.01")))
    ) == ["cost"]
