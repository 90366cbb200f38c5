"""What an approval allows, and every order that does not fit it."""

import copy
import pickle
from decimal import Decimal

import msgspec
import pytest

from neuratrade.core.model.approval import Approved, Envelope, seal
from neuratrade.core.model.errors import Refused
from neuratrade.core.model.intent import Direction, Stop, TakeProfit
from neuratrade.core.model.orders import OrderRequest, OrderRole, OrderType, Side
from neuratrade.core.risk.gate import adoption_envelope, judge
from neuratrade.core.risk.limits import DEFAULTS
from neuratrade.core.risk.permit import approve, objection
from neuratrade.store.keys import Ed25519Signer, verify
from tests.unit.risk.builders import INTENT, NOW_NS, VIEW, answer, intent_with

ENVELOPE = Envelope(
    "approval", "main", "SOL/USD@paper", "bracket", Side.BUY, Decimal(2), NOW_NS, NOW_NS + 100
)
ENTRY = OrderRequest(
    "0" * 32, "main", "SOL/USD@paper", Side.BUY, OrderType.LIMIT, Decimal(2), OrderRole.ENTRY, "bracket"
)
EXIT_ROLES = [role for role in OrderRole if role.reduces]


def said(request: OrderRequest, *, now_ns: int = NOW_NS, used: str = "0", held: str = "0") -> str | None:
    return objection(request, ENVELOPE, now_ns=now_ns, used=Decimal(used), held=Decimal(held))


def entry(**changes: object) -> OrderRequest:
    return msgspec.structs.replace(ENTRY, **changes)


def leaving(role: OrderRole, side: Side, quantity: str) -> OrderRequest:
    return entry(role=role, side=side, quantity=Decimal(quantity))


def test_an_entry_may_use_the_whole_approved_quantity_until_it_expires() -> None:
    assert said(ENTRY) is None
    assert said(ENTRY, now_ns=ENVELOPE.expires_ns) is None
    assert said(entry(quantity=Decimal("0.5")), used="1.5") is None
    assert said(entry(expires_ns=ENVELOPE.expires_ns)) is None


@pytest.mark.parametrize(
    ("request_", "now_ns", "used", "words"),
    [
        (ENTRY, ENVELOPE.expires_ns + 1, "0", "the approval expired 1 ns ago"),
        (entry(quantity=Decimal("2.001")), NOW_NS, "0", "0 + 2.001 is more than the approved 2"),
        (entry(quantity=Decimal("0.501")), NOW_NS, "1.5", "1.5 + 0.501 is more than the approved 2"),
        (ENTRY, NOW_NS, "2", "2 + 2 is more"),
        (entry(quantity=Decimal(3)), NOW_NS, "-2", "the quantity used so far, -2, cannot be below zero"),
        (ENTRY, NOW_NS, "-0.001", "the quantity used so far, -0.001, cannot be below zero"),
        (entry(side=Side.SELL), NOW_NS, "0", "entries go buy only"),
        (entry(expires_ns=ENVELOPE.expires_ns + 1), NOW_NS, "0", "it would rest 1 ns longer than approved"),
        (entry(account_id="other"), NOW_NS, "0", "it names another account, instrument or bracket"),
        (entry(instrument="SOL/USD@live"), NOW_NS, "0", "it names another account, instrument or bracket"),
        (entry(bracket_id="other"), NOW_NS, "0", "it names another account, instrument or bracket"),
        (entry(quantity=Decimal(0)), NOW_NS, "0", "its quantity 0 is not a number above zero"),
        (entry(quantity=Decimal(-1)), NOW_NS, "0", "its quantity -1 is not a number above zero"),
        (entry(quantity=Decimal("NaN")), NOW_NS, "0", "its quantity NaN is not a number above zero"),
        (entry(quantity=Decimal("sNaN")), NOW_NS, "0", "its quantity sNaN is not a number above zero"),
        (
            entry(quantity=Decimal("Infinity")),
            NOW_NS,
            "0",
            "its quantity Infinity is not a number above zero",
        ),
    ],
)
def test_an_entry_outside_its_approval_is_named(
    request_: OrderRequest, now_ns: int, used: str, words: str
) -> None:
    found = said(request_, now_ns=now_ns, used=used)
    assert found is not None
    assert found.startswith(words)


