"""A DNA that research writes is the DNA the desk loads."""

import random
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from neuratrade.app.dna import default_dna, load_dna
from neuratrade.core.model.errors import UsageError
from neuratrade.core.risk.limits import DEFAULTS
from neuratrade.core.strategies.dna import LIMIT_KEYS, CalibrationBucket, Dna, RiskDna
from neuratrade.core.strategies.registry import KINDS
from neuratrade.research.dna_file import dna_text
from neuratrade.research.space import Range, Value, settings_of, space_of
from neuratrade.research.variants import dna_with


def loaded(tmp_path: Path, dna: Dna) -> Dna:
    path = tmp_path / "strategy_dna.yaml"
    path.write_bytes(dna_text(dna))
    return load_dna(path)


def same(found: Dna, wrote: Dna) -> bool:
    return replace(found, sha256="") == replace(wrote, sha256="")


def test_the_shipped_dna_comes_back_as_it_was(tmp_path: Path) -> None:
    assert same(loaded(tmp_path, default_dna()), default_dna())


def test_limits_blacklist_and_calibration_come_back_as_they_were(tmp_path: Path) -> None:
    buckets = (
        CalibrationBucket(Decimal("0.6"), Decimal("0.8"), Decimal("0.51"), 40),
        CalibrationBucket(Decimal("0.8"), Decimal(1), Decimal("0.6"), 33),
    )
    limits = {limit: Decimal(str(getattr(DEFAULTS, limit))) for limit in LIMIT_KEYS.values()}
    dna = replace(default_dna(), calibration=buckets, risk=RiskDna(("ETH/USDT",), limits))
    assert same(loaded(tmp_path, dna), dna)


@pytest.mark.parametrize("strategy", KINDS)
def test_every_end_of_every_range_a_space_allows_is_a_value_the_desk_loads(
    tmp_path: Path, strategy: str
) -> None:
    refused = 0
    for setting in settings_of(strategy).values():
        ends: tuple[Value, ...] = setting.options or (setting.low, setting.high)
        for value in ends:
            try:
                dna = dna_with(default_dna(), strategy, {setting.name: value})
            except UsageError:
                refused += 1  # alone it cannot stand beside the defaults of the others
                continue
            assert same(loaded(tmp_path, dna), dna)
    assert refused < len(settings_of(strategy))


@pytest.mark.parametrize("strategy", KINDS)
def test_whatever_a_search_draws_and_the_strategy_takes_is_loaded_as_it_was_written(
    tmp_path: Path, strategy: str
) -> None:
    draw = random.Random(5)
    own = {p.name: f"{p.low}:{p.high}" for p in KINDS[strategy].parameters}
    exits = {
        "stop_pct": "0.0001:0.05",
        "target_pct": "0.0001:0.2",
        "trailing_pct": "0.001:0.05",
        "lane": "scalp",
    }
    space = space_of(strategy, own | exits)
    taken = 0
    for _ in range(60):
        values = {d.name: d.at(draw.randrange(d.size)) for d in space.dimensions}
        try:
            dna = dna_with(default_dna(), strategy, values)
        except UsageError:
            continue
        taken += 1
        assert same(loaded(tmp_path, dna), dna)
    assert taken > 5
    assert any(isinstance(dimension, Range) for dimension in space.dimensions)
