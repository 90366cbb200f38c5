"""Objectives: a constraint never bends the value, and what is not defined never wins."""

import math

import pytest

from neuratrade.core.model.errors import UsageError
from neuratrade.research.backtest import run_backtest
from neuratrade.research.objective import Goal, Objective, measured, objective_of
from tests.unit.research.small_desk import bars, plan

SCORES = {"sharpe": 2.0, "trades": 40.0, "max_drawdown": 0.08}


def test_a_run_that_holds_every_constraint_can_win_with_its_value() -> None:
    judged = Objective(Goal.SHARPE, 0.1, 30).judge(SCORES)
    assert (judged.value, judged.can_win) == (2.0, True)


@pytest.mark.parametrize(
    ("scores", "told", "over"),
    [
        ({"trades": 12.0}, "12 trades, at least 30 wanted", 0.6),
        ({"max_drawdown": 0.12}, "max_drawdown 0.1200, at most 0.1 wanted", 0.02),
        ({"max_drawdown": math.nan}, "max_drawdown nan, at most 0.1 wanted", 1.0),
        ({"sharpe": math.nan}, "sharpe is not defined", 1.0),
        ({"sharpe": math.inf}, "sharpe is not defined", 1.0),
    ],
)
def test_a_broken_constraint_keeps_the_value_and_says_by_how_much(
    scores: dict[str, float], told: str, over: float
) -> None:
    judged = Objective(Goal.SHARPE, 0.1, 30).judge(SCORES | scores)
    assert not judged.can_win
    assert judged.broken == {told: pytest.approx(over)}
    assert judged.value == (None if "sharpe" in scores else 2.0)


def test_a_drawdown_at_its_limit_and_trades_at_theirs_are_held() -> None:
    assert Objective(Goal.SHARPE, 0.08, 40).judge(SCORES).can_win


@pytest.mark.parametrize(
    ("text", "limit"), [("max_drawdown <= 0.1", 0.1), ("max_drawdown<=10%", 0.1), ("", None)]
)
def test_constraints_are_read_as_people_write_them(text: str, limit: float | None) -> None:
    assert objective_of("calmar", text) == Objective(Goal.CALMAR, limit, 30)


@pytest.mark.parametrize(
    ("goal", "constraint", "trades", "told"),
    [
        ("sharp", "", 30, "'sharp' is no objective; choose one of sharpe, .*; did you mean sharpe"),
        ("sharpe", "drawdown < 0.1", 30, "'drawdown < 0.1' is no constraint; write max_drawdown <= 0.1"),
        ("sharpe", "max_drawdown <= 0", 30, "a drawdown is a fraction above 0, at most 1"),
        ("sharpe", "max_drawdown <= 10", 30, "a drawdown is a fraction above 0, at most 1"),
        ("sharpe", "max_drawdown <= -0.1", 30, "is no constraint"),
        ("sharpe", "max_drawdown <= nan", 30, "is no constraint"),
        ("sharpe", "", 0, "min_trades is 0; a run without trades proves nothing"),
    ],
)
def test_what_is_no_objective_is_refused(goal: str, constraint: str, trades: int, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        objective_of(goal, constraint, trades)


def test_the_figures_of_a_run_hold_every_name_an_objective_may_ask_for() -> None:
    scores = measured(run_backtest(plan(), bars(days=4)))
    assert {*Goal, "max_drawdown", "trades", "sharpe_per_day"} <= set(scores)
    assert scores["trades"] > 0
