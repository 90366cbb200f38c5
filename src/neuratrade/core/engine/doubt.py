"""Orders nobody knows the fate of, and when another may leave before that is known.

To wait for proof costs the time a venue may take to lose an order: ten seconds and more, each time. While a
venue fails order after order, a position would be bare for minutes. So what protects or leaves need not wait
for an order of unknown fate where not both of them can be filled: the venue itself refuses to sell what an
account has not (`VenueRules.sells_only_what_is_held`), and there is not enough for two. The order in doubt
is asked about all the same, never sent again, and what turns out to be one too many is cancelled.

Not proven: the first was filled in part, and others have as much as that part. Then that part may be sold
twice before its fill is known; it is booked, bought back, and halts the desk, as whatever is left too much.
"""

from decimal import Decimal

from neuratrade.core.engine.state import BracketState, OrderState
from neuratrade.core.engine.turn import Turn
from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.orders import OrderStatus

ASKED_FOR_NS = NS_PER_SECOND
"""How long an order has to be in doubt before another may leave: a look-up mostly tells by then."""


def need_not_wait(turn: Turn, bracket: BracketState, order: OrderState) -> bool:
    """Whether what protects or leaves may be sent while the fate of this order of the bracket is unknown.

    Only of one the venue never spoke of: what it took once rests there, whatever became of a later request.
    """
    since_ns = order.unknown_ns
    never_heard_of = not order.venue_order_id and not order.filled and order.status is OrderStatus.UNKNOWN
    if not never_heard_of or since_ns is None or turn.at_ns - since_ns < ASKED_FOR_NS:
        return False
    return order.request.role.reduces and _cannot_oversell(turn, bracket, order)


def _cannot_oversell(turn: Turn, bracket: BracketState, order: OrderState) -> bool:
    """Whether another order of its size could not be filled as well, once this one was, nor the other way.

    A coin that is owned cannot be sold twice where less of it than that is anybody else's. An order that
    reduces a derivative takes what is there, so nobody else may have any.
    """
    contract = turn.instrument_of(bracket)
    if not turn.rules_of(bracket).sells_only_what_is_held:
        return False
    others = _of_others(turn, bracket, contract)
    if contract.kind is InstrumentKind.SPOT:
        return others < order.quantity
    return contract.is_derivative and not others


def _of_others(turn: Turn, bracket: BracketState, contract: Instrument) -> Decimal:
    """How much of what it trades may be there, or come, that is not the bracket's."""
    state, account_id = turn.state, bracket.intent.account_id
    same = {key for key, item in state.instruments.items() if _is_the_same_thing(item, contract)}
    account = state.accounts[account_id]
    strange = sum((abs(account.foreign.get(key, ZERO)) for key in same), ZERO)
    if not contract.is_derivative:
        strange += sum((abs(account.dust.get(key, ZERO)) for key in same), ZERO)
    for item in state.quarantine.values():
        if item.account_id == account_id and (item.instrument in same or item.reference == contract.base):
            return Decimal("Infinity")
    return strange + sum(
        (
            abs(item.held) + max(item.quantity - item.entered, ZERO)
            for item in state.brackets.values()
            if item is not bracket and item.intent.account_id == account_id and item.intent.instrument in same
        ),
        ZERO,
    )


def _is_the_same_thing(item: Instrument, contract: Instrument) -> bool:
    """Whether what is held of one could be sold by an order for the other."""
    if item.key == contract.key:
        return True
    owned = not (item.is_derivative or contract.is_derivative)
    return owned and (item.venue, item.base) == (contract.venue, contract.base)
