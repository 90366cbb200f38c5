"""The sender stops whatever was not approved as it is sent, however it came to look approved."""

from decimal import Decimal

import msgspec
import pytest

from neuratrade.core.engine.fold import apply
from neuratrade.core.engine.state import DeskState
from neuratrade.core.model import facts as f
from neuratrade.core.model.account import Account
from neuratrade.core.model.approval import Approved, Envelope, seal
from neuratrade.core.model.errors import Refused
from neuratrade.core.model.orders import Fill, Liquidity, OrderRequest, OrderRole, OrderType, Side
from neuratrade.core.risk.gate import judge
from neuratrade.core.risk.limits import DEFAULTS
from neuratrade.hands.sender import Sender
from neuratrade.store.keys import Ed25519Signer, verify
from tests.unit.risk.builders import INTENT, NOW_NS, SPOT, VIEW

SIGNER = Ed25519Signer()
STARTED = f.RunStarted(
    at_ns=NOW_NS,
    run_id="run",
    mode="paper",
    account=Account("main", "paper", "USD"),
    cash=Decimal(10_000),
    source="test",
    fresh=True,
    instruments=(SPOT,),
    limits={},
    config={},
    key_id=SIGNER.key_id,
    public_key=SIGNER.public_key,
    version="0",
)


def signed_envelope() -> Envelope:
    envelope = judge(INTENT, VIEW, DEFAULTS, SIGNER).envelope
    assert envelope is not None
    return envelope


ENVELOPE = signed_envelope()
ENTRY = OrderRequest(
    "a" * 32, "main", SPOT.key, Side.BUY, OrderType.LIMIT, Decimal(1), OrderRole.ENTRY, INTENT.intent_id
)
STOP = msgspec.structs.replace(
    ENTRY, client_order_id="b" * 32, side=Side.SELL, order_type=OrderType.STOP, role=OrderRole.STOP
)


def judged(envelope: Envelope = ENVELOPE) -> f.IntentJudged:
    return f.IntentJudged(NOW_NS, INTENT, True, envelope.max_quantity, (), f.MarketSeen(), envelope)


def filled(request: OrderRequest, quantity: str, trade_id: str = "t") -> f.OrderFilled:
    fill = Fill(
        trade_id,
        request.client_order_id,
        "main",
        SPOT.key,
        request.side,
        Decimal(quantity),
        Decimal(100),
        Decimal(0),
        "USD",
        Liquidity.TAKER,
        NOW_NS,
    )
    return f.OrderFilled(NOW_NS, fill)


def closed() -> f.BracketClosed:
    zero = Decimal(0)
    return f.BracketClosed(
        NOW_NS,
        INTENT.intent_id,
        f.CloseReason.SL,
        zero,
        zero,
        zero,
        zero,
        zero,
        NOW_NS,
        0,
        "main",
        "tactical",
    )


def forged(request: OrderRequest, envelope: Envelope = ENVELOPE) -> Approved:
    """What code in the same process can always make: an approval that no gate checked."""
    return seal(request, envelope, lambda _request, _envelope: None)


def sender_after(*facts: f.Fact) -> Sender:
    sender = Sender(verify)
    for fact in (STARTED, *facts):
        sender.learn(fact)
    return sender


def plan(request: OrderRequest) -> f.OrderPlanned:
    return f.OrderPlanned(NOW_NS, request)


def test_what_the_gate_approved_and_the_journal_holds_may_leave() -> None:
    sender_after(judged(), plan(ENTRY)).check(forged(ENTRY), NOW_NS)
    holding = sender_after(judged(), plan(ENTRY), filled(ENTRY, "1"), plan(STOP))
    holding.check(forged(STOP), NOW_NS + 10**18)


def test_an_order_that_was_not_journaled_first_stays_here() -> None:
    with pytest.raises(Refused, match="was not journaled before"):
        sender_after(judged()).check(forged(ENTRY), NOW_NS)


