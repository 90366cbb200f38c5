"""What refused trades would have earned, held against the desk that trades the very same proposals."""

import dataclasses
import random
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from neuratrade.core.model.instrument import InstrumentKind
from neuratrade.core.model.intent import EntryType
from neuratrade.core.strategies.dna import Distance, ExitDna, StrategyDna, Target
from neuratrade.research.columns import Columns
from neuratrade.research.refused import live_refused, refused_outcomes, worth_of_layers
from neuratrade.research.result import Refused
from neuratrade.venues.paper.costs import PaperCosts
from tests.unit.research.refused_runs import PERPETUAL, invented, recorded, settings, traded_and_refused

MINUTE = 60 * 10**9
TOLERANCE = 1e-6
"""Of the notional. Prices are the same to the digit; but the desk rounds each rung of a ladder to a lot, here
of 1e-8 in 5e-4 units held: up to 2e-5 of the position is sold some percent away.
"""
LADDER = ExitDna(
    Distance(atr=Decimal(2)), tuple(Target(Distance(atr=Decimal(far)), Decimal("0.3")) for far in (1, 2, 3))
)
TRAIL = ExitDna(Distance(atr=Decimal(2)), (Target(Distance(atr=Decimal(30))),), Decimal("0.0008"))


def hold_to_the_desk(strategy: StrategyDna, columns: Columns, costs: PaperCosts) -> dict[str, int]:
    """Asserts that each proposal came to what the desk made of it; how many ended in which way."""
    traded, trades, refused, _ = traded_and_refused(strategy, columns, costs)
    assert not traded.halted
    not_traded = {item.intent_id for item in traded.refused}
    ends: dict[str, int] = {}
    for item in refused_outcomes(refused):
        trade = trades.get(item.intent_id)
        if item.intent_id in not_traded:
            continue
        ends[item.outcome_reason] = ends.get(item.outcome_reason, 0) + 1
        assert (item.outcome_fraction is None) is (trade is None), item
        if trade is not None:
            assert item.outcome_reason == trade.reason, (item, trade)
            assert item.outcome_fraction == pytest.approx(trade.return_fraction, abs=TOLERANCE), (item, trade)
    return ends


@pytest.mark.shared
@pytest.mark.parametrize(
    ("changes", "costs"),
    [
        ({}, PaperCosts()),
        ({"order_type": EntryType.MARKET, "exit": LADDER}, PaperCosts()),
        ({"order_type": EntryType.STOP, "max_hold_time_minutes": 7}, PaperCosts(slippage_bps=Decimal(3))),
        ({"exit": TRAIL}, PaperCosts(latency_ms=300, through=False)),
        (
            {"exit": TRAIL, "order_type": EntryType.MARKET, "max_hold_time_minutes": 9},
            PaperCosts(latency_ms=0),
        ),
    ],
)
def test_on_a_real_market_a_refused_trade_comes_to_what_the_desk_makes_of_it(
    shared_data: Path, changes: dict[str, object], costs: PaperCosts
) -> None:
    ends = hold_to_the_desk(settings("rsi_rule", **changes), recorded(shared_data, 0, 5000), costs)
    assert sum(ends.values()) > 60
    assert len([reason for reason in ends if reason]) >= 2


@pytest.mark.parametrize("seed", range(8))
def test_on_rough_markets_too_whatever_the_bracket(seed: int) -> None:
    draw = random.Random(seed)
    costs = PaperCosts(
        latency_ms=draw.choice([20, 50]),
        through=draw.random() < 0.6,
        slippage_bps=Decimal(draw.choice([0, 1, 7])),
        spread_fraction=Decimal(draw.choice(["0", "0.0002", "0.003"])),
    )
    rungs = draw.choice([1, 2, 3])
    targets = tuple(
        Target(Distance(pct=Decimal(draw.choice([1, 2, 5, 9])) / 1000 * (rung + 1)), Decimal("0.33"))
        for rung in range(rungs)
    )
    trail = draw.choice([None, None, Decimal("0.002"), Decimal("0.01")])
    strategy = settings(
        draw.choice(["rsi_rule", "mean_reversion", "ema_cross"]),
        order_type=draw.choice(list(EntryType)),
        exit=ExitDna(Distance(pct=Decimal(draw.choice([3, 8, 12])) / 1000), targets, trail),
        max_hold_time_minutes=draw.choice([1, 2, 5, 30, 240]),
        entry_expiry_minutes=draw.choice([None, 1, 2, 10]),
    )
    gaps = draw.choice([0.0, 0.1])
    assert sum(hold_to_the_desk(strategy, invented(seed, 3600, gaps=gaps), costs).values()) > 5


def test_in_bars_without_volume_nothing_fills_as_on_the_desk() -> None:
    strategy = settings(
        "rsi_rule",
        order_type=EntryType.LIMIT,
        exit=ExitDna(Distance(pct=Decimal("0.005")), (Target(Distance(pct=Decimal("0.004"))),)),
    )
    columns = invented(5, 3600, still=0.3)
    assert (columns.volume == 0).mean() > 0.2
    assert len(hold_to_the_desk(strategy, columns, PaperCosts())) >= 2


def bars(*rows: tuple[float, float, float, float]) -> Columns:
    """Minutes from the epoch on: open, high, low, close."""
    count = len(rows)
    first, top, bottom, last = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    ts = np.arange(count, dtype=np.int64) * MINUTE
    return Columns(PERPETUAL, MINUTE, ts, first, top, bottom, last, np.full(count, 1000.0))


def proposal(**changes: object) -> Refused:
    """Long at 100 or better, stop at 99, all out at 102, judged before the first bar."""
    plain = Refused(
        "id", 0, PERPETUAL.key, "rule", "LONG", Decimal(100), Decimal(99), Decimal(102), ("cost",), ("",),
        order_type="limit", ladder=((Decimal(102), Decimal(1)),), entry_rest_ns=10 * MINUTE,
    )  # fmt: skip
    return replace(plain, **changes)


