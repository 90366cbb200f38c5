"""The live desk on ccxt's Binance, over real sockets: when the venue is slow, silent or wrong."""

import decimal

import pytest

from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import EntryType
from neuratrade.core.model.orders import OrderRole
from neuratrade.rehearsal.faults import Act, Fault, FaultKind
from tests.contract.rehearsal.binance_world import BTC, D
from tests.loopback.ccxt_desk import CcxtWorld, lived
from tests.simulation.world import intent

LATER_S = 12.0
"""When what a plan holds comes: the desk stands by then."""


async def entered(world: CcxtWorld) -> str:
    """Enters at market and waits for the stop; returns the stop's id."""
    entry = world.propose()
    bracket = world.engine.state.brackets[entry.bracket_id]
    await world.until(lambda: bracket.held > 0 and bracket.protected, "the entry is filled and guarded")
    return world.planned(OrderRole.STOP)[-1].client_order_id


async def plan_begun(world: CcxtWorld) -> None:
    """Waits until the plan is on."""
    await world.until(lambda: world.simulator.troubles.elapsed_s > LATER_S, "the plan is on")


async def in_order(world: CcxtWorld) -> None:
    """Books and venue agree, and nothing was sent twice."""
    await world.compared()
    assert world.differences == ()
    assert set(world.simulator.submissions.values()) <= {1}


def test_an_entry_fills_is_guarded_at_the_venue_and_leaves_at_its_target() -> None:
    async def story(world: CcxtWorld) -> None:
        stop = await entered(world)
        resting = world.simulator.engine.find(stop)
        assert resting is not None
        assert resting.is_conditional
        bracket = next(iter(world.engine.state.brackets.values()))
        assert (bracket.held, resting.quantity) == (D("0.999"), D("0.999"))
        world.quote("109")
        world.quote("111")
        await world.until(lambda: not world.engine.state.brackets, "the bracket is over")
        assert world.facts(f.BracketClosed)[0].reason is f.CloseReason.TP
        assert not world.simulator.engine.open_orders()
        await in_order(world)

    lived(story)


def test_a_stop_reached_at_the_venue_is_told_by_the_stream() -> None:
    async def story(world: CcxtWorld) -> None:
        stop = await entered(world)
        world.quote("94.9", "0.3")
        await world.until(lambda: not world.engine.state.brackets, "the bracket is over")
        closed = world.facts(f.BracketClosed)[0]
        assert closed.reason is f.CloseReason.SL
        executed = world.simulator.engine.find(stop)
        assert executed is not None
        told = [fact.fill for fact in world.facts(f.OrderFilled) if fact.fill.client_order_id == stop]
        assert [(fill.trade_id, fill.quantity, fill.price, fill.fee) for fill in told] == [
            (str(done.number), done.quantity, done.price, done.fee) for done in executed.executions
        ]
        await in_order(world)

    lived(story)


AFTER = [FaultKind.SERVER_ERROR_AFTER, FaultKind.RATE_LIMITED_AFTER, FaultKind.CUT_AFTER]


@pytest.mark.parametrize("kind", AFTER, ids=lambda kind: kind.name.lower())
def test_an_order_of_unknown_fate_is_looked_up_and_never_sent_again(kind: FaultKind) -> None:
    plan = [
        Fault(LATER_S, FaultKind.SILENT_STREAM, seconds=60.0),
        Fault(LATER_S, kind, on=Act.SUBMIT),
    ]

    async def story(world: CcxtWorld) -> None:
        await plan_begun(world)
        await entered(world)
        entry = world.planned(OrderRole.ENTRY)[0].client_order_id
        assert [fact.client_order_id for fact in world.facts(f.OrderUnknown)] == [entry]
        assert world.simulator.submissions[entry] == 1
        assert world.simulator.troubles.met[kind.value] == 1
        await in_order(world)

    lived(story, plan)


BEFORE = [FaultKind.SERVER_ERROR, FaultKind.RATE_LIMITED, FaultKind.CUT]


