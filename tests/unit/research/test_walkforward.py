"""Walk-forward: windows that share nothing, and a record that was not chosen on."""

import math
from dataclasses import replace as replaced
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.market import NS_PER_MINUTE
from neuratrade.research.backtest import run_backtest
from neuratrade.research.leaving import left
from neuratrade.research.objective import Objective
from neuratrade.research.optimise import Question
from neuratrade.research.space import Value, space_of
from neuratrade.research.stitch import stitch
from neuratrade.research.trials import TrialLog
from neuratrade.research.variants import with_values
from neuratrade.research.walkforward import stability_of, walkforward
from neuratrade.research.windows import Window, Windows, cut, longest_hold_ns
from tests.unit.research.scripted_farm import ScriptedFarm
from tests.unit.research.small_desk import BEGIN_NS, DAY_NS, SPAN_NS, bars, plan

BARS = bars(days=8)
SPACE = space_of("rsi_rule", {"buy_level_points": "25:35:1", "order_type": "market|limit"})


def question(min_trades: int = 1) -> Question:
    return Question(plan=plan(), space=SPACE, objective=Objective(min_trades=min_trades))


def test_windows_roll_by_the_test_length_with_the_gap_before_each_test() -> None:
    found = cut(Windows(train_days=4, test_days=2, embargo_bars=3), 0, 9 * DAY_NS, 10 * SPAN_NS, SPAN_NS)
    gap = 13 * SPAN_NS
    assert found == (
        Window(0, 4 * DAY_NS - gap, 4 * DAY_NS, 6 * DAY_NS),
        Window(2 * DAY_NS, 6 * DAY_NS - gap, 6 * DAY_NS, 8 * DAY_NS),
    )


def test_anchored_windows_train_from_the_first_day_on() -> None:
    found = cut(Windows(train_days=4, test_days=2, anchored=True), 5, 5 + 8 * DAY_NS, 0, SPAN_NS)
    assert [window.train_start_ns for window in found] == [5, 5]
    assert [window.train_end_ns - 5 for window in found] == [4 * DAY_NS, 6 * DAY_NS]


def test_the_longest_hold_counts_the_resting_entry_and_what_the_space_may_choose() -> None:
    assert longest_hold_ns(plan(), SPACE) == (240 + 30) * NS_PER_MINUTE
    resting = space_of("rsi_rule", {"entry_expiry_minutes": "10:90"})
    assert longest_hold_ns(plan(), resting) == (240 + 90) * NS_PER_MINUTE


