"""Limits the venue itself keeps an account to: set from the desk's, read back, refused where not there."""

import pytest

from neuratrade.core.model.errors import Refused
from neuratrade.rehearsal.tradovate import Tradovate
from neuratrade.venues.tradovate.backstop import Backstop, backstop_of
from tests.unit.venues.tradovate.stage import BEGIN_NS, D, on_stage, warped

WANTED = Backstop(D("1000.50"), D(3000), D(2500), BEGIN_NS + 3_600 * 10**9)


@warped
async def test_limits_are_set_and_stand_at_the_venue() -> None:
    async with on_stage(backstop=WANTED) as scene:
        limits = scene.simulator.risk.limits
        assert {name: limits[name] for name in ("dailyLossAutoLiq", "weeklyLossAutoLiq")} == {
            "dailyLossAutoLiq": D("1000.50"), "weeklyLossAutoLiq": 3000,
        }  # fmt: skip
        assert limits["trailingMaxDrawdown"] == 2500
        assert limits["flattenTimestamp"].startswith("2026-11-")
        assert "doNotUnlock" not in limits
        assert "changesLocked" not in limits


@warped
async def test_limits_that_are_not_there_after_they_were_set_are_refused() -> None:
    def forgets(simulator: Tradovate) -> None:
        simulator.account.changes["useraccountautoliq/update"] = lambda _: {"errorText": "no"}

    with pytest.raises(Refused, match="does not show the limits"):
        async with on_stage(dress=forgets, backstop=WANTED):
            pass


@warped
async def test_limits_that_were_there_and_are_not_those_asked_for_are_refused() -> None:
    def keeps(simulator: Tradovate) -> None:
        simulator.risk.limits = {"id": 77, "dailyLossAutoLiq": 999_999}
        simulator.account.changes["useraccountautoliq/update"] = lambda _: simulator.risk.limits

    with pytest.raises(Refused, match="does not show the limits"):
        async with on_stage(dress=keeps, backstop=WANTED):
            pass


def test_a_backstop_comes_of_the_desks_own_limits_in_dollars() -> None:
    made = backstop_of(D(50_000), {"daily_loss": D("0.02"), "drawdown": D("0.05")})
    assert made == Backstop(D("1000.00"), None, D("2500.00"))
