"""From what was typed to a plan: every option lands where it counts, and nothing else changes."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from neuratrade.app.backtesting import Ask, Prepared, prepare
from neuratrade.app.typed import amount, moment, parse_limits, parse_values, signed_amount
from neuratrade.core.indicators.choice import Library
from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.intent import EntryType
from neuratrade.core.risk.limits import DEFAULTS
from neuratrade.feeds.catalogue import Catalogue
from neuratrade.research.plan import DEFAULT_CASH, Carry
from neuratrade.venues.paper.costs import PaperCosts
from tests.unit.app.typed_files import BEGIN_MS, HEAD, bars_file

D = Decimal
DNA = """\
version: 3
last_updated: 2025-06-01T14:00:00+02:00
entry:
  SOL/USDT:
    strategies: [rsi_rule, momentum]
    min_volume_24h: 1000.50
    max_hold_time_minutes: 90
  ADA/USDT:
    strategies: [rsi_rule]
    min_volume_24h: 1
    max_hold_time_minutes: 60
risk:
  max_trades_per_day_count: 2
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    return bars_file(tmp_path)


def prepared(file: str, strategy: str = "rsi_rule", **typed: Any) -> Prepared:
    return prepare(Ask(strategy=strategy, data=file, **typed), Catalogue(Path(file).parent / "catalogue"))


def test_what_nobody_said_is_the_desks_own_and_departs_from_nothing(file: str) -> None:
    found = prepared(file)
    plan = found.plan
    assert (plan.cash, plan.costs, plan.carry, plan.limits) == (DEFAULT_CASH, PaperCosts(), Carry(), DEFAULTS)
    assert (plan.start_ns, plan.end_ns, plan.indicators) == (None, None, Library.NATIVE)
    assert (plan.departures, found.own_fees) == ({}, ())
    assert (found.strategy, list(plan.dna.assets)) == ("rsi_rule", ["SOL/USDT"])
    assert (plan.account.venue, plan.account.currency) == ("binance", "USDT")
    assert plan.instruments == tuple(bars.instrument for bars in found.columns.values())
    assert len(found.digest) == 64
    assert any("taken as SOL/USDT at binance, by its name" in note for note in found.notes)


def test_every_option_of_cost_lands_in_the_plan_and_departs_by_name(file: str) -> None:
    typed: dict[str, Any] = {
        "cash": "2500.50",
        "spread_bps": "4",
        "slippage_bps": "0.5",
        "impact_bps": "20",
        "latency_ms": 400,
        "participation": "0.25",
        "funding": ("-1",),
        "borrow_pct": "5",
    }
    plan = prepared(file, **typed).plan
    assert plan.cash == D("2500.50")
    expected = PaperCosts(
        latency_ms=400,
        spread_fraction=D("0.0004"),
        slippage_bps=D("0.5"),
        impact_bps=D(20),
        participation_fraction=D("0.25"),
        lends=True,
    )
    assert plan.costs == expected
    assert (plan.carry.funding_fraction, plan.carry.borrow_fraction_per_year) == (D("-0.0001"), D("0.05"))
    assert plan.carry.funding_every_ns == 8 * 3600 * 10**9
    assert set(plan.departures) == {"costs", "carry"}
    assert "latency_ms 400 (default 50)" in plan.departures["costs"]


def test_fees_are_for_both_sides_or_for_each_and_are_told_as_a_departure(file: str) -> None:
    (own,) = prepared(file).plan.instruments
    both, each = prepared(file, fees="10"), prepared(file, fees="2/5", commission="0.25")
    assert [(i.maker_fee_bps, i.taker_fee_bps) for i in both.plan.instruments] == [(D(10), D(10))]
    assert [(i.maker_fee_bps, i.taker_fee_bps, i.commission) for i in each.plan.instruments] == [
        (D(2), D(5), D("0.25"))
    ]
    assert next(iter(each.columns.values())).instrument == each.plan.instruments[0]
    assert each.own_fees == (
        f"SOL/USDT@binance: fees 2 bps maker, 5 bps taker and 0.25 a unit as asked for, instead of the "
        f"instrument's own {own.maker_fee_bps} bps maker, {own.taker_fee_bps} bps taker",
    )
    assert set(each.own_fees) <= set(each.notes)
    same = prepared(file, fees=f"{own.maker_fee_bps}/{own.taker_fee_bps}")
    assert same.own_fees == ()


