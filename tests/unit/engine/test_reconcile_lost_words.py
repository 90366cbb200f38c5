"""Words that never came: the desk learns by asking what was corrected, liquidated or filled meanwhile."""

import msgspec

from neuratrade.core.engine.engine import Step
from neuratrade.core.engine.fold import apply
from neuratrade.core.model import commands as c
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import EntryType, Iceberg
from neuratrade.core.model.market import NS_PER_MINUTE
from neuratrade.core.model.orders import OrderRole, OrderStatus, Side
from neuratrade.hands.envelopes import Envelopes
from tests.simulation.hand import Hand
from tests.simulation.snapshots import begun, look, strange_fill
from tests.simulation.world import PERP, D, fill_of, intent

ENTRY, STOP = OrderRole.ENTRY, OrderRole.STOP


def looked_up(step: Step) -> list[str]:
    return [item.client_order_id for item in step.commands if isinstance(item, c.LookUpOrder)]


def holding(**other: bool) -> Hand:
    """A desk that holds one unit under a working stop, for a while already."""
    hand = begun(**other)
    hand.enter(intent())
    hand.seconds(10)
    return hand


def first_fill(hand: Hand) -> f.OrderFilled:
    return next(fact for fact in hand.facts if isinstance(fact, f.OrderFilled))


def test_an_execution_that_is_listed_with_other_terms_is_asked_about_and_not_booked() -> None:
    hand = holding()
    fill = first_fill(hand).fill
    before = dict(hand.state.accounts["paper"].balances)
    step = look(hand, fills=(msgspec.structs.replace(fill, price=fill.price + 1),))
    assert looked_up(step) == [fill.client_order_id]
    assert not step.facts
    assert hand.state.accounts["paper"].balances == before


def test_a_busted_execution_is_asked_about_also_after_its_bracket_closed() -> None:
    hand = holding(checked=False)
    fill = first_fill(hand).fill
    hand.fill(STOP, 1, 95)
    assert not hand.state.brackets
    step = look(hand, fills=(msgspec.structs.replace(fill, quantity=D(0)),))
    assert looked_up(step) == [fill.client_order_id]
    hand.step(f.FillCorrected(hand.now_ns, fill.client_order_id, fill.trade_id, D(0), fill.price, D(0)))
    assert hand.bracket.held == -1, "what was left of it is there to be undone"


def test_an_execution_that_was_busted_before_it_was_told_never_was() -> None:
    hand = begun()
    hand.propose(intent(order_type=EntryType.LIMIT))
    hand.accept(ENTRY)
    hand.seconds(10)
    fill = fill_of(hand.order(ENTRY).request, 0, 99, "void", hand.now_ns)
    step = look(hand, fills=(fill,))
    assert not step.facts
    assert not hand.state.quarantine


def test_a_liquidation_nobody_told_of_is_booked_once() -> None:
    hand = holding(checked=False)
    fill = msgspec.structs.replace(strange_fill("liq", hand.now_ns), side=Side.SELL)
    taken = hand.coid(STOP)
    step = look(hand, liquidations=(fill,), without=(taken,))
    assert any(isinstance(fact, f.Liquidated) for fact in step.facts)
    assert hand.state.trading_state is f.TradingState.HALTED
    again = look(hand, liquidations=(fill,), without=(taken,))
    assert not any(isinstance(fact, f.Liquidated | f.Quarantined) for fact in again.facts)


def test_a_liquidation_of_an_entry_in_slices_closes_its_bracket_once() -> None:
    hand = begun()
    hand.propose(intent(quantity=2, order_type=EntryType.LIMIT, execution=Iceberg(D(1))))
    hand.accept(ENTRY)
    hand.fill(ENTRY, 1, 100)
    hand.accept(STOP)
    hand.step(f.SessionMoved(hand.now_ns, PERP.key, is_open=False))
    for order in [item for item in hand.state.orders.values() if not item.status.is_final]:
        coid = order.request.client_order_id
        hand.step(f.OrderCancelled(hand.now_ns, coid, "being liquidated", order.filled))
    fill = msgspec.structs.replace(strange_fill("liq", hand.now_ns), side=Side.SELL)
    step = hand.step(f.Liquidated(hand.now_ns, fill))
    assert [type(fact) for fact in step.facts].count(f.BracketClosed) == 1
    assert not hand.state.brackets


def test_a_liquidation_takes_its_place_among_the_executions_around_it() -> None:
    hand = begun()
    hand.propose(intent(quantity=3, order_type=EntryType.LIMIT))
    hand.accept(ENTRY)
    hand.seconds(10)
    request = hand.order(ENTRY).request
    bought = fill_of(request, 2, 99, "first", hand.now_ns - 3000)
    closed = msgspec.structs.replace(strange_fill("liq", hand.now_ns - 2000, 2), side=Side.SELL)
    rest = fill_of(request, 1, 99, "second", hand.now_ns - 1000)
    step = look(hand, fills=(rest, bought), liquidations=(closed,), without=(hand.coid(ENTRY),))
    kinds = [type(fact) for fact in step.facts if isinstance(fact, f.OrderFilled | f.Liquidated)]
    assert kinds == [f.OrderFilled, f.Liquidated, f.OrderFilled]
    assert hand.bracket.held == 1


