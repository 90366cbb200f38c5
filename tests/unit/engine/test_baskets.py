"""Baskets: judged whole, entered whole, watched whole, left whole."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from neuratrade.core.engine.fold import apply
from neuratrade.core.engine.state import DeskState, state_bytes
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.approval import Verdict
from neuratrade.core.model.intent import (
    BasketIntent,
    CloseIntent,
    DefinedRisk,
    Direction,
    EntryType,
    Hedged,
    OpenIntent,
    Protection,
    ReduceIntent,
    Stop,
    Twap,
)
from neuratrade.core.model.market import NS_PER_SECOND, Quote
from neuratrade.core.model.orders import OrderRole
from tests.simulation.floor import Floor
from tests.simulation.world import CASH, FUTURE, PERP, T0, D, bar, desk_engine, intent, warm_up

S = NS_PER_SECOND
ENTRY, STOP, EXIT = OrderRole.ENTRY, OrderRole.STOP, OrderRole.EXIT
PHASE = f.BasketPhase


def hedge(other: str, cap: D | int | str = 100) -> Hedged:
    return Hedged(other, "leave all legs at market", D(cap))


def long(
    quantity: D | int | str = 50, protection: Protection | None = None, name: str = "long"
) -> OpenIntent:
    guard = hedge("short") if protection is None else protection
    return intent(name, quantity=quantity, protection=guard, targets=())


def short(quantity: D | int | str = 1, protection: Protection | None = None) -> OpenIntent:
    guard = hedge("long") if protection is None else protection
    return intent(
        "short",
        quantity=quantity,
        protection=guard,
        targets=(),
        direction=Direction.SHORT,
        instrument=FUTURE,
    )


def basket(*legs: OpenIntent, cap: D | int | str = 200, name: str = "pair") -> BasketIntent:
    """By default a long of 50 perpetuals against a short of one future that is worth as much."""
    return BasketIntent(name, "paper", "op", legs or (long(), short()), D(cap), T0)


def entered(*legs: OpenIntent, limits: dict[str, str] | None = None, cap: D | int | str = 200) -> Floor:
    floor = Floor(limits)
    judged = floor.post(basket(*legs, cap=cap))
    assert judged.approved, [layer for layer in judged.layers if layer.verdict.blocks]
    return floor


def standing(*legs: OpenIntent, limits: dict[str, str] | None = None, cap: D | int | str = 200) -> Floor:
    floor = entered(*legs, limits=limits, cap=cap)
    floor.settle()
    assert phases(floor) == [PHASE.OPEN]
    return floor


def phases(floor: Floor) -> list[f.BasketPhase]:
    return [fact.phase for fact in floor.facts if isinstance(fact, f.BasketMoved)]


def moved(floor: Floor) -> f.BasketMoved:
    return [fact for fact in floor.facts if isinstance(fact, f.BasketMoved)][-1]


def closings(floor: Floor) -> dict[str, f.CloseReason]:
    return {fact.bracket_id: fact.reason for fact in floor.facts if isinstance(fact, f.BracketClosed)}


def blocks(judged: f.IntentJudged) -> list[tuple[str, str]]:
    return [(layer.name, layer.reason) for layer in judged.layers if layer.verdict.blocks]


# judged whole


def test_the_basket_is_judged_first_then_each_leg_and_only_then_anything_is_sent() -> None:
    floor = entered()
    kinds = [fact for fact in floor.facts if isinstance(fact, f.IntentJudged | f.OrderPlanned)]
    assert [type(fact) for fact in kinds] == [*[f.IntentJudged] * 3, *[f.OrderPlanned] * 2]
    whole, first, second = (fact for fact in kinds if isinstance(fact, f.IntentJudged))
    assert isinstance(whole.intent, BasketIntent)
    assert whole.quantity == 1
    assert whole.envelope is None
    assert [fact.envelope.bracket_id for fact in (first, second) if fact.envelope] == ["long", "short"]
    assert floor.state.baskets["pair"].legs == ["long", "short"]
    assert floor.leg("short").basket_id == "pair"


@pytest.mark.parametrize(
    ("legs", "cap", "reason"),
    [
        ((long(),), 200, "too few or too many legs"),
        ((long(), long()), 200, "two of its ids are the same"),
        ((long(name="pair"), short()), 200, "two of its ids are the same"),
        ((long(), short()), 0, "its loss cap is none"),
        ((long(), short()), "NaN", "its loss cap is none"),
        ((long(), replace(short(), account_id="other")), 200, "leg short: it names another account"),
        (
            (long(), replace(short(), quantity=None)),
            200,
            "leg short: it states no quantity, so the legs have no ratio",
        ),
        (
            (long(), replace(short(), quantity=D(0))),
            200,
            "leg short: it states no quantity, so the legs have no ratio",
        ),
        (
            (long(protection=hedge("elsewhere")), short()),
            200,
            "leg long: the leg that hedges it is not in this basket",
        ),
        (
            (long(protection=hedge("long")), short()),
            200,
            "leg long: the leg that hedges it is not in this basket",
        ),
        ((long(protection=hedge("short", -1)), short()), 200, "leg long: its loss cap is none"),
    ],
)
def test_what_is_no_basket_is_refused(legs: tuple[OpenIntent, ...], cap: D | int | str, reason: str) -> None:
    floor = Floor()
    judged = floor.post(basket(*legs, cap=cap))
    assert blocks(judged) == [("basket", reason)]
    assert (floor.state.brackets, floor.state.baskets) == ({}, {})


def test_a_leg_quoted_in_another_currency_than_the_account_is_refused() -> None:
    floor = Floor()
    floor.step(f.InstrumentUpdated(T0, replace(FUTURE, quote="EUR")))
    judged = floor.post(basket())
    assert blocks(judged) == [("basket", "leg short: it is not quoted in the account's currency")]


def test_a_basket_is_judged_once() -> None:
    floor = standing()
    again = floor.post(basket())
    assert blocks(again) == [("duplicate", "this intent id was judged before")]
    assert len(floor.state.brackets) == 2


def test_a_hedged_leg_alone_is_still_refused() -> None:
    floor = Floor()
    step = floor.step(e.IntentArrived(long(), T0))
    judged = next(fact for fact in step.facts if isinstance(fact, f.IntentJudged))
    assert blocks(judged) == [("protection", "a hedged leg can only be opened with its basket")]


def test_one_leg_that_the_gate_refuses_keeps_all_out_and_says_which() -> None:
    floor = Floor({"confidence": "0.5"})
    judged = floor.post(basket(long(), replace(short(), confidence=D("0.1"))))
    assert blocks(judged) == [("confidence", "leg short: confidence is too low")]
    assert floor.state.brackets == {}
    assert "long" not in floor.state.seen


@pytest.mark.parametrize(
    ("limits", "layer"),
    [({"concurrent": "1"}, "concurrent"), ({"trades_per_day": "1"}, "trades_per_day")],
)
def test_each_leg_counts_before_the_next_one_is_judged(limits: dict[str, str], layer: str) -> None:
    judged = Floor(limits).post(basket())
    assert [name for name, _ in blocks(judged)] == [layer]


def test_together_the_legs_use_up_the_room_that_one_intent_would_have() -> None:
    # 0.1 of the equity of 100 000 is room for 100 units at 100: 60 for the first leg leave 40.
    two = (long(60, Stop(D(95)), "one"), long(60, Stop(D(95)), "two"))
    floor = entered(*two, limits={"position_fraction": "0.1"}, cap=10_000)
    quantities = [floor.leg(name).quantity for name in ("one", "two")]
    assert quantities[0] == quantities[1]
    assert sum(quantities) <= 100


def test_together_the_legs_use_up_the_leverage_that_one_intent_would_have() -> None:
    # 0.08 of the equity of 100 000 is room for 8 000: 5 000 for the long leave 3 000, less than one future.
    judged = Floor({"leverage": "0.08"}).post(basket())
    assert [name for name, _ in blocks(judged)] == ["lot"]
    assert Floor({"leverage": "0.11"}).post(basket()).approved


def test_where_one_leg_is_cut_all_are_cut_and_keep_their_ratio() -> None:
    one, two = long(60, Stop(D(95)), "one"), long(20, Stop(D(95)), "two")
    floor = entered(one, two, limits={"order_usd": "3000"}, cap=10_000)
    assert (floor.leg("one").quantity, floor.leg("two").quantity) == (D(30), D(10))
    whole = next(fact for fact in floor.facts if isinstance(fact, f.IntentJudged))
    scale = next(layer for layer in whole.layers if layer.name == "basket_scale")
    assert scale.verdict.value == "resize"
    assert whole.quantity == floor.leg("one").quantity / 60


def test_the_loss_cap_of_a_hedged_leg_is_cut_with_its_size() -> None:
    one = long(60, hedge("two", 90), "one")
    two = replace(long(60, hedge("one", 90), "two"), direction=Direction.SHORT)
    floor = entered(one, two, limits={"order_usd": "2000"})
    protection = floor.leg("one").intent.protection
    assert isinstance(protection, Hedged)
    assert protection.loss_cap / 90 == pytest.approx(floor.leg("one").quantity / 60, rel=D("0.001"))


def test_a_basket_cut_below_a_lot_is_refused_whole() -> None:
    judged = Floor({"order_usd": "100"}).post(basket(long(50), short(1)))
    assert [name for name, _ in blocks(judged)] == ["lot"]


@pytest.mark.parametrize(
    ("cap", "limits", "approved"),
    [
        (200, {}, True),
        ("199.99", {}, False),
        (200, {"risk_per_trade_fraction": "0.002"}, True),
        (200, {"risk_per_trade_fraction": "0.0019"}, False),
    ],
)
def test_the_worst_loss_by_construction_lies_within_the_cap_and_the_risk_of_one_trade(
    cap: D | int | str, limits: dict[str, str], approved: bool
) -> None:
    judged = Floor(limits).post(basket(cap=cap))
    assert judged.approved is approved
    if not approved:
        assert blocks(judged) == [("basket_loss", "the legs together could lose more than is allowed")]


def test_a_leg_with_a_stop_counts_its_distance_and_its_costs() -> None:
    # 50 units that lose 5 each make 250; two taker fees of 5 bps of 5 000 and the spread come on top.
    legs = (long(50, Stop(D(95))), short())
    assert not Floor().post(basket(*legs, cap=350)).approved
    judged = Floor().post(basket(*legs, cap=357))
    (loss,) = (layer for layer in judged.layers if layer.name == "basket_loss")
    assert judged.approved
    assert 355 < D(loss.observed) < 357


def test_a_leg_whose_risk_is_defined_is_judged_like_any_other() -> None:
    legs = (long(50, DefinedRisk(D(10))), short())
    judged = Floor().post(basket(*legs))
    assert blocks(judged) == [("protection", "leg long: only a binary outcome limits its own loss")]


# entered whole


def test_a_basket_is_open_when_all_legs_are_filled_and_bare_until_then() -> None:
    floor = entered()
    floor.fill_leg("long", ENTRY, 50, 100)
    assert not floor.leg("long").protected
    assert phases(floor) == []
    floor.wait(700)
    floor.fill_leg("short", ENTRY, 1, 100)
    assert phases(floor) == [PHASE.OPEN]
    assert floor.leg("long").protected
    assert floor.leg("short").protected
    assert floor.leg("long").unprotected_ns == 700_000_000
    floor.seconds(20)
    assert phases(floor) == [PHASE.OPEN]
    assert floor.state.accounts["paper"].opened_today == {"tactical": 2}


def test_a_leg_that_is_rejected_takes_the_others_with_it() -> None:
    floor = entered()
    floor.fill_leg("long", ENTRY, 50, 100)
    floor.step(f.OrderRejected(floor.now_ns, floor.live("short", ENTRY).request.client_order_id, "no"))
    assert phases(floor) == [PHASE.LEAVING]
    assert floor.live("long", EXIT).quantity == 50
    floor.settle(99)
    assert phases(floor) == [PHASE.LEAVING, PHASE.CLOSED]
    assert closings(floor) == {"short": f.CloseReason.NO_ENTRY, "long": f.CloseReason.KILL}
    assert floor.state.baskets == {}
    assert moved(floor).pnl == -50


def test_a_leg_that_fills_only_in_part_takes_the_others_with_it() -> None:
    floor = entered()
    floor.fill_leg("short", ENTRY, 1, 100)
    floor.fill_leg("long", ENTRY, "49.999", 100)
    assert phases(floor) == []
    floor.end_order(floor.live("long", ENTRY))
    floor.settle()
    assert phases(floor) == [PHASE.LEAVING, PHASE.CLOSED]
    assert floor.state.brackets == {}


def test_a_leg_whose_resting_entry_expires_takes_the_others_with_it() -> None:
    floor = entered(long(), replace(short(), order_type=EntryType.LIMIT, entry_expiry_ns=60 * S))
    floor.fill_leg("long", ENTRY, 50, 100)
    floor.seconds(61)
    floor.settle(enter=False)
    assert phases(floor) == [PHASE.LEAVING, PHASE.CLOSED]
    assert closings(floor)["long"] is f.CloseReason.KILL


def test_a_leg_in_doubt_is_waited_for() -> None:
    floor = entered()
    floor.fill_leg("long", ENTRY, 50, 100)
    coid = floor.live("short", ENTRY).request.client_order_id
    floor.step(f.OrderUnknown(floor.now_ns, coid, "timeout"))
    floor.seconds(1)
    assert phases(floor) == []
    floor.fill_leg("short", ENTRY, 1, 100)
    assert phases(floor) == [PHASE.OPEN]


def test_a_leg_that_was_never_taken_is_found_out_and_the_rest_is_left() -> None:
    floor = entered()
    floor.fill_leg("long", ENTRY, 50, 100)
    coid = floor.live("short", ENTRY).request.client_order_id
    for _ in range(2):
        floor.step(f.OrderNotFound(floor.now_ns, coid))
        floor.seconds(3)
    assert phases(floor) == [PHASE.LEAVING]


def test_a_leg_may_enter_in_slices() -> None:
    floor = entered(replace(long(), execution=Twap(5, 40 * S)), short())
    for _ in range(5):
        floor.settle()
        assert phases(floor) == ([PHASE.OPEN] if floor.leg("long").entered == 50 else [])
        floor.seconds(10)
    assert floor.leg("long").entered == 50
    assert phases(floor) == [PHASE.OPEN]
    assert len([fact for fact in floor.facts if isinstance(fact, f.OrderPlanned)]) == 6


# watched whole


def test_one_mark_at_the_loss_cap_leaves_all_legs() -> None:
    floor = standing()
    floor.show(PERP, "96.1")
    # 50 units lost 3.9 each, and the other leg made nothing: 195, of a cap of 200, but over the leg's own.
    assert moved(floor).phase is PHASE.LEAVING
    floor.settle("96.1")
    assert phases(floor) == [PHASE.OPEN, PHASE.LEAVING, PHASE.CLOSED]
    assert set(closings(floor).values()) == {f.CloseReason.SL}


def test_what_one_leg_loses_and_the_other_makes_is_no_loss() -> None:
    floor = standing()
    for price in (99, 98, 97, 96, 95):
        floor.show(FUTURE, price)
        floor.show(PERP, price)
    assert phases(floor) == [PHASE.OPEN]


@pytest.mark.parametrize(("bid", "left"), [("98.1", False), ("98", True)])
def test_the_cap_of_a_hedged_leg_counts_what_it_and_its_hedge_lost(bid: str, left: bool) -> None:
    floor = standing(cap=10_000)
    floor.show(PERP, bid)
    assert (moved(floor).phase is PHASE.LEAVING) is left
    if left:
        assert moved(floor).reason == "the loss cap of leg long was reached"
        assert moved(floor).pnl == -100


@pytest.mark.parametrize(("bid", "left"), [("97.1", False), ("97", True)])
def test_the_cap_of_the_basket_counts_all_legs(bid: str, left: bool) -> None:
    # Stops further off than the basket's cap: it is the basket that is left first.
    legs = (long(50, Stop(D("90"))), short(1, hedge("long", 10_000)))
    floor = Floor({"risk_per_trade_fraction": "1"})
    judged = floor.post(replace(basket(*legs), loss_cap=D(11_000)))
    assert judged.approved
    floor.settle()
    floor.state.baskets["pair"].intent = replace(floor.state.baskets["pair"].intent, loss_cap=D(150))
    floor._twin.baskets["pair"].intent = floor.state.baskets["pair"].intent
    floor.show(PERP, bid)
    assert (moved(floor).phase is PHASE.LEAVING) is left
    if left:
        assert moved(floor).reason == "the loss cap of the basket was reached"


def test_a_clock_tick_looks_too() -> None:
    floor = standing()
    floor.engine.markets.see_quote(Quote(PERP.key, floor.now_ns, D(97), D("97.1"), D(9), D(9)))
    assert phases(floor) == [PHASE.OPEN]
    floor.tick()
    assert moved(floor).phase is PHASE.LEAVING


def test_an_outlier_leaves_nothing() -> None:
    floor = standing()
    floor.show(PERP, 100)
    floor.show(PERP, 50)
    floor.tick()
    assert phases(floor) == [PHASE.OPEN]
    assert not floor.leg("long").protected
    floor.show(PERP, 100)
    floor.tick()
    assert floor.leg("long").protected


def test_an_old_price_proves_no_loss_and_counts_as_unprotected() -> None:
    floor = standing(limits={"price_age_ns": str(5 * S)})
    floor.seconds(10)
    floor.show(PERP, 97)
    # The future's price is ten seconds old: it may have moved as much.
    assert phases(floor) == [PHASE.OPEN]
    floor.tick()
    assert not floor.leg("short").protected
    floor.seconds(2)
    floor.show(FUTURE, 97)
    assert floor.leg("short").protected
    assert floor.leg("short").unprotected_ns == 2 * S
    assert phases(floor) == [PHASE.OPEN]


def test_between_the_bars_of_one_instant_no_loss_is_seen() -> None:
    floor = standing()
    for item in (PERP, FUTURE):
        moved_bar = bar(1, 100, 100, 90, 90, instrument=item)
        floor.now_ns = moved_bar.close_ns
        floor.step(e.BarClosed(moved_bar, moved_bar.close_ns))
    floor.tick()
    assert phases(floor) == [PHASE.OPEN]


def test_what_happens_between_the_bars_of_one_instant_shows_no_loss_either() -> None:
    floor = standing()
    for item in (PERP, FUTURE):
        moved_bar = bar(1, 100, 100, 90, 90, instrument=item)
        floor.now_ns = moved_bar.close_ns
        floor.step(e.BarClosed(moved_bar, moved_bar.close_ns))
        # A strategy that speaks on the first bar makes facts before the second one is seen.
        floor.post(basket(name=f"late {item.key}"))
    floor.tick()
    assert phases(floor) == [PHASE.OPEN]


def test_that_a_price_grew_old_is_found_at_a_tick_and_not_between_events() -> None:
    floor = standing(limits={"price_age_ns": str(5 * S)})
    floor.seconds(10)
    floor.post(basket(name="another"))
    assert floor.leg("long").protected
    floor.tick()
    assert not floor.leg("long").protected


# left whole


def test_the_time_a_hedged_leg_takes_to_leave_counts_as_unprotected() -> None:
    floor = standing()
    _close(floor)
    floor.wait(700)
    floor.settle()
    closed = [fact for fact in floor.facts if isinstance(fact, f.BracketClosed)]
    assert [fact.unprotected_ms for fact in closed] == [700, 700]


def test_a_leg_that_somebody_leaves_before_all_are_filled_takes_the_others_with_it() -> None:
    floor = entered(long(50, Stop(D(95))), replace(short(), order_type=EntryType.LIMIT), cap=10_000)
    floor.fill_leg("long", ENTRY, 50, 100)
    _close(floor)
    assert phases(floor) == [PHASE.LEAVING]
    assert floor.live("short", ENTRY).asked == "cancel"


def test_a_leg_that_its_stop_closed_takes_those_it_hedged_with_it() -> None:
    floor = standing(long(50, Stop(D(95))), short(1, hedge("long", 10_000)), cap=20_000)
    floor.fill_leg("long", STOP, 50, 95)
    assert moved(floor).phase is PHASE.LEAVING
    assert moved(floor).reason == "leg long, which hedges leg short, does not stand"
    assert floor.live("short", EXIT).quantity == 1
    floor.settle(95)
    assert closings(floor) == {"long": f.CloseReason.SL, "short": f.CloseReason.KILL}
    assert moved(floor).phase is PHASE.CLOSED
    assert moved(floor).pnl == 0


def test_legs_that_guard_themselves_go_on_without_each_other() -> None:
    stops = (long(50, Stop(D(95))), short(1, Stop(D(105))))
    floor = standing(*stops, cap=2_000)
    floor.fill_leg("long", STOP, 50, 95)
    assert phases(floor) == [PHASE.OPEN]
    floor.fill_leg("short", STOP, 1, 105)
    assert phases(floor) == [PHASE.OPEN, PHASE.CLOSED]
    assert moved(floor).pnl == -500


def _close(floor: Floor) -> None:
    at_ns = floor.now_ns
    floor.step(e.IntentArrived(CloseIntent("x", "paper", "op", "long", "enough", at_ns), at_ns))


def _reduce(floor: Floor) -> None:
    at_ns = floor.now_ns
    floor.step(e.IntentArrived(ReduceIntent("x", "paper", "op", "long", D("0.1"), "less", at_ns), at_ns))


def _flatten(floor: Floor) -> None:
    floor.step(e.Halt(floor.now_ns, "op", "enough", f.KillPolicy.FLATTEN_ALL))


def _close_perps(floor: Floor) -> None:
    floor.step(e.Halt(floor.now_ns, "op", "enough", f.KillPolicy.CLOSE_PERPS))


@pytest.mark.parametrize("act", [_close, _reduce, _flatten, _close_perps])
def test_whoever_leaves_one_leg_leaves_all(act: Callable[[Floor], None]) -> None:
    floor = standing()
    act(floor)
    floor.settle()
    for _ in range(20):
        floor.seconds(10)
        floor.settle()
    assert phases(floor) == [PHASE.OPEN, PHASE.LEAVING, PHASE.CLOSED]
    assert floor.state.brackets == {}


def test_a_hedged_leg_of_which_a_part_was_left_is_hedged_again_once_that_is_over() -> None:
    floor = standing(long(), short(protection=Stop(D(105))), cap=400)
    _reduce(floor)
    floor.wait(700)
    assert not floor.leg("long").protected
    floor.settle()
    leg = floor.leg("long")
    assert (leg.held, leg.protected, leg.unprotected_ns // 1_000_000) == (D(45), True, 700)
    assert phases(floor) == [PHASE.OPEN]


@pytest.mark.parametrize("filled", [(), ("long",), ("short",)])
def test_a_halt_while_legs_are_entering_leaves_what_is_in(filled: tuple[str, ...]) -> None:
    floor = entered(*(replace(leg, order_type=EntryType.LIMIT) for leg in (long(), short())))
    for name in filled:
        floor.fill_leg(name, ENTRY, floor.leg(name).quantity, 100)
    floor.step(e.Halt(floor.now_ns, "op", "enough"))
    floor.settle(enter=False)
    assert phases(floor) == [PHASE.LEAVING, PHASE.CLOSED]
    assert floor.state.brackets == {}
    assert {fact.entered > 0 for fact in floor.facts if isinstance(fact, f.BracketClosed)} == (
        {True, False} if filled else {False}
    )


def test_an_execution_that_comes_after_the_basket_is_over_is_left_at_once() -> None:
    floor = entered()
    late = floor.live("short", ENTRY)
    floor.fill_leg("long", ENTRY, 50, 100)
    floor.step(f.OrderRejected(floor.now_ns, late.request.client_order_id, "no"))
    floor.settle()
    assert floor.state.baskets == {}
    floor.fill_order(late, D(1), D(100))
    assert floor.live("short", EXIT).quantity == 1
    floor.settle()
    assert floor.state.brackets == {}


# after a crash


def whole_story(ending: str) -> Floor:
    """A basket from its posting to its end, with everything that can happen in between."""
    floor = Floor()
    floor.post(basket(long(), replace(short(), order_type=EntryType.LIMIT)))
    floor.fill_leg("long", ENTRY, 20, 100)
    floor.seconds(1)
    floor.fill_leg("long", ENTRY, 30, 100)
    if ending == "never whole":
        floor.step(f.OrderExpired(floor.now_ns, floor.live("short", ENTRY).request.client_order_id, D(0)))
    else:
        floor.fill_leg("short", ENTRY, 1, 100)
        floor.seconds(1)
        floor.show(PERP, 97)
    floor.settle(97)
    assert floor.state.baskets == {}
    return floor


@pytest.mark.parametrize("ending", ["never whole", "loss cap"])
def test_a_crash_at_any_fact_ends_with_a_whole_basket_or_with_none(ending: str) -> None:
    facts = whole_story(ending).facts
    assert len(facts) > 15
    for cut in range(1, len(facts) + 1):
        floor = Floor()
        floor.now_ns = facts[cut - 1].at_ns + 5 * S
        _restart(floor, facts[:cut])
        floor.recover()
        for _ in range(12):
            floor.settle(97)
            floor.seconds(10)
        where = f"cut after fact {cut}, {facts[cut - 1]}"
        for bracket in floor.state.brackets.values():
            assert bracket.protected, where
        held = {name: leg.held for name, leg in floor.state.brackets.items()}
        if floor.state.baskets:
            assert held == {"long": 50, "short": 1}, where
            assert floor.state.baskets["pair"].phase is PHASE.OPEN, where
        else:
            assert held == {}, where
            positions = floor.state.accounts["paper"].positions.values()
            assert all(position.quantity == 0 for position in positions), where
        seen = {fact.fill.trade_id for fact in floor.facts if isinstance(fact, f.OrderFilled)}
        assert len(seen) == len([fact for fact in floor.facts if isinstance(fact, f.OrderFilled)])


def _restart(floor: Floor, facts: list[f.Fact]) -> None:
    floor.facts = list(facts)
    floor._trades = 1000
    state, floor._twin = DeskState(), DeskState()
    for fact in facts:
        apply(state, fact)
        apply(floor._twin, f.decode_fact(f.encode_fact(fact)))
    assert state_bytes(state) == state_bytes(floor._twin)
    floor.engine = desk_engine(state, rules=floor.rules)
    warm_up(floor.engine)


def test_the_ledger_and_the_baskets_say_the_same() -> None:
    floor = whole_story("loss cap")
    account = floor.state.accounts["paper"]
    assert account.balances["USDT"] - CASH == moved(floor).pnl


def test_a_basket_that_nothing_cuts_is_approved_at_its_own_scale() -> None:
    judged = Floor().post(basket())
    (scale,) = (layer for layer in judged.layers if layer.name == "basket_scale")
    assert (scale.verdict, scale.reason, scale.observed) == (Verdict.APPROVE, "", "1")


def test_a_restart_leaves_a_basket_that_stands_as_it_is() -> None:
    floor = standing()
    floor.crash_after(f.BasketMoved)
    floor.recover()
    floor.settle()
    assert phases(floor)[-1] is PHASE.OPEN
    assert not any(isinstance(fact, f.TriggerFired) for fact in floor.facts)
    assert floor.state.baskets["pair"].legs == ["long", "short"]


@pytest.mark.parametrize(("count", "taken"), [(2, True), (10, True), (11, False)])
def test_a_basket_has_two_to_ten_legs(count: int, taken: bool) -> None:
    legs = [long(1, Stop(D(95)), f"leg{place}") for place in range(count)]
    judged = Floor().post(basket(*legs, cap=1000))
    assert judged.approved is taken
    assert judged.quantity == (1 if taken else 0)


def test_small_legs_and_small_caps_make_a_basket_too() -> None:
    one = long("0.5", hedge("two", "0.5"), "one")
    two = replace(long("0.5", hedge("one", "0.5"), "two"), direction=Direction.SHORT)
    assert Floor().post(basket(one, two, cap="1")).approved
    assert blocks(Floor().post(basket(one, two, cap="0.99")))[0][0] == "basket_loss"


@pytest.mark.parametrize("quantity", ["NaN", "Infinity", "-0.5"])
def test_a_leg_whose_quantity_is_no_amount_is_refused_like_one_without(quantity: str) -> None:
    judged = Floor().post(basket(long(), short(D(quantity))))
    assert [reason for _, reason in blocks(judged)] == [
        "leg short: it states no quantity, so the legs have no ratio"
    ]


def test_a_leg_in_what_nobody_knows_and_a_basket_of_an_account_nobody_knows_are_refused() -> None:
    unknown = replace(short(), instrument="NOBODY@test")
    judged = Floor().post(basket(long(), unknown))
    assert (judged.approved, judged.quantity) == (False, D(0))
    assert {reason.partition(":")[0] for _, reason in blocks(judged)} == {"leg short"}
    legs = tuple(replace(leg, account_id="nobody") for leg in (long(), short()))
    floor = Floor()
    assert not floor.post(BasketIntent("pair", "nobody", "op", legs, D(200), T0)).approved
    assert floor.state.brackets == {}


def test_a_basket_is_cut_to_the_share_of_the_leg_that_is_cut_most_wherever_it_stands() -> None:
    legs = [long(quantity, Stop(D(95)), f"leg{quantity}") for quantity in (20, 60, 40)]
    floor = entered(*legs, limits={"order_usd": "3000"}, cap=10_000)
    assert [floor.leg(f"leg{quantity}").quantity for quantity in (20, 60, 40)] == [10, 30, 20]
    whole = next(fact for fact in floor.facts if isinstance(fact, f.IntentJudged))
    assert whole.quantity == D("0.5")


def test_what_a_stop_may_lose_counts_for_each_unit_of_each_leg() -> None:
    legs = [long(2, Stop(D(95)), "two"), long(3, Stop(D(90)), "three")]
    judged = Floor().post(basket(*legs, cap=1000))
    (loss,) = (layer for layer in judged.layers if layer.name == "basket_loss")
    # 2 * 5 + 3 * 10, and the fees both ways on top.
    assert 40 < D(loss.observed) < 41
    assert loss.limit == "1000"
    assert Floor().post(basket(*legs, cap=D(loss.observed))).approved
    assert not Floor().post(basket(*legs, cap=40)).approved


def test_the_risk_of_one_trade_limits_a_basket_whose_cap_is_higher() -> None:
    limits = {"risk_per_trade_fraction": "0.0015"}
    judged = Floor(limits).post(basket(cap=1_000_000))
    (loss,) = (layer for layer in judged.layers if layer.name == "basket_loss")
    assert (loss.observed, loss.limit) == ("200", "150")
    assert not judged.approved


def test_a_leg_that_lost_any_part_of_itself_hedges_no_other_any_more() -> None:
    floor = standing(long(50, Stop(D(95))), short(), cap=1000)
    assert not any(isinstance(fact, f.TriggerFired) for fact in floor.facts)
    floor.fill_leg("long", STOP, "0.5", 95)
    assert phases(floor)[-1] is PHASE.LEAVING
    floor.settle()
    assert set(closings(floor)) == {"long", "short"}


@pytest.mark.parametrize("blind", [False, True])
def test_legs_are_left_at_their_last_price_and_where_none_is_known_at_their_stop(blind: bool) -> None:
    floor = standing(long(50, Stop(D(95))), short(), cap=1000)
    floor.show(FUTURE, 100)
    if blind:
        floor.engine = desk_engine(floor.state)
    floor.fill_leg("long", STOP, "0.5", 95)
    fired = {fact.bracket_id: fact.level for fact in floor.facts if isinstance(fact, f.TriggerFired)}
    mid = D(100) + FUTURE.tick / 2
    assert fired == {"long": D(95) if blind else D(100), "short": D(0) if blind else mid}
