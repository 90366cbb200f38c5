"""What is at a venue and not the desk's, and what a person may do about it.

A person gives a foreign holding into the desk's care, by name and with the stop that is to guard it, or
settles what stands in quarantine. The desk does neither by itself.
"""

import hashlib
from decimal import Decimal

from neuratrade.core.engine.brackets import go_on
from neuratrade.core.engine.config import EngineConfig
from neuratrade.core.engine.markets import Markets
from neuratrade.core.engine.reconcile import settle
from neuratrade.core.engine.state import AccountState
from neuratrade.core.engine.turn import Turn
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.account import AccountKind
from neuratrade.core.model.decimals import ONE, ZERO, ceil_to, floor_to
from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import Direction, EntryType, OpenIntent, Stop
from neuratrade.core.risk.gate import adoption_envelope

ADOPTED = "adopted"


def lift_quarantine(turn: Turn, event: e.LiftQuarantine) -> None:
    """Settles one reference by a person's word. Raises UsageError naming those there are."""
    kept = turn.state.quarantine.get(event.reference)
    if kept is None or (event.account_id and kept.account_id != event.account_id):
        known = ", ".join(sorted(turn.state.quarantine)) or "nothing"
        raise UsageError(f"reference: {event.reference!r} is not in quarantine; there is {known}")
    turn.record(
        f.QuarantineLifted(turn.at_ns, kept.account_id, kept.reference, event.operator_id, event.reason)
    )
    settle(turn)


def adopt_foreign(turn: Turn, event: e.AdoptForeign, config: EngineConfig, markets: Markets) -> None:
    """Takes a foreign holding into a bracket of its own and guards it. Raises UsageError saying why not."""
    account = _account(turn, event.account_id)
    contract = turn.state.instruments.get(event.instrument)
    held = account.foreign.get(event.instrument, ZERO)
    if not held or contract is None:
        known = ", ".join(sorted(account.foreign.keys() & turn.state.instruments.keys())) or "nothing"
        raise UsageError(
            f"instrument: nothing foreign is held in {event.instrument} to be adopted; there is {known}"
        )
    quantity = contract.round_quantity(abs(held))
    if quantity <= 0:
        raise UsageError(f"instrument: {held} of {event.instrument} is below its lot {contract.lot}")
    price = markets.price_of(event.instrument)
    rate = markets.rate(contract.quote, account.account.currency)
    if price is None or markets.doubts(event.instrument) or rate is None:
        raise UsageError(f"instrument: {event.instrument} has no price now; ask again once it has one")
    direction = Direction.LONG if held > 0 else Direction.SHORT
    stop = _stop(contract, direction, event.stop_price, price)
    intent = _intent(turn, event, account.account.account_id, direction, quantity, price, stop)
    envelope = adoption_envelope(intent, quantity, turn.at_ns, config.signer)
    turn.record(
        f.ForeignAdopted(
            turn.at_ns, event.operator_id, event.reason, intent, envelope, quantity, price, rate.value
        )
    )
    go_on(turn, turn.state.brackets[intent.intent_id])


def _account(turn: Turn, account_id: str) -> AccountState:
    accounts = turn.state.accounts
    wanted = account_id or (next(iter(accounts)) if len(accounts) == 1 else "")
    account = accounts.get(wanted)
    if account is None:
        raise UsageError(f"account_id: name one of {', '.join(sorted(accounts)) or 'none'}")
    if account.account.kind is AccountKind.READ_ONLY:
        raise UsageError(f"account_id: {wanted} is read-only: nothing there can be guarded")
    return account


def _stop(contract: Instrument, direction: Direction, asked: Decimal, price: Decimal) -> Decimal:
    """The stop on the tick grid, towards the market. Raises UsageError for one that is reached already."""
    if not (asked.is_finite() and contract.admits_price(asked)):
        raise UsageError(f"stop_price: {asked} is no price of {contract.key}")
    stop = ceil_to(asked, contract.tick) if direction is Direction.LONG else floor_to(asked, contract.tick)
    if (price - stop) * direction.sign <= 0 or not contract.admits_price(stop):
        side = "below" if direction is Direction.LONG else "above"
        raise UsageError(
            f"stop_price: {asked} must lie {side} the price {price}: {contract.key} is held {direction.value}"
        )
    return stop


def _intent(
    turn: Turn,
    event: e.AdoptForeign,
    account_id: str,
    direction: Direction,
    quantity: Decimal,
    price: Decimal,
    stop: Decimal,
) -> OpenIntent:
    """The intent that stands for the holding. Its id is derived, so a replay makes the same one."""
    name = (
        f"{turn.state.run_id}|{ADOPTED}|{account_id}|{event.instrument}|{turn.at_ns}|{len(turn.state.seen)}"
    )
    digest = hashlib.sha256(name.encode()).hexdigest()
    return OpenIntent(
        intent_id=f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}",
        account_id=account_id,
        operator_id=event.operator_id,
        instrument=event.instrument,
        direction=direction,
        trigger_price=price,
        protection=Stop(stop),
        take_profits=(),
        confidence=ONE,
        strategy_ref=ADOPTED,
        created_ns=turn.at_ns,
        order_type=EntryType.MARKET,
        quantity=quantity,
        tags={"note": event.reason},
        source="operator",
    )
