"""When the journal cannot be written: nothing new is opened, what reduces goes out, and nothing is forgotten.

The disk is really full here: the operating system refuses to let files of this process grow.
"""

import resource
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from neuratrade.app.desk import Desk
from neuratrade.core.engine.fold import apply
from neuratrade.core.engine.state import DeskState, state_bytes
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import Direction, EntryType, OpenIntent, Stop, TakeProfit
from neuratrade.store.reader import JournalReader
from tests.unit.app.recorded_desk import opened, short_data, step, time_of

BTC = "BTC/USDT@binanceusdm"
WARM_MINUTES = 1440 + 90
SMALL = 64 * 1024


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stopped home whose desk has seen enough of the market to trade."""
    home = tmp_path_factory.mktemp("warm") / "home"
    short_data(home, 3)
    with opened(home) as desk:
        step(desk, WARM_MINUTES)
    return home


@pytest.fixture
def desk(warm: Path, tmp_path: Path) -> Iterator[Desk]:
    """That desk, going on. Its write-ahead log only grows, so it is soon larger than what is allowed."""
    home = tmp_path / "home"
    shutil.copytree(warm, home)
    with opened(home) as found, closing(sqlite3.connect(home / "neuratrade.db")) as reader:
        reader.execute("begin")
        reader.execute("select count(*) from journal").fetchone()
        while (home / "neuratrade.db-wal").stat().st_size <= 2 * SMALL:
            found.simulated.take(f.DoorRefused(found.state.now_ns, "test", "filler", ("x" * 4_000,)))
            found.simulated.flush()
        yield found


@contextmanager
def full_disk(allowed: int) -> Iterator[None]:
    """No file of this process may grow beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (allowed, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def proposal(desk: Desk, name: str) -> e.IntentArrived:
    view = desk.simulated.engine.views[BTC]
    assert view.price is not None
    price = view.instrument.round_price(view.price)
    intent = OpenIntent(
        intent_id=f"00000000-0000-4000-8000-{name:>012}",
        account_id=desk.setup.account.account_id,
        operator_id="ana",
        instrument=BTC,
        direction=Direction.LONG,
        trigger_price=price,
        protection=Stop(view.instrument.round_price(price * Decimal("0.991"))),
        take_profits=(TakeProfit(view.instrument.round_price(price * Decimal("1.03"))),),
        confidence=Decimal("0.9"),
        strategy_ref="a_person",
        created_ns=time_of(desk),
        order_type=EntryType.MARKET,
        source="operator",
    )
    return e.IntentArrived(intent, time_of(desk))


def with_a_position(desk: Desk) -> str:
    judged = desk.simulated.judge(proposal(desk, "1"))
    assert judged is not None
    assert judged.approved, [layer for layer in judged.layers if layer.verdict.blocks]
    step(desk, 2)
    assert desk.state.brackets[judged.intent.intent_id].held > 0
    return judged.intent.intent_id


def is_diverted(desk: Desk) -> bool:
    return desk.simulated.journal_failed


def emergency_bytes(home: Path) -> int:
    file = home / "emergency.jsonl"
    return file.stat().st_size if file.exists() else 0


def facts_of(home: Path) -> list[f.Fact]:
    with JournalReader.open(home / "neuratrade.db") as reader:
        return [row.fact() for row in reader.rows()]


def test_an_entry_that_was_approved_as_the_disk_filled_up_is_not_sent(desk: Desk) -> None:
    seen: list[f.Fact] = []
    desk.watch(seen.append)
    with full_disk(SMALL):
        judged = desk.simulated.judge(proposal(desk, "1"))
        assert judged is not None
        assert judged.approved
        step(desk, 3)
        assert desk.simulated.journal_failed
        rejected = [fact for fact in seen if isinstance(fact, f.OrderRejected)]
        assert [fact.reason for fact in rejected] == ["not sent: the journal cannot be written"]
        assert not [fact for fact in seen if isinstance(fact, f.OrderAccepted | f.OrderFilled)]
        assert desk.state.trading_state is f.TradingState.HALTED
        assert judged.intent.intent_id not in desk.state.brackets
        again = desk.simulated.judge(proposal(desk, "2"))
        assert again is not None
        assert not again.approved
        assert desk.home.emergency.stat().st_size > 0


def test_what_is_held_is_left_on_a_full_disk_and_the_journal_learns_of_it_once(
    desk: Desk, tmp_path: Path
) -> None:
    bracket_id = with_a_position(desk)
    head, _ = desk.journal.head()
    seen: list[f.Fact] = []
    desk.watch(seen.append)
    with full_disk(SMALL):
        desk.simulated.take(e.Halt(time_of(desk), "ana", "get out", f.KillPolicy.FLATTEN_ALL))
        step(desk, 3)
        desk.simulated.flush()
        assert bracket_id not in desk.state.brackets
        assert desk.journal.head()[0] == head
    closed = [fact for fact in seen if isinstance(fact, f.BracketClosed)]
    assert {fact.bracket_id for fact in closed} >= {bracket_id}
    assert {fact.reason for fact in closed} == {f.CloseReason.KILL}
    # The machine dies here: what is on disk is all that is left.
    crashed = tmp_path / "crashed"
    shutil.copytree(desk.home.root, crashed)
    for _ in range(2):
        with opened(crashed) as after:
            assert after.resumed
            assert bracket_id not in after.state.brackets
            assert after.state.counts == desk.state.counts
            assert after.state.accounts["paper"].balances == desk.state.accounts["paper"].balances
        facts = facts_of(crashed)
        assert facts[head : head + len(seen)] == seen
        assert len([fact for fact in facts if isinstance(fact, f.BracketClosed)]) == len(closed)
    assert not (crashed / "emergency.jsonl").exists()
    assert len(list(crashed.glob("emergency.*.moved.jsonl"))) == 1


def test_once_there_is_room_again_everything_returns_to_the_journal_in_its_order(desk: Desk) -> None:
    with_a_position(desk)
    head, _ = desk.journal.head()
    seen: list[f.Fact] = []
    desk.watch(seen.append)
    with full_disk(SMALL):
        desk.simulated.take(e.Halt(time_of(desk), "ana", "get out", f.KillPolicy.FLATTEN_ALL))
        step(desk, 2)
        desk.keep_house()
        assert is_diverted(desk)
    step(desk, 2)
    desk.simulated.flush()
    assert is_diverted(desk), "what was diverted comes first, and only keep_house moves it"
    desk.keep_house()
    assert not is_diverted(desk)
    step(desk, 2)
    desk.simulated.flush()
    assert facts_of(desk.home.root)[head:] == seen
    assert state_bytes(desk.state) == state_bytes(folded(desk.home.root))
    resumed = e.Resume(time_of(desk), "ana", "there is room again")
    desk.simulated.take(resumed)
    assert desk.state.trading_state is f.TradingState.RUNNING
    step(desk, 10)
    judged = desk.simulated.judge(proposal(desk, "3"))
    assert judged is not None
    assert judged.approved, [layer for layer in judged.layers if layer.verdict.blocks]
    step(desk, 2)
    assert desk.state.brackets[judged.intent.intent_id].held > 0


def folded(home: Path) -> DeskState:
    state = DeskState()
    for fact in facts_of(home):
        apply(state, fact)
    return state


def test_facts_wait_in_memory_when_not_even_the_emergency_file_can_be_written(desk: Desk) -> None:
    bracket_id = with_a_position(desk)
    head, _ = desk.journal.head()
    seen: list[f.Fact] = []
    desk.watch(seen.append)
    with full_disk(1):
        desk.simulated.take(e.Halt(time_of(desk), "ana", "get out", f.KillPolicy.FLATTEN_ALL))
        step(desk, 3)
        assert bracket_id not in desk.state.brackets
        assert emergency_bytes(desk.home.root) == 0
    desk.keep_house()
    desk.simulated.flush()
    assert facts_of(desk.home.root)[head:] == seen
    assert not desk.simulated.journal_failed


def test_a_desk_that_is_closed_after_a_full_disk_leaves_a_whole_journal(warm: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(warm, home)
    seen: list[f.Fact] = []
    with opened(home) as desk:
        with_a_position(desk)
        desk.watch(seen.append)
        with full_disk(1):
            desk.simulated.take(e.Halt(time_of(desk), "ana", "get out", f.KillPolicy.FLATTEN_ALL))
            step(desk, 2)
            assert desk.simulated.journal_failed
        last = state_bytes(desk.state)
    assert facts_of(home)[-len(seen) :] == seen
    assert state_bytes(folded(home)) == last
    assert emergency_bytes(home) == 0
