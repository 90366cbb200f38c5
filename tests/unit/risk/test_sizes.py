"""Sizes against sums done another way: Kelly in fractions, budgets, margins, and what a bet can lose."""

from decimal import Decimal
from fractions import Fraction

import pytest

from neuratrade.core.model.approval import Verdict
from neuratrade.core.model.intent import Direction, EntryType, Hedged, Stop, TakeProfit
from neuratrade.core.model.regime import Regime
from neuratrade.core.risk.gate import CAPS
from neuratrade.core.risk.layer import limit_text, seconds, text
from neuratrade.core.risk.sizing import REGIME_FACTOR, budget_factor
from tests.unit.risk.builders import (
    BINARY,
    FUTURE,
    answer,
    binary_bet,
    blocking,
    case_of,
    clamping,
    instrument_with,
    intent_with,
    limits_with,
    report_of,
    view_with,
)

D = Decimal
ASK_NOTHING = {"quantity": None}


def close(found: Decimal | None, expected: Fraction) -> bool:
    assert found is not None
    return abs(Fraction(found) - expected) <= abs(expected) * Fraction(1, 10**20)


@pytest.mark.parametrize("won", [12, 14, 15, 20, 27, 30])
@pytest.mark.parametrize("rungs", [(("104", "1"),), (("102", "0.5"), ("106", "0.5")), (("103", "0.5"),)])
def test_kelly_is_edge_over_odds_net_of_costs(won: int, rungs: tuple[tuple[str, str], ...]) -> None:
    """Independent: the share f of equity that maximises p log(1 + f b) + (1 - p) log(1 - f)."""
    rate = D(won) / 30
    intent = intent_with(
        take_profits=tuple(TakeProfit(D(price), D(share)) for price, share in rungs), **ASK_NOTHING
    )
    report = report_of(answer(intent, view_with(win_rate=rate, win_rate_outcomes=30)), "kelly")
    p, trip = Fraction(rate), Fraction(9, 10_000) * 100
    loss = 2 + trip
    gain = sum((Fraction(price) - 100) * Fraction(share) for price, share in rungs) - trip
    share = (p * (loss + gain) - loss) / gain
    expected = max(share, Fraction(0)) * Fraction(1, 4) * 10_000 / loss
    others = Fraction(10_000) * Fraction(2, 100) / loss, Fraction(100)
    assert close(report.quantity, min(expected, *others))


def test_kelly_without_an_edge_leaves_nothing() -> None:
    judgement = answer(view=view_with(win_rate=D("0.3"), win_rate_outcomes=30))
    assert blocking(judgement) == ["lot"]
    assert report_of(judgement, "kelly").quantity == 0
    assert report_of(judgement, "kelly").reason == "fractional Kelly"


def test_kelly_waits_for_enough_outcomes_and_never_trusts_few_with_more() -> None:
    small_risk = report_of(answer(intent_with(**ASK_NOTHING)), "kelly")
    assert close(small_risk.quantity, Fraction(50) / Fraction("2.09"))
    few = report_of(
        answer(intent_with(**ASK_NOTHING), view_with(win_rate=D(1), win_rate_outcomes=29)), "kelly"
    )
    assert (few.quantity, few.reason) == (small_risk.quantity, "not calibrated yet")
    enough = report_of(
        answer(intent_with(**ASK_NOTHING), view_with(win_rate=D("0.4"), win_rate_outcomes=30)), "kelly"
    )
    assert enough.quantity is not None
    assert small_risk.quantity is not None
    assert enough.quantity > small_risk.quantity
    losing = report_of(
        answer(intent_with(**ASK_NOTHING), view_with(win_rate=D("0.1"), win_rate_outcomes=3)), "kelly"
    )
    assert losing.quantity == 0


def test_kelly_without_a_target_counts_a_gain_as_large_as_the_loss() -> None:
    report = report_of(
        answer(
            intent_with(take_profits=(), **ASK_NOTHING), view_with(win_rate=D("0.51"), win_rate_outcomes=30)
        ),
        "kelly",
    )
    assert close(report.quantity, Fraction("0.02") / 4 * 10_000 / Fraction("2.09"))


def test_kelly_counts_from_the_market_when_the_entry_fills_there() -> None:
    beside = intent_with(
        order_type=EntryType.MARKET, trigger_price=D("99.9"), protection=Stop(D(98)), **ASK_NOTHING
    )
    known = view_with(win_rate=D("0.6"), win_rate_outcomes=30)
    trip = Fraction(12, 10_000) * 100
    loss, gain = 2 + trip, 4 - trip
    share = Fraction("0.6") - Fraction("0.4") * loss / gain
    limits = limits_with(risk_per_trade_fraction=D(1), atr_risk_fraction=D(1))
    assert close(report_of(answer(beside, known, limits), "kelly").quantity, share / 4 * 10_000 / loss)