@pytest.mark.parametrize("role", EXIT_ROLES)
def test_what_reduces_needs_no_time_and_no_quantity_of_the_approval(role: OrderRole) -> None:
    later = ENVELOPE.expires_ns + 10**18
    assert said(leaving(role, Side.SELL, "2"), now_ns=later, used="2", held="2") is None
    assert said(leaving(role, Side.BUY, "5"), now_ns=later, used="2", held="-5") is None
    assert said(leaving(role, Side.SELL, "0.001"), now_ns=later, used="2", held="0.001") is None
    assert said(leaving(role, Side.BUY, "0.001"), now_ns=later, used="2", held="-0.001") is None


@pytest.mark.parametrize("role", EXIT_ROLES)
@pytest.mark.parametrize(
    ("side", "quantity", "held", "words"),
    [
        (Side.SELL, "2.001", "2", "2.001 would flip a holding of 2"),
        (Side.BUY, "2.001", "-2", "2.001 would flip a holding of -2"),
        (Side.BUY, "1", "2", "a buy would not reduce a holding of 2"),
        (Side.SELL, "1", "-2", "a sell would not reduce a holding of -2"),
        (Side.SELL, "1", "0", "a sell would not reduce a holding of 0"),
        (Side.BUY, "1", "0", "a buy would not reduce a holding of 0"),
        (Side.BUY, "0.001", "0.001", "a buy would not reduce a holding of 0.001"),
        (Side.SELL, "0.001", "-0.001", "a sell would not reduce a holding of -0.001"),
        (Side.SELL, "0", "2", "its quantity 0 is not a number above zero"),
        (Side.SELL, "Infinity", "2", "its quantity Infinity is not a number above zero"),
    ],
)
def test_what_claims_to_reduce_can_neither_grow_nor_flip(
    role: OrderRole, side: Side, quantity: str, held: str, words: str
) -> None:
    assert said(leaving(role, side, quantity), held=held) == words


def test_what_reduces_must_name_the_bracket_it_reduces() -> None:
    other = msgspec.structs.replace(leaving(OrderRole.EXIT, Side.SELL, "1"), bracket_id="other")
    assert said(other, held="2") == "it names another account, instrument or bracket"


def test_an_order_that_does_not_fit_is_never_approved() -> None:
    with pytest.raises(Refused, match=r"order 0{32} does not fit its approval: .* more than the approved 2"):
        approve(ENTRY, ENVELOPE, now_ns=NOW_NS, used=Decimal(1), held=Decimal(0))


def approved() -> Approved:
    return approve(ENTRY, ENVELOPE, now_ns=NOW_NS, used=Decimal(0), held=Decimal(0))


def test_an_approved_order_says_what_was_asked_and_under_which_approval() -> None:
    assert approved().request is ENTRY
    assert approved().envelope is ENVELOPE


def test_nobody_constructs_an_approval() -> None:
    for arguments in ((), (ENTRY, ENVELOPE)):
        with pytest.raises(Refused, match="only be made by the risk gate"):
            Approved(*arguments)
    with pytest.raises(Refused, match="only be made by the risk gate"):
        Approved(request=ENTRY, envelope=ENVELOPE)  # type: ignore[call-arg]


def test_nobody_subclasses_an_approval() -> None:
    with pytest.raises(Refused, match="cannot be subclassed"):
        type("Forged", (Approved,), {"request": ENTRY})


def _pickled(order: Approved) -> object:
    return pickle.loads(pickle.dumps(order))


def test_nobody_copies_or_pickles_an_approval_into_existence() -> None:
    for duplicate in (copy.copy, copy.deepcopy, _pickled):
        with pytest.raises(Refused, match="only be made by the risk gate"):
            duplicate(approved())
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"request": ENTRY, "envelope": ENVELOPE}, Approved)


def test_nobody_changes_an_approval() -> None:
    order = approved()
    for name in ("_request", "_envelope", "request", "envelope", "anything"):
        with pytest.raises(Refused, match=f"cannot be changed: {name} stays"):
            setattr(order, name, entry(quantity=Decimal(100)))
    assert order.request is ENTRY


