"""A venue may say anything: nothing it says crashes the engine, and what really happened is booked."""

import pytest
from msgspec.structs import replace

from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import EntryType
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.orders import OrderRole, OrderStatus, Side
from tests.simulation.hand import Hand
from tests.simulation.world import PERP, T0, D, fill_of, intent

ENTRY, STOP, TARGET, EXIT = OrderRole.ENTRY, OrderRole.STOP, OrderRole.TARGET, OrderRole.EXIT


def some_fill(hand: Hand, **changes: object) -> f.OrderFilled:
    fill = fill_of(hand.order(ENTRY).request, 1, 100, "odd", hand.now_ns)
    return f.OrderFilled(hand.now_ns, replace(fill, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"quantity": D(-1)},
        {"quantity": D(0)},
        {"quantity": D("NaN")},
        {"quantity": D("Infinity")},
        {"price": D(0)},
        {"price": D("NaN")},
        {"fee": D("NaN")},
        {"instrument": "ETH/USDT@test"},
        {"instrument": "nothing@nowhere"},
        {"account_id": "somebody"},
        {"side": Side.SELL},
        {"client_order_id": "f" * 32},
    ],
    ids=str,
)
def test_a_fill_that_cannot_be_true_goes_to_quarantine_once_and_moves_nothing(
    changes: dict[str, object],
) -> None:
    hand = Hand()
    hand.propose(intent())
    hand.accept(ENTRY)
    told = some_fill(hand, **changes)
    step = hand.step(told)
    if changes.get("account_id") == "somebody":
        assert step.facts == []
    else:
        (fact,) = step.facts
        assert isinstance(fact, f.Quarantined)
        assert fact.kind is f.QuarantineKind.FILL
        assert list(hand.state.quarantine) == [f"{told.fill.instrument}:{told.fill.trade_id}"]
    assert hand.step(told).facts == []
    assert hand.state.accounts["paper"].positions == {}
    assert hand.bracket.held == 0


@pytest.mark.parametrize(
    "event",
    [
        f.OrderAccepted(T0, "nobody", "V"),
        f.OrderRejected(T0, "nobody", "no"),
        f.OrderCancelled(T0, "nobody"),
        f.OrderExpired(T0, "nobody"),
        f.OrderAmended(T0, "nobody", D(1), D(1)),
        f.RequestRejected(T0, "nobody", "no"),
        f.OrderUnknown(T0, "nobody", "?"),
        f.OrderNotFound(T0, "nobody"),
        f.CashMoved(T0, "nobody", "USDT", D(1)),
        f.TimerFired(T0, "hold:nobody"),
    ],
    ids=lambda event: type(event).__name__,
)
def test_word_about_the_unknown_is_not_recorded(event: f.VenueEvent) -> None:
    hand = Hand()
    assert hand.step(event).facts == []
    assert hand.engine.strays == (0 if isinstance(event, f.TimerFired) else 1)


def test_a_fill_that_is_told_twice_counts_once() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT))
    hand.accept(ENTRY)
    step = hand.fill(ENTRY, "0.5", 100)
    told = next(fact for fact in step.facts if isinstance(fact, f.OrderFilled))
    assert hand.step(told).facts == []
    assert hand.bracket.held == D("0.5")


def test_more_filled_than_asked_is_booked_and_protected() -> None:
    hand = Hand(checked=False)
    hand.propose(intent())
    hand.accept(ENTRY)
    hand.fill(ENTRY, 3, 100)
    assert hand.state.accounts["paper"].positions[PERP.key].quantity == 3
    assert hand.order(STOP).request.quantity == 3


def test_more_left_than_held_is_booked_and_halts_the_desk_for_a_person() -> None:
    hand = Hand(checked=False)
    hand.enter(intent())
    hand.fill(STOP, 3, 95)
    assert hand.state.accounts["paper"].positions[PERP.key].quantity == -2
    assert hand.state.trading_state is f.TradingState.HALTED
    assert hand.state.governor == "reconcile"
    assert hand.state.latched


