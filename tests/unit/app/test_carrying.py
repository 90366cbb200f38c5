"""`--funding` and `--borrow`: what they may be, whom they charge, and what is said where that is nobody."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from neuratrade.app.backtesting import Ask, Prepared, prepare
from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.market import NS_PER_HOUR, NS_PER_MS
from neuratrade.feeds.catalogue import Catalogue
from neuratrade.research.plan import Carry
from tests.unit.app.typed_files import BEGIN_MS, bars_file

D = Decimal
BTC, ETH = "BTC/USDT@binanceusdm", "ETH/USDT@binanceusdm"
EIGHT_MS = 8 * NS_PER_HOUR // NS_PER_MS


def rates(folder: Path, name: str = "rates.csv", count: int = 70, first_ms: int = BEGIN_MS) -> Path:
    """Eight-hourly rates of one basis point, from the beginning of the shipped data to behind its end."""
    file = folder / name
    lines = [f"{first_ms + place * EIGHT_MS},0.0001" for place in range(count)]
    file.write_text("\n".join(["fundingTime,fundingRate", *lines]) + "\n")
    return file


def shipped(**typed: Any) -> Prepared:
    return prepare(Ask(strategy="rsi_rule", data="shipped", **typed), Catalogue(Path("nowhere")))


def notes_on_carry(found: Prepared) -> list[str]:
    return [note for note in found.notes if "fund" in note or "borrow" in note]


def test_a_file_is_of_the_one_perpetual_there_is(tmp_path: Path) -> None:
    found = shipped(funding=(str(rates(tmp_path)),), symbols=("BTC/USDT",))
    (recorded,) = found.plan.carry.recorded
    assert (recorded.instrument, recorded.source, len(recorded.at_ns)) == (BTC, "rates.csv", 70)
    assert found.plan.carry == Carry(recorded=(recorded,))
    assert found.plan.departures == {"carry": f"recorded {recorded.told} (default none)"}
    assert notes_on_carry(found) == []


def test_of_several_each_is_named_by_asset_or_key_and_others_may_bear_a_constant_rate(tmp_path: Path) -> None:
    one, other = rates(tmp_path), rates(tmp_path, "a=b.csv")
    both = shipped(funding=(f"ETH/USDT={other}", f"{BTC}={one}")).plan.carry
    assert [(item.instrument, item.source) for item in both.recorded] == [
        (BTC, "rates.csv"),
        (ETH, "a=b.csv"),
    ]
    mixed = shipped(funding=("-1.5", f"BTC/USDT={one}"))
    assert mixed.plan.carry.funding_fraction == D("-0.00015")
    assert [item.instrument for item in mixed.plan.carry.recorded] == [BTC]
    assert notes_on_carry(mixed) == []
    alone = shipped(funding=(f"BTC/USDT={one}",))
    assert notes_on_carry(alone) == [
        f"{ETH}: no funding is charged, since no rate was given; give a file of each"
    ]
    assert len(shipped(funding=(str(other),), symbols=("BTC/USDT",)).plan.carry.recorded) == 1


def test_a_run_beyond_its_rates_says_so(tmp_path: Path) -> None:
    found = shipped(funding=(str(rates(tmp_path, count=4)),), symbols=("BTC/USDT",), until="2025-05-20")
    (note,) = notes_on_carry(found)
    assert note.startswith(f"{BTC}: rates.csv has no funding rate in one stretch of this run, 144.0 h in all")
    assert note.endswith("The first: 2025-05-14T00:00:00Z to 2025-05-20T00:00:00Z")
    later = shipped(
        funding=(str(rates(tmp_path, count=4)),),
        symbols=("BTC/USDT",),
        since="2025-05-13",
        until="2025-05-14",
    )
    assert notes_on_carry(later) == []


Typed = Callable[[Path], dict[str, Any]]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (
            lambda at: {"funding": ("",)},
            "--funding '': is neither a number nor a file that is there; write basis",
        ),
        (
            lambda at: {"funding": ("often",)},
            "--funding 'often': is neither a number nor a file that is there",
        ),
        (lambda at: {"funding": (f"{at}/none.csv",)}, "/none.csv': is neither a number nor a file"),
        (
            lambda at: {"funding": (f"BTC/USDT={at}/none.csv",)},
            "/none.csv': is neither a number nor a file that is there",
        ),
        (lambda at: {"funding": (f"={at}/rates.csv",)}, "names no instrument; write basis points such as 1"),
        (
            lambda at: {"funding": ("BTC/USDT=1",)},
            "a file that is there; write basis points such as 1, a file of rates, or",
        ),
        (lambda at: {"funding": ("1", "2")}, "--funding 2: a constant rate was given already; keep one"),
        (
            lambda at: {"funding": ("nan",)},
            "--funding (basis points) nan: give a number from -10000 to 10000",
        ),
        (
            lambda at: {"funding": (str(at / "rates.csv"),)},
            f"is of one of {BTC}, {ETH}; say which, such as {BTC}=",
        ),
        (
            lambda at: {"funding": (f"XRP/USDT={at}/rates.csv",)},
            f"the data holds no XRP/USDT; it holds {BTC}, {ETH}",
        ),
        (
            lambda at: {"funding": (f"BTC/USDT={at}/rates.csv", f"{BTC}={at}/other.csv")},
            f"--funding gives {BTC} two files, rates.csv and other.csv; keep one",
        ),
        (
            lambda at: {"funding": (f"BTC/USDT={at}/early.csv",)},
            f"--funding early.csv: holds no rate of {BTC} between 2025-05-13T00:01:00Z and "
            "2025-06-03T00:00:00Z; it holds 2025-05-11T00:00:00Z to 2025-05-11T16:00:00Z",
        ),
        (
            lambda at: {"funding": (f"{at}/rates.csv",), "data": bars_file(at)},
            "only perpetuals pay funding, and none of SOL/USDT@binance is known as one; import the bars and",
        ),
        (lambda at: {"funding": (f"BTC/USDT={at}",)}, "is a folder; name one file in it"),
        (lambda at: {"borrow_pct": "much"}, "--borrow (percent a year) 'much' is not a number"),
        (lambda at: {"borrow_pct": "10001"}, "--borrow (percent a year) 10001: give at most 10000"),
    ],
)
def test_what_charges_nobody_is_refused(tmp_path: Path, typed: Typed, said: str) -> None:
    rates(tmp_path)
    rates(tmp_path, "other.csv")
    rates(tmp_path, "early.csv", count=3, first_ms=BEGIN_MS - 6 * EIGHT_MS)
    with pytest.raises(UsageError) as refused:
        shipped_or(**typed(tmp_path))
    assert said in str(refused.value)


def shipped_or(**typed: Any) -> Prepared:
    return prepare(Ask(**{"strategy": "rsi_rule", "data": "shipped", **typed}), Catalogue(Path("nowhere")))


def test_borrow_lends_what_is_owned_and_nothing_else(tmp_path: Path) -> None:
    file = bars_file(tmp_path)
    spot = shipped_or(data=file, borrow_pct="5")
    assert (spot.plan.costs.lends, spot.plan.carry.borrow_fraction_per_year) == (True, D("0.05"))
    assert spot.plan.departures["costs"] == "lends True (default False)"
    assert not any("lends nothing" in note for note in spot.notes)
    free = shipped_or(data=file, borrow_pct="0")
    assert (free.plan.costs.lends, free.plan.carry) == (True, Carry())
    assert shipped_or(data=file).plan.costs.lends is False
    assert shipped(borrow_pct="5").plan.costs.lends is False
    (note,) = notes_on_carry(shipped_or(data=file, borrow_pct="5", long_only=True))
    assert note == "--borrow charges nothing here: SOL/USDT@binance is never sold short"


def test_a_dna_that_leaves_out_some_of_the_data_is_asked_only_for_what_it_trades(tmp_path: Path) -> None:
    folder = tmp_path / "catalogue"
    catalogue = Catalogue(folder)
    for name, asset in (("one.csv", "SOL/USDT"), ("two.csv", "ADA/USDT")):
        report = catalogue.import_file(Path(bars_file(tmp_path, name=name)), asset, "binance", dataset="both")
        assert report.ok
    dna = tmp_path / "mine.yaml"
    dna.write_text(
        "version: 3\nlast_updated: 2025-06-01T14:00:00+02:00\n"
        "entry:\n  SOL/USDT:\n    strategies: [rsi_rule]\n    min_volume_24h: 1\n"
        "    max_hold_time_minutes: 90\n"
    )
    found = prepare(Ask(strategy=str(dna), data="both"), catalogue)
    (note,) = [note for note in found.notes if "lends nothing" in note]
    assert note.startswith("SOL/USDT@binance: the simulated venue lends nothing")


@pytest.mark.shared
def test_a_parquet_of_binance_covers_the_shipped_days(shared_data: Path) -> None:
    file = shared_data / "derivs/binanceusdm_BTCUSDT_funding_8h.parquet"
    found = shipped(funding=(f"BTC/USDT={file}",), symbols=("BTC/USDT",))
    assert notes_on_carry(found) == []
    assert len(found.plan.carry.recorded[0].at_ns) == pl.read_parquet(file).height