def test_limits_may_be_loosened_beyond_the_ceilings_and_say_so_with_their_units(file: str) -> None:
    plan = prepared(file, limits=("leverage=5", " lane_cooldown_ns = 90000000000 ")).plan
    assert (plan.limits.leverage, plan.limits.lane_cooldown_ns) == (D(5), 90 * 10**9)
    assert plan.departures == {"leverage": "5 (default 2)", "lane_cooldown_ns": "90 s (default 5 min)"}


def test_dates_cut_the_end_and_keep_what_lies_before_the_start_as_history(file: str) -> None:
    found = prepared(file, since="2025-05-13T01:00", until="2025-05-13T02:00+00:00")
    plan, bars = found.plan, next(iter(found.columns.values()))
    assert (plan.start_ns, plan.end_ns) == (moment("2025-05-13T01:00Z", ""), moment("2025-05-13T02:00Z", ""))
    assert (int(bars.ts[0]), int(bars.close_ns[-1])) == (moment("2025-05-13", ""), plan.end_ns)


def test_parameters_change_the_strategy_and_nothing_else_of_the_plan(file: str) -> None:
    plain, changed = (
        prepared(file),
        prepared(file, parameters=("buy_level_points=25, order_type=market", "max_hold_time_minutes=600")),
    )
    settings = changed.plan.dna.strategies["rsi_rule"]
    assert (settings.parameters["buy_level_points"], settings.order_type) == (D(25), EntryType.MARKET)
    assert changed.plan.dna.assets["SOL/USDT"].max_hold_time_minutes == 600
    assert plain.plan.strategy_sha256 != changed.plan.strategy_sha256
    assert replace(changed.plan, dna=plain.plan.dna) == plain.plan
    assert changed.digest == plain.digest


def test_long_only_forbids_shorts_of_every_asset(file: str) -> None:
    assert all(asset.allow_short for asset in prepared(file).plan.dna.assets.values())
    assert not any(asset.allow_short for asset in prepared(file, long_only=True).plan.dna.assets.values())


def test_a_dna_file_runs_whole_for_the_assets_there_is_data_of_and_its_limits_hold(
    file: str, tmp_path: Path
) -> None:
    dna = tmp_path / "mine.yaml"
    dna.write_text(DNA)
    found = prepared(file, str(dna))
    assert (found.strategy, list(found.plan.dna.assets)) == ("", ["SOL/USDT"])
    assert found.plan.dna.assets["SOL/USDT"].strategies == ("rsi_rule", "momentum")
    assert found.plan.limits.trades_per_day == 2
    loosened = prepared(file, str(dna), limits=("trades_per_day=9",))
    assert loosened.plan.limits.trades_per_day == 9


def test_gaps_are_skipped_and_told_or_filled_or_refused_as_asked(tmp_path: Path) -> None:
    file = bars_file(tmp_path, without=range(100, 130))
    skipped, filled = prepared(file), prepared(file, gaps="fill")
    key = "SOL/USDT@binance"
    assert (len(skipped.columns[key]), len(filled.columns[key])) == (210, 240)
    assert any("1 gaps, 30 1m bars missing" in note and note.endswith("; skipped") for note in skipped.notes)
    assert any("filled with the last close and no volume" in note for note in filled.notes)
    assert not np.any(filled.columns[key].volume[100:130])
    with pytest.raises(UsageError, match=r"30 1m bars missing; the first is 30 from 2025-05-13T01:40:00Z"):
        prepared(file, gaps="fail")


