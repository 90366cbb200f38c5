"""An order of unknown fate keeps no stop waiting where the venue could not fill both, and does elsewhere."""

from itertools import pairwise

import pytest
from msgspec.structs import replace

from neuratrade.core.engine.supervision import LONGEST_OWED_NS
from neuratrade.core.engine.turn import CANCEL_AGAIN_NS
from neuratrade.core.model import commands as c
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.orders import OrderRequest, OrderRole
from neuratrade.core.model.venue_rules import VenueRules
from tests.simulation.hand import Hand
from tests.simulation.snapshots import look
from tests.simulation.world import PERP, SPOT, D, fill_of, intent

ENTRY, STOP, EXIT = OrderRole.ENTRY, OrderRole.STOP, OrderRole.EXIT
OWNED = VenueRules(amends_stops=False, balance_lock=True, sells_only_what_is_held=True)
TRUSTING = replace(OWNED, sells_only_what_is_held=False)


def bare(rules: VenueRules = OWNED, item: Instrument = PERP, other: str = "0", quantity: int = 2) -> Hand:
    """A position just entered whose first stop is of unknown fate; beside it another bracket, or none."""
    hand = Hand(rules=rules, checked=False)
    if D(other):
        hand.enter(intent("other", instrument=item, quantity=D(other), targets=()))
    hand.propose(intent("mine", instrument=item, quantity=quantity, targets=()))
    fill_entry(hand, quantity)
    hand.step(f.OrderUnknown(hand.now_ns, newest(hand).client_order_id, "timeout"))
    assert not sent(hand), "nothing more leaves before anybody asked"
    return hand


def fill_entry(hand: Hand, quantity: int) -> None:
    entry = newest(hand).client_order_id
    hand.step(f.OrderAccepted(hand.now_ns, entry, "entry"))
    order = hand.state.orders[entry]
    fill = fill_of(order.request, quantity, 100, "entered", hand.now_ns, 0, "USDT")
    hand.step(f.OrderFilled(hand.now_ns, fill))


def newest(hand: Hand) -> OrderRequest:
    """The order planned last."""
    return [fact.request for fact in hand.facts if isinstance(fact, f.OrderPlanned)][-1]


def sent(hand: Hand) -> list[OrderRequest]:
    """Orders that the last step sent."""
    return [item.order.request for item in hand.commands if isinstance(item, c.SubmitOrder)]


def planned(hand: Hand, role: OrderRole) -> list[OrderRequest]:
    """Orders of a role so far."""
    return [f_.request for f_ in hand.facts if isinstance(f_, f.OrderPlanned) and f_.request.role is role]


@pytest.mark.parametrize("item", [PERP, SPOT])
def test_another_stop_is_sent_while_the_first_one_is_in_doubt_and_guards(item: Instrument) -> None:
    hand = bare(item=item)
    hand.seconds(3)
    first, second = planned(hand, STOP)
    assert first.client_order_id != second.client_order_id, "nothing is ever sent again"
    assert (first.quantity, first.stop_price) == (second.quantity, second.stop_price)
    hand.step(f.OrderAccepted(hand.now_ns, second.client_order_id, "V2"))
    assert hand.bracket.protected
    assert hand.state.orders[first.client_order_id].in_doubt, "it is asked about until that is clear"


def test_of_two_stops_that_are_both_there_one_is_taken_away_at_once() -> None:
    hand = bare()
    hand.seconds(3)
    first, second = planned(hand, STOP)
    hand.step(f.OrderAccepted(hand.now_ns, second.client_order_id, "V2"))
    hand.step(f.OrderAccepted(hand.now_ns, first.client_order_id, "V1"))
    (cancelled,) = [item for item in hand.commands if isinstance(item, c.CancelOrder)]
    assert cancelled.client_order_id == second.client_order_id
    hand.step(f.OrderCancelled(hand.now_ns, second.client_order_id, "asked", D(0)))
    assert hand.bracket.protected


def test_where_the_venue_might_fill_both_the_first_ones_fate_is_waited_for() -> None:
    hand = bare(rules=TRUSTING)
    hand.seconds(4)
    assert len(planned(hand, STOP)) == 1


@pytest.mark.parametrize(
    ("item", "other", "stops"), [(PERP, "0.1", 1), (SPOT, "1.99", 2), (SPOT, "2", 1), (SPOT, "3", 1)]
)
def test_what_others_hold_of_it_might_be_sold_instead(item: Instrument, other: str, stops: int) -> None:
    hand = bare(item=item, other=other)
    hand.seconds(3)
    mine = [request for request in planned(hand, STOP) if request.bracket_id == "mine"]
    assert len(mine) == stops


