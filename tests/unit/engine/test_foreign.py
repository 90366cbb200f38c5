"""What a person does about foreign and quarantined things, and what is refused."""

import dataclasses
from typing import Any

import pytest
from msgspec.structs import replace

from neuratrade.core.engine.engine import Engine, Step
from neuratrade.core.engine.fold import apply
from neuratrade.core.model import commands as c
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.account import Account, AccountKind
from neuratrade.core.model.errors import Refused, UsageError
from neuratrade.core.model.intent import Direction
from neuratrade.core.model.market import NS_PER_SECOND, Quote
from neuratrade.core.model.orders import OrderRole, OrderType, Side
from neuratrade.core.risk.permit import objection
from neuratrade.hands.sender import Sender
from neuratrade.store.keys import Ed25519Signer, verify
from tests.simulation.hand import Hand
from tests.simulation.snapshots import begun, look, look_twice, strange_order
from tests.simulation.world import ACCOUNT, PERP, SPOT, D, desk_engine, intent, run_started, warm_up

STOP, EXIT = OrderRole.STOP, OrderRole.EXIT


def foreign_in(instrument: str = PERP.key, quantity: D | int | str = 2) -> Hand:
    """A desk that found something foreign when it began."""
    hand = Hand()
    look(hand, positions={instrument: quantity})
    hand.seconds(10)
    return hand


def adopt(hand: Hand, stop: D | int | str = 95, instrument: str = PERP.key, account: str = "paper") -> Step:
    return hand.step(e.AdoptForeign(hand.now_ns, "ana", account, instrument, D(stop), "from the old desk"))


def test_an_adopted_holding_is_a_bracket_guarded_by_its_stop() -> None:
    hand = foreign_in()
    step = adopt(hand)
    assert isinstance(step.facts[0], f.ForeignAdopted)
    assert f.ProtectionChanged in [type(fact) for fact in step.facts], "bare until its stop works"
    bracket = hand.bracket
    assert (bracket.held, bracket.entry_price, bracket.stop_price) == (D(2), D(100), D(95))
    stop = hand.order(STOP).request
    assert (stop.side, stop.order_type, stop.quantity, stop.stop_price) == (
        Side.SELL,
        OrderType.STOP,
        D(2),
        D(95),
    )
    assert [type(item) for item in step.commands] == [c.SubmitOrder]
    hand.accept(STOP)
    assert bracket.protected
    assert not hand.state.accounts["paper"].foreign
    hand.seconds(10)
    assert look_twice(hand, positions={PERP.key: 2}).facts == []


def test_the_id_of_an_adopted_holding_is_used_up() -> None:
    hand = foreign_in()
    adopt(hand)
    step = hand.step(e.IntentArrived(intent(hand.bracket.bracket_id, at_ns=hand.now_ns), hand.now_ns))
    judged = next(fact for fact in step.facts if isinstance(fact, f.IntentJudged))
    assert "duplicate" in [layer.name for layer in judged.layers if layer.verdict.blocks]
    assert (hand.bracket.held, step.commands) == (D(2), [])


def test_an_adopted_short_is_guarded_the_other_way() -> None:
    hand = foreign_in(quantity=-3)
    adopt(hand, stop=105)
    assert hand.bracket.intent.direction is Direction.SHORT
    assert hand.bracket.held_signed == -3
    stop = hand.order(STOP).request
    assert (stop.side, stop.quantity, stop.stop_price) == (Side.BUY, D(3), D(105))


def test_what_a_fee_in_base_takes_from_a_short_that_is_bought_back_is_still_owed() -> None:
    hand = foreign_in(SPOT.key, -2)
    adopt(hand, stop=105, instrument=SPOT.key)
    hand.accept(STOP)
    hand.fill(STOP, 1, 105, fee="0.004", currency="ETH")
    assert hand.bracket.held == D("1.004")
    assert hand.bracket.held_signed == hand.state.accounts["paper"].positions[SPOT.key].quantity
    hand.fill(STOP, 1, 105, fee="0.004", currency="ETH")
    assert (hand.closed.dust, hand.closed.fees) == (D("-0.008"), D("0.8"))
    assert hand.state.accounts["paper"].dust[SPOT.key] == D("-0.008")


