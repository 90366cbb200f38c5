"""Kept results: one file a run, named by what decided it; a broken one is told and costs no other."""

from dataclasses import replace as replaced
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from neuratrade.core.model.errors import UsageError
from neuratrade.research.funding import RecordedFunding
from neuratrade.research.metrics import measure
from neuratrade.research.plan import BacktestPlan
from neuratrade.research.result import BacktestResult
from neuratrade.research.stored import Results, Stored, plan_sha256, stored_of
from neuratrade.research.variants import with_values
from tests.unit.research.results import of_days
from tests.unit.research.small_desk import plan

D = Decimal
DATA = "d" * 64


def kept(world: BacktestPlan | None = None, at_ns: int = 1, data_sha256: str = DATA) -> Stored:
    result: BacktestResult = replaced(of_days([1010.0, 1020.5]), plan=world or plan())
    return stored_of(result, measure(result), "btc.csv", data_sha256, at_ns)


def test_the_same_run_again_lands_in_the_same_file(tmp_path: Path) -> None:
    results = Results(tmp_path / "kept")
    first, again = results.keep(kept(at_ns=1)), results.keep(kept(at_ns=2))
    assert first == again
    assert [path.name for path in results.folder.iterdir()] == [first.name]
    found, broken = results.all()
    assert ([item.at_ns for item in found], broken) == ([2], ())


def test_what_is_read_is_what_was_kept_to_the_last_digit(tmp_path: Path) -> None:
    results = Results(tmp_path)
    stored = kept()
    results.keep(stored)
    ((read,), _) = results.all()
    assert read == stored
    assert read.strategies == ("rsi_rule",)
    assert (read.final_equity, read.data) == ("1020.5", "btc.csv")
    assert read.values["rsi_rule"]["rsi_period_bars"] == "14"
    assert read.departures == plan().departures


def test_another_parameter_plan_or_data_is_another_file(tmp_path: Path) -> None:
    results = Results(tmp_path)
    other = with_values(plan(), "rsi_rule", {"buy_level_points": D(25)})
    dearer = replace(plan(), cash=D(5))
    paths = [results.keep(item) for item in (kept(), kept(other), kept(dearer), kept(data_sha256="e" * 64))]
    assert len(set(paths)) == 4
    same_strategy = {path.name.partition("-")[0] for path in (paths[0], paths[2], paths[3])}
    assert same_strategy == {plan().strategy_sha256[:12]}
    assert not paths[1].name.startswith(plan().strategy_sha256[:12])


def test_the_newest_comes_first(tmp_path: Path) -> None:
    results = Results(tmp_path)
    for at_ns in (2, 3, 1):
        results.keep(kept(replace(plan(), cash=D(at_ns)), at_ns))
    found, _ = results.all()
    assert [item.at_ns for item in found] == [3, 2, 1]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"form": 1}', "\x00\xff", '{"metrics": 3}'])
def test_a_broken_file_is_told_by_name_and_costs_no_other(tmp_path: Path, text: str) -> None:
    results = Results(tmp_path)
    results.keep(kept())
    (tmp_path / "broken.json").write_text(text, encoding="latin-1")
    found, broken = results.all()
    assert len(found) == 1
    (told,) = broken
    assert told.startswith(f"{tmp_path / 'broken.json'}: ")
    assert told.endswith("; remove it or run the backtest again")


def test_a_folder_of_that_name_is_told_too(tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()
    found, broken = Results(tmp_path).all()
    assert (found, len(broken)) == ((), 1)


def test_a_form_of_another_version_is_told_and_not_read_as_ours(tmp_path: Path) -> None:
    results = Results(tmp_path)
    path = results.keep(kept())
    path.write_text(path.read_text().replace('"form": 1', '"form": 2'))
    found, broken = results.all()
    assert found == ()
    assert "form 2" in broken[0]


def test_nothing_kept_is_no_error(tmp_path: Path) -> None:
    assert Results(tmp_path / "absent").all() == ((), ())


def test_a_folder_that_cannot_be_written_is_told_with_what_it_was_for(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(UsageError, match="results cannot be kept there: "):
        Results(blocked / "backtests").keep(kept())


def test_a_plan_is_named_by_all_that_decides_it() -> None:
    base = plan()
    rates = RecordedFunding(base.instruments[0].key, "rates.csv", (1,), (D("0.0001"),))
    others = [
        replace(base, cash=D(5)),
        replace(base, start_ns=1),
        replace(base, costs=replace(base.costs, latency_ms=51)),
        replace(base, carry=replace(base.carry, funding_fraction=D("0.0001"))),
        replace(base, carry=replace(base.carry, recorded=(rates,))),
        replace(base, carry=replace(base.carry, recorded=(replace(rates, fractions=(D("0.0002"),)),))),
        replace(base, instruments=(replace(base.instruments[0], taker_fee_bps=D(6)),)),
    ]
    names = {plan_sha256(item) for item in (base, *others)}
    assert len(names) == 8
    assert plan_sha256(plan()) == plan_sha256(base)