def outcome(item: Refused, columns: Columns, **costs: object) -> tuple[float | None, str]:
    """How it came out with free slippage and spread."""
    free = replace(PaperCosts(spread_fraction=Decimal(0), slippage_bps=Decimal(0)), **costs)
    (lived,) = live_refused([item], {PERPETUAL.key: columns}, free)
    return lived.outcome_fraction, lived.outcome_reason


def test_a_bar_that_touches_stop_and_target_is_a_stop() -> None:
    fraction, reason = outcome(proposal(), bars((100, 100, 100, 100), (100, 103, 98, 101)))
    assert reason == "SL"
    # Bought at the open for the taker's 5 bps, sold at 99 for as much.
    assert fraction == pytest.approx(-0.01 - 0.0005 - 0.99 * 0.0005)


def test_a_stop_that_was_jumped_fills_at_the_open() -> None:
    fraction, reason = outcome(proposal(), bars((100, 100, 100, 100), (95, 96, 94, 95)))
    assert reason == "SL"
    assert fraction == pytest.approx(-0.05 - 0.0005 - 0.95 * 0.0005)


def test_a_resting_limit_pays_the_maker_and_has_to_be_gone_through() -> None:
    touched = bars((101, 101, 100, 101), (101, 103, 101, 102))
    through = bars((101, 101, 99.9, 101), (101, 103, 101, 102))
    assert outcome(proposal(), touched) == (None, "")
    fraction, reason = outcome(proposal(), through)
    assert reason == "TP"
    assert fraction == pytest.approx(0.02 - 0.0002 - 1.02 * 0.0005)
    assert outcome(proposal(), touched, through=False)[1] == "TP"


def test_an_entry_that_expired_does_not_fill() -> None:
    columns = bars(*[(101, 101, 101, 101)] * 3, (100.5, 103, 99.5, 101), (101, 103, 101, 101))
    assert outcome(proposal(entry_rest_ns=3 * MINUTE), columns)[1] == ""
    assert outcome(proposal(entry_rest_ns=4 * MINUTE), columns)[1] == "TP"


def test_a_short_is_the_mirror() -> None:
    short = proposal(direction="SHORT", stop_price=Decimal(101), ladder=((Decimal(98), Decimal(1)),))
    fraction, reason = outcome(short, bars((100, 100, 100, 100), (100, 100.5, 97, 98)))
    assert reason == "TP"
    assert fraction == pytest.approx(0.02 - 0.0005 - 0.98 * 0.0005)


def test_bars_that_end_first_tell_nothing_and_none_after_the_end_is_looked_at() -> None:
    columns = bars((100, 100, 100, 100), (100, 101, 99.5, 100), (100, 103, 100, 102))
    assert outcome(proposal(), columns)[1] == "TP"
    assert outcome(proposal(), columns.part(0, 2)) == (None, "")
    (lived,) = live_refused([proposal()], {PERPETUAL.key: columns}, PaperCosts(), end_ns=2 * MINUTE)
    assert lived.outcome_fraction is None


def test_what_was_bought_for_a_fee_in_base_is_that_much_less_to_sell() -> None:
    spot = replace(PERPETUAL, kind=InstrumentKind.SPOT, fee_in_base=True)
    rows = bars((100, 100, 100, 100), (100, 103, 100, 102))
    fraction, _ = outcome(proposal(), dataclasses.replace(rows, instrument=spot))
    assert fraction == pytest.approx(1.02 * 0.9995 * 0.9995 - 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"sliced": True},
        {"entry_rest_ns": -1},
        {"trigger_price": Decimal("NaN")},
        {"trigger_price": Decimal("Infinity")},
        {"trigger_price": Decimal("1e300")},
        {"trigger_price": Decimal(0)},
        {"trigger_price": Decimal(-5)},
        {"stop_price": Decimal("NaN")},
        {"stop_price": Decimal("-Infinity")},
        {"ladder": ((Decimal("sNaN"), Decimal(1)),)},
        {"ladder": ((Decimal("1e-300"), Decimal(1)),)},
    ],
)
def test_a_proposal_that_could_not_be_sent_has_no_outcome(changes: dict[str, object]) -> None:
    columns = bars((100, 100, 100, 100), (100, 103, 98, 101))
    assert outcome(proposal(**changes), columns) == (None, "")


def test_an_instrument_without_bars_is_named() -> None:
    with pytest.raises(KeyError, match=PERPETUAL.key):
        live_refused([proposal()], {}, PaperCosts())


def test_a_layer_is_judged_by_what_it_alone_kept_out() -> None:
    lived = [
        proposal(refused_by=("cost",), outcome_fraction=-0.03),
        proposal(refused_by=("cost",), outcome_fraction=0.01),
        proposal(refused_by=("cost",)),
        proposal(refused_by=("cost", "volume"), outcome_fraction=0.5),
        proposal(refused_by=("regime",), outcome_fraction=0.02),
    ]
    cost, regime, volume = worth_of_layers(lived)
    assert (cost.layer, cost.blocked, cost.alone, cost.known) == ("cost", 4, 3, 2)
    assert (cost.sum_fraction, cost.mean_fraction, cost.win_rate) == pytest.approx((-0.02, -0.01, 0.5))
    assert cost.earned_its_place is True
    assert (regime.layer, regime.earned_its_place) == ("regime", False)
    assert (volume.layer, volume.alone, volume.mean_fraction, volume.win_rate) == ("volume", 0, None, None)
    assert volume.earned_its_place is None
    assert worth_of_layers([]) == ()
