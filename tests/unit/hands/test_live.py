"""The live desk on a venue that answers late, not at all, or wrongly, over real sockets."""

import asyncio
from dataclasses import replace

import pytest

from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import AmendIntent, EntryType
from neuratrade.core.model.orders import OrderRole, OrderStatus
from neuratrade.hands import outbox
from neuratrade.hands.outbox import KEPT_FOR_PROTECTION, PLACES
from tests.loopback.desk import PATIENCE, LiveWorld, live_world
from tests.loopback.venue import FillOrder
from tests.simulation.world import D, intent


async def entered(world: LiveWorld) -> str:
    """Enters at market and waits for the stop; returns the stop's id."""
    entry = world.propose()
    bracket = world.engine.state.brackets[entry.bracket_id]
    await world.until(lambda: bracket.held > 0 and bracket.protected, "the entry is filled and guarded")
    return world.planned(OrderRole.STOP)[-1].client_order_id


async def test_an_entry_fills_is_guarded_and_leaves_at_its_target() -> None:
    async with live_world() as world:
        stop = await entered(world)
        world.quote(109)
        world.quote(111)
        await world.until(lambda: not world.engine.state.brackets, "the bracket is over")
        closed = next(fact for fact in world.recorder.facts if isinstance(fact, f.BracketClosed))
        assert closed.reason is f.CloseReason.TP
        assert "order_cancelled" in world.kinds(stop)
        assert set(world.books.submissions.values()) == {1}


async def test_a_fill_at_the_venue_comes_by_the_stream() -> None:
    async with live_world() as world:
        stop = await entered(world)
        world.books.fill(FillOrder(stop, price=D(95)))
        await world.until(lambda: not world.engine.state.brackets, "the bracket is over")
        closed = next(fact for fact in world.recorder.facts if isinstance(fact, f.BracketClosed))
        assert (closed.reason, closed.exit_price) == (f.CloseReason.SL, D(95))


AMBIGUOUS = [
    {"kind": "drop"},
    {"kind": "status", "code": 500},
    {"kind": "status", "code": 503},
    {"kind": "status", "code": 429},
    {"kind": "late", "seconds": 0.6},
]


@pytest.mark.parametrize("fault", AMBIGUOUS, ids=lambda fault: "-".join(map(str, fault.values())))
async def test_an_order_of_unknown_fate_is_looked_up_and_never_sent_again(fault: dict[str, object]) -> None:
    async with live_world() as world:
        world.fault(on="submit", **fault)
        world.books.is_silent = True
        entry = world.propose()
        await world.until(lambda: "order_unknown" in world.kinds(entry.client_order_id), "nobody knows")
        await world.until(lambda: world.planned(OrderRole.STOP), "what filled is guarded")
        look_up = f"look_up {entry.client_order_id}"
        await world.until(lambda: look_up in world.books.arrivals, "the order is looked up")
        assert world.books.submissions[entry.client_order_id] == 1


async def test_an_order_that_never_arrived_is_looked_up_and_given_up() -> None:
    async with live_world() as world:
        world.fault(on="submit", kind="drop_before")
        entry = world.propose()
        await world.until(lambda: not world.engine.state.brackets, "it is proven never to have come")
        assert "order_not_found" in world.kinds(entry.client_order_id)
        assert world.books.submissions[entry.client_order_id] == 1


async def test_not_seen_is_no_proof_while_the_submission_may_still_be_on_its_way() -> None:
    async with live_world(settle_s=1.0) as world:
        world.fault(on="submit", kind="delay", seconds=0.8)
        entry = world.propose()
        coid = entry.client_order_id
        await world.until(lambda: world.planned(OrderRole.STOP), "the late fill is guarded")
        assert "order_not_found" not in world.kinds(coid)
        assert world.books.submissions[coid] == 1


async def test_a_look_up_without_an_answer_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "FIRST_AGAIN_S", 0.01)
    async with live_world() as world:
        world.books.is_silent = True
        world.fault(on="submit", kind="drop")
        world.fault(on="look_up", kind="status", times=3)
        world.propose()
        await world.until(lambda: world.planned(OrderRole.STOP), "what filled is guarded")
        await world.until(lambda: _look_ups(world) == 4, "three without an answer, and the one that had it")
        assert world.notes


async def test_a_definite_no_is_a_rejection_and_nobody_looks_it_up() -> None:
    async with live_world() as world:
        world.fault(on="submit", kind="refuse")
        entry = world.propose()
        await world.until(lambda: not world.engine.state.brackets, "the bracket is over")
        assert world.kinds(entry.client_order_id) == ["order_planned", "order_rejected"]
        assert not any("look_up" in arrival for arrival in world.books.arrivals)


@pytest.mark.parametrize("fault", AMBIGUOUS, ids=lambda fault: "-".join(map(str, fault.values())))
async def test_a_cancel_of_unknown_outcome_is_looked_up(fault: dict[str, object]) -> None:
    async with live_world() as world:
        world.fault(on="cancel", **fault)
        world.books.is_silent = True
        entry = world.propose(intent(order_type=EntryType.LIMIT, trigger=99))
        await world.until(lambda: "order_accepted" in world.kinds(entry.client_order_id), "it rests")
        world.halt()
        await world.until(lambda: not world.engine.state.brackets, "the entry is gone")
        assert f"look_up {entry.client_order_id}" in world.books.arrivals


