"""Opening a desk: everything wired together for one run in one home, in the safe order.

Lock, then journal, then state from the journal, then what was left in the emergency file, then the market's
history, then protection, and only then the first new price. A run that ended with its data starts over with
a fresh paper account; one that was stopped or killed goes on where its journal ends.
"""

import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from neuratrade import __version__
from neuratrade.app.config import FILE_NAME, Config, load_config
from neuratrade.app.desk import Desk
from neuratrade.app.dna import default_dna, load_dna
from neuratrade.app.engine_room import Setup, engine_config, open_data, replay_of, traded_markets
from neuratrade.app.kernels import prepare_kernels
from neuratrade.app.looking import made, readable
from neuratrade.app.markets import LIVE, LiveMarket, RecordedMarket
from neuratrade.app.rebuild import rebuild_state
from neuratrade.core.engine.engine import Engine
from neuratrade.core.engine.state import DeskState
from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.facts import RunStarted
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.strategies.dna import Dna
from neuratrade.core.strategies.registry import build_strategies
from neuratrade.feeds.calendars import calendar_of
from neuratrade.feeds.catalogue import Catalogue
from neuratrade.feeds.clock import Clock, SystemClock
from neuratrade.feeds.contracts import rolls_of
from neuratrade.feeds.dataset import Dataset
from neuratrade.feeds.live.feed import LiveFeed
from neuratrade.feeds.port import event_ns
from neuratrade.feeds.replay import ReplayFeed
from neuratrade.hands.door import Door
from neuratrade.hands.halt_file import HaltFile
from neuratrade.hands.inbound import Inbound
from neuratrade.hands.inbox.folder import FolderInbox
from neuratrade.hands.inbox.submit import CONTROL, INTENTS
from neuratrade.hands.paper import PaperDesk
from neuratrade.hands.recorder import JournalRecorder
from neuratrade.hands.runner import Inboxes, Runner
from neuratrade.hands.sender import Sender
from neuratrade.hands.simulated import SimulatedDesk
from neuratrade.hands.timetable import Timetable
from neuratrade.store.emergency import EmergencyFile
from neuratrade.store.home import Home, HomeLock
from neuratrade.store.journal import Journal
from neuratrade.store.keys import Ed25519Signer, verify
from neuratrade.store.reader import JournalReader
from neuratrade.store.snapshots import Snapshots
from neuratrade.venues.paper.exchange import PaperExchange