def test_the_regime_takes_half_in_high_volatility_and_all_in_a_crash() -> None:
    factors = dict(REGIME_FACTOR)
    assert set(factors) == set(Regime)
    assert factors.pop(Regime.HIGH_VOLATILITY) == D("0.5")
    assert factors.pop(Regime.CRASH) == 0
    assert set(factors.values()) == {D(1)}


@pytest.mark.parametrize(
    ("equity", "expected"),
    [
        ("10000", "1"),
        ("11000", "1"),
        ("9900", "0.8"),
        ("9750", "0.5"),
        ("9550", "0.1"),
        ("9501", "0.1"),
        ("1", "0.1"),
    ],
)
def test_the_risk_budget_shrinks_with_the_drawdown_already_used(equity: str, expected: str) -> None:
    assert budget_factor(case_of(view=view_with(equity=D(equity)))) == D(expected)


def test_no_posture_grows_a_size_past_its_caps() -> None:
    judgement = answer(intent_with(**ASK_NOTHING), view_with(size_factor=D(5)))
    assert judgement.quantity == 10
    for nothing in (D(-1), D(0)):
        assert blocking(answer(view=view_with(size_factor=nothing))) == ["lot"]


def test_the_size_is_rounded_down_to_the_lot() -> None:
    judgement = answer(intent_with(quantity=D("0.9999")))
    assert judgement.quantity == D("0.999")
    assert judgement.envelope is not None
    assert judgement.envelope.max_quantity == D("0.999")


def test_a_cap_of_exactly_what_was_asked_makes_nothing_smaller() -> None:
    judgement = answer(limits=limits_with(position_fraction=D("0.01")))
    report = report_of(judgement, "position_cap")
    assert (report.verdict, report.quantity, report.reason) == (Verdict.APPROVE, D(1), "")
    assert clamping(judgement) == []


def test_nothing_is_never_an_order_even_where_the_venue_has_no_minimum() -> None:
    free = instrument_with(min_quantity=D(0), min_notional=D(0))
    assert blocking(answer(view=view_with(instrument=free, regime=Regime.CRASH))) == ["lot"]
    assert "lot" in blocking(answer(view=view_with(instrument=free, equity=D(0))))
    too_small = intent_with(quantity=D("0.0009"))
    assert blocking(answer(too_small, view_with(instrument=free))) == ["lot"]


def test_a_negative_quantity_or_equity_leaves_nothing() -> None:
    for judgement in (answer(intent_with(quantity=D(-3))), answer(view=view_with(equity=D(-10_000)))):
        assert "lot" in blocking(judgement)
        assert all(report.quantity is None or report.quantity >= 0 for report in judgement.layers)


@pytest.mark.parametrize(
    ("layer", "seen", "limits"),
    [
        ("position_cap", {"instrument_notional": D(1_000)}, {}),
        ("position_cap", {"instrument_notional": D(1_001)}, {}),
        ("leverage", {"gross_notional": D(20_000)}, {"total_usd": D(10) ** 9}),
        ("leverage", {"gross_notional": D(30_000)}, {"total_usd": D(10) ** 9}),
        ("usd_caps", {"gross_notional": D(1_500)}, {"total_usd": D(1_500)}),
        ("usd_caps", {"gross_notional": D(1_600)}, {"total_usd": D(1_500)}),
    ],
)
def test_where_a_cap_is_used_up_or_overdrawn_no_room_is_left_and_none_is_owed(
    layer: str, seen: dict[str, Decimal], limits: dict[str, Decimal]
) -> None:
    judgement = answer(view=view_with(**seen), limits=limits_with(**limits))
    report = report_of(judgement, layer)
    assert report.quantity == 0
    assert report.observed == "room 0"
    assert blocking(judgement) == ["lot"]


def test_room_of_less_than_one_unit_is_still_room() -> None:
    judgement = answer(view=view_with(instrument_notional=D("999.5")), limits=limits_with())
    assert report_of(judgement, "position_cap").quantity == D("0.005")
    assert report_of(judgement, "position_cap").observed == "room 0.5"


