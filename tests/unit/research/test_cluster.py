"""The cluster: the same trials as on this machine, and nothing of it left behind."""

import sys
from decimal import Decimal

import pytest

from neuratrade.core.model.errors import UsageError
from neuratrade.research.cluster import Cluster
from neuratrade.research.objective import Objective
from neuratrade.research.optimise import Question, optimise
from neuratrade.research.space import Value, space_of
from tests.unit.research.small_desk import bars, plan


def test_without_ray_the_extra_that_brings_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"running on a cluster needs Ray; install neuratrade\[cluster\]"):
        Cluster({}, 1)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_fixed_list_gives_the_same_trials_on_ray_as_here_and_a_search_too() -> None:
    ray = pytest.importorskip("ray")
    columns = bars(days=4)
    space = space_of("rsi_rule", {"buy_level_points": "25:35:1"})
    fixed: list[dict[str, Value]] = [{"buy_level_points": Decimal(level)} for level in (27, 30, 33)]
    asked = Question(plan=plan(), space=space, objective=Objective(min_trades=1), batch=3)
    farm = Cluster(columns, 2)
    try:
        listed = optimise(asked, columns, fixed=fixed, farm=farm)
        drawn = optimise(asked, columns, trials=5, farm=farm)
    finally:
        farm.close()
    assert not ray.is_initialized()
    assert repr(listed.trials) == repr(optimise(asked, columns, fixed=fixed, processes=1).trials)
    assert repr(drawn.trials) == repr(optimise(asked, columns, trials=5, processes=1).trials)
