"""Ways out on every kind of venue: one sale at a time, in the order promised, wider and wider until flat."""

import pytest
from hypothesis import settings
from hypothesis.stateful import invariant

from neuratrade.core.model import commands as c
from neuratrade.core.model import events as e
from neuratrade.core.model.intent import CloseIntent, Direction, EntryType, ReduceIntent
from neuratrade.core.model.orders import OrderRole, OrderType, TimeInForce
from neuratrade.core.model.venue_rules import VenueRules
from tests.property.engine.test_bracket_moves import TARGETS, Venue
from tests.semantics.venues import ADDS, AMENDS, LOCKS, RESTING, STOP_LIMIT, cancelled, kinds, submits
from tests.simulation.hand import Hand
from tests.simulation.world import D, intent

ENTRY, STOP, TARGET, EXIT = OrderRole.ENTRY, OrderRole.STOP, OrderRole.TARGET, OrderRole.EXIT


@pytest.mark.parametrize("name", RESTING)
def test_a_target_cancels_awaits_proof_exits_at_once_or_not_at_all_and_guards_the_rest_again(
    name: str,
) -> None:
    hand = Hand(rules=RESTING[name])
    hand.enter(intent())
    hand.quote(110)
    assert kinds(hand.commands) == [c.CancelOrder]
    hand.wait(400)
    hand.quote(111)
    assert hand.commands == [], "no sale before the stop is proven gone"
    hand.cancelled(STOP)
    (request,) = submits(hand.commands)
    assert (request.role, request.quantity, request.limit_price) == (TARGET, D(1), D(110))
    assert request.time_in_force is TimeInForce.IOC
    hand.accept(TARGET)
    hand.fill(TARGET, "0.4", 110)
    assert submits(hand.commands) == [], "the exit still works: no stop beside it"
    hand.expired(TARGET)
    (request,) = submits(hand.commands)
    assert (request.role, request.quantity, request.stop_price) == (STOP, D("0.6"), D(95))


def test_all_stops_of_a_position_are_gone_before_its_exit_leaves() -> None:
    hand = Hand(rules=ADDS)
    hand.propose(intent(order_type=EntryType.LIMIT))
    hand.accept(ENTRY)
    hand.fill(ENTRY, "0.5", 100)
    hand.accept(STOP)
    first = hand.coid(STOP)
    hand.fill(ENTRY, "0.5", 100)
    hand.accept(STOP)
    second = hand.coid(STOP)
    hand.quote(110)
    assert {item.client_order_id for item in hand.commands if isinstance(item, c.CancelOrder)} == {
        first,
        second,
    }
    cancelled(hand, second)
    assert submits(hand.commands) == [], "the older stop may still sell"
    cancelled(hand, first)
    (request,) = submits(hand.commands)
    assert (request.role, request.quantity) == (TARGET, D(1))


def close(hand: Hand) -> None:
    hand.step(e.IntentArrived(CloseIntent("close", "paper", "op", "a", "enough", hand.now_ns), hand.now_ns))


def try_to_leave(hand: Hand) -> tuple[OrderType, D | None]:
    """The next attempt, which the market does not take."""
    hand.cancelled(STOP)
    (request,) = submits(hand.commands)
    assert request.role is EXIT
    hand.accept(EXIT)
    hand.expired(EXIT)
    hand.accept(STOP)
    return request.order_type, request.limit_price


@pytest.mark.parametrize(
    ("direction", "levels"),
    [
        (Direction.LONG, ["99.5", "99.0", "98.0", "95.0", None]),
        (Direction.SHORT, ["100.5", "101.0", "102.0", "105.0", None]),
    ],
)
def test_the_collar_of_an_exit_widens_step_by_step_until_any_price_will_do(
    direction: Direction, levels: list[str | None]
) -> None:
    hand = Hand(rules=AMENDS)
    stop = 95 if direction is Direction.LONG else 105
    hand.enter(intent(direction=direction, stop=stop, targets=()))
    close(hand)
    seen = []
    for _ in levels:
        seen.append(try_to_leave(hand))
        hand.seconds(40)
        assert hand.leaving(), "it is tried again until flat"
    wanted = [(OrderType.LIMIT, D(level)) if level else (OrderType.MARKET, None) for level in levels]
    assert seen == wanted
    hand.cancelled(STOP)
    hand.fill(EXIT, 1, 100)
    assert hand.state.brackets == {}


def test_a_collar_is_reckoned_from_the_price_of_its_own_attempt() -> None:
    hand = Hand(rules=AMENDS)
    hand.enter(intent(targets=()))
    close(hand)
    assert try_to_leave(hand)[1] == D("99.5")
    hand.quote(98, 98)
    hand.seconds(1)
    assert try_to_leave(hand)[1] == D("97.0"), "one percent under 98, on the tick"


def test_targets_that_were_missed_do_not_widen_the_collar_of_a_later_exit() -> None:
    hand = Hand(rules=AMENDS)
    hand.enter(intent())
    for _ in range(5):
        hand.quote(110)
        hand.cancelled(STOP)
        hand.accept(TARGET)
        hand.expired(TARGET)
        hand.accept(STOP)
        hand.quote(100, 100)
    close(hand)
    assert try_to_leave(hand) == (OrderType.LIMIT, D("99.5"))


def test_an_exit_that_was_done_leaves_the_next_one_its_narrow_collar() -> None:
    hand = Hand(rules=AMENDS)
    hand.enter(intent(targets=()))
    hand.step(e.IntentArrived(reduce_half(hand), hand.now_ns))
    try_to_leave(hand)
    hand.seconds(1)
    hand.cancelled(STOP)
    hand.fill(EXIT, "0.5", 99)
    hand.accept(STOP)
    close(hand)
    assert try_to_leave(hand) == (OrderType.LIMIT, D("99.5"))


def reduce_half(hand: Hand) -> ReduceIntent:
    return ReduceIntent("half", "paper", "op", "a", D("0.5"), "less", hand.now_ns)


class AnyVenue(Venue):
    """The same whims at a venue with other rules: what may still sell is never more than what is held."""

    venue_rules: VenueRules = AMENDS

    def __init__(self) -> None:
        super().__init__()
        self.hand = Hand(rules=self.venue_rules)
        self.hand.propose(intent(targets=TARGETS, trail="0.04", hold_s=90, order_type=EntryType.LIMIT))

    @invariant()
    def one_exit_at_a_time(self) -> None:
        """A way out and a stop are never both there, and no two ways out."""
        roles = [order.request.role for order in self.live_orders() if order.request.role.reduces]
        assert set(roles) == {STOP} or len(roles) <= 1, roles


class Adds(AnyVenue):
    venue_rules = ADDS


class Locks(AnyVenue):
    venue_rules = LOCKS

    @invariant()
    def one_exit_at_a_time(self) -> None:
        """Where a second sale would be refused there is only ever one."""
        roles = [order.request.role for order in self.live_orders() if order.request.role.reduces]
        assert len(roles) <= 1, roles


class StopLimits(AnyVenue):
    venue_rules = STOP_LIMIT


LIGHT = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestAdds, TestLocks, TestStopLimits = Adds.TestCase, Locks.TestCase, StopLimits.TestCase
TestAdds.settings = TestLocks.settings = TestStopLimits.settings = LIGHT
