"""Baskets: legs that stand or fall together, with a loss cap that was fixed before anything was posted.

A basket is whole when every leg is filled whole. What cannot become whole, or ceases to be, is left whole: a
leg whose entry failed, a leg that leaves while another is hedged by it. It is left too when its marks show
the loss cap, or a hedged leg and the one that hedges it show that leg's own. One believed, fresh mark of each
leg is enough, since a cap is protection; old or doubted ones prove nothing and leave it alone.

A hedged leg counts as protected while its basket is whole and every leg of it can be valued. What it holds
before that, after that, and while a price is missing counts as unprotected.
"""

from collections.abc import Iterator
from decimal import Decimal

from neuratrade.core.engine.cover import sellable
from neuratrade.core.engine.entries import is_entering
from neuratrade.core.engine.exits import leave, wish_to_leave
from neuratrade.core.engine.markets import Markets
from neuratrade.core.engine.state import BasketState, BracketPhase, BracketState
from neuratrade.core.engine.turn import Turn
from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.events import ClockTick, Event, MarkSeen
from neuratrade.core.model.facts import (
    BasketMoved,
    BasketPhase,
    BracketReopened,
    CloseReason,
    ProtectionChanged,
)
from neuratrade.core.model.intent import Hedged
from neuratrade.core.model.market import Quote, Trade

PRICES = (ClockTick, Quote, Trade, MarkSeen)
"""When losses are looked at. A bar moves one leg after the other: only the tick after it sees all."""


def tend(turn: Turn, markets: Markets, event: Event | None) -> None:
    """Takes every basket one step further after an event; None: after a restart."""
    for basket in list(turn.state.baskets.values()):
        _tend(turn, basket, markets, event)
    reopened = any(isinstance(fact, BracketReopened) for fact in turn.facts)
    if event is not None and not reopened:
        return
    for bracket in list(turn.state.brackets.values()):
        # A late execution opened a leg again whose basket is over: nothing hedges it.
        if isinstance(bracket.intent.protection, Hedged) and bracket.basket_id not in turn.state.baskets:
            _leave_leg(turn, bracket, CloseReason.KILL, markets)


def _tend(turn: Turn, basket: BasketState, markets: Markets, event: Event | None) -> None:
    name, legs = basket.intent.intent_id, _legs(turn, basket)
    if basket.phase is not BasketPhase.LEAVING:
        broken = _broken(turn, basket, legs)
        lost = _lost(turn, basket, legs, markets) if isinstance(event, PRICES) else None
        if broken is not None or lost is not None:
            reason = CloseReason.KILL if lost is None else CloseReason.SL
            _move(turn, basket, BasketPhase.LEAVING, broken or lost or "", legs, markets)
            for leg in legs.values():
                _leave_leg(turn, leg, reason, markets)
        elif basket.phase is BasketPhase.ENTERING and all(_is_whole(leg) for leg in legs.values()):
            _move(turn, basket, BasketPhase.OPEN, "all legs are filled", legs, markets)
    else:
        for leg in legs.values():
            _leave_leg(turn, leg, CloseReason.KILL, markets)
    for leg in legs.values():
        _note_hedge(turn, basket, leg, legs, markets, event)
    if not any(leg in turn.state.brackets for leg in basket.legs):
        turn.record(BasketMoved(turn.at_ns, name, BasketPhase.CLOSED, "all legs are over", basket.pnl_closed))


def _legs(turn: Turn, basket: BasketState) -> dict[str, BracketState]:
    """Its legs that are open, by id."""
    brackets = turn.state.brackets
    return {name: brackets[name] for name in basket.legs if name in brackets}


def _broken(turn: Turn, basket: BasketState, legs: dict[str, BracketState]) -> str | None:
    """Why the basket cannot be whole any more, or None."""
    if basket.phase is BasketPhase.ENTERING:
        for name in basket.legs:
            leg = legs.get(name)
            if leg is None or _is_leaving(turn, leg):
                return f"leg {name} is over before all were filled"
            if not _is_whole(leg) and not is_entering(turn.state, leg):
                return f"leg {name} was not filled whole"
        return None
    for leg in legs.values():
        protection = leg.intent.protection
        if isinstance(protection, Hedged) and not _stands(turn, legs.get(protection.other_leg)):
            return f"leg {protection.other_leg}, which hedges leg {leg.bracket_id}, does not stand"
    return None