def test_what_an_adopted_holding_earns_is_counted_from_the_price_it_was_adopted_at() -> None:
    hand = foreign_in(SPOT.key, 2)
    hand.tick()
    peak = hand.state.accounts["paper"].peak
    adopt(hand, instrument=SPOT.key)
    hand.tick()
    account = hand.state.accounts["paper"]
    assert hand.engine.equity("paper") == 100_200
    assert account.peak == peak + 200, "its worth comes in as a deposit does, never as profit"
    assert account.balances == {"USDT": D(100_000), "ETH": D(2)}
    hand.accept(STOP)
    hand.fill(STOP, 2, 95)
    assert hand.closed.pnl == -10


def test_its_worth_shifts_the_peaks_in_the_account_s_own_currency() -> None:
    hand = foreign_in(SPOT.key, 2)
    adopt(hand, instrument=SPOT.key)
    (fact,) = [item for item in hand.facts if isinstance(item, f.ForeignAdopted)]
    assert fact.rate == 1
    hand.crash_after(f.ForeignSeen)
    equity = hand.state.accounts["paper"].equity
    hand.step(run_started(fresh=False))
    apply(hand.state, replace(fact, rate=D(3)))
    assert hand.state.accounts["paper"].equity == equity + 600


def test_what_is_below_a_lot_stays_foreign() -> None:
    hand = foreign_in(SPOT.key, "2.005")
    adopt(hand, instrument=SPOT.key)
    assert hand.bracket.held == 2
    assert hand.state.accounts["paper"].foreign == {SPOT.key: D("0.005")}


def test_a_stop_off_the_grid_is_moved_towards_the_market() -> None:
    hand = foreign_in()
    adopt(hand, stop="94.97")
    assert hand.bracket.stop_price == D("95.0")
    hand = foreign_in(quantity=-2)
    adopt(hand, stop="105.07")
    assert hand.bracket.stop_price == D("105.0")


@pytest.mark.parametrize(
    ("quantity", "stop", "instrument", "account", "word"),
    [
        (2, 100, PERP.key, "paper", "below the price"),
        (2, 101, PERP.key, "paper", "below the price"),
        (2, "99.99", PERP.key, "paper", "below the price"),
        (2, "100.1", PERP.key, "paper", "below the price"),
        (-2, 100, PERP.key, "paper", "above the price"),
        (-2, 99, PERP.key, "paper", "above the price"),
        (-2, "99.9", PERP.key, "paper", "above the price"),
        (2, 0, PERP.key, "paper", "no price"),
        (2, -5, PERP.key, "paper", "no price"),
        (2, "NaN", PERP.key, "paper", "no price"),
        (2, "Infinity", PERP.key, "paper", "no price"),
        (2, 95, SPOT.key, "paper", "nothing foreign is held in ETH"),
        (2, 95, "DOGE/USDT@test", "paper", "there is BTC/USDT@test"),
        (2, 95, PERP.key, "other", "name one of paper"),
        ("0.0005", 95, PERP.key, "paper", "below its lot"),
    ],
)
def test_what_cannot_be_adopted_is_refused_and_nothing_is_done(
    quantity: object, stop: object, instrument: str, account: str, word: str
) -> None:
    hand = foreign_in(quantity=D(str(quantity)))
    before = dict(hand.state.accounts["paper"].foreign)
    with pytest.raises(UsageError, match=word):
        adopt(hand, D(str(stop)), instrument, account)
    assert hand.state.accounts["paper"].foreign == before
    assert not hand.state.brackets


def test_nothing_is_adopted_without_a_price() -> None:
    hand = foreign_in()
    hand.engine = desk_engine(hand.state)
    with pytest.raises(UsageError, match="no price now"):
        adopt(hand)


def test_an_instrument_the_desk_does_not_trade_cannot_be_adopted() -> None:
    hand = foreign_in("DOGE/USDT@test", 9)
    with pytest.raises(UsageError, match="there is nothing"):
        adopt(hand, instrument="DOGE/USDT@test")


