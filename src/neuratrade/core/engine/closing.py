"""The end of a bracket: when nothing is held and nothing of it can fill any more."""

from decimal import Decimal

from neuratrade.core.engine.cover import note_protection, sellable
from neuratrade.core.engine.doubt import need_not_wait
from neuratrade.core.engine.state import BracketState
from neuratrade.core.engine.turn import Turn
from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.facts import BracketClosed, CloseReason
from neuratrade.core.model.market import NS_PER_MS


def close_if_over(turn: Turn, bracket: BracketState) -> bool:
    """Closes the bracket once nothing is held and nothing can fill; asks for the end of what still could."""
    contract = turn.instrument_of(bracket)
    if sellable(turn, bracket) > 0 or contract.round_quantity(-min(bracket.held, ZERO)) > 0:
        return False
    name = bracket.bracket_id
    live = [item for item in turn.state.orders.values() if item.request.bracket_id == name and item.is_live]
    for order in live:
        # Before anything left, the entry may fill on; exits left over from what was busted may not.
        # What may not be there at all is taken away once it turns up: to ask for its end proves nothing.
        doubtful = need_not_wait(turn, bracket, order)
        if (bracket.exited > 0 or order.request.role.reduces) and not doubtful:
            turn.cancel(order, "the bracket is over")
    if live or _enters_later(bracket):
        return False
    note_protection(turn, bracket)
    turn.record(_closing(turn, bracket, contract.multiplier))
    return True


def _enters_later(bracket: BracketState) -> bool:
    """Whether slices of its entry are still to come, while nothing was left yet."""
    return bracket.intent.execution is not None and not bracket.entry_over and bracket.exited == 0


def _closing(turn: Turn, bracket: BracketState, multiplier: Decimal) -> BracketClosed:
    entry = bracket.entry_price
    home = turn.state.accounts[bracket.intent.account_id].account.currency
    # What is left below a lot is the account's, at the price it was bought for.
    gross = (bracket.exit_value + bracket.held * entry - bracket.entry_value) * multiplier
    return BracketClosed(
        at_ns=turn.at_ns,
        bracket_id=bracket.bracket_id,
        reason=bracket.last_exit_reason or CloseReason.NO_ENTRY,
        entered=bracket.entered,
        entry_price=entry,
        exit_price=bracket.exit_value / bracket.exited if bracket.exited else ZERO,
        fees=bracket.fees + abs(bracket.base_fees) * entry * multiplier,
        pnl=gross * bracket.intent.direction.sign - bracket.fees,
        opened_ns=bracket.opened_ns,
        unprotected_ms=bracket.unprotected_ns // NS_PER_MS,
        account_id=bracket.intent.account_id,
        lane=bracket.intent.lane.value,
        dust=bracket.held * bracket.intent.direction.sign,
        rate=turn.rate_of(turn.instrument_of(bracket).quote, home),
    )
