"""Rows for people say what the journal says, exactly, once, and can be made again."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, select

from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import CloseIntent
from neuratrade.core.model.orders import OrderRole
from neuratrade.store.errors import ProjectionBroken
from neuratrade.store.journal import Journal
from neuratrade.store.keys import Ed25519Signer
from neuratrade.store.projections import TABLES, Projector
from neuratrade.store.schema import decisions, orders, positions, runs, trades
from tests.unit.store.sample_facts import (
    ACCOUNT,
    BTC,
    closed,
    filled,
    judged,
    marked,
    planned,
    run_started,
    write,
)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A journal in which a paper run has begun."""
    signer = Ed25519Signer()
    with Journal.open(tmp_path / "desk.db", signer=signer) as journal:
        write(journal, run_started(signer))
        yield journal


def rows_of(journal: Journal, table: Table) -> list[dict[str, Any]]:
    """A table as a person would read it."""
    with journal.engine.connect() as connection:
        return [dict(row) for row in connection.execute(select(table)).mappings()]


def everything(journal: Journal) -> dict[str, list[dict[str, Any]]]:
    """All projections."""
    return {table.name: rows_of(journal, table) for table in TABLES}


def test_a_refused_intent_becomes_a_decision_with_its_whole_report(journal: Journal) -> None:
    write(journal, judged("i1", approved=False))
    Projector(journal.engine).project()
    (row,) = rows_of(journal, decisions)
    assert (row["intent_id"], row["approved"], row["refused_by"], row["reason"]) == (
        "i1",
        False,
        "stop",
        "too wide",
    )
    assert (row["account_id"], row["operator_id"], row["strategy_ref"]) == (ACCOUNT, "owner", "ema_cross")
    assert row["paper_trade"] is True
    assert [layer["name"] for layer in json.loads(row["layers"])] == ["confidence", "stop"]
    assert json.loads(row["seen"])["price"] == "100"
    assert (row["trigger_price"], row["stop_price"], row["target_price"]) == (100, 98, 104)


def test_a_bracket_becomes_a_trade_joined_with_its_intent(journal: Journal) -> None:
    write(journal, judged("i1"), planned("i1"), filled("i1"))
    write(journal, planned("i1", OrderRole.TARGET), filled("i1", OrderRole.TARGET, price="102"), closed("i1"))
    Projector(journal.engine).project()
    (trade,) = rows_of(journal, trades)
    assert trade["intent_id"] == trade["bracket_id"] == "i1"
    assert (trade["strategy_ref"], trade["operator_id"], trade["direction"]) == ("ema_cross", "owner", "LONG")
    assert (trade["quantity"], trade["entry_price"], trade["exit_price"]) == (1, 100, 102)
    assert (trade["pnl"], trade["fees"], trade["reason"]) == (Decimal("1.8"), Decimal("0.2"), "TP")
    assert (trade["opened_ns"], trade["closed_ns"], trade["unprotected_ms"]) == (4, 9, 0)
    assert (trade["paper_trade"], trade["lane"]) == (True, "tactical")
    assert json.loads(trade["tags"]) == {"session": "asia"}
    (decision,) = rows_of(journal, decisions)
    assert decision["outcome"] == "TP"


def test_an_entry_that_never_filled_is_no_trade(journal: Journal) -> None:
    write(journal, judged("i1"), planned("i1"), closed("i1", entered="0"))
    Projector(journal.engine).project()
    assert rows_of(journal, trades) == []
    assert rows_of(journal, decisions)[0]["outcome"] == "NO_ENTRY"


def test_fills_make_a_position_with_its_average_cost(journal: Journal) -> None:
    write(journal, judged("i1"), planned("i1", quantity="3"))
    write(journal, filled("i1", quantity="1", price="100"), filled("i1", quantity="2", price="106", at_ns=5))
    projector = Projector(journal.engine)
    projector.project()
    (position,) = rows_of(journal, positions)
    assert (position["account_id"], position["instrument"]) == (ACCOUNT, BTC.key)
    assert (position["quantity"], position["average_cost"]) == (3, 104)
    assert (position["strategy_ref"], position["paper_trade"], position["opened_ns"]) == (
        "ema_cross",
        True,
        4,
    )
    (order,) = rows_of(journal, orders)
    assert (order["status"], order["filled"], order["average_price"]) == ("filled", 3, 104)
    write(journal, planned("i1", OrderRole.STOP, quantity="3"), filled("i1", OrderRole.STOP, quantity="3"))
    projector.project()
    (position,) = rows_of(journal, positions)
    assert (position["quantity"], position["average_cost"]) == (0, 0)


def test_an_order_shows_where_it_stands(journal: Journal) -> None:
    projector = Projector(journal.engine)
    write(journal, judged("i1"), planned("i1"))
    steps: list[tuple[f.Fact, str]] = [
        (f.OrderUnknown(4, "i1-entry", "time-out"), "unknown"),
        (f.OrderAccepted(5, "i1-entry", "venue-7"), "working"),
        (filled("i1", quantity="0.4"), "partial"),
        (f.OrderAmended(6, "i1-entry", Decimal("0.9"), Decimal(97)), "partial"),
        (f.OrderCancelled(7, "i1-entry", "expired by us\0"), "cancelled"),
    ]
    for fact, status in steps:
        write(journal, fact)
        projector.project()
        assert rows_of(journal, orders)[0]["status"] == status
    (order,) = rows_of(journal, orders)
    assert (order["venue_order_id"], order["quantity"], order["stop_price"]) == (
        "venue-7",
        Decimal("0.9"),
        97,
    )
    assert order["reason"] == "expired by us\ufffd"


