"""Halts that were decided but not written down when the desk went down: taken up again after a restart.

A fact says that a rule is broken, a later one of the same turn that the desk stops. Where the journal ends
between the two, the second is made up for; where a person has resumed since, nothing is.
"""

from neuratrade.core.engine.answers import leave_when_flipped
from neuratrade.core.engine.exits import wish_to_leave
from neuratrade.core.engine.governors import PERSON, count_losses, move
from neuratrade.core.engine.markets import Markets
from neuratrade.core.engine.state import BracketPhase
from neuratrade.core.engine.turn import Turn
from neuratrade.core.model.facts import TradingState


def take_up_halts(turn: Turn, markets: Markets, last_ns: int) -> None:
    """Halts as the last facts on record ask for. last_ns: time of the last one."""
    state = turn.state
    if state.kill_policy is not None and state.trading_state is not TradingState.HALTED:
        move(turn, TradingState.HALTED, PERSON, "a halt that was cut short", "", "", latched=True)
    for account_id, account in state.accounts.items():
        ends = [kept.closed for kept in state.closed.values() if kept.closed.account_id == account_id]
        if any(end.at_ns == last_ns and end.pnl < 0 for end in ends):
            count_losses(turn, account)
    for bracket in list(state.brackets.values()):
        # Whoever saw that too much was left wanted it bought back in the same turn.
        if bracket.phase is BracketPhase.OPEN and wish_to_leave(turn, bracket) is None:
            leave_when_flipped(turn, bracket, markets)
