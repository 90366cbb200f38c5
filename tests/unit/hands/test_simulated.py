"""The simulated desk: facts before commands, a bar lived in order, time that never runs back."""

import pytest

from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.commands import Command, SubmitOrder
from neuratrade.core.model.intent import EntryType, OpenIntent
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_SECOND
from neuratrade.core.model.orders import OrderRequest
from neuratrade.hands.recorder import MemoryRecorder
from neuratrade.hands.simulated import SimulatedDesk
from neuratrade.hands.turns import Turns
from neuratrade.store.errors import JournalUnwritable
from neuratrade.venues.paper.costs import PaperCosts
from tests.simulation.world import (
    FREE,
    T0,
    D,
    WatchedExchange,
    bar,
    desk_engine,
    intent,
    run_started,
    warm_up,
)


class FragileRecorder(MemoryRecorder):
    """A recorder whose disk can be full. safe: how many facts were flushed."""

    def __init__(self) -> None:
        super().__init__()
        self.safe = 0
        self.full = False

    def flush(self) -> None:
        """Raises JournalUnwritable while the disk is full."""
        if self.full:
            raise JournalUnwritable("the disk is full")
        self.safe = len(self.facts)


class OrderedExchange(WatchedExchange):
    """Notes how many facts were safe when each order came."""

    def __init__(self, recorder: FragileRecorder, costs: PaperCosts) -> None:
        super().__init__(costs=costs)
        self.recorder = recorder
        self.planned_before: list[bool] = []

    def submit(self, request: OrderRequest, at_ns: int) -> None:
        """Takes an order and remembers whether its plan was safe by then."""
        safe = self.recorder.facts[: self.recorder.safe]
        self.planned_before.append(
            any(isinstance(fact, f.OrderPlanned) and fact.request == request for fact in safe)
        )
        super().submit(request, at_ns)


class World:
    def __init__(self, costs: PaperCosts = FREE) -> None:
        self.recorder = FragileRecorder()
        self.exchange = OrderedExchange(self.recorder, costs)
        self.watched: list[tuple[f.Fact, int]] = []
        self.engine = desk_engine()
        self.desk = SimulatedDesk(self.engine, self.exchange, self.recorder, None, (self._watch,))
        self.desk.take(run_started())
        warm_up(self.engine)

    def _watch(self, fact: f.Fact) -> None:
        self.watched.append((fact, self.recorder.safe))

    def propose(self, proposal: OpenIntent) -> f.IntentJudged | None:
        return self.desk.judge(e.IntentArrived(proposal, proposal.created_ns))

    def live(self, index: int, open_: int, high: int, low: int, close: int) -> None:
        self.desk.bars([bar(index, open_, high, low, close)])

    @property
    def closed(self) -> list[f.BracketClosed]:
        return [fact for fact in self.recorder.facts if isinstance(fact, f.BracketClosed)]

    @property
    def fills(self) -> list[str]:
        return [f"{fill.side.value} {fill.quantity} at {fill.price}" for fill in self.exchange.fills]


def test_every_order_leaves_after_its_plan_is_safe() -> None:
    world = World()
    world.propose(intent(targets=((105, "0.5"), (110, "0.5"))))
    world.live(0, 100, 106, 99, 105)
    world.live(1, 105, 111, 104, 110)
    assert len(world.exchange.planned_before) == 5
    assert all(world.exchange.planned_before)


def test_watchers_see_each_fact_once_in_order_and_only_when_it_is_safe() -> None:
    world = World()
    world.propose(intent())
    world.live(0, 100, 101, 99, 100)
    world.desk.flush()
    assert [fact for fact, _ in world.watched] == world.recorder.facts
    for place, (_, safe) in enumerate(world.watched):
        assert safe > place


def test_a_bar_that_touches_stop_and_target_is_a_stop() -> None:
    world = World()
    world.propose(intent())
    world.live(0, 100, 101, 99, 100)
    world.live(1, 100, 111, 94, 105)
    assert [(item.reason, item.exit_price) for item in world.closed] == [(f.CloseReason.SL, D(95))]


def test_so_is_the_bar_at_whose_open_the_entry_filled() -> None:
    world = World()
    world.propose(intent())
    world.live(0, 100, 111, 94, 105)
    assert world.fills == ["buy 1.000 at 100.0", "sell 1.000 at 95.0"]
    assert world.closed[0].reason is f.CloseReason.SL


def test_a_bar_that_gaps_over_the_stop_fills_at_its_open() -> None:
    world = World()
    world.propose(intent())
    world.live(0, 100, 101, 99, 100)
    world.live(1, 90, 112, 89, 111)
    assert world.closed[0].exit_price == 90
    assert world.closed[0].reason is f.CloseReason.SL


def test_a_target_reached_on_the_bar_of_the_entrys_open_counts() -> None:
    world = World()
    world.propose(intent())
    world.live(0, 100, 111, 99, 105)
    assert world.closed[0].reason is f.CloseReason.TP
    assert world.closed[0].exit_price == 110


def test_an_entry_filled_inside_a_bar_does_not_count_what_that_bar_did_before() -> None:
    world = World()
    world.propose(intent(order_type=EntryType.LIMIT, trigger=97, targets=((105, 1),), stop=90))
    world.live(0, 100, 106, 96, 98)
    assert world.closed == [], "the high may have come before the entry"
    world.live(1, 98, 106, 97, 100)
    assert world.closed[0].reason is f.CloseReason.TP


def test_but_its_close_is_certain_and_pays_the_target_not_the_open() -> None:
    world = World()
    world.propose(intent(order_type=EntryType.LIMIT, trigger=97, targets=((105, 1),), stop=90))
    world.live(0, 108, 109, 96, 106)
    assert [item.exit_price for item in world.closed] == [105]