def test_an_acceptance_that_comes_after_the_fill_does_not_undo_it(journal: Journal) -> None:
    write(journal, judged("i1"), planned("i1"), filled("i1"), f.OrderAccepted(6, "i1-entry", "v"))
    Projector(journal.engine).project()
    assert rows_of(journal, orders)[0]["status"] == "filled"


def test_closing_by_hand_is_a_decision_about_the_same_bracket_and_not_its_intent(journal: Journal) -> None:
    close = CloseIntent("c1", ACCOUNT, "owner", "i1", "enough", 5)
    write(journal, judged("i1"), planned("i1"), filled("i1"))
    write(journal, f.IntentJudged(6, close, True, Decimal(1), (), f.MarketSeen()), closed("i1"))
    Projector(journal.engine, batch_rows=1).project()
    opened, by_hand = rows_of(journal, decisions)
    assert (by_hand["kind"], by_hand["bracket_id"], by_hand["instrument"]) == ("close", "i1", BTC.key)
    assert (opened["outcome"], by_hand["outcome"]) == ("TP", "")
    assert rows_of(journal, trades)[0]["intent_id"] == "i1"


def test_a_fresh_run_starts_without_the_positions_and_working_orders_of_those_before(
    journal: Journal,
) -> None:
    write(journal, judged("i1"), planned("i1"), filled("i1", quantity="0.5"))
    projector = Projector(journal.engine)
    projector.project()
    write(journal, run_started(Ed25519Signer(), run_id="run-2", at_ns=50), run_id="run-2")
    projector.project()
    assert rows_of(journal, positions) == []
    assert rows_of(journal, orders)[0]["status"] == "cancelled"
    write(journal, judged("i1", at_ns=60), planned("i1"), run_id="run-2")
    write(journal, filled("i1", price="200"), closed("i1"), run_id="run-2")
    projector.project()
    assert [row["average_cost"] for row in rows_of(journal, positions)] == [200]
    assert [row["run_id"] for row in rows_of(journal, trades)] == ["run-2"]
    assert [row["outcome"] for row in rows_of(journal, decisions)] == ["", "TP"]


def test_a_run_that_does_not_start_fresh_keeps_them(journal: Journal) -> None:
    write(journal, judged("i1"), planned("i1"), filled("i1"))
    write(journal, f.RunEnded(20, "run-1", "stopped", False))
    write(journal, run_started(Ed25519Signer(), run_id="run-2", at_ns=50, fresh=False), run_id="run-2")
    Projector(journal.engine).project()
    assert [row["quantity"] for row in rows_of(journal, positions)] == [1]
    first, second = rows_of(journal, runs)
    assert (first["ended_ns"], first["end_reason"]) == (20, "stopped")
    assert (second["ended_ns"], second["mode"]) == (None, "paper")


def test_a_row_of_a_run_the_journal_does_not_know_counts_as_real_money(journal: Journal) -> None:
    write(journal, judged("i1"), run_id="nobody")
    Projector(journal.engine).project()
    assert rows_of(journal, decisions)[0]["paper_trade"] is False


def test_a_fill_in_an_instrument_no_run_announced_stops_the_projection(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "other.db", signer=Ed25519Signer()) as journal:
        write(journal, marked(1), filled("i1"))
        with pytest.raises(ProjectionBroken, match=r"which no run announced.*audit verify"):
            Projector(journal.engine).project()
        assert Projector(journal.engine).applied() == 0


@pytest.mark.parametrize("batch_rows", [1, 2, 3, 1000])
def test_the_size_of_a_batch_does_not_show_and_repeating_does_no_harm(
    journal: Journal, batch_rows: int
) -> None:
    for name in ("i1", "i2"):
        write(
            journal, judged(name), planned(name), filled(name, quantity="0.3"), filled(name, quantity="0.7")
        )
        write(journal, planned(name, OrderRole.STOP), filled(name, OrderRole.STOP, price="97"), closed(name))
    projector = Projector(journal.engine, batch_rows=batch_rows)
    assert projector.project(5) == 5
    head = journal.head()[0]
    assert projector.project() == head
    once = everything(journal)
    assert projector.project() == head
    assert everything(journal) == once
    assert Projector(journal.engine).rebuild() == head
    assert everything(journal) == once
    assert len(once["trades"]) == 2


def test_projecting_no_further_than_asked_leaves_the_rest_for_later(journal: Journal) -> None:
    write(journal, judged("i1"), judged("i2"))
    projector = Projector(journal.engine)
    assert projector.project(2) == 2
    assert len(rows_of(journal, decisions)) == 1
    assert projector.project(999) == 3
    assert len(rows_of(journal, decisions)) == 2