def _is_whole(leg: BracketState) -> bool:
    return leg.entered >= leg.quantity


def _is_leaving(turn: Turn, leg: BracketState) -> bool:
    """Whether any of it was left, or is going to be."""
    return leg.exited > 0 or _is_under_way(turn, leg)


def _is_under_way(turn: Turn, leg: BracketState) -> bool:
    """Whether some of it is being left right now, or all of it is going to be."""
    return leg.phase is BracketPhase.EXITING or wish_to_leave(turn, leg) is not None


def _stands(turn: Turn, leg: BracketState | None) -> bool:
    return leg is not None and _is_whole(leg) and not _is_leaving(turn, leg)


def _leave_leg(turn: Turn, leg: BracketState, reason: CloseReason, markets: Markets) -> None:
    """Leaves a leg whole, unless that is under way."""
    if leg.bracket_id in turn.state.brackets and not _is_under_way(turn, leg):
        leave(turn, leg, reason, markets.price_of(leg.intent.instrument) or leg.stop_price)


def _move(
    turn: Turn,
    basket: BasketState,
    phase: BasketPhase,
    reason: str,
    legs: dict[str, BracketState],
    markets: Markets,
) -> None:
    known = (_pnl(turn, leg, markets) for leg in legs.values())
    pnl = basket.pnl_closed + sum((value for value in known if value is not None), ZERO)
    turn.record(BasketMoved(turn.at_ns, basket.intent.intent_id, phase, reason, pnl))


def _lost(turn: Turn, basket: BasketState, legs: dict[str, BracketState], markets: Markets) -> str | None:
    """Which loss cap was reached, or None; None too while a leg cannot be valued."""
    if not _is_watched(turn, legs, markets):
        return None
    pnl = {name: _pnl(turn, leg, markets) or ZERO for name, leg in legs.items()}
    if basket.pnl_closed + sum(pnl.values(), ZERO) <= -basket.intent.loss_cap:
        return "the loss cap of the basket was reached"
    for name, cap, other in _hedges(legs):
        if pnl[name] + pnl.get(other, ZERO) <= -cap:
            return f"the loss cap of leg {name} was reached"
    return None


def _hedges(legs: dict[str, BracketState]) -> Iterator[tuple[str, Decimal, str]]:
    for name, leg in legs.items():
        protection = leg.intent.protection
        if isinstance(protection, Hedged):
            yield name, protection.loss_cap, protection.other_leg


def _is_watched(turn: Turn, legs: dict[str, BracketState], markets: Markets) -> bool:
    """Whether every leg that holds anything has a mark that is believed and not old."""
    age_ns = turn.state.limits.price_age_ns
    return all(
        _pnl(turn, leg, markets) is not None
        and not markets.is_stale(leg.intent.instrument, turn.at_ns, age_ns)
        for leg in legs.values()
        if leg.held
    )


def _pnl(turn: Turn, leg: BracketState, markets: Markets) -> Decimal | None:
    """What a leg has made and would make at its mark, fees taken off, quote currency; None without a mark."""
    mark = markets.mark_of(leg.intent.instrument, leg.held_signed, turn.at_ns) if leg.held else ZERO
    if mark is None:
        return None
    gross = leg.exit_value + leg.held * mark - leg.entry_value
    return gross * leg.intent.direction.sign * turn.instrument_of(leg).multiplier - leg.fees


def _note_hedge(
    turn: Turn,
    basket: BasketState,
    leg: BracketState,
    legs: dict[str, BracketState],
    markets: Markets,
    event: Event | None,
) -> None:
    """Records that a hedged leg became protected by its basket, or ceased to be."""
    protection = leg.intent.protection
    if not isinstance(protection, Hedged) or leg.bracket_id not in turn.state.brackets:
        return
    whole = basket.phase is BasketPhase.OPEN and _stands(turn, legs.get(protection.other_leg))
    # That a price is old is found at a tick; between two bars of one instant it only seems to be.
    kept = leg.protected and not isinstance(event, ClockTick)
    # A leg of which a part was left is hedged by as much as before, and more than it needs.
    hedged = whole and not _is_under_way(turn, leg) and (kept or _is_watched(turn, legs, markets))
    covered = hedged or sellable(turn, leg) == 0
    if covered is not leg.protected:
        turn.record(ProtectionChanged(turn.at_ns, leg.bracket_id, covered))
