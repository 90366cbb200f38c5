"""A plan names its strategies by all that they are, and tells every departure, with its unit."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from neuratrade.core.indicators.choice import Library
from neuratrade.core.model.account import Account
from neuratrade.core.model.market import NS_PER_HOUR, NS_PER_MS
from neuratrade.core.regime import RegimeParams
from neuratrade.core.risk.limits import DEFAULTS, told
from neuratrade.core.risk.posture import Posture, Profile
from neuratrade.research.funding import RecordedFunding
from neuratrade.research.plan import BacktestPlan, Carry
from neuratrade.research.variants import with_values
from neuratrade.venues.paper.costs import PaperCosts
from tests.unit.research.small_desk import BTC, plan

D = Decimal
RATES = RecordedFunding(BTC.key, "b.csv", (1, 2), (D("0.0001"), D("-0.0002")))


def plain(**changes: object) -> BacktestPlan:
    made = BacktestPlan(dna=plan().dna, account=Account("a", "v", "USDT"), instruments=(BTC,))
    return replace(made, **changes)


def test_a_plan_of_defaults_departs_from_nothing() -> None:
    assert plain().departures == {}
    assert plain(cash=D(5), start_ns=1, end_ns=2).departures == {}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"limits": replace(DEFAULTS, leverage=D(5), trades_per_day=9)},
            {"leverage": "5 (default 2)", "trades_per_day": "9 (default 5)"},
        ),
        (
            {"limits": replace(DEFAULTS, lane_cooldown_ns=0, price_age_ns=250 * NS_PER_MS)},
            {"lane_cooldown_ns": "0 s (default 5 min)", "price_age_ns": "250 ms (default 90 s)"},
        ),
        (
            {"costs": PaperCosts(latency_ms=7, slippage_bps=D(0))},
            {"costs": "latency_ms 7 (default 50), slippage_bps 0 (default 1)"},
        ),
        (
            {"carry": Carry(D("0.0001"), NS_PER_HOUR)},
            {"carry": "funding_fraction 0.0001 (default 0), funding_every_ns 1 h (default 8 h)"},
        ),
        (
            {"carry": Carry(recorded=(RATES,))},
            {"carry": f"recorded {BTC.key}: 2 rates of b.csv (SHA-256 {RATES.sha256[:12]}) (default none)"},
        ),
        ({"costs": PaperCosts(lends=True)}, {"costs": "lends True (default False)"}),
        ({"gate_span_ns": NS_PER_HOUR}, {"gate_span_ns": "1 h (default 15 min)"}),
        ({"regime": RegimeParams(window=70)}, {"regime": f"window 70 (default {RegimeParams().window})"}),
        ({"assumed_volume_24h": D(9)}, {"assumed_volume_24h": "9 (default None)"}),
        ({"boldest": Posture.AGGRESSIVE}, {"boldest": "AGGRESSIVE (default BALANCED)"}),
        ({"profile": Profile.LOW}, {"profile": "low (default medium)"}),
        ({"indicators": Library.TALIB}, {"indicators": "talib (default native)"}),
    ],
)
def test_what_departs_is_told_by_name_with_its_default(
    changes: dict[str, object], expected: dict[str, str]
) -> None:
    assert plain(**changes).departures == expected


def test_a_strategy_is_named_by_its_settings_and_assets_and_not_by_what_it_is_tried_on() -> None:
    base = plan()
    name = base.strategy_sha256
    assert plain().strategy_sha256 == name
    assert replace(base, cash=D(5), limits=DEFAULTS, start_ns=7).strategy_sha256 == name
    assert replace(base, dna=replace(base.dna, version=9, sha256="x")).strategy_sha256 == name
    for values in ({"buy_level_points": D(29)}, {"stop_pct": D("0.01")}, {"lane": "scalp"}):
        assert with_values(base, "rsi_rule", values).strategy_sha256 != name
    (asset,) = base.dna.assets.values()
    long_only = replace(base.dna, assets={asset.asset: replace(asset, allow_short=False)})
    assert replace(base, dna=long_only).strategy_sha256 != name


def test_a_setting_that_says_the_default_again_is_the_same_strategy() -> None:
    base = plan()
    assert (
        with_values(base, "rsi_rule", {"buy_level_points": D("30.0")}).strategy_sha256 == base.strategy_sha256
    )


def test_durations_are_told_in_their_largest_whole_unit_and_nothing_else_is() -> None:
    assert [told("x_ns", value) for value in (0, 1, 10**6, 10**9, 61 * 10**9, 60 * 10**9, 5400 * 10**9)] == [
        "0 s", "1 ns", "1 ms", "1 s", "61 s", "1 min", "90 min",
    ]  # fmt: skip
    assert [told("x", 0), told("x", 10**9), told("x_ns", None)] == ["0", "1000000000", "None"]
