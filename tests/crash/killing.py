"""A desk that trades is killed at random moments, started again, and held to its promises after each kill."""

import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import msgspec

from neuratrade.core.engine.fold import apply
from neuratrade.core.engine.state import DeskState, state_bytes
from neuratrade.core.model import facts as f
from neuratrade.core.model.orders import OrderRequest
from neuratrade.store.reader import JournalReader, JournalRow
from tests.crash.warm_process import WarmProcess
from tests.e2e.desk_process import here, look
from tests.unit.app.recorded_desk import NAME, opened, short_data, step

SPEED = "150000"
"""Engine seconds a second: something is bought or sold in most of the lives."""
DAYS = 5
WARM_MINUTES = 1440 + 90
PHASES = ("trading", "starting", "trading", "stopping", "trading")
START_S, LIFE_S, CLOSING_S = 0.5, 0.4, 0.06
PATIENCE_S = 60.0
Tell = Callable[[int], None]


class Killed(msgspec.Struct):
    """What was done and what was found. kills_by: how many in which phase of a desk's life."""

    kills: int = 0
    kills_by: dict[str, int] = {}
    ended: int = 0
    rows: int = 0
    orders: int = 0
    trades: int = 0
    snapshots: int = 0
    violations: list[str] = []
    seconds: float = 0.0


class Ledger:
    """All the journal said so far, read on after each kill: nothing in it may come twice."""

    def __init__(self) -> None:
        self.state = DeskState()
        self.head: tuple[int, bytes] = (0, b"")
        self.orders: dict[tuple[str, str], OrderRequest] = {}
        self.filled: dict[tuple[str, str], Decimal] = {}
        self.closed: set[tuple[str, str]] = set()
        self._seen: set[tuple[str, ...]] = set()

    def read_on(self, reader: JournalReader) -> list[str]:
        """Takes the rows since the last time; returns what is wrong."""
        seq, digest = self.head
        wrong = []
        if seq:
            last = next(reader.rows(seq - 1, upto=seq), None)
            if last is None or last.hash != digest:
                wrong.append(f"row {seq} is not the one it was before")
        for row in reader.rows(seq):
            fact = row.fact()
            apply(self.state, fact)
            wrong += self._take(row, fact)
            self.head = (row.seq, row.hash)
        return wrong

    def _take(self, row: JournalRow, fact: f.Fact) -> list[str]:
        match fact:
            case f.OrderPlanned(request=request):
                self.orders[row.run_id, request.client_order_id] = request
                return self._once(row, "order", request.client_order_id)
            case f.OrderAccepted(client_order_id=coid):
                return self._once(row, "acceptance", coid)
            case f.OrderFilled(fill=fill):
                key = (row.run_id, fill.client_order_id)
                self.filled[key] = self.filled.get(key, Decimal(0)) + fill.quantity
                wrong = self._once(row, "execution", fill.trade_id)
                if key not in self.orders:
                    wrong.append(f"row {row.seq} fills {fill.client_order_id}, which nobody planned")
                return wrong
            case f.IntentJudged(intent=intent):
                return self._once(row, "decision", intent.intent_id)
            case f.BracketClosed(bracket_id=bracket_id):
                self.closed.add((row.run_id, bracket_id))
                return self._once(row, "end of bracket", bracket_id)
            case _:
                return []

    def _once(self, row: JournalRow, what: str, name: str) -> list[str]:
        key = (what, row.run_id, name)
        if key in self._seen:
            return [f"row {row.seq} doubles {what} {name}"]
        self._seen.add(key)
        return []