async def test_an_amend_of_unknown_outcome_is_looked_up() -> None:
    async with live_world() as world:
        world.fault(on="amend", kind="drop")
        stop = await entered(world)
        world.books.is_silent = True
        bracket = next(iter(world.engine.state.brackets.values()))
        now_ns = world.desk.now_ns
        tighter = AmendIntent("m", "paper", "ana", bracket.bracket_id, D(97), now_ns)
        world.desk.judge(e.IntentArrived(tighter, now_ns))
        order = world.engine.state.orders[stop]
        await world.until(lambda: order.stop_price == D(97), "the venue's word on the stop")
        assert f"look_up {stop}" in world.books.arrivals
        assert order.status is OrderStatus.WORKING


async def test_a_lost_stream_is_connected_anew_and_the_venue_is_asked_for_everything() -> None:
    async with live_world() as world:
        await world.until(lambda: _snapshots(world) >= 1, "the first snapshot")
        world.books.cut_streams()
        await world.until(lambda: _connections(world)[:2] == [True, False], "it is lost")
        before = _snapshots(world)
        await world.until(lambda: _connections(world) == [True, False, True], "it stands again")
        await world.until(lambda: _snapshots(world) > before, "the snapshot after the reconnect")


async def test_the_venue_is_asked_for_everything_every_so_often() -> None:
    async with live_world(reconcile_every_ns=1) as world:
        await world.until(lambda: _snapshots(world) >= 3, "three snapshots")


async def test_nothing_opens_while_the_stream_is_down() -> None:
    async with live_world(listening=False) as world:
        entry = world.propose()
        await world.until(lambda: not world.engine.state.brackets, "the entry is given up")
        assert world.books.arrivals == [item for item in world.books.arrivals if "snapshot" in item]
        assert "stream is down" in _rejection(world, entry.client_order_id)


async def test_what_cancels_or_leaves_overtakes_entries_that_wait() -> None:
    async with live_world(replace(PATIENCE, submit_s=5.0)) as world:
        stop = await entered(world)
        world.fault(on="submit", kind="delay", seconds=0.5, times=PLACES)
        for number in range(PLACES + 4):
            world.propose(intent(f"entry{number}", order_type=EntryType.LIMIT, trigger=99))
        await world.until(lambda: _submitted(world) == 2 + PLACES - KEPT_FOR_PROTECTION, "the first left")
        world.halt(f.KillPolicy.FLATTEN_ALL)
        await world.until(lambda: not world.engine.state.brackets, "all is over")
        arrivals = world.books.arrivals
        sent = [request.client_order_id for request in world.planned(OrderRole.ENTRY)[1:]]
        arrived = [coid for coid in sent if f"submit {coid}" in arrivals]
        assert len(arrived) == PLACES - KEPT_FOR_PROTECTION, (
            "entries that had not left when the halt came stay here"
        )
        leaving = arrivals.index(f"cancel {stop}")
        assert leaving < min(arrivals.index(f"cancel {coid}") for coid in arrived)
        for coid in set(sent) - set(arrived):
            assert "not sent" in _rejection(world, coid)


async def test_an_order_the_sender_stops_is_rejected_and_halts_the_desk_but_not_the_run() -> None:
    async with live_world() as world:
        world.sender._keys.clear()
        entry = world.propose()
        assert world.kinds(entry.client_order_id) == ["order_planned", "order_rejected"]
        assert world.engine.state.trading_state is f.TradingState.HALTED
        assert "unknown key" in world.engine.state.state_reason
        assert world.books.arrivals == [item for item in world.books.arrivals if "snapshot" in item]


async def test_a_full_disk_keeps_entries_here_and_lets_exits_go() -> None:
    async with live_world() as world:
        await entered(world)
        world.recorder.full = True
        world.quote(109)
        world.quote(111)
        await world.until(lambda: not world.engine.state.brackets, "the position is left")
        assert world.engine.state.trading_state is f.TradingState.HALTED


async def test_an_entry_planned_when_the_disk_fills_never_leaves() -> None:
    async with live_world() as world:
        world.recorder.full = True
        entry = world.propose()
        await world.until(lambda: not world.engine.state.brackets, "the bracket is over")
        assert world.books.submissions[entry.client_order_id] == 0


async def test_a_timer_ends_an_entry_that_rests_too_long() -> None:
    async with live_world() as world:
        entry = world.propose(intent(order_type=EntryType.LIMIT, trigger=99, expiry_s=1))
        await world.until(lambda: not world.engine.state.brackets, "the entry is cancelled in time")
        assert f"cancel {entry.client_order_id}" in world.books.arrivals


async def test_calls_of_one_order_never_overlap() -> None:
    async with live_world(replace(PATIENCE, submit_s=5.0)) as world:
        world.fault(on="submit", kind="delay", seconds=0.3)
        entry = world.propose(intent(order_type=EntryType.LIMIT, trigger=99))
        await asyncio.sleep(0.05)
        world.halt()
        await world.until(lambda: not world.engine.state.brackets, "the entry is gone")
        coid = entry.client_order_id
        kinds = world.kinds(coid)
        assert kinds.index("order_accepted") < kinds.index("order_cancelled")
        assert "request_rejected" not in kinds, "a cancel that overtakes its order finds nothing to cancel"


def _submitted(world: LiveWorld) -> int:
    return sum(world.books.submissions.values())


def _connections(world: LiveWorld) -> list[bool]:
    return [item.connected for item in world.seen if isinstance(item, e.ConnectionChanged)]


def _look_ups(world: LiveWorld) -> int:
    return sum("look_up" in arrival for arrival in world.books.arrivals)


def _snapshots(world: LiveWorld) -> int:
    return sum(isinstance(item, e.VenueSnapshot) for item in world.seen)


def _rejection(world: LiveWorld, coid: str) -> str:
    return next(
        fact.reason
        for fact in world.recorder.facts
        if isinstance(fact, f.OrderRejected) and fact.client_order_id == coid
    )
