"""Intents and approvals: what is refused, what is taken on the worst of days, how orders are named."""

import msgspec
import pytest

from neuratrade.core.model import commands as c
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import (
    AmendIntent,
    CancelIntent,
    CloseIntent,
    EntryType,
    Intent,
    OpenIntent,
    ReduceIntent,
)
from neuratrade.core.model.market import NS_PER_DAY, NS_PER_HOUR, NS_PER_SECOND
from neuratrade.core.model.orders import OrderRole, OrderType, client_order_id
from neuratrade.hands.door import Admitted, Door
from neuratrade.hands.intent_schema import EXAMPLE_JSON
from neuratrade.store.keys import Ed25519Signer, verify
from tests.semantics.venues import submits
from tests.simulation.hand import Hand
from tests.simulation.world import PERP, T0, D, intent

ENTRY, STOP, EXIT = OrderRole.ENTRY, OrderRole.STOP, OrderRole.EXIT
SENT_NS = 1_770_923_700 * NS_PER_SECOND
SOLANA = msgspec.structs.replace(PERP, asset="SOL/USD", venue="paper")
DOOR = Door({SOLANA.key: SOLANA}, "paper", "a", "o")


def judged_of(hand: Hand, proposal: Intent) -> f.IntentJudged:
    step = hand.step(e.IntentArrived(proposal, hand.now_ns))
    return next(fact for fact in step.facts if isinstance(fact, f.IntentJudged))


def test_an_intent_without_protection_cannot_even_be_written_down() -> None:
    whole = msgspec.to_builtins(intent())
    assert msgspec.convert(whole, OpenIntent, strict=False).intent_id == "a"
    del whole["protection"]
    with pytest.raises(msgspec.ValidationError, match="protection"):
        msgspec.convert(whole, OpenIntent, strict=False)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(whole | {"protection": None}, OpenIntent, strict=False)
    with pytest.raises(msgspec.ValidationError, match="hope"):
        msgspec.convert(whole | {"protection": {"type": "hope"}}, OpenIntent, strict=False)


def test_the_door_refuses_to_open_without_a_stop() -> None:
    bare = EXAMPLE_JSON.replace(b'"stop_loss": 139.50, ', b"")
    answer = DOOR.admit(bare, source="t", name="n", wall_ns=SENT_NS)
    assert isinstance(answer, f.DoorRefused)
    assert ["stop_loss" in error for error in answer.errors] == [True], answer.errors


def test_an_intent_that_names_no_kind_of_order_is_a_limit_at_its_trigger() -> None:
    limit = intent(trigger=90, stop=85)
    plain = {key: value for key, value in msgspec.to_builtins(limit).items() if key != "order_type"}
    proposal = msgspec.convert(plain, OpenIntent, strict=False)
    hand = Hand()
    hand.propose(proposal)
    request = hand.order(ENTRY).request
    assert (request.order_type, request.limit_price) == (OrderType.LIMIT, D(90))


def test_the_time_to_live_ends_the_acceptance_and_the_expiry_ends_the_resting_entry() -> None:
    late = Hand()
    late.seconds(16)
    judged = judged_of(late, intent(order_type=EntryType.LIMIT))
    assert [layer.name for layer in judged.layers if layer.verdict.blocks] == ["ttl"]
    hand = Hand()
    hand.seconds(15)
    hand.propose(intent(order_type=EntryType.LIMIT, expiry_s=600))
    hand.accept(ENTRY)
    hand.seconds(599)
    assert hand.order(ENTRY).asked == "", "long past its 15 s, it rests on"
    hand.seconds(1)
    assert hand.order(ENTRY).asked == "cancel"


def test_an_intent_is_taken_once_whatever_it_says_the_second_time() -> None:
    hand = Hand()
    hand.propose(intent())
    again = judged_of(hand, intent(quantity=2))
    assert "duplicate" in [layer.name for layer in again.layers if layer.verdict.blocks]


def worst_day() -> Hand:
    """Held at 100, and then all that refuses new exposure: halted, latched, stale, past its limits."""
    hand = Hand({"trades_per_day": "1", "concurrent": "1", "price_age_ns": str(90 * NS_PER_SECOND)})
    hand.propose(intent(order_type=EntryType.LIMIT, quantity=2, targets=()))
    hand.accept(ENTRY)
    hand.fill(ENTRY, 1, 100)
    hand.accept(STOP)
    hand.step(e.Halt(hand.now_ns, "op", "enough"))
    hand.step(e.FeedStalled(hand.now_ns, PERP.key, True))
    hand.step(e.VenueHealth("test", hand.now_ns, True))
    hand.now_ns += 3 * NS_PER_HOUR
    opened = judged_of(hand, intent("x"))
    assert {layer.name for layer in opened.layers if layer.verdict.blocks} >= {
        "ttl",
        "trading_state",
        "stale_data",
        "concurrent",
        "trades_per_day",
    }
    return hand


