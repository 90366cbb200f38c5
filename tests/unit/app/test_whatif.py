"""What if: the run again from its beginning, with all that people did to it, under other limits."""

from decimal import Decimal
from pathlib import Path

import pytest

from neuratrade.app.whatif import WhatIf, what_if
from neuratrade.core.model import events as e
from neuratrade.core.model.errors import UsageError
from neuratrade.feeds.catalogue import Catalogue
from neuratrade.store.home import Home
from neuratrade.store.journal import Journal
from neuratrade.store.keys import Ed25519Signer
from neuratrade.store.reader import JournalReader
from tests.unit.app.recorded_desk import finish, opened, short_data, step, time_of

DAY = 1440


@pytest.fixture(scope="module")
def steered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that an operator limited, halted and resumed on its third day."""
    home = tmp_path_factory.mktemp("steered") / "home"
    short_data(home, 4)
    desk = opened(home)
    step(desk, DAY + 60)
    desk.simulated.take(e.SetLimit(time_of(desk), "ana", "trades_per_day", "4", "careful"))
    step(desk, DAY)
    desk.simulated.take(e.Halt(time_of(desk), "ana", "lunch"))
    step(desk, 240)
    desk.simulated.take(e.Resume(time_of(desk), "ana", "back"))
    step(desk)
    finish(desk)
    return home


def asked(home: Path, **changes: str) -> WhatIf:
    with JournalReader.open(home / "neuratrade.db") as reader:
        return what_if(reader, Catalogue(home / "data"), changes)


def test_a_steered_run_is_repeated_exactly_with_everything_people_did(steered: Path) -> None:
    report = asked(steered)
    assert report.exact
    assert report.before == report.after
    assert report.before.trades >= 5
    assert report.changes == ()
    assert "to the last digit" in report.note


@pytest.mark.parametrize(("name", "value"), [("trades_per_day", "0"), ("confidence", "1")])
def test_a_limit_that_refuses_all_leaves_nothing_but_refusals(steered: Path, name: str, value: str) -> None:
    """Also one that the operator changed during the run: what is asked about holds from its beginning."""
    report = asked(steered, **{name: value})
    assert report.exact
    assert report.limits[name].endswith(f"-> {value}")
    assert report.after.trades == 0
    assert report.after.pnl == Decimal(0)
    assert report.after.intents == report.before.intents
    assert {item.change for item in report.changes} == {"gone"}
    assert len(report.changes) == report.before.trades
    assert sum(item.pnl_before or 0 for item in report.changes) == report.before.pnl


def test_ceilings_may_be_asked_about_but_nonsense_may_not(steered: Path) -> None:
    assert asked(steered, risk_per_trade_fraction="0.05").exact
    for name, value in (("confidense", "0.9"), ("confidence", "high"), ("concurrent", "1.5")):
        with pytest.raises(UsageError):
            asked(steered, **{name: value})


def test_without_a_run_there_is_nothing_to_repeat(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    with Journal.open(home.database, signer=Ed25519Signer()):
        pass
    with (
        JournalReader.open(home.database) as reader,
        pytest.raises(UsageError, match="no run in the journal"),
    ):
        what_if(reader, Catalogue(home.root / "data"), {})


def test_a_run_whose_data_is_gone_says_so(steered: Path, tmp_path: Path) -> None:
    with (
        JournalReader.open(steered / "neuratrade.db") as reader,
        pytest.raises(UsageError, match=r"short.*not in the catalogue"),
    ):
        what_if(reader, Catalogue(tmp_path / "elsewhere"), {})
