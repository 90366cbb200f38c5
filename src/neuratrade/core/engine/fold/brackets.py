"""Folds of facts about brackets and baskets: opened, watched, guarded, closed, opened again."""

from decimal import Decimal

from neuratrade.core.engine.fold.accounts import shift_peaks
from neuratrade.core.engine.ledger import book_fill, credit
from neuratrade.core.engine.state import (
    BasketState,
    BracketPhase,
    BracketState,
    ClosedBracket,
    DeskState,
    LaneState,
    Outcomes,
)
from neuratrade.core.model import facts as f
from neuratrade.core.model.decimals import ZERO, floor_to
from neuratrade.core.model.intent import BasketIntent, Direction, OpenIntent
from neuratrade.core.model.market import NS_PER_MINUTE
from neuratrade.core.model.orders import Fill, Liquidity, Side

KEPT_NS = 15 * NS_PER_MINUTE
"""How long a closed bracket is kept for executions that come late; later ones show in the position."""


def intent_judged(state: DeskState, fact: f.IntentJudged) -> None:
    """A verdict: counted, and what was approved begins."""
    intent = fact.intent
    state.seen.add(intent.intent_id)
    counts = state.counts
    counts.intents += 1
    if not fact.approved:
        counts.refused += 1
        for layer in fact.layers:
            if layer.verdict.blocks:
                counts.refused_by[layer.name] = counts.refused_by.get(layer.name, 0) + 1
        return
    counts.approved += 1
    if isinstance(intent, OpenIntent) and fact.envelope is not None:
        stop = intent.stop_price or ZERO
        bracket = BracketState(intent, fact.envelope, fact.quantity, stop, stop_orders=[])
        for basket_id, basket in state.baskets.items():
            if intent.intent_id in basket.legs:
                bracket.basket_id = basket_id
        state.brackets[intent.intent_id] = bracket
    elif isinstance(intent, BasketIntent):
        state.baskets[intent.intent_id] = BasketState(intent, [leg.intent_id for leg in intent.legs])


def trigger_fired(state: DeskState, fact: f.TriggerFired) -> None:
    """The bracket is on its way out."""
    bracket = state.brackets[fact.bracket_id]
    bracket.phase = BracketPhase.EXITING
    bracket.exit_reason, bracket.exit_quantity = fact.reason, fact.quantity
    bracket.exit_level, bracket.exit_order = fact.level, None
    if fact.reason is f.CloseReason.TP:
        bracket.rungs_done += 1


def exit_ended(state: DeskState, fact: f.ExitEnded) -> None:
    """The way out ended; what is left is guarded again."""
    bracket = state.brackets[fact.bracket_id]
    bracket.phase = BracketPhase.OPEN
    if fact.complete:
        bracket.exit_attempts = 0
    elif bracket.exit_reason is f.CloseReason.TP:
        bracket.rungs_done -= 1
    bracket.exit_reason, bracket.exit_quantity = None, ZERO


def entry_ended(state: DeskState, fact: f.EntryEnded) -> None:
    """No further slice."""
    state.brackets[fact.bracket_id].entry_over = True
    state.timers.pop(f"slice:{fact.bracket_id}", None)


def trail_moved(state: DeskState, fact: f.TrailMoved) -> None:
    """The trail moved the stop."""
    bracket = state.brackets[fact.bracket_id]
    bracket.stop_price, bracket.best_price, bracket.trailed = fact.stop_price, fact.seen, True


def stop_moved(state: DeskState, fact: f.StopMoved) -> None:
    """A person moved the stop."""
    state.brackets[fact.bracket_id].stop_price = fact.stop_price


def protection_changed(state: DeskState, fact: f.ProtectionChanged) -> None:
    """Covered, or not any more; the time between is counted."""
    bracket = state.brackets[fact.bracket_id]
    if fact.protected:
        bracket.unprotected_ns += fact.at_ns - bracket.unprotected_since_ns
    bracket.protected = fact.protected
    bracket.unprotected_since_ns = 0 if fact.protected else (fact.since_ns or fact.at_ns)


