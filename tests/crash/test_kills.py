"""kill -9 at random moments, many times over one home: whatever was under way, nothing is lost or doubled.

`make crash KILLS=200 START=1` does it as often as one has patience for.
"""

import sys
from pathlib import Path

import pytest

from neuratrade.store.journal import Journal
from neuratrade.store.keys import Ed25519Signer
from neuratrade.store.reader import JournalReader
from tests.crash.killing import Ledger, kill_again_and_again
from tests.unit.store.sample_facts import filled, judged, planned, run_started, write

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a warm process forks")

KILLS = 8


def test_after_each_kill_the_audit_holds_the_state_is_the_fold_and_nothing_is_doubled(
    tmp_path: Path, repository: Path
) -> None:
    found = kill_again_and_again(tmp_path, repository, kills=KILLS, start=3)
    assert found.violations == []
    assert found.kills == KILLS
    assert len(found.kills_by) == 3, "killed while starting, trading and stopping"
    assert found.orders > 0
    assert 0 < found.snapshots <= found.rows


def test_what_is_doubled_or_filled_without_a_plan_would_be_told(tmp_path: Path) -> None:
    signer, ledger = Ed25519Signer(), Ledger()
    with Journal.open(tmp_path / "desk.db", signer=signer) as journal:
        reader = JournalReader(journal.engine)
        write(journal, run_started(signer), judged("a"), planned("a"), filled("a", trade_id="t"))
        assert ledger.read_on(reader) == []
        write(journal, planned("a", at_ns=5))
        assert ledger.read_on(reader) == ["row 5 doubles order a-entry"]
        write(journal, filled("a", at_ns=6, trade_id="t"))
        assert ledger.read_on(reader) == ["row 6 doubles execution t"]
        ledger.head = (6, b"another")
        assert ledger.read_on(reader) == ["row 6 is not the one it was before"]
