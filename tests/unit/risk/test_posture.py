"""One table says how much of its limits a desk uses: it only tightens, and moves with the drawdown."""

from decimal import Decimal
from itertools import pairwise, product

import pytest

from neuratrade.core.model.approval import Verdict
from neuratrade.core.risk.limits import DEFAULTS, NAMES, TIGHTER_WHEN_HIGHER, tightened
from neuratrade.core.risk.posture import TABLE, Phase, Posture, Profile, factor, next_posture, stance
from tests.unit.risk.builders import answer, blocking, intent_with, limits_with, report_of, view_with

D = Decimal
EVERY = list(product(Profile, Posture, Phase))
RISING = (
    (Profile.LOW, Profile.MEDIUM, Profile.HIGH),
    (Posture.DEFENSIVE, Posture.BALANCED, Posture.AGGRESSIVE),
    (Phase.BOOTSTRAP, Phase.GROWTH, Phase.SCALE, Phase.MATURE),
)
LOOSE = limits_with(confidence=D("0.1"), concurrent=50, trades_per_day=90, scalp_trades_per_day=900)
TIGHT = limits_with(confidence=D("0.99"), concurrent=0, trades_per_day=0, scalp_trades_per_day=0)


def test_the_default_stance_leaves_every_limit_and_every_size_as_it_is() -> None:
    taken = stance(Profile.MEDIUM, Posture.BALANCED, Phase.MATURE)
    assert taken.factor == 1
    assert not taken.bounds
    assert all(taken.tighten(limits) is limits for limits in (DEFAULTS, LOOSE, TIGHT))
    report = report_of(answer(), "posture")
    assert (report.verdict, report.observed, report.limit) == (
        Verdict.APPROVE,
        "medium, BALANCED, mature",
        "x 1",
    )


def test_every_word_has_its_row_in_the_table() -> None:
    assert set(TABLE) == {*Profile, *Posture, *Phase}
    assert all(name in NAMES for row in TABLE.values() for name in row.bounds)


@pytest.mark.parametrize("words", EVERY)
def test_no_stance_grows_a_size_or_loosens_a_limit(words: tuple[Profile, Posture, Phase]) -> None:
    assert 0 < factor(*words) <= 1
    for limits in (DEFAULTS, LOOSE, TIGHT):
        changed = stance(*words).tighten(limits)
        for name in NAMES:
            was, now = getattr(limits, name), getattr(changed, name)
            assert now >= was if name in TIGHTER_WHEN_HIGHER else now <= was
            assert type(now) is type(was)


def test_a_bolder_word_never_leaves_less() -> None:
    for row, place in zip(RISING, range(3), strict=True):
        for words in EVERY:
            taken = [stance(*(bold if at == place else words[at] for at in range(3))) for bold in row]
            for careful, bolder in pairwise(taken):
                assert careful.factor <= bolder.factor
                left, more = careful.tighten(LOOSE), bolder.tighten(LOOSE)
                assert left.confidence >= more.confidence
                assert left.concurrent <= more.concurrent
                assert left.trades_per_day <= more.trades_per_day


def test_an_aggressive_posture_gives_back_what_a_young_phase_took_and_no_more() -> None:
    assert factor(Profile.MEDIUM, Posture.AGGRESSIVE, Phase.GROWTH) == D("0.75")
    assert factor(Profile.HIGH, Posture.AGGRESSIVE, Phase.MATURE) == 1
    assert factor(Profile.LOW, Posture.DEFENSIVE, Phase.BOOTSTRAP) == D("0.0625")


def test_a_stance_tightens_the_layers_it_names_and_its_report_says_so() -> None:
    """What the default stance allows, a young desk refuses: each by the layer whose limit it tightened."""
    young = {"phase": Phase.BOOTSTRAP}
    sure = intent_with(confidence=D("0.85"))
    assert blocking(answer(sure, view_with(**young))) == []
    assert blocking(answer(intent_with(confidence=D("0.84")), view_with(**young))) == ["confidence"]
    assert blocking(answer(sure, view_with(**young, open_brackets=1))) == ["concurrent"]
    refused = answer(sure, view_with(**young, trades_today=3))
    assert blocking(refused) == ["trades_per_day"]
    assert report_of(refused, "trades_per_day").limit == "3"
    assert report_of(refused, "posture").limit == (
        "x 0.25, confidence >= 0.85, concurrent <= 1, trades_per_day <= 3, scalp_trades_per_day <= 25"
    )
    assert blocking(answer(intent_with(confidence=D("0.84")), view_with(open_brackets=2))) == []


