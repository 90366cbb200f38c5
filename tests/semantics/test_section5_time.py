"""State, time and replay: what is durable, when marks are written down, and who may ask for the time."""

import re
from pathlib import Path

import pytest

from neuratrade.core.engine.fold import apply
from neuratrade.core.engine.state import DeskState, state_bytes
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.market import NS_PER_HOUR, NS_PER_MINUTE, Trade
from neuratrade.core.model.orders import OrderRole
from tests.simulation.hand import Hand
from tests.simulation.world import PERP, T0, D, bar, desk_engine, intent, run_started
from tests.unit.engine.test_governors import holding, mark

STOP, TARGET = OrderRole.STOP, OrderRole.TARGET


def marks_of(hand: Hand) -> list[f.Marked]:
    return [fact for fact in hand.facts if isinstance(fact, f.Marked)]


@pytest.mark.parametrize(("price", "written"), [("100.009", False), ("100.01", True), ("99.99", True)])
def test_a_mark_is_written_down_when_equity_moved_a_basis_point(price: str, written: bool) -> None:
    hand = holding({})
    before = len(marks_of(hand))
    mark(hand, price)
    assert (len(marks_of(hand)) > before) is written
    if written:
        assert marks_of(hand)[-1].prices == {PERP.key: D(price)}, "with the price seen"


def test_a_smaller_move_is_written_down_within_a_minute() -> None:
    hand = holding({})
    before = len(marks_of(hand))
    mark(hand, "100.005", after_ms=59_999)
    assert len(marks_of(hand)) == before
    mark(hand, "100.005", after_ms=1)
    assert len(marks_of(hand)) == before + 1
    assert hand.state.accounts["paper"].session_peak == D(100_005), "and so is the peak"


def test_what_does_not_move_at_all_is_written_down_once_an_hour() -> None:
    hand = holding({})
    before = len(marks_of(hand))
    for _ in range(120):
        mark(hand, 100, after_ms=60_000)
    assert len(marks_of(hand)) == before + 2


def test_prices_alone_change_nothing_durable() -> None:
    hand = Hand()
    before = state_bytes(hand.state)
    hand.quote(101)
    hand.step(Trade(PERP.key, hand.now_ns, D(101), D(1)))
    hand.step(e.BarClosed(bar(0, 100, 102, 99, 101), T0 + NS_PER_MINUTE))
    hand.step(e.MarkSeen(PERP.key, hand.now_ns, D(101)))
    hand.step(e.RateSeen("EUR", "USDT", hand.now_ns, D("1.1"), "ECB"))
    assert state_bytes(hand.state) == before


def test_until_history_is_known_nothing_new_is_opened() -> None:
    engine = desk_engine()
    engine.step(run_started())
    engine.step(e.BarClosed(bar(-1, 100, 101, 99, 100), T0))
    step = engine.step(e.IntentArrived(intent(), T0))
    (judged,) = step.facts
    assert isinstance(judged, f.IntentJudged)
    assert "warm_up" in [layer.name for layer in judged.layers if layer.verdict.blocks]
    assert step.commands == []


def test_what_set_off_an_exit_is_on_record_with_the_values_seen() -> None:
    hand = Hand()
    hand.enter(intent())
    hand.quote(112)
    (fired,) = [fact for fact in hand.facts if isinstance(fact, f.TriggerFired)]
    assert (fired.reason, fired.level, fired.seen, fired.quantity) == (f.CloseReason.TP, D(110), D(112), D(1))


def test_a_new_day_is_on_record_with_the_equity_it_begins_with() -> None:
    hand = holding({})
    hand.now_ns = T0 + 24 * NS_PER_HOUR
    mark(hand, 103, 0)
    rolled = [fact for fact in hand.facts if isinstance(fact, f.DayRolled)][-1]
    assert (rolled.equity, rolled.at_ns) == (D(103_000), hand.now_ns)


def test_a_timer_that_came_due_is_on_record_before_what_it_led_to() -> None:
    hand = Hand()
    hand.enter(intent(hold_s=60))
    hand.seconds(60)
    kinds = [type(fact) for fact in hand.facts]
    assert kinds.index(f.TimerFired) < kinds.index(f.TriggerFired)


ASKS_FOR_TIME = re.compile(
    r"\btime\.(?:time|time_ns|monotonic|monotonic_ns|sleep|perf_counter)\b|asyncio\.(?:sleep|timeout|wait_for)\("
    r"|datetime\.now\("
)
ALLOWED = {
    "app/live_market.py": "how long a venue may take to tell what it trades, before the desk opens",
    "feeds/clock.py": "the port itself",
    "feeds/exchange.py": "waits between tries of a download that a person started",
    "feeds/live/feed.py": "the time limit of a question to a venue",
    "feeds/files.py": "how long another import is waited for",
    "hands/inbox/bus.py": "a caller's own time limit",
    "hands/inbox/submit.py": "another process, which waits for the desk",
    "hands/live.py": "the time limit of a question whether the venue is there",
    "hands/outbox.py": "the time limit of a call in flight",
    "hands/runner.py": "lets other tasks run, for no time",
    "hands/strategy_guard.py": "counts the processor's time, not the wall's",
    "rehearsal/binance_spot_market.py": "a venue of its own, on a loop whose time is the rehearsal's",
    "rehearsal/company.py": "lets other tasks run, for no time",
    "rehearsal/jerq.py": "a venue of its own, on a loop whose time is the rehearsal's",
    "rehearsal/openfeed.py": "a venue of its own, on a loop whose time is the rehearsal's",
    "rehearsal/server.py": "a venue of its own, on a loop whose time is the rehearsal's",
    "rehearsal/tradovate_streams.py": "a venue of its own, on a loop whose time is the rehearsal's",
    "rehearsal/warp.py": "the port on such a loop",
    "store/home.py": "the note of who holds a lock",
    "venues/ccxt/stream.py": "how long a stream of ccxt may take to stand: ccxt waits by the loop as well",
    "store/journal.py": "when a row was written and the next checkpoint is due: nothing is decided by it",
}


def test_whoever_waits_or_asks_for_the_time_does_it_through_the_clock_port(repository: Path) -> None:
    source = repository / "src" / "neuratrade"
    found = {
        file.relative_to(source).as_posix()
        for file in source.rglob("*.py")
        if ASKS_FOR_TIME.search(file.read_text("utf-8"))
    }
    outside = {name for name in found if not name.startswith("interfaces/cli/")}
    assert outside <= set(ALLOWED), "a new way around the clock port"


def test_after_every_step_the_state_is_what_the_facts_so_far_fold_to_byte_for_byte() -> None:
    hand = Hand()
    hand.enter(intent(targets=((105, "0.5"), (110, "0.5")), trail="0.04", hold_s=600))
    hand.quote(104)
    hand.amended(STOP, 1, hand.bracket.stop_price)
    hand.quote(105)
    hand.cancelled(STOP)
    hand.fill(TARGET, "0.5", 105)
    hand.seconds(2)
    hand.tick()
    assert hand.state.timers, "also what is remembered for later"
    folded = DeskState()
    for fact in hand.facts:
        apply(folded, f.decode_fact(f.encode_fact(fact)))
    assert state_bytes(folded) == state_bytes(hand.state)