def bracket_closed(state: DeskState, fact: f.BracketClosed) -> None:
    """The end of a bracket: out of the books, kept a while, counted once."""
    bracket = state.brackets.pop(fact.bracket_id)
    bracket.entry_over = True
    mine = {key: item for key, item in state.orders.items() if item.request.bracket_id == fact.bracket_id}
    for coid in mine:
        del state.orders[coid]
    by_hand = _by_hand(fact.bracket_id) in state.timers
    for timer_id in [key for key in state.timers if key.partition(":")[2] == fact.bracket_id]:
        del state.timers[timer_id]
    oldest_ns = fact.at_ns - KEPT_NS
    for key in [key for key, kept in state.closed.items() if kept.closed.at_ns < oldest_ns]:
        del state.closed[key]
    state.closed[fact.bracket_id] = ClosedBracket(bracket, mine, fact, by_hand)
    # What cannot be converted is not added up: a sum of two currencies would be worth nothing.
    pnl = (fact.pnl_home or ZERO) - ((bracket.closed and bracket.closed.pnl_home) or ZERO)
    fees = (fact.fees_home or ZERO) - ((bracket.closed and bracket.closed.fees_home) or ZERO)
    _count_in_basket(state, bracket, pnl, first=bracket.closed is None)
    if fact.dust:
        # Also where all that was entered was busted: undoing what was left of it may leave a rest.
        account = state.accounts[fact.account_id]
        key = bracket.intent.instrument
        account.dust[key] = account.dust.get(key, ZERO) + fact.dust
    if fact.entered == 0:
        return
    counted = bracket.closed is not None and bracket.closed.entered != 0
    counts = state.counts
    counts.pnl += pnl
    counts.fees += fees
    counts.unprotected_ms_max = max(counts.unprotected_ms_max, fact.unprotected_ms)
    if counted:
        return
    counts.trades += 1
    counts.closed_by[fact.reason.value] = counts.closed_by.get(fact.reason.value, 0) + 1
    _count_outcome(state, bracket, fact)


def _by_hand(bracket_id: str) -> str:
    """The timer that remembers that a person wants a bracket left whole."""
    return f"exit-{f.CloseReason.MANUAL.value}:{bracket_id}"


def _count_in_basket(state: DeskState, bracket: BracketState, pnl: Decimal, *, first: bool) -> None:
    basket = state.baskets.get(bracket.basket_id)
    if basket is not None:
        basket.pnl_closed += pnl
        basket.closed_legs += first


def _count_outcome(state: DeskState, bracket: BracketState, fact: f.BracketClosed) -> None:
    intent = bracket.intent
    account = state.accounts[intent.account_id]
    lane = account.lanes.setdefault(intent.lane.value, LaneState())
    outcome = state.outcomes.setdefault(intent.strategy_ref, Outcomes())
    outcome.closed += 1
    if fact.pnl < 0:
        lane.session_losses += 1
        account.losses += 1
        lane.last_loss_ns = fact.at_ns
    elif fact.pnl > 0:
        outcome.won += 1
        state.counts.wins += 1
        lane.session_losses = account.losses = 0


def bracket_reopened(state: DeskState, fact: f.BracketReopened) -> None:
    """Back into the books, with the orders it had."""
    kept = state.closed.pop(fact.bracket_id)
    bracket = kept.bracket
    bracket.closed = kept.closed
    # An entry that was busted since leaves nothing entered, but what was left of it is still to be undone.
    begun = bracket.entered or bracket.opened_ns
    bracket.phase = BracketPhase.OPEN if begun else BracketPhase.ENTERING
    bracket.exit_reason, bracket.exit_quantity = None, ZERO
    state.brackets[fact.bracket_id] = bracket
    state.orders |= kept.orders
    if kept.by_hand:
        state.timers[_by_hand(fact.bracket_id)] = fact.at_ns
    if kept.closed.dust:
        # What was thought left over is held by the bracket again.
        state.accounts[kept.closed.account_id].dust[bracket.intent.instrument] -= kept.closed.dust


