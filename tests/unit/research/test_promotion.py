"""The promotion gate: every check alone keeps a challenger out, and all of them are always told."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from msgspec.structs import replace

from neuratrade.core.model.errors import UsageError
from neuratrade.research.ladder import Rung
from neuratrade.research.promotion import (
    DEFAULT_LIMITS,
    Evidence,
    GateLimits,
    departures,
    judge_challenger,
    limits_of,
    probability_of_beating,
)
from neuratrade.research.trials import Tried

DAY = 86_400 * 10**9
DRAW = np.random.default_rng(3)
NOISE = DRAW.normal(0.0, 0.006, 60)
GOOD = tuple((NOISE - NOISE.mean() + 0.004).tolist())
POOR = tuple((DRAW.normal(0.0, 0.006, 60) - 0.002).tolist())
STRONG = Evidence(
    challenger="c" * 64,
    champion="a" * 64,
    daily=GOOD,
    champion_daily=POOR,
    trades=80,
    max_drawdown=0.04,
    tried=Tried(12, 12, 0.05),
    end_ns=100 * DAY,
    as_of_ns=100 * DAY,
)


def failed(evidence: Evidence, limits: GateLimits = DEFAULT_LIMITS) -> list[str]:
    decision = judge_challenger(evidence, limits)
    assert len(decision.checks) == 7
    assert decision.passed is (not decision.reasons)
    return [check.name for check in decision.checks if not check.passed]


def test_strong_evidence_passes_and_grants_the_next_step_only() -> None:
    assert failed(STRONG) == []
    assert judge_challenger(STRONG).grants is Rung.PAPER
    assert judge_challenger(replace(STRONG, rung=Rung.SHADOW)).grants is Rung.SMALL
    assert judge_challenger(replace(STRONG, rung=Rung.FULL)).grants is None


def test_without_a_champion_there_is_none_to_beat() -> None:
    assert failed(replace(STRONG, champion=None, champion_daily=None)) == []


def test_a_better_record_that_may_be_luck_does_not_beat_the_champion() -> None:
    draw = np.random.default_rng(9).normal(0.0, 0.006, 60)
    champion = tuple(((draw - draw.mean()) * NOISE.std() / draw.std() + 0.0037).tolist())
    decision = judge_challenger(replace(STRONG, champion_daily=champion))
    check = decision.checks[6]
    assert 0.5 < float(check.seen) < 0.95
    assert not check.passed
    assert "of a higher Sharpe than the champion's (difference " in check.told


@dataclass(frozen=True)
class Alone:
    """Evidence that is weak in one thing only."""

    name: str
    evidence: Evidence


@pytest.mark.parametrize(
    "case",
    [
        Alone("fresh", replace(STRONG, as_of_ns=103 * DAY)),
        Alone("fresh", replace(STRONG, as_of_ns=99 * DAY)),
        Alone("max_drawdown", replace(STRONG, max_drawdown=0.10)),
        Alone("max_drawdown", replace(STRONG, max_drawdown=None)),
        Alone("max_drawdown", replace(STRONG, max_drawdown=-0.01)),
        Alone("trades", replace(STRONG, trades=29)),
        Alone("deflated_sharpe", replace(STRONG, tried=Tried(1000, 1000, 0.25))),
        Alone("beats_champion", replace(STRONG, champion_daily=GOOD)),
        Alone("beats_champion", replace(STRONG, champion_daily=None)),
        Alone("beats_champion", replace(STRONG, champion_daily=POOR[:59])),
        Alone("beats_champion", replace(STRONG, champion_daily=(*POOR[:59], None))),
    ],
    ids=lambda case: case.name,
)
def test_each_check_alone_keeps_a_challenger_out_and_nothing_is_granted(case: Alone) -> None:
    assert failed(case.evidence) == [case.name]
    decision = judge_challenger(case.evidence)
    assert decision.grants is None
    assert len(decision.reasons) == 1


def test_a_low_sharpe_and_a_window_of_other_days_are_each_refused() -> None:
    small = tuple(value * 0.1 + 0.00005 for value in (NOISE - NOISE.mean()).tolist())
    assert "sharpe" in failed(replace(STRONG, daily=small, tried=Tried(1, 0, 0.0)))
    assert "window" in failed(replace(STRONG, daily=(*GOOD, 0.01), champion_daily=(*POOR, 0.0)))
    assert "window" in failed(replace(STRONG, daily=GOOD[:30], champion_daily=POOR[:30]))


def test_the_sharpe_is_of_daily_returns_and_its_year_is_told() -> None:
    daily = np.array(GOOD)
    annual = daily.mean() / daily.std(ddof=1) * math.sqrt(365)
    check = judge_challenger(STRONG).checks[2]
    assert check.seen == f"{annual:.2f}"
    assert "daily net returns, times the root of 365" in check.told
    listed = judge_challenger(replace(STRONG, days_per_year=252.0)).checks[2]
    assert listed.seen == f"{annual / math.sqrt(365 / 252):.2f}"


def test_the_more_was_tried_the_less_the_same_record_is_worth() -> None:
    seen = [
        float(judge_challenger(replace(STRONG, tried=Tried(n, n, 0.15))).checks[5].seen)
        for n in (1, 10, 100, 10_000)
    ]
    assert seen == sorted(seen, reverse=True)
    assert seen[0] > seen[-1] + 0.1


def test_a_spread_of_few_known_ratios_counts_at_least_as_luck_gives() -> None:
    few = judge_challenger(replace(STRONG, tried=Tried(500, 2, 1e-9))).checks[5]
    many = judge_challenger(replace(STRONG, tried=Tried(500, 500, 1e-9))).checks[5]
    assert float(few.seen) < float(many.seen)


@pytest.mark.parametrize(
    "daily",
    [(), (0.01,), (0.0,) * 60, (0.01,) * 60, (*GOOD[:59], None), (*GOOD[:59], math.inf)],
    ids=["none", "one", "flat", "constant", "hole", "infinite"],
)  # fmt: skip
def test_returns_nothing_can_be_reckoned_from_pass_nothing_and_break_nothing(
    daily: tuple[float | None, ...],
) -> None:
    weak = failed(replace(STRONG, daily=daily))
    assert {"sharpe", "deflated_sharpe", "beats_champion"} & set(weak)
    assert not judge_challenger(replace(STRONG, daily=daily)).passed


def test_the_probability_of_beating_is_paired_repeatable_and_a_half_against_oneself() -> None:
    ours, theirs = np.array(GOOD), np.array(POOR)
    assert probability_of_beating(ours, ours) == 0.5
    first = probability_of_beating(ours, theirs)
    assert first == probability_of_beating(ours, theirs)
    assert first == pytest.approx(1 - probability_of_beating(theirs, ours))
    assert first > 0.95
    # The same days, a little better on each: certain when paired, a coin flip when not.
    assert probability_of_beating(ours + 0.0002, ours) == 1.0


def test_limits_may_be_tightened_in_silence_and_loosened_only_in_words() -> None:
    assert departures(limits_of({"min_sharpe": "2", "max_drawdown": "0.05", "days": "90"})) == ()
    loose = limits_of({"min_sharpe": "1", "max_drawdown": "0.2", "days": "30", "min_trades": "10"})
    assert departures(loose) == (
        "days 30 (default 60)",
        "min_sharpe 1.0 (default 1.5)",
        "max_drawdown 0.2 (default 0.1)",
        "min_trades 10 (default 30)",
    )
    month = replace(STRONG, daily=GOOD[:30], champion_daily=POOR[:30])
    assert judge_challenger(month, loose).departures == departures(loose)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"min_sharp": "2"}, "the promotion gate has no limit 'min_sharp'; did you mean min_sharpe?"),
        ({"days": "29"}, "days: found 29; allowed is a whole number from 30 to 3650"),
        ({"days": "60.5"}, "days: found 60.5; allowed is a whole number"),
        ({"days": "inf"}, "days: found inf; allowed is a whole number"),
        ({"max_drawdown": "0"}, "max_drawdown: found 0; allowed is a number from 0.0001 to 1"),
        ({"min_deflated": "1"}, "min_deflated: found 1; allowed is a number from 0.5 to 0.9999"),
        ({"min_deflated": "nan"}, "min_deflated: found nan"),
        ({"min_trades": "many"}, "min_trades: 'many' is not a number; allowed is 1 to 1e\\+06"),
        ({"min_sharpe": "-1"}, "min_sharpe: found -1; allowed is a number from 0 to 100"),
    ],
)
def test_limits_that_are_none_are_refused(given: dict[str, str], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        limits_of(given)
