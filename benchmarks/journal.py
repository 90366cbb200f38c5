"""What durability costs: the journal beside plain SQLite that syncs the same rows in the same run.

Plain SQLite is the floor: one INSERT of the finished row, `synchronous=FULL`, no encoding, no hash, no
guards. Both write to one disk in turns, so that a slow moment of the disk meets both.
"""

import sqlite3
import tempfile
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

import msgspec

from neuratrade.core.model.account import Account
from neuratrade.core.model.facts import Fact, OrderFilled, RunStarted, encode_fact
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.orders import Fill, Liquidity, Side
from neuratrade.store.audit import verify_chain
from neuratrade.store.journal import Journal
from neuratrade.store.keys import Ed25519Signer
from neuratrade.store.projections import Projector

GROUP_ROWS = 500
GROUPS = 30
COMMITS = 300
ROUNDS = 3
RUN, ACCOUNT = "run", "paper"
BTC = Instrument(
    "BTC/USDT",
    "paper",
    InstrumentKind.SPOT,
    "BTC",
    "USDT",
    tick=Decimal("0.01"),
    lot=Decimal("0.00001"),
    min_quantity=Decimal("0.00001"),
    min_notional=Decimal(5),
)
_PLAIN = "INSERT INTO plain VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


def started(signer: Ed25519Signer) -> RunStarted:
    """The fact that publishes the signing key, so that checkpoints are written as they are live."""
    account = Account(ACCOUNT, "paper", "USDT")
    key = {"key_id": signer.key_id, "public_key": signer.public_key}
    return RunStarted(
        0, RUN, "paper", account, Decimal(10_000), "bench", True, (BTC,), {}, {}, version="0", **key
    )


def filled(number: int) -> OrderFilled:
    """A fill: a fact of middle size."""
    side = Side.BUY if number % 2 else Side.SELL
    fill = Fill(
        f"trade-{number}",
        "c" * 32,
        ACCOUNT,
        BTC.key,
        side,
        Decimal("0.015"),
        Decimal("60123.45"),
        fee=Decimal("0.9018"),
        fee_currency="USDT",
        liquidity=Liquidity.TAKER,
        at_ns=number,
        paper_trade=True,
    )
    return OrderFilled(number, fill)


class PlainSqlite:
    """The floor."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        for setting in ("journal_mode = WAL", "synchronous = FULL"):
            self.connection.execute(f"PRAGMA {setting}")
        columns = (
            "seq INTEGER PRIMARY KEY, run, account, at_ns INTEGER, kind, payload TEXT, prev BLOB, hash BLOB"
        )
        self.connection.execute(f"CREATE TABLE plain ({columns})")
        self.seq = 0

    def write(self, payloads: list[str]) -> None:
        """One transaction of finished rows."""
        digest = b"\0" * 32
        start = self.seq + 1
        self.seq += len(payloads)
        rows = [
            (seq, RUN, ACCOUNT, seq, "order_filled", payload, digest, digest)
            for seq, payload in enumerate(payloads, start=start)
        ]
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.executemany(_PLAIN, rows)
        self.connection.execute("COMMIT")


def seconds(work: Callable[[], object]) -> float:
    """How long one call takes."""
    start = perf_counter()
    work()
    return perf_counter() - start


def run() -> dict[str, object]:
    """Rows {name, value, unit, target, better, floor}; better says which side of the target is good."""
    with tempfile.TemporaryDirectory(prefix="neuratrade-bench-") as folder:
        return {"rows": _measure(Path(folder))}


def _measure(folder: Path) -> list[dict[str, object]]:
    signer = Ed25519Signer()
    path, checkpoints = folder / "desk.db", folder / "journal.checkpoints"
    facts: list[Fact] = [filled(number) for number in range(1, GROUP_ROWS + 1)]
    payloads = [encode_fact(fact).decode() for fact in facts]
    opening = seconds(lambda: Journal.open(path, signer=signer).close())
    reopening = seconds(lambda: Journal.open(path, signer=signer).close())
    journal, plain = Journal.open(path, signer=signer), PlainSqlite(folder / "plain.db")

    def commit(group: list[Fact]) -> None:
        for fact in group:
            journal.append(fact, run_id=RUN, account_id=ACCOUNT)
        journal.commit()

    commit([started(signer)])
    rates, floors, singles, floor_singles = [], [], [], []
    for _ in range(ROUNDS):
        rates.append(GROUPS * GROUP_ROWS / sum(seconds(lambda: commit(facts)) for _ in range(GROUPS)))
        floors.append(
            GROUPS * GROUP_ROWS / sum(seconds(lambda: plain.write(payloads)) for _ in range(GROUPS))
        )
        for number in range(COMMITS // ROUNDS):
            # Bought and sold by turns: a position of hundreds of lots is nobody's, and slow to project.
            one = facts[number % 2 : number % 2 + 1]
            singles.append(seconds(partial(commit, one)))
            floor_singles.append(seconds(lambda: plain.write(payloads[:1])))
    plain.connection.close()
    rows = journal.head()[0]
    projecting = seconds(lambda: Projector(journal.engine).project())
    journal.close()
    auditing = seconds(lambda: verify_chain(path, checkpoints))
    return [
        _row("journal rows in groups of 500", median(rates), "rows/s", 30_000, median(floors)),
        _row("journal commit of one row, p50", median(singles) * 1e3, "ms", 0.6, median(floor_singles) * 1e3),
        _row("journal commit of one row, p99", _p99(singles) * 1e3, "ms", None, _p99(floor_singles) * 1e3),
        _row("journal open, new database", opening * 1e3, "ms", None, None),
        _row("journal open, existing database", reopening * 1e3, "ms", None, None),
        _row("audit", rows / auditing, "rows/s", 100_000, None),
        _row("projection", rows / projecting, "rows/s", 20_000, None),
    ]


def _p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]


def _row(name: str, value: float, unit: str, target: float | None, floor: float | None) -> dict[str, object]:
    return {
        "name": name,
        "value": round(value, 3),
        "unit": unit,
        "target": target,
        "better": "higher" if unit == "rows/s" else "lower",
        "floor": None if floor is None else round(floor, 3),
    }


if __name__ == "__main__":
    print(msgspec.json.format(msgspec.json.encode(run())).decode())