def test_an_approval_that_was_not_journaled_stays_here() -> None:
    with pytest.raises(Refused, match="is not the one that was journaled"):
        sender_after(plan(ENTRY)).check(forged(ENTRY), NOW_NS)


FIELDS: dict[str, object] = {
    "approval_id": "other",
    "account_id": "other",
    "instrument": "ETH/USD@paper",
    "bracket_id": "other",
    "side": Side.SELL,
    "max_quantity": Decimal(100),
    "issued_ns": NOW_NS + 1,
    "expires_ns": NOW_NS + 10**18,
    "signature": bytes(64),
}


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("checked_before", [False, True])
def test_an_approval_changed_in_any_field_is_found(field: str, checked_before: bool) -> None:
    changed = msgspec.structs.replace(ENVELOPE, **{field: FIELDS[field]})
    sender = sender_after(judged(), plan(ENTRY))
    if checked_before:
        sender.check(forged(ENTRY), NOW_NS)
    with pytest.raises(Refused, match=r"signature that does not fit|not the one that was journaled"):
        sender.check(forged(ENTRY, changed), NOW_NS)


@pytest.mark.parametrize("field", [name for name in FIELDS if name != "bracket_id"])
def test_a_changed_approval_is_found_by_its_signature_even_when_the_journal_agrees(field: str) -> None:
    changed = msgspec.structs.replace(ENVELOPE, **{field: FIELDS[field]})
    sender = sender_after(judged(changed), plan(ENTRY))
    with pytest.raises(Refused, match="signature that does not fit"):
        sender.check(forged(ENTRY, changed), NOW_NS)


def test_a_good_signature_is_not_lent_to_another_approval() -> None:
    sender = sender_after(judged(), plan(ENTRY))
    sender.check(forged(ENTRY), NOW_NS)
    larger = msgspec.structs.replace(ENVELOPE, max_quantity=Decimal(100))
    sender.learn(judged(larger))
    with pytest.raises(Refused, match="signature that does not fit"):
        sender.check(forged(ENTRY, larger), NOW_NS)


def test_the_table_of_changed_fields_leaves_none_out() -> None:
    assert set(FIELDS) | {"key_id"} == set(ENVELOPE.__struct_fields__)


def test_an_unsigned_approval_or_one_of_an_unknown_key_never_leaves() -> None:
    unsigned = judge(INTENT, VIEW, DEFAULTS, None).envelope
    stranger = judge(INTENT, VIEW, DEFAULTS, Ed25519Signer()).envelope
    for envelope in (unsigned, stranger):
        assert envelope is not None
        with pytest.raises(Refused, match="is signed with unknown key"):
            sender_after(judged(envelope), plan(ENTRY)).check(forged(ENTRY, envelope), NOW_NS)


def test_another_known_key_does_not_stand_in_for_the_one_that_signed() -> None:
    other = Ed25519Signer()
    later = msgspec.structs.replace(STARTED, fresh=False, key_id=other.key_id, public_key=other.public_key)
    relabelled = msgspec.structs.replace(ENVELOPE, key_id=other.key_id)
    with pytest.raises(Refused, match="signature that does not fit"):
        sender_after(later, judged(relabelled), plan(ENTRY)).check(forged(ENTRY, relabelled), NOW_NS)


def test_an_approval_of_an_earlier_run_still_covers_its_exits() -> None:
    other = Ed25519Signer()
    later = msgspec.structs.replace(STARTED, fresh=False, key_id=other.key_id, public_key=other.public_key)
    sender_after(judged(), plan(ENTRY), filled(ENTRY, "1"), later, plan(STOP)).check(forged(STOP), NOW_NS)


def again(quantity: str, name: str) -> OrderRequest:
    return msgspec.structs.replace(ENTRY, client_order_id=name * 32, quantity=Decimal(quantity))