def test_the_tightest_word_of_a_stance_binds() -> None:
    taken = stance(Profile.LOW, Posture.BALANCED, Phase.BOOTSTRAP)
    assert taken.tighten(DEFAULTS).concurrent == 1
    assert taken.tighten(DEFAULTS).confidence == D("0.85")
    assert taken.tighten(limits_with(concurrent=0)).concurrent == 0


@pytest.mark.parametrize(
    ("current", "used", "after"),
    [
        (Posture.AGGRESSIVE, "0.249", Posture.AGGRESSIVE),
        (Posture.AGGRESSIVE, "0.25", Posture.BALANCED),
        (Posture.AGGRESSIVE, "0.5", Posture.DEFENSIVE),
        (Posture.BALANCED, "0.499", Posture.BALANCED),
        (Posture.BALANCED, "0.5", Posture.DEFENSIVE),
        (Posture.DEFENSIVE, "0.499", Posture.DEFENSIVE),
        (Posture.DEFENSIVE, "0.25", Posture.DEFENSIVE),
        (Posture.DEFENSIVE, "0.249", Posture.BALANCED),
        (Posture.BALANCED, "0.125", Posture.BALANCED),
        (Posture.BALANCED, "0.124", Posture.AGGRESSIVE),
        (Posture.DEFENSIVE, "0", Posture.BALANCED),
        (Posture.BALANCED, "9", Posture.DEFENSIVE),
    ],
)
def test_the_posture_falls_with_the_drawdown_and_rises_a_step_once_it_has_recovered(
    current: Posture, used: str, after: Posture
) -> None:
    deep = D(used) * DEFAULTS.session_drawdown_fraction
    assert next_posture(current, deep, DEFAULTS, new_day=False, highest=Posture.AGGRESSIVE) is after


@pytest.mark.parametrize(
    ("current", "used", "after"),
    [
        (Posture.DEFENSIVE, "0.5", Posture.DEFENSIVE),
        (Posture.DEFENSIVE, "0.499", Posture.BALANCED),
        (Posture.BALANCED, "0.25", Posture.BALANCED),
        (Posture.BALANCED, "0.249", Posture.AGGRESSIVE),
    ],
)
def test_a_new_day_lifts_the_posture_one_step_where_the_drawdown_lets_it_stay(
    current: Posture, used: str, after: Posture
) -> None:
    deep = D(used) * DEFAULTS.session_drawdown_fraction
    lifted = next_posture(current, deep, DEFAULTS, new_day=True, highest=Posture.AGGRESSIVE)
    assert lifted is after
    assert next_posture(lifted, deep, DEFAULTS, new_day=False, highest=Posture.AGGRESSIVE) is after


def test_a_posture_never_rises_above_the_one_the_operator_chose() -> None:
    for new_day in (False, True):
        assert next_posture(Posture.BALANCED, D(0), DEFAULTS, new_day=new_day) is Posture.BALANCED
        assert next_posture(Posture.AGGRESSIVE, D(0), DEFAULTS, new_day=new_day) is Posture.BALANCED, (
            "the operator chose a calmer one since"
        )
        assert (
            next_posture(Posture.DEFENSIVE, D(0), DEFAULTS, new_day=new_day, highest=Posture.DEFENSIVE)
            is Posture.DEFENSIVE
        )


def test_the_posture_is_weighed_against_the_tighter_drawdown_limit() -> None:
    deep = D("0.004")
    assert next_posture(Posture.BALANCED, deep, DEFAULTS, new_day=False) is Posture.BALANCED
    tight = limits_with(drawdown_24h_fraction=D("0.008"))
    assert next_posture(Posture.BALANCED, deep, tight, new_day=False) is Posture.DEFENSIVE
    none = limits_with(session_drawdown_fraction=D(0))
    assert next_posture(Posture.AGGRESSIVE, D(0), none, new_day=True) is Posture.DEFENSIVE


def test_a_bound_replaces_a_limit_only_where_it_is_tighter() -> None:
    bounds: dict[str, Decimal | int] = {
        "lane_cooldown_ns": 1,
        "stop_min_atr": D("0.1"),
        "concurrent": 9,
        "leverage": D(1),
    }
    assert tightened(DEFAULTS, bounds) == limits_with(leverage=D(1))