def basket_moved(state: DeskState, fact: f.BasketMoved) -> None:
    """A basket's next phase; one that is over is forgotten."""
    if fact.phase is f.BasketPhase.CLOSED:
        state.baskets.pop(fact.basket_id, None)
    else:
        state.baskets[fact.basket_id].phase = fact.phase


def allocation(
    state: DeskState, account_id: str, instrument: str, side: Side, quantity: Decimal
) -> list[tuple[BracketState, Decimal]]:
    """How an execution that no order of ours explains is shared out among the brackets it closes.

    Each bracket of that account and instrument that `side` would reduce bears its share of what they hold
    together, floored to the lot; what the flooring leaves goes to the oldest ones first. Nobody is given more
    than it holds.
    """
    held = [
        item
        for item in state.brackets.values()
        if item.intent.account_id == account_id
        and item.intent.instrument == instrument
        and item.held > 0
        and item.intent.direction.sign != side.sign
    ]
    held.sort(key=lambda item: (item.opened_ns, item.bracket_id))
    total = sum((item.held for item in held), ZERO)
    left = min(quantity, total)
    lot = state.instruments[instrument].lot
    shares = [floor_to(left * item.held / total, lot) for item in held]
    left -= sum(shares, ZERO)
    for place, item in enumerate(held):
        more = min(item.held - shares[place], left)
        shares[place] += more
        left -= more
    return [(item, share) for item, share in zip(held, shares, strict=True) if share > 0]


def liquidated(state: DeskState, fact: f.Liquidated) -> None:
    """The venue closed a part of the position: booked whole, shared out among its brackets."""
    fill = fact.fill
    instrument = state.instruments[fill.instrument]
    direction = Direction.SHORT if fill.side is Side.BUY else Direction.LONG
    account = state.accounts[fill.account_id]
    account.liquidations.append(fill.trade_id)
    book_fill(account, instrument, fill, direction)
    for bracket_id, share in fact.shares.items():
        bracket = state.brackets[bracket_id]
        bracket.exited += share
        bracket.exit_value += share * fill.price
        bracket.fees += fill.fee * fact.fee_rate * share / fill.quantity
        bracket.last_exit_reason = f.CloseReason.LIQUIDATED


def foreign_adopted(state: DeskState, fact: f.ForeignAdopted) -> None:
    """A holding comes into the desk's care: booked like a deposit, guarded like an entry that was filled."""
    intent = fact.intent
    instrument = state.instruments[intent.instrument]
    account = state.accounts[intent.account_id]
    bracket = BracketState(intent, fact.envelope, fact.quantity, intent.stop_price or ZERO, stop_orders=[])
    bracket.phase, bracket.opened_ns, bracket.best_price = BracketPhase.OPEN, fact.at_ns, fact.price
    bracket.entered, bracket.entry_used = fact.quantity, fact.quantity
    bracket.entry_value = fact.quantity * fact.price
    state.brackets[intent.intent_id] = bracket
    state.seen.add(intent.intent_id)
    side = fact.envelope.side
    fill = Fill(
        intent.intent_id,
        "",
        intent.account_id,
        intent.instrument,
        side,
        fact.quantity,
        fact.price,
        ZERO,
        instrument.quote,
        Liquidity.MAKER,
        fact.at_ns,
    )
    book_fill(account, instrument, fill, intent.direction)
    if not instrument.is_derivative:
        # It was paid for outside: its worth comes in as a deposit does.
        value = fact.quantity * fact.price * side.sign * instrument.multiplier
        credit(account, instrument.quote, value)
        shift_peaks(state, intent.account_id, value * fact.rate)
    rest = account.foreign.get(intent.instrument, ZERO) - fact.quantity * side.sign
    account.foreign[intent.instrument] = rest
    if not rest:
        del account.foreign[intent.instrument]
