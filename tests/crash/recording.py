"""One recorded life of a desk, and what must be true of its home after a crash at any call in it."""

import random
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from neuratrade.app.rebuild import rebuild_state
from neuratrade.core.engine.fold import apply
from neuratrade.core.engine.state import DeskState, state_bytes
from neuratrade.core.model import facts as f
from neuratrade.core.model.errors import NeuraTradeError
from neuratrade.store.audit import verify_chain
from neuratrade.store.emergency import EmergencyFile
from neuratrade.store.home import Home
from neuratrade.store.journal import Journal
from neuratrade.store.keys import Ed25519Signer
from neuratrade.store.projections import Projector
from neuratrade.store.reader import JournalReader
from neuratrade.store.snapshots import Snapshots
from tests.crash.disk import Disk, Keep, by_chance, everything, nothing
from tests.crash.recorded_desk import SEGMENT_ROWS
from tests.crash.syscalls import Call, record

HOME = "home"
SIGNER = Ed25519Signer()
RARE = frozenset(("write", "ftruncate", "rename", "unlink", "fsync"))
"""What touches names and the files that are ours; SQLite writes with others."""


class Told(msgspec.Struct):
    """What the process had said by then. safe: how many of the facts a flush had acknowledged."""

    facts: list[bytes] = []
    safe: int = 0
    sent: list[str] = []
    full: int = 0

    def hear(self, line: bytes) -> None:
        """One line of its standard output."""
        word, _, rest = line.rstrip(b"\n").partition(b" ")
        match word:
            case b"fact":
                self.facts.append(rest)
            case b"safe":
                self.safe = int(rest)
            case b"sent":
                self.sent.append(rest.decode())
            case b"full":
                self.full += 1
            case _:
                raise ValueError(f"the desk said something unknown: {line[:200]!r}")


class Recording(msgspec.Struct):
    """The calls of one life below a root folder that was there, and safe, before."""

    root: Path
    calls: list[Call]

    @classmethod
    def make(cls, folder: Path, repository: Path, seed: int, setting: str = "") -> "Recording":
        """Lets a desk live. setting: SQLite's `synchronous`, where it shall not be ours."""
        root = folder / "recorded"
        root.mkdir()
        command = [sys.executable, "-m", "tests.crash.recorded_desk", str(root / HOME), str(seed), setting]
        return cls(root, record(command, folder / "calls", cwd=repository))

    def crash_points(self) -> Iterator[tuple[int, Call, Disk, Told]]:
        """Each call that touched the disk, the disk and what was said by then. Both change as it goes on."""
        disk, told = Disk(self.root), Told()
        number = 0
        for call in self.calls:
            if call.name == "write" and call.words[0] == "1":
                told.hear(call.text[0])
            elif disk.take(call):
                number += 1
                yield number, call, disk, told


class Tally(msgspec.Struct):
    """What was tried and what was found."""

    points: int = 0
    images: int = 0
    different: int = 0
    violations: list[str] = []
    seconds: float = 0.0


def try_crashes(
    recording: Recording,
    folder: Path,
    *,
    share: float,
    chances: int,
    seed: str,
    tell: Callable[[int], None] = lambda _: None,
) -> Tally:
    """Crashes after a seeded share of the calls, each time with nothing, all and some of what was unsynced.

    After the rare ones, of which a share would miss most, it crashes always.
    chances: how often some of it. tell: called with the number of each call.
    """
    tally, dice, began = Tally(), random.Random(seed), time.monotonic()
    for number, call, disk, told in recording.crash_points():
        if dice.random() >= share and call.name not in RARE:
            continue
        tell(number)
        tally.points += 1
        kept: list[tuple[str, Keep]] = [("nothing", nothing), ("everything", everything)]
        kept += [(f"some {turn}", by_chance(f"{seed}/{number}/{turn}")) for turn in range(chances)]
        seen: list[dict[str, bytes | None]] = []
        for name, keep in kept:
            image = disk.image(keep)
            tally.images += 1
            if image in seen:
                continue
            seen.append(image)
            tally.different += 1
            wrong = problem_of(image, told, folder / "crashed")
            if wrong:
                tally.violations.append(f"call {number}, {name} of the unsynced kept: {wrong}")
    tally.seconds = time.monotonic() - began
    return tally


def problem_of(image: dict[str, bytes | None], told: Told, folder: Path) -> str:
    """What is wrong with a home found like this; empty when nothing is."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for path, content in sorted(image.items()):
        if content is None:
            (folder / path).mkdir()
        else:
            (folder / path).write_bytes(content)
    try:
        check_home(Home(folder / HOME), told)
    except (AssertionError, NeuraTradeError, SQLAlchemyError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def check_home(home: Home, told: Told) -> None:
    """Opens the home as a desk does and holds it to the promise. Raises AssertionError."""
    if home.has_journal and told.safe:
        before = verify_chain(home.database, home.checkpoints)
        assert before.ok, f"audit verify before it is opened: {before.problem}"
    home.create()
    emergency = EmergencyFile(home.emergency)
    journal = Journal.open(
        home.database, signer=SIGNER, checkpoints=home.checkpoints, segment_rows=SEGMENT_ROWS
    )
    try:
        emergency.reconcile(journal)
        check_rows(journal, told)
        assert emergency.reconcile(journal).moved == 0, "emergency facts were moved twice"
        Projector(journal.engine).project()
        journal.append(
            f.DoorRefused(told_ns(told), "test", "after", ("the crash",)), run_id="r", account_id="a"
        )
        journal.commit()
        after = verify_chain(journal.engine, home.checkpoints)
        assert after.ok, f"audit verify after it was opened: {after.problem}"
    finally:
        journal.abandon()


def told_ns(told: Told) -> int:
    """A time that is not before any fact."""
    return f.decode_fact(told.facts[-1]).at_ns if told.facts else 0


def check_rows(journal: Journal, told: Told) -> None:
    """The journal is a first part of what was made, with all that was acknowledged, and a state follows."""
    found = [row.payload.encode() for row in journal.rows()]
    assert len(found) >= told.safe, f"{told.safe} facts were acknowledged, {len(found)} are there"
    for place, (payload, made) in enumerate(zip(found, told.facts, strict=False)):
        assert payload == made, f"fact {place + 1} of {told.safe} acknowledged is not the one that was made"
    assert len(found) <= len(told.facts), "there are facts that were never made"
    facts = [f.decode_fact(payload) for payload in found]
    planned = {fact.request.client_order_id for fact in facts if isinstance(fact, f.OrderPlanned)}
    assert planned.issuperset(told.sent), "an order was sent whose plan is not there"
    state = DeskState()
    for fact in facts:
        apply(state, fact)
    reader = JournalReader(journal.engine)
    rebuilt, seq = rebuild_state(reader, Snapshots(journal.engine))
    assert (seq, state_bytes(rebuilt)) == (len(found), state_bytes(state)), "the snapshot gives another state"