def test_sealing_asks_the_check_it_is_given() -> None:
    with pytest.raises(Refused, match="does not fit its approval: never"):
        seal(ENTRY, ENVELOPE, lambda _request, _envelope: "never")


class Recording:
    """A signer that keeps what it was asked to sign."""

    key_id = "key"

    def __init__(self) -> None:
        self.payloads: list[bytes] = []

    def sign(self, payload: bytes) -> bytes:
        self.payloads.append(payload)
        return b"signed"


@pytest.mark.parametrize(("direction", "side"), [(Direction.LONG, Side.BUY), (Direction.SHORT, Side.SELL)])
def test_the_envelope_says_what_the_intent_asked_and_the_gate_left(direction: Direction, side: Side) -> None:
    stop, target = ("98", "104") if direction is Direction.LONG else ("102", "96")
    intent = intent_with(
        direction=direction,
        protection=Stop(Decimal(stop)),
        take_profits=(TakeProfit(Decimal(target)),),
    )
    signer = Recording()
    judgement = judge(intent, VIEW, DEFAULTS, signer)
    assert judgement.envelope == Envelope(
        approval_id=f"{INTENT.intent_id}/{NOW_NS}",
        account_id="main",
        instrument="SOL/USD@paper",
        bracket_id=INTENT.intent_id,
        side=side,
        max_quantity=Decimal(1),
        issued_ns=NOW_NS,
        expires_ns=NOW_NS + INTENT.ttl_ns,
        key_id="key",
        signature=b"signed",
    )
    assert signer.payloads == [judgement.envelope.signed_text()]


def test_every_field_of_an_envelope_but_the_signature_is_in_the_signed_text() -> None:
    changed: dict[str, object] = {
        "side": Side.SELL,
        "max_quantity": Decimal(3),
        "issued_ns": 1,
        "expires_ns": 1,
    }
    for name in ENVELOPE.__struct_fields__:
        other = msgspec.structs.replace(
            ENVELOPE, **{name: changed.get(name, b"x" if name == "signature" else "x")}
        )
        assert (other.signed_text() == ENVELOPE.signed_text()) == (name == "signature"), name


@pytest.mark.parametrize(
    ("changes", "rest_ns"),
    [
        ({}, 15_000_000_000),
        ({"max_hold_ns": 70}, 70),
        ({"max_hold_ns": 70, "entry_expiry_ns": 30}, 30),
        ({"max_hold_ns": 70, "entry_expiry_ns": 0}, 0),
        ({"max_hold_ns": 0}, 0),
    ],
)
def test_an_entry_rests_as_long_as_was_asked_and_no_longer(changes: dict[str, object], rest_ns: int) -> None:
    envelope = answer(intent_with(**changes)).envelope
    assert envelope is not None
    assert envelope.expires_ns == NOW_NS + rest_ns


def test_without_a_signer_the_envelope_is_unsigned() -> None:
    envelope = answer().envelope
    assert envelope is not None
    assert (envelope.key_id, envelope.signature) == ("", b"")


@pytest.mark.parametrize(("direction", "side"), [(Direction.LONG, Side.BUY), (Direction.SHORT, Side.SELL)])
def test_the_approval_of_what_was_adopted_is_of_its_own_side_and_used_up_when_it_begins(
    direction: Direction, side: Side
) -> None:
    adopted, signer = intent_with(direction=direction), Ed25519Signer()
    bare = adoption_envelope(adopted, Decimal(2), NOW_NS, None)
    assert (bare.side, bare.max_quantity, bare.bracket_id) == (side, Decimal(2), adopted.intent_id)
    assert bare.issued_ns == bare.expires_ns == NOW_NS
    assert (bare.key_id, bare.signature) == ("", b"")
    signed = adoption_envelope(adopted, Decimal(2), NOW_NS, signer)
    assert signed.key_id == signer.key_id
    assert verify(signer.public_key, signed.signed_text(), signed.signature)
    assert msgspec.structs.replace(signed, key_id="", signature=b"") == bare
