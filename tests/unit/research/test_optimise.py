"""The search: seeded, resumable, without repeats, and honest about what cannot win."""

import math
from pathlib import Path

import pytest
from msgspec.structs import replace

from neuratrade.core.model.errors import UsageError
from neuratrade.research.farm import Task
from neuratrade.research.objective import Goal, Objective
from neuratrade.research.optimise import Optimised, Progress, Question, optimise, period_of
from neuratrade.research.space import Value, space_of
from neuratrade.research.study import TrialState
from neuratrade.research.trials import TrialLog
from tests.unit.research.scripted_farm import ScriptedFarm, figures, hill
from tests.unit.research.small_desk import BTC, DAY_NS, bars, plan

BARS = bars(days=6)
WIDE = {"buy_level_points": "20:40:0.1", "stop_atr": "1:5:0.1"}


def question(given: dict[str, str] | None = None, *, min_trades: int = 1, seed: int = 0) -> Question:
    space = space_of("rsi_rule", WIDE if given is None else given)
    return Question(plan=plan(), space=space, objective=Objective(Goal.SHARPE, None, min_trades), seed=seed)


def searched(
    farm: ScriptedFarm, trials: int = 24, storage: str = "", asked: Question | None = None
) -> Optimised:
    return optimise(asked or question(), BARS, trials=trials, storage=storage, farm=farm)


def plain(found: Optimised) -> list[object]:
    return [(t.number, t.values, t.state, t.value, t.broken, t.duplicate_of) for t in found.trials]


def test_the_best_trial_lies_near_the_top_of_the_hill_and_learning_beats_the_first_draws() -> None:
    found = searched(ScriptedFarm(), trials=60)
    assert found.best is not None
    assert abs(float(found.best.values["buy_level_points"]) - 31) < 1
    first, last = found.trials[:10], found.trials[-16:]
    mean = [
        sum(abs(float(t.values["buy_level_points"]) - 31) for t in part) / len(part) for part in (first, last)
    ]
    assert mean[1] < mean[0] * 0.7


def test_one_seed_gives_one_search_and_another_seed_another() -> None:
    assert plain(searched(ScriptedFarm())) == plain(searched(ScriptedFarm()))
    first = searched(ScriptedFarm(), trials=8).trials
    assert len(first) == len({str(trial.values) for trial in first}) == 8
    other = searched(ScriptedFarm(), asked=question(seed=1))
    assert [t.values for t in other.trials] != [t.values for t in searched(ScriptedFarm()).trials]


@pytest.mark.parametrize("stop_after", [9, 43])
def test_a_search_that_was_interrupted_goes_on_and_ends_as_if_it_had_not_been(
    tmp_path: Path, stop_after: int
) -> None:
    whole = searched(ScriptedFarm())
    storage = f"sqlite:///{tmp_path / 'studies.db'}"
    stopped = searched(ScriptedFarm(stop_after=stop_after), storage=storage)
    assert stopped.interrupted
    assert f"trials are kept in {storage} as {stopped.study}; run the same again to go on" in stopped.told
    going_on = ScriptedFarm()
    resumed = searched(going_on, storage=storage)
    assert plain(resumed) == plain(whole)
    finished_before = {trial.number for trial in stopped.trials}
    assert not finished_before & {task.key for task in going_on.seen}


def test_an_interrupt_without_storage_says_that_nothing_is_kept() -> None:
    stopped = searched(ScriptedFarm(stop_after=20))
    assert stopped.told.endswith("were done and are in memory only")


def test_a_search_that_is_done_runs_nothing_when_asked_again_and_more_when_asked_for_more(
    tmp_path: Path,
) -> None:
    storage = f"sqlite:///{tmp_path / 'studies.db'}"
    searched(ScriptedFarm(), trials=8, storage=storage)
    idle, more = ScriptedFarm(), ScriptedFarm()
    assert searched(idle, trials=8, storage=storage).ran == 0
    assert idle.seen == []
    assert searched(more, trials=12, storage=storage).ran == 4


def test_a_question_that_differs_in_anything_is_another_study() -> None:
    asked = question()
    names = {
        asked.name(BARS),
        replace(asked, seed=1).name(BARS),
        replace(asked, objective=Objective(Goal.CALMAR, None, 1)).name(BARS),
        replace(asked, space=space_of("rsi_rule", {"buy_level_points": "20:41:0.1"})).name(BARS),
        replace(asked, plan=replace(asked.plan, cash=asked.plan.cash + 1)).name(BARS),
        replace(asked, stages=(1.0,)).name(BARS),
        asked.name(bars(days=6, seed=8)),
        asked.name({BTC.key: BARS[BTC.key].part(0, 500)}),
    }
    assert len(names) == 8
    assert question().name(bars(days=6)) == asked.name(BARS)


