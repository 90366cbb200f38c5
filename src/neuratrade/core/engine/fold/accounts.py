"""Folds of facts about an account's money: marks, peaks, days, cash, what is foreign."""

from decimal import Decimal

from neuratrade.core.engine.ledger import credit
from neuratrade.core.engine.state import DeskState
from neuratrade.core.model import facts as f
from neuratrade.core.model.decimals import ONE, ZERO
from neuratrade.core.model.market import NS_PER_HOUR
from neuratrade.core.risk.view import drawdown

HOURS_KEPT = 24
MOVES_PEAKS = ("deposit", "withdrawal", "transfer")


def marked(state: DeskState, fact: f.Marked) -> None:
    """Equity now; peaks follow it up, never down."""
    account, equity = state.accounts[fact.account_id], fact.equity
    account.equity, account.marked_ns = equity, fact.at_ns
    account.session_peak = max(account.session_peak, equity)
    account.peak = max(account.peak, equity)
    account.max_drawdown = max(account.max_drawdown, drawdown(account.peak, equity))
    hour = fact.at_ns // NS_PER_HOUR
    peaks = account.hour_peaks
    # What a later hour reached can never be the highest again, so few are kept: the highest is often asked.
    while peaks and peaks[-1][1] <= equity:
        peaks.pop()
    if not peaks or peaks[-1][0] != hour:
        peaks.append((hour, equity))
        if peaks[0][0] < hour - HOURS_KEPT:
            account.hour_peaks = [item for item in peaks if item[0] >= hour - HOURS_KEPT]


def day_rolled(state: DeskState, fact: f.DayRolled) -> None:
    """A trading day: counts and session begin anew, the 24 h peak goes on."""
    account = state.accounts[fact.account_id]
    account.day = fact.day
    account.day_start_equity = account.session_peak = fact.equity
    account.opened_today = {}
    for lane in account.lanes.values():
        lane.session_losses = 0


def posture_moved(state: DeskState, fact: f.PostureMoved) -> None:
    """How boldly it trades."""
    state.accounts[fact.account_id].posture = fact.posture


def cash_moved(state: DeskState, fact: f.CashMoved) -> None:
    """Money that no trade moved. What people bring or take shifts every peak, so it is never profit.

    What came while its worth was unknown shifts them with the next word of a rate.
    """
    account = state.accounts[fact.account_id]
    credit(account, fact.currency, fact.amount)
    if fact.movement_id:
        account.movements.add(fact.movement_id)
    rate = ONE if fact.currency == account.account.currency else fact.rate
    if fact.kind not in MOVES_PEAKS:
        return
    amount = account.unrated.pop(fact.currency, ZERO) + fact.amount
    if rate is None:
        account.unrated[fact.currency] = amount
    else:
        shift_peaks(state, fact.account_id, amount * rate)


def shift_peaks(state: DeskState, account_id: str, amount: Decimal) -> None:
    """Moves equity and all it is measured against by an amount that is no profit."""
    account = state.accounts[account_id]
    account.equity += amount
    account.day_start_equity += amount
    account.session_peak += amount
    account.peak += amount
    account.hour_peaks = [(hour, peak + amount) for hour, peak in account.hour_peaks]


def foreign_seen(state: DeskState, fact: f.ForeignSeen) -> None:
    """Holdings the desk did not open."""
    foreign = state.accounts[fact.account_id].foreign
    if fact.quantity:
        foreign[fact.instrument] = fact.quantity
    else:
        foreign.pop(fact.instrument, None)


def reconciled(state: DeskState, fact: f.Reconciled) -> None:
    """What the last comparison with the venue found."""
    state.accounts[fact.account_id].differences = fact.differences
