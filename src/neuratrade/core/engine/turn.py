"""One turn of the engine: facts are folded the moment they are made, commands wait for the journal.

Every order of the desk passes `Turn.send`, and `Turn.send` passes `permit.approve`: there is no second way
to make a command that carries an order.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from neuratrade.core.engine.fold import apply
from neuratrade.core.engine.state import BracketState, DeskState, OrderState
from neuratrade.core.model.approval import Approved
from neuratrade.core.model.commands import (
    AmendOrder,
    CancelOrder,
    Command,
    LookUpOrder,
    SubmitOrder,
    TakeSnapshot,
)
from neuratrade.core.model.decimals import ONE
from neuratrade.core.model.facts import AmendPlanned, CancelPlanned, Fact, OrderPlanned, TimerSet
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.orders import (
    OrderRequest,
    OrderRole,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
    client_order_id,
)
from neuratrade.core.model.venue_rules import VenueRules
from neuratrade.core.risk.permit import approve

CANCEL_AGAIN_NS = 5 * NS_PER_SECOND
PLAIN_RULES = VenueRules()
RateOf = Callable[[str, str], Decimal | None]
"""What one unit of a currency is worth in another; None where nobody knows."""


def same_currency(currency: str, into: str) -> Decimal | None:
    """Knows no rate but that of a currency in itself."""
    return ONE if currency == into else None


class Turn(msgspec.Struct):
    """What one event leads to, collected. at_ns: engine time of the event. rules: of each venue, by name.

    rate_of: conversions as known now. filled_ns: when what the event tells of was filled, by the venue's
    clock; None where it is no such word.
    """

    state: DeskState
    at_ns: int
    rules: Mapping[str, VenueRules]
    rate_of: RateOf = same_currency
    facts: list[Fact] = []
    commands: list[Command] = []
    filled_ns: int | None = None

    def record(self, fact: Fact) -> None:
        """Makes a fact true: folds it now, journals it before any command of this turn leaves."""
        apply(self.state, fact)
        self.facts.append(fact)

    def instrument_of(self, bracket: BracketState) -> Instrument:
        """The contract a bracket trades."""
        return self.state.instruments[bracket.intent.instrument]

    def rules_of(self, bracket: BracketState) -> VenueRules:
        """What the venue of a bracket can do."""
        return self.rules.get(self.instrument_of(bracket).venue, PLAIN_RULES)

    def order(self, client_id: str | None) -> OrderState | None:
        """An order by its id while its bracket is open."""
        return None if client_id is None else self.state.orders.get(client_id)

    def send(
        self,
        bracket: BracketState,
        role: OrderRole,
        side: Side,
        order_type: OrderType,
        quantity: Decimal,
        *,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
        time_in_force: TimeInForce = TimeInForce.GTC,
        expires_ns: int | None = None,
    ) -> None:
        """Approves, records and commands one order of a bracket. Raises Refused when it does not fit."""
        intent = bracket.intent
        attempt = bracket.stop_rejects if role is OrderRole.STOP else 0
        leg = f"{role.value}-{bracket.legs}"
        request = OrderRequest(
            client_order_id=client_order_id(intent.account_id, intent.intent_id, leg, attempt),
            account_id=intent.account_id,
            instrument=intent.instrument,
            side=side,
            order_type=order_type,
            quantity=quantity,
            role=role,
            bracket_id=bracket.bracket_id,
            time_in_force=time_in_force,
            limit_price=limit_price,
            stop_price=stop_price,
            expires_ns=expires_ns,
            attempt=attempt,
        )
        approved = self._approve(bracket, request)
        self.record(OrderPlanned(self.at_ns, request))
        self.commands.append(SubmitOrder(approved))

    def cancel(self, order: OrderState, reason: str) -> None:
        """Asks the venue to cancel an order, once; one that it never spoke of, every so often.

        Such an order may be nowhere yet, and asking on and on would use up the requests that look for it.
        """
        if order.asked == "cancel" or not order.is_live:
            return
        unheard_of = order.status is OrderStatus.UNKNOWN and not order.venue_order_id
        if unheard_of and order.asked_ns and self.at_ns - order.asked_ns < CANCEL_AGAIN_NS:
            return
        request = order.request
        self.record(CancelPlanned(self.at_ns, request.client_order_id, reason))
        self.commands.append(_cancel_of(order))

    def amend(
        self, bracket: BracketState, order: OrderState, quantity: Decimal, stop: Decimal, reason: str
    ) -> None:
        """Asks the venue to move or resize a working stop; `quantity` counts what it already filled."""
        # What is checked is the order as it will be, since what it filled so far is not held any more.
        terms = replace(order.request, quantity=quantity - order.filled, stop_price=stop)
        approved = self._approve(bracket, terms)
        coid = order.request.client_order_id
        self.record(AmendPlanned(self.at_ns, coid, quantity, stop, reason))
        self.commands.append(AmendOrder(approved, quantity, stop))

    def ask_again(self, order: OrderState) -> None:
        """Repeats a cancel whose fate a crash left open; the first asking is on record."""
        self.commands.append(_cancel_of(order))

    def look_up(self, order: OrderState) -> None:
        """Asks what became of an order. Asking changes nothing, so nothing is recorded."""
        request = order.request
        listed_as = order.listed_as or request.instrument
        self.commands.append(LookUpOrder(request.account_id, listed_as, request.client_order_id))

    def take_snapshot(self, account_id: str) -> None:
        """Asks for everything the venue has of an account."""
        self.commands.append(TakeSnapshot(account_id))

    def set_timer(self, timer_id: str, due_ns: int) -> None:
        """Wants to be stepped with `TimerFired(timer_id)` at `due_ns`."""
        self.record(TimerSet(self.at_ns, timer_id, due_ns))

    def _approve(self, bracket: BracketState, request: OrderRequest) -> Approved:
        return approve(
            request,
            bracket.envelope,
            now_ns=self.at_ns,
            used=bracket.entry_used,
            held=bracket.held_signed,
        )


def _cancel_of(order: OrderState) -> CancelOrder:
    """Asks for its end where it is listed: a venue knows nothing of the contract that came after."""
    request = order.request
    listed_as = order.listed_as or request.instrument
    return CancelOrder(request.account_id, listed_as, request.client_order_id)
