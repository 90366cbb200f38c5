"""`rehearse`: what it proves, in words and as JSON, and an exit code that a script can trust."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from neuratrade.core.model.instrument import Instrument
from neuratrade.feeds.clock import Clock
from neuratrade.rehearsal import plays
from neuratrade.rehearsal.alpaca import KEY, SECRET
from neuratrade.rehearsal.faults import FaultKind
from neuratrade.rehearsal.server import Simulator
from neuratrade.rehearsal.stages import STAGES, Stage
from neuratrade.venues.alpaca.rest import Keys
from neuratrade.venues.port import Venue
from tests.e2e.desk_process import here, neuratrade
from tests.unit.rehearsal.test_plays import Resending

KEYS = {
    "plans", "orders", "doubled", "lost", "unprotected_over_limit", "unknown_resolved", "stuck", "blind",
    "stalls", "stalled_s", "stalled_entries", "stalled_refused", "stalled_stops",
}  # fmt: skip


def test_a_rehearsal_is_told_as_one_document(tmp_path: Path) -> None:
    ended = neuratrade(tmp_path / "home", "rehearse", "--plans", "2", "--seed", "1", "--json")
    assert ended.code == 0, ended.err
    found = ended.document
    assert set(found) >= KEYS
    assert (found["plans"], found["seed"]) == (2, 1)
    assert (found["doubled"], found["lost"], found["unprotected_over_limit"]) == (0, 0, 0)
    assert found["unknown"] == found["unknown_resolved"]
    assert found["orders"] > 0
    assert sum(row["orders"] for row in found["venues"].values()) == found["orders"]
    assert [play["seed"] for play in found["plays"]] == [1, 2]
    assert found["findings"] == []
    assert sum(found["faults"].values()) > 0
    for play in found["plays"]:
        assert play["verdict"]["findings"] == []
        assert all(position["unprotected_s"] >= 0 for position in play["positions"])


@pytest.mark.parametrize("as_json", [True, False])
def test_a_play_that_got_nowhere_is_told_and_ends_with_1(
    as_json: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It is ended before its market is over.
    monkeypatch.setattr(plays, "LONGEST_AFTER_S", 300.0 - 60.0 * plays.PLAY_MINUTES)
    words = ("--venues", "alpaca", "--plans", "1", "--seed", "3", "--jobs", "1")
    ended = here(tmp_path / "home", "rehearse", *words, *(["--json"] if as_json else []))
    assert ended.code == 1, ended.err
    if as_json:
        assert (ended.document["stuck"], ended.document["plans"]) == (1, 1)
        assert ended.document["findings"][0]["what"].startswith("stuck at 300.")
    else:
        assert "stuck at 300." in " ".join(ended.out.split())


def careless() -> Stage:
    """Alpaca with an adapter that sends again what was not answered."""

    def venue(
        simulator: Simulator, account_id: str, contracts: Sequence[Instrument], clock: Clock
    ) -> AbstractAsyncContextManager[Venue]:
        keys = Keys(KEY, SECRET)
        return Resending(account_id, contracts, keys, clock, simulator.base, allow_unverified=True)

    return replace(STAGES["alpaca"](), name="careless", venue=venue)


@pytest.mark.parametrize("as_json", [True, False])
def test_what_is_found_is_told_and_ends_with_1(
    as_json: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(STAGES, "careless", careless)
    words = ("--venues", "careless", "--plans", "1", "--seed", "3", "--jobs", "1")
    faults = ("--faults", "5xx after acceptance")
    ended = here(tmp_path / "home", "rehearse", *words, *faults, *(["--json"] if as_json else []))
    assert ended.code == 1, ended.err
    if as_json:
        assert ended.document["doubled"] > 0
        assert ended.document["findings"][0]["venue"] == "careless"
        assert ended.document["findings"][0]["seed"] == 3
        assert "was sent 2 times" in ended.document["findings"][0]["what"]
        assert set(ended.document["faults"]) == {"5xx after acceptance"}
    else:
        assert "was sent 2 times" in ended.out
        assert "again: neuratrade rehearse --venues careless --plans 1 --seed 3" in ended.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--plans", "0"), "--plans is 0; give 1 to 100000"),
        (("--plans", "-1"), "--plans is -1; give 1 to 100000"),
        (("--plans", "100001"), "--plans is 100001; give 1 to 100000"),
        (("--venues", "mtgox"), "got mtgox"),
        (("--venues", ","), "got none"),
        (("--venues", "alpaca,mtgox"), "got mtgox"),
        (
            ("--faults", "gremlins"),
            f"--faults knows {', '.join(kind.value for kind in FaultKind)}; got gremlins",
        ),
        (("--faults", "5xx,gremlins,imps"), "got gremlins, imps"),
        (("--faults", " , "), "got none"),
        (("--jobs", "0"), "--jobs is 0; give 1 or more"),
        (("--jobs", "-2", "--plans", "3"), "--jobs is -2; give 1 or more"),
    ],
)
def test_what_cannot_be_rehearsed_is_said_and_nothing_is_played(
    words: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    ended = here(tmp_path / "home", "rehearse", *words)
    assert ended.code == 2, (ended.code, ended.err)
    assert said in " ".join(ended.err.split())
    assert ended.out == ""
