"""A desk in this process on the first days of the shipped recording, stepped by the test itself."""

from pathlib import Path

import polars as pl

from neuratrade.app.desk import Desk, Options, open_desk
from neuratrade.core.model.facts import RunEnded
from neuratrade.core.model.market import Bar
from neuratrade.feeds.catalogue import Catalogue
from neuratrade.store.home import Home

NAME = "short"


def short_data(home: Path, days: int) -> None:
    """Makes dataset `short` in a home."""
    catalogue = Catalogue(home / "data")
    for series in catalogue.open("shipped").series:
        asset, _, venue = series.instrument.partition("@")
        file = home / f"{asset.replace('/', '')}.parquet"
        home.mkdir(exist_ok=True)
        pl.read_parquet(series.path).head(days * 1440).write_parquet(file)
        assert catalogue.import_bars(file, asset, venue, dataset=NAME).ok


def opened(home: Path) -> Desk:
    """The desk of a home, on that data."""
    return open_desk(Home(home), Options(data=NAME), lambda _what, _done, _total: None)


def step(desk: Desk, minutes: int | None = None) -> int:
    """Lives through so many minutes, or to the end; returns how many there were."""
    lived = 0
    for piece in desk.feed.slices():
        assert isinstance(piece, list)
        assert isinstance(piece[0], Bar)
        if piece[0].close_ns <= desk.state.now_ns and lived == 0 and desk.simulated.bars_seen:
            continue
        desk.simulated.bars(piece)
        lived += 1
        if lived == minutes:
            break
    return lived


def finish(desk: Desk) -> None:
    """Ends the run and gives the home back."""
    state = desk.state
    desk.simulated.take(RunEnded(state.now_ns, state.run_id, "the end of the test", True))
    desk.close()