OLD_NS = T0 - NS_PER_DAY


@pytest.mark.parametrize(
    "proposal",
    [
        ReduceIntent("r", "paper", "op", "a", D("0.5"), "less", OLD_NS),
        CloseIntent("r", "paper", "op", "a", "out", OLD_NS),
        AmendIntent("r", "paper", "op", "a", D(97), OLD_NS),
        CancelIntent("r", "paper", "op", "a", "no more", OLD_NS),
    ],
    ids=["reduce", "close", "amend", "cancel"],
)
def test_what_reduces_is_taken_when_nothing_else_is(proposal: Intent) -> None:
    hand = worst_day()
    judged = judged_of(hand, proposal)
    assert judged.approved, judged.layers
    assert len(judged.layers) == 1, "one check, no layers"


def test_what_reduces_needs_no_protection_and_cannot_flip() -> None:
    hand = Hand()
    hand.enter(intent())
    refused = judged_of(hand, ReduceIntent("r1", "paper", "op", "a", D("1.001"), "less", hand.now_ns))
    assert not refused.approved
    assert judged_of(hand, ReduceIntent("r2", "paper", "op", "a", D(1), "less", hand.now_ns)).approved
    hand.cancelled(STOP)
    (request,) = submits(hand.commands)
    assert request.quantity == 1


def test_an_exit_leaves_though_its_approval_expired_long_ago() -> None:
    hand = Hand()
    hand.enter(intent(expiry_s=60))
    hand.now_ns += NS_PER_DAY
    assert hand.bracket.envelope.expires_ns < hand.now_ns
    judged_of(hand, CloseIntent("c", "paper", "op", "a", "out", hand.now_ns))
    hand.cancelled(STOP)
    (request,) = submits(hand.commands)
    assert request.role is EXIT


def attempts(hand: Hand, role: OrderRole) -> list[int]:
    return [
        fact.request.attempt
        for fact in hand.facts
        if isinstance(fact, f.OrderPlanned) and fact.request.role is role
    ]


def test_the_attempt_rises_after_a_definitive_reject() -> None:
    hand = Hand()
    hand.propose(intent())
    hand.accept(ENTRY)
    hand.fill(ENTRY, 1, 100)
    hand.rejected(STOP)
    hand.rejected(STOP)
    assert attempts(hand, STOP) == [0, 1, 2]


def test_the_attempt_does_not_rise_after_a_cancel_or_a_timeout() -> None:
    hand = Hand()
    hand.enter(intent())
    hand.cancelled(STOP)
    assert attempts(hand, STOP) == [0, 0]
    hand.unknown(STOP)
    hand.not_found(STOP)
    assert attempts(hand, STOP) == [0, 0], "missed once is no proof"
    hand.wait(2000)
    hand.not_found(STOP)
    assert attempts(hand, STOP) == [0, 0, 1], "missed twice, far enough apart, is"


def test_an_order_id_is_made_of_account_intent_leg_and_attempt_and_can_be_made_again() -> None:
    hand = Hand()
    hand.enter(intent())
    assert hand.coid(ENTRY) == client_order_id("paper", "a", "entry-0", 0)
    assert hand.coid(STOP) == client_order_id("paper", "a", "stop-1", 0)
    assert len(hand.coid(STOP)) == 32


def test_each_process_signs_with_a_key_of_its_own_and_the_public_half_is_journaled() -> None:
    first, second = Ed25519Signer(), Ed25519Signer()
    assert first.public_key != second.public_key
    assert not verify(second.public_key, b"order", first.sign(b"order"))
    hand = Hand(checked=False)
    started = next(fact for fact in hand.facts if isinstance(fact, f.RunStarted))
    resumed = msgspec.structs.replace(
        started, fresh=False, key_id=second.key_id, public_key=second.public_key, at_ns=hand.now_ns
    )
    hand.step(resumed)
    assert hand.state.keys == {"key": "", second.key_id: second.public_key}, "older rows still verify"


def test_tags_go_with_an_intent_into_its_verdict() -> None:
    tagged = EXAMPLE_JSON.replace(b'"ttl_seconds": 15', b'"tags": {"emotion": "calm", "session": "asia"}')
    answer = DOOR.admit(tagged, source="t", name="n", wall_ns=SENT_NS)
    assert isinstance(answer, Admitted), answer
    hand = Hand()
    judged = judged_of(hand, answer.intent)
    assert judged.intent.tags == {"emotion": "calm", "session": "asia"}  # type: ignore[union-attr]


def test_an_approved_entry_is_recorded_before_it_is_commanded() -> None:
    hand = Hand()
    step = hand.step(e.IntentArrived(intent(), hand.now_ns))
    kinds = [type(fact) for fact in step.facts]
    assert kinds.index(f.IntentJudged) < kinds.index(f.OrderPlanned)
    (command,) = step.commands
    assert isinstance(command, c.SubmitOrder)
