"""What a person may do to a desk that is not running: its acts are journaled all the same."""

from neuratrade.app.looking import made, readable
from neuratrade.app.rebuild import rebuild_state
from neuratrade.core.engine.governors import move
from neuratrade.core.engine.turn import Turn
from neuratrade.core.model.facts import OperatorActed, TradingState
from neuratrade.store.emergency import EmergencyFile
from neuratrade.store.errors import DatabaseAbsent
from neuratrade.store.home import Home, HomeLock
from neuratrade.store.journal import Journal
from neuratrade.store.keys import Ed25519Signer
from neuratrade.store.reader import JournalReader
from neuratrade.store.snapshots import Snapshots


def resume_offline(home: Home, operator_id: str, reason: str) -> str:
    """Lifts a halt in the journal of a home where no desk runs; returns the trading state after it.

    Raises DatabaseAbsent when there is no desk's journal, HomeLocked when a desk runs after all.
    """
    if not home.has_journal:
        raise _nothing_to_resume(home)
    signer = Ed25519Signer()
    checkpoints = home.checkpoints
    with (
        readable(home),
        HomeLock(made(home)),
        Journal.open(home.journal, signer=signer, checkpoints=checkpoints) as journal,
    ):
        EmergencyFile(home.emergency).reconcile(journal)
        state, _ = rebuild_state(JournalReader(journal.engine), Snapshots(journal.engine))
        if not state.accounts:
            raise _nothing_to_resume(home)
        if state.finished:
            return TradingState.RUNNING.value
        turn = Turn(state, state.now_ns, {})
        turn.record(OperatorActed(turn.at_ns, operator_id, "resume", reason))
        move(turn, TradingState.RUNNING, "operator", reason, operator_id, "", latched=False)
        account_id = next(iter(state.accounts))
        for fact in turn.facts:
            journal.append(fact, run_id=state.run_id, account_id=account_id)
        journal.commit()
    return state.trading_state.value


def _nothing_to_resume(home: Home) -> DatabaseAbsent:
    return DatabaseAbsent(f"{home.root}: no run is journaled here, so there is nothing to resume")