def test_what_is_foreign_might_be_sold_instead() -> None:
    hand = Hand(rules=OWNED, checked=False)
    look(hand, positions={PERP.key: 3})
    hand.seconds(10)
    hand.propose(intent("mine", quantity=2, targets=()))
    fill_entry(hand, 2)
    hand.step(f.OrderUnknown(hand.now_ns, newest(hand).client_order_id, "timeout"))
    hand.seconds(4)
    assert len(planned(hand, STOP)) == 1


def test_a_stop_that_the_venue_once_took_is_always_waited_for() -> None:
    hand = Hand(rules=OWNED, checked=False)
    hand.enter(intent("mine", quantity=2, targets=()))
    hand.step(f.OrderUnknown(hand.now_ns, hand.coid(STOP), "its cancel was not answered"))
    hand.seconds(4)
    assert len(planned(hand, STOP)) == 1
    assert planned(hand, EXIT) == []


def leaving() -> tuple[Hand, OrderRequest]:
    """A position whose stops are all in doubt, and that is being left; the order that leaves it, in doubt."""
    hand = bare()
    hand.seconds(2)
    doubt(hand, planned(hand, STOP)[-1])
    for _ in range(3):
        if not planned(hand, EXIT):
            hand.seconds(2)
            doubt(hand, newest(hand))
    (way_out,) = planned(hand, EXIT)
    return hand, way_out


def doubt(hand: Hand, request: OrderRequest) -> None:
    """Nobody knows what became of an order."""
    hand.step(f.OrderUnknown(hand.now_ns, request.client_order_id, "timeout"))


def test_a_stop_in_doubt_keeps_no_way_out_waiting_and_a_way_out_in_doubt_no_stop() -> None:
    hand, _ = leaving()
    before = len(planned(hand, STOP))
    hand.seconds(3)
    assert len(planned(hand, STOP)) == before + 1
    assert len({request.client_order_id for request in planned(hand, STOP)}) == before + 1


def test_a_way_out_that_was_filled_after_all_takes_the_stop_away_and_nothing_is_sold_twice() -> None:
    hand, way_out = leaving()
    hand.seconds(3)
    stop = planned(hand, STOP)[-1]
    hand.step(f.OrderAccepted(hand.now_ns, stop.client_order_id, "V9"))
    hand.step(f.OrderFilled(hand.now_ns, fill_of(way_out, 2, 99, "out", hand.now_ns, 0, "USDT")))
    assert hand.state.orders[stop.client_order_id].asked == "cancel"
    assert hand.bracket.held == 0


def test_what_nothing_waits_for_is_asked_about_more_and_more_rarely() -> None:
    hand = bare()
    hand.seconds(3)
    first, second = planned(hand, STOP)
    hand.step(f.OrderAccepted(hand.now_ns, second.client_order_id, "V2"))
    asked: list[int] = []
    for _ in range(180):
        hand.seconds(1)
        hand.step(e.ClockTick(hand.now_ns))
        if any(
            isinstance(item, c.LookUpOrder) and item.client_order_id == first.client_order_id
            for item in hand.commands
        ):
            asked.append(hand.now_ns)
    waits = [late - early for early, late in pairwise(asked)]
    assert waits == sorted(waits)
    assert waits[0] < 10 * NS_PER_SECOND
    assert waits[-1] == LONGEST_OWED_NS


def test_the_end_of_an_order_nobody_spoke_of_is_asked_for_only_now_and_then() -> None:
    hand = bare(TRUSTING)
    stop = newest(hand).client_order_id
    asked: list[int] = []

    def look_for_cancels() -> None:
        asked.extend(hand.now_ns for item in hand.commands if isinstance(item, c.CancelOrder))
        if any(isinstance(item, c.CancelOrder) for item in hand.commands):
            hand.step(f.RequestRejected(hand.now_ns, stop, "unknown order"))
            asked.extend(hand.now_ns for item in hand.commands if isinstance(item, c.CancelOrder))

    begun_ns = hand.now_ns
    hand.step(e.Halt(hand.now_ns, "op", "enough", f.KillPolicy.FLATTEN_ALL))
    look_for_cancels()
    while hand.now_ns < begun_ns + 21 * NS_PER_SECOND:
        hand.seconds(1)
        look_for_cancels()
        hand.quote(100)
        look_for_cancels()
    assert len(asked) >= 4, "and it is asked for again"
    assert all(later - earlier >= CANCEL_AGAIN_NS for earlier, later in pairwise(asked))
    hand.step(f.OrderAccepted(hand.now_ns, stop, "V1"))
    there = len(hand.facts)
    hand.seconds(2)
    assert any(isinstance(item, f.CancelPlanned) for item in hand.facts[there:]), "once it is there, soon"