@pytest.mark.parametrize(
    ("windows", "days", "hold_days", "told"),
    [
        (Windows(train_days=30, test_days=7), 36.5, 0.0, r"needs 37 days \(30 to train, 7 to"),
        (Windows(train_days=2, test_days=1), 9.0, 2.0, "training has only 2; train on 3 days or more"),
        (Windows(train_days=1, test_days=1, embargo_bars=96), 9.0, 0.0, "training has only 1; train on 2"),
        (Windows(train_days=1, test_days=1), -4.0, 0.0, "one window needs 2 days"),
    ],
)  # fmt: skip
def test_a_period_that_cannot_be_cut_names_the_days_it_needs(
    windows: Windows, days: float, hold_days: float, told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        cut(windows, 0, int(days * DAY_NS), int(hold_days * DAY_NS), SPAN_NS)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"train_days": 0, "test_days": 1}, "train_days is 0; a window has 1 day or more"),
        ({"train_days": 5, "test_days": -1}, "test_days is -1; a window has 1 day or more"),
        ({"train_days": 5, "test_days": 3, "step_days": 2}, "days would be counted twice; give 3 or more"),
        ({"train_days": 5, "test_days": 3, "step_days": -3}, "give 3 or more"),
        ({"train_days": 5, "test_days": 3, "embargo_bars": -1}, "step_days and embargo_bars are 0 or more"),
    ],
)
def test_windows_that_make_no_sense_are_refused(given: dict[str, int], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Windows(**given)  # type: ignore[arg-type]


def test_each_window_runs_its_own_best_on_the_days_behind_it_and_the_tests_compound() -> None:
    walk = walkforward(question(), BARS, Windows(train_days=3, test_days=2), trials=3, processes=1)
    assert len(walk.windows) == 2
    factor = Decimal(1)
    for done in walk.windows:
        assert done.chosen is not None
        variant = with_values(plan(), "rsi_rule", done.chosen)
        alone = left(
            run_backtest(
                replace(variant, start_ns=done.window.test_start_ns, end_ns=done.window.test_end_ns), BARS
            )
        )
        assert alone.trades == done.result.trades
        assert done.result.equity.at_ns[0] > done.window.test_start_ns
        factor *= alone.final_equity / alone.plan.cash
    assert walk.stitched is not None
    assert walk.stitched.final_equity == plan().cash * factor
    assert walk.stitched.equity.value[-1] == pytest.approx(float(walk.stitched.final_equity))
    assert (np.diff(walk.stitched.equity.at_ns) > 0).all()
    assert walk.scores["days"] == 4
    assert sum(trade.pnl for trade in walk.stitched.trades) == pytest.approx(
        walk.stitched.final_equity - plan().cash, rel=Decimal("1e-9"), abs=Decimal(60)
    )


def test_no_training_sees_its_test_or_the_gap_before_it() -> None:
    farm = ScriptedFarm()
    windows = Windows(train_days=3, test_days=2, embargo_bars=2)
    walk = walkforward(question(), BARS, windows, trials=4, farm=farm)
    gap = 270 * NS_PER_MINUTE + 2 * SPAN_NS
    tests = {w.window.train_start_ns: w.window.test_start_ns for w in walk.windows}
    assert {max(t.end_ns for t in farm.seen if t.start_ns == start) for start in tests} == {
        start - gap for start in tests.values()
    }
    assert list(tests.values()) == [BEGIN_NS + 3 * DAY_NS, BEGIN_NS + 5 * DAY_NS]


def test_a_window_in_which_nothing_holds_the_constraints_trades_nothing_and_says_so() -> None:
    walk = walkforward(question(9999), BARS, Windows(train_days=4, test_days=3), trials=2, processes=1)
    assert walk.windows[0].chosen is None
    assert walk.stitched is not None
    assert walk.stitched.final_equity == plan().cash
    assert "window 1: none of 2 trials holds every constraint" in walk.notes[0]
    assert walk.notes[0].endswith("nothing was traded in its test")
    assert walk.in_sample is walk.out_of_sample is walk.kept is None


def test_a_walk_that_was_interrupted_keeps_its_windows_and_goes_on_where_it_stood(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path / 'studies.db'}"
    windows = Windows(train_days=3, test_days=2)
    stopped = walkforward(
        question(), BARS, windows, trials=3, storage=storage, farm=ScriptedFarm(stop_after=8)
    )
    assert stopped.interrupted
    assert len(stopped.windows) == 1
    assert "run the same again to go on" in stopped.notes[0]
    rest = ScriptedFarm()
    again = walkforward(question(), BARS, windows, trials=3, storage=storage, farm=rest)
    assert not again.interrupted
    assert len(again.windows) == 2
    assert {task.start_ns for task in rest.seen} == {again.windows[1].window.train_start_ns}
    whole = walkforward(question(), BARS, windows, trials=3, farm=ScriptedFarm())
    assert [w.chosen for w in again.windows] == [w.chosen for w in whole.windows]


def test_what_is_run_on_a_test_is_counted_there(tmp_path: Path) -> None:
    log = TrialLog(tmp_path / "trials.db")
    walk = walkforward(
        question(), BARS, Windows(train_days=3, test_days=2), trials=3, farm=ScriptedFarm(), log=log
    )
    last = walk.windows[-1].window
    assert log.tried(last.test_start_ns, last.test_end_ns).proposals == 1
    assert log.tried(last.train_start_ns, last.train_start_ns + 1).proposals >= 3


def test_the_spread_of_a_setting_is_of_the_range_searched_and_of_words_the_share_that_differs() -> None:
    chosen: list[dict[str, Value]] = [
        {"buy_level_points": Decimal(level), "order_type": word}
        for level, word in ((26, "market"), (31, "market"), (28, "limit"), (26, "market"))
    ]
    numbers, words = stability_of(SPACE, chosen)
    assert (numbers.values, numbers.spread) == (("26", "31", "28", "26"), 0.5)
    assert (words.name, words.spread) == ("order_type", 0.25)
    assert stability_of(SPACE, []) == ()


def test_runs_that_overlap_or_are_none_are_not_stitched() -> None:
    run = run_backtest(plan(), bars(days=2))
    with pytest.raises(UsageError, match="windows overlap; stitched equity would count days twice"):
        stitch([run, run])
    with pytest.raises(UsageError, match="there is no window to stitch"):
        stitch([])


def test_what_any_window_has_to_say_is_said_once_of_all_together() -> None:
    runs = [
        run_backtest(
            replace(plan(), start_ns=BEGIN_NS + day * DAY_NS, end_ns=BEGIN_NS + (day + 1) * DAY_NS), BARS
        )
        for day in range(3)
    ]
    said = (("no rate here", "gap"), ("gap",), ())
    joined = stitch([replaced(run, notes=notes) for run, notes in zip(runs, said, strict=True)])
    assert joined.notes[:2] == ("no rate here", "gap")
    assert len(joined.notes) == 3


def test_what_training_promised_is_compared_with_what_tests_held() -> None:
    walk = walkforward(question(), BARS, Windows(train_days=3, test_days=2), trials=3, farm=ScriptedFarm())
    assert walk.in_sample is not None
    assert walk.out_of_sample is not None
    goal = [done.out_of_sample["sharpe"] for done in walk.windows]
    assert walk.out_of_sample == pytest.approx(math.fsum(goal) / len(goal))
    assert walk.kept == pytest.approx(walk.out_of_sample / walk.in_sample)
