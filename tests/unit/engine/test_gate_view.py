"""What the gate is shown of one moment: every value is the one that is known then, or said to be missing."""

import dataclasses
from decimal import Decimal

import pytest
from msgspec.structs import replace

from neuratrade.core.engine.judging import gate_view
from neuratrade.core.engine.state import LaneState, Outcomes
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.account import PositionMode
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import Direction, EntryType, Lane, OpenIntent
from neuratrade.core.model.market import NS_PER_SECOND, Quote
from neuratrade.core.model.orders import OrderRole
from neuratrade.core.model.regime import Regime
from neuratrade.core.model.venue_rules import PAPER_RULES
from neuratrade.core.risk.posture import Phase, Posture, Profile
from neuratrade.core.risk.view import AccountView, GateView
from neuratrade.core.strategies.dna import AssetDna, CalibrationBucket, Dna, RiskDna
from tests.simulation.hand import Hand
from tests.simulation.snapshots import strange_order
from tests.simulation.world import ACCOUNT, FUTURE, PERP, SPOT, D, intent

ENTRY = OrderRole.ENTRY


def shown(hand: Hand, asked: OpenIntent | None = None) -> GateView:
    """The gate's view of an intent, by default a long of one perpetual."""
    config, markets = hand.engine.config, hand.engine.markets
    return gate_view(hand.state, intent("new") if asked is None else asked, config, markets, hand.now_ns)


def account(hand: Hand, asked: OpenIntent | None = None) -> AccountView:
    seen = shown(hand, asked).account
    assert seen is not None
    return seen


def taught(hand: Hand, **dna: object) -> Hand:
    hand.engine.config = dataclasses.replace(hand.engine.config, dna=replace(Dna(1, 0, {}, {}), **dna))
    return hand


# the market


def test_the_market_is_shown_as_it_was_quoted_last_with_its_age() -> None:
    hand = Hand()
    hand.step(Quote(PERP.key, hand.now_ns, D(100), D(101), D(9), D(9)))
    hand.seconds(3)
    seen = shown(hand)
    assert seen.instrument == PERP
    assert (seen.price, seen.bid, seen.ask) == (D("100.5"), D(100), D(101))
    assert seen.price_age_ns == 3 * NS_PER_SECOND
    assert seen.spread_fraction == 1 / D("100.5")
    assert (seen.atr, seen.volume_24h) == (D(1), 30 * 100 * D(1_000_000))
    assert seen.regime is not Regime.UNKNOWN
    assert (seen.warm, seen.session_open, seen.already_seen, seen.blacklisted) == (True, True, False, False)
    assert (seen.size_factor, seen.min_volume_24h) == (D(1), D(0))
    assert (seen.maintenance_margin, seen.liquidation_price) == (None, None)


def test_a_price_that_is_held_back_is_not_shown_and_its_book_is_the_one_believed() -> None:
    hand = Hand()
    hand.quote(100)
    hand.quote(150)
    seen = shown(hand)
    assert (seen.price, seen.price_age_ns, seen.spread_fraction) == (None, None, None)
    assert seen.bid == 100


def test_of_what_nobody_knows_nothing_is_shown() -> None:
    hand = taught(Hand(), risk=RiskDna(blacklist=(PERP.asset,)))
    seen = shown(hand, replace(intent("new"), instrument="NOBODY@test"))
    assert (seen.instrument, seen.price, seen.price_age_ns, seen.spread_fraction) == (None, None, None, None)
    assert (seen.atr, seen.volume_24h, seen.bid, seen.ask, seen.conversion) == (None, None, None, None, None)
    assert (seen.warm, seen.blacklisted, seen.regime) == (False, False, Regime.UNKNOWN)
    assert seen.size_factor == 1
    stranger = shown(hand, replace(intent("new"), account_id="nobody"))
    assert (stranger.account, stranger.conversion, stranger.conversion_age_ns) == (None, None, None)
    assert stranger.instrument == PERP


@pytest.mark.parametrize("kind", ["venue", "feed"])
def test_a_venue_or_a_feed_in_trouble_halves_the_size(kind: str) -> None:
    hand = Hand()
    trouble = (
        e.VenueHealth("test", hand.now_ns, True)
        if kind == "venue"
        else e.FeedStalled(hand.now_ns, PERP.key, True)
    )
    hand.step(trouble)
    assert shown(hand).size_factor == D("0.5")