FUTURE_INTENT = intent_with(
    instrument=FUTURE.key,
    trigger_price=D(5_000),
    protection=Stop(D(4_990)),
    take_profits=(TakeProfit(D(5_030)),),
    quantity=None,
)
RICH = {"instrument": FUTURE, "price": D(5_000), "atr": D(10), "volume_24h": D(10) ** 12}
MILLION = {name: D(1_000_000) for name in ("equity", "day_start_equity", "session_peak", "peak_24h")}
NO_AMOUNTS = limits_with(order_usd=D(10) ** 9, total_usd=D(10) ** 9)


def test_the_initial_margin_of_a_future_counts_towards_the_position_and_its_notional_towards_leverage() -> (
    None
):
    fresh = answer(FUTURE_INTENT, view_with(**RICH, **MILLION), NO_AMOUNTS)
    assert report_of(fresh, "position_cap").observed == "room 100000"
    assert fresh.quantity == 8  # 8 x 5000 x 50 x 0.05 = 100,000; by leverage also 2,000,000 / 250,000
    one_held = {"instrument_notional": D(250_000), "gross_notional": D(250_000)}
    again = answer(FUTURE_INTENT, view_with(**RICH, **MILLION, **one_held), NO_AMOUNTS)
    assert report_of(again, "position_cap").observed == "room 87500"
    assert again.quantity == 7


def test_a_point_of_a_future_is_worth_its_multiplier() -> None:
    trip = 250_000 * (D("0.00002") + D("0.0002"))
    assert case_of(FUTURE_INTENT, view_with(**RICH)).unit_risk == 10 * 50 + trip
    known = {"win_rate": D("0.4"), "win_rate_outcomes": 30}
    limits = limits_with(kelly_fraction=D("0.05"))
    judgement = answer(FUTURE_INTENT, view_with(**RICH, **MILLION, **known), limits)
    assert report_of(judgement, "atr_size").quantity == 20
    loss, gain = Fraction(500 + trip), Fraction(30 * 50 - trip)
    share = Fraction("0.4") - Fraction("0.6") * loss / gain
    assert close(report_of(judgement, "kelly").quantity, share / 20 * 1_000_000 / loss)


def test_a_gain_that_the_costs_eat_whole_is_no_edge() -> None:
    known = view_with(win_rate=D("0.9"), win_rate_outcomes=30)
    eaten = intent_with(take_profits=(TakeProfit(D("100.09")),))
    assert report_of(answer(eaten, known), "kelly").quantity == 0


def test_a_hedged_leg_risks_its_cap_shared_by_its_units() -> None:
    hedged = intent_with(protection=Hedged("leg", "unwind", D(30)), quantity=D(4))
    assert case_of(hedged, view_with()).unit_risk == D("7.5")
    for quantity in (None, D(0)):
        assert (
            case_of(intent_with(protection=Hedged("leg", "unwind", D(30)), quantity=quantity)).unit_risk == 30
        )


@pytest.mark.parametrize(("direction", "loses"), [(Direction.LONG, "0.3"), (Direction.SHORT, "0.6")])
def test_a_bet_risks_its_costs_too_and_nothing_below_its_floor(direction: Direction, loses: str) -> None:
    contract = instrument_with(BINARY, price_floor=D("0.1"), taker_fee_bps=D(100))
    view = view_with(instrument=contract, price=D("0.4"), spread_fraction=D("0.01"))
    assert case_of(binary_bet(direction, "0.4"), view).unit_risk == D(loses) + D("0.4") * D("0.02")


@pytest.mark.parametrize(
    ("direction", "price", "loses"),
    [
        (Direction.LONG, "0.40", "0.40"),
        (Direction.SHORT, "0.40", "0.60"),
        (Direction.SHORT, "0.06", "0.94"),
    ],
)
def test_a_bet_risks_all_it_can_lose(direction: Direction, price: str, loses: str) -> None:
    """Who sells an outcome at six cents can lose ninety-four."""
    view = view_with(instrument=BINARY, price=D(price), spread_fraction=D(0), atr=D("0.01"))
    judgement = answer(binary_bet(direction, price), view)
    assert judgement.approved
    assert case_of(binary_bet(direction, price), view).unit_risk == D(loses)
    assert judgement.quantity * D(loses) <= 10_000 * D("0.005")
    assert report_of(judgement, "kelly").quantity == 50 / D(loses)


def test_sizes_of_what_fills_at_the_market_are_reckoned_at_the_market() -> None:
    beside = intent_with(
        order_type=EntryType.MARKET, trigger_price=D("98.5"), protection=Stop(D("97.5")), **ASK_NOTHING
    )
    judgement = answer(beside)
    assert judgement.quantity == 10  # 1,000 at the market's 100, not at 98.5
    assert case_of(beside, view_with()).unit_risk == D("2.5") + 100 * D("0.0012")
    short = intent_with(
        direction=Direction.SHORT,
        trigger_price=D(99),
        protection=Stop(D(101)),
        take_profits=(),
        **ASK_NOTHING,
    )
    assert answer(short).quantity == 10


