"""The trials of one search: what they are compared with, and what is left of a draw that was cut short."""

from neuratrade.research.objective import Judged
from neuratrade.research.study import Study, TrialState, open_study
from tests.unit.research.test_optimise import question


def complete(study: Study, number: int, value: float) -> None:
    study.falls_behind(number, value, 0.4)
    study.complete(number, Judged(value, {}), {"sharpe": value}, 0.1)


def test_a_trial_is_compared_with_those_before_its_batch_and_never_with_faster_ones_of_it() -> None:
    with open_study(question(), "one", "") as study:
        for number, value in zip(study.draw(10), range(10), strict=True):
            complete(study, number, float(value))
        first, second, third, fourth = study.draw(4)
        complete(study, first, 100.0)
        complete(study, second, 100.0)
        assert not study.falls_behind(third, 4.6, 0.4)
        assert study.falls_behind(fourth, 4.4, 0.4)


def test_nothing_is_dropped_before_ten_trials_were_finished() -> None:
    with open_study(question(), "one", "") as study:
        for number in study.draw(9):
            complete(study, number, 5.0)
        (last,) = study.draw(1)
        assert not study.falls_behind(last, -5.0, 0.4)


def test_a_trial_that_was_not_wholly_drawn_is_given_up_with_its_reason() -> None:
    with open_study(question(), "one", "") as study:
        study._kept.ask()
        again = Study(study._kept, question().space, 0, "one", "")
        assert again.unfinished() == []
        (trial,) = again.trials()
        assert (trial.state, trial.values) == (TrialState.FAILED, {})
        assert trial.reason == "the search stopped while these settings were drawn"
