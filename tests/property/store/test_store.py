"""Whatever happened: rows made again equal those made on the way, and no two rows hash alike."""

import tempfile
from decimal import Decimal
from functools import cache
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from neuratrade.core.model import facts as f
from neuratrade.core.model.orders import OrderRole
from neuratrade.store.audit import verify_chain
from neuratrade.store.chain import GENESIS, framed, link
from neuratrade.store.journal import Journal
from neuratrade.store.keys import Ed25519Signer
from neuratrade.store.migrate import upgrade
from neuratrade.store.projections import TABLES, Projector
from tests.unit.store.sample_facts import closed, filled, judged, marked, planned, run_started, write

SIGNER = Ed25519Signer()
AMOUNTS = st.decimals("0.00000001", "1000000", places=8, allow_nan=False).map(lambda d: format(d, "f"))
NAMES = st.sampled_from(["i1", "i2", "i3"])
ROLES = st.sampled_from([OrderRole.ENTRY, OrderRole.STOP, OrderRole.TARGET])


def facts() -> st.SearchStrategy[f.Fact]:
    """Facts about three brackets in any order at all, sensible or not, with fresh starts between them."""
    orders = st.builds(lambda name, role: f"{name}-{role.value}", NAMES, ROLES)
    return st.one_of(
        st.builds(lambda name, ok, q: judged(name, approved=ok, quantity=q), NAMES, st.booleans(), AMOUNTS),
        st.builds(lambda name, role, q: planned(name, role, quantity=q), NAMES, ROLES, AMOUNTS),
        st.builds(
            lambda name, role, q, p: filled(name, role, quantity=q, price=p), NAMES, ROLES, AMOUNTS, AMOUNTS
        ),
        st.builds(lambda name, entered, pnl: closed(name, entered=entered, pnl=pnl), NAMES, AMOUNTS, AMOUNTS),
        st.builds(lambda order: f.OrderAccepted(5, order, "v"), orders),
        st.builds(lambda order: f.OrderCancelled(6, order, "r"), orders),
        st.builds(lambda order: f.OrderExpired(6, order), orders),
        st.builds(lambda order, q: f.OrderAmended(7, order, Decimal(q), Decimal(1)), orders, AMOUNTS),
        st.builds(lambda fresh: run_started(SIGNER, run_id="run-1", fresh=fresh), st.booleans()),
        st.just(marked(8)),
    )


def everything(journal: Journal) -> dict[str, list[str]]:
    """All projections, amounts and their digits."""
    with journal.engine.connect() as connection:
        return {
            table.name: sorted(repr(tuple(row)) for row in connection.execute(select(table)))
            for table in TABLES
        }


@cache
def empty_database() -> bytes:
    """A migrated database: making one anew for each example would take most of the time."""
    with tempfile.TemporaryDirectory() as folder:
        upgrade(Path(folder) / "desk.db")
        return (Path(folder) / "desk.db").read_bytes()


@settings(max_examples=20)
@given(st.lists(st.lists(facts(), max_size=12), max_size=5), st.integers(1, 9))
def test_rows_made_again_from_the_journal_equal_the_rows_made_on_the_way(
    groups: list[list[f.Fact]], batch_rows: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "desk.db"
        path.write_bytes(empty_database())
        with Journal.open(path, signer=SIGNER, segment_rows=7) as journal:
            write(journal, run_started(SIGNER))
            for group in groups:
                write(journal, *group)
                Projector(journal.engine, batch_rows=batch_rows).project()
            Projector(journal.engine).project()
            on_the_way = everything(journal)
            Projector(journal.engine).rebuild()
            assert everything(journal) == on_the_way
        report = verify_chain(path, path.parent / "journal.checkpoints")
        assert report.ok, report.problem
        assert report.rows == 1 + sum(len(group) for group in groups)


TEXTS = st.binary(max_size=6)
ROWS = st.tuples(st.integers(1, 3), st.integers(0, 3), TEXTS, TEXTS, TEXTS, TEXTS)


@given(ROWS, ROWS)
def test_two_rows_hash_alike_only_when_they_are_equal(
    one: tuple[int, int, bytes, bytes, bytes, bytes], other: tuple[int, int, bytes, bytes, bytes, bytes]
) -> None:
    def digest(row: tuple[int, int, bytes, bytes, bytes, bytes]) -> bytes:
        seq, at_ns, run_id, account_id, kind, payload = row
        return link(GENESIS, seq, at_ns, framed(run_id) + framed(account_id) + framed(kind), payload)

    assert (digest(one) == digest(other)) == (one == other)