def test_a_liquidation_of_what_was_never_ours_that_a_person_settled_is_not_quarantined_again() -> None:
    hand = begun()
    fill = strange_fill("liq", hand.now_ns)
    look(hand, liquidations=(fill,))
    (reference,) = hand.state.quarantine
    hand.step(e.LiftQuarantine(hand.now_ns, "ana", "paper", reference, "mine"))
    look(hand, liquidations=(fill,))
    assert not hand.state.quarantine


def test_what_one_missed_execution_leads_to_already_knows_of_the_next() -> None:
    hand = begun()
    hand.propose(intent(quantity=2, order_type=EntryType.LIMIT))
    hand.accept(ENTRY)
    hand.fill(ENTRY, 1, 100)
    hand.accept(STOP)
    hand.seconds(10)
    entered = fill_of(hand.order(ENTRY).request, 1, 100, "more", hand.now_ns - 2000)
    stopped = fill_of(hand.order(STOP).request, "0.4", 95, "out", hand.now_ns - 1000)
    step = look(hand, fills=(entered, stopped), without=(hand.coid(ENTRY),))
    assert hand.bracket.held == D("1.6")
    (amend,) = [item for item in step.commands if isinstance(item, c.AmendOrder)]
    assert amend.order.request.quantity == D("1.6"), "it asks for what is held after both"
    assert amend.quantity == 2


def test_an_execution_told_a_quarter_of_an_hour_late_is_not_taken_for_a_stranger_s() -> None:
    hand = begun()
    old = strange_fill("old", hand.now_ns, order="of a bracket long forgotten")
    hand.seconds(20 * 60)
    hand.step(f.OrderFilled(hand.now_ns, old))
    assert not hand.state.quarantine
    new = strange_fill("new", hand.now_ns - NS_PER_MINUTE)
    hand.step(f.OrderFilled(hand.now_ns, new))
    assert list(hand.state.quarantine) == [f"{PERP.key}:new"]


def test_what_undoing_a_busted_bracket_leaves_below_a_lot_is_the_account_s() -> None:
    hand = Hand(checked=False)
    hand.propose(intent())
    name = hand.bracket.bracket_id
    none = D(0)
    closed = f.BracketClosed(
        hand.now_ns,
        name,
        f.CloseReason.KILL,
        none,
        none,
        none,
        none,
        none,
        hand.now_ns,
        0,
        "paper",
        "tactical",
        D("-0.0004"),
    )
    apply(hand.state, closed)
    assert hand.state.accounts["paper"].dust == {PERP.key: D("-0.0004")}
    apply(hand.state, f.BracketReopened(hand.now_ns, name))
    assert hand.state.accounts["paper"].dust == {PERP.key: D(0)}


def test_a_refused_cancel_of_what_a_look_up_missed_waits_for_the_next_look_up() -> None:
    hand = begun()
    hand.propose(intent(order_type=EntryType.LIMIT))
    hand.not_found(ENTRY)
    assert hand.order(ENTRY).status is OrderStatus.UNKNOWN
    assert any(timer.startswith("lookup:") for timer in hand.state.timers), "the next look-up is set"
    assert looked_up(hand.refused(ENTRY)) == []


def test_a_late_word_that_a_stop_works_does_not_undo_its_rejection() -> None:
    hand = holding()
    first = hand.coid(STOP)
    hand.step(f.OrderRejected(hand.now_ns, first, "not enough margin, once it was reached"))
    assert not hand.bracket.protected
    hand.step(f.OrderAccepted(hand.now_ns, first, "V"))
    assert not hand.bracket.protected, "told twice, late: it guards nothing any more"


def filled_after_it_was_proven_absent() -> tuple[Hand, str]:
    """A desk whose entry no look-up found, and which was filled all the same."""
    hand = begun()
    hand.propose(intent(order_type=EntryType.LIMIT))
    request = hand.order(ENTRY).request
    hand.gone(ENTRY)
    assert not hand.state.brackets
    fill = fill_of(request, 1, 100, "after all", hand.now_ns)
    hand.step(f.OrderFilled(hand.now_ns, fill))
    return hand, request.client_order_id


def test_an_entry_that_fills_after_it_was_proven_absent_uses_its_approval_up() -> None:
    hand, coid = filled_after_it_was_proven_absent()
    assert hand.bracket.entry_used == 1
    hand.step(f.OrderAccepted(hand.now_ns, coid, "V"))
    assert hand.bracket.entry_used == 1, "word that it works, late behind its fill, gives nothing back"


def test_the_sender_counts_such_an_entry_as_used_by_its_own_books() -> None:
    hand, coid = filled_after_it_was_proven_absent()
    hand.step(f.OrderAccepted(hand.now_ns, coid, "V"))
    books = Envelopes()
    for fact in hand.facts:
        books.learn(fact)
    assert books.used == {"a": 1}
