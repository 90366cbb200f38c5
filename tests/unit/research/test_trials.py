"""The count of what was tried: durable, counted before it runs, and shared by windows that overlap."""

import math
import sqlite3
import statistics
from pathlib import Path

import pytest

from neuratrade.core.model.errors import Retryable, UsageError
from neuratrade.research.trials import TrialLog, Tried

DAY = 86_400 * 10**9


def log(tmp_path: Path) -> TrialLog:
    return TrialLog(tmp_path / "research" / "trials.db", now_ns=lambda: 5)


def test_a_proposal_counts_before_it_ends_and_after_the_process_is_gone(tmp_path: Path) -> None:
    log(tmp_path).begin(0, 60 * DAY, ["a", "b"], "search")
    assert log(tmp_path).tried(0, 60 * DAY) == Tried(2, 0, 0.0)


def test_windows_that_share_a_day_count_together_and_those_that_only_touch_do_not(tmp_path: Path) -> None:
    book = log(tmp_path)
    book.begin(0, 60 * DAY, ["a"], "x")
    book.begin(59 * DAY, 90 * DAY, ["b"], "x")
    book.begin(60 * DAY, 90 * DAY, ["c"], "x")
    assert book.tried(0, 60 * DAY).proposals == 2
    assert book.tried(60 * DAY, 61 * DAY).proposals == 2
    assert book.tried(90 * DAY, 99 * DAY).proposals == 0


def test_the_same_proposal_tried_again_is_no_new_draw(tmp_path: Path) -> None:
    book = log(tmp_path)
    for end in (60, 61):
        book.begin(0, end * DAY, ["a"], "x")
    assert book.tried(0, 60 * DAY).proposals == 1


def test_the_spread_is_that_of_the_ratios_that_are_known(tmp_path: Path) -> None:
    book = log(tmp_path)
    ids = book.begin(0, DAY, ["a", "b", "c", "d"], "x")
    for trial, ratio in zip(ids, (0.1, 0.3, math.nan, -0.2), strict=True):
        book.end(trial, ratio)
    tried = book.tried(0, DAY)
    assert (tried.proposals, tried.known) == (4, 3)
    assert tried.spread == pytest.approx(statistics.stdev((0.1, 0.3, -0.2)))


def test_a_period_without_days_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a trial from 5 to 5 has no days"):
        log(tmp_path).begin(5, 5, ["a"], "x")


def test_a_file_that_is_no_log_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "trials.db"
    path.write_bytes(b"not a database, however one looks at it" * 30)
    before = path.read_bytes()
    with pytest.raises(UsageError, match=r"trials.db is no log of trials .* move it away"):
        TrialLog(path)
    assert path.read_bytes() == before


def test_a_log_another_process_holds_is_told_as_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = log(tmp_path)
    monkeypatch.setattr("neuratrade.research.trials._BUSY_S", 0.01)
    with sqlite3.connect(book.path) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Retryable, match=r"cannot be used now .*locked.* nothing was counted"):
            book.begin(0, 1, ["a"], "x")
        other.rollback()
    other.close()
    assert book.tried(0, 1).proposals == 0


def test_a_log_of_another_shape_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trials.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE trial (id INTEGER PRIMARY KEY)")
    database.close()
    with pytest.raises(UsageError, match=r"is no log of trials .*no column"):
        TrialLog(path).begin(0, 1, ["a"], "x")