def test_a_used_approval_is_used_also_after_a_restart() -> None:
    history = (judged(), plan(ENTRY), filled(ENTRY, "1"))
    running = sender_after(*history)
    restarted = sender_after(*[f.decode_fact(f.encode_fact(fact)) for fact in history])
    for sender in (running, restarted):
        sender.learn(plan(again("0.001", "c")))
        with pytest.raises(Refused, match=r"1\.000 \+ 0\.001 is more than the approved 1\.000"):
            sender.check(forged(again("0.001", "c")), NOW_NS)


def test_a_used_approval_is_used_also_for_a_sender_restored_from_state() -> None:
    state = DeskState()
    for fact in (STARTED, judged(), plan(ENTRY), filled(ENTRY, "1")):
        apply(state, fact)
    sender = Sender(verify)
    sender.restore(state)
    sender.learn(plan(again("0.001", "c")))
    with pytest.raises(Refused, match="is more than the approved"):
        sender.check(forged(again("0.001", "c")), NOW_NS)
    sender.learn(plan(STOP))
    sender.check(forged(STOP), NOW_NS)


def test_a_fresh_run_does_not_make_an_approval_of_the_run_before_fresh() -> None:
    sender = sender_after(judged(), plan(ENTRY), filled(ENTRY, "1"), STARTED, plan(again("1", "c")))
    with pytest.raises(Refused):
        sender.check(forged(again("1", "c")), NOW_NS)


def test_parts_of_an_approval_add_up_and_no_further() -> None:
    first, second, third = again("0.6", "1"), again("0.4", "2"), again("0.001", "3")
    sender = sender_after(judged(), plan(first))
    sender.check(forged(first), NOW_NS)
    sender.learn(plan(second))
    sender.check(forged(second), NOW_NS)
    sender.learn(plan(third))
    with pytest.raises(Refused, match=r"\+ 0\.001 is more than the approved 1"):
        sender.check(forged(third), NOW_NS)


def test_an_entry_after_its_approval_expired_stays_here() -> None:
    sender = sender_after(judged(), plan(ENTRY))
    sender.check(forged(ENTRY), ENVELOPE.expires_ns)
    with pytest.raises(Refused, match="the approval expired 1 ns ago"):
        sender.check(forged(ENTRY), ENVELOPE.expires_ns + 1)


@pytest.mark.parametrize("quantity", ["0.9", "1.1", "100"])
def test_an_order_that_is_not_the_one_in_the_journal_stays_here(quantity: str) -> None:
    """Its number is in the journal, but with another quantity."""
    swapped = msgspec.structs.replace(ENTRY, quantity=Decimal(quantity))
    planned = msgspec.structs.replace(ENTRY, quantity=Decimal("0.5"))
    with pytest.raises(Refused):
        sender_after(judged(), plan(planned)).check(forged(swapped), NOW_NS)


def test_an_order_sent_larger_than_journaled_does_not_borrow_from_the_next_one() -> None:
    first, second = again("0.5", "1"), again("0.5", "2")
    sender = sender_after(judged(), plan(first), plan(second))
    with pytest.raises(Refused):
        sender.check(forged(again("1", "1")), NOW_NS)


def test_an_exit_can_neither_grow_nor_flip_nor_come_before_the_fill() -> None:
    sender = sender_after(judged(), plan(ENTRY), plan(STOP))
    with pytest.raises(Refused, match="would not reduce a holding of 0"):
        sender.check(forged(STOP), NOW_NS)
    sender.learn(filled(ENTRY, "0.4"))
    with pytest.raises(Refused, match=r"1 would flip a holding of 0.4"):
        sender.check(forged(STOP), NOW_NS)
    sender.learn(filled(ENTRY, "0.6", "t2"))
    sender.check(forged(STOP), NOW_NS)
    buying = msgspec.structs.replace(STOP, side=Side.BUY)
    with pytest.raises(Refused):
        sender.check(forged(buying), NOW_NS)


