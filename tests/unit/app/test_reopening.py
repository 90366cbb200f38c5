"""Opening a desk again: where it goes on, what it asks about, and which snapshots it believes."""

from pathlib import Path

import pytest

from neuratrade.app.looking import look_at
from neuratrade.core.engine.state import snapshot_of, state_bytes, state_of_snapshot
from neuratrade.core.model import facts as f
from neuratrade.core.model.orders import OrderRole
from neuratrade.feeds.port import event_ns
from neuratrade.store.home import Home
from neuratrade.store.journal import Journal
from neuratrade.store.keys import Ed25519Signer
from neuratrade.store.reader import JournalReader
from neuratrade.store.snapshots import Snapshots
from tests.unit.app.recorded_desk import opened, short_data, step


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose desk lived through three recorded days and was then stopped."""
    home = tmp_path_factory.mktemp("recorded") / "home"
    short_data(home, 4)
    desk = opened(home)
    step(desk, 3 * 1440)
    desk.close()
    return home


def journaled(home: Path) -> list[f.Fact]:
    with JournalReader.open(Home(home).journal) as reader:
        return [row.fact() for row in reader.rows()]


def killed_after(recorded: Path, home: Path, wanted: OrderRole) -> str:
    """A home whose journal ends with the first planned order in this role; returns the order's id."""
    home.mkdir()
    (home / "data").symlink_to(recorded / "data")
    with Journal.open(Home(home).journal, signer=Ed25519Signer()) as journal:
        for fact in journaled(recorded):
            journal.append(fact, run_id="r", account_id="paper")
            if isinstance(fact, f.OrderPlanned) and fact.request.role is wanted:
                return fact.request.client_order_id
    raise AssertionError(f"no {wanted} was planned in the recording")


def test_an_entry_that_was_planned_but_never_sent_is_asked_about_and_given_up(
    recorded: Path, tmp_path: Path
) -> None:
    order = killed_after(recorded, tmp_path / "home", OrderRole.ENTRY)
    opened(tmp_path / "home").close()
    after = journaled(tmp_path / "home")
    assert f.OrderNotFound in {type(fact) for fact in after if getattr(fact, "client_order_id", "") == order}
    assert not look_at(Home(tmp_path / "home")).state.brackets


def test_a_stop_that_was_planned_but_never_sent_is_replaced_before_the_first_new_price(
    recorded: Path, tmp_path: Path
) -> None:
    order = killed_after(recorded, tmp_path / "home", OrderRole.STOP)
    desk = opened(tmp_path / "home")
    (bracket,) = [item for item in desk.state.brackets.values() if item.held > 0]
    assert bracket.protected
    assert bracket.stop_orders != [order]
    assert desk.simulated.bars_seen == 0
    desk.close()


def test_what_rested_at_the_venue_rests_there_again_and_its_account_is_the_same(
    recorded: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    stop = killed_after(recorded, home, OrderRole.STOP)
    with Journal.open(Home(home).journal, signer=Ed25519Signer()) as journal:
        at_ns = look_at(Home(home)).state.now_ns
        journal.append(f.OrderAccepted(at_ns, stop, "P1"), run_id="r", account_id="paper")
    desk = opened(home)
    assert stop in desk.simulated.exchange.orders
    account = desk.state.accounts["paper"]
    assert desk.simulated.exchange.account.balances == account.balances
    assert desk.simulated.exchange.account.positions == account.positions
    desk.close()


def test_a_desk_that_goes_on_begins_with_the_first_minute_it_has_not_seen(
    recorded: Path, tmp_path: Path
) -> None:
    killed_after(recorded, tmp_path / "home", OrderRole.STOP)
    stopped_ns = look_at(Home(tmp_path / "home")).state.now_ns
    desk = opened(tmp_path / "home")
    assert desk.replay is not None
    first = next(desk.replay.slices())
    assert isinstance(first, list)
    assert event_ns(first) > stopped_ns >= first[0].open_ns
    assert 0 < desk.bars_before < desk.bars_in_all
    desk.close()


def test_a_snapshot_reads_back_and_one_of_another_form_is_not_believed(recorded: Path) -> None:
    state = look_at(Home(recorded)).state
    kept = snapshot_of(state)
    again = state_of_snapshot(kept)
    assert again is not None
    assert state_bytes(again) == state_bytes(state)
    assert state_of_snapshot(b"0" * 64 + kept[64:]) is None
    assert state_of_snapshot(kept[:-1]) is None
    assert state_of_snapshot(b"") is None


def test_a_snapshot_of_another_form_only_costs_time(recorded: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    killed_after(recorded, home, OrderRole.STOP)
    whole = look_at(Home(home))
    with Journal.open(Home(home).journal, signer=Ed25519Signer()) as journal:
        Snapshots(journal.engine).save(whole.seq, b"0" * 64 + b"\n{}")
    assert state_bytes(look_at(Home(home)).state) == state_bytes(whole.state)
