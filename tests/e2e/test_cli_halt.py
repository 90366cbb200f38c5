"""The halt switch and the operator's commands, on desks that run and on desks that do not."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path

from neuratrade.core.model.facts import OperatorActed, TradingState
from neuratrade.hands.inbox.submit import CONTROL, Outcome, submit_through_folder
from neuratrade.store.reader import JournalReader
from tests.e2e.desk_process import end, here, look, running, wait_until

SEEN_WITHIN_S = 1.0


def state_of(home: Path) -> TradingState:
    return look(home).state.trading_state


def acts(home: Path) -> list[OperatorActed]:
    with JournalReader.open(home / "neuratrade.db") as reader:
        facts = [row.fact() for row in reader.rows(kinds=("operator_acted",))]
    return [fact for fact in facts if isinstance(fact, OperatorActed)]


def ask_to_resume(home: Path) -> tuple[Outcome, str]:
    """What a program asks that goes around the command, which would take the file away first."""
    request = {
        "action": "resume",
        "operator_id": "ana",
        "reason": "in a hurry",
        "timestamp": datetime.now(UTC).isoformat(),
    }
    answer = submit_through_folder(home, json.dumps(request).encode(), 10, folder=CONTROL)
    return answer.outcome, answer.text


def test_a_halt_file_made_by_hand_halts_within_a_second_and_only_a_person_lifts_it(
    stopped_home: Path,
) -> None:
    switch = stopped_home / "HALT"
    with running(stopped_home, "--speed", "600") as process:
        assert state_of(stopped_home) is TradingState.RUNNING
        switch.touch()
        waited = wait_until(lambda: state_of(stopped_home) is TradingState.HALTED, "HALTED")
        assert waited <= SEEN_WITHIN_S
        outcome, text = ask_to_resume(stopped_home)
        assert (outcome, "the HALT file is still there" in text) == (Outcome.TURNED_AWAY, True)
        switch.unlink()
        time.sleep(0.6)
        assert state_of(stopped_home) is TradingState.HALTED
        resumed = here(stopped_home, "resume", "--reason", "looked", "--json")
        assert (resumed.code, resumed.document["state"]) == (0, "RUNNING")
        assert state_of(stopped_home) is TradingState.RUNNING
        # The very same file again, at once: nobody may miss it for having seen it before.
        switch.touch()
        assert wait_until(lambda: state_of(stopped_home) is TradingState.HALTED, "again") <= SEEN_WITHIN_S
        end(process)


def test_a_halt_file_that_is_there_before_the_start_counts_before_the_first_price(
    stopped_home: Path,
) -> None:
    before = look(stopped_home).state
    assert here(stopped_home, "halt", "--reason", "not today").code == 0
    with running(stopped_home, "--speed", "20000") as process:
        wait_until(lambda: look(stopped_home).state.now_ns > before.now_ns, "the market goes on")
        end(process)
    after = look(stopped_home).state
    assert after.trading_state is TradingState.HALTED
    assert after.counts.approved == before.counts.approved
    last = acts(stopped_home)[-1]
    assert (last.operator_id, last.action, last.reason) == ("halt-file", "halt", "not today")
    resumed = here(stopped_home, "resume", "--reason", "a new day", "--json")
    assert resumed.document == {"state": "RUNNING", "running": False}
    assert state_of(stopped_home) is TradingState.RUNNING
    assert acts(stopped_home)[-1].reason == "a new day"


def test_halt_resume_flatten_and_limit_are_answered_by_a_running_desk(stopped_home: Path) -> None:
    with running(stopped_home, "--speed", "600") as process:
        halted = here(stopped_home, "halt", "--reason", "news", "--json")
        assert (halted.code, halted.document["state"]) == (0, "HALTED")
        assert (stopped_home / "HALT").exists()
        resumed = here(stopped_home, "resume", "--reason", "old news", "--json")
        assert (resumed.code, resumed.document["state"]) == (0, "RUNNING")
        assert not (stopped_home / "HALT").exists()
        tightened = here(stopped_home, "limit", "trades_per_day", "8", "--reason", "quiet", "--json")
        assert tightened.code == 0
        assert look(stopped_home).state.limits.trades_per_day == 8
        ceiling = here(stopped_home, "limit", "leverage", "3", "--reason", "greed", "--json")
        assert (ceiling.code, "above the hard ceiling 2" in ceiling.document["error"]) == (1, True)
        assert look(stopped_home).state.limits.leverage == 2
        left = here(stopped_home, "flatten", "--reason", "holiday", "--json")
        assert (left.code, left.document["state"]) == (0, "HALTED")
        wait_until(lambda: not look(stopped_home).state.brackets, "everything is left")
        end(process)
    assert {act.action for act in acts(stopped_home)} == {"halt", "resume"}
    assert look(stopped_home).state.limits.trades_per_day == 8


def test_a_halt_file_that_comes_and_goes_fifty_times_ends_in_one_clear_state(stopped_home: Path) -> None:
    switch = stopped_home / "HALT"
    with running(stopped_home, "--speed", "600") as process:
        for number in range(50):
            switch.write_text(f"round {number}\n")
            time.sleep(0.03)
            switch.unlink()
        switch.write_text("for good\n")
        wait_until(lambda: state_of(stopped_home) is TradingState.HALTED, "HALTED")
        wait_until(lambda: acts(stopped_home)[-1].reason == "for good", "the last word")
        switch.unlink()
        assert here(stopped_home, "resume", "--reason", "enough").code == 0
        assert state_of(stopped_home) is TradingState.RUNNING
        end(process)
    assert here(stopped_home, "audit", "verify", "--json").document["ok"] is True
    assert state_of(stopped_home) is TradingState.RUNNING
