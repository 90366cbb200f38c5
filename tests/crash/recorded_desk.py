"""A desk that trades through a wild world, fills its disk twice and is opened three times. Run by the tests.

It says on its standard output, in the order it happens: `fact` and its bytes, when the engine made it; `safe`
and how many facts so far are safe, when a flush returned; `sent` and the order's id, when the venue got it.
Between these lines a recorder of system calls sees what reached the files of the home.
"""

import os
import resource
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Engine, event

from neuratrade.app.rebuild import rebuild_state
from neuratrade.core.engine.state import snapshot_of
from neuratrade.core.model import events as e
from neuratrade.core.model.facts import Fact, encode_fact
from neuratrade.core.model.market import NS_PER_MINUTE
from neuratrade.core.model.orders import OrderRequest
from neuratrade.hands.recorder import JournalRecorder
from neuratrade.hands.simulated import SimulatedDesk
from neuratrade.store.emergency import EmergencyFile
from neuratrade.store.errors import JournalUnwritable
from neuratrade.store.home import Home, HomeLock
from neuratrade.store.journal import Journal
from neuratrade.store.keys import Ed25519Signer
from neuratrade.store.projections import Projector
from neuratrade.store.reader import JournalReader
from neuratrade.store.snapshots import Snapshots
from tests.simulation.random_world import Plan, Run, make_plan
from tests.simulation.world import PRICE, WatchedExchange, desk_engine, run_started, warm_up

RUN, ACCOUNT = "run", "paper"
SLICES = 42
SEGMENT_ROWS = 60
WAL_PAGES = 64
"""SQLite moves its log into the database after so many pages; a desk does it more rarely."""
ROOM = 36_000
"""Bytes any file may have while the disk is full: too few for the log, enough for some emergency lines."""


def say(word: str, what: object) -> None:
    """A line that is out of this process before anything else happens."""
    os.write(1, f"{word} {what}\n".encode())


class SayingRecorder(JournalRecorder):
    """The real recorder, which says what it was given and when that is safe."""

    def __init__(self, journal: Journal, emergency: EmergencyFile, told: int) -> None:
        super().__init__(journal, emergency, RUN, ACCOUNT)
        self._given = told

    @property
    def given(self) -> int:
        return self._given

    def record(self, facts: Sequence[Fact]) -> None:
        """Says each fact."""
        for fact in facts:
            say("fact", encode_fact(fact).decode())
        self._given += len(facts)
        super().record(facts)

    def flush(self) -> None:
        """Says what is safe, in the journal or in the emergency file."""
        try:
            super().flush()
        except JournalUnwritable:
            if not self._journal.buffered():
                say("safe", self._given)
            raise
        say("safe", self._given)


class SayingExchange(WatchedExchange):
    """The paper exchange, which says what it gets."""

    def submit(self, request: OrderRequest, at_ns: int) -> None:
        """Says the order's id."""
        say("sent", request.client_order_id)
        super().submit(request, at_ns)


class JournaledRun(Run):
    """The wild world of the simulations, on a journal in a home; wired in the order the desk is wired."""

    def __init__(self, plan: Plan, journal: Journal, signer: Ed25519Signer, emergency: EmergencyFile) -> None:
        emergency.reconcile(journal)
        self.journal, self.plan = journal, plan
        self.snapshots = Snapshots(journal.engine)
        state, seq = rebuild_state(JournalReader(journal.engine), self.snapshots)
        self.engine = desk_engine(state if seq else None)
        self.exchange = SayingExchange(costs=plan.costs)
        self.saying = SayingRecorder(journal, emergency, seq)
        self.desk = SimulatedDesk(self.engine, self.exchange, self.saying, None)  # type: ignore[assignment]
        if seq:
            warm_up(self.engine, PRICE, state.now_ns // NS_PER_MINUTE * NS_PER_MINUTE)
            self.exchange.restore(state)
        started = run_started(at_ns=max(state.now_ns, run_started().at_ns), fresh=not seq)
        keyed = msgspec.structs.replace(started, key_id=signer.key_id, public_key=signer.public_key)
        self.desk.take(keyed)
        self.desk.flush()
        if seq:
            self.desk.recover(state.now_ns)
        else:
            warm_up(self.engine)

    def live_slices(self, start: int, end: int) -> None:
        """Lives through some slices of the plan."""
        whole = self.plan
        self.plan = Plan(whole.costs, whole.slices[start:end])
        self.live()
        self.plan = whole
        self.desk.flush()

    def keep_house(self) -> None:
        """A snapshot and rows for people, as a desk makes them now and then."""
        self.desk.flush()
        self.snapshots.save(self.journal.head()[0], snapshot_of(self.state))
        Projector(self.journal.engine).project()

    def come_back(self) -> None:
        """What a desk does once its journal can be written again, and what its operator does then."""
        assert self.saying.return_to_journal()
        self.desk.flush()
        self.desk.take(e.Resume(self.state.now_ns, "op", "there is room again"))
        self.desk.flush()


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process can grow beyond ROOM: writing further fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def opened(home: Home, plan: Plan) -> Iterator[JournaledRun]:
    """The desk of a home."""
    signer, emergency = Ed25519Signer(), EmergencyFile(home.emergency)
    with HomeLock(home):
        journal = Journal.open(
            home.database, signer=signer, checkpoints=home.checkpoints, segment_rows=SEGMENT_ROWS
        )
        run = JournaledRun(plan, journal, signer, emergency)
        yield run
        if run.desk.journal_failed:
            journal.abandon()
        else:
            journal.close()


def weaken(setting: str) -> None:
    """Sets SQLite's `synchronous` to something the store never would; only to see that it is found out."""

    @event.listens_for(Engine, "engine_connect")
    def configure(connection: Any) -> None:
        raw = connection.connection.dbapi_connection
        raw.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        if setting:
            raw.execute(f"PRAGMA synchronous = {setting}")


def main(root: Path, seed: int, setting: str) -> None:
    """Three lives of one desk."""
    weaken(setting)
    home, plan = Home(root), make_plan(seed, SLICES, calm_end=8)
    third = SLICES // 3
    with opened(home, plan) as run:
        run.live_slices(0, third // 2)
        run.keep_house()
        with full_disk():
            run.live_slices(third // 2, third)
        if run.desk.journal_failed:
            say("full", run.saying.given)
            run.come_back()
        run.live_slices(third, third + 2)
    with opened(home, plan) as run:
        run.live_slices(third + 2, 2 * third)
        run.keep_house()
        with full_disk():
            run.live_slices(2 * third, 2 * third + 4)
            if run.desk.journal_failed:
                say("full", run.saying.given)
    with opened(home, plan) as run:
        run.live_slices(2 * third + 4, len(plan.slices))
        run.keep_house()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "")
