"""Timers that came due: an entry that rested enough, a time exit, a position still bare, a look again."""

from decimal import Decimal

from neuratrade.core.engine import brackets as rules
from neuratrade.core.engine import exits
from neuratrade.core.engine.answers import look_again
from neuratrade.core.engine.cover import PROTECT_TIMEOUT_NS, live_stops
from neuratrade.core.engine.entries import advance, end_entry
from neuratrade.core.engine.markets import Markets
from neuratrade.core.engine.state import BracketPhase, BracketState
from neuratrade.core.engine.turn import Turn
from neuratrade.core.model import facts as f


def fire(turn: Turn, event: f.TimerFired, markets: Markets) -> None:
    """Takes a timer that came due; one that is unknown or not due yet changes nothing."""
    due_ns = turn.state.timers.get(event.timer_id)
    if due_ns is None or turn.at_ns < due_ns:
        return
    turn.record(f.TimerFired(turn.at_ns, event.timer_id))
    kind, _, bracket_id = event.timer_id.partition(":")
    bracket = turn.state.brackets.get(bracket_id)
    if bracket is None:
        return
    level = markets.price_of(bracket.intent.instrument) or bracket.stop_price
    if kind.startswith("exit-"):
        exits.leave(turn, bracket, f.CloseReason(kind.removeprefix("exit-")), level)
    elif kind.startswith("reduce-"):
        rest = Decimal(kind.removeprefix("reduce-"))
        exits.begin_exit(turn, bracket, f.CloseReason.MANUAL, rest, level, level)
    else:
        _fire_plain(turn, bracket, kind, level)


def _fire_plain(turn: Turn, bracket: BracketState, kind: str, level: Decimal) -> None:
    match kind:
        case "entry":
            end_entry(turn, bracket, "the entry rested long enough")
        case "amend":
            rules.go_on(turn, bracket)
        case "slice":
            advance(turn, bracket)
        case "hold":
            exits.leave(turn, bracket, f.CloseReason.TIME, level)
        case "protect" if not bracket.protected:
            _bare_too_long(turn, bracket, level)
        case "escalate":
            rules.escalate(turn, bracket, level)
        case "lookup":
            look_again(turn, bracket)
            rules.go_on(turn, bracket)
        case _:
            pass


def _bare_too_long(turn: Turn, bracket: BracketState, level: Decimal) -> None:
    """Protection could not be confirmed in time: asked about, left, and looked at again until it is over."""
    if bracket.intent.instrument in turn.state.shut:
        # Nothing can be placed or left while the market is closed: the gap is a risk that has to be borne.
        turn.set_timer(f"protect:{bracket.bracket_id}", turn.at_ns + PROTECT_TIMEOUT_NS)
        return
    for coid in (*bracket.stop_orders, bracket.exit_order):
        order = turn.order(coid)
        if order is not None and order.is_live:
            turn.look_up(order)
    leaving = bracket.phase is BracketPhase.EXITING
    reached = any(stop.triggered_ns is not None for stop in live_stops(turn, bracket))
    exits.leave(turn, bracket, rules.stop_reason(bracket) if reached else f.CloseReason.KILL, level)
    if leaving:
        rules.resume(turn, bracket)
    if bracket.bracket_id in turn.state.brackets:
        again_ns = exits.EXIT_PATIENCE_NS if leaving else PROTECT_TIMEOUT_NS
        turn.set_timer(f"protect:{bracket.bracket_id}", turn.at_ns + again_ns)
