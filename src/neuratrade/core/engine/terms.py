"""What a corporate action does to a number: units, prices and levels in the terms that hold after it.

Pure arithmetic, shared by the fold, the markets and the rows for people, so that they cannot differ. A level
that would protect is rounded towards the entry: never more risk than before.
"""

from collections.abc import Collection
from decimal import Decimal

from msgspec.structs import replace

from neuratrade.core.model.decimals import ZERO, ceil_to, floor_to
from neuratrade.core.model.facts import ActionKind, CorporateActed
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import Direction, Iceberg, OpenIntent, Stop


def units(action: CorporateActed, quantity: Decimal) -> Decimal:
    """A quantity, units of base or contracts, in the new terms."""
    if action.kind is not ActionKind.SPLIT:
        return quantity
    return quantity * action.ratio / action.per


def cost(action: CorporateActed, price: Decimal) -> Decimal:
    """A price something was bought at, in the new terms: a dividend leaves it, a roll shifts it."""
    match action.kind:
        case ActionKind.SPLIT:
            return price * action.per / action.ratio
        case ActionKind.ROLL:
            return price + action.amount
        case ActionKind.DIVIDEND | ActionKind.SYMBOL_CHANGE:
            return price


def level(action: CorporateActed, price: Decimal) -> Decimal:
    """A market price, in the new terms: as `cost`, and a dividend takes its amount off."""
    return price - action.amount if action.kind is ActionKind.DIVIDEND else cost(action, price)


def moved_value(action: CorporateActed, quantity: Decimal) -> Decimal:
    """What the worth of `quantity` new units changes by, so that the action itself makes no profit."""
    match action.kind:
        case ActionKind.ROLL:
            return action.amount * quantity
        case ActionKind.DIVIDEND:
            return -action.amount * quantity
        case ActionKind.SPLIT | ActionKind.SYMBOL_CHANGE:
            return ZERO


def on_grid(contract: Instrument, price: Decimal) -> Decimal:
    """A level on the tick grid, nearest tick, inside the contract's bounds."""
    return _inside(contract, contract.round_price(price))


def stop_on_grid(contract: Instrument, direction: Direction, price: Decimal) -> Decimal:
    """A stop on the tick grid, rounded towards the entry, inside the contract's bounds."""
    snap = ceil_to if direction is Direction.LONG else floor_to
    return _inside(contract, snap(price, contract.tick))


def _inside(contract: Instrument, price: Decimal) -> Decimal:
    lowest = floor_to(contract.price_floor, contract.tick) + contract.tick
    if contract.price_ceiling is not None and price >= contract.price_ceiling:
        return ceil_to(contract.price_ceiling, contract.tick) - contract.tick
    return max(price, lowest)


def intent_after(action: CorporateActed, contract: Instrument, intent: OpenIntent) -> OpenIntent:
    """A proposal as it would read in the new terms of `contract`."""
    protection, execution = intent.protection, intent.execution
    if isinstance(protection, Stop):
        stop = level(action, protection.price)
        protection = replace(protection, price=stop_on_grid(contract, intent.direction, stop))
    if isinstance(execution, Iceberg):
        execution = replace(execution, shown=units(action, execution.shown))
    return replace(
        intent,
        instrument=contract.key,
        trigger_price=on_grid(contract, level(action, intent.trigger_price)),
        protection=protection,
        take_profits=tuple(
            replace(rung, price=on_grid(contract, level(action, rung.price))) for rung in intent.take_profits
        ),
        quantity=None if intent.quantity is None else units(action, intent.quantity),
        execution=execution,
    )


def intent_on_grid(contract: Instrument, intent: OpenIntent) -> OpenIntent:
    """A proposal with its levels on the contract's present grid."""
    protection = intent.protection
    if isinstance(protection, Stop):
        stop = stop_on_grid(contract, intent.direction, protection.price)
        protection = replace(protection, price=stop)
    return replace(
        intent,
        trigger_price=on_grid(contract, intent.trigger_price),
        protection=protection,
        take_profits=tuple(
            replace(rung, price=on_grid(contract, rung.price)) for rung in intent.take_profits
        ),
    )


def timer_of_part(timers: Collection[str], bracket_id: str, quantity: Decimal) -> str:
    """Names the timer that remembers a part to be left; parts of one size differ by a further zero."""
    part = f"{quantity:f}"
    while (timer_id := f"reduce-{part}:{bracket_id}") in timers:
        part += "0" if "." in part else ".0"
    return timer_id


def actions_in_order(actions: dict[str, CorporateActed]) -> list[CorporateActed]:
    """Corporate actions in the order they were applied."""
    return sorted(actions.values(), key=lambda action: (action.at_ns, action.action_id))