def test_two_rungs_on_one_bar_both_leave() -> None:
    world = World()
    world.propose(intent(targets=((105, "0.5"), (110, "0.5"))))
    world.live(0, 100, 101, 99, 100)
    world.live(1, 100, 112, 99, 111)
    assert world.fills[1:] == ["sell 0.500 at 105.0", "sell 0.500 at 110.0"]


def test_a_slow_venue_can_still_stop_out_before_the_target_is_sent() -> None:
    world = World(PaperCosts(latency_ms=2500, spread_fraction=D(0), slippage_bps=D(0)))
    world.propose(intent())
    world.live(0, 100, 101, 99, 100)
    world.live(1, 100, 111, 94, 105)
    world.live(2, 105, 106, 104, 105)
    assert world.fills == ["buy 1.000 at 100.0", "sell 1.000 at 95.0"]
    assert world.closed[0].reason is f.CloseReason.SL


def test_what_is_due_in_a_gap_happens_in_the_gap_and_not_at_the_price_after_it() -> None:
    world = World()
    world.propose(intent(hold_s=120))
    world.live(0, 100, 101, 99, 100)
    world.live(90, 97, 98, 96, 97)
    planned = [fact for fact in world.recorder.facts if isinstance(fact, f.TriggerFired)]
    assert [(fact.at_ns - T0) // NS_PER_SECOND for fact in planned] == [120]
    assert world.closed[0].exit_price == 97
    assert world.closed[0].at_ns >= T0 + 90 * NS_PER_MINUTE


def test_facts_never_go_back_in_time_even_with_timers_long_overdue() -> None:
    world = World()
    world.propose(intent(hold_s=1, order_type=EntryType.LIMIT, trigger=99))
    world.live(0, 100, 101, 98, 100)
    world.live(1, 100, 101, 99, 100)
    times = [fact.at_ns for fact in world.recorder.facts]
    assert times == sorted(times)
    assert world.closed[0].reason is f.CloseReason.TIME


def test_a_full_disk_halts_keeps_entries_back_and_lets_exits_go() -> None:
    world = World()
    world.propose(intent())
    world.live(0, 100, 101, 99, 100)
    world.recorder.full = True
    world.live(1, 100, 111, 99, 110)
    assert world.desk.journal_failed
    assert world.engine.state.trading_state is f.TradingState.HALTED
    assert world.closed[0].reason is f.CloseReason.TP, "what reduces still goes out"
    judged = world.propose(intent("b", at_ns=world.engine.state.now_ns))
    assert judged is not None
    assert not judged.approved


def test_an_entry_approved_just_before_the_disk_fills_is_not_sent() -> None:
    world = World()
    world.recorder.full = True
    world.propose(intent())
    world.live(0, 100, 101, 99, 100)
    assert world.exchange.fills == []
    assert world.closed[0].reason is f.CloseReason.NO_ENTRY


def test_an_entry_planned_in_the_turn_that_halted_the_desk_is_not_sent() -> None:
    engine = World().engine
    carried: list[Command] = []
    turns = Turns(engine, MemoryRecorder(), None, lambda command, _at_ns: carried.append(command))
    proposal = intent()
    at_ns = proposal.created_ns
    planned = engine.step(e.IntentArrived(proposal, at_ns))
    assert any(isinstance(command, SubmitOrder) for command in planned.commands)
    engine.step(e.Halt(at_ns, "ana", "news"))
    turns.carry_out(planned, at_ns)
    assert not any(isinstance(command, SubmitOrder) for command in carried)
    assert not engine.state.brackets, "it is over, not waited for"


def test_warm_up_bars_record_nothing_and_trade_nothing() -> None:
    world = World()
    before = len(world.recorder.facts)
    world.desk.warm_up(bar(0, 100, 200, 50, 100))
    assert len(world.recorder.facts) == before


def test_the_clock_alone_lets_answers_and_timers_come() -> None:
    world = World()
    world.live(0, 100, 101, 99, 100)
    proposal = intent(order_type=EntryType.LIMIT, trigger=90, stop=85, expiry_s=30, at_ns=T0 + NS_PER_MINUTE)
    world.propose(proposal)
    world.desk.clock(T0 + NS_PER_MINUTE + 31 * NS_PER_SECOND)
    assert world.closed[0].reason is f.CloseReason.NO_ENTRY


def test_a_verdict_is_given_back_to_who_asked() -> None:
    world = World()
    taken, again = (world.propose(intent()) for _ in range(2))
    assert taken is not None
    assert taken.approved
    assert again is not None
    assert not again.approved


def test_an_order_that_was_never_sent_is_found_missing_after_a_restart_and_handled() -> None:
    world = World()
    step = world.engine.step(e.IntentArrived(intent(), T0))
    assert any(isinstance(command, SubmitOrder) for command in step.commands)
    other = World()
    other.engine.state = world.engine.state
    other.desk.recover(T0)
    assert [item.reason for item in other.closed] == [f.CloseReason.NO_ENTRY]
    assert other.exchange.fills == []


@pytest.mark.parametrize("latency_ms", [0, 50, 900])
def test_both_books_are_the_same_after_a_bar(latency_ms: int) -> None:
    world = World(PaperCosts(latency_ms=latency_ms))
    world.propose(intent(quantity=3))
    for index in range(4):
        world.live(index, 100, 101, 99, 100)
    mine, venue = world.engine.state.accounts["paper"], world.exchange.account
    assert (mine.balances, mine.positions) == (venue.balances, venue.positions)