def test_amounts_are_weighed_against_equity_in_the_reporting_currency() -> None:
    """A quote unit worth two of the reporting currency halves every cap on equity and doubles no other."""
    known = {"win_rate": D("0.6"), "win_rate_outcomes": 30}
    intent = intent_with(**ASK_NOTHING)
    limits = limits_with(order_usd=D(700), volume_24h_share_fraction=D("0.0000001"))
    alone = {cap.__name__: cap(case_of(intent, view_with(**known), limits)) for _, cap in CAPS}
    view = view_with(**known, conversion=D(2), gross_notional=D(100), instrument_notional=D(100))
    doubled = {cap.__name__: cap(case_of(intent, view, limits)) for _, cap in CAPS}
    expected = {
        "risk_per_trade": Fraction(200) / Fraction("2.09") / 2,
        "atr_size": Fraction(100, 2),
        "position_cap": Fraction(1_000 - 100, 200),
        "leverage": Fraction(20_000 - 100, 200),
        "usd_caps": Fraction(700, 200),
        "liquidity": Fraction(10, 100),
    }
    for name, quantity in expected.items():
        assert close(doubled[name].quantity, quantity), name
    share = Fraction(alone["kelly"].quantity or 0)
    assert close(doubled["kelly"].quantity, share / 2)
    assert answer(intent, view_with(conversion=D(2))).quantity * 2 == answer(intent).quantity == 10


def test_a_quote_in_the_reporting_currency_is_worth_one_and_never_old() -> None:
    assert view_with().conversion == 1
    assert view_with().conversion_age_ns == 0


@pytest.mark.parametrize(
    ("least", "traded", "kept_out"),
    [("0", "0", False), ("0.5", "0.4", True), ("1", "0.9", True), ("1", "1", False)],
)
def test_however_little_the_market_must_trade_less_is_refused(
    least: str, traded: str, kept_out: bool
) -> None:
    judgement = answer(view=view_with(min_volume_24h=D(least), volume_24h=D(traded)))
    assert ("volume" in blocking(judgement)) is kept_out


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "unknown"),
        (D(25_000), "25000"),
        (D("0.05"), "0.05"),
        (D("0.0500"), "0.05"),
        (D(0), "0"),
        (D("123456789.5"), "123456790"),
        (D("1E+3"), "1000"),
        (D("-2.50"), "-2.5"),
        (3, "3"),
        (D(1) / 3, "0.33333333"),
        (D("1e-12"), "0.000000000001"),
        (D("1e20"), "1E+20"),
        (D("1e-20"), "1E-20"),
    ],
)
def test_numbers_in_reports_read_like_numbers(value: Decimal | int | None, words: str) -> None:
    assert text(value) == words


@pytest.mark.parametrize(
    "same", [(D("-0"), D(0)), (D(0), D("-0")), (D("1E+18"), 10**18), (10**18, D("1E+18"))]
)
def test_the_text_of_a_limit_does_not_depend_on_what_was_shown_before(
    same: tuple[Decimal | int, Decimal | int],
) -> None:
    """Equal numbers of another form must not find each other's text: a replay would journal other bytes."""
    alone = []
    for value in same:
        limit_text.cache_clear()
        alone.append(limit_text(value, text))
    limit_text.cache_clear()
    assert [limit_text(value, text) for value in same] == alone


def test_spans_in_reports_are_seconds() -> None:
    assert seconds(1_500_000_000) == "1.5 s"
    late = report_of(answer(view=view_with(price_age_ns=120_000_000_000)), "stale_data")
    assert (late.observed, late.limit) == ("120 s", "90 s")


def test_a_report_shows_what_was_seen_beside_the_limit() -> None:
    refused = report_of(answer(intent_with(confidence=D("0.7"))), "confidence")
    assert (refused.observed, refused.limit) == ("0.7", "0.75")
    amount = report_of(answer(intent_with(quantity=None), limits=limits_with(order_usd=D(50))), "usd_caps")
    assert (amount.observed, amount.limit, amount.reason) == ("room 50", "50, 100000 in all", "amount cap")
    assert all(report.observed and (report.limit or report.name) for report in answer().layers)
    assert instrument_with().key == "SOL/USD@paper"
