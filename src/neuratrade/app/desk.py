"""The Desk: everything wired together for one run in one home, opened in the safe order and closed in order.

Lock, then journal, then state from the journal, then what was left in the emergency file, then the market's
history, then protection, and only then the first new price. A run that ended with its data starts over with
a fresh paper account; one that was stopped or killed goes on where its journal ends.
"""

import uuid
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from neuratrade import __version__
from neuratrade.app.config import FILE_NAME, Config, load_config
from neuratrade.app.dna import default_dna, load_dna
from neuratrade.app.engine_room import Setup, engine_config, open_data, replay_of, traded_markets
from neuratrade.app.kernels import prepare_kernels
from neuratrade.app.looking import made, readable
from neuratrade.app.rebuild import rebuild_state
from neuratrade.core.engine.engine import Engine
from neuratrade.core.engine.state import DeskState, snapshot_of
from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.facts import Fact, IntentJudged, RunEnded, RunStarted
from neuratrade.core.strategies.dna import Dna
from neuratrade.core.strategies.registry import build_strategies
from neuratrade.feeds.catalogue import Catalogue
from neuratrade.feeds.clock import Clock, SystemClock
from neuratrade.feeds.dataset import Dataset
from neuratrade.feeds.port import event_ns
from neuratrade.feeds.replay import ReplayFeed
from neuratrade.hands.door import Door
from neuratrade.hands.halt_file import HaltFile
from neuratrade.hands.inbound import Inbound
from neuratrade.hands.inbox.bus import InProcessBus
from neuratrade.hands.inbox.folder import FolderInbox
from neuratrade.hands.inbox.submit import CONTROL, INTENTS
from neuratrade.hands.recorder import JournalRecorder
from neuratrade.hands.runner import Inboxes, Runner
from neuratrade.hands.sender import Sender
from neuratrade.hands.simulated import SimulatedDesk
from neuratrade.hands.strategy_guard import tell_stderr
from neuratrade.hands.turns import Watcher
from neuratrade.store.emergency import EmergencyFile
from neuratrade.store.home import Home, HomeLock
from neuratrade.store.journal import Journal
from neuratrade.store.keys import Ed25519Signer, verify
from neuratrade.store.projections import Projector
from neuratrade.store.reader import JournalReader
from neuratrade.store.snapshots import Snapshots
from neuratrade.venues.paper.exchange import PaperExchange

