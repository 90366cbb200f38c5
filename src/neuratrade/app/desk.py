"""The Desk: one run in one home, opened by `opening.py` and closed in order."""

from collections import deque
from contextlib import ExitStack

from sqlalchemy.exc import SQLAlchemyError

from neuratrade.app.config import Config
from neuratrade.app.engine_room import Setup
from neuratrade.core.engine.state import DeskState, snapshot_of
from neuratrade.core.model.facts import Fact, IntentJudged, RunEnded
from neuratrade.feeds.port import Feed
from neuratrade.feeds.replay import ReplayFeed
from neuratrade.hands.inbox.bus import InProcessBus
from neuratrade.hands.recorder import JournalRecorder
from neuratrade.hands.runner import Runner
from neuratrade.hands.simulated import SimulatedDesk
from neuratrade.hands.strategy_guard import tell_stderr
from neuratrade.hands.turns import Watcher
from neuratrade.store.home import Home
from neuratrade.store.journal import Journal
from neuratrade.store.projections import Projector
from neuratrade.store.reader import JournalReader
from neuratrade.store.snapshots import Snapshots

SNAPSHOT_ROWS = 20_000
DECISIONS_KEPT = 100


class Desk:
    """One opened desk. Use `open_desk`; call `close` (or leave its `with`) to keep the journal complete.

    replay: the recording it runs on, None where its market is live.
    """

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
        self.feed: Feed
        self.replay: ReplayFeed | None = None
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

    def note(self, trouble: str) -> None:
        """Keeps a trouble for whoever looks."""
        self.runner.health.note(trouble)

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


def _cause(error: SQLAlchemyError) -> str:
    return str(getattr(error, "orig", None) or error)