HISTORY_BARS = 30 * 24 * 60

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line adds to the configuration. speed: engine seconds a second, None = max.

    venue: of a live market, whose `symbols` are traded on paper; recorded data where there is none.
    """

    speed: float | None = None
    data: str | None = None
    dna: str | None = None
    fresh: bool = False
    venue: str = ""
    symbols: tuple[str, ...] = ()


def open_desk(home: Home, options: Options, progress: Progress, clock: Clock | None = None) -> Desk:
    """Opens the desk of a home. Raises UsageError for bad configuration, HomeLocked when one runs there."""
    made(home)
    config = load_config(home.config / FILE_NAME)
    dna = _dna(options.dna or config.dna)
    clock = clock or SystemClock()
    troubles = _Troubles()
    market = _market(home, config, options, clock, progress, troubles)
    setup = Setup.from_config(config, dna, market)
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
        _wire(desk, market, state, signer, options, clock)
        troubles.desk = desk
        _start(desk, market, signer, progress, clock)
    except BaseException:
        stack.close()
        raise
    return desk


def _dna(path: str | None) -> Dna:
    return default_dna() if path is None else load_dna(Path(path).expanduser())


class _Troubles:
    """Takes troubles of a market to the desk, once there is one."""

    def __init__(self) -> None:
        self.desk: Desk | None = None

    def __call__(self, trouble: str) -> None:
        if self.desk is not None:
            self.desk.runner.health.note(trouble)


def _market(
    home: Home,
    config: Config,
    options: Options,
    clock: Clock,
    progress: Progress,
    troubles: Callable[[str], None],
) -> RecordedMarket | LiveMarket:
    """What is to be traded: the command line names it, or the file does."""
    venue = options.venue or ("" if options.data else config.market.venue)
    if not venue:
        return RecordedMarket(open_data(Catalogue(home.root / "data"), options.data or config.data))
    from neuratrade.app.live_market import open_live

    symbols = options.symbols or (config.market.symbols if venue == config.market.venue else ())
    return open_live(venue, symbols, clock, host=config.market.host, progress=progress, note=troubles)


def _wire(
    desk: Desk,
    market: RecordedMarket | LiveMarket,
    state: DeskState,
    signer: Ed25519Signer,
    options: Options,
    clock: Clock,
) -> None:
    setup = desk.setup
    instruments = {item.key: item for item in market.instruments}
    _resume_or_begin(desk, instruments, state, options)
    engine = Engine(engine_config(setup, market, signer, desk.tell_trouble), state)
    exchange = PaperExchange(setup.account, instruments, setup.cash, setup.costs)
    sender = Sender(verify)
    if desk.resumed:
        exchange.restore(state)
        sender.restore(state)
    run_id = state.run_id if desk.resumed else uuid.uuid4().hex[:12]
    account_id = setup.account.account_id
    desk.recorder = JournalRecorder(desk.journal, EmergencyFile(desk.home.emergency), run_id, account_id)
    watchers = (desk.keep_decision,)
    inbound = Inbound(conflates=isinstance(market, LiveMarket))
    if isinstance(market, LiveMarket):
        desk.feed = LiveFeed(market.make, market.instruments, market.history, desk.note)
        desk.simulated = PaperDesk(engine, exchange, desk.recorder, sender, inbound, clock, watchers=watchers)
    else:
        markets = traded_markets(setup, market.dataset)
        desk.simulated = SimulatedDesk(engine, exchange, desk.recorder, sender, watchers, markets)
        desk.feed = desk.replay = _replay(desk, market.dataset, state, options.speed)
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
        inbound=inbound,
        timetable=_timetable(market, engine, inbound, clock),
    )
    desk.run_id = run_id


def _timetable(
    market: RecordedMarket | LiveMarket, engine: Engine, inbound: Inbound, clock: Clock
) -> Timetable | None:
    """What closes and what ends of a live market; a recording holds only what traded."""
    if not isinstance(market, LiveMarket):
        return None
    calendars = {item.key: found for item in market.instruments if (found := calendar_of(item)) is not None}
    today = datetime.fromtimestamp(clock.now_ns() / NS_PER_SECOND, UTC).date()
    return Timetable(engine, inbound, clock, calendars, rolls_of(market.instruments, today))


def _resume_or_begin(
    desk: Desk, instruments: dict[str, Instrument], state: DeskState, options: Options
) -> None:
    """Whether the run in the journal goes on. Raises UsageError where it cannot, and may not be left."""
    unfinished = bool(state.run_id) and not state.finished
    desk.resumed = unfinished and not options.fresh
    if unfinished and not desk.resumed and state.brackets:
        raise UsageError(
            f"{len(state.brackets)} bracket(s) of run {state.run_id} are still open; go on with it "
            "(without --fresh), or close them first (neuratrade flatten while it runs)"
        )
    if desk.resumed and set(state.instruments) != set(instruments):
        raise UsageError(
            f"run {state.run_id} trades {', '.join(sorted(state.instruments))}, but "
            f"{_words(desk.setup.data)} has {', '.join(sorted(instruments))}; "
            "run it with its own data, or start over with --fresh"
        )


def _words(name: str) -> str:
    """A market by its name, for people."""
    if name.startswith(LIVE):
        return f"the live market of {name.removeprefix(LIVE)}"
    return f"dataset {name}"


def _replay(desk: Desk, dataset: Dataset, state: DeskState, speed: float | None) -> ReplayFeed:
    feed = replay_of(dataset, state.now_ns if desk.resumed else None, speed)
    if desk.resumed:
        desk.bars_before = replay_of(dataset, None, None).total_bars - feed.total_bars
    desk.bars_in_all = desk.bars_before + feed.total_bars
    return feed


def _start(
    desk: Desk, market: RecordedMarket | LiveMarket, signer: Ed25519Signer, progress: Progress, clock: Clock
) -> None:
    setup = desk.setup
    begin_ns = clock.now_ns() if isinstance(market, LiveMarket) else _first_ns(desk)
    if desk.resumed or isinstance(market, LiveMarket):
        _warm_up(desk, begin_ns, progress)
    desk.simulated.take(
        RunStarted(
            at_ns=begin_ns,
            run_id=desk.run_id,
            mode="paper",
            account=setup.account,
            cash=setup.cash,
            source=_source(setup.data),
            fresh=not desk.resumed,
            instruments=market.instruments,
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


def _source(name: str) -> str:
    if name.startswith(LIVE):
        return f"live data of {name.removeprefix(LIVE)}"
    return f"replay of {name}"


def _first_ns(desk: Desk) -> int:
    """When a replay begins. Raises UsageError for one without anything in it."""
    first = None if desk.replay is None else next(desk.replay.slices(), None)
    if desk.resumed:
        return desk.state.now_ns
    if first is None:
        raise UsageError(f"dataset {desk.setup.data} is empty: nothing to trade")
    return first[0].open_ns if isinstance(first, list) else event_ns(first)


def _warm_up(desk: Desk, before_ns: int, progress: Progress) -> None:
    history = desk.feed.history(before_ns, HISTORY_BARS)
    bars = sorted((bar for series in history.values() for bar in series), key=lambda bar: bar.close_ns)
    for number, bar in enumerate(bars):
        if number % 5_000 == 0:
            progress("warming up on history", number, len(bars))
        desk.simulated.warm_up(bar)
