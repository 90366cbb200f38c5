"""A trading floor for several brackets: answers the orders of an engine driven by hand, leg by leg."""

from neuratrade.core.engine.state import BracketState, OrderState
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import BasketIntent
from neuratrade.core.model.market import Quote
from neuratrade.core.model.orders import OrderRole, OrderStatus, OrderType
from tests.simulation.hand import Hand
from tests.simulation.world import D, fill_of


class Floor(Hand):
    """One engine and the answers to all of its orders. prices: what market orders fill at, by instrument."""

    def post(self, basket: BasketIntent) -> f.IntentJudged:
        """Sends a basket; the answer to it as a whole."""
        step = self.step(e.IntentArrived(basket, self.now_ns))
        return next(fact for fact in step.facts if isinstance(fact, f.IntentJudged))

    def leg(self, name: str) -> BracketState:
        return self.state.brackets[name]

    def live(self, name: str, role: OrderRole) -> OrderState:
        """The order of a leg in this role that may still fill."""
        (order,) = (
            order
            for order in self.state.orders.values()
            if order.request.bracket_id == name and order.request.role is role and order.is_live
        )
        return order

    def fill_leg(self, name: str, role: OrderRole, quantity: D | int | str, price: D | int | str) -> None:
        self.fill_order(self.live(name, role), D(quantity), D(price))

    def fill_order(self, order: OrderState, quantity: D, price: D) -> None:
        self._trades += 1
        fill = fill_of(order.request, quantity, price, f"t{self._trades}", self.now_ns)
        self.step(f.OrderFilled(self.now_ns, fill))

    def end_order(self, order: OrderState) -> None:
        """The venue cancels what is left of an order and states what it filled."""
        coid = order.request.client_order_id
        self.step(f.OrderCancelled(self.now_ns, coid, "", order.filled))

    def show(self, instrument: Instrument, bid: D | int | str) -> None:
        """A quote of an instrument, one tick wide."""
        low = D(bid)
        self.step(Quote(instrument.key, self.now_ns, low, low + instrument.tick, D(100), D(100)))

    def settle(self, price: D | int | str = 100, *, enter: bool = True) -> None:
        """Answers every order until none waits for an answer. enter: also fill entries."""
        for _ in range(200):
            waiting = [order for order in self.state.orders.values() if self._waits(order, enter=enter)]
            if not waiting:
                return
            self._answer(waiting[0], D(price), enter=enter)
        raise AssertionError("the engine never comes to rest")

    @staticmethod
    def _waits(order: OrderState, *, enter: bool) -> bool:
        if not order.is_live:
            return False
        resting = order.request.role is OrderRole.STOP or (
            order.request.role is OrderRole.ENTRY and not enter
        )
        return not resting or order.status in (OrderStatus.PLANNED, OrderStatus.UNKNOWN) or bool(order.asked)

    def _answer(self, order: OrderState, price: D, *, enter: bool) -> None:
        request, coid = order.request, order.request.client_order_id
        if order.asked == "cancel":
            self.end_order(order)
        elif order.asked == "amend":
            stop = self.state.brackets[request.bracket_id].stop_price
            self.step(f.OrderAmended(self.now_ns, coid, order.asked_quantity, stop))
        elif order.status in (OrderStatus.PLANNED, OrderStatus.UNKNOWN):
            self.step(f.OrderAccepted(self.now_ns, coid, f"V{coid[:8]}"))
        elif request.role is not OrderRole.STOP and (enter or request.role is not OrderRole.ENTRY):
            at = request.limit_price if request.order_type is OrderType.LIMIT else None
            self.fill_order(order, order.remaining, price if at is None else at)