@pytest.mark.parametrize("kind", BEFORE, ids=lambda kind: kind.name.lower())
def test_an_order_that_never_arrived_is_looked_up_and_given_up(kind: FaultKind) -> None:
    async def story(world: CcxtWorld) -> None:
        await plan_begun(world)
        entry = world.propose().client_order_id
        await world.until(lambda: not world.engine.state.brackets, "it is proven never to have come")
        missed = [fact for fact in world.facts(f.OrderNotFound) if fact.client_order_id == entry]
        assert len(missed) >= 2
        assert not world.simulator.submissions
        await in_order(world)

    lived(story, [Fault(LATER_S, kind, on=Act.SUBMIT)])


def test_what_happened_while_the_venue_was_away_is_found_when_it_is_back() -> None:
    async def story(world: CcxtWorld) -> None:
        stop = await entered(world)
        await plan_begun(world)
        await world.until(lambda: not world.desk.is_listening, "the stream is lost")
        world.quote("94.5")
        resting = world.simulator.engine.find(stop)
        assert resting is not None
        assert not resting.is_live
        await world.until(lambda: world.desk.is_listening, "the stream stands again")
        await world.until(lambda: not world.engine.state.brackets, "the bracket is over")
        assert world.facts(f.BracketClosed)[0].reason is f.CloseReason.SL
        await in_order(world)

    lived(story, [Fault(LATER_S, FaultKind.MAINTENANCE, seconds=20.0)])


def test_fills_told_by_stream_look_up_and_snapshot_are_booked_once() -> None:
    plan = [Fault(LATER_S, FaultKind.DUPLICATED, times=6), Fault(LATER_S, FaultKind.REORDERED, times=3)]

    async def story(world: CcxtWorld) -> None:
        await plan_begun(world)
        world.quote("100", "0.3")
        await entered(world)
        await in_order(world)
        entry = world.planned(OrderRole.ENTRY)[0].client_order_id
        booked = [fact.fill.trade_id for fact in world.facts(f.OrderFilled)]
        done = world.simulator.engine.find(entry)
        assert done is not None
        assert sorted(booked) == sorted(str(item.number) for item in done.executions)
        assert len(booked) == 4

    lived(story, plan)


def test_a_clock_that_is_off_is_set_by_the_venues() -> None:
    async def story(world: CcxtWorld) -> None:
        await plan_begun(world)
        await world.compared()
        await entered(world)
        await in_order(world)

    lived(story, [Fault(LATER_S, FaultKind.CLOCK_SKEW, seconds=7.5)])


def test_a_position_whose_stop_is_rejected_is_left() -> None:
    async def story(world: CcxtWorld) -> None:
        await plan_begun(world)
        world.propose()
        await world.until(lambda: world.facts(f.OrderRejected), "the stop is refused")
        await world.until(
            lambda: all(bracket.protected for bracket in world.engine.state.brackets.values()),
            "it is guarded after all, or left",
        )
        await in_order(world)

    lived(story, [Fault(LATER_S, FaultKind.STOP_REJECTED)])


def test_a_cancelled_entry_is_over_with_what_it_filled() -> None:
    async def story(world: CcxtWorld) -> None:
        entry = world.propose(intent(instrument=BTC, order_type=EntryType.LIMIT, trigger="99"))
        await world.until(world.simulator.engine.open_orders, "the entry rests")
        world.quote("98.99", "0.4")
        bracket = world.engine.state.brackets[entry.bracket_id]
        await world.until(lambda: bracket.held > 0 and bracket.protected, "a part is filled and guarded")
        world.desk.take(e.Halt(world.desk.now_ns, "ana", "news", f.KillPolicy.CANCEL_ENTRIES))
        await world.until(lambda: world.facts(f.OrderCancelled), "the rest is cancelled")
        ended = world.facts(f.OrderCancelled)[0]
        assert (ended.client_order_id, ended.filled) == (entry.client_order_id, D("0.4"))
        await in_order(world)

    lived(story)


def test_arithmetic_of_the_desk_stays_as_it_was() -> None:
    before = decimal.getcontext().copy()

    async def story(world: CcxtWorld) -> None:
        await entered(world)
        now = decimal.getcontext()
        assert (now.rounding, now.prec, now.traps) == (before.rounding, before.prec, before.traps)

    lived(story)
    assert decimal.getcontext().rounding == before.rounding
