"""`whatif`: the same run again to the last digit, and under other limits, from its beginning."""

from pathlib import Path
from typing import Any

from tests.e2e.desk_process import here


def test_a_run_under_its_own_limits_is_repeated_exactly(short_finished: tuple[Path, Any]) -> None:
    home, summary = short_finished
    report = here(home, "whatif", "--limit", "confidence=0.75", "--json").document
    assert report["exact"] is True
    assert report["changes"] == []
    for side in ("before", "after"):
        for name in ("intents", "approved", "refused", "trades", "pnl", "fees", "equity", "max_drawdown"):
            assert report[side][name] == summary[name], (side, name)


def test_a_tighter_limit_takes_trades_away_and_says_which(short_finished: tuple[Path, Any]) -> None:
    home, summary = short_finished
    report = here(home, "whatif", "--limit", "trades_per_day=1", "--json").document
    assert report["exact"] is True
    assert report["before"]["trades"] == summary["trades"]
    assert report["after"]["trades"] < summary["trades"]
    gone = [item for item in report["changes"] if item["change"] == "gone"]
    new = [item for item in report["changes"] if item["change"] == "new"]
    assert summary["trades"] - len(gone) + len(new) == report["after"]["trades"]
    assert all(item["pnl_after"] is None and item["quantity_before"] > 0 for item in gone)
    strict = here(home, "whatif", "--limit", "confidence=1", "--limit", "trades_per_day=9", "--json")
    assert strict.document["after"]["trades"] <= summary["trades"]
    assert set(strict.document["limits"]) == {"confidence", "trades_per_day"}


def test_people_see_both_sides_and_a_ceiling_may_be_asked_about(short_finished: tuple[Path, Any]) -> None:
    home, _ = short_finished
    asked = here(home, "whatif", "--limit", "position_fraction=0.2")
    assert asked.code == 0
    for text in ("position_fraction: ", "was", "would be", "net profit", "max drawdown"):
        assert text in asked.out