def kill_again_and_again(
    folder: Path, repository: Path, *, kills: int, start: int, tell: Tell = lambda _: None
) -> Killed:
    """Kills a desk so many times. start: the first seed; kill number n has seed start + n.

    folder: where the home is made. tell: called with the number of kills so far.
    """
    home = make_home(folder)
    found, ledger, began = Killed(), Ledger(), time.monotonic()
    warm = WarmProcess(home, repository)
    try:
        while found.kills < kills and not found.violations:
            dice = random.Random(start + found.kills + found.ended)
            phase = PHASES[found.kills % len(PHASES)]
            if live_and_die(warm, home, phase, dice) == signal.SIGKILL:
                found.kills += 1
                found.kills_by[phase] = found.kills_by.get(phase, 0) + 1
            else:
                found.ended += 1
            wrong = problems_of(home, ledger)
            if "Traceback" in warm.said:
                wrong.append(warm.said[-2_000:])
            found.violations += [f"kill {found.kills} ({phase}): {problem}" for problem in wrong]
            tell(found.kills)
    finally:
        warm.close()
    found.rows, found.orders, found.trades = ledger.head[0], len(ledger.orders), len(ledger.closed)
    found.snapshots = newest_snapshot(home)
    found.seconds = time.monotonic() - began
    return found


def make_home(folder: Path) -> Path:
    """A home with some days of the shipped recording, stopped once it has seen enough of them to trade."""
    home = folder / "home"
    home.mkdir()
    short_data(home, DAYS)
    (home / "config").mkdir(exist_ok=True)
    (home / "config" / "neuratrade.yaml").write_text(f"data: {NAME}\n")
    with opened(home) as desk:
        step(desk, WARM_MINUTES)
    return home


def live_and_die(warm: WarmProcess, home: Path, phase: str, dice: random.Random) -> int:
    """One life; returns the signal that ended it, 0 where it ended by itself just before."""
    before = rows_in(home)
    pid = warm.start("run", "--speed", SPEED)
    if phase == "starting":
        time.sleep(dice.uniform(0.0, START_S))
    else:
        waited = time.monotonic()
        while rows_in(home) == before:
            assert time.monotonic() - waited < PATIENCE_S, f"no desk begins: {warm.said[-2_000:]}"
            time.sleep(0.005)
        time.sleep(dice.uniform(0.0, LIFE_S))
    if phase == "stopping":
        os.kill(pid, signal.SIGTERM)
        time.sleep(dice.uniform(0.0, CLOSING_S))
    os.kill(pid, signal.SIGKILL)
    return warm.wait()


def rows_in(home: Path) -> int:
    """Rows committed in a home, asked as cheaply as it goes."""
    try:
        with closing(sqlite3.connect(f"file:{home / 'neuratrade.db'}?mode=ro", uri=True)) as database:
            return int(database.execute("select max(seq) from journal").fetchone()[0] or 0)
    except sqlite3.OperationalError:
        return 0


def newest_snapshot(home: Path) -> int:
    """The row of the newest snapshot; 0 without one."""
    with closing(sqlite3.connect(f"file:{home / 'neuratrade.db'}?mode=ro", uri=True)) as database:
        return int(database.execute("select max(seq) from snapshots").fetchone()[0] or 0)


def problems_of(home: Path, ledger: Ledger) -> list[str]:
    """What is wrong with a home after a kill."""
    if not rows_in(home):
        return []
    wrong = []
    audit = here(home, "audit", "verify", "--json")
    if audit.code != 0 or not audit.document["ok"]:
        wrong.append(f"audit verify exits {audit.code}: {audit.out}")
    with JournalReader.open(home / "neuratrade.db") as reader:
        wrong += ledger.read_on(reader)
    seen = look(home)
    if seen.running:
        wrong.append("the home is still held")
    if (seen.seq, state_bytes(seen.state)) != (ledger.head[0], state_bytes(ledger.state)):
        wrong.append("the state by way of a snapshot is not the state folded from the journal alone")
    for key, filled in ledger.filled.items():
        if key in ledger.orders and filled > ledger.orders[key].quantity:
            wrong.append(f"order {key[1]} was filled with {filled} of {ledger.orders[key].quantity}")
    return wrong
