"""What a person asked for holds: while another way out is under way, and for what turns up after the end."""

from decimal import Decimal

import pytest

from neuratrade.core.model import commands as c
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import AmendIntent, CloseIntent, Direction, EntryType, ReduceIntent
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.orders import OrderRole
from tests.simulation.hand import Hand
from tests.simulation.invariants import check_replay
from tests.simulation.world import BINARY, SPOT, D, fill_of, intent

ENTRY, STOP, TARGET, EXIT = OrderRole.ENTRY, OrderRole.STOP, OrderRole.TARGET, OrderRole.EXIT
LADDER = ((105, "0.25"), (120, "0.5"))


def judged(hand: Hand, word: CloseIntent | ReduceIntent | AmendIntent) -> f.IntentJudged:
    facts = hand.step(e.IntentArrived(word, hand.now_ns)).facts
    return next(fact for fact in facts if isinstance(fact, f.IntentJudged))


def close(hand: Hand) -> f.IntentJudged:
    return judged(hand, CloseIntent("close", "paper", "op", "a", "enough", hand.now_ns))


def reduce(hand: Hand, fraction: str) -> f.IntentJudged:
    return judged(hand, ReduceIntent("reduce", "paper", "op", "a", D(fraction), "less", hand.now_ns))


def amend(hand: Hand, stop: str) -> f.IntentJudged:
    return judged(hand, AmendIntent("amend", "paper", "op", "a", D(stop), hand.now_ns))


def at_first_rung() -> Hand:
    """Four are held, and the target of one of them is being left at."""
    hand = Hand()
    hand.enter(intent(quantity=4, targets=LADDER))
    hand.quote(105)
    return hand


def end_exit(hand: Hand, role: OrderRole, filled: Decimal) -> None:
    hand.step(f.OrderCancelled(hand.now_ns, hand.coid(role), "at once or not at all", filled))


def bust(hand: Hand, role: OrderRole) -> None:
    """The venue takes back the only execution of an order of a bracket that is over."""
    (kept,) = hand.state.closed.values()
    (order,) = (item for item in kept.orders.values() if item.request.role is role)
    ((trade_id, done),) = order.executions.items()
    coid = order.request.client_order_id
    hand.step(f.FillCorrected(hand.now_ns, coid, trade_id, D(0), done.price, D(0)))


@pytest.mark.parametrize("sold", [0, 1])
def test_a_close_by_hand_while_a_target_leaves_a_part_is_taken_and_leaves_all_that_is_left(
    sold: int,
) -> None:
    hand = at_first_rung()
    assert close(hand).approved
    hand.cancelled(STOP)
    if sold:
        hand.fill(TARGET, 1, 105)
    else:
        end_exit(hand, TARGET, D(0))
    hand.accept(STOP)
    hand.seconds(1)
    hand.cancelled(STOP)
    assert hand.order(EXIT).quantity == 4 - sold
    hand.fill(EXIT, 4 - sold, 104)
    assert hand.closed.reason is f.CloseReason.MANUAL
    check_replay(hand.facts, hand.state)


@pytest.mark.parametrize("kind", [f.OrderCancelled, f.OrderPlanned, f.OrderExpired, f.ExitEnded])
def test_such_a_close_survives_a_crash(kind: type[f.Fact]) -> None:
    hand = at_first_rung()
    close(hand)
    hand.cancelled(STOP)
    hand.expired(TARGET)
    hand.crash_after(kind)
    hand.recover()
    assert "exit-MANUAL:a" in hand.state.timers
    if kind in (f.OrderCancelled, f.OrderPlanned):
        hand.expired(TARGET)
    hand.seconds(61)
    assert hand.bracket.exit_reason is f.CloseReason.MANUAL
    check_replay(hand.facts, hand.state)


def test_a_part_sold_by_hand_while_a_target_leaves_another_is_sold_after_it() -> None:
    hand = at_first_rung()
    assert reduce(hand, "0.5").approved
    hand.cancelled(STOP)
    hand.fill(TARGET, 1, 105)
    hand.accept(STOP)
    hand.seconds(1)
    hand.cancelled(STOP)
    assert hand.order(EXIT).quantity == 2
    hand.fill(EXIT, 2, 104)
    hand.accept(STOP)
    hand.seconds(120)
    assert hand.bracket.held == 1


def test_the_rest_of_a_part_sold_by_hand_is_not_forgotten_when_a_target_is_left_at_meanwhile() -> None:
    hand = Hand()
    hand.enter(intent(quantity=4, targets=LADDER))
    reduce(hand, "0.5")
    hand.cancelled(STOP)
    hand.fill(EXIT, 1, 100)
    end_exit(hand, EXIT, D(1))
    hand.accept(STOP)
    hand.quote(105)
    hand.seconds(2)
    hand.cancelled(STOP)
    hand.fill(TARGET, 1, 105)
    hand.accept(STOP)
    hand.seconds(2)
    hand.cancelled(STOP)
    assert hand.order(EXIT).quantity == 1


