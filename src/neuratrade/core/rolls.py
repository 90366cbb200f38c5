"""Rolling a position into the next contract: out of the old one, then into the new, each through the gate.

Nothing here trades. What is due follows from the desk's durable state alone, so a crash between the two
halves repeats nothing and forgets nothing. The way in is a proposal like any other: where the gate refuses
it, or the old contract's stop was faster, the desk stays flat, and the journal says why. Levels move by what
the new contract trades above the old one at that moment; quantity never grows.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal

import msgspec

from neuratrade.core.engine.state import BracketPhase, BracketState, ClosedBracket, DeskState
from neuratrade.core.engine.terms import stop_on_grid
from neuratrade.core.model.decimals import ONE, ZERO
from neuratrade.core.model.facts import CloseReason, TradingState
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import (
    CancelIntent,
    CloseIntent,
    EntryType,
    Intent,
    OpenIntent,
    Stop,
    TakeProfit,
)
from neuratrade.core.model.market import NS_PER_MINUTE
from neuratrade.core.model.orders import OrderRole

SOURCE = "roll"
WITHIN_NS = 5 * NS_PER_MINUTE
"""So long after the way out the way in is still the same position; later it would be another one."""

PriceOf = Callable[[str], Decimal | None]


class Roll(msgspec.Struct, frozen=True):
    """From `from_ns` on a contract is left for its successor (instrument key)."""

    successor: str
    from_ns: int


def due(state: DeskState, rolls: Mapping[str, Roll], price_of: PriceOf, now_ns: int) -> list[Intent]:
    """What is to be proposed now. rolls: by instrument key. price_of: the present price, None where there is
    none or it is too old.
    """
    if state.trading_state is not TradingState.RUNNING:
        # Nothing new may be opened, so to leave now would be to leave for good: the contract's end does that.
        return []
    found: list[Intent] = []
    for bracket in state.brackets.values():
        roll = rolls.get(bracket.intent.instrument)
        stopped = isinstance(bracket.intent.protection, Stop)
        if roll is None or now_ns < roll.from_ns or not stopped:
            # What is hedged or defined by its premium has no levels to move: its contract's end leaves it.
            continue
        if _both_trade(state, bracket.intent, roll, price_of):
            found += _way_out(state, bracket, now_ns)
    for kept in state.closed.values():
        roll = rolls.get(kept.bracket.intent.instrument)
        if roll is not None and now_ns - kept.closed.at_ns <= WITHIN_NS:
            found += _way_in(state, kept, roll, price_of, now_ns)
    return found


def _both_trade(state: DeskState, intent: OpenIntent, roll: Roll, price_of: PriceOf) -> bool:
    pair = (intent.instrument, roll.successor)
    return all(key not in state.shut and price_of(key) is not None for key in pair)


def _way_out(state: DeskState, bracket: BracketState, now_ns: int) -> list[Intent]:
    name, intent = bracket.bracket_id, bracket.intent
    who = (intent.account_id, intent.operator_id, name)
    if bracket.phase is BracketPhase.ENTERING:
        cancel_id = f"roll-cancel:{name}"
        why = "its contract is left for the next one"
        return [] if cancel_id in state.seen else [CancelIntent(cancel_id, *who, why, now_ns, SOURCE)]
    if bracket.phase is not BracketPhase.OPEN or _out(name) in state.seen:
        return []
    return [CloseIntent(_out(name), *who, "rolled into the next contract", now_ns, SOURCE)]


def _way_in(
    state: DeskState, kept: ClosedBracket, roll: Roll, price_of: PriceOf, now_ns: int
) -> list[Intent]:
    old, name = kept.bracket.intent, kept.bracket.bracket_id
    rolled = _out(name) in state.seen and _in(name) not in state.seen
    if not rolled or kept.closed.reason is not CloseReason.MANUAL or not isinstance(old.protection, Stop):
        return []
    quantity = sum(
        (order.filled for order in kept.orders.values() if order.request.role is OrderRole.EXIT), ZERO
    )
    hold_ns = old.max_hold_ns
    left_ns = None if hold_ns is None else kept.bracket.opened_ns + hold_ns - now_ns
    before, after = price_of(old.instrument), price_of(roll.successor)
    contract = state.instruments.get(roll.successor)
    shut = roll.successor in state.shut
    if quantity <= 0 or before is None or after is None or contract is None or shut:
        return []
    if left_ns is not None and left_ns <= 0:
        return []
    shift = after - before
    return [
        msgspec.structs.replace(
            old,
            intent_id=_in(name),
            instrument=contract.key,
            trigger_price=contract.round_price(after),
            protection=Stop(
                stop_on_grid(contract, old.direction, kept.bracket.stop_price + shift),
                old.protection.trail_fraction,
            ),
            take_profits=_rungs_left(kept.bracket, contract, shift),
            created_ns=now_ns,
            order_type=EntryType.MARKET,
            quantity=quantity,
            entry_expiry_ns=None,
            max_hold_ns=left_ns,
            execution=None,
            tags={**old.tags, "rolled_from": name},
            source=SOURCE,
        )
    ]


def _rungs_left(bracket: BracketState, contract: Instrument, shift: Decimal) -> tuple[TakeProfit, ...]:
    """The rungs not done yet, at the successor's prices, as fractions of what is left."""
    rungs = bracket.intent.take_profits
    left = ONE - sum((rung.fraction for rung in rungs[: bracket.rungs_done]), ZERO)
    if left <= 0:
        return ()
    return tuple(
        TakeProfit(contract.round_price(rung.price + shift), min(rung.fraction / left, ONE))
        for rung in rungs[bracket.rungs_done :]
    )


def _out(bracket_id: str) -> str:
    return f"roll-out:{bracket_id}"


def _in(bracket_id: str) -> str:
    return f"roll-in:{bracket_id}"
