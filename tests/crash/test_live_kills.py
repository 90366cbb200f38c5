"""kill -9 of a live desk's process in the middle of each step of an order, in real time, at two venues.

Before a request leaves, on its way, once the venue took it, and once the answer is there but not in the
journal: of entry, stop, its cancel and the way out; of a look-up and of a comparison. Neither venue amends a
stop: it is cancelled and sent anew, so a cancel and a stop are the steps of an amend too.
"""

import sys
from collections.abc import Sequence

import pytest

from tests.crash.live_kills import ENTRY, EXIT, ROUNDS, STOP, Kill, play

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")

SHARE: dict[str, tuple[tuple[Kill, ...], ...]] = {
    "alpaca": (
        (Kill("submit", ENTRY, "taken"), Kill("look_up", 1, "answered")),
        (Kill("submit", STOP, "sent"), Kill("snapshot", 1, "unsent")),
        (Kill("submit", EXIT, "answered"),),
    ),
    "binance": (
        (Kill("submit", ENTRY, "unsent"),),
        (Kill("submit", STOP, "taken"), Kill("snapshot", 1, "answered")),
        (Kill("cancel", 1, "taken"), Kill("look_up", 1, "unsent")),
    ),
}
"""Of all rounds, those played with every change."""


async def proves(venue: str, rounds: Sequence[Sequence[Kill]]) -> None:
    theatre, verdict = await play(venue, rounds)
    assert theatre.kills == [kill for kills in rounds for kill in kills], "each of them was met"
    assert verdict.findings == ()
    assert verdict.unknown == verdict.unknown_resolved
    assert theatre.watch.held() * theatre.price < 10, "all that was bought was sold"
    assert verdict.executions > len(rounds)


@pytest.mark.slow
@pytest.mark.parametrize("venue", SHARE)
async def test_a_desk_killed_in_the_middle_of_a_step_doubles_loses_and_bares_nothing(venue: str) -> None:
    await proves(venue, SHARE[venue])


def test_the_rounds_that_are_played_with_more_time_have_every_step_and_moment() -> None:
    kills = {kill for kills in ROUNDS for kill in kills}
    for call, orders in (("submit", (ENTRY, STOP, EXIT)), ("cancel", (1,))):
        for order in orders:
            assert {kill.when for kill in kills if kill[:2] == (call, order)} == {
                "unsent", "sent", "taken", "answered",
            }  # fmt: skip
    for call in ("look_up", "snapshot"):
        assert {kill.when for kill in kills if kill.call == call} == {"unsent", "answered"}
