"""How an approved quantity is cut into child orders, and which cuts are refused.

Pure arithmetic on the approved quantity: the same approval gives the same slices, live, replayed and after
a crash. No slice is below what the venue takes: one that would be waits and goes with the next, and what
flooring to the lot leaves goes with the last.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from neuratrade.core.model.approval import LayerReport
from neuratrade.core.model.decimals import ONE, ZERO, ceil_to
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import EntryType, Iceberg, OpenIntent, Twap, Vwap
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.risk.intake import entry_rest_ns
from neuratrade.core.risk.layer import approve, refuse, seconds, text

MOST_CHILDREN = 500
SHORTEST_GAP_NS = NS_PER_SECOND
_LAYER = "execution"


class Slot(NamedTuple):
    """A child order that is planned. after_ns: since the approval. quantity: its share, above zero."""

    after_ns: int
    quantity: Decimal


def smallest_child(intent: OpenIntent, contract: Instrument) -> Decimal:
    """The least quantity the venue takes as one order, at the lowest price between entry and stop."""
    price = min(intent.trigger_price, intent.stop_price or intent.trigger_price)
    worth = contract.min_notional / (price * contract.multiplier)
    return max(contract.lot, contract.min_quantity, ceil_to(worth, contract.lot))


def schedule(
    execution: Twap | Vwap, quantity: Decimal, contract: Instrument, smallest: Decimal
) -> tuple[Slot, ...]:
    """Times and quantities of the slices; the quantities add up to `quantity`.

    Each slice is its share floored to the lot. One below `smallest` is merged into the next; the last takes
    what is left, and where even that is too little it joins the one before.
    """
    weights = _weights(execution)
    total = sum(weights, ZERO)
    gap_ns, slots, waiting = Decimal(execution.span_ns) / (len(weights) - 1), list[Slot](), ZERO
    for place, weight in enumerate(weights[:-1]):
        waiting += quantity * weight / total
        part = contract.round_quantity(waiting)
        if part >= smallest and part > 0:
            slots.append(Slot(int(gap_ns * place), part))
            waiting = ZERO
    rest = quantity - sum((slot.quantity for slot in slots), ZERO)
    if slots and rest < max(smallest, contract.lot):
        slots[-1] = Slot(slots[-1].after_ns, slots[-1].quantity + rest)
    else:
        slots.append(Slot(execution.span_ns, rest))
    return tuple(slots)


def _weights(execution: Twap | Vwap) -> Sequence[Decimal]:
    return (ONE,) * execution.slices if isinstance(execution, Twap) else execution.profile


def share_of(
    slots: Sequence[Slot], place: int, free: Decimal, contract: Instrument, smallest: Decimal
) -> Decimal:
    """What the slice at `place` asks for when `free` of the approval is left.

    Quantity that earlier slices did not get is shared out among this one and those after it, in proportion.
    """
    planned = slots[place].quantity
    ahead = sum((slot.quantity for slot in slots[place:]), ZERO)
    if planned == ahead:
        return contract.round_quantity(free)
    behind = max(free - ahead, ZERO)
    return whole_or(contract.round_quantity(planned + behind * planned / ahead), free, contract, smallest)


def whole_or(wanted: Decimal, free: Decimal, contract: Instrument, smallest: Decimal) -> Decimal:
    """`wanted`, or all that is free where the rest after it could not be sent on its own."""
    return contract.round_quantity(free if free - wanted < smallest else wanted)


def execution_report(intent: OpenIntent, contract: Instrument, quantity: Decimal) -> LayerReport | None:
    """What the gate's answer says about how the entry is cut; None where it goes as one order.

    quantity: as approved by the layers, zero where they refused.
    """
    execution = intent.execution
    if execution is None:
        return None
    kind = str(execution.__struct_config__.tag)
    if intent.order_type is EntryType.STOP:
        return refuse(_LAYER, "a stop entry cannot be sliced", "stop", "market, limit")
    found = (
        _iceberg_fault(execution, intent, contract, quantity)
        if isinstance(execution, Iceberg)
        else _timed_fault(execution, intent)
    )
    return approve(_LAYER, kind, f"<= {MOST_CHILDREN} orders") if found is None else found


def _timed_fault(execution: Twap | Vwap, intent: OpenIntent) -> LayerReport | None:
    count = execution.slices if isinstance(execution, Twap) else len(execution.profile)
    if not 2 <= count <= MOST_CHILDREN:
        return refuse(_LAYER, "too few or too many slices", str(count), f"2..{MOST_CHILDREN}")
    if isinstance(execution, Vwap):
        weights = execution.profile
        if not all(weight.is_finite() and weight >= 0 for weight in weights) or sum(weights) <= 0:
            return refuse(_LAYER, "the profile's weights say no volume", "profile", ">= 0, sum above 0")
    gap_ns = execution.span_ns // (count - 1)
    if gap_ns < SHORTEST_GAP_NS:
        limit = f">= {seconds(SHORTEST_GAP_NS)}"
        return refuse(_LAYER, "the slices lie too close together", seconds(gap_ns), limit)
    rest_ns = entry_rest_ns(intent)
    if execution.span_ns > rest_ns:
        limit = f"<= {seconds(rest_ns)}"
        return refuse(_LAYER, "the entry expires before its last slice", seconds(execution.span_ns), limit)
    return None


def _iceberg_fault(
    execution: Iceberg, intent: OpenIntent, contract: Instrument, quantity: Decimal
) -> LayerReport | None:
    shown = execution.shown
    if intent.order_type is not EntryType.LIMIT:
        return refuse(_LAYER, "an iceberg rests limit orders", intent.order_type.value, "limit")
    if not shown.is_finite() or shown <= 0:
        return refuse(_LAYER, "the quantity shown is none", str(shown), "above 0")
    if intent.trigger_price <= 0 or contract.round_quantity(shown) < smallest_child(intent, contract):
        return refuse(_LAYER, "the quantity shown is below the venue's minimum", text(shown), "sendable")
    if quantity > shown * MOST_CHILDREN:
        limit = f"<= {MOST_CHILDREN} orders"
        return refuse(_LAYER, "the quantity shown makes too many orders", text(quantity / shown), limit)
    return None
