"""A share of the rehearsals, small enough for every change: all venues, faults by plan, nothing lost.

`make rehearse-soak` plays a thousand.
"""

from functools import cache
from pathlib import Path

import pytest

from neuratrade.feeds.catalogue import Catalogue
from neuratrade.rehearsal.faults import FaultKind
from neuratrade.rehearsal.rehearse import Report, rehearse
from neuratrade.rehearsal.stages import STAGES

PLANS, SEED = 2, 1


@cache
def report(venue: str, kind: FaultKind | None = None) -> Report:
    dataset = Catalogue(Path("nowhere")).open("shipped")
    kinds = None if kind is None else [kind]
    return rehearse([venue], PLANS, SEED, dataset, kinds=kinds)


@pytest.mark.parametrize("venue", STAGES)
def test_nothing_is_doubled_lost_or_left_bare_and_every_unknown_fate_is_found_out(venue: str) -> None:
    found = report(venue)
    assert found.findings == []
    assert found.is_clean
    assert found.total.plans == PLANS
    assert found.total.executions > 10, "there was something to lose"
    # One of which something is told late is opened again, and closed twice.
    assert found.total.closed >= found.total.opened > PLANS
    assert sum(found.met.values()) > PLANS


@pytest.mark.parametrize("venue", STAGES)
def test_a_desk_that_crashes_in_the_middle_of_requests_goes_on_from_its_journal(venue: str) -> None:
    found = report(venue, FaultKind.CRASH)
    assert found.findings == []
    assert found.is_clean
    assert found.met[FaultKind.CRASH.value] > PLANS
    # One of which something is told late is opened again, and closed twice.
    assert found.total.closed >= found.total.opened > PLANS
