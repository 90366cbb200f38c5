"""What must hold after every event, whatever the world did. Each check says what a trader would have lost."""

from collections.abc import Sequence
from fractions import Fraction

from neuratrade.core.engine.brackets import MAX_STOP_REJECTS
from neuratrade.core.engine.engine import Step
from neuratrade.core.engine.fold import apply
from neuratrade.core.engine.ledger import equity_of
from neuratrade.core.engine.state import (
    AccountState,
    BracketPhase,
    BracketState,
    DeskState,
    OrderState,
    state_bytes,
)
from neuratrade.core.model import commands as c
from neuratrade.core.model import facts as f
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import Stop
from neuratrade.core.model.orders import Fill, OrderStatus
from tests.simulation.dust import orderable
from tests.simulation.world import D

WORKING = (OrderStatus.WORKING, OrderStatus.PARTIAL)
NEARLY = Fraction(1, 10**15)


def check_state(state: DeskState) -> None:
    """Protection, sizes and phases of every bracket fit together."""
    for bracket in state.brackets.values():
        _check_bracket(state, bracket)


def _check_bracket(state: DeskState, bracket: BracketState) -> None:
    contract = state.instruments[bracket.intent.instrument]
    held = orderable(contract, bracket)
    live = [
        order
        for order in state.orders.values()
        if order.request.bracket_id == bracket.bracket_id and order.is_live
    ]
    exits = sum((order.remaining for order in live if order.request.role.reduces), D(0))
    assert bracket.held >= 0, f"{bracket.bracket_id} holds {bracket.held}"
    assert exits <= bracket.held, f"{bracket.bracket_id}: {exits} to leave of {bracket.held}"
    entering = sum((order.remaining for order in live if not order.request.role.reduces), D(0))
    assert bracket.entered + entering <= bracket.quantity, "more is entered than was approved"
    if not isinstance(bracket.intent.protection, Stop):
        return
    stops = [state.orders[coid] for coid in bracket.stop_orders if coid in state.orders]
    cover = sum(
        (
            stop.remaining
            for stop in stops
            if stop.status in WORKING and stop.asked != "cancel" and stop.triggered_ns is None
        ),
        D(0),
    )
    covered = held == 0 or cover >= held
    assert covered or not bracket.protected, f"{bracket.bracket_id} claims a protection it has not"
    timer_id = f"protect:{bracket.bracket_id}"
    assert bracket.protected or timer_id in state.timers, "nobody would notice that it stays unprotected"
    if bracket.phase is BracketPhase.OPEN and held > 0:
        shut = bracket.intent.instrument in state.shut
        # Where the venue refuses stops and exits alike, both are tried again in time.
        waits = bracket.stop_rejects >= MAX_STOP_REJECTS and any(
            key.startswith("exit-") and key.endswith(f":{bracket.bracket_id}") for key in state.timers
        )
        assert shut or waits or any(stop.is_live for stop in stops), (
            "held, not leaving, and no stop there or on its way"
        )


def check_step(step: Step, state: DeskState) -> None:
    """Each command of a step stands on a fact of the same step, or repeats one that is on record."""
    planned = {fact.request.client_order_id for fact in step.facts if isinstance(fact, f.OrderPlanned)}
    for command in step.commands:
        match command:
            case c.SubmitOrder(order=order):
                assert order.request.client_order_id in planned
            case c.CancelOrder(client_order_id=coid):
                known = _known(state, coid)
                assert known.asked == "cancel" or known.status.is_final
            case c.AmendOrder(order=order):
                assert state.orders[order.request.client_order_id].asked == "amend"
            case c.LookUpOrder(client_order_id=coid):
                _known(state, coid)
            case c.TakeSnapshot(account_id=account_id):
                assert account_id in state.accounts


def _known(state: DeskState, coid: str) -> OrderState:
    """An order of ours, also of a bracket that is over."""
    kept = (order for item in state.closed.values() for order in item.orders.values())
    found = [order for order in (*state.orders.values(), *kept) if order.request.client_order_id == coid]
    assert found, f"{coid} is no order of ours"
    return found[0]


def check_replay(facts: Sequence[f.Fact], state: DeskState) -> None:
    """What the journal holds gives the state that was, byte for byte, through the codec."""
    replayed = DeskState()
    for fact in facts:
        apply(replayed, f.decode_fact(f.encode_fact(fact)))
    assert state_bytes(replayed) == state_bytes(state)


def check_order_of_time(facts: Sequence[f.Fact]) -> None:
    """Facts never go back in time."""
    latest = 0
    for fact in facts:
        assert fact.at_ns >= latest, f"{fact} came after {latest}"
        latest = fact.at_ns


def check_stops_only_tighten(facts: Sequence[f.Fact]) -> None:
    """No trail and no person moved a stop away from the market."""
    levels: dict[str, D] = {}
    signs: dict[str, int] = {}
    for fact in facts:
        if isinstance(fact, f.IntentJudged) and fact.envelope is not None:
            bracket_id = fact.envelope.bracket_id
            signs[bracket_id] = fact.envelope.side.sign
            stop = getattr(fact.intent, "stop_price", None)
            if stop is not None:
                levels[bracket_id] = stop
        elif isinstance(fact, f.TrailMoved | f.StopMoved):
            before = levels[fact.bracket_id]
            assert (fact.stop_price - before) * signs[fact.bracket_id] > 0, f"loosened: {fact}"
            levels[fact.bracket_id] = fact.stop_price


def check_same_books(mine: AccountState, venue: AccountState) -> None:
    """The venue's own books and the engine's are the same, position by position, to the last digit."""
    assert mine.balances == venue.balances
    assert mine.positions == venue.positions


def check_ledger(
    account: AccountState, instruments: dict[str, Instrument], cash: D, fills: Sequence[Fill], mark: D
) -> None:
    """Equity is the cash that was there, every fill's money, and what is held at the mark: nothing else."""
    total = Fraction(cash)
    held: dict[str, Fraction] = {}
    for fill in fills:
        contract = instruments[fill.instrument]
        signed = Fraction(fill.quantity) * fill.side.sign
        total -= signed * Fraction(fill.price) * Fraction(contract.multiplier)
        held[fill.instrument] = held.get(fill.instrument, Fraction(0)) + signed
        if fill.fee_currency == contract.base:
            held[fill.instrument] -= Fraction(fill.fee)
        else:
            total -= Fraction(fill.fee)
    for key, quantity in held.items():
        position = account.positions[key]
        assert Fraction(position.quantity) == quantity
        total += quantity * Fraction(mark) * Fraction(instruments[key].multiplier)
    equity = equity_of(account, instruments, dict.fromkeys(held, mark))
    assert equity is not None
    assert abs(Fraction(equity) - total) <= NEARLY * max(abs(total), Fraction(1))
