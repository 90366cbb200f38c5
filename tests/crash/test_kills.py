"""kill -9 at random moments, many times over one home: whatever was under way, nothing is lost or doubled.

`make crash KILLS=200 START=1` does it as often as one has patience for.
"""

import sys
from pathlib import Path

import pytest

from tests.crash.killing import kill_again_and_again

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