def test_the_asset_and_venue_that_are_named_win_over_the_file_name(file: str) -> None:
    found = prepared(file, asset="XYZ/EUR", venue="kraken")
    assert list(found.columns) == ["XYZ/EUR@kraken"]
    assert found.plan.account.currency == "EUR"


def test_talib_is_chosen_by_name_and_departs(file: str) -> None:
    plan = prepared(file, indicators="talib").plan
    assert plan.indicators is Library.TALIB
    assert plan.departures == {"indicators": "talib (default native)"}


def test_the_digest_names_the_numbers_and_not_the_file(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    same, changed = bars_file(one), bars_file(other)
    assert prepared(same).digest == prepared(changed).digest
    Path(changed).write_text(Path(changed).read_text().replace(",7.5\n", ",7.25\n", 1))
    assert prepared(same).digest != prepared(changed).digest


@pytest.mark.parametrize(
    ("text", "at_ns"),
    [
        ("1970-01-01", 0),
        ("2025-03-01T12:00Z", 1_740_830_400 * 10**9),
        ("2025-03-01T13:00+01:00", 1_740_830_400 * 10**9),
        ("2025-03-01T12:00:00.25", 1_740_830_400_250_000_000),
        ("1969-12-31T23:59:59.999999", -1000),
        ("", None),
    ],
)
def test_a_time_is_read_to_the_microsecond_and_is_utc_without_a_zone(text: str, at_ns: int | None) -> None:
    assert moment(text, "--from") == at_ns


def test_amounts_keep_every_digit_that_was_typed() -> None:
    assert str(amount("0.10", "x")) == "0.10"
    assert amount("0", "x") == 0
    assert signed_amount("-1.5", "x", most=D(2)) == D("-1.5")


def test_settings_and_limits_are_read_from_several_texts_and_with_spaces() -> None:
    values = parse_values("rsi_rule", (" buy_level_points = 25 , lane=scalp ", "", "stop_pct=0.01"))
    assert values == {"buy_level_points": D(25), "lane": "scalp", "stop_pct": D("0.01")}
    assert parse_limits((), DEFAULTS) == DEFAULTS


def test_a_cost_that_no_instrument_bears_is_said_to_charge_nothing(file: str) -> None:
    spot = prepared(file, funding=("1",), borrow_pct="5", long_only=True)
    assert [note for note in spot.notes if note.startswith("--")] == [
        "--funding charges nothing here: none of SOL/USDT@binance is known as a perpetual",
        "--borrow charges nothing here: SOL/USDT@binance is never sold short",
    ]
    perpetuals = prepared("shipped", funding=("1",), borrow_pct="5", symbols=("BTC/USDT",))
    assert [note for note in perpetuals.notes if note.startswith("--")] == [
        "--borrow charges nothing here: BTC/USDT@binanceusdm is sold short without borrowing"
    ]


def test_the_gate_looks_at_longer_bars_where_the_data_has_no_shorter_and_says_so(tmp_path: Path) -> None:
    lines = [HEAD] + [f"{BEGIN_MS + hour * 3_600_000},100,101,99,100.5,7.5" for hour in range(48)]
    hourly = tmp_path / "binance_SOLUSDT_1h.csv"
    hourly.write_text("\n".join(lines) + "\n")
    plan = prepared(str(hourly), parameters=("timeframe_minutes=60",)).plan
    assert plan.gate_span_ns == 3600 * 10**9
    assert plan.departures == {"gate_span_ns": "1 h (default 15 min)"}


def test_shorts_of_what_would_have_to_be_borrowed_are_said_never_to_fill(file: str) -> None:
    said = "SOL/USDT@binance: the simulated venue lends nothing"
    assert any(note.startswith(said) for note in prepared(file).notes)
    assert not any(note.startswith(said) for note in prepared(file, long_only=True).notes)
    assert not any("lends nothing" in note for note in prepared("shipped").notes)
