"""Corporate actions, rolls and new terms of contracts: taken once, then every bracket is guarded anew.

An action that cannot be right is not applied: it is put into quarantine, and a person looks. Approvals name
a contract and a quantity, so they are written in the new terms and signed again; nothing is approved by it
that was not approved before, since every entry that still rests is taken away.
"""

from msgspec.structs import replace

from neuratrade.core.engine import brackets as rules
from neuratrade.core.engine.fold.actions import position_keys
from neuratrade.core.engine.markets import Markets
from neuratrade.core.engine.state import BracketState
from neuratrade.core.engine.terms import units
from neuratrade.core.engine.turn import Turn
from neuratrade.core.model import facts as f
from neuratrade.core.model.approval import Envelope, Signer
from neuratrade.core.model.decimals import ONE, ZERO
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_SECOND

FUTURE_NS = 2 * NS_PER_SECOND
"""How far ahead of ours a venue's clock may be."""

SUCCEEDED = (f.ActionKind.SYMBOL_CHANGE, f.ActionKind.ROLL)


def take_action(turn: Turn, event: f.CorporateActed, markets: Markets, signer: Signer | None) -> None:
    """Applies a corporate action once; the same one told again, or of an unknown account, changes nothing."""
    account = turn.state.accounts.get(event.account_id)
    action_id = event.action_id or f"{event.kind.value}:{event.instrument}:{event.at_ns}"
    if account is None or action_id in account.actions:
        return
    wrong = _objection(turn, event)
    if wrong is not None:
        _quarantine(turn, event, action_id, wrong)
        return
    fact = replace(
        event,
        at_ns=turn.at_ns,
        action_id=action_id,
        effective_ns=event.effective_ns or event.at_ns,
        envelopes=_envelopes(turn, event, signer),
    )
    told_before = any(action_id in other.actions for other in turn.state.accounts.values())
    turn.record(fact)
    if not told_before:
        markets.act(fact, turn.state.instruments[_key_after(fact)])
    for bracket in _brackets_in(turn, _key_after(fact)):
        if bracket.intent.account_id == fact.account_id:
            rules.go_on(turn, bracket)


def take_new_terms(turn: Turn, event: f.InstrumentUpdated, markets: Markets) -> None:
    """A contract has other terms from now on: levels move to its grid, and stops follow.

    One that would be worth something else is not taken while any of it is held: it is put into quarantine.
    """
    contract = event.instrument
    known = turn.state.instruments.get(contract.key)
    if known == contract:
        return
    holder = _holder(turn, contract.key)
    if known is not None and holder is not None and _worth(known) != _worth(contract):
        reference = f"terms:{contract.key}"
        if reference not in turn.state.quarantine:
            kind, detail = f.QuarantineKind.POSITION, "new terms not applied: they change what it is worth"
            turn.record(f.Quarantined(turn.at_ns, holder, kind, reference, contract.key, detail))
        return
    turn.record(f.InstrumentUpdated(turn.at_ns, contract))
    markets.follow(contract)
    for bracket in _brackets_in(turn, contract.key):
        rules.go_on(turn, bracket)


def _worth(contract: Instrument) -> tuple[object, ...]:
    """What a holding is valued by; another would be profit or loss that nobody made."""
    return contract.kind, contract.base, contract.quote, contract.multiplier


def _holder(turn: Turn, instrument: str) -> str | None:
    """An account that holds a contract, trades it, or did a moment ago."""
    state = turn.state
    kept = (item.bracket for item in state.closed.values())
    for bracket in (*state.brackets.values(), *kept):
        if bracket.intent.instrument == instrument:
            return bracket.intent.account_id
    for account_id, account in state.accounts.items():
        if any(account.positions[key].quantity for key in position_keys(account.positions, instrument)):
            return account_id
    return None


def _key_after(action: f.CorporateActed) -> str:
    return action.instrument if action.successor is None else action.successor.key


def _brackets_in(turn: Turn, instrument: str) -> list[BracketState]:
    return [item for item in turn.state.brackets.values() if item.intent.instrument == instrument]


def _objection(turn: Turn, event: f.CorporateActed) -> str | None:
    """Why an action cannot be applied, or None."""
    old, new = turn.state.instruments.get(event.instrument), event.successor
    numbers = (event.ratio, event.per, event.amount)
    if old is None:
        return "the instrument is not known"
    if event.effective_ns > turn.at_ns + FUTURE_NS:
        return "it has not taken effect yet: until then levels in its terms guard nothing"
    if not all(number.is_finite() for number in numbers) or event.ratio <= ZERO or event.per <= ZERO:
        return f"{event.ratio} for {event.per} with an amount of {event.amount} is no action"
    plain, unpaid = event.ratio == event.per == ONE, event.amount == ZERO
    fits = {
        f.ActionKind.SPLIT: new is None and unpaid,
        f.ActionKind.DIVIDEND: new is None and plain and event.amount > ZERO,
        f.ActionKind.SYMBOL_CHANGE: plain and unpaid,
        f.ActionKind.ROLL: plain and old.is_derivative,
    }
    if not fits[event.kind]:
        return f"its terms do not fit a {event.kind.value}"
    if event.kind not in SUCCEEDED:
        return None
    if new is None or new.key == old.key:
        return "it names no other instrument as successor"
    if (new.kind, new.quote, new.multiplier) != (old.kind, old.quote, old.multiplier):
        return "its successor differs in kind, quote currency or multiplier"
    return None


def _quarantine(turn: Turn, event: f.CorporateActed, action_id: str, wrong: str) -> None:
    if action_id in turn.state.quarantine:
        return
    kind = f.QuarantineKind.POSITION
    detail = f"{event.kind.value} not applied: {wrong}"
    account_id, instrument = event.account_id, event.instrument
    turn.record(f.Quarantined(turn.at_ns, account_id, kind, action_id, instrument, detail))


def _envelopes(turn: Turn, event: f.CorporateActed, signer: Signer | None) -> tuple[Envelope, ...]:
    """Approvals of the brackets an action touches, in its terms; none where these stay what they are."""
    if event.kind is f.ActionKind.DIVIDEND:
        return ()
    kept = (item.bracket for item in turn.state.closed.values())
    mine = (
        item
        for item in (*turn.state.brackets.values(), *kept)
        if item.intent.account_id == event.account_id and item.intent.instrument == event.instrument
    )
    return tuple(_in_new_terms(item.envelope, event, signer) for item in mine)


def _in_new_terms(envelope: Envelope, event: f.CorporateActed, signer: Signer | None) -> Envelope:
    bare = replace(
        envelope,
        instrument=_key_after(event),
        max_quantity=units(event, envelope.max_quantity),
        key_id="" if signer is None else signer.key_id,
        signature=b"",
    )
    return bare if signer is None else replace(bare, signature=signer.sign(bare.signed_text()))