HISTORY_BARS = 30 * 24 * 60
SNAPSHOT_ROWS = 20_000
DECISIONS_KEPT = 100

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line adds to the configuration. speed: engine seconds a second, None = max."""

    speed: float | None = None
    data: str | None = None
    dna: str | None = None
    fresh: bool = False


class Desk:
    """One opened desk. Use `open_desk`; call `close` (or leave its `with`) to keep the journal complete."""

    def __init__(self, home: Home, config: Config, setup: Setup, stack: ExitStack) -> None:
        self.home = home
        self.config = config
        self.setup = setup
        self.decisions: deque[IntentJudged] = deque(maxlen=DECISIONS_KEPT)
        self.resumed = False
        self.bus = InProcessBus()
        self.run_id = ""
        self.snapshot_seq = 0
        self.bars_before = 0
        self.bars_in_all = 0
        self.last_head: tuple[int, bytes] = (0, b"")
        self.feed: ReplayFeed
        self.simulated: SimulatedDesk
        self.runner: Runner
        self.recorder: JournalRecorder
        self.journal: Journal
        self._stack = stack

    @property
    def state(self) -> DeskState:
        """The durable state, to be read only."""
        return self.simulated.engine.state

    async def run(self) -> RunEnded:
        """Runs until the data ends or somebody stops it."""
        return await self.runner.run()

    def watch(self, watcher: Watcher) -> None:
        """Shows `watcher` every fact from now on, after it is safe."""
        self.simulated.watch(watcher)

    def keep_decision(self, fact: Fact) -> None:
        """Keeps the newest decisions for whoever looks at the running desk."""
        if isinstance(fact, IntentJudged):
            self.decisions.append(fact)

    def tell_trouble(self, trouble: str) -> None:
        """Tells of something that went wrong and did not end the run."""
        self.runner.health.note(trouble)
        tell_stderr(trouble)

    @property
    def bars(self) -> int:
        """Bars of this run so far, those before a restart included."""
        return self.bars_before + self.simulated.bars_seen

    def keep_house(self) -> None:
        """Snapshots now and then, so that the next start is fast; back to the journal when it can be."""
        if self.simulated.journal_failed:
            if self.recorder.return_to_journal():
                self.runner.health.note("the journal can be written again; resume when you have looked")
                self.simulated.flush()
            return
        seq, _ = self.journal.head()
        if seq - self.snapshot_seq >= SNAPSHOT_ROWS:
            self._save_snapshot()

    def recall(self, intent_id: str) -> IntentJudged | None:
        """The first decision on an intent, from the journal; None when there is none."""
        for row in JournalReader(self.journal.engine).rows(kinds=("intent_judged",)):
            fact = row.fact()
            if isinstance(fact, IntentJudged) and fact.intent.intent_id == intent_id:
                return fact
        return None

    def close(self) -> None:
        """Leaves the journal complete, signed and projected, and gives the home back."""
        with self._stack:
            self.simulated.flush()
            if self.simulated.journal_failed and self.recorder.return_to_journal():
                self.simulated.flush()
            self.last_head = self.journal.head()
            if self.simulated.journal_failed:
                return
            self._save_snapshot()
            try:
                Projector(self.journal.engine).project()
            except SQLAlchemyError as error:
                self.runner.health.note(f"rows for people are not up to date ({_cause(error)})")

    def __enter__(self) -> "Desk":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _save_snapshot(self) -> None:
        # The state must not be ahead of the row it is kept for.
        self.simulated.flush()
        seq, _ = self.journal.head()
        if self.simulated.journal_failed or seq <= self.snapshot_seq:
            return
        self.snapshot_seq = seq
        try:
            Snapshots(self.journal.engine).save(seq, snapshot_of(self.state))
        except SQLAlchemyError as error:
            # It only saves time: the next start folds more rows.
            self.runner.health.note(f"no snapshot could be kept ({_cause(error)})")


def open_desk(home: Home, options: Options, progress: Progress, clock: Clock | None = None) -> Desk:
    """Opens the desk of a home. Raises UsageError for bad configuration, HomeLocked when one runs there."""
    made(home)
    config = load_config(home.config / FILE_NAME)
    dna = _dna(options.dna or config.dna)
    dataset = open_data(Catalogue(home.root / "data"), options.data or config.data)
    setup = Setup.from_config(config, dna, dataset)
    stack = ExitStack()
    try:
        stack.enter_context(HomeLock(home))
        prepare_kernels(build_strategies(dna), progress)
        desk = Desk(home, config, setup, stack)
        signer = Ed25519Signer()
        journal = Journal.open(home.journal, signer=signer, checkpoints=home.checkpoints)
        desk.journal = stack.enter_context(journal)
        with readable(home):
            EmergencyFile(home.emergency).reconcile(desk.journal)
            state, seq = rebuild_state(JournalReader(desk.journal.engine), Snapshots(desk.journal.engine))
        desk.snapshot_seq = seq
        _wire(desk, dataset, state, signer, options, clock or SystemClock())
        _start(desk, dataset, signer, progress)
    except BaseException:
        stack.close()
        raise
    return desk


def _cause(error: SQLAlchemyError) -> str:
    return str(getattr(error, "orig", None) or error)


def _dna(path: str | None) -> Dna:
    return default_dna() if path is None else load_dna(Path(path).expanduser())


def _wire(
    desk: Desk, dataset: Dataset, state: DeskState, signer: Ed25519Signer, options: Options, clock: Clock
) -> None:
    setup = desk.setup
    unfinished = bool(state.run_id) and not state.finished
    desk.resumed = unfinished and not options.fresh
    if unfinished and not desk.resumed and state.brackets:
        raise UsageError(
            f"{len(state.brackets)} bracket(s) of run {state.run_id} are still open; go on with it "
            "(without --fresh), or close them first (neuratrade flatten while it runs)"
        )
    instruments = {item.key: item for item in dataset.instruments}
    if desk.resumed and set(state.instruments) != set(instruments):
        raise UsageError(
            f"run {state.run_id} trades {', '.join(sorted(state.instruments))}, but dataset {setup.data} has "
            f"{', '.join(sorted(instruments))}; run it with its own data, or start over with --fresh"
        )
    engine = Engine(engine_config(setup, dataset, signer, desk.tell_trouble), state)
    exchange = PaperExchange(setup.account, instruments, setup.cash, setup.costs)
    sender = Sender(verify)
    if desk.resumed:
        exchange.restore(state)
        sender.restore(state)
    run_id = state.run_id if desk.resumed else uuid.uuid4().hex[:12]
    account_id = setup.account.account_id
    desk.recorder = JournalRecorder(desk.journal, EmergencyFile(desk.home.emergency), run_id, account_id)
    markets = traded_markets(setup, dataset)
    desk.simulated = SimulatedDesk(engine, exchange, desk.recorder, sender, (desk.keep_decision,), markets)
    desk.feed = replay_of(dataset, state.now_ns if desk.resumed else None, options.speed)
    if desk.resumed:
        desk.bars_before = replay_of(dataset, None, None).total_bars - desk.feed.total_bars
    desk.bars_in_all = desk.bars_before + desk.feed.total_bars
    door = Door(instruments, setup.account.venue, account_id, setup.operator_id)
    inboxes = Inboxes(
        door,
        FolderInbox(desk.home.root / INTENTS),
        FolderInbox(desk.home.root / CONTROL, "control"),
        desk.bus,
    )
    desk.runner = Runner(
        desk.simulated,
        desk.feed,
        inboxes,
        HaltFile(desk.home.root),
        clock,
        desk.keep_house,
        desk.recall,
        inbound=Inbound(conflates=False),
    )
    desk.run_id = run_id


def _start(desk: Desk, dataset: Dataset, signer: Ed25519Signer, progress: Progress) -> None:
    state, setup = desk.state, desk.setup
    if desk.resumed:
        _warm_up(desk, progress)
    first = next(desk.feed.slices(), None)
    begin_ns = state.now_ns if desk.resumed or first is None else event_ns(first)
    if first is None and not desk.resumed:
        raise UsageError(f"dataset {setup.data} is empty: nothing to trade")
    if isinstance(first, list) and not desk.resumed:
        begin_ns = first[0].open_ns
    desk.simulated.take(
        RunStarted(
            at_ns=begin_ns,
            run_id=desk.run_id,
            mode="paper",
            account=setup.account,
            cash=setup.cash,
            source=f"replay of {setup.data}",
            fresh=not desk.resumed,
            instruments=dataset.instruments,
            limits=setup.limits_text(),
            config=setup.as_config(),
            key_id=signer.key_id,
            public_key=signer.public_key,
            version=__version__,
        )
    )
    desk.simulated.flush()
    if desk.resumed:
        desk.simulated.recover(begin_ns)


def _warm_up(desk: Desk, progress: Progress) -> None:
    history = desk.feed.history(desk.state.now_ns, HISTORY_BARS)
    bars = sorted((bar for series in history.values() for bar in series), key=lambda bar: bar.close_ns)
    for number, bar in enumerate(bars):
        if number % 5_000 == 0:
            progress("warming up on history", number, len(bars))
        desk.simulated.warm_up(bar)