def test_what_a_bust_gives_back_after_a_close_by_hand_is_left_again() -> None:
    hand = Hand()
    hand.enter(intent())
    close(hand)
    hand.cancelled(STOP)
    hand.fill(EXIT, 1, 100)
    assert hand.state.brackets == {}
    bust(hand, EXIT)
    hand.seconds(1)
    assert hand.leaving()
    check_replay(hand.facts, hand.state)


def test_an_entry_that_fills_after_it_was_closed_by_hand_is_left() -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT, targets=()))
    hand.accept(ENTRY)
    request = hand.order(ENTRY).request
    close(hand)
    hand.step(f.OrderCancelled(hand.now_ns, request.client_order_id, "asked", D(0)))
    assert hand.state.brackets == {}
    hand.step(f.OrderFilled(hand.now_ns, fill_of(request, 1, 100, "late", hand.now_ns)))
    hand.accept(STOP)
    hand.wait(1)
    assert hand.leaving()


def test_what_a_bust_gives_back_after_its_target_is_left_when_its_time_is_up() -> None:
    hand = Hand()
    hand.enter(intent(hold_s=60))
    hand.quote(110)
    hand.cancelled(STOP)
    hand.fill(TARGET, 1, 110)
    hand.seconds(5)
    bust(hand, TARGET)
    hand.accept(STOP)
    hand.seconds(54)
    assert not hand.leaving()
    hand.seconds(1)
    assert hand.leaving()
    assert hand.bracket.exit_reason is f.CloseReason.TIME
    assert hand.bracket.opened_ns + 60 * NS_PER_SECOND == hand.now_ns


@pytest.mark.parametrize(
    ("direction", "stop", "to"),
    [
        (Direction.SHORT, 105, "0"),
        (Direction.SHORT, 105, "-5"),
        (Direction.SHORT, 105, "NaN"),
        (Direction.LONG, 95, "Infinity"),
        (Direction.LONG, 95, "1E+40"),
    ],
)
def test_a_stop_is_not_moved_to_what_is_no_price(direction: Direction, stop: int, to: str) -> None:
    hand = Hand()
    hand.enter(intent(direction=direction, stop=stop, targets=()))
    assert not amend(hand, to).approved
    assert hand.commands == []
    assert hand.bracket.stop_price == stop


@pytest.mark.parametrize("to", ["1", "0.999"])
def test_a_stop_is_not_moved_out_of_the_bounds_of_its_contract(to: str) -> None:
    hand = Hand()
    wanted = intent(instrument=BINARY, trigger="0.5", stop="0.4", targets=())
    hand.propose(wanted)
    hand.accept(ENTRY)
    hand.fill(ENTRY, 1, "0.5")
    hand.accept(STOP)
    assert not amend(hand, to).approved
    assert not any(isinstance(item, c.AmendOrder) for item in hand.commands)


def test_a_part_that_is_no_number_is_refused() -> None:
    hand = Hand()
    hand.enter(intent())
    assert not reduce(hand, "NaN").approved


def waiting(hand: Hand) -> list[Decimal]:
    """Parts that are still to be left, smallest first."""
    names = [key.partition(":")[0] for key in hand.state.timers]
    return sorted(D(name.removeprefix("reduce-")) for name in names if name.startswith("reduce-"))


def in_a_closed_market(*fractions: str) -> Hand:
    """Four units of what can be split, and parts of them that wait for the opening."""
    hand = Hand()
    hand.enter(intent(instrument=SPOT, quantity=4, targets=()))
    hand.step(f.SessionMoved(hand.now_ns, SPOT.key, False))
    for place, fraction in enumerate(fractions):
        word = ReduceIntent(f"r{place}", "paper", "op", "a", D(fraction), "less", hand.now_ns)
        assert judged(hand, word).approved
    return hand


def test_two_parts_of_one_size_that_wait_for_the_opening_are_both_left() -> None:
    hand = in_a_closed_market("0.25", "0.25")
    assert waiting(hand) == [1, 1]
    hand.seconds(61)
    assert waiting(hand) == [1, 1]
    hand.step(f.SessionMoved(hand.now_ns, SPOT.key, True))
    for _ in range(2):
        hand.seconds(1)
        hand.cancelled(STOP)
        hand.fill(EXIT, 1, 100)
        hand.accept(STOP)
    assert (hand.bracket.held, waiting(hand)) == (D(2), [])
    check_replay(hand.facts, hand.state)


@pytest.mark.parametrize(("ratio", "per"), [(2, 1), (1, 2)])
def test_a_split_keeps_every_part_that_waits_also_where_one_becomes_what_another_was(
    ratio: int, per: int
) -> None:
    hand = in_a_closed_market("0.25", "0.5", "0.25")
    kind = f.ActionKind.SPLIT
    hand.step(f.CorporateActed(hand.now_ns, "paper", SPOT.key, kind, D(ratio), per=D(per), action_id="s"))
    assert waiting(hand) == [D(1) * ratio / per, D(1) * ratio / per, D(2) * ratio / per]
    check_replay(hand.facts, hand.state)
