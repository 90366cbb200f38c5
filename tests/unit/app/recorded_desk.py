"""A desk in this process on the first days of the shipped recording, stepped by the test itself."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from weakref import WeakKeyDictionary

import polars as pl

from neuratrade.app.desk import Desk
from neuratrade.app.opening import Options, open_desk
from neuratrade.core.model.facts import RunEnded
from neuratrade.feeds.catalogue import Catalogue
from neuratrade.feeds.port import Slice
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
        assert catalogue.import_file(file, asset, venue, dataset=NAME).ok


def opened(home: Path) -> Desk:
    """The desk of a home, on that data."""
    return open_desk(Home(home), Options(data=NAME), lambda _what, _done, _total: None)


_waiting: "WeakKeyDictionary[Desk, Iterator[Slice]]" = WeakKeyDictionary()


def step(desk: Desk, minutes: int | None = None) -> int:
    """Lives through so many minutes, or to the end; returns how many there were."""
    if desk not in _waiting:
        assert desk.replay is not None
        _waiting[desk] = desk.replay.slices()
    lived = 0
    for piece in islice(_waiting[desk], minutes):
        assert isinstance(piece, list)
        desk.simulated.bars(piece)
        lived += 1
    return lived


def time_of(desk: Desk) -> int:
    """Engine time: of the newest price, or of the newest fact where that is newer."""
    seen = [view.price_ns for view in desk.simulated.engine.views.values()]
    return max(desk.state.now_ns, *seen)


def finish(desk: Desk) -> None:
    """Ends the run and gives the home back."""
    desk.simulated.take(RunEnded(time_of(desk), desk.run_id, "the end of the test", True))
    desk.close()