def test_a_repeated_draw_is_answered_from_the_trial_before_it_and_does_not_run() -> None:
    farm = ScriptedFarm()
    found = searched(
        farm, trials=11, asked=question({"buy_level_points": "30:32:0.2", "order_type": "market"})
    )
    assert len(farm.seen) >= 11
    twice = [trial for trial in found.trials if trial.duplicate_of is not None]
    ran = {task.key for task in farm.seen}
    for trial in twice:
        assert trial.number not in ran
    assert len({str(trial.values) for trial in found.trials if trial.duplicate_of is None}) == 11


def test_a_repeat_takes_over_value_scores_and_constraints() -> None:
    space = {"buy_level_points": "30:33:1", "stop_atr": "2:4:1"}
    farm = ScriptedFarm(lambda task: figures(float(task.values["buy_level_points"]), trades=5))
    asked = replace(question(space, min_trades=30), batch=11)
    told: list[Progress] = []
    found = optimise(asked, BARS, trials=11, farm=farm, progress=told.append)
    twice = [trial for trial in found.trials if trial.duplicate_of is not None]
    assert {trial.number for trial in twice} <= {one.ended.number for one in told}
    assert any((trial.duplicate_of or 0) // 11 == trial.number // 11 for trial in twice)
    for trial in twice:
        first = found.trials[trial.duplicate_of or 0]
        assert (trial.value, trial.scores, trial.broken) == (first.value, first.scores, first.broken)


def test_a_space_smaller_than_the_search_is_run_whole_and_once() -> None:
    farm = ScriptedFarm()
    found = searched(farm, trials=50, asked=question({"buy_level_points": "29:33:1"}))
    assert sorted(str(t.values["buy_level_points"]) for t in found.trials) == ["29", "30", "31", "32", "33"]
    assert found.best is not None
    assert found.best.values == {"buy_level_points": 31}


def test_settings_given_one_by_one_are_run_in_their_order_and_once_each() -> None:
    space = question({"buy_level_points": "20:40:1"})
    given: list[dict[str, Value]] = [dict(one) for one in space.space.combinations()]
    picked = [given[11], given[3], given[11], given[0]]
    found = optimise(space, BARS, fixed=picked, farm=ScriptedFarm())
    assert [trial.values for trial in found.trials] == [given[11], given[3], given[0]]


def test_a_trial_below_the_median_on_the_first_part_is_dropped_and_the_whole_period_not_run() -> None:
    farm = ScriptedFarm()
    found = searched(farm, trials=40)
    dropped = [trial for trial in found.trials if trial.state is TrialState.PRUNED]
    assert dropped
    assert all(trial.reason == "below the median of the others after 40% of the period" for trial in dropped)
    begin, end = period_of(plan(), BARS)
    ends = {trial.number: [t.end_ns for t in farm.seen if t.key == trial.number] for trial in found.trials}
    part = begin + round((end - begin) * 0.4)
    for trial in found.trials:
        if trial.duplicate_of is None:
            assert ends[trial.number] == ([part] if trial in dropped else [part, end])


def test_without_stages_nothing_is_dropped() -> None:
    found = searched(ScriptedFarm(), trials=40, asked=replace(question(), stages=(1.0,)))
    assert {trial.state for trial in found.trials} == {TrialState.COMPLETE}


def _few_trades(task: Task) -> dict[str, float]:
    """The higher the value, the fewer the trades."""
    level = float(task.values["buy_level_points"])
    return figures(level, trades=60.0 - level)


def test_a_trial_with_too_few_trades_keeps_its_value_and_cannot_win() -> None:
    asked = question({"buy_level_points": "20:40:1"}, min_trades=30)
    found = searched(ScriptedFarm(_few_trades), trials=50, asked=replace(asked, stages=(1.0,)))
    assert found.best is not None
    assert found.best.value == 30.0
    over = [trial for trial in found.trials if trial.value == 40.0]
    assert over[0].broken == ("20 trades, at least 30 wanted",)


def test_when_nothing_can_win_there_is_no_best_and_the_search_says_why() -> None:
    found = searched(ScriptedFarm(_few_trades), trials=10, asked=question(min_trades=100))
    assert found.best is None
    assert found.told == "none of 10 trials holds every constraint (sharpe, trades >= 100)"


def test_a_combination_the_strategy_refuses_is_a_trial_with_a_reason_and_is_never_run() -> None:
    farm = ScriptedFarm(lambda task: figures(1.0))
    asked = question({"buy_level_points": "60|75", "sell_level_points": "70|80"})
    found = searched(farm, trials=9, asked=asked)
    refused = [trial for trial in found.trials if trial.state is TrialState.REFUSED]
    assert [trial.reason for trial in refused] == [
        "buy_level_points (75) must lie below sell_level_points (70)"
    ]
    assert refused[0].number not in {task.key for task in farm.seen}
    assert found.best is not None


def _breaks(task: Task) -> dict[str, float]:
    if task.values["buy_level_points"] > 31:  # type: ignore[operator]
        raise ZeroDivisionError("nothing was left")
    return hill(task)


def test_a_run_that_breaks_is_a_failed_trial_and_the_search_goes_on() -> None:
    asked = question({"buy_level_points": "29:33:1"})
    found = searched(ScriptedFarm(_breaks), trials=9, asked=asked)
    failed = [trial for trial in found.trials if trial.state is TrialState.FAILED]
    assert {trial.reason for trial in failed} == {"ZeroDivisionError: nothing was left"}
    assert len(failed) == 2
    assert found.best is not None
    assert found.best.values == {"buy_level_points": 31}


def test_a_figure_that_is_not_defined_is_kept_as_such_and_cannot_win(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path / 's.db'}"
    asked = question({"buy_level_points": "29:31:1"})
    found = searched(ScriptedFarm(lambda _: figures(math.nan)), trials=5, storage=storage, asked=asked)
    assert found.best is None
    assert all(trial.value is None and math.isnan(trial.scores["sharpe"]) for trial in found.trials)
    assert {trial.broken for trial in found.trials} == {("sharpe is not defined",)}


def test_progress_tells_each_trial_as_it_ends_and_the_best_so_far() -> None:
    told: list[Progress] = []
    optimise(question(), BARS, trials=12, farm=ScriptedFarm(), progress=told.append)
    assert [one.done for one in told] == list(range(1, 13))
    assert {one.wanted for one in told} == {12}
    best = [one.best.value for one in told if one.best is not None and one.best.value is not None]
    assert best == sorted(best)


def test_each_trial_is_counted_before_it_runs_and_its_ratio_added_when_it_ends(tmp_path: Path) -> None:
    log = TrialLog(tmp_path / "trials.db")
    begin, end = period_of(plan(), BARS)
    counted: list[int] = []

    def watched(task: Task) -> dict[str, float]:
        counted.append(log.tried(begin, end).proposals)
        return hill(task)

    asked = question({"buy_level_points": "29:33:1"})
    optimise(asked, BARS, trials=5, farm=ScriptedFarm(watched), log=log)
    assert min(counted) == 5
    tried = log.tried(begin, end)
    assert (tried.proposals, tried.known) == (5, 5)
    assert tried.spread > 0


def test_a_second_search_of_the_same_study_at_once_is_refused(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path / 'studies.db'}"

    def inside(task: Task) -> dict[str, float]:
        with pytest.raises(UsageError, match="another process is running this search"):
            searched(ScriptedFarm(), storage=storage)
        return hill(task)

    assert searched(ScriptedFarm(inside), trials=3, storage=storage).ran == 3


@pytest.mark.parametrize(
    ("storage", "told"),
    [
        ("nonsense", "the storage nonsense cannot be used"),
        ("mysql://me:secret@nowhere/x", "the storage mysql://me@nowhere/x cannot be used"),
        ("sqlite:////proc/no/such/place.db", "cannot be"),
    ],
)
def test_a_storage_that_cannot_be_used_is_named_without_its_password(storage: str, told: str) -> None:
    with pytest.raises(UsageError, match=told) as caught:
        searched(ScriptedFarm(), storage=storage)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("stages", "batch", "told"),
    [
        ((), 8, "must rise from above 0 to 1"),
        ((0.5,), 8, "must rise from above 0 to 1"),
        ((0.0, 1.0), 8, "must rise from above 0 to 1"),
        ((0.6, 0.4, 1.0), 8, "must rise from above 0 to 1"),
        ((math.nan, 1.0), 8, "must rise from above 0 to 1"),
        ((1.0,), 0, "a batch of 0 draws nothing"),
    ],
)
def test_a_question_that_cannot_be_searched_is_refused(
    stages: tuple[float, ...], batch: int, told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        Question(plan=plan(), space=question().space, stages=stages, batch=batch)


def test_no_trials_no_bars_and_a_period_without_days_are_refused() -> None:
    with pytest.raises(UsageError, match="0 trials search nothing"):
        searched(ScriptedFarm(), trials=0)
    with pytest.raises(UsageError, match="there are no bars to search on"):
        optimise(question(), {}, farm=ScriptedFarm())
    with pytest.raises(UsageError, match="there are no bars to search on"):
        optimise(question(), {BTC.key: BARS[BTC.key].part(0, 0)}, farm=ScriptedFarm())
    late = replace(question(), plan=replace(plan(), start_ns=10 * DAY_NS, end_ns=DAY_NS))
    with pytest.raises(UsageError, match="give a start before its end"):
        searched(ScriptedFarm(), asked=late)


def test_a_farm_that_was_lent_is_left_running() -> None:
    farm = ScriptedFarm()
    searched(farm, trials=2)
    assert not farm.closed
