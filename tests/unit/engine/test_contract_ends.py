"""A contract that expires or is delivered is held no longer than it may be."""

from msgspec.structs import replace

from neuratrade.core.engine.fold import apply
from neuratrade.core.model import facts as f
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.orders import OrderRole
from tests.simulation.hand import Hand
from tests.simulation.world import PERP, T0, intent

ENTRY, STOP, EXIT = OrderRole.ENTRY, OrderRole.STOP, OrderRole.EXIT
END_NS = T0 + 90 * NS_PER_SECOND


def ending(at_ns: int | None = END_NS) -> f.InstrumentUpdated:
    return f.InstrumentUpdated(T0, replace(PERP, flat_by_ns=at_ns))


def leave_ns(hand: Hand) -> int | None:
    return hand.state.timers.get(f"hold:{hand.bracket.bracket_id}")


def test_it_is_left_in_time_though_nobody_set_a_time_for_it() -> None:
    hand = Hand()
    hand.step(ending())
    hand.enter(intent(expiry_s=30))
    hand.wait(89_000)
    assert not hand.leaving()
    hand.wait(1_000)
    assert hand.leaving()
    hand.step(f.OrderCancelled(hand.now_ns, hand.coid(STOP), "", hand.order(STOP).filled))
    hand.fill(EXIT, 1, 100)
    assert hand.closed.reason is f.CloseReason.TIME


def test_the_earlier_of_its_own_time_and_that_of_its_contract_holds() -> None:
    for hold_s, due_ns in ((60, T0 + 60 * NS_PER_SECOND), (600, END_NS)):
        hand = Hand()
        hand.step(ending())
        hand.enter(intent(expiry_s=30, hold_s=hold_s))
        assert leave_ns(hand) == due_ns


def test_an_end_that_is_told_or_moved_while_it_is_held_counts() -> None:
    hand = Hand()
    hand.enter(intent())
    assert leave_ns(hand) is None
    hand.step(ending(END_NS + NS_PER_SECOND))
    assert leave_ns(hand) == END_NS + NS_PER_SECOND
    hand.step(ending())
    assert leave_ns(hand) == END_NS


def test_after_a_roll_the_end_of_the_successor_counts() -> None:
    hand = Hand()
    hand.step(ending())
    hand.enter(intent(expiry_s=30))
    later_ns = END_NS + 3600 * NS_PER_SECOND
    successor = replace(PERP, asset="BTC-2/USDT", flat_by_ns=later_ns)
    hand.step(
        f.CorporateActed(
            hand.now_ns, "paper", PERP.key, f.ActionKind.ROLL, successor=successor, action_id="roll"
        )
    )
    assert leave_ns(hand) == later_ns


def test_a_desk_that_was_down_at_the_end_leaves_when_it_is_back() -> None:
    hand = Hand()
    hand.step(ending())
    hand.enter(intent(expiry_s=30))
    hand.crash_after(f.OrderAccepted)
    hand.now_ns = END_NS + NS_PER_SECOND
    hand.recover()
    hand.wait(0)
    assert hand.leaving()


def test_replay_knows_the_end_too() -> None:
    hand = Hand()
    hand.step(ending())
    assert hand.state.instruments[PERP.key].flat_by_ns == END_NS
    twin = type(hand.state)()
    for fact in hand.facts:
        apply(twin, f.decode_fact(f.encode_fact(fact)))
    assert twin.instruments[PERP.key].flat_by_ns == END_NS