def test_exits_of_a_closed_bracket_stay_here() -> None:
    sender = sender_after(judged(), plan(ENTRY), filled(ENTRY, "1"), plan(STOP), filled(STOP, "1"), closed())
    for request in (ENTRY, STOP):
        with pytest.raises(Refused):
            sender.check(forged(request), NOW_NS)


def test_a_late_fill_of_a_closed_bracket_does_not_break_the_books() -> None:
    sender_after(judged(), plan(ENTRY), closed(), filled(ENTRY, "1")).learn(judged())


def test_an_approval_put_together_by_hand_is_stopped() -> None:
    """Python cannot keep code in the same process from this; the sender's own books can."""
    order = object.__new__(Approved)
    larger = msgspec.structs.replace(ENTRY, quantity=Decimal(100))
    object.__setattr__(order, "_request", larger)
    object.__setattr__(order, "_envelope", msgspec.structs.replace(ENVELOPE, max_quantity=Decimal(100)))
    sender = sender_after(judged(), plan(larger))
    with pytest.raises(Refused, match="signature that does not fit"):
        sender.check(order, NOW_NS)
    within = object.__new__(Approved)
    object.__setattr__(within, "_request", larger)
    object.__setattr__(within, "_envelope", ENVELOPE)
    with pytest.raises(Refused, match=r"0 \+ 100 is more than the approved 1"):
        sender.check(within, NOW_NS)


def test_a_bracket_that_a_late_execution_opens_again_may_be_guarded() -> None:
    begun = (judged(), plan(ENTRY), closed())
    late = (filled(ENTRY, "1"), plan(STOP))
    with pytest.raises(Refused, match="is not the one that was journaled"):
        sender_after(*begun, *late).check(forged(STOP), NOW_NS)
    reopened = f.BracketReopened(NOW_NS, INTENT.intent_id)
    sender_after(*begun, reopened, *late).check(forged(STOP), NOW_NS)


CANCELLED = f.OrderCancelled(NOW_NS, ENTRY.client_order_id, "", Decimal(0))


@pytest.mark.parametrize(
    ("word", "free"),
    [
        (CANCELLED, True),
        (f.OrderExpired(NOW_NS, ENTRY.client_order_id, Decimal(0)), True),
        (f.OrderRejected(NOW_NS, ENTRY.client_order_id, "no"), True),
        (msgspec.structs.replace(CANCELLED, filled=None), False),
        (msgspec.structs.replace(CANCELLED, filled=Decimal(1)), False),
        (f.OrderNotFound(NOW_NS, ENTRY.client_order_id), False),
    ],
)
def test_only_what_an_entry_is_stated_never_to_have_filled_may_be_asked_for_again(
    word: f.Fact, free: bool
) -> None:
    whole = msgspec.structs.replace(ENTRY, quantity=ENVELOPE.max_quantity)
    again = msgspec.structs.replace(whole, client_order_id="c" * 32)
    sender = sender_after(judged(), plan(whole), word, plan(again))
    if free:
        sender.check(forged(again), NOW_NS)
    else:
        with pytest.raises(Refused, match="more than the approved"):
            sender.check(forged(again), NOW_NS)


def test_an_order_that_was_thought_absent_and_is_there_uses_its_approval_again() -> None:
    whole = msgspec.structs.replace(ENTRY, quantity=ENVELOPE.max_quantity)
    again = msgspec.structs.replace(whole, client_order_id="c" * 32)
    missed = [f.OrderNotFound(NOW_NS + late, ENTRY.client_order_id) for late in (0, 2_000_000_000)]
    sender = sender_after(judged(), plan(whole), *missed, plan(again))
    sender.check(forged(again), NOW_NS)
    sender.learn(f.OrderAccepted(NOW_NS, ENTRY.client_order_id, "V"))
    with pytest.raises(Refused, match="more than the approved"):
        sender.check(forged(again), NOW_NS)
