"""Homes that take seconds to make, made once a session; each test works on a copy."""

import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from neuratrade.feeds.catalogue import Catalogue
from tests.e2e.desk_process import copy_of, end, look, neuratrade, running, wait_until

SHORT_DAYS = 5
SECOND_DAY_NS = int(datetime(2025, 5, 14, 0, 5, tzinfo=UTC).timestamp()) * 1_000_000_000


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A home whose run over the shipped data has ended, and the summary it printed. To be read only."""
    home = tmp_path_factory.mktemp("finished") / "home"
    ended = neuratrade(home, "run", "--speed", "max", "--json")
    assert ended.code == 0, ended.err
    return home, ended.document


@pytest.fixture(scope="session")
def short_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that never ran, with the first days of the shipped data imported as dataset `short`."""
    root = tmp_path_factory.mktemp("short")
    home = root / "home"
    home.mkdir()
    for series in Catalogue(home / "data").open("shipped").series:
        asset, _, venue = series.instrument.partition("@")
        file = root / f"{asset.replace('/', '')}.csv"
        pl.read_parquet(series.path).head(SHORT_DAYS * 1440).write_csv(file)
        words = ("--asset", asset, "--venue", venue, "--dataset", "short", "--json")
        ended = neuratrade(home, "data", "import", str(file), *words)
        assert ended.code == 0, ended.err
    config = home / "config"
    config.mkdir()
    (config / "neuratrade.yaml").write_text("data: short\n")
    return home


@pytest.fixture(scope="session")
def short_finished(short_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A home whose run over the short data has ended, and its summary. To be read only."""
    home = copy_of(short_data, tmp_path_factory.mktemp("short-finished") / "home")
    ended = neuratrade(home, "run", "--speed", "max", "--json")
    assert ended.code == 0, ended.err
    return home, ended.document


@pytest.fixture(scope="session")
def stopped(short_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose run was stopped in order early on its second day, warm and able to trade."""
    home = copy_of(short_data, tmp_path_factory.mktemp("stopped") / "home")
    with running(home, "--speed", "20000") as process:
        wait_until(lambda: look(home).state.now_ns >= SECOND_DAY_NS, "the second day")
        end(process, signal.SIGTERM)
    return home


@pytest.fixture
def fresh_home(short_data: Path, tmp_path: Path) -> Path:
    """A home of this test's own that never ran."""
    return copy_of(short_data, tmp_path / "home")


@pytest.fixture
def stopped_home(stopped: Path, tmp_path: Path) -> Path:
    """A stopped home of this test's own."""
    return copy_of(stopped, tmp_path / "home")