def test_a_stop_that_fills_again_after_its_bracket_is_over_is_booked_and_undone() -> None:
    hand = Hand(checked=False)
    hand.enter(intent())
    request = hand.order(STOP).request
    hand.fill(STOP, 1, 95)
    late = f.OrderFilled(hand.now_ns, fill_of(request, 1, 94, "late", hand.now_ns))
    step = hand.step(late)
    assert isinstance(step.facts[0], f.BracketReopened)
    assert hand.state.accounts["paper"].positions[PERP.key].quantity == -1
    assert hand.state.trading_state is f.TradingState.HALTED
    back = hand.order(EXIT).request
    assert (back.side, back.quantity) == (Side.BUY, D(1))
    assert hand.step(late).facts == []
    hand.fill(EXIT, 1, 94)
    assert hand.state.brackets == {}
    assert hand.state.accounts["paper"].positions[PERP.key].quantity == 0


def test_an_entry_that_fills_after_its_bracket_was_over_is_guarded() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT))
    hand.accept(ENTRY)
    request = hand.order(ENTRY).request
    hand.cancelled(ENTRY)
    assert hand.state.brackets == {}
    late = f.OrderFilled(hand.now_ns, fill_of(request, 1, 100, "late", hand.now_ns))
    hand.step(late)
    assert hand.order(STOP).request.quantity == 1
    hand.accept(STOP)
    assert hand.bracket.protected
    hand.fill(STOP, 1, 95)
    assert hand.closed.pnl == -5
    assert hand.state.counts.trades == 1


def test_a_fill_that_comes_late_behind_its_cancel_is_booked_and_revives_no_order() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT))
    hand.accept(ENTRY)
    hand.fill(ENTRY, "0.5", 100)
    hand.accept(STOP)
    hand.cancelled(ENTRY)
    hand.fill(ENTRY, "0.2", 100)
    assert hand.order(ENTRY).status is OrderStatus.CANCELLED
    assert hand.bracket.held == D("0.7")
    hand.amended(STOP, "0.7", 95)
    assert hand.bracket.protected


def test_a_late_fill_of_an_earlier_exit_does_not_end_the_one_under_way() -> None:
    # The exit under way is larger than what is left then: only the venue can refuse it, or a person look.
    hand = Hand(checked=False)
    hand.enter(intent(hold_s=60))
    hand.quote(110)
    hand.cancelled(STOP)
    first = hand.order(TARGET).request
    hand.cancelled(TARGET)
    hand.accept(STOP)
    hand.seconds(60)
    hand.cancelled(STOP)
    hand.step(f.OrderFilled(hand.now_ns, fill_of(first, "0.2", 110, "late", hand.now_ns)))
    assert hand.leaving()
    assert hand.bracket.held == D("0.8")


def test_an_amend_to_nonsense_is_not_believed() -> None:
    hand = Hand()
    hand.enter(intent())
    for quantity in (D(0), D(-1), D("NaN")):
        assert hand.step(f.OrderAmended(hand.now_ns, hand.coid(STOP), quantity, D(95))).facts == []
    assert hand.bracket.protected


def test_engine_time_never_goes_back_and_late_word_is_true_from_now_on() -> None:
    hand = Hand()
    hand.propose(intent())
    hand.wait(5000)
    hand.tick()
    coid = hand.coid(ENTRY)
    step = hand.engine.step(f.OrderAccepted(T0 - NS_PER_SECOND, coid, "V"))
    assert [fact.at_ns for fact in step.facts] == [hand.now_ns]
    step = hand.engine.step(f.OrderFilled(T0, fill_of(hand.order(ENTRY).request, 1, 100, "t", T0)))
    assert {fact.at_ns for fact in step.facts} == {hand.now_ns}
    bare = [fact for fact in step.facts if isinstance(fact, f.ProtectionChanged)]
    assert [fact.since_ns for fact in bare] == [T0], "what was entered is bare since then"
    filled = step.facts[0]
    assert isinstance(filled, f.OrderFilled)
    assert filled.fill.at_ns == T0, "the venue's own time is kept"


def test_a_timer_that_fires_too_early_is_not_believed() -> None:
    hand = Hand()
    hand.enter(intent(hold_s=60))
    assert hand.step(f.TimerFired(hand.now_ns, "hold:a")).facts == []
    assert "hold:a" in hand.state.timers


def test_an_event_of_the_past_is_handled_at_the_present() -> None:
    hand = Hand()
    hand.wait(60_000)
    hand.tick()
    hand.step(e.ClockTick(T0))
    assert hand.state.now_ns == T0 + 60 * NS_PER_SECOND
