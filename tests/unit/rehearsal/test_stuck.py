"""A play that gets nowhere ends all the same, with the words where it was: a rehearsal never hangs."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Self

import pytest

from neuratrade.core.model import facts as f
from neuratrade.core.model.instrument import Instrument
from neuratrade.feeds.catalogue import Catalogue
from neuratrade.feeds.clock import Clock
from neuratrade.rehearsal.alpaca import KEY, SECRET
from neuratrade.rehearsal.faults import FaultKind
from neuratrade.rehearsal.plays import WARM_MINUTES, Outcome, play
from neuratrade.rehearsal.recording import recorded_bars, stretch
from neuratrade.rehearsal.rehearse import Report, VenueRow
from neuratrade.rehearsal.server import Simulator
from neuratrade.rehearsal.stages import STAGES
from neuratrade.rehearsal.stuck import run_or_tell_where
from neuratrade.rehearsal.warp import run_warped
from neuratrade.venues.alpaca.rest import Keys
from neuratrade.venues.alpaca.venue import AlpacaVenue
from neuratrade.venues.port import StreamOpened, Venue

STAGE = STAGES["alpaca"]()
MINUTES, PATIENCE_S = 5, 1.5


class Restless(AlpacaVenue):
    """A stream that is never idle, so that no time passes."""

    restless = True

    async def events(self) -> AsyncIterator[f.VenueEvent | StreamOpened]:
        async for item in super().events():
            while self.restless:  # noqa: ASYNC110 - that is what is to be found
                await asyncio.sleep(0)
            yield item


class Absent(AlpacaVenue):
    """A venue nobody ever reaches."""

    async def __aenter__(self) -> Self:
        raise ConnectionError("nobody is there")


def played(adapter: type[AlpacaVenue], folder: Path, patience_s: float) -> Outcome:
    def venue(
        simulator: Simulator, account_id: str, contracts: Sequence[Instrument], clock: Clock
    ) -> AbstractAsyncContextManager[Venue]:
        keys = Keys(KEY, SECRET)
        return adapter(account_id, contracts, keys, clock, simulator.base, allow_unverified=True)

    stage = replace(STAGE, venue=venue)
    bars = stretch(
        recorded_bars(Catalogue(folder).open("shipped")), stage.contract, 3, WARM_MINUTES + MINUTES
    )
    return play(stage, 3, bars, [FaultKind.CLOCK_SKEW], patience_s=patience_s)


def test_a_stage_on_which_no_time_passes_is_found_stuck_and_named(tmp_path: Path) -> None:
    found = played(Restless, tmp_path, PATIENCE_S)
    (words,) = found.verdict.findings
    assert words.startswith("stuck at ")
    assert "LiveDesk._listen (live.py:" in words, "who waits for what is never idle"
    assert found.verdict.stuck == 1


def test_a_desk_that_can_never_start_is_found_stuck_long_after_the_market_ended(tmp_path: Path) -> None:
    found = played(Absent, tmp_path, 600.0)
    (words,) = found.verdict.findings
    assert words.startswith("stuck at 2100")
    assert "nobody is there" in found.notes[0]


def test_a_report_with_a_stuck_play_is_not_clean() -> None:
    row = VenueRow(plans=1, stuck=1)
    assert not Report({"a": row}, Counter(), [], []).is_clean


def test_work_that_ends_in_time_gives_its_result_and_its_error() -> None:
    async def well() -> int:
        await asyncio.sleep(50)
        return 7

    async def badly() -> int:
        raise ValueError("no")

    assert run_warped(run_or_tell_where(well(), 60.0, 100.0)) == 7
    with pytest.raises(ValueError, match="no"):
        run_warped(run_or_tell_where(badly(), 60.0, 100.0))
