"""A bracket under any order of venue answers: hypothesis is the venue, and every invariant holds."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from neuratrade.core.engine.state import OrderState
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import CloseIntent, EntryType, ReduceIntent
from neuratrade.core.model.orders import OrderRole, OrderStatus
from tests.simulation.hand import Hand
from tests.simulation.invariants import check_order_of_time, check_stops_only_tighten
from tests.simulation.world import D, fill_of, intent

TARGETS = ((105, "0.4"), (110, "0.6"))


class Venue(RuleBasedStateMachine):
    """Answers what was asked, late and in any order, fills at whim, and lets people meddle."""

    def __init__(self) -> None:
        super().__init__()
        self.hand = Hand()
        self.count = 0
        self.hand.propose(intent(targets=TARGETS, trail="0.04", hold_s=90, order_type=EntryType.LIMIT))

    def live_orders(self) -> list[OrderState]:
        return [order for order in self.hand.state.orders.values() if order.is_live]

    def some(self, number: int, *, asked: str | None = None) -> OrderState | None:
        orders = [order for order in self.live_orders() if asked is None or order.asked == asked]
        return orders[number % len(orders)] if orders else None

    @rule(number=st.integers(0, 5))
    def accept(self, number: int) -> None:
        order = self.some(number)
        if order is not None and order.status is OrderStatus.PLANNED:
            self.hand.step(f.OrderAccepted(self.hand.now_ns, order.request.client_order_id, "V"))

    @rule(number=st.integers(0, 5), tenths=st.integers(1, 10), price=st.integers(900, 1150))
    def fill(self, number: int, tenths: int, price: int) -> None:
        order = self.some(number)
        if order is None or order.status is OrderStatus.PLANNED:
            return
        wanted = order.remaining * tenths / 10
        quantity = (
            wanted
            if tenths == 10
            else self.hand.state.instruments[order.request.instrument].round_quantity(wanted)
        )
        if quantity <= 0:
            return
        self.count += 1
        fill = fill_of(order.request, quantity, D(price) / 10, f"t{self.count}", self.hand.now_ns, fee="0.01")
        self.hand.step(f.OrderFilled(self.hand.now_ns, fill))

    @rule(number=st.integers(0, 5))
    def confirm_cancel(self, number: int) -> None:
        order = self.some(number, asked="cancel")
        if order is not None:
            self.hand.step(f.OrderCancelled(self.hand.now_ns, order.request.client_order_id))

    @rule(number=st.integers(0, 5))
    def refuse_request(self, number: int) -> None:
        order = self.some(number)
        if order is not None and order.asked:
            self.hand.step(f.RequestRejected(self.hand.now_ns, order.request.client_order_id, "no"))

    @rule()
    def confirm_amend(self) -> None:
        order = self.some(0, asked="amend")
        plans = [fact for fact in self.hand.facts if isinstance(fact, f.AmendPlanned)]
        if order is not None and plans[-1].quantity > order.filled:
            last = plans[-1]
            coid = order.request.client_order_id
            self.hand.step(f.OrderAmended(self.hand.now_ns, coid, last.quantity, last.stop_price))

    @rule(number=st.integers(0, 5))
    def reject(self, number: int) -> None:
        order = self.some(number)
        if order is not None and order.status is OrderStatus.PLANNED:
            self.hand.step(f.OrderRejected(self.hand.now_ns, order.request.client_order_id, "no"))

    @rule(number=st.integers(0, 5))
    def end_by_itself(self, number: int) -> None:
        order = self.some(number)
        if order is not None and order.status is not OrderStatus.PLANNED:
            self.hand.step(f.OrderCancelled(self.hand.now_ns, order.request.client_order_id, "venue"))

    @rule(number=st.integers(0, 5))
    def lose_track(self, number: int) -> None:
        order = self.some(number)
        if order is not None:
            self.hand.step(f.OrderUnknown(self.hand.now_ns, order.request.client_order_id, "timeout"))

    @rule(number=st.integers(0, 5), found=st.booleans())
    def answer_look_up(self, number: int, found: bool) -> None:
        order = self.some(number)
        if order is None or order.status is not OrderStatus.UNKNOWN:
            return
        coid = order.request.client_order_id
        if found or order.filled:
            self.hand.step(f.OrderAccepted(self.hand.now_ns, coid, "V"))
        else:
            self.hand.step(f.OrderNotFound(self.hand.now_ns, coid))

    @rule(bid=st.integers(900, 1150))
    def quote(self, bid: int) -> None:
        self.hand.quote(D(bid) / 10)

    @rule(ms=st.sampled_from([1, 50, 1000, 6000, 61_000]))
    def wait(self, ms: int) -> None:
        self.hand.wait(ms)
        self.hand.tick()

    @rule(fraction=st.sampled_from(["0.1", "0.5", "1"]))
    def reduce(self, fraction: str) -> None:
        self.count += 1
        now_ns = self.hand.now_ns
        order = ReduceIntent(f"r{self.count}", "paper", "op", "a", D(fraction), "less", now_ns)
        self.hand.step(e.IntentArrived(order, now_ns))

    @rule()
    def close(self) -> None:
        self.count += 1
        now_ns = self.hand.now_ns
        self.hand.step(e.IntentArrived(CloseIntent(f"c{self.count}", "paper", "op", "a", "", now_ns), now_ns))

    @precondition(lambda self: self.hand.state.brackets)
    @rule()
    def restart(self) -> None:
        self.hand.recover()

    @invariant()
    def the_position_is_what_the_bracket_holds(self) -> None:
        positions = self.hand.state.accounts["paper"].positions
        held = sum((bracket.held_signed for bracket in self.hand.state.brackets.values()), D(0))
        assert sum((item.quantity for item in positions.values()), D(0)) == held

    @invariant()
    def one_exit_at_a_time(self) -> None:
        exits = [order for order in self.live_orders() if order.request.role is not OrderRole.ENTRY]
        assert len(exits) <= 1, [order.request.role for order in exits]

    def teardown(self) -> None:
        check_order_of_time(self.hand.facts)
        check_stops_only_tighten(self.hand.facts)


TestVenue = Venue.TestCase
TestVenue.settings = settings(max_examples=80, stateful_step_count=50, deadline=None)
