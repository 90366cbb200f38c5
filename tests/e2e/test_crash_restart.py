"""kill -9 at any moment: nothing lost, nothing doubled, what is held is guarded before the market goes on."""

import json
import random
import shutil
import sqlite3
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from neuratrade.core.engine.fold import apply
from neuratrade.core.engine.state import DeskState, state_bytes
from neuratrade.core.model import facts as f
from neuratrade.store.reader import JournalReader
from tests.e2e.desk_process import here, look, neuratrade, running, wait_until

KILLS = 5


def facts(home: Path) -> Iterator[f.Fact]:
    with JournalReader.open(home / "neuratrade.db") as reader:
        for row in reader.rows():
            yield row.fact()


def bytes_at(home: Path, seq: int) -> bytes:
    """The durable state folded from nothing but the first rows of the journal."""
    state = DeskState()
    with JournalReader.open(home / "neuratrade.db") as reader:
        for row in reader.rows(upto=seq):
            apply(state, row.fact())
    return state_bytes(state)


def test_a_desk_killed_again_and_again_ends_as_if_each_order_was_sent_once(
    stopped_home: Path, tmp_path: Path, short_finished: tuple[Path, Any]
) -> None:
    dice = random.Random(20250513)
    held = 0
    for number in range(KILLS):
        with running(stopped_home, "--speed", "20000") as process:
            if number % 2 == 0:
                wait_until(lambda: bool(look(stopped_home).state.brackets), "something is held")
            time.sleep(dice.uniform(0.0, 0.4))
            process.kill()
            process.wait()
        killed = look(stopped_home)
        assert not killed.running
        held += bool(killed.state.brackets)
        assert state_bytes(killed.state) == bytes_at(stopped_home, killed.seq), (
            f"snapshot and fold, kill {number}"
        )
        shutil.copytree(stopped_home, tmp_path / f"killed-{number}")
        audit = here(stopped_home, "audit", "verify", "--json")
        assert (audit.code, audit.document["ok"]) == (0, True), audit.document
    ended = neuratrade(stopped_home, "run", "--speed", "max", "--json")
    assert ended.code == 0, ended.err
    summary = ended.document
    assert summary["finished"] is True
    assert summary["bars"] == 2 * 5 * 1440
    for number in range(KILLS):
        # What a killed desk had written is the beginning of what there is now, to the last byte.
        killed = look(tmp_path / f"killed-{number}")
        assert bytes_at(stopped_home, killed.seq) == state_bytes(killed.state)
    assert held >= 2
    _, never_killed = short_finished
    for name in ("bars", "intents", "approved", "refused", "trades", "wins", "pnl", "fees", "closed_by"):
        assert summary[name] == never_killed[name], name
    check_totals(stopped_home, summary)
    check_nothing_is_doubled(stopped_home)
    check_restarts_guard_first(stopped_home)
    assert here(stopped_home, "audit", "verify", "--json").document["ok"] is True


def check_totals(home: Path, summary: dict[str, float]) -> None:
    closed = [fact for fact in facts(home) if isinstance(fact, f.BracketClosed)]
    net = sum((fact.pnl for fact in closed), Decimal(0))
    state = look(home).state
    account = next(iter(state.accounts.values()))
    assert not state.brackets
    assert account.balances["USDT"] - 10_000 == net == state.counts.pnl
    assert float(net) == summary["pnl"]
    assert len([fact for fact in closed if fact.entered > 0]) == summary["trades"] >= 5
    with sqlite3.connect(home / "neuratrade.db") as database:
        projected = database.execute("select count(*) from trades").fetchone()[0]
    assert projected == summary["trades"]


def check_nothing_is_doubled(home: Path) -> None:
    trades = [fact.fill.trade_id for fact in facts(home) if isinstance(fact, f.OrderFilled)]
    assert len(trades) == len(set(trades))
    planned = {
        fact.request.client_order_id: fact.at_ns for fact in facts(home) if isinstance(fact, f.OrderPlanned)
    }
    for fact in facts(home):
        if isinstance(fact, f.OrderFilled):
            assert fact.fill.at_ns >= planned[fact.fill.client_order_id], "filled by a market of the past"
    orders = [fact.request.client_order_id for fact in facts(home) if isinstance(fact, f.OrderPlanned)]
    assert len(orders) == len(set(orders))
    approved = [
        fact.intent.intent_id for fact in facts(home) if isinstance(fact, f.IntentJudged) and fact.approved
    ]
    assert len(approved) == len(set(approved))
    judged = [fact.intent.intent_id for fact in facts(home) if isinstance(fact, f.IntentJudged)]
    assert len(judged) == len(set(judged)), "a bar was lived through twice"
    closed = [fact.bracket_id for fact in facts(home) if isinstance(fact, f.BracketClosed)]
    assert len(closed) == len(set(closed))
    assert set(closed) == set(approved)


def check_restarts_guard_first(home: Path) -> None:
    """After each restart no intent is judged before every open bracket is protected or on its way out."""
    starts = 0
    unsafe: set[str] = set()
    for fact in facts(home):
        match fact:
            case f.RunStarted():
                starts += 1
            case f.ProtectionChanged(bracket_id=bracket_id, protected=protected):
                (unsafe.discard if protected else unsafe.add)(bracket_id)
            case f.BracketClosed(bracket_id=bracket_id):
                unsafe.discard(bracket_id)
            case _:
                pass
    assert starts == KILLS + 2
    assert not unsafe
    assert look(home).state.counts.unprotected_ms_max <= 5_000


def test_an_intent_file_taken_but_not_answered_before_a_kill_is_answered_after_it_once(
    stopped_home: Path,
) -> None:
    inbox = stopped_home / "intents"
    (inbox / "taken").mkdir(parents=True, exist_ok=True)
    (inbox / "taken" / "left.json").write_text(json.dumps({"intent_id": "no uuid"}))
    reason = inbox / "rejected" / "left.json.reason.txt"
    with running(stopped_home, "--speed", "600") as process:
        wait_until(reason.exists, "the reason")
        process.kill()
        process.wait()
    assert "intent_id" in reason.read_text()
    with running(stopped_home, "--speed", "600") as process:
        time.sleep(0.6)
        process.kill()
        process.wait()
    turned_away = [fact for fact in facts(stopped_home) if isinstance(fact, f.DoorRefused)]
    assert len([fact for fact in turned_away if fact.name == "left.json"]) == 1