def test_a_read_only_account_guards_nothing() -> None:
    hand = Hand()
    account = replace(ACCOUNT, kind=AccountKind.READ_ONLY)
    hand.step(replace(run_started(), account=account))
    look(hand, positions={PERP.key: 2})
    with pytest.raises(UsageError, match="read-only"):
        adopt(hand)


def test_the_only_account_need_not_be_named() -> None:
    hand = foreign_in()
    adopt(hand, account="")
    assert hand.bracket.intent.account_id == "paper"


def test_what_was_adopted_is_not_there_to_be_adopted_again() -> None:
    hand = foreign_in()
    adopt(hand)
    with pytest.raises(UsageError, match="nothing foreign"):
        adopt(hand)


def test_an_adopted_holding_is_ours_when_all_is_flattened() -> None:
    hand = foreign_in()
    adopt(hand)
    hand.accept(STOP)
    hand.step(e.Halt(hand.now_ns, "ana", "enough", f.KillPolicy.FLATTEN_ALL))
    hand.step(f.OrderCancelled(hand.now_ns, hand.coid(STOP), "asked", D(0)))
    hand.fill(EXIT, 2, 100)
    assert not hand.state.brackets


def test_a_closed_market_leaves_an_adopted_holding_bare_and_says_so() -> None:
    hand = foreign_in()
    hand.step(f.SessionMoved(hand.now_ns, PERP.key, False))
    step = adopt(hand)
    assert step.commands == []
    assert not hand.bracket.protected
    hand.step(f.SessionMoved(hand.now_ns, PERP.key, True))
    assert hand.order(STOP).quantity == 2


# the approval


def signed(quantity: int = 2) -> tuple[Hand, Sender]:
    """A desk with a signer and the sender that trusts it alone, both told of an adopted holding."""
    signer = Ed25519Signer()
    hand = Hand()
    hand.engine = Engine(dataclasses.replace(desk_engine().config, signer=signer), hand.state)
    warm_up(hand.engine)
    sender = Sender(verify)
    started = replace(run_started(), key_id=signer.key_id, public_key=signer.public_key)
    hand.step(started)
    look(hand, positions={PERP.key: quantity})
    hand.facts = [started]
    return hand, sender


@pytest.mark.parametrize(("quantity", "stop"), [(2, 95), (-2, 105)], ids=["long", "short"])
def test_the_sender_lets_the_stop_of_an_adopted_holding_pass(quantity: int, stop: int) -> None:
    hand, sender = signed(quantity)
    step = adopt(hand, stop)
    for fact in hand.facts:
        sender.learn(fact)
    (command,) = step.commands
    assert isinstance(command, c.SubmitOrder)
    sender.check(command.order, hand.now_ns)
    unaware = Sender(verify)
    for fact in hand.facts:
        if not isinstance(fact, f.ForeignAdopted):
            unaware.learn(fact)
    with pytest.raises(Refused):
        unaware.check(command.order, hand.now_ns)


def test_the_sender_knows_an_adopted_holding_after_a_restart() -> None:
    hand, _ = signed()
    step = adopt(hand)
    (command,) = step.commands
    assert isinstance(command, c.SubmitOrder)
    sender = Sender(verify)
    sender.restore(hand.state)
    sender.check(command.order, hand.now_ns)


def test_the_approval_of_an_adopted_holding_allows_nothing_but_less_of_it() -> None:
    hand, _ = signed()
    adopt(hand)
    bracket, stop = hand.bracket, hand.order(STOP).request
    known: dict[str, Any] = {"now_ns": hand.now_ns, "used": bracket.entry_used, "held": bracket.held_signed}
    assert objection(stop, bracket.envelope, **known) is None
    for quantity in ("0.001", "2"):
        entry = replace(stop, role=OrderRole.ENTRY, side=Side.BUY, quantity=D(quantity))
        assert objection(entry, bracket.envelope, **known) is not None
    assert objection(replace(stop, quantity=D("2.001")), bracket.envelope, **known) is not None
    assert objection(replace(stop, side=Side.BUY), bracket.envelope, **known) is not None
    entry = replace(stop, role=OrderRole.ENTRY, side=Side.BUY)
    unused = known | {"used": D(0), "now_ns": hand.now_ns + 1}
    assert "expired" in str(objection(entry, bracket.envelope, **unused))
    late = known | {"now_ns": hand.now_ns + 10**9 * NS_PER_SECOND}
    assert objection(stop, bracket.envelope, **late) is None, "what reduces never expires"


