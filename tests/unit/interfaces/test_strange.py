"""What a person sees of foreign and quarantined things, and how a running desk is asked about them."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from neuratrade.app.desk import Desk
from neuratrade.core.model import facts as f
from neuratrade.core.model.events import AdoptForeign, VenueOrder, VenueSnapshot
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.orders import Side
from neuratrade.interfaces.cli import strange
from tests.simulation.world import D
from tests.unit.app.recorded_desk import finish, opened, short_data, step, time_of
from tests.unit.interfaces.command_line import CommandLine

BTC, ETH = "BTC/USDT@binanceusdm", "ETH/USDT@paper"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("data") / "home"
    short_data(home, 1)
    return home / "data"


@pytest.fixture
def home(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "data").symlink_to(data)
    monkeypatch.setenv("NEURATRADE_HOME", str(folder))
    return folder


def shown(desk: Desk) -> None:
    """What a venue would tell, twice, of a holding that is not ours, and of an order that is not."""
    order = VenueOrder("by-hand", "V1", ETH, Side.BUY, D(1))
    account = desk.setup.account.account_id
    for later_s in (5, 15):
        now_ns = time_of(desk) + later_s * NS_PER_SECOND
        desk.simulated.take(VenueSnapshot(now_ns, account, now_ns, (order,), (), {BTC: D("0.5")}))
    desk.simulated.flush()


@pytest.fixture
def strange_desk(home: Path) -> Iterator[Desk]:
    with opened(home) as desk:
        step(desk, 1)
        shown(desk)
        yield desk


def test_status_positions_and_quarantine_show_what_is_not_ours(
    strange_desk: Desk, neuratrade: CommandLine
) -> None:
    account = strange_desk.setup.account.account_id
    (position,) = neuratrade("positions", "--json").document
    assert (position["phase"], position["instrument"], position["held"]) == ("foreign", BTC, 0.5)
    assert "foreign" in neuratrade("positions").out
    assert BTC in neuratrade("positions").out
    status = neuratrade("status", "--json").document
    assert status["foreign"] == {account: {BTC: 0.5}}
    assert status["differences"] == {account: ["order by-hand: an order at the venue that is not ours"]}
    assert [item["reference"] for item in status["quarantine"]] == ["by-hand"]
    assert "by-hand" in neuratrade("status").out
    (kept,) = neuratrade("quarantine", "--json").document
    assert (kept["kind"], kept["instrument"], kept["account_id"]) == ("order", ETH, account)
    assert "by-hand" in neuratrade("quarantine").out


def test_a_desk_with_nothing_strange_says_so(home: Path, neuratrade: CommandLine) -> None:
    desk = opened(home)
    step(desk, 1)
    finish(desk)
    assert neuratrade("quarantine", "--json").document == []
    assert "nothing is in quarantine" in neuratrade("quarantine").out
    assert neuratrade("status", "--json").document["quarantine"] == []


def test_a_bracket_bare_in_a_closed_market_is_shown_as_gap_risk(
    strange_desk: Desk, neuratrade: CommandLine
) -> None:
    desk = strange_desk
    desk.simulated.take(f.SessionMoved(time_of(desk), BTC, False))
    price = desk.simulated.engine.views[BTC].price
    assert price is not None
    desk.simulated.take(adoption(desk, price / 2))
    desk.simulated.flush()
    (position,) = neuratrade("positions", "--json").document
    assert (position["gap_risk"], position["protected"]) == (True, False)
    assert "GAP RISK" in neuratrade("positions").out
    desk.simulated.take(f.SessionMoved(time_of(desk), BTC, True))
    desk.simulated.flush()
    (position,) = neuratrade("positions", "--json").document
    assert position["gap_risk"] is False


def adoption(desk: Desk, stop: D) -> AdoptForeign:
    return AdoptForeign(time_of(desk), "ana", desk.setup.account.account_id, BTC, stop, "mine now")


async def asked_of(desk: Desk, ask: Callable[[], None]) -> None:
    """Asks from another thread while the desk serves its inboxes."""
    running = asyncio.create_task(desk.run())
    await asyncio.to_thread(ask)
    desk.runner.ask_to_stop("enough")
    await running


async def test_a_running_desk_lifts_and_adopts_what_it_is_asked_to(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    errors: list[Exception] = []

    def ask() -> None:
        asked: tuple[Callable[[], object], ...] = (
            lambda: strange.lift_quarantine("by-hand", "my own", "", as_json=True),
            lambda: strange.lift_quarantine("by-hand", "again", "", as_json=True),
            lambda: strange.adopt_holding(BTC, "1000000", "guard it", "", as_json=True),
            lambda: strange.adopt_holding(BTC, "1.5", "guard it", "", as_json=True),
        )
        for what in asked:
            try:
                what()
            except Exception as error:  # noqa: BLE001 - handed to the test, which looks at each
                errors.append(error)

    with opened(home) as desk:
        step(desk, 1)
        shown(desk)
        # As slowly as the recording was made: the desk serves whoever asks in the meantime.
        assert desk.replay is not None
        desk.replay.speed = 1.0
        await asked_of(desk, ask)
        (bracket,) = desk.state.brackets.values()
        assert (bracket.held, bracket.stop_price, bracket.intent.strategy_ref) == (
            D("0.5"),
            D("1.5"),
            "adopted",
        )
        assert not desk.state.quarantine
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [answer["running"] for answer in answers] == [True, True]
    assert len(errors) == 2
    assert "is not in quarantine; there is nothing" in str(errors[0])
    assert "must lie below the price" in str(errors[1])


@pytest.mark.parametrize("stop", ["", "abc", "NaN", "-5", "0", "Infinity", "1e400000"])
def test_a_stop_that_is_no_price_is_wrong_usage(stop: str, home: Path, neuratrade: CommandLine) -> None:
    ended = neuratrade("adopt", BTC, f"--stop={stop}", "--reason", "x")
    assert ended.code in (1, 2)
    assert ended.err.startswith("error: ")


def test_without_a_running_desk_nothing_is_adopted_or_lifted(home: Path, neuratrade: CommandLine) -> None:
    for words in (("adopt", BTC, "--stop", "5"), ("quarantine", "lift", "by-hand")):
        ended = neuratrade(*words, "--reason", "x")
        assert (ended.code, "no desk runs" in ended.err) == (1, True)