def test_what_the_dna_excludes_or_wants_of_an_asset_is_shown() -> None:
    perp = AssetDna(PERP.asset, (), 60, min_volume_24h=D(7_000_000))
    hand = taught(Hand(), risk=RiskDna(blacklist=(SPOT.asset,)), assets={PERP.asset: perp})
    assert (shown(hand).blacklisted, shown(hand).min_volume_24h) == (False, D(7_000_000))
    spot = shown(hand, intent("new", instrument=SPOT))
    assert (spot.blacklisted, spot.min_volume_24h) == (True, D(0))


def test_a_closed_session_and_an_intent_judged_before_are_shown() -> None:
    hand = Hand()
    hand.step(f.SessionMoved(hand.now_ns, PERP.key, False))
    hand.step(e.IntentArrived(intent("new"), hand.now_ns))
    assert (shown(hand).session_open, shown(hand).already_seen) == (False, True)
    assert shown(hand, intent("other", instrument=SPOT)).session_open


def test_where_a_margined_entry_would_be_liquidated_is_shown() -> None:
    hand = Hand()
    hand.step(f.InstrumentUpdated(hand.now_ns, replace(PERP, maintenance_margin=D("0.02"))))
    hand.tick()
    seen = shown(hand, intent("new", direction=Direction.SHORT, stop=105, targets=(), quantity=2000))
    assert seen.maintenance_margin == D("0.02")
    # 100,000 of equity over a notional of 200,000 is a margin of one half.
    assert seen.liquidation_price == D(150) / D("1.02")


# what the venue would net


def against(hand: Hand, item: Instrument = PERP) -> bool:
    return account(hand, intent("new", direction=Direction.SHORT, stop=105, instrument=item)).opposed


def test_a_position_the_other_way_is_shown_where_only_what_reduces_the_net_may_leave() -> None:
    hand = Hand(rules=replace(PAPER_RULES, sells_only_what_is_held=True))
    assert not against(hand)
    hand.enter(intent())
    assert against(hand)
    assert not against(hand, FUTURE)
    assert not account(hand, intent("new")).opposed, "the same way adds to it"
    hand.state.accounts["paper"].account = replace(ACCOUNT, mode=PositionMode.HEDGE)
    assert not against(hand), "both stand side by side there"


def test_where_any_order_may_leave_a_position_the_other_way_is_no_obstacle() -> None:
    hand = Hand()
    hand.enter(intent())
    assert not against(hand)


# what was learned


@pytest.mark.parametrize(
    ("closed", "rate", "outcomes"), [(9, D("0.6"), 40), (10, D("0.3"), 10), (11, D(3) / D(11), 11)]
)
def test_own_outcomes_count_once_there_are_enough_of_them_and_what_was_taught_before(
    closed: int, rate: Decimal, outcomes: int
) -> None:
    hand = taught(
        Hand({"kelly_min_outcomes": "10"}), calibration=(CalibrationBucket(D("0.9"), D(1), D("0.6"), 40),)
    )
    hand.state.outcomes["test"] = Outcomes(closed, 3)
    seen = shown(hand)
    assert (seen.win_rate, seen.win_rate_outcomes) == (rate, outcomes)


def test_without_enough_of_either_no_win_rate_is_known_and_the_outcomes_there_are_are_counted() -> None:
    hand = Hand({"kelly_min_outcomes": "10"})
    assert (shown(hand).win_rate, shown(hand).win_rate_outcomes) == (None, 0)
    hand.state.outcomes["test"] = Outcomes(4, 3)
    assert (shown(hand).win_rate, shown(hand).win_rate_outcomes) == (None, 4)


# the account