# quarantine


def test_a_person_lifts_what_is_in_quarantine_with_name_and_reason() -> None:
    hand = begun()
    look(hand, extra=(strange_order(),))
    (fact,) = hand.step(e.LiftQuarantine(hand.now_ns, "ana", "", "mine", "my own order")).facts
    assert fact == f.QuarantineLifted(hand.now_ns, "paper", "mine", "ana", "my own order")
    assert not hand.state.quarantine


@pytest.mark.parametrize(("account", "reference"), [("paper", "yours"), ("other", "mine"), ("paper", "")])
def test_what_is_not_in_quarantine_is_refused_with_what_is(account: str, reference: str) -> None:
    hand = begun()
    look(hand, extra=(strange_order(),))
    with pytest.raises(UsageError, match="there is mine"):
        hand.step(e.LiftQuarantine(hand.now_ns, "ana", account, reference, "?"))
    assert hand.state.quarantine


def test_an_empty_quarantine_says_so() -> None:
    hand = begun()
    with pytest.raises(UsageError, match="there is nothing"):
        hand.step(e.LiftQuarantine(hand.now_ns, "ana", "", "x", "?"))


def test_lifting_one_of_two_balances_leaves_the_desk_reducing() -> None:
    hand = begun()
    hand.step(f.CashMoved(hand.now_ns, "paper", "EUR", D(5)))
    look_twice(hand, balances={"USDT": 1, "EUR": 1})
    hand.step(e.LiftQuarantine(hand.now_ns, "ana", "", "EUR", "?"))
    assert hand.state.governor == "reconcile"
    hand.step(e.LiftQuarantine(hand.now_ns, "ana", "", "USDT", "?"))
    assert hand.state.trading_state is f.TradingState.RUNNING


def test_accounts_do_not_share_their_names_in_quarantine() -> None:
    hand = begun()
    second = Account("second", "test", "USDT")
    hand.state.accounts["second"] = type(hand.state.accounts["paper"])(second, {"USDT": D(5)})
    hand._twin.accounts["second"] = type(hand.state.accounts["paper"])(second, {"USDT": D(5)})
    look_twice(hand, balances={"USDT": 1})
    hand.seconds(10)
    look_twice(hand, account_id="second", balances={"USDT": 1}, plain=(), conditional=(), positions={})
    assert sorted(hand.state.quarantine) == ["paper:USDT", "second:USDT"]


def test_nothing_is_adopted_at_a_price_that_is_held_back_as_an_outlier() -> None:
    hand = foreign_in()
    hand.quote(100)
    hand.quote(150)
    with pytest.raises(UsageError, match="no price now"):
        adopt(hand)
    hand.quote(100)
    adopt(hand)
    assert hand.bracket.entry_price == D("100.05")


def test_nothing_is_adopted_that_nobody_can_convert() -> None:
    hand = Hand()
    euro = replace(PERP, asset="DAX/EUR", base="DAX", quote="EUR")
    hand.step(f.InstrumentUpdated(hand.now_ns, euro))
    hand.step(Quote(euro.key, hand.now_ns, D(100), D(100), D(9), D(9)))
    look(hand, positions={euro.key: 2})
    with pytest.raises(UsageError, match="no price now"):
        adopt(hand, instrument=euro.key)
    hand.step(e.RateSeen("EUR", "USDT", hand.now_ns, D("1.1"), "bank"))
    adopt(hand, instrument=euro.key)
    assert hand.bracket.held == 2
