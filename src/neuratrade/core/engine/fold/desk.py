"""Folds of facts about the desk as a whole: runs, timers, trading state, limits, instruments, quarantine."""

from neuratrade.core.engine.fold.actions import fit_to_grid, instruments_in_use
from neuratrade.core.engine.state import AccountState, Counts, DeskState
from neuratrade.core.model import facts as f
from neuratrade.core.risk.limits import limits_of, with_limit

FLATTENING = "drawdown_24h"
"""The governor whose halt flattens."""

_HARSHNESS = (f.KillPolicy.CANCEL_ENTRIES, f.KillPolicy.CLOSE_PERPS, f.KillPolicy.FLATTEN_ALL)


def run_started(state: DeskState, fact: f.RunStarted) -> None:
    """A run; a fresh one begins with an account that nothing happened to."""
    if fact.fresh:
        account = AccountState(fact.account, {fact.account.currency: fact.cash}, equity=fact.cash)
        account.session_peak = account.day_start_equity = account.peak = fact.cash
        state.accounts = {fact.account.account_id: account}
        state.orders, state.brackets, state.timers = {}, {}, {}
        state.baskets, state.closed, state.quarantine, state.shut = {}, {}, {}, set()
        state.outcomes, state.counts = {}, Counts()
        state.seen = set()
        state.now_ns, state.kill_policy = fact.at_ns, None
        state.pause_proposed = None
        if state.governor != "operator":
            state.trading_state, state.governor = f.TradingState.RUNNING, ""
            state.state_reason, state.latched = "", False
        state.limits = limits_of(fact.limits)
    state.keys[fact.key_id] = fact.public_key
    _take_up_instruments(state, fact)
    state.run_id, state.mode, state.finished = fact.run_id, fact.mode, False


def _take_up_instruments(state: DeskState, fact: f.RunStarted) -> None:
    """The contracts as configured for this run, and those that took another's place while it was held."""
    used = instruments_in_use(state)
    before = state.instruments
    state.instruments = {key: item for key, item in before.items() if key in used}
    actions = [action for account in state.accounts.values() for action in account.actions.values()]
    gone = {action.instrument for action in actions if action.successor is not None} - used
    for item in fact.instruments:
        if item.key in gone:
            continue
        state.instruments[item.key] = item
        if item.key in used and before.get(item.key) != item:
            fit_to_grid(state, item)


def run_ended(state: DeskState, fact: f.RunEnded) -> None:
    """The end of a run in order."""
    state.finished = fact.finished


def timer_set(state: DeskState, fact: f.TimerSet) -> None:
    """A time to look again."""
    state.timers[fact.timer_id] = fact.due_ns


def timer_fired(state: DeskState, fact: f.TimerFired) -> None:
    """The time came."""
    state.timers.pop(fact.timer_id, None)


def operator_acted(state: DeskState, fact: f.OperatorActed) -> None:
    """A person's halt stands with its policy until somebody resumes; a milder one later weakens it not."""
    if fact.action in ("halt", "resume"):
        state.pause_proposed = None
    if fact.action == "resume":
        state.kill_policy = None
    elif fact.policy is not None:
        _stand(state, fact.policy, fact.at_ns)


def pause_proposed(state: DeskState, fact: f.PauseProposed) -> None:
    """It waits for a person's answer."""
    state.pause_proposed = fact


def _stand(state: DeskState, policy: f.KillPolicy, at_ns: int) -> None:
    before = -1 if state.kill_policy is None else _HARSHNESS.index(state.kill_policy)
    if _HARSHNESS.index(policy) >= before:
        state.kill_policy, state.killed_ns = policy, at_ns


def state_moved(state: DeskState, fact: f.TradingStateMoved) -> None:
    """What is allowed from now on."""
    state.trading_state, state.governor = fact.state, fact.governor
    state.state_reason, state.latched = fact.reason, fact.latched
    if fact.governor == FLATTENING:
        _stand(state, f.KillPolicy.FLATTEN_ALL, fact.at_ns)
    elif fact.state is f.TradingState.RUNNING:
        state.kill_policy = None


def limit_changed(state: DeskState, fact: f.LimitChanged) -> None:
    """A limit a person changed."""
    state.limits = with_limit(state.limits, fact.name, fact.value)


def session_moved(state: DeskState, fact: f.SessionMoved) -> None:
    """A market opened or closed."""
    if fact.is_open:
        state.shut.discard(fact.instrument)
    else:
        state.shut.add(fact.instrument)


def quarantined(state: DeskState, fact: f.Quarantined) -> None:
    """Something nobody can explain yet."""
    state.quarantine[fact.reference] = fact


def quarantine_lifted(state: DeskState, fact: f.QuarantineLifted) -> None:
    """It is explained."""
    state.quarantine.pop(fact.reference, None)