def test_what_is_held_and_what_may_still_be_entered_counts_at_the_price_it_was_meant_for() -> None:
    hand = Hand()
    hand.propose(intent("a", quantity=4, order_type=EntryType.LIMIT))
    hand.accept(ENTRY)
    hand.fill(ENTRY, 1, 100)
    hand.accept(OrderRole.STOP)
    hand.propose(intent("b", quantity=2, instrument=SPOT, order_type=EntryType.LIMIT, targets=()))
    seen = account(hand)
    assert (seen.gross_notional, seen.instrument_notional, seen.open_brackets) == (D(600), D(400), 2)
    assert account(hand, intent("new", instrument=SPOT)).instrument_notional == 200
    hand.step(f.OrderCancelled(hand.now_ns, hand.state.brackets["a"].entry_order or "", "", D(1)))
    assert account(hand).instrument_notional == 100


def test_entries_that_have_not_filled_count_against_the_day_of_their_kind_of_lane() -> None:
    hand = Hand()
    for name, lane in (("a", Lane.TACTICAL), ("b", Lane.MOMENTUM), ("c", Lane.SCALP)):
        hand.propose(intent(name, lane=lane, order_type=EntryType.LIMIT))
    assert account(hand).trades_today == 2
    assert account(hand, intent("new", lane=Lane.SCALP)).trades_today == 1
    coid = hand.state.brackets["a"].entry_order or ""
    hand.step(f.OrderAccepted(hand.now_ns, coid, "V"))
    hand.state.accounts["paper"].opened_today["momentum"] = 3
    assert account(hand).trades_today == 5


def test_what_another_account_holds_is_not_counted() -> None:
    hand = Hand()
    hand.enter(intent("a", quantity=4))
    hand.bracket.intent = replace(hand.bracket.intent, account_id="other")
    seen = account(hand)
    assert (seen.gross_notional, seen.open_brackets, seen.trades_today) == (D(0), 0, 1)


def test_losses_peaks_and_how_bold_the_desk_is_are_those_of_the_account_and_lane() -> None:
    hand = Hand()
    hand.tick()
    state = hand.state.accounts["paper"]
    state.lanes = {"tactical": LaneState(2, 77), "scalp": LaneState(5, 78)}
    state.posture = "DEFENSIVE"
    state.day_start_equity, state.session_peak = D(90_000), D(110_000)
    seen = account(hand)
    assert (seen.lane_session_losses, seen.lane_last_loss_ns) == (2, 77)
    assert (seen.equity, seen.day_start_equity, seen.session_peak) == (D(100_000), D(90_000), D(110_000))
    assert seen.peak_24h == 100_000
    assert (seen.posture, seen.profile, seen.phase) == (Posture.DEFENSIVE, Profile.MEDIUM, Phase.MATURE)
    fresh = account(hand, intent("new", lane=Lane.MOMENTUM))
    assert (fresh.lane_session_losses, fresh.lane_last_loss_ns) == (0, None)


def test_no_account_is_bolder_than_its_operator_allows() -> None:
    hand = Hand()
    hand.state.accounts["paper"].posture = "AGGRESSIVE"
    assert account(hand).posture is Posture.BALANCED


def test_what_is_unknown_about_an_instrument_is_counted_for_its_own_account_and_instrument() -> None:
    hand = Hand()
    hand.propose(intent("a", order_type=EntryType.LIMIT))
    hand.wait(4_999)
    assert account(hand).unknown_orders == 0
    hand.wait(1)
    assert account(hand).unknown_orders == 1
    assert account(hand, intent("new", instrument=SPOT)).unknown_orders == 0
    for account_id, reference, instrument in (
        ("paper", "one", PERP.key),
        ("paper", "two", SPOT.key),
        ("paper", "money", ""),
        ("other", "three", PERP.key),
        ("other", strange_order().client_order_id, ""),
    ):
        kind = f.QuarantineKind.ORDER
        hand.state.quarantine[reference] = f.Quarantined(
            hand.now_ns, account_id, kind, reference, instrument, ""
        )
    assert account(hand).unknown_orders == 3
    assert account(hand, intent("new", instrument=SPOT)).unknown_orders == 2


def test_without_a_rate_for_what_is_held_nobody_knows_what_the_account_is_worth() -> None:
    hand = Hand()
    hand.enter(intent("a"))
    euro = replace(PERP, asset="DAX/EUR", base="DAX", quote="EUR")
    hand.state.instruments[euro.key] = euro
    hand.bracket.intent = replace(hand.bracket.intent, instrument=euro.key)
    seen = account(hand)
    assert (seen.equity, seen.gross_notional) == (None, D(0))
